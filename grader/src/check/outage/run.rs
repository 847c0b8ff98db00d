//! The experiment: a service is frozen, a request is sent, its health check is watched.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::super::cache::access::Store;
use super::super::cache::{Call, call};
use super::super::experiment::{CacheExperiment, Outage, Request};
use super::super::kit::{self, When};
use super::super::world::{Health, HealthRun, State, World, wire};
use crate::error::Fault;
use crate::time::strain;

/// The control: the same request while all is well.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Control {
    /// The last control call.
    pub call: Call,
    /// True when it got a 2xx.
    pub works: bool,
    /// True when the answer came from the cache (asked for when the cache must be warm).
    pub warm: bool,
}

/// A request sent while the service was frozen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// What came back; without a status when nothing did.
    pub call: Call,
    /// True when the value was found in the store all the same (not a lie).
    pub stored: bool,
}

/// What the health check did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Health just before.
    pub before: Option<Health>,
    /// Runs that started after the freeze, oldest first.
    pub runs: Vec<HealthRun>,
    /// It turned unhealthy.
    pub unhealthy: bool,
    /// How long it was watched.
    pub watched: Duration,
    /// A run that succeeded while every process was suspended, the kernel still taking connections.
    pub open_port: Option<HealthRun>,
}

/// What the experiment saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// False when the service was not running: nothing else was done.
    pub was_running: bool,
    /// The control, when there is a request.
    pub control: Option<Control>,
    /// The requests sent meanwhile.
    pub asked: Vec<Asked>,
    /// The health check.
    pub health: Seen,
    /// Acknowledgement of the freeze, unix microseconds.
    pub frozen_us: i64,
    /// How long after the thaw the request worked again.
    pub recovered: Option<Duration>,
}

/// Longest time left to a request.
const CAP: Duration = Duration::from_secs(8);
/// Longest wait for the first run of a health check: on a busy machine the engine is slow to start one.
const FIRST_RUN_CAP: Duration = Duration::from_secs(25);
/// How long a test that is content with an open port has to show itself: such a test takes an instant.
const OPEN_PORT: Duration = Duration::from_secs(4);
/// Longest time that a failing health check is watched while it is not yet unhealthy.
const HEALTH_CAP: Duration = Duration::from_secs(40);
/// Shortest time left to a request once the service is ended: a client may take a moment to give up.
const ENDED: Duration = Duration::from_secs(3);
/// Requests sent at once: one lucky answer is no proof.
const REQUESTS: usize = 3;
/// Shortest time left to a request while the service is suspended: an answer is told apart from a
/// lie then; what only lies after a while does so once the service is ended.
const SUSPENDED: Duration = Duration::from_secs(1);
/// Longest wait for a service to be well again once what it needs is back.
const RECOVERY: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(200);

struct Bench<'a> {
    world: &'a dyn World,
    outage: &'a Outage,
    cache: Option<&'a CacheExperiment>,
    store: Option<Store>,
}

