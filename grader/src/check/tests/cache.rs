use super::super::testing::{App, FakeWorld};
use super::{fails, judge, judge_on, lab, passes, unsure};

const ALL: [&str; 4] = ["donnees-source", "cache-redis", "cache-ttl", "cache-expiration"];

async fn with(app: App, check: &str) -> crate::event::Verdict {
    let mut world = FakeWorld::lab02();
    world.app = app;
    judge("02", check, &world).await
}

#[tokio::test(start_paused = true)]
async fn honest_caches_pass_every_proof() {
    for app in [App::Honest, App::Reserialises, App::FallsBack, App::Shorter] {
        for check in ALL {
            passes(&with(app, check).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_experiment_serves_all_proofs() {
    let world = FakeWorld::lab02();
    let lab = lab("02");
    let memos = (super::Memo::default(), super::Memo::default());
    for check in ALL {
        passes(&super::judge_with(&lab, check, &world, None, (&memos.0, &memos.1)).await);
    }
    let once = world.memory.lock().expect("lock").calls;
    passes(&super::judge_with(&lab, ALL[0], &world, None, (&memos.0, &memos.1)).await);
    assert_eq!(world.memory.lock().expect("lock").calls, once);
}

#[tokio::test(start_paused = true)]
async fn a_store_never_reached_never_switches() {
    fails(&with(App::Unconnected, "donnees-source").await, "ne vient jamais du cache");
}

#[tokio::test(start_paused = true)]
async fn an_in_process_cache_is_seen_in_redis() {
    // The word does switch once; where the value lives is the next check.
    passes(&with(App::InProcess, "donnees-source").await);
    fails(&with(App::InProcess, "cache-redis").await, "Redis");
}

#[tokio::test(start_paused = true)]
async fn an_alternating_word_fools_nobody() {
    for check in ALL {
        fails(&with(App::Alternates, check).await, "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_written_but_never_read_is_seen() {
    passes(&with(App::NeverReads, "donnees-source").await);
    fails(&with(App::NeverReads, "cache-redis").await, "n'est pas la valeur qui se trouve dans Redis");
}

#[tokio::test(start_paused = true)]
async fn lives() {
    fails(&with(App::Renews, "cache-ttl").await, "prolonge");
    fails(&with(App::NoTtl, "cache-ttl").await, "jamais");
    fails(&with(App::TooLong, "cache-ttl").await, "longtemps");
    passes(&with(App::Renews, "cache-redis").await);
}

#[tokio::test(start_paused = true)]
async fn a_value_of_start_up_never_gets_newer() {
    fails(&with(App::Frozen, "cache-expiration").await, "plus récente");
}

#[tokio::test(start_paused = true)]
async fn a_broken_probe_is_never_a_verdict() {
    let mut world = FakeWorld::lab02();
    world.probe_broken = true;
    for check in ALL.into_iter().chain(["sante-api", "metriques", "isolation", "persistance"]) {
        unsure(&judge("02", check, &world).await);
    }
}

#[tokio::test(start_paused = true)]
async fn origin_follows_the_relay_only() {
    let first = FakeWorld::lab02();
    let mut second = FakeWorld::lab02();
    second.shift = Some(100);
    second.relay = Some(super::super::world::RelaySeen { connections: 1, rows: 1, shifted: 1 });
    passes(&judge_on("02", "donnees-postgres", &first, Some(&second)).await);
    second.app = App::Reserialises;
    passes(&judge_on("02", "donnees-postgres", &first, Some(&second)).await);
    // A cache of its own, which emptying Redis does not empty: the application is made anew.
    second.app = App::InProcess;
    passes(&judge_on("02", "donnees-postgres", &first, Some(&second)).await);
    second.app = App::OwnClock;
    fails(&judge_on("02", "donnees-postgres", &first, Some(&second)).await, "horloge de l'API");
    second.app = App::Frozen;
    let frozen = judge_on("02", "donnees-postgres", &first, Some(&second)).await;
    assert!(!matches!(frozen, crate::event::Verdict::Pass { .. }));
    // A row without any date, and a local date: PostgreSQL did not give it.
    second.app = App::OwnClock;
    second.relay = Some(super::super::world::RelaySeen { connections: 1, rows: 1, shifted: 0 });
    fails(&judge_on("02", "donnees-postgres", &first, Some(&second)).await, "horloge de l'API");
    second.relay = None;
    unsure(&judge_on("02", "donnees-postgres", &first, Some(&second)).await);
    second.shift = None;
    unsure(&judge_on("02", "donnees-postgres", &first, Some(&second)).await);
    unsure(&judge("02", "donnees-postgres", &first).await);
}
