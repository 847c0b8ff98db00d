//! The experiment of [`super::Survives`]: write, remove, make anew, read again.

use std::time::Duration;

use super::super::cache::access::Store;
use super::super::experiment::{Request, Survival, Written};
use super::super::world::{World, wire};
use super::super::{kit, tell};
use crate::error::Fault;

/// To write, and to read what was just written.
const PATIENCE: Duration = Duration::from_secs(30);
/// To read it again once the service is ready anew.
const BACK: Duration = Duration::from_secs(45);
/// To read it once more when a cache was emptied: nothing has to start.
const AT_HAND: Duration = Duration::from_secs(8);
/// Where Redis listens.
const REDIS: u16 = 6379;
/// Between two looks at who depends on the service.
const POLL: Duration = Duration::from_millis(300);
/// Longest wait for one look.
const LOOK_MS: u64 = 10_000;

/// An answer as it is judged: status and body, or why there is none.
pub(super) type Seen = Result<(u16, String), String>;

/// What was seen of the service and of who depends on it, at one moment of its absence.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// The service answered neither before nor after.
    pub away: bool,
    pub health: Seen,
}

/// What the experiment saw.
#[derive(Default)]
pub(super) struct Run {
    pub token: String,
    /// Why it stopped before anything was removed.
    pub running: bool,
    pub written: Option<Seen>,
    pub control: Option<Seen>,
    pub renewed: bool,
    pub ready: bool,
    pub looks: Vec<Look>,
    pub after: Option<Seen>,
    /// The same, once the cache was emptied.
    pub emptied: Option<Seen>,
}

pub(super) fn is_good(seen: &Seen) -> bool {
    matches!(seen, Ok((200..=299, _)))
}

pub(super) fn told(seen: &Seen) -> String {
    match seen {
        Ok((status, body)) => format!("{status} {}", tell::cut(body, 100)),
        Err(why) => why.clone(),
    }
}

fn filled(text: &str, token: &str) -> String {
    text.replace("{token}", token)
}

async fn ask(world: &dyn World, what: &Written, token: &str) -> Result<Seen, Fault> {
    let (_, ip) = match kit::settled(world, &what.service, Duration::from_secs(2)).await? {
        found if found.is_empty() => return Ok(Err(format!("« {} » n'est pas en marche", what.service))),
        _ => kit::needed(world, &what.service).await?,
    };
    let mut ask = wire::Http::get(ip.to_string(), what.port, filled(&what.path, token));
    ask.method.clone_from(&what.method);
    ask.timeout_ms = LOOK_MS;
    if let Some(body) = &what.body {
        ask.body = Some(filled(body, token));
        ask.headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    }
    let (seen, _) = kit::http(world, &kit::inside(&what.service), ask).await?;
    Ok(seen.map(|a| (a.status, a.body)).map_err(|failure| tell::why(&failure)))
}

/// Whether the service cannot even be reached, asked by its name from within who depends on it. One that is
/// slow to answer is not away.
async fn is_away(world: &dyn World, from: &str, alive: &Request) -> Result<bool, Fault> {
    let ask = wire::Http::get(alive.service.as_str(), alive.port, &alive.path);
    let (seen, _) = kit::http(world, &kit::inside(from), ask).await?;
    Ok(seen.is_err_and(|failure| matches!(failure.stage, wire::Stage::Resolve | wire::Stage::Connect)))
}

async fn health_of(world: &dyn World, health: &Request, ip: &str) -> Result<Seen, Fault> {
    let mut ask = wire::Http::get(ip, health.port, &health.path);
    ask.timeout_ms = LOOK_MS;
    let (seen, _) = kit::http(world, &kit::inside(&health.service), ask).await?;
    Ok(seen.map(|a| (a.status, a.body)).map_err(|failure| tell::why(&failure)))
}

/// Looks until `done`.
async fn watch(
    world: &dyn World,
    alive: &Request,
    health: &Request,
    done: &tokio::sync::Notify,
) -> Result<Vec<Look>, Fault> {
    let mut looks = Vec::new();
    let (_, ip) = kit::needed(world, &health.service).await?;
    let end = done.notified();
    tokio::pin!(end);
    loop {
        let from = &health.service;
        let before = is_away(world, from, alive).await?;
        let said = health_of(world, health, &ip.to_string()).await?;
        let away = before && is_away(world, from, alive).await?;
        looks.push(Look { away, health: said });
        tokio::select! {
            () = &mut end => return Ok(looks),
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

pub(super) async fn run(world: &dyn World, survival: &Survival) -> Result<Run, Fault> {
    let service = &survival.service;
    let mut run = Run {
        token: format!("tp{:012x}", kit::draw(world, &format!("survives-{service}")) & 0xffff_ffff_ffff),
        ..Run::default()
    };
    if kit::settled(world, service, Duration::from_secs(5)).await?.is_empty() {
        return Ok(run);
    }
    run.running = true;
    let token = run.token.clone();
    let holds = |seen: &Seen| matches!(seen, Ok((200..=299, body)) if body.contains(&token));
    let written = kit::patiently(PATIENCE, is_good, || ask(world, &survival.write, &token)).await?;
    let ok = is_good(&written);
    run.written = Some(written);
    if !ok {
        return Ok(run);
    }
    let control = kit::patiently(PATIENCE, holds, || ask(world, &survival.read, &token)).await?;
    let ok = holds(&control);
    run.control = Some(control);
    if !ok {
        return Ok(run);
    }
    let ids = || async {
        Ok::<_, Fault>(world.instances(service).await?.into_iter().map(|i| i.id).collect::<Vec<_>>())
    };
    let before = ids().await?;
    let done = tokio::sync::Notify::new();
    let renewing = async {
        let ready = world.recreate(service).await;
        done.notify_one();
        ready
    };
    match (&survival.alive, &survival.health) {
        (Some(alive), Some(health)) => {
            let (ready, looks) = tokio::join!(renewing, watch(world, alive, health, &done));
            (run.ready, run.looks) = (ready?, looks?);
        }
        _ => run.ready = renewing.await?,
    }
    run.renewed = !ids().await?.iter().any(|id| before.contains(id));
    // A memory is no storage: those that could remember it are made anew too.
    for other in &survival.also {
        run.ready &= world.recreate(other).await?;
    }
    if run.renewed && run.ready {
        let after = kit::patiently(BACK, holds, || ask(world, &survival.read, &token)).await?;
        if let Some(cache) = survival.emptied.as_ref().filter(|_| holds(&after)) {
            Store::open(world, cache, REDIS).await?.flush(world).await?;
            let left = kit::patiently(AT_HAND, holds, || ask(world, &survival.read, &token)).await?;
            run.emptied = Some(left);
        }
        run.after = Some(after);
    }
    Ok(run)
}
