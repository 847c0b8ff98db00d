//! The experiment: stop a service, watch Prometheus every tenth of a second, start it again.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::super::prom::{self, AlertState, Health, Prom, Rule, Rules, Target, Targets, span};
use super::super::rules::expr;
use super::super::scenario::{RuleScenario, expression_delay};
use super::super::world::wire;
use super::super::{Cx, kit, tell};
use super::look::{Look, unix_us};
use super::window::{self, Pace};
use super::zero::{Mark, Zero, micros};
use super::{Alert, twin};
use crate::error::Fault;
use crate::time::{Judgement, Window};

/// Between two looks.
const POLL: Duration = Duration::from_millis(100);
/// Longest wait for all to be well before the experiment, besides two rounds.
const CALM: Duration = Duration::from_secs(12);
/// Longest wait for the service to be scraped well again, besides one round.
const RECOVERY: Duration = Duration::from_secs(30);

/// What the experiment saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Durations were divided by this.
    pub factor: u32,
    /// French: why they were not, although nobody asked for it.
    pub why_real: Option<String>,
    /// The student's own durations, of the rule that decides when the alert fires.
    pub pace: Pace,
    /// That rule, as the student's Prometheus tells it.
    pub rule: Rule,
    /// Durations of every rule of that name that saw the service stop.
    pub paces: Vec<Pace>,
    /// The target that is stopped: its labels.
    pub labels: prom::Labels,
    /// First scrape that failed.
    pub failed: Mark,
    /// What that scrape said (English, cut).
    pub error: String,
    /// How long it lasted, in the time of the measure.
    pub took: Duration,
    /// First seen pending (or firing).
    pub pending: Mark,
    /// First seen firing.
    pub firing: Mark,
    /// The service was started again, from time zero.
    pub started: Duration,
    /// First seen inactive again.
    pub resolved: Mark,
    /// The machine was too slow for Prometheus's own rhythm.
    pub strained: bool,
    /// Another target fell meanwhile, and the alert does not tell which one it is about.
    pub shaken: bool,
}

impl Run {
    /// Where the measured firing lies in what the configuration promises.
    pub fn judged(&self) -> Judgement {
        let seen = window::scaled(self.firing.seen(), self.factor);
        let took = (self.took * self.factor).min(self.pace.timeout);
        window::measured(self.promise(), seen, took, self.factor)
    }

    /// What the configuration promises: the alert fires with the first of its rules.
    pub fn promise(&self) -> Window {
        let promises = self.paces.iter().map(|pace| pace.promise(false));
        let first =
            |a: Window, b: Window| Window { not_before: a.not_before.min(b.not_before), by: a.by.min(b.by) };
        promises.reduce(first).unwrap_or_else(|| self.pace.promise(false))
    }

    /// Keeps the rules that saw the service stop, and of them the one that decides.
    fn decided(&mut self, facts: &Facts, awake: &BTreeSet<usize>, asked: Window) {
        let seen: Vec<&(Pace, Rule)> = awake.iter().filter_map(|index| facts.rules.get(*index)).collect();
        self.paces = seen.iter().map(|(pace, _)| *pace).collect();
        if let Some((pace, rule)) = lead(&self.paces, asked).and_then(|at| seen.get(at)) {
            (self.pace, self.rule) = (*pace, rule.clone());
        }
    }

    /// Whether it is worth a second measure: the configuration promises what is asked, and the first
    /// measure does not say the same; or nothing was seen on a machine that does not follow.
    pub fn leaves_a_doubt(&self, alert: &Alert) -> bool {
        if self.pending.until.is_none() {
            return self.strained;
        }
        let kept = window::keeps(self.promise(), alert.asked()).is_ok();
        kept && (self.shaken || self.judged() != Judgement::Inside)
    }
}

/// Why there was no experiment.
#[derive(Clone, Debug, PartialEq)]
pub enum Hurdle {
    /// Prometheus does not answer (French).
    Silent(String),
    /// It has no alert of that name; those that it has.
    NoAlert(Vec<String>),
    /// It scrapes nothing of the service; what it scrapes.
    NoTarget(Vec<String>),
    /// The target is down before anything is stopped (English, cut).
    Down(String),
    /// The alert is active before anything is stopped.
    Active(AlertState),
    /// The rule is not evaluated well (English, cut).
    Sick(String),
}

