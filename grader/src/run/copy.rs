//! One copy of the stack: its model, its bring-up, and how checks see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;

use super::builds::{build_request, early};
use super::judge::Board;
use super::plan::selected;
use super::{Ctx, Stop, intake, secret};
use crate::check::Memo;
use crate::check::deep::{Dotenv, Drawn};
use crate::check::experiment::Outage;
use crate::check::world::{BringUp, Declared};
use crate::compose::{self, ApprovedModel, SandboxedModel, Staged};
use crate::engine::{self, BuildRequest, Stack, StackPlan, StackWorld};
use crate::event::StepState;
use crate::lab::CheckSpec;

/// Longest wait for a stack to be ready once Compose has returned.
pub(super) const SETTLE: Duration = Duration::from_secs(100);

/// Everything that the copies of one reading share.
pub(super) struct Shared<'a> {
    pub approved: &'a ApprovedModel,
    pub staged: Arc<Staged>,
    /// Folder of this reading.
    pub room: PathBuf,
    pub declared: Arc<Declared>,
    pub sources: Arc<compose::SourceMap>,
    pub builds: BTreeMap<String, BuildRequest>,
    /// Services that neither are built nor depend on one that is.
    pub early: Vec<String>,
    pub probe_image: String,
    pub toolbox: Arc<engine::Toolbox>,
    pub ability: engine::Ability,
    /// Processors of the engine, when they matter.
    pub processors: Option<f64>,
    pub seed: u64,
    /// The secret drawn for this run.
    pub drawn: Option<Arc<Drawn>>,
    /// The `.env` of this run.
    pub dotenv: Option<Arc<Dotenv>>,
    pub board: Board,
    pub checks: Vec<CheckSpec>,
    pub memo_main: Memo,
    pub memo_second: Memo,
}

impl<'a> Shared<'a> {
    /// What a reading comes to, nothing started.
    pub async fn of(
        cx: &Ctx<'_>,
        staged: &Arc<Staged>,
        approved: &'a ApprovedModel,
        probe_image: &str,
        room: &Path,
    ) -> Result<Self, Stop> {
        let model = approved.model();
        let mut builds: BTreeMap<String, BuildRequest> = BTreeMap::new();
        for (service, plan) in model.builds() {
            let request = build_request(cx, model.root(), &service, plan)?;
            builds.insert(service, request);
        }
        let declared = Arc::new(model.declared());
        let dotenv = intake::dotenv(cx, staged, model).await?;
        Ok(Self {
            early: early(&declared, &builds),
            approved,
            staged: Arc::clone(staged),
            room: room.to_owned(),
            declared,
            sources: Arc::new(model.source().clone()),
            builds,
            probe_image: probe_image.to_owned(),
            toolbox: Arc::new(engine::Toolbox::new(cx.options.recipes.clone(), cx.options.images)),
            ability: if approved.needs_stand_ins() || cx.lab.experiments.script.is_some() {
                cx.engine.ability(&cx.session).await?
            } else {
                engine::Ability::default()
            },
            processors: if approved.asks_for_processors() { cx.engine.processors().await } else { None },
            seed: rand::rng().random(),
            drawn: match &cx.lab.experiments.secret {
                Some(name) => secret::draw(model, name, &cx.session.secret)?,
                None => None,
            },
            dotenv,
            board: Board::new(),
            checks: selected(cx.lab, cx.options.only.as_deref()),
            memo_main: Memo::default(),
            memo_second: Memo::default(),
        })
    }
}

/// Services that a check will break on this copy, in one of these outages.
fn broken(cx: &Ctx<'_>, second: bool, is: impl Fn(&Outage) -> bool) -> Vec<String> {
    let outages = cx.lab.experiments.outage.iter().filter(|o| o.second == second && is(o));
    outages.map(|o| o.service.clone()).collect()
}

