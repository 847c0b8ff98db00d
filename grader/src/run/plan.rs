//! The copies of the stack and the order of the work on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rand::Rng;
use tokio::sync::watch;

use super::builds::{build_all, build_request, early};
use super::judge::{Board, at_stage, judge};
use super::listen::listen;
use super::{Ctx, Stop, reach};
use crate::check::deep::Drawn;
use crate::check::world::BringUp;
use crate::check::{Cx, Memo, Stage};
use crate::compose::{self, ApprovedModel, SandboxedModel, Staged};
use crate::engine::{self, BuildRequest, Stack, StackPlan, StackWorld};
use crate::event::{Event, StepState};
use crate::lab::{CheckSpec, Lab};

/// Longest wait for a stack to be ready once Compose has returned.
const SETTLE: Duration = Duration::from_secs(100);

/// Everything that both copies share.
struct Shared<'a> {
    approved: &'a ApprovedModel,
    staged: Arc<Staged>,
    declared: Arc<crate::check::world::Declared>,
    sources: Arc<compose::SourceMap>,
    builds: BTreeMap<String, BuildRequest>,
    /// Services that neither are built nor depend on one that is.
    early: Vec<String>,
    probe_image: String,
    toolbox: Arc<engine::Toolbox>,
    ability: engine::Ability,
    seed: u64,
    drawn: Option<Arc<Drawn>>,
    board: Board,
    checks: Vec<CheckSpec>,
    memo_main: Memo,
    memo_second: Memo,
}

/// Brings the copies up, judges every check and emits the verdicts.
pub(super) async fn grade(
    cx: &Ctx<'_>,
    staged: &Arc<Staged>,
    approved: &ApprovedModel,
    probe_image: &str,
    drawn: Option<Arc<Drawn>>,
) -> Result<(), Stop> {
    let model = approved.model();
    let mut builds: BTreeMap<String, BuildRequest> = BTreeMap::new();
    for (service, plan) in model.builds() {
        let request = build_request(cx, model.root(), &service, plan)?;
        builds.insert(service, request);
    }
    let declared = Arc::new(model.declared());
    let shared = Shared {
        early: early(&declared, &builds),
        approved,
        staged: Arc::clone(staged),
        declared,
        sources: Arc::new(model.source().clone()),
        builds,
        probe_image: probe_image.to_owned(),
        toolbox: Arc::new(engine::Toolbox::new(cx.options.recipes.clone(), cx.options.images)),
        ability: if approved.needs_stand_ins() {
            cx.engine.ability(&cx.session).await?
        } else {
            engine::Ability::default()
        },
        seed: rand::rng().random(),
        drawn,
        board: Board::new(),
        checks: selected(cx.lab, cx.options.only.as_deref()),
        memo_main: Memo::default(),
        memo_second: Memo::default(),
    };
    let experiments = &cx.lab.experiments;
    let needs_second = shared.checks.iter().any(|c| c.check.stage(experiments) == Stage::Second);
    let networks = approved.subnets_needed() + 2;
    let subnets = cx.session.reserve_subnets(cx.engine, networks * if needs_second { 2 } else { 1 }).await?;
    let (first_nets, second_nets) = subnets.split_at(networks);

    let main = sandboxed(cx, &shared, "a", first_nets, false);
    for change in main.changes() {
        cx.emit(Event::Rewritten(change.clone()));
    }
    let stack = |model: SandboxedModel, second: bool| {
        let plan = StackPlan {
            model,
            builds: shared.builds.clone(),
            probe_image: shared.probe_image.clone(),
            breakable: breakable(cx, second),
        };
        Stack::new(cx.engine, &cx.session, plan).map(Arc::new)
    };
    let main = stack(main, false)?;
    let second =
        if needs_second { Some(stack(sandboxed(cx, &shared, "b", second_nets, true), true)?) } else { None };

    // What needs no build starts while the images are built.
    cx.step("build", "construction des images", StepState::Started);
    let start_early = |stack: Option<Arc<Stack>>| {
        let services = &shared.early;
        let worth = !services.is_empty() && !shared.builds.is_empty();
        async move {
            match stack.filter(|_| worth) {
                Some(stack) => stack.up(services, false).await,
                None => Ok(None),
            }
        }
    };
    let (built, early_up, second_early_up) = tokio::join!(
        build_all(cx, &shared.builds),
        start_early(Some(Arc::clone(&main))),
        start_early(second.clone())
    );
    let (built, early_up, second_early_up) = (built?, early_up?, second_early_up?);
    let state = if built.is_none() { StepState::Done } else { StepState::Failed };
    cx.step("build", "construction des images", state);

    let copies = both(cx, &shared, (&main, early_up), (second.as_ref(), second_early_up), built.as_ref());
    // What only builds again needs no running stack.
    let blank =
        Arc::new(world(cx, &shared, &main, BringUp { build_failed: built.clone(), ..BringUp::default() }));
    let check = Cx { world: blank.as_ref(), experiments, memo: &shared.memo_main, second: None };
    let building = join_all(
        at_stage(cx, &shared.checks, Stage::Image)
            .into_iter()
            .filter(|spec| spec.check.is_early())
            .map(|spec| judge(cx, &shared.board, spec, &check)),
    );
    let building = async {
        building.await;
        Ok(())
    };
    tokio::try_join!(copies, building)?;
    Ok(())
}