/// How it went.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was made.
    Ran(Box<Run>),
    /// It could not be.
    Stopped(Hurdle),
}

/// Whether a target is the service: by its name or one of its addresses.
pub fn concerns(target: &Target, service: &str, addresses: &[IpAddr]) -> bool {
    let rest = target.scrape_url.split_once("://").map_or(target.scrape_url.as_str(), |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    host == service
        || host.split('.').next() == Some(service)
        || host.parse::<IpAddr>().is_ok_and(|ip| addresses.contains(&ip))
}

struct Bench<'a> {
    cx: &'a Cx<'a>,
    alert: &'a Alert,
    prom: Prom<'a>,
    addresses: Vec<IpAddr>,
}

impl Bench<'_> {
    /// One request, with the probe's own clock.
    async fn get<T: serde::de::DeserializeOwned + Default>(&self, path: &str) -> Result<(T, i64), Fault> {
        let mut ask = wire::Http::get(self.prom.host(), self.alert.port, path);
        ask.max_body = 4 * 1024 * 1024;
        let answer = self.cx.world.ask(self.prom.vantage(), wire::Ask::Http(ask)).await?;
        let at = i64::try_from(answer.at_us).unwrap_or(i64::MAX);
        match answer.outcome {
            wire::Outcome::Http(seen) => Ok((prom::read(&seen).unwrap_or_default(), at)),
            _ => Err(kit::noise("Prometheus a cessé de répondre pendant la mesure")),
        }
    }

    async fn look(&self) -> Result<Look, Fault> {
        let sent = Instant::now();
        let (rules, targets) = tokio::try_join!(
            self.get::<Rules>("/api/v1/rules?type=alert"),
            self.get::<Targets>("/api/v1/targets?state=active")
        )?;
        let unix_us = rules.1.min(targets.1);
        let rules = rules.0.groups.into_iter().flat_map(|g| g.rules);
        let concerned = |t: &Target| concerns(t, &self.alert.after.stop, &self.addresses);
        let (targets, rest) = targets.0.active_targets.into_iter().partition(concerned);
        Ok(Look {
            sent,
            got: Instant::now(),
            unix_us,
            rules: rules.into_iter().filter(|r| r.name == self.alert.name).collect(),
            targets,
            rest,
        })
    }

    /// Waits (bounded) for all to be well: targets up, alert inactive, rule evaluated.
    async fn settle(&self, patience: Duration) -> Result<Look, Fault> {
        kit::patiently(patience, Look::is_calm, || self.look()).await
    }
}

/// What the student's own Prometheus says of its rhythm.
struct Facts {
    /// The rules of that name, in its order.
    rules: Vec<(Pace, Rule)>,
    labels: prom::Labels,
}

/// Of several rules of one name, the one that decides when the alert fires: one that may be too early, else the
/// one that is the first to be certain.
fn lead(paces: &[Pace], asked: Window) -> Option<usize> {
    let promised = || paces.iter().map(|pace| pace.promise(false)).enumerate();
    let early = promised().filter(|(_, p)| p.not_before < asked.not_before).min_by_key(|(_, p)| p.not_before);
    early.or_else(|| promised().min_by_key(|(_, p)| p.by)).map(|(index, _)| index)
}

/// What the expression itself adds, seen in virtual time.
pub async fn delay(cx: &Cx<'_>, alert: &Alert) -> Option<Duration> {
    let down = RuleScenario::down(&alert.service, alert.port, &alert.name, &alert.after.stop);
    expression_delay(cx, &down).await
}