impl Bench<'_> {
    fn fields(&self) -> (&str, &str) {
        self.cache.map_or(("source", "data"), |c| (c.source_field.as_str(), c.value_field.as_str()))
    }

    async fn call(&self, request: &Request, ip: IpAddr) -> Result<Call, Fault> {
        call(self.world, request, ip, self.fields(), 5_000).await
    }

    async fn control(&self, request: &Request, ip: IpAddr) -> Result<Control, Fault> {
        let mut control = Control::default();
        let until = Instant::now() + Duration::from_secs(6);
        loop {
            control.call = self.call(request, ip).await?;
            control.works = control.call.status.is_some_and(|s| (200..300).contains(&s));
            control.warm = self.cache.is_some_and(|c| control.call.says(&c.cached));
            let enough = control.works && (control.warm || self.outage.cold_cache || self.cache.is_none());
            if enough || Instant::now() >= until {
                return Ok(control);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends requests, all at once, and leaves them `limit` to be answered: an application that
    /// serves one at a time answers the others late or not at all, which is no lie.
    async fn ask(&self, request: &Request, ip: IpAddr, limit: Duration) -> Result<Vec<Asked>, Fault> {
        if self.outage.cold_cache
            && let Some(store) = &self.store
        {
            store.flush(self.world).await?;
        }
        try_join_all((0..REQUESTS).map(|_| self.ask_once(request, ip, limit))).await
    }

    async fn ask_once(&self, request: &Request, ip: IpAddr, limit: Duration) -> Result<Asked, Fault> {
        let mut ask = wire::Http::get(ip.to_string(), request.port, &request.path);
        ask.timeout_ms = u64::try_from(limit.as_millis()).unwrap_or(1).max(300);
        let held = kit::hold_http(self.world, &kit::inside(&request.service), ask).await?;
        let when = When { start_us: held.started.boot_us, end_us: held.finished.boot_us };
        let call = match held.outcome {
            wire::HttpOutcome::Answered(answer) => super::super::cache::read(&answer, self.fields(), when),
            wire::HttpOutcome::Failed(failure) => {
                Call { trouble: Some(super::tell::why(&failure)), when, ..Call::default() }
            }
        };
        let stored = match (&self.store, &call.value) {
            (Some(store), Some(value)) if self.outage.cold_cache => {
                super::super::cache::is_stored(self.world, store, value).await?
            }
            _ => false,
        };
        Ok(Asked { call, stored })
    }

    /// A run of the health check that succeeds, begun after `stopped_us`; a test that asks the server waits.
    async fn content_with_a_port(&self, stopped_us: i64) -> Result<Option<HealthRun>, Fault> {
        kit::patiently(OPEN_PORT.mul_f64(strain()), Option::is_some, || async {
            let runs = self.world.health_log(&self.outage.service).await?;
            Ok(runs.into_iter().find(|run| run.started_us > stopped_us && run.exit_code == 0))
        })
        .await
    }

    /// Watches the health check until its verdict is known.
    async fn watch(&self, frozen_us: i64, before: Option<Health>) -> Result<Seen, Fault> {
        let began = Instant::now();
        let mut seen = Seen { before, ..Seen::default() };
        if before.is_none() || self.outage.unwatched {
            return Ok(seen);
        }
        loop {
            for run in self.world.health_log(&self.outage.service).await? {
                if run.started_us > frozen_us && !seen.runs.iter().any(|r| r.started_us == run.started_us) {
                    seen.runs.push(run);
                }
            }
            let now = self.world.instances(&self.outage.service).await?;
            seen.unhealthy = now.iter().any(|i| i.health == Some(Health::Unhealthy));
            seen.watched = began.elapsed();
            let lied = seen.runs.iter().any(|r| r.exit_code == 0);
            let failing = !seen.runs.is_empty() && !lied;
            let cap = if failing { HEALTH_CAP } else { FIRST_RUN_CAP };
            // A run under way at the freeze may be the one that made it unhealthy: one of ours must speak.
            if (seen.unhealthy && !seen.runs.is_empty()) || lied || seen.watched >= cap {
                return Ok(seen);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Starts a stopped service again once: an application that died because its stores came late is
/// not judged on that here.
pub async fn revive(world: &dyn World, service: &str) -> Result<(), Fault> {
    if kit::settled(world, service, Duration::from_secs(2)).await?.is_empty() {
        world.recreate(service).await?;
    }
    Ok(())
}

/// Whether the health check of a service names another one, itself or by a variable.
async fn asks_elsewhere(world: &dyn World, service: &str) -> Result<bool, Fault> {
    let declared = world.declared();
    let test =
        declared.services.get(service).and_then(|s| s.healthcheck.clone()).unwrap_or_default().join(" ");
    let mut said = vec![test.clone()];
    for instance in world.instances(service).await? {
        let cited = instance.env.into_iter().filter(|(name, _)| is_named(&test, name));
        said.extend(cited.map(|(_, value)| value));
    }
    let others = declared.services.keys().filter(|other| other.as_str() != service);
    Ok(others.into_iter().any(|other| said.iter().any(|text| is_named(text, other))))
}

/// Whether `name` stands in a text as a word of its own.
pub(super) fn is_named(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut found = text.match_indices(name);
    found.any(|(at, _)| !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

/// Without its loopback interface a container resolves no name, and a test that asks a neighbour fails for
/// that reason alone: the service is suspended once more, its interface left.
async fn ask_again(bench: &Bench<'_>, run: &mut Run) -> Result<(), Fault> {
    let (world, service) = (bench.world, &bench.outage.service);
    let health = || async { Ok(world.instances(service).await?.iter().find_map(|i| i.health)) };
    let healthy = |seen: &Option<Health>| *seen == Some(Health::Healthy);
    if !healthy(&kit::patiently(RECOVERY, healthy, health).await?) {
        return Ok(());
    }
    let at = world.suspend(service).await?;
    let seen = bench.watch(at, Some(Health::Healthy)).await;
    world.thaw(service).await?;
    let seen = seen?;
    if seen.runs.iter().any(|run| run.exit_code == 0) {
        run.frozen_us = at;
        run.health = seen;
    }
    Ok(())
}

/// Runs the experiment.
pub async fn run(world: &dyn World, outage: &Outage, cache: Option<&CacheExperiment>) -> Result<Run, Fault> {
    let service = &outage.service;
    let mut run = Run::default();
    if kit::settled(world, service, Duration::from_secs(3)).await?.is_empty() {
        return Ok(run);
    }
    run.was_running = true;
    let store = match cache {
        Some(c) if outage.cold_cache && c.store != *service && outage.request.is_some() => {
            Some(Store::open(world, &c.store, c.store_port).await?)
        }
        _ => None,
    };
    let bench = Bench { world, outage, cache, store };
    let mut target = None;
    if let Some(request) = &outage.request {
        revive(world, &request.service).await?;
        let (_, ip) = kit::needed(world, &request.service).await?;
        run.control = Some(bench.control(request, ip).await?);
        target = Some((request, ip));
    }
    // Beside others, what it needs may have been broken just before.
    let wait = if outage.together { RECOVERY } else { Duration::from_secs(10) };
    let before = kit::patiently(
        wait,
        |h: &Option<Health>| match h {
            Some(Health::Starting) => false,
            Some(Health::Unhealthy) => !outage.together,
            Some(Health::Healthy) | None => true,
        },
        || async {
            let found = world.instances(service).await?;
            Ok(found.iter().find(|i| i.state == State::Running).and_then(|i| i.health))
        },
    )
    .await?;
    run.frozen_us = world.freeze(service).await?;
    let limit = run.control.as_ref().map_or(CAP, |c| {
        let latency = Duration::from_micros(c.call.when.end_us.saturating_sub(c.call.when.start_us));
        (latency * 20).clamp(SUSPENDED, CAP)
    });
    let asking = async {
        match target {
            Some((request, ip)) if run.control.as_ref().is_some_and(|c| c.works) => {
                bench.ask(request, ip, limit).await
            }
            _ => Ok(vec![]),
        }
    };
    let (asked, health) = tokio::join!(asking, bench.watch(run.frozen_us, before));
    let mut asked = asked;
    if let (Ok(first), Some((request, ip))) = (&mut asked, target)
        && run.control.as_ref().is_some_and(|c| c.works)
    {
        // Suspended, a store lets the application wait; ended, it makes it fail. Both must be honest.
        world.stop(service).await?;
        first.extend(bench.ask(request, ip, limit.max(ENDED)).await?);
        world.start(service).await?;
    } else {
        // Whatever happened, the service is given back.
        world.thaw(service).await?;
    }
    run.asked = asked?;
    run.health = health?;
    if outage.queried && run.health.unhealthy && run.health.runs.iter().all(|r| r.exit_code != 0) {
        let stopped = world.suspend(service).await;
        let seen = match stopped {
            Ok(at) => bench.content_with_a_port(at).await,
            Err(fault) => Err(fault),
        };
        world.thaw(service).await?;
        run.health.open_port = seen?;
    }
    if outage.together && run.health.unhealthy && asks_elsewhere(world, service).await? {
        ask_again(&bench, &mut run).await?;
    }
    if let Some((request, ip)) = target {
        let began = Instant::now();
        let back = kit::patiently(
            Duration::from_secs(6),
            |c: &Call| c.status.is_some_and(|s| s < 500),
            || bench.call(request, ip),
        )
        .await?;
        run.recovered = back.status.filter(|s| *s < 500).map(|_| began.elapsed());
    }
    Ok(run)
}