/// Takes both copies to their end, side by side.
async fn both(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    (main, early_up): (&Arc<Stack>, Option<String>),
    (second, second_early_up): (Option<&Arc<Stack>>, Option<String>),
    built: Option<&(String, String)>,
) -> Result<(), Stop> {
    // The checks of the second copy may also look at the first.
    let (publish, published) = tokio::sync::watch::channel(None);
    let (over, mut is_over) = watch::channel(false);
    let first = async {
        first_copy(cx, shared, main, built.cloned(), early_up, publish).await?;
        // What checks of the second copy make on the first must have been made, or never will be.
        let shared_with_second: Vec<String> = at_stage(cx, &shared.checks, Stage::Second)
            .into_iter()
            .flat_map(|spec| spec.check.on_first(&cx.lab.experiments))
            .collect();
        tokio::select! {
            () = shared.memo_main.wait(&shared_with_second) => {}
            _ = is_over.wait_for(|over| *over) => {}
        }
        // The rest of the clean-up, and the proof of it, come at the end of the session.
        main.down().await;
        Ok::<(), Stop>(())
    };
    let other = async {
        if let Some(stack) = second {
            second_copy(cx, shared, stack, built.cloned(), second_early_up, published).await?;
            let _ = over.send(true);
            stack.down().await;
        } else {
            let _ = over.send(true);
        }
        Ok(())
    };
    tokio::try_join!(first, other)?;
    Ok(())
}

/// Only the checks asked for, with what they need.
pub(super) fn selected(lab: &Lab, only: Option<&str>) -> Vec<CheckSpec> {
    let Some(only) = only else { return lab.checks.clone() };
    let mut wanted: BTreeSet<&str> = BTreeSet::from([only]);
    for spec in lab.checks.iter().rev() {
        if wanted.contains(spec.card.id.as_str()) {
            wanted.extend(spec.needs.iter().map(String::as_str));
        }
    }
    lab.checks.iter().filter(|c| wanted.contains(c.card.id.as_str())).cloned().collect()
}

/// Services that a check will break on this copy.
fn breakable(cx: &Ctx<'_>, second: bool) -> Vec<String> {
    let outages = cx.lab.experiments.outage.iter().filter(|o| o.second == second);
    outages.map(|o| o.service.clone()).collect()
}

fn sandboxed(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    copy: &str,
    subnets: &[ipnet::Ipv4Net],
    second: bool,
) -> SandboxedModel {
    let experiment = cx.lab.experiments.second.as_ref().filter(|_| second);
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
        brittle: breakable(cx, second),
        copies: Some(cx.session.dir().join(format!("fichiers-{copy}"))),
        ..compose::Plan::default()
    };
    compose::sandbox(shared.approved, &plan)
}