/// Reads the durations in force, undivided.
async fn facts(cx: &Cx<'_>, alert: &Alert, addresses: &[IpAddr]) -> Result<Result<Facts, Hurdle>, Fault> {
    let silent = |why: String| Ok(Err(Hurdle::Silent(why)));
    let Some(prom) = Prom::of(cx.world, &alert.service, alert.port, Duration::from_secs(3)).await? else {
        return silent(format!("« {} » n'est pas en marche", alert.service));
    };
    let groups = match prom.rules().await? {
        Ok(groups) => groups,
        Err(trouble) => return silent(trouble.told()),
    };
    let names = groups.iter().flat_map(|g| &g.rules).filter(|r| r.kind == prom::RuleKind::Alerting);
    let names: Vec<String> = names.map(|r| tell::cut(&r.name, 60)).collect();
    let all = groups.iter().flat_map(|g| g.rules.iter().map(move |r| (g.interval, r)));
    let found: Vec<(f64, &prom::Rule)> =
        all.filter(|(_, r)| r.kind == prom::RuleKind::Alerting && r.name == alert.name).collect();
    if found.is_empty() {
        return Ok(Err(Hurdle::NoAlert(names)));
    }
    let targets = match twin::listed(&prom, &alert.after.stop, addresses).await? {
        Ok(targets) => targets,
        Err(trouble) => return silent(trouble.told()),
    };
    let Some(target) = targets.iter().find(|t| concerns(t, &alert.after.stop, addresses)) else {
        return Ok(Err(Hurdle::NoTarget(targets.iter().map(|t| tell::cut(&t.scrape_url, 80)).collect())));
    };
    let config = prom.config().await?.unwrap_or_default();
    let length = |own: &str, global: &str, default: u64| {
        span::parse(own).or_else(|| span::parse(global)).unwrap_or(Duration::from_secs(default))
    };
    let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
    let expression = delay(cx, alert).await.unwrap_or_default();
    let pace = |interval: f64, rule: &Rule| Pace {
        scrape: length(&target.scrape_interval, &config.global.scrape_interval, 60),
        timeout: length(&target.scrape_timeout, &config.global.scrape_timeout, 10),
        evaluation: seconds(interval),
        hold: seconds(rule.duration),
        expression,
    };
    Ok(Ok(Facts {
        rules: found.into_iter().map(|(interval, rule)| (pace(interval, rule), rule.clone())).collect(),
        labels: target.labels.clone(),
    }))
}

/// Runs the experiment.
pub async fn run(cx: &Cx<'_>, alert: &Alert) -> Result<Outcome, Fault> {
    let service = &alert.after.stop;
    let twin = twin::shared(cx, &alert.service, alert.port).await?;
    if let Some(trouble) = &twin.trouble {
        return Ok(Outcome::Stopped(Hurdle::Silent(trouble.clone())));
    }
    let _alone = cx.memo.alone().await;
    let addresses = kit::addresses(&kit::settled(cx.world, service, Duration::from_secs(5)).await?);
    let facts = match facts(cx, alert, &addresses).await? {
        Ok(facts) => facts,
        Err(hurdle) => return Ok(Outcome::Stopped(hurdle)),
    };
    let absolute = expr::unfaithful(&twin.files, &alert.name);
    let (factor, why_real) = match (&absolute, twin.factor) {
        (Some(what), 2..) => {
            (1, Some(format!("l'expression emploie {}, qui ne se divise pas", tell::cut(what, 40))))
        }
        (_, factor) => (factor.max(1), twin.why_real.clone()),
    };
    let prom = if factor > 1 {
        twin::client(cx, &alert.service, alert.port)
    } else {
        let own = Prom::of(cx.world, &alert.service, alert.port, Duration::from_secs(3)).await?;
        own.ok_or_else(|| kit::noise(format!("« {} » s'est arrêté pendant la mesure", alert.service)))?
    };
    let bench = Bench { cx, alert, prom, addresses };
    let mut run = Run { factor, why_real, labels: facts.labels.clone(), ..Run::default() };
    run.decided(&facts, &(0..facts.rules.len()).collect(), alert.asked());
    let round = (run.pace.scrape + run.pace.evaluation + run.pace.timeout) / factor;
    let before = bench.settle(CALM + round * 2).await?;
    if let Some(hurdle) = hurdle(&before) {
        return Ok(Outcome::Stopped(hurdle));
    }
    let watched = watch(&bench, &mut run, &facts, &before.fallen()).await;
    // Whatever happened, the service is given back.
    let given_back = cx.world.start(service).await;
    let mut zero = watched?;
    given_back?;
    let keeps = facts.rules.iter().map(|(_, r)| r.keep_firing_for).fold(0.0, f64::max);
    let keeps = Duration::try_from_secs_f64(keeps).unwrap_or_default() / factor;
    recover(&bench, &mut run, &mut zero, round + keeps).await?;
    run.started += zero.before().0;
    for mark in [&mut run.failed, &mut run.pending, &mut run.firing, &mut run.resolved] {
        zero.put(mark);
    }
    // An alert dated before its cause, by more than a look: Prometheus lags behind its own clock.
    run.strained |= run.pending.said_us.is_some_and(|at| at < -micros(POLL));
    Ok(Outcome::Ran(Box::new(run)))
}

