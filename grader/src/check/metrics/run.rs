//! The experiment `traffic`: metrics read, a random number of requests, metrics read again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::super::experiment::{Request, Traffic};
use super::super::kit::{self, When};
use super::super::world::{Vantage, World, wire};
use super::parse::{Page, parse};
use crate::error::Fault;

/// One reading of the metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// What was read.
    pub page: Page,
    /// Status code.
    pub status: u16,
    /// Instants.
    pub when: When,
}

/// What was sent to one path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    /// Requests certainly received.
    pub sure: u64,
    /// Requests that may have been received besides.
    pub maybe: u64,
    /// Answers that are not 2xx.
    pub bad: u64,
    /// Time that they took, all together, seen from the client.
    pub took: Duration,
}

/// One measure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measure {
    /// Before.
    pub before: Reading,
    /// Just after, nothing having been sent in between.
    pub idle: Reading,
    /// After the requests.
    pub after: Reading,
    /// What was sent, by path.
    pub sent: BTreeMap<String, Sent>,
    /// Runs of the service's health check that may have fallen between `before` and `after`.
    pub health_runs: u64,
    /// Many more requests, when a sum of durations did not move: a clock that tells milliseconds may see nothing in a
    /// few quick answers.
    pub long: Option<Long>,
}

/// What followed a measure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Long {
    /// After the requests.
    pub after: Reading,
    /// What was sent, by path.
    pub sent: BTreeMap<String, Sent>,
}

/// Requests to each path when a sum did not move.
const MANY: u32 = 60;

/// Whether a histogram or a summary has counted without its sum moving.
fn is_still(before: &Page, after: &Page) -> bool {
    let value = |page: &Page, name: &str, like: &super::parse::Sample| {
        page.of(name).find(|s| s.labels == like.labels).map_or(0.0, |s| s.value)
    };
    after.samples.iter().any(|sum| {
        let Some(stem) = sum.name.strip_suffix("_sum") else { return false };
        let count = format!("{stem}_count");
        value(after, &count, sum) > value(before, &count, sum)
            && (sum.value - value(before, &sum.name, sum)).abs() < 1e-9
    })
}

/// What the experiment saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Two measures, with other random numbers.
    pub measures: Vec<Measure>,
    /// Text of the service's health check, when it has one.
    pub health_test: Option<String>,
    /// French: why the metrics could not be read at all.
    pub trouble: Option<String>,
    /// Paths that do not answer: nothing is sent to them, nothing can be measured.
    pub silent: Vec<String>,
}

/// A path that has not answered one call in that time is silent, milliseconds.
const SILENCE_MS: u64 = 10_000;

struct Bench<'a> {
    world: &'a dyn World,
    traffic: &'a Traffic,
    ip: IpAddr,
    from: Vantage,
}

