//! What is judged of Grafana's data source.

use serde_json::json;

use super::super::testing::FakeWorld;
use super::super::testing::supervision::{FakeGrafana, FakeProm, source};
use super::prom::judge;
use super::{fails, passes};

fn with(grafana: FakeGrafana) -> FakeWorld {
    FakeWorld::lab04(FakeProm::default(), grafana)
}

fn changed(key: &str, value: serde_json::Value) -> FakeGrafana {
    let mut one = source();
    one[key] = value;
    FakeGrafana { sources: vec![one], ..FakeGrafana::default() }
}

#[tokio::test(start_paused = true)]
async fn honest_source() {
    passes(&judge("source", &with(FakeGrafana::default())).await);
    // Editable in the interface, but made from a file all the same: the stack is new.
    passes(&judge("source", &with(changed("readOnly", json!(false)))).await);
}

#[tokio::test(start_paused = true)]
async fn sources_that_do_not_lead_there() {
    let none = FakeGrafana { sources: vec![], ..FakeGrafana::default() };
    fails(&judge("source", &with(none)).await, "aucune source de données");
    fails(&judge("source", &with(changed("type", json!("loki")))).await, "loki");
    fails(&judge("source", &with(changed("access", json!("direct")))).await, "direct");
    fails(&judge("source", &with(changed("isDefault", json!(false)))).await, "isDefault");
    let local = FakeGrafana { healthy: false, ..changed("url", json!("http://localhost:9090")) };
    fails(&judge("source", &with(local)).await, "Grafana lui-même");
    let lost = FakeGrafana { healthy: false, ..changed("url", json!("http://prom:9090")) };
    fails(&judge("source", &with(lost)).await, "prom:9090");
    let port = FakeGrafana { healthy: false, ..changed("url", json!("http://prometheus:9091")) };
    fails(&judge("source", &with(port)).await, "refusée");
    // A healthy Prometheus, which is not that of the stack.
    for hides_start in [false, true] {
        let other = FakeProm { beat: 1_795_225_750.0, hides_start, ..FakeProm::default() };
        let world = with(FakeGrafana { behind: other, ..FakeGrafana::default() });
        fails(&judge("source", &world).await, "autre Prometheus");
        let same = FakeProm { hides_start, ..FakeProm::default() };
        passes(&judge("source", &with(FakeGrafana { behind: same, ..FakeGrafana::default() })).await);
    }
}

#[tokio::test(start_paused = true)]
async fn accounts() {
    let factory = FakeGrafana { password: "admin", ..FakeGrafana::default() };
    fails(&judge("source", &with(factory)).await, "d'usine");
    let other = FakeGrafana { password: "secret", ..FakeGrafana::default() };
    fails(&judge("source", &with(other)).await, "Invalid username");
    let mut world = with(FakeGrafana::default());
    world.open.remove(&("grafana".into(), 3000));
    fails(&judge("source", &world).await, "refusée");
}
