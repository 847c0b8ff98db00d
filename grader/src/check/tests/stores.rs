use serde_json::json;

use super::super::testing::{App, FakeWorld};
use super::super::world::{BuildOutcome, Happening, StackEvent};
use super::{fails, judge, judge_on, passes, unsure};

#[tokio::test(start_paused = true)]
async fn honest_outages() {
    for app in [App::Honest, App::FallsBack] {
        let (mut first, mut second) = (FakeWorld::lab02(), FakeWorld::lab02());
        first.app = app;
        second.app = app;
        passes(&judge_on("02", "pannes", &first, Some(&second)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn lies_during_an_outage() {
    let (mut first, mut second) = (FakeWorld::lab02(), FakeWorld::lab02());
    first.app = App::LiesWithoutRedis;
    fails(&judge_on("02", "pannes", &first, Some(&second)).await, "cache");
    first.app = App::Honest;
    second.app = App::LiesWithoutPostgres;
    fails(&judge_on("02", "pannes", &first, Some(&second)).await, "postgres");
    unsure(&judge("02", "pannes", &first).await);
}

#[tokio::test(start_paused = true)]
async fn health_checks_are_broken_to_be_believed() {
    let mut world = FakeWorld::lab02();
    passes(&judge("02", "sante-redis", &world).await);
    world.health_code = Some(0);
    fails(&judge("02", "sante-redis", &world).await, "tout va bien");
    world.health_code = None;
    unsure(&judge("02", "sante-redis", &world).await);
    world.health_code = Some(-1);
    world.retries = 1000;
    unsure(&judge("02", "sante-redis", &world).await);
    world.declared.services.get_mut("redis").expect("redis").healthcheck = None;
    fails(&judge("02", "sante-redis", &world).await, "pas de healthcheck");
    let world = FakeWorld::lab02();
    assert!(world.memory.lock().expect("lock").frozen.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_frozen_service_is_always_given_back() {
    let world = FakeWorld::lab02();
    let _ = judge("02", "sante-redis", &world).await;
    assert!(world.memory.lock().expect("lock").frozen.is_empty());
}

fn event(at_us: i64, service: &str, what: Happening) -> StackEvent {
    StackEvent { at_us, service: service.into(), what }
}

#[tokio::test(start_paused = true)]
async fn start_order() {
    let mut first = FakeWorld::lab02();
    let mut second = FakeWorld::lab02();
    let waits = |c: &str| ["postgres", "redis"].map(|s| (s.to_owned(), c.to_owned())).into();
    first.declared.services.get_mut("api").expect("api").depends_on = waits("service_healthy");
    let healthy = |at, s: &str| event(at, s, Happening::Healthy);
    second.events = vec![healthy(10, "postgres"), healthy(20, "redis"), event(30, "api", Happening::Started)];
    passes(&judge_on("02", "ordre-demarrage", &first, Some(&second)).await);
    // The same order without anything that imposes it.
    first.declared.services.get_mut("api").expect("api").depends_on = waits("service_started");
    fails(&judge_on("02", "ordre-demarrage", &first, Some(&second)).await, "chance");
    second.events = vec![healthy(10, "postgres"), event(15, "api", Happening::Started), healthy(20, "redis")];
    fails(&judge_on("02", "ordre-demarrage", &first, Some(&second)).await, "redis");
    second.events = vec![event(15, "api", Happening::Started)];
    fails(&judge_on("02", "ordre-demarrage", &first, Some(&second)).await, "jamais");
    second.events = vec![healthy(10, "postgres")];
    unsure(&judge_on("02", "ordre-demarrage", &first, Some(&second)).await);
    let mut bare = FakeWorld::lab02();
    bare.declared.services.get_mut("redis").expect("redis").healthcheck = None;
    fails(&judge_on("02", "ordre-demarrage", &bare, Some(&second)).await, "healthcheck");
}

#[tokio::test(start_paused = true)]
async fn data_survive_or_not() {
    let mut world = FakeWorld::lab02();
    passes(&judge("02", "persistance", &world).await);
    world.durable = false;
    fails(&judge("02", "persistance", &world).await, "/var/lib/postgresql/data");
}

fn built() -> FakeWorld {
    let mut world = FakeWorld::lab02();
    let api = world.declared.services.get_mut("api").expect("api");
    api.build_context = Some("./app".into());
    api.dockerfile = Some("app/Dockerfile".into());
    let package = json!({"dependencies": {"express": "4"}, "devDependencies": {"nodemon": "3"}});
    let lock = json!({"lockfileVersion": 3, "packages": {"node_modules/express": {}, "node_modules/nodemon": {"dev": true}}});
    world.files.insert("app/package.json".into(), package.to_string());
    world.files.insert("app/package-lock.json".into(), lock.to_string());
    world.files.insert("app/Dockerfile".into(), "FROM node\nRUN npm ci --omit=dev\n".into());
    world.paths.extend(["/app/node_modules".to_owned(), "/app/node_modules/express".to_owned()]);
    world
}

#[tokio::test(start_paused = true)]
async fn images() {
    let mut world = built();
    passes(&judge("02", "npm-ci", &world).await);
    passes(&judge("02", "sans-dev", &world).await);
    world.paths.insert("/app/node_modules/nodemon".into());
    fails(&judge("02", "sans-dev", &world).await, "nodemon");
    let mut empty = built();
    empty.paths.clear();
    unsure(&judge("02", "sans-dev", &empty).await);

    world.rebuilt = BuildOutcome { ok: true, log: String::new() };
    fails(&judge("02", "npm-ci", &world).await, "verrou");
    world.rebuilt = BuildOutcome { ok: false, log: "npm error code EAI_AGAIN".into() };
    unsure(&judge("02", "npm-ci", &world).await);
    world.files.remove("app/package-lock.json");
    fails(&judge("02", "npm-ci", &world).await, "package-lock.json");
    world.files.insert("app/yarn.lock".into(), String::new());
    fails(&judge("02", "npm-ci", &world).await, "yarn.lock");
    fails(&judge("02", "npm-ci", &FakeWorld::lab02()).await, "pas construite");
}