impl Bench<'_> {
    fn get(&self, path: &str) -> wire::Http {
        wire::Http::get(self.ip.to_string(), self.traffic.metrics.port, path)
    }

    async fn read(&self) -> Result<Result<Reading, String>, Fault> {
        let mut ask = self.get(&self.traffic.metrics.path);
        ask.max_body = 4 * 1024 * 1024;
        let (seen, when) = kit::http(self.world, &self.from, ask).await?;
        Ok(match seen {
            Ok(answer) if answer.status == 200 && answer.is_whole() => {
                Ok(Reading { page: parse(&answer.body), status: answer.status, when })
            }
            Ok(answer) if answer.status == 200 => Err("la page des métriques arrive coupée".to_owned()),
            Ok(answer) => Err(format!("GET {} : {}", self.traffic.metrics.path, answer.status)),
            Err(failure) => Err(super::tell::why(&failure)),
        })
    }

    async fn send(&self, path: &str, count: u32) -> Result<Sent, Fault> {
        let ask = wire::HttpMany {
            request: self.get(path),
            count,
            concurrency: 1,
            spacing_ms: 0,
            keep_bodies: false,
            keep_headers: vec![],
            timeout_ms: 20_000,
        };
        let (seen, _) = kit::http_many(self.world, &self.from, ask).await?;
        let seen = match seen {
            Ok(seen) => seen,
            Err(failure) => {
                return Err(kit::noise(format!(
                    "les appels de mesure n'ont pas pu partir : {}",
                    super::tell::why(&failure)
                )));
            }
        };
        if seen.not_begun > 0 {
            return Err(kit::noise("l'API est trop lente pour les appels de mesure"));
        }
        let good: u64 = seen.by_status.iter().filter(|(s, _)| (200..300).contains(*s)).map(|(_, n)| n).sum();
        Ok(Sent {
            sure: seen.sent,
            maybe: seen.maybe_sent,
            bad: seen.sent.saturating_sub(good),
            took: Duration::from_micros(seen.each.iter().map(|e| e.elapsed_us).sum()),
        })
    }

    async fn measure(&self, round: usize, service: &str) -> Result<Result<Measure, String>, Fault> {
        let began = tokio::time::Instant::now();
        let before = match self.read().await? {
            Ok(reading) => reading,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let idle = match self.read().await? {
            Ok(reading) => reading,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let mut sent = BTreeMap::new();
        let mut used = Vec::new();
        for path in &self.traffic.paths {
            let mut count =
                5 + u32::try_from(kit::draw(self.world, &format!("traffic-{round}-{path}")) % 9).unwrap_or(0);
            while used.contains(&count) {
                count = if count >= 13 { 5 } else { count + 1 };
            }
            used.push(count);
            sent.insert(path.clone(), self.send(path, count).await?);
        }
        let after = match self.read().await? {
            Ok(reading) => reading,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let lasted = began.elapsed();
        let runs = self.world.health_log(service).await?;
        let health_runs = may_have_run(&runs, lasted);
        let long = if is_still(&before.page, &after.page) { self.long().await? } else { None };
        Ok(Ok(Measure { before, idle, after, sent, health_runs, long }))
    }

    async fn long(&self) -> Result<Option<Long>, Fault> {
        let mut sent = BTreeMap::new();
        for path in &self.traffic.paths {
            sent.insert(path.clone(), self.send(path, MANY).await?);
        }
        Ok(self.read().await?.ok().map(|after| Long { after, sent }))
    }
}

/// How many runs of a health check can have fallen in a measure at most, from its last runs (the
/// engine keeps five of them).
fn may_have_run(runs: &[super::super::world::HealthRun], lasted: Duration) -> u64 {
    let span = i64::try_from(lasted.as_micros()).unwrap_or(i64::MAX);
    let newest = runs.iter().map(|r| r.ended_us).max().unwrap_or(0);
    let near = runs.iter().filter(|r| r.ended_us >= newest.saturating_sub(span)).count();
    if runs.is_empty() {
        return 0;
    }
    let kept = u64::try_from(near).unwrap_or(0);
    let first = runs.iter().map(|r| r.started_us).min().unwrap_or(newest);
    let gaps = i64::try_from(runs.len()).unwrap_or(1) - 1;
    if near < runs.len() || gaps == 0 {
        return kept + 2;
    }
    let gap = ((newest - first) / gaps).max(10_000);
    kept.max(u64::try_from(span / gap).unwrap_or(0)) + 2
}

/// Runs the experiment.
pub async fn run(world: &dyn World, traffic: &Traffic) -> Result<Run, Fault> {
    let Request { service, .. } = &traffic.metrics;
    let (_, ip) = kit::needed(world, service).await?;
    let bench = Bench { world, traffic, ip, from: kit::inside(service) };
    let health_test = world
        .declared()
        .services
        .get(service)
        .and_then(|s| s.healthcheck.as_ref())
        .map(|test| test.join(" "));
    let mut run = Run { health_test, ..Run::default() };
    for path in &traffic.paths {
        let mut ask = bench.get(path);
        ask.timeout_ms = SILENCE_MS;
        if kit::http(world, &bench.from, ask).await?.0.is_err() {
            run.silent.push(path.clone());
        }
    }
    if !run.silent.is_empty() {
        return Ok(run);
    }
    for round in 0..2 {
        match bench.measure(round, service).await? {
            Ok(measure) => run.measures.push(measure),
            Err(trouble) => run.trouble = Some(trouble),
        }
    }
    Ok(run)
}