/// Brings a copy up and waits for it, putting probes in place as services start.
async fn bring_up(
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
    let done = tokio::sync::watch::channel(false);
    let come_up = async {
        let error = match early_up {
            Some(error) => Some(error),
            None => stack.up(&only, false).await?,
        };
        let mut up = stack.settle(&only, error, SETTLE).await?;
        up.build_failed = built;
        Ok::<BringUp, Stop>(up)
    };
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

fn world(cx: &Ctx<'_>, shared: &Shared<'_>, stack: &Arc<Stack>, bring_up: BringUp) -> StackWorld {
    StackWorld {
        stack: Arc::clone(stack),
        declared: Arc::clone(&shared.declared),
        sources: Arc::clone(&shared.sources),
        staged: Arc::clone(&shared.staged),
        bring_up,
        seed: shared.seed,
        real_time: cx.options.real_time,
        toolbox: Arc::clone(&shared.toolbox),
        drawn: shared.drawn.clone(),
    }
}

/// The first copy: what looks and what drives, then what breaks; image proofs beside them.
async fn first_copy(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    stack: &Arc<Stack>,
    built: Option<(String, String)>,
    early_up: Option<String>,
    publish: watch::Sender<Option<Arc<StackWorld>>>,
) -> Result<(), Stop> {
    cx.step("up", "démarrage de la pile", StepState::Started);
    let seats: Vec<String> = shared.declared.services.keys().cloned().collect();
    let up = bring_up(cx, shared, stack, built, early_up, (&seats, false)).await?;
    let well = up.build_failed.is_none() && up.compose_error.is_none() && up.not_ready.is_empty();
    cx.step("up", "démarrage de la pile", if well { StepState::Done } else { StepState::Failed });
    let world = Arc::new(world(cx, shared, stack, up));
    let check =
        Cx { world: world.as_ref(), experiments: &cx.lab.experiments, memo: &shared.memo_main, second: None };
    let preparing = async {
        if well {
            join_all(shared.checks.iter().map(|spec| spec.check.prepare(&check))).await;
        }
    };
    let judging = async {
        if well {
            listen(cx, &world).await?;
        }
        let _ = publish.send(Some(Arc::clone(&world)));
        judge_first(cx, shared, &check, well).await;
        Ok::<(), Stop>(())
    };
    let ((), judged) = tokio::join!(preparing, judging);
    judged
}

/// The checks of the first copy.
async fn judge_first(cx: &Ctx<'_>, shared: &Shared<'_>, check: &Cx<'_>, well: bool) {
    cx.step("checks", "contrôles", StepState::Started);
    let together = [Stage::Static, Stage::Image, Stage::Observe];
    let looking = together.iter().flat_map(|stage| at_stage(cx, &shared.checks, *stage));
    let looking = looking.filter(|spec| !spec.check.is_early());
    let looking = join_all(looking.map(|spec| judge(cx, &shared.board, spec, check)));
    let driving = async {
        for spec in at_stage(cx, &shared.checks, Stage::Drive) {
            judge(cx, &shared.board, spec, check).await;
        }
    };
    let drawn = tokio::sync::Notify::new();
    let drawing = async {
        if well {
            reach::draw(cx, check.world).await;
        }
        drawn.notify_one();
    };
    let breaking = async {
        shared.board.wait(&watching(cx, shared)).await;
        drawn.notified().await;
        for stage in [Stage::Break, Stage::Recreate] {
            let specs = at_stage(cx, &shared.checks, stage);
            join_all(specs.into_iter().map(|spec| judge(cx, &shared.board, spec, check))).await;
        }
    };
    tokio::join!(looking, driving, drawing, breaking);
    cx.step("checks", "contrôles", StepState::Done);
}

/// The checks that must be over before anything of the first copy is broken.
fn watching<'a>(cx: &Ctx<'_>, shared: &'a Shared<'_>) -> Vec<&'a str> {
    [Stage::Observe, Stage::Drive]
        .iter()
        .flat_map(|stage| at_stage(cx, &shared.checks, *stage))
        .map(|spec| spec.card.id.as_str())
        .collect()
}

/// The second copy: late stores, relay; one check after the other.
async fn second_copy(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    stack: &Arc<Stack>,
    built: Option<(String, String)>,
    early_up: Option<String>,
    mut published: watch::Receiver<Option<Arc<StackWorld>>>,
) -> Result<(), Stop> {
    let experiments = &cx.lab.experiments;
    let mut seats: Vec<String> =
        experiments.outage.iter().filter(|o| o.second).map(|o| o.service.clone()).collect();
    if let Some(cache) = &experiments.cache {
        seats.extend([cache.request.service.clone(), cache.store.clone()]);
    }
    let up = bring_up(cx, shared, stack, built, early_up, (&seats, true)).await?;
    let well = up.build_failed.is_none() && up.compose_error.is_none() && up.not_ready.is_empty();
    let world = world(cx, shared, stack, up);
    if well {
        listen(cx, &world).await?;
    }
    let Ok(first) = published.wait_for(Option::is_some).await.map(|first| first.clone()) else {
        return Ok(());
    };
    let Some(first) = first else { return Ok(()) };
    let check = Cx {
        world: first.as_ref(),
        experiments,
        memo: &shared.memo_main,
        second: Some((&world, &shared.memo_second)),
    };
    for spec in at_stage(cx, &shared.checks, Stage::Second) {
        if !spec.check.disturbs(experiments).is_empty() {
            shared.board.wait(&watching(cx, shared)).await;
        }
        judge(cx, &shared.board, spec, &check).await;
    }
    Ok(())
}
