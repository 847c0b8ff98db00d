//! What is judged of Prometheus itself.

use serde_json::json;

use super::super::Memo;
use super::super::testing::FakeWorld;
use super::super::testing::supervision::{FakeGrafana, FakeProm, target};
use super::{fails, passes, unsure};
use crate::event::Verdict;
use crate::lab::{self, Lab};

pub fn lab04() -> Lab {
    lab::parse("lab04.toml", include_str!("lab04.toml"), std::path::PathBuf::new())
        .unwrap_or_else(|e| panic!("{e}"))
}

pub async fn judge(check: &str, world: &FakeWorld) -> Verdict {
    super::judge_with(&lab04(), check, world, None, (&Memo::default(), &Memo::default())).await
}

fn with(prom: FakeProm) -> FakeWorld {
    FakeWorld::lab04(prom, FakeGrafana::default())
}

fn targets(api: serde_json::Value) -> FakeProm {
    let own = target("http://localhost:9090/metrics", "prometheus", "up", "");
    FakeProm { targets: vec![api, own], ..FakeProm::default() }
}

#[tokio::test(start_paused = true)]
async fn honest_prometheus() {
    let world = with(FakeProm::default());
    for check in ["cibles", "retention", "intervalles", "suivi"] {
        passes(&judge(check, &world).await);
    }
}

#[tokio::test(start_paused = true)]
async fn targets_that_are_not_what_they_say() {
    let down = |url: &str, error: &str| with(targets(target(url, "express-api", "down", error)));
    // Up under the right name and job, but it is somebody else.
    let mut world = with(targets(target("http://redis:5000/metrics", "express-api", "up", "")));
    world.open.insert(("redis".into(), 5000));
    fails(&judge("cibles", &world).await, "« redis », pas à « api »");
    let world = with(targets(target("http://api:5000/metrics", "api", "up", "")));
    fails(&judge("cibles", &world).await, "job = « api »");
    fails(
        &judge("cibles", &down("http://api:5001/metrics", "connection refused")).await,
        "5001 au lieu de 5000",
    );
    fails(&judge("cibles", &down("http://apii:5000/metrics", "no such host")).await, "apii");
    fails(&judge("cibles", &down("http://localhost:5000/metrics", "connection refused")).await, "localhost");
    let world = with(FakeProm { targets: vec![], ..FakeProm::default() });
    fails(&judge("cibles", &world).await, "aucune cible");
    // The path is wrong: the API answers 404 there.
    fails(&judge("cibles", &down("http://api:5000/metric", "404")).await, "404");
    // A page of words, not of metrics.
    fails(
        &judge("cibles", &down("http://api:5000/health", "expected a valid start token")).await,
        "pas des métriques",
    );
    let mut world = down("http://api:5000/metrics", "connection refused");
    world.open.remove(&("api".into(), 5000));
    fails(&judge("cibles", &world).await, "refusée");
    let world = with(targets(target("http://api:5000/metrics", "express-api", "unknown", "")));
    fails(&judge("cibles", &world).await, "aucune collecte");
}

#[tokio::test(start_paused = true)]
async fn no_shared_network() {
    let mut world = with(targets(target("http://api:5000/metrics", "express-api", "down", "no such host")));
    world.instances.remove("prometheus");
    world.add("prometheus", &[("supervision", "10.3.0.9")], &[9090]);
    fails(&judge("cibles", &world).await, "aucun réseau commun");
}

#[tokio::test(start_paused = true)]
async fn prometheus_away() {
    let world = with(FakeProm { unready: true, ..FakeProm::default() });
    for check in ["cibles", "retention", "intervalles", "suivi", "source", "panneaux"] {
        fails(&judge(check, &world).await, "503");
    }
    let mut world = with(FakeProm::default());
    world.probe_broken = true;
    unsure(&judge("cibles", &world).await);
    let mut world = with(FakeProm::default());
    world.declared.services.remove("prometheus");
    fails(&judge("retention", &world).await, "prometheus");
}

#[tokio::test(start_paused = true)]
async fn retention_forms() {
    for said in ["360h", "15d or 1GiB", "2w1d"] {
        passes(&judge("retention", &with(FakeProm { retention: said, ..FakeProm::default() })).await);
    }
    fails(&judge("retention", &with(FakeProm { retention: "30d", ..FakeProm::default() })).await, "30d");
    let default = FakeProm { flags: json!({"storage.tsdb.retention.time": "0s"}), ..FakeProm::default() };
    fails(&judge("retention", &with(default)).await, "par défaut");
}

#[tokio::test(start_paused = true)]
async fn intervals_in_force() {
    let config = |text: &str| FakeProm { config: text.into(), ..FakeProm::default() };
    let slow = config("global:\n  scrape_interval: 15s\n  evaluation_interval: 1m\n");
    fails(&judge("intervalles", &with(slow)).await, "1m");
    // What the jobs use wins over the common value.
    passes(
        &judge("intervalles", &with(config("global:\n  scrape_interval: 1m\n  evaluation_interval: 15s\n")))
            .await,
    );
    let mut own = FakeProm::default();
    own.targets[0]["scrapeInterval"] = json!("1m");
    fails(&judge("intervalles", &with(own)).await, "express-api");
    fails(&judge("intervalles", &with(config("- not a map"))).await, "API de Prometheus");
    let groups = |every: u32| FakeProm {
        groups: vec![json!({"name": "debit", "file": "r.yml", "interval": every, "rules": []})],
        ..FakeProm::default()
    };
    passes(&judge("intervalles", &with(groups(15))).await);
    fails(&judge("intervalles", &with(groups(60))).await, "debit");
}

#[tokio::test(start_paused = true)]
async fn traffic_that_is_not_followed() {
    fails(&judge("suivi", &with(FakeProm { collects: false, ..FakeProm::default() })).await, "aucune série");
    fails(&judge("suivi", &with(FakeProm { copies: 2, ..FakeProm::default() })).await, "plusieurs fois");
    let mut world = with(FakeProm::default());
    world.app = super::super::testing::App::CannedMetrics;
    fails(&judge("suivi", &world).await, "comptés");
}