/// What keeps the experiment from beginning.
fn hurdle(before: &Look) -> Option<Hurdle> {
    if let Some(error) = before.sick() {
        return Some(Hurdle::Sick(tell::cut(error, 160)));
    }
    if let Some(target) = before.targets.iter().find(|t| t.health != Health::Up) {
        return Some(Hurdle::Down(tell::cut(&target.last_error, 160)));
    }
    match before.state() {
        AlertState::Inactive => None,
        state => Some(Hurdle::Active(state)),
    }
}

/// Rhythm of the rule's evaluations, to know when the machine does not follow.
#[derive(Default)]
struct Rhythm {
    /// Place of the rule that is followed.
    rule: usize,
    last: Option<i64>,
    longest_us: i64,
}

impl Rhythm {
    fn look(&mut self, look: &Look) {
        // One rule tells the rhythm: each has its own.
        let Some(at) = look.rules.get(self.rule).and_then(|r| unix_us(&r.last_evaluation)) else { return };
        if let Some(last) = self.last {
            self.longest_us = self.longest_us.max(at - last);
        }
        self.last = Some(at);
    }

    /// True when an evaluation came later than one and a half intervals after the one before.
    fn is_strained(&self, interval: Duration) -> bool {
        let limit = interval + interval / 2 + window::SLACK;
        self.longest_us > i64::try_from(limit.as_micros()).unwrap_or(i64::MAX)
    }
}

/// Stops the service and watches until the alert fires or is certainly late; gives time zero.
async fn watch(
    bench: &Bench<'_>,
    run: &mut Run,
    facts: &Facts,
    down_before: &BTreeSet<String>,
) -> Result<Zero, Fault> {
    let alert = bench.alert;
    let limit = alert.by.0 + run.pace.timeout + run.pace.scrape + window::SLACK * run.factor;
    let asked = Instant::now();
    let mut zero = Zero::new(asked, bench.cx.world.stop(&alert.after.stop).await?);
    let paces: Vec<Pace> = facts.rules.iter().map(|(pace, _)| *pace).collect();
    let mut rhythm = Rhythm { rule: lead(&paces, alert.asked()).unwrap_or(0), ..Rhythm::default() };
    let mut awake = BTreeSet::new();
    let (mut fallen, mut anonymous) = (false, false);
    loop {
        let look = bench.look().await?;
        rhythm.look(&look);
        zero.look(&look);
        fallen |= !look.fallen().is_subset(down_before);
        anonymous |= look.is_anonymous();
        let down = look.targets.iter().find(|t| t.health == Health::Down);
        if let Some(target) = down.filter(|_| run.failed.until.is_none()) {
            run.error = tell::cut(&target.last_error, 160);
            run.took = Duration::try_from_secs_f64(target.last_scrape_duration).unwrap_or_default();
        }
        run.failed.look(&look, &zero, down.is_some(), down.and_then(|t| unix_us(&t.last_scrape)));
        let state = look.state();
        run.pending.look(&look, &zero, state != AlertState::Inactive, look.active_at());
        // The evaluation that made it fire is the last one.
        run.firing.look(&look, &zero, state == AlertState::Firing, look.evaluated());
        awake.extend(look.awake());
        if run.firing.until.is_some() || (look.sent - zero.acked) * run.factor > limit {
            break;
        }
        tokio::time::sleep_until(look.sent + POLL).await;
    }
    run.strained = rhythm.is_strained(run.pace.evaluation / run.factor);
    run.shaken = fallen && anonymous;
    run.decided(facts, &awake, alert.asked());
    Ok(zero)
}

/// Watches the service come back and the alert end.
async fn recover(bench: &Bench<'_>, run: &mut Run, zero: &mut Zero, round: Duration) -> Result<(), Fault> {
    let began = Instant::now();
    run.started = began - zero.acked;
    let active = run.pending.until.is_some();
    loop {
        let look = bench.look().await?;
        zero.look(&look);
        let up = !look.targets.is_empty() && look.targets.iter().all(|t| t.health == Health::Up);
        let inactive = look.state() == AlertState::Inactive;
        if active {
            run.resolved.look(&look, zero, inactive, None);
        }
        if (inactive && up) || began.elapsed() > RECOVERY + round {
            return Ok(());
        }
        tokio::time::sleep_until(look.sent + POLL).await;
    }
}
