//! What the running Prometheus really has, and a scenario played on it by promtool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::alert::{concerns, twin};
use super::super::prom::{Prom, Rule, RuleGroup, RuleKind, Sample, Target, Trouble, span};
use super::super::rules::expr;
use super::super::rules::files::{self, Files};
use super::super::world::{Instance, ToolRun, World};
use super::super::{Cx, kit, promql, tell};
use super::RuleScenario;
use super::attribute::{attributed, interval, seconded, targeted, telling};
use super::judge::{self, Parties, Tick};
use super::promtool::{self, Labels, Test};
use super::scene::{self, Base, Family, Latency, Scenario, Stage, Times};
use crate::error::{Fault, FaultKind};

/// Image of promtool when the student's own cannot serve.
const IMAGE: &str = "prom/prometheus:v2.53.0";
/// Longest run of promtool.
const DEADLINE: Duration = Duration::from_secs(40);
/// Evaluations looked at, at most: what promtool says must stay readable.
const MOST_TICKS: usize = 600;

/// Why nothing can be played.
#[derive(Clone, Debug, PartialEq)]
pub enum Hurdle {
    /// Prometheus does not answer (French).
    Silent(String),
    /// It has no alert of that name; those that it has.
    NoAlert(Vec<String>),
}

/// What a scenario is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenery {
    /// Configuration and rule files.
    pub files: Files,
    /// The rules of that name, as Prometheus tells them; the one that waits least comes first.
    pub rules: Vec<Rule>,
    /// Between two evaluations of its group.
    pub evaluation: Duration,
    /// Between two scrapes of what the scenario is about.
    pub interval: Duration,
    /// The expression and those of the recorded series that it uses.
    pub expressions: Vec<String>,
    /// Series that it uses, as they are now.
    pub bases: Vec<Base>,
    /// Services whose containers can be told, that of the scenario left out, with the labels of their series.
    pub seconds: Vec<(String, Vec<Labels>)>,
    /// Metrics that it uses and that do not exist.
    pub missing: Vec<String>,
    /// Bounds of the latency histogram.
    pub latency: Latency,
    image: String,
}

/// A scenario played.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Play {
    /// When things happen; `evaluation` is the time between two ticks.
    pub times: Times,
    /// States.
    pub ticks: Vec<Tick>,
    /// Why a rule could no longer be evaluated, in Prometheus's words.
    pub broken: Option<String>,
    /// States for each of the services that the trouble happens to at once; none when it happens to one.
    pub each: Vec<(String, Vec<Tick>)>,
    /// All that the expression looks back.
    pub back: Duration,
    /// The same without its offsets.
    pub ranges: Duration,
    /// `keep_firing_for`.
    pub keeps: Duration,
    /// 95th percentile of `latency-edge`, seconds.
    pub edge: f64,
    /// Series played.
    pub series: usize,
}

/// What a check's scenarios are made from, read once for all the checks of one alert.
pub async fn scenery(cx: &Cx<'_>, check: &RuleScenario) -> Result<Arc<Result<Scenery, Hurdle>>, Fault> {
    let family = check.scenarios.first().map_or(Family::Target, |s| s.family());
    let key = format!(
        "scenery:{}:{}:{}:{family:?}:{}:{:?}",
        check.service, check.port, check.alert, check.target, check.second
    );
    cx.memo.once(&key, Box::pin(look(cx, check, family))).await
}

