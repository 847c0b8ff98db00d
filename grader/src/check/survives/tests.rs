use std::sync::Mutex;

use super::super::experiment::{Request, Written};
use super::super::testing::FakeWorld;
use super::super::tests::{fails, passes, unsure};
use super::super::world::wire;
use super::super::{Cx, Memo};
use super::*;

/// A store on port 9200 of `redis` that keeps what it is given, and `api`, whose health is `health` while the
/// store is away.
fn world(durable: bool, health: u16) -> FakeWorld {
    let mut world = FakeWorld::lab02();
    world.durable = durable;
    world.open.insert(("redis".into(), 9200));
    world.open.insert(("api".into(), 8000));
    let kept = Mutex::new(None::<(u32, String)>);
    let store = move |world: &FakeWorld, ask: &wire::Http| {
        let generation = world.lock().generation.get("redis").copied().unwrap_or(0);
        let mut kept = kept.lock().expect("no test panics while holding it");
        if let Some(body) = &ask.body {
            *kept = Some((generation, body.clone()));
            return (201, String::new());
        }
        match &*kept {
            Some((at, body)) if world.durable || *at == generation => (200, body.clone()),
            _ => (404, "rien".to_owned()),
        }
    };
    world.pages.insert(("redis".into(), 9200), Box::new(store));
    world.pages.insert(("api".into(), 8000), Box::new(move |_, _| (health, "{}".into())));
    world
}

fn experiments(alive: u16) -> Experiments {
    let at = |method: &str, body: Option<&str>| Written {
        service: "redis".into(),
        port: 9200,
        method: method.into(),
        path: "/x/{token}".into(),
        body: body.map(str::to_owned),
    };
    let request =
        |service: &str, port, path: &str| Request { service: service.into(), port, path: path.into() };
    let survival = Survival {
        service: "redis".into(),
        also: vec!["api".into()],
        emptied: None,
        write: at("PUT", Some("{\"v\": \"{token}\"}")),
        read: at("GET", None),
        // A port that nobody listens to: the fake store is never away.
        alive: Some(request("redis", alive, "/")),
        health: Some(request("api", 8000, "/health")),
    };
    Experiments { survival: vec![survival], ..Experiments::default() }
}

async fn judged(world: &FakeWorld, proof: SurvivalProof, alive: u16) -> Verdict {
    judged_in(world, proof, &experiments(alive)).await
}

async fn judged_in(world: &FakeWorld, proof: SurvivalProof, experiments: &Experiments) -> Verdict {
    let memo = Memo::default();
    let cx = Cx { world, experiments, memo: &memo, second: None };
    let check = Survives { service: "redis".into(), proof };
    check.validate(experiments).expect("valid");
    match check.judge(&cx).await {
        Ok(verdict) => verdict,
        Err(fault) => Verdict::Inconclusive { fault, facts: vec![] },
    }
}

#[tokio::test(start_paused = true)]
async fn data_survive_or_not() {
    passes(&judged(&world(true, 503), SurvivalProof::Data, 9201).await);
    fails(&judged(&world(false, 503), SurvivalProof::Data, 9201).await, "ne survivent pas");
}

#[tokio::test(start_paused = true)]
async fn a_health_that_is_always_good_lies() {
    passes(&judged(&world(true, 503), SurvivalProof::Health, 9201).await);
    fails(&judged(&world(true, 200), SurvivalProof::Health, 9201).await, "tout va bien");
}

#[tokio::test(start_paused = true)]
async fn an_absence_that_nobody_saw_proves_nothing() {
    unsure(&judged(&world(true, 200), SurvivalProof::Health, 9200).await);
}

#[tokio::test(start_paused = true)]
async fn what_only_the_cache_held_was_not_stored() {
    let mut emptied = experiments(9201);
    emptied.survival[0].emptied = Some("redis".into());
    passes(&judged_in(&world(true, 503), SurvivalProof::Data, &emptied).await);

    let mut cached = world(true, 503);
    let store = |world: &FakeWorld, ask: &wire::Http| {
        let mut memory = world.lock();
        if let Some(body) = &ask.body {
            memory.redis.insert("source".into(), (body.clone(), None));
        }
        memory.redis.get("source").map_or((404, "rien".to_owned()), |(body, _)| (200, body.clone()))
    };
    cached.pages.insert(("redis".into(), 9200), Box::new(store));
    passes(&judged(&cached, SurvivalProof::Data, 9201).await);
    fails(&judged_in(&cached, SurvivalProof::Data, &emptied).await, "n'est pas dans");
}