/// The model of a copy. `kept` are files that are mounted from an earlier reading.
pub(super) fn sandboxed(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    subnets: &[ipnet::Ipv4Net],
    second: bool,
    kept: BTreeMap<PathBuf, PathBuf>,
) -> SandboxedModel {
    let copy = if second { "b" } else { "a" };
    let experiment = cx.lab.experiments.second.as_ref().filter(|_| second);
    let ordinary = compose::Plan::default();
    let plan = compose::Plan {
        project: format!("tp{}{copy}", cx.session.id),
        labels: cx.session.labels().clone(),
        subnets: subnets.to_vec(),
        built: shared.builds.iter().filter_map(|(s, b)| Some((s.clone(), b.tag.clone()?))).collect(),
        images: BTreeMap::new(),
        start_interval: cx.engine.knows_start_interval(),
        subpath: shared.ability.subpath,
        cgroups: shared.ability.cgroups,
        late: experiment
            .filter(|e| !e.late.is_empty())
            .map(|e| (e.late.clone(), e.delay.map_or(Duration::from_millis(1500), |d| d.0))),
        relay: experiment.and_then(|e| e.relay.clone()).map(|service| compose::Relay {
            service,
            image: shared.probe_image.clone(),
            shift_years: 4 * rand::rng().random_range(1..=9),
        }),
        receiver: cx.lab.experiments.receiver.as_ref().map(|receiver| compose::Receiver {
            service: receiver.service.clone(),
            port: receiver.port,
            image: shared.probe_image.clone(),
        }),
        // Those whose health check is judged meanwhile.
        brittle: broken(cx, second, |o| !o.unwatched),
        crowded: broken(cx, second, |o| o.together),
        copies: Some(shared.room.join(format!("fichiers-{copy}"))),
        apart: second,
        kept,
        cpus: shared.processors.unwrap_or(ordinary.cpus),
        engine: !second && cx.lab.experiments.script.is_some(),
        ..ordinary
    };
    compose::sandbox(shared.approved, &plan)
}

/// What a stack needs besides.
pub(super) fn stack_plan(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    model: SandboxedModel,
    second: bool,
) -> StackPlan {
    StackPlan {
        model,
        builds: shared.builds.clone(),
        probe_image: shared.probe_image.clone(),
        breakable: broken(cx, second, |_| true),
    }
}

/// A copy, not started.
pub(super) fn new_stack(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    model: SandboxedModel,
    second: bool,
) -> Result<Arc<Stack>, Stop> {
    let stack = Stack::new(cx.engine, &cx.session, stack_plan(cx, shared, model, second))?;
    Ok(Arc::new(stack))
}

/// Starts what needs no build, where there is also something to build.
pub(super) async fn start_early(
    shared: &Shared<'_>,
    stack: Option<&Arc<Stack>>,
) -> Result<Option<String>, Stop> {
    let worth = !shared.early.is_empty() && !shared.builds.is_empty();
    match stack.filter(|_| worth) {
        Some(stack) => Ok(stack.up(&shared.early, false).await?),
        None => Ok(None),
    }
}

/// Brings a copy up and waits for it, putting probes in place as services start.
pub(super) async fn bring_up(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    stack: &Stack,
    built: Option<(String, String)>,
    early_up: Option<String>,
    (seats, second): (&[String], bool),
) -> Result<BringUp, Stop> {
    let only: Vec<String> = if built.is_some() { shared.early.clone() } else { Vec::new() };
    // Without its images a stack is told as it is; the second copy would tell nothing more.
    if built.is_some() && (only.is_empty() || second) {
        return Ok(BringUp { build_failed: built, ..BringUp::default() });
    }
    let come_up = async {
        let error = match early_up {
            Some(error) => Some(error),
            None => stack.up(&only, false).await?,
        };
        let mut up = stack.settle(&only, error, SETTLE).await?;
        up.build_failed = built;
        Ok(up)
    };
    with_probes(cx, stack, seats, come_up).await
}

/// Does what `come_up` says while probes are put in place as services start.
pub(super) async fn with_probes(
    cx: &Ctx<'_>,
    stack: &Stack,
    seats: &[String],
    come_up: impl Future<Output = Result<BringUp, Stop>>,
) -> Result<BringUp, Stop> {
    let done = tokio::sync::watch::channel(false);
    let (up, ()) = tokio::join!(
        async {
            let up = come_up.await;
            let _ = done.0.send(true);
            up
        },
        stack.warm_as_started(seats, done.1)
    );
    let up = up?;
    for (service, why) in &up.not_ready {
        cx.step(&format!("service:{service}"), &format!("{service} : {why}"), StepState::Failed);
    }
    Ok(up)
}

/// True when everything was built, started and got ready.
pub(super) fn is_well(up: &BringUp) -> bool {
    up.build_failed.is_none() && up.compose_error.is_none() && up.not_ready.is_empty()
}

/// A copy as checks see it.
pub(super) fn world(cx: &Ctx<'_>, shared: &Shared<'_>, stack: &Arc<Stack>, bring_up: BringUp) -> StackWorld {
    StackWorld {
        stack: Arc::clone(stack),
        declared: Arc::clone(&shared.declared),
        sources: Arc::clone(&shared.sources),
        staged: Arc::clone(&shared.staged),
        bring_up,
        seed: shared.seed,
        real_time: cx.options.real_time,
        toolbox: Arc::clone(&shared.toolbox),
        starts: shared.approved.model().from_images().into_iter().map(|from| from.image).collect(),
        drawn: shared.drawn.clone(),
        dotenv: shared.dotenv.clone(),
    }
}