async fn look(cx: &Cx<'_>, check: &RuleScenario, family: Family) -> Result<Result<Scenery, Hurdle>, Fault> {
    let silent = |why: String| Ok(Err(Hurdle::Silent(why)));
    let known = files::known(cx, &check.service, check.port).await?;
    let (files, _) = match known.as_ref() {
        Ok(known) => known,
        Err(why) => return silent(why.clone()),
    };
    let Some(prom) = Prom::of(cx.world, &check.service, check.port, Duration::from_secs(5)).await? else {
        return silent(format!("« {} » n'est pas en marche", check.service));
    };
    let groups = match prom.rules().await? {
        Ok(groups) => groups,
        Err(trouble) => return silent(trouble.told()),
    };
    let (rules, evaluation) = named(&groups, &check.alert);
    if rules.is_empty() {
        let rules = groups.iter().flat_map(|g| &g.rules).filter(|r| r.kind == RuleKind::Alerting);
        return Ok(Err(Hurdle::NoAlert(rules.map(|r| tell::cut(&r.name, 60)).collect())));
    }
    let instances = cx.world.instances(&check.target).await?;
    let addresses = kit::addresses(&instances);
    let targets = match twin::listed(&prom, &check.target, &addresses).await? {
        Ok(targets) => targets,
        Err(trouble) => return silent(trouble.told()),
    };
    let mut expressions = expr::expressions(files, &check.alert);
    if expressions.is_empty() {
        expressions.extend(rules.iter().map(|r| r.query.clone()));
    }
    let recorded = expr::recorded(files);
    let used: BTreeSet<String> = expressions
        .iter()
        .flat_map(|e| promql::selectors(e))
        .filter_map(|s| s.metric)
        .filter(|m| !recorded.contains(m) && m != "ALERTS")
        .collect();
    let mine: Vec<&Target> = targets.iter().filter(|t| concerns(t, &check.target, &addresses)).collect();
    let wait = targets.iter().filter_map(|t| span::parse(&t.scrape_interval)).max().unwrap_or_default();
    // A copy in divided time has the same series with the same labels, and sooner.
    let twin = twin::shared(cx, &check.service, check.port).await?;
    let (source, wait) = if twin.factor > 1 {
        (twin::client(cx, &check.service, check.port), wait / twin.factor)
    } else {
        (prom.clone(), wait)
    };
    let samples = match series(&source, &used, check, family, wait).await? {
        Ok(samples) => samples,
        Err(trouble) => return silent(trouble.told()),
    };
    let mut bases = attributed(&samples, family, &mine, &check.target, &short(&instances));
    let seconds = match (family, &check.second) {
        (Family::Memory, _) => neighbours(cx.world, check, &mut bases).await?,
        (Family::Target, Some(second)) => {
            let addresses = kit::addresses(&cx.world.instances(second).await?);
            let its: Vec<&Target> = targets.iter().filter(|t| concerns(t, second, &addresses)).collect();
            targeted(&mut bases, &its);
            Vec::new()
        }
        _ => Vec::new(),
    };
    let missing: Vec<String> =
        used.iter().filter(|m| *m != "up" && !bases.iter().any(|b| b.name() == *m)).cloned().collect();
    let interval = interval(&bases, &targets).unwrap_or(wait);
    Ok(Ok(Scenery {
        files: files.clone(),
        evaluation,
        interval,
        latency: Latency::of(&bases, &check.histogram, check.threshold),
        rules,
        expressions,
        bases,
        seconds,
        missing,
        image: image(cx.world, &check.service),
    }))
}

/// Beginnings of the ids of containers, as they are shown.
fn short(instances: &[Instance]) -> Vec<String> {
    instances.iter().map(|i| i.id.chars().take(12).collect()).collect()
}

/// The containers of all other services, as far as their series tell them.
async fn neighbours(
    world: &dyn World,
    check: &RuleScenario,
    bases: &mut [Base],
) -> Result<Vec<(String, Vec<Labels>)>, Fault> {
    let mut found = Vec::new();
    for service in world.declared().services.keys().filter(|name| **name != check.target) {
        let labels = seconded(bases, service, &short(&kit::running(world, service).await?));
        if !labels.is_empty() {
            found.push((service.clone(), labels));
        }
    }
    Ok(found)
}

/// The alerting rules of a name, the one that waits least first, and the time between two evaluations of the
/// one evaluated most often.
fn named(groups: &[RuleGroup], alert: &str) -> (Vec<Rule>, Duration) {
    let all = groups.iter().flat_map(|g| g.rules.iter().map(|r| (g.interval, r)));
    let mut found: Vec<(f64, &Rule)> =
        all.filter(|(_, r)| r.kind == RuleKind::Alerting && r.name == alert).collect();
    found.sort_by(|a, b| a.1.duration.total_cmp(&b.1.duration));
    let evaluation = found.iter().map(|(interval, _)| *interval).fold(f64::INFINITY, f64::min);
    let rules = found.into_iter().map(|(_, rule)| rule.clone()).collect();
    (rules, Duration::try_from_secs_f64(evaluation).unwrap_or_default())
}

