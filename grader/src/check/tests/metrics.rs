use super::super::testing::{App, FakeWorld};
use super::{fails, judge, passes};

async fn with(app: App, check: &str) -> crate::event::Verdict {
    let mut world = FakeWorld::lab02();
    world.app = app;
    judge("02", check, &world).await
}

#[tokio::test(start_paused = true)]
async fn honest_metrics_pass() {
    passes(&with(App::Honest, "metriques").await);
    passes(&with(App::Honest, "metriques-latence").await);
}

#[tokio::test(start_paused = true)]
async fn devious_metrics_fail() {
    fails(&with(App::CannedMetrics, "metriques").await, "ne bouge pas");
    fails(&with(App::DoubleCount, "metriques").await, "deux fois");
    fails(&with(App::SelfCount, "metriques").await, "lectures");
    fails(&with(App::Milliseconds, "metriques-latence").await, "secondes");
    passes(&with(App::Milliseconds, "metriques").await);
}

#[tokio::test(start_paused = true)]
async fn health_and_ports() {
    let mut world = FakeWorld::lab02();
    passes(&judge("02", "sante-api", &world).await);
    world.open.remove(&("api".into(), 5000));
    fails(&judge("02", "sante-api", &world).await, "ne répond pas sur le port 5000");

    let mut world = FakeWorld::lab02();
    fails(&judge("02", "port-api", &world).await, "n'est pas publié");
    let port = |published: &str, target| super::super::world::DeclaredPort {
        target,
        published: Some(published.into()),
        host_ip: None,
        protocol: "tcp".into(),
    };
    let declare = |world: &mut FakeWorld, port| {
        world.declared.services.get_mut("api").expect("api").ports = vec![port];
    };
    declare(&mut world, port("5000", 5001));
    fails(&judge("02", "port-api", &world).await, "5000:5001");
    declare(&mut world, port("5001", 5000));
    super::unsure(&judge("02", "port-api", &world).await);
    let address = "127.0.0.1:49153".parse().expect("an address");
    world.instances.get_mut("api").expect("api")[0].published = vec![(5000, address)];
    passes(&judge("02", "port-api", &world).await);
    world.host =
        super::super::world::HostAnswer { status: None, error: Some("reset".into()), body: String::new() };
    fails(&judge("02", "port-api", &world).await, "ne répond pas");

    passes(&judge("02", "non-publies", &world).await);
    world.declared.services.get_mut("redis").expect("redis").ports = vec![port("6379", 6379)];
    fails(&judge("02", "non-publies", &world).await, "6379");
}
