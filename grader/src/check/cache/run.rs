//! The experiment itself: what is done and what is seen, nothing judged.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::super::experiment::{CacheExperiment, Request};
use super::super::kit::{self, When};
use super::super::world::{Vantage, World, wire};
use super::access::{Store, cmd, int};
use super::scan::{Entry, holder, scan};
use super::value::Tampered;
use crate::error::Fault;
use crate::time::{Judgement, Seen, Window};

/// One GET.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Status code, when one came back.
    pub status: Option<u16>,
    /// The source field.
    pub source: Option<String>,
    /// The value field.
    pub value: Option<Value>,
    /// French: why there is no answer, or no usable one.
    pub trouble: Option<String>,
    /// The beginning of the body.
    pub body: String,
    /// Instants of the exchange.
    pub when: When,
}

impl Call {
    /// True for a 2xx answer with this source.
    pub fn says(&self, source: &str) -> bool {
        self.status.is_some_and(|s| (200..300).contains(&s)) && self.source.as_deref() == Some(source)
    }
}

/// The renewal test: what reads do to the life of the key.
#[derive(Clone, Debug, PartialEq)]
pub struct Renewal {
    /// The read: the first that did not come from the cache, otherwise the last.
    pub call: Call,
    /// How many there were.
    pub reads: usize,
    /// The longest life seen just after them; -1 without expiry, -2 when the key is gone.
    pub pttl_ms: i64,
    /// The most that it may be.
    pub most_ms: i64,
    /// False when the reads of the rounds before were enough to tell: the life was not shortened.
    pub shortened: bool,
}

/// What was seen once the key was gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Expiry {
    /// The value before.
    pub before: Value,
    /// The calls, the last one being the best.
    pub calls: Vec<Call>,
    /// False when the key would not go away.
    pub gone: bool,
}

/// What the experiment saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Every call of the switching rounds, in order.
    pub calls: Vec<Call>,
    /// True when a round went as it must.
    pub switched: bool,
    /// The round's first and last calls.
    pub round: Option<(Call, Call)>,
    /// Names of the keys found at the end of the last round.
    pub keys: Vec<String>,
    /// Connections from the API to the store, when the store lists them.
    pub clients: Option<usize>,
    /// The key that holds the value.
    pub stored: Option<Entry>,
    /// Life at writing, each time it was measured: between `after` and `until`.
    pub lives: Vec<Seen>,
    /// -1 was read twice.
    pub eternal: bool,
    /// The changed value, and the answer that followed.
    pub tampered: Option<(Tampered, Call)>,
    /// The renewal test.
    pub renewal: Option<Renewal>,
    /// The expiry test.
    pub expiry: Option<Expiry>,
    /// An environment variable of the API that sends it to its own container for the store.
    pub own_host: Option<(String, String)>,
    /// Time spent.
    pub elapsed: Duration,
}

/// The life given to the key before the reads that must not renew it.
pub const SHORT_MS: i64 = 30_000;
/// What is then left of it: its last seconds.
const LAST_MS: i64 = 5_000;
/// The fewest reads: a program may touch the key now and then only.
const READS: u64 = 16;
/// After that time the reads that were made are enough: the API is slow.
const READING: Duration = Duration::from_secs(3);
/// Human beings give whole seconds: half a second of doubt never changes a judgement.
pub const GRAIN: Duration = Duration::from_millis(500);
const ROUNDS: usize = 5;

/// The window of the lab, widened by the grain.
pub fn window(experiment: &CacheExperiment) -> Window {
    Window { not_before: experiment.not_before.0.saturating_sub(GRAIN), by: experiment.by.0 + GRAIN }
}

/// One GET on the service's own address, read through the fields of the experiment.
pub async fn call(
    world: &dyn World,
    request: &Request,
    ip: IpAddr,
    fields: (&str, &str),
    timeout_ms: u64,
) -> Result<Call, Fault> {
    let mut ask = wire::Http::get(ip.to_string(), request.port, &request.path);
    ask.timeout_ms = timeout_ms;
    let from = Vantage::Service(request.service.clone());
    let (seen, when) = kit::http(world, &from, ask).await?;
    Ok(match seen {
        Ok(answer) => read(&answer, fields, when),
        Err(failure) => Call { trouble: Some(super::tell::why(&failure)), when, ..Call::default() },
    })
}