/// The student's own image when it is an official one.
fn image(world: &dyn World, service: &str) -> String {
    let declared = world.declared().services.get(service).filter(|s| s.build_context.is_none());
    let own = declared.and_then(|s| s.image.clone()).filter(|i| i.contains("prometheus"));
    own.unwrap_or_else(|| IMAGE.to_owned())
}

/// The series that an expression uses, those of `up` besides, as they are now. What is not there yet
/// is waited for: some series exist only once a request has been counted and scraped.
async fn series(
    prom: &Prom<'_>,
    used: &BTreeSet<String>,
    check: &RuleScenario,
    family: Family,
    wait: Duration,
) -> Result<Result<Vec<Sample>, Trouble>, Fault> {
    let mut wanted: BTreeSet<String> = used.iter().map(|m| escaped(m)).collect();
    wanted.insert("up".to_owned());
    if family == Family::Latency {
        wanted.insert(format!("{}_bucket", escaped(&check.histogram)));
    }
    let names: Vec<String> = wanted.iter().cloned().collect();
    let query = format!("{{__name__=~{}}}", promtool::quoted(&names.join("|")));
    let there = |seen: &Result<Vec<Sample>, Trouble>| {
        let has = |name: &String, samples: &[Sample]| {
            samples.iter().any(|s| s.labels.get("__name__") == Some(name))
        };
        seen.as_ref().is_ok_and(|samples| wanted.iter().all(|name| has(name, samples)))
    };
    if let Err(trouble) = twin::scraped(prom, wait).await? {
        return Ok(Err(trouble));
    }
    // Two more rounds: the first may have come before what had to be counted.
    kit::patiently(wait * 2 + Duration::from_secs(2), there, || prom.vector(&query, None)).await
}

/// A metric's name in a regular expression.
fn escaped(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':')).collect()
}

/// Plays a scenario, once for all the checks that look at it.
pub async fn play(
    cx: &Cx<'_>,
    check: &RuleScenario,
    scenery: &Scenery,
    scenario: Scenario,
) -> Result<Arc<Play>, Fault> {
    let hold = check.hold.0.as_secs();
    let key = format!("play:{}:{}:{}:{}:{hold}", check.service, check.alert, check.target, scenario.name());
    cx.memo.once(&key, Box::pin(run(cx, check, scenery, scenario))).await
}

