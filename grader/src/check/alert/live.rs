//! The experiment: stop a service, watch Prometheus every tenth of a second, start it again.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::super::prom::{self, ActiveAlert, AlertState, Health, Prom, Rule, Rules, Target, Targets, span};
use super::super::rules::expr;
use super::super::scenario::{RuleScenario, expression_delay};
use super::super::world::wire;
use super::super::{Cx, kit, tell};
use super::window::{self, Pace};
use super::zero::{Mark, Zero, micros};
use super::{Alert, twin};
use crate::error::Fault;
use crate::time::Judgement;

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
    /// The student's own durations.
    pub pace: Pace,
    /// The rule, as the student's Prometheus tells it.
    pub rule: Rule,
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
        window::measured(&self.pace, seen, self.took * self.factor, self.factor)
    }

    /// Whether it is worth a second measure: the configuration promises what is asked, and the first
    /// measure does not say the same; or nothing was seen on a machine that does not follow.
    pub fn leaves_a_doubt(&self, alert: &Alert) -> bool {
        if self.pending.until.is_none() {
            return self.strained;
        }
        let kept = window::keeps(self.pace.promise(false), alert.asked()).is_ok();
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

/// One look at Prometheus.
pub(super) struct Look {
    /// Before it was asked.
    pub(super) sent: Instant,
    /// Once it was answered.
    pub(super) got: Instant,
    /// When it was asked, on the engine's clock, unix microseconds.
    pub(super) unix_us: i64,
    rule: Option<Rule>,
    targets: Vec<Target>,
    /// The other targets.
    rest: Vec<Target>,
}

/// Whether the labels of an alert are those of this target, as far as it has any.
fn is_of(alert: &ActiveAlert, target: &Target) -> bool {
    ["job", "instance"]
        .iter()
        .all(|key| alert.labels.get(*key).is_none_or(|value| target.labels.get(*key) == Some(value)))
}

impl Look {
    /// Alerts of the rule, but for those of another target: on a busy machine a scrape that has nothing to do
    /// with the service may fail at the same time.
    fn alerts(&self) -> impl Iterator<Item = &ActiveAlert> {
        let all = self.rule.iter().flat_map(|r| &r.alerts);
        all.filter(|a| self.targets.iter().any(|t| is_of(a, t)) || !self.rest.iter().any(|t| is_of(a, t)))
    }

    /// Whether the rule is active without telling for which target.
    fn is_anonymous(&self) -> bool {
        self.alerts().any(|a| !a.labels.contains_key("job") && !a.labels.contains_key("instance"))
    }

    /// Other targets that do not answer, by what is scraped.
    fn fallen(&self) -> BTreeSet<String> {
        self.rest.iter().filter(|t| t.health == Health::Down).map(|t| t.scrape_url.clone()).collect()
    }

    fn state(&self) -> AlertState {
        let states = self.alerts().map(|a| a.state);
        states.fold(AlertState::Inactive, |worst, state| match (worst, state) {
            (AlertState::Firing, _) | (_, AlertState::Firing) => AlertState::Firing,
            (AlertState::Pending, _) | (_, AlertState::Pending) => AlertState::Pending,
            (worst, _) => worst,
        })
    }

    fn active_at(&self) -> Option<i64> {
        self.alerts().filter_map(|a| unix_us(a.active_at.as_deref()?)).min()
    }
}

fn unix_us(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
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
            rule: rules.into_iter().find(|r| r.name == self.alert.name),
            targets,
            rest,
        })
    }

    /// Waits (bounded) for all to be well: targets up, alert inactive, rule evaluated.
    async fn settle(&self, patience: Duration) -> Result<Look, Fault> {
        let good = |look: &Look| {
            !look.targets.is_empty()
                && look.targets.iter().all(|t| t.health == Health::Up)
                && look.rule.as_ref().is_some_and(|r| r.health == "ok")
                && look.state() == AlertState::Inactive
        };
        kit::patiently(patience, good, || self.look()).await
    }
}

/// What the student's own Prometheus says of its rhythm.
struct Facts {
    pace: Pace,
    rule: Rule,
    labels: prom::Labels,
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
    let found = groups.iter().find_map(|g| Some((g, g.rules.iter().find(|r| r.name == alert.name)?)));
    let Some((group, rule)) = found else { return Ok(Err(Hurdle::NoAlert(names))) };
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
    Ok(Ok(Facts {
        pace: Pace {
            scrape: length(&target.scrape_interval, &config.global.scrape_interval, 60),
            timeout: length(&target.scrape_timeout, &config.global.scrape_timeout, 10),
            evaluation: seconds(group.interval),
            hold: seconds(rule.duration),
            expression: delay(cx, alert).await.unwrap_or_default(),
        },
        rule: rule.clone(),
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
    let mut run =
        Run { factor, why_real, pace: facts.pace, rule: facts.rule, labels: facts.labels, ..Run::default() };
    let round = (run.pace.scrape + run.pace.evaluation + run.pace.timeout) / factor;
    let before = bench.settle(CALM + round * 2).await?;
    if let Some(hurdle) = hurdle(&before) {
        return Ok(Outcome::Stopped(hurdle));
    }
    let watched = watch(&bench, &mut run, alert, &before.fallen()).await;
    // Whatever happened, the service is given back.
    let given_back = cx.world.start(service).await;
    let mut zero = watched?;
    given_back?;
    recover(&bench, &mut run, &mut zero, round).await?;
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
    if let Some(rule) = before.rule.as_ref().filter(|r| r.health == "err") {
        return Some(Hurdle::Sick(tell::cut(&rule.last_error, 160)));
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
    last: Option<i64>,
    longest_us: i64,
}

impl Rhythm {
    fn look(&mut self, look: &Look) {
        let Some(at) = look.rule.as_ref().and_then(|r| unix_us(&r.last_evaluation)) else { return };
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
    alert: &Alert,
    down_before: &BTreeSet<String>,
) -> Result<Zero, Fault> {
    let limit = alert.by.0 + run.pace.timeout + run.pace.scrape + window::SLACK * run.factor;
    let asked = Instant::now();
    let mut zero = Zero::new(asked, bench.cx.world.stop(&alert.after.stop).await?);
    let mut rhythm = Rhythm::default();
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
        let evaluated = look.rule.as_ref().and_then(|r| unix_us(&r.last_evaluation));
        run.firing.look(&look, &zero, state == AlertState::Firing, evaluated);
        if run.firing.until.is_some() || (look.sent - zero.acked) * run.factor > limit {
            break;
        }
        tokio::time::sleep_until(look.sent + POLL).await;
    }
    run.strained = rhythm.is_strained(run.pace.evaluation / run.factor);
    run.shaken = fallen && anonymous;
    Ok(zero)
}

/// Watches the service come back and the alert end.
async fn recover(bench: &Bench<'_>, run: &mut Run, zero: &mut Zero, round: Duration) -> Result<(), Fault> {
    let began = Instant::now();
    run.started = began - zero.acked;
    let keeps = Duration::try_from_secs_f64(run.rule.keep_firing_for).unwrap_or_default() / run.factor;
    let active = run.pending.until.is_some();
    loop {
        let look = bench.look().await?;
        zero.look(&look);
        let up = !look.targets.is_empty() && look.targets.iter().all(|t| t.health == Health::Up);
        let inactive = look.state() == AlertState::Inactive;
        if active {
            run.resolved.look(&look, zero, inactive, None);
        }
        if (inactive && up) || began.elapsed() > RECOVERY + round + keeps {
            return Ok(());
        }
        tokio::time::sleep_until(look.sent + POLL).await;
    }
}