/// Reads an answer through the fields of the experiment.
pub fn read(answer: &wire::HttpAnswer, (source, value): (&str, &str), when: When) -> Call {
    let json: Option<Value> = serde_json::from_str(&answer.body).ok();
    let field = |name: &str| json.as_ref().and_then(|j| j.get(name)).filter(|v| !v.is_null()).cloned();
    Call {
        status: Some(answer.status),
        source: field(source).and_then(|v| v.as_str().map(str::to_owned)),
        value: field(value),
        trouble: json.is_none().then(|| "le corps n'est pas du JSON".to_owned()),
        body: super::tell::cut(&answer.body, 160),
        when,
    }
}

struct Bench<'a> {
    world: &'a dyn World,
    experiment: &'a CacheExperiment,
    store: Store,
    ip: IpAddr,
}

impl Bench<'_> {
    async fn call(&self) -> Result<Call, Fault> {
        let e = self.experiment;
        call(self.world, &e.request, self.ip, (&e.source_field, &e.value_field), 5_000).await
    }

    /// Empties the store, calls, and looks at once for the key that holds the answer.
    async fn fresh(&self) -> Result<(Call, Vec<Entry>), Fault> {
        self.store.flush(self.world).await?;
        let call = self.call().await?;
        let mut entries = scan(self.world, &self.store).await?;
        if call.says(&self.experiment.fresh) {
            // An application may answer first and write a moment later.
            for _ in 0..4 {
                let found = call.value.as_ref().is_some_and(|v| holder(&entries, v).is_some());
                if found {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(150)).await;
                entries = scan(self.world, &self.store).await?;
            }
        }
        Ok((call, entries))
    }

    /// A round: empty, fresh, cached, cached.
    async fn round(&self, run: &mut Run) -> Result<(), Fault> {
        let (first, entries) = self.fresh().await?;
        let second = self.call().await?;
        let third = self.call().await?;
        let e = self.experiment;
        run.switched = first.says(&e.fresh) && second.says(&e.cached) && third.says(&e.cached);
        run.keys = entries.iter().map(|entry| entry.key.clone()).collect();
        run.stored = first.value.as_ref().and_then(|v| holder(&entries, v)).cloned();
        run.calls.extend([first.clone(), second, third.clone()]);
        if run.switched {
            Self::life(&first, run);
            run.round = Some((first, third));
        }
        Ok(())
    }

    /// The life of the key at writing, from what was left when it was read.
    fn life(first: &Call, run: &mut Run) {
        let Some(entry) = &run.stored else { return };
        let Ok(left) = u64::try_from(entry.pttl_ms) else { return };
        let spread = entry.when.end_us.saturating_sub(first.when.start_us);
        let after = Duration::from_millis(left);
        run.lives.push(Seen { after, until: Some(after + Duration::from_micros(spread)) });
    }

    async fn tamper(&self, run: &mut Run) -> Result<(), Fault> {
        for attempt in 0..2_u64 {
            let (Some(entry), Some((first, _))) = (run.stored.clone(), run.round.clone()) else {
                return Ok(());
            };
            let seen = first.value.unwrap_or_default();
            let draw = kit::draw(self.world, &format!("cache-year-{attempt}"));
            let year = 2031 + i32::try_from(draw % 59).unwrap_or(0);
            let Some(tampered) = entry.tamper(self.world, &self.store, &seen, year).await? else {
                return Ok(());
            };
            let call = self.call().await?;
            let shown = call.value.as_ref().is_some_and(|v| tampered.shows_in(v));
            let done = call.says(&self.experiment.cached);
            run.tampered = Some((tampered, call));
            if shown || done {
                return Ok(());
            }
            // A fresh answer: the key may just have gone away under us. Once more, from the start.
            self.round(run).await?;
            if !run.switched {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn renewal(&self, run: &mut Run) -> Result<(), Fault> {
        let Some(entry) = &run.stored else { return Ok(()) };
        // The rounds have read it already.
        let now = entry.pttl(self.world, &self.store).await?;
        let grain = i64::try_from(GRAIN.as_millis()).unwrap_or_default();
        if entry.pttl_ms > 0 && (now == -1 || now > entry.pttl_ms + grain) {
            let call = run.round.as_ref().map(|(_, last)| last.clone()).unwrap_or_default();
            let reads = run.calls.iter().filter(|call| call.says(&self.experiment.cached)).count();
            run.renewal =
                Some(Renewal { call, reads, pttl_ms: now, most_ms: entry.pttl_ms, shortened: false });
            return Ok(());
        }
        entry.shorten(self.world, &self.store, SHORT_MS).await?;
        let (began, wanted) = (Instant::now(), READS + kit::draw(self.world, "cache-reads") % 10);
        let mut call = self.call().await?;
        let mut reads = 1;
        while call.says(&self.experiment.cached) && reads < wanted && began.elapsed() < READING {
            call = self.call().await?;
            reads += 1;
        }
        let at_once = entry.pttl(self.world, &self.store).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let later = entry.pttl(self.world, &self.store).await?;
        let pttl_ms = if at_once == -1 || later == -1 { -1 } else { at_once.max(later) };
        let reads = usize::try_from(reads).unwrap_or_default();
        let prolonged = pttl_ms == -1 || pttl_ms > SHORT_MS;
        let read = call.says(&self.experiment.cached);
        run.renewal = Some(Renewal { call, reads, pttl_ms, most_ms: SHORT_MS, shortened: true });
        if prolonged || !read {
            return Ok(());
        }
        // Some only prolong what is about to end.
        entry.shorten(self.world, &self.store, LAST_MS).await?;
        let call = self.call().await?;
        let pttl_ms = entry.pttl(self.world, &self.store).await?;
        if call.says(&self.experiment.cached) && (pttl_ms == -1 || pttl_ms > LAST_MS) {
            run.renewal = Some(Renewal { call, reads: 1, pttl_ms, most_ms: LAST_MS, shortened: true });
        }
        Ok(())
    }

    async fn expiry(&self, run: &mut Run) -> Result<(), Fault> {
        let (Some(entry), Some((first, _))) = (&run.stored, &run.round) else { return Ok(()) };
        let Some(before) = first.value.clone() else { return Ok(()) };
        entry.shorten(self.world, &self.store, 1).await?;
        let mut gone = false;
        for _ in 0..20 {
            let ask = vec![cmd(&["SELECT", &entry.db.to_string()]), cmd(&["EXISTS", &entry.key])];
            let (replies, _) = self.store.run(self.world, ask).await?;
            gone = replies.get(1).and_then(int) == Some(0);
            if gone {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let mut calls = vec![self.call().await?];
        // A date may have a resolution of one second, and a health check may fill the cache first.
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            let last = calls.last().cloned().unwrap_or_default();
            if last.says(&self.experiment.fresh) && last.value.as_ref() != Some(&before) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            self.store.flush(self.world).await?;
            calls.push(self.call().await?);
        }
        run.expiry = Some(Expiry { before, calls, gone });
        Ok(())
    }
}

/// Runs the experiment.
pub async fn run(world: &dyn World, experiment: &CacheExperiment) -> Result<Run, Fault> {
    let began = Instant::now();
    let (instance, ip) = kit::needed(world, &experiment.request.service).await?;
    let store = Store::open(world, &experiment.store, experiment.store_port).await?;
    let bench = Bench { world, experiment, store, ip };
    let mut run = Run { own_host: own_host(&instance.env), ..Run::default() };
    for _ in 0..ROUNDS {
        bench.round(&mut run).await?;
        if run.switched {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ips: Vec<IpAddr> = instance.attachments.iter().filter_map(|a| a.ip).collect();
    run.clients = bench.store.clients_from(world, &ips).await?;
    if run.switched && run.stored.is_some() {
        let judged = |run: &Run| run.lives.last().map(|seen| window(experiment).judge(*seen));
        for _ in 0..ROUNDS {
            if judged(&run) != Some(Judgement::Straddles) || !run.switched {
                break;
            }
            bench.round(&mut run).await?;
        }
        if let Some(entry) = run.stored.as_ref().filter(|e| e.pttl_ms == -1) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let later = entry.pttl(world, &bench.store).await?;
            run.eternal = later == -1;
            if let Ok(left) = u64::try_from(later) {
                // SET then EXPIRE: the life was given a moment after the value.
                let after = Duration::from_millis(left);
                run.lives.push(Seen { after, until: Some(after + Duration::from_millis(450)) });
            }
        }
        bench.tamper(&mut run).await?;
        bench.renewal(&mut run).await?;
        bench.expiry(&mut run).await?;
    }
    run.elapsed = began.elapsed();
    Ok(run)
}

/// A variable that names the store's host and points to the container itself.
fn own_host(env: &std::collections::BTreeMap<String, String>) -> Option<(String, String)> {
    env.iter()
        .find(|(name, value)| {
            name.to_uppercase().contains("REDIS")
                && (value.contains("localhost") || value.contains("127.0.0.1"))
        })
        .map(|(name, value)| (name.clone(), value.clone()))
}