async fn run(
    cx: &Cx<'_>,
    check: &RuleScenario,
    scenery: &Scenery,
    scenario: Scenario,
) -> Result<Play, Fault> {
    let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
    let back: Duration = scenery.expressions.iter().map(|e| promql::looks_back(e)).sum();
    let offsets: Duration = scenery.expressions.iter().map(|e| offsets(e)).sum();
    let longest = scenery.rules.iter().map(|r| seconds(r.duration)).max().unwrap_or_default();
    let hold = check.hold.0.max(longest.min(Duration::from_secs(1800)));
    let keeps = scenery.rules.iter().map(|r| seconds(r.keep_firing_for)).max().unwrap_or_default();
    let times = scenario.times(Times::plan(scenery.interval, scenery.evaluation, back, hold, keeps));
    let stage = Stage { histogram: &check.histogram, threshold: check.threshold, limit: limit(cx.world) };
    let input = scene::play(scenario, &times, &scenery.bases, stage);
    let instants = times.evaluations();
    let every = instants.len().div_ceil(MOST_TICKS).max(1);
    let instants: Vec<Duration> = instants.into_iter().step_by(every).collect();
    let by: Vec<String> = std::iter::once("alertstate".to_owned()).chain(telling(&scenery.bases)).collect();
    let alert = promtool::quoted(&check.alert);
    let mut files = BTreeMap::new();
    let mut rule_files = Vec::new();
    for (index, text) in scenery.files.rule_paths().filter_map(|p| scenery.files.texts.get(p)).enumerate() {
        let name = format!("rules-{index}.yml");
        files.insert(name.clone(), text.clone());
        rule_files.push(name);
    }
    let series = input.len();
    let test = Test {
        rule_files,
        interval: times.interval,
        evaluation: times.evaluation,
        input,
        query: format!("count by ({}) (ALERTS{{alertname={alert}}})", by.join(", ")),
        instants: instants.clone(),
    };
    files.insert("test.yml".to_owned(), test.write());
    let command = ["promtool", "test", "rules", "test.yml"].map(str::to_owned).to_vec();
    let ask = ToolRun { image: scenery.image.clone(), command, files, deadline: DEADLINE };
    let said = cx.world.tool(ask).await?;
    let broken = promtool::broken(&said.output).map(str::to_owned);
    let got = match promtool::read(&said.output) {
        Err(_) if broken.is_some() => Vec::new(),
        Err(why) => return Err(confused(&tell::cut(&why, 400))),
        Ok(got) => got,
    };
    if got.len() != instants.len() && broken.is_none() {
        return Err(confused(&format!("{} answers for {} questions", got.len(), instants.len())));
    }
    let of = |concerned: bool| {
        let these = scenery.bases.iter().filter(|b| scenario.concerns(b.whose) == concerned);
        these.map(|b| b.labels.clone()).collect()
    };
    let mut parties = Parties { target: of(true), others: of(false) };
    if scenario == Scenario::OtherDown {
        // Whoever it is about, it must be silent.
        parties.others.clear();
    }
    let own: Vec<String> = scenery.rules.iter().flat_map(|r| r.labels.keys().cloned()).collect();
    // What happens to several at once is asked of each.
    let each = if scenario == Scenario::MemoryOther { scenery.seconds.as_slice() } else { &[] };
    let each = each.iter().map(|(service, labels)| {
        let busy = each.iter().filter(|(other, _)| other != service).flat_map(|(_, labels)| labels.clone());
        let busy = Parties { target: labels.clone(), others: busy.collect() };
        let parties = Parties { target: labels.clone(), others: parties.others.clone() };
        (service.clone(), judge::ticks_of(&got, &parties, Some(&busy), &own))
    });
    Ok(Play {
        broken,
        each: each.collect(),
        times: Times { evaluation: times.evaluation * u32::try_from(every).unwrap_or(1), ..times },
        ticks: judge::ticks(&got, &parties, &own),
        back: back.min(scene::LONGEST),
        ranges: back.saturating_sub(offsets).min(scene::LONGEST),
        keeps,
        edge: scenery.latency.slow_in(Scenario::LatencyEdge),
        series,
    })
}

/// Limit of the containers in trouble, bytes: drawn, and that of nobody.
fn limit(world: &dyn World) -> f64 {
    let mib = [104, 136, 152, 184, 200][usize::try_from(kit::draw(world, "memory-limit") % 5).unwrap_or(0)];
    f64::from(mib) * 1024.0 * 1024.0
}

/// Sum of the offsets of an expression.
fn offsets(expr: &str) -> Duration {
    let mut after_offset = false;
    let mut total = Duration::ZERO;
    for token in promql::lex(expr).into_iter().filter(|t| t.kind != promql::Kind::Blank) {
        if after_offset && token.kind == promql::Kind::Duration {
            total += span::parse(token.text).unwrap_or_default();
        }
        after_offset = token.says("offset") || (after_offset && (token.is('-') || token.is('+')));
    }
    total
}

fn confused(detail: &str) -> Fault {
    Fault::new(
        FaultKind::Bug,
        "promtool n'a pas joué le scénario",
        "relancez ; si cela se répète, signalez ce défaut du correcteur",
    )
    .detail(detail)
}

/// How long an alert's own expression waits after its target goes down before it holds (virtual
/// time); `None` when it never does or cannot be played.
pub async fn expression_delay(cx: &Cx<'_>, check: &RuleScenario) -> Option<Duration> {
    let scenery = scenery(cx, check).await.ok()?;
    let scenery = scenery.as_ref().as_ref().ok()?;
    let play = play(cx, check, scenery, Scenario::TargetDown).await.ok()?;
    judge::seen(&play.ticks, &play.times).active
}
