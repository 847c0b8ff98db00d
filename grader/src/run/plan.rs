//! The copies of the stack and the order of the work on them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rand::Rng;
use tokio::sync::watch;

use super::judge::{Board, at_stage, judge};
use super::{Ctx, Stop, reach};
use crate::check::world::{BringUp, Vantage, World};
use crate::check::{Cx, Memo, Stage};
use crate::compose::{self, ApprovedModel, SandboxedModel, Staged};
use crate::engine::{self, BuildRequest, Stack, StackPlan, StackWorld};
use crate::error::{Fault, FaultKind};
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
    let (built, early_up) = tokio::join!(build_all(cx, &shared), async {
        if shared.early.is_empty() || shared.builds.is_empty() {
            Ok(None)
        } else {
            main.up(&shared.early, false).await
        }
    });
    let built = built?;
    let early_up = early_up?;
    let state = if built.is_none() { StepState::Done } else { StepState::Failed };
    cx.step("build", "construction des images", state);

    // The checks of the second copy may also look at the first.
    let (publish, published) = tokio::sync::watch::channel(None);
    let first = first_copy(cx, &shared, &main, built.clone(), early_up, publish);
    let other = async {
        match &second {
            Some(stack) => second_copy(cx, &shared, stack, built.clone(), published).await,
            None => Ok(()),
        }
    };
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
    tokio::try_join!(first, other, building)?;
    Ok(())
}

/// A build of the staged copy under a name of ours.
fn build_request(
    cx: &Ctx<'_>,
    root: &Path,
    service: &str,
    plan: compose::BuildPlan,
) -> Result<BuildRequest, Stop> {
    let context = root.join(&plan.context);
    let dockerfile = match (&plan.inline, &plan.dockerfile) {
        (Some(text), _) => {
            let file = cx.session.dir().join(format!("Dockerfile.{}", image_name(service)));
            std::fs::write(&file, text).map_err(|e| {
                Fault::new(
                    FaultKind::Disk,
                    "le dossier temporaire est plein ou interdit",
                    "libérez de la place",
                )
                .detail(e)
            })?;
            file
        }
        (None, Some(file)) => root.join(file),
        (None, None) => context.join("Dockerfile"),
    };
    Ok(BuildRequest {
        context,
        dockerfile,
        args: plan.args.into_iter().collect(),
        labels: plan.labels.into_iter().collect(),
        contexts: plan.contexts.into_iter().map(|(name, path)| (name, root.join(path))).collect(),
        secrets: plan.secrets.into_iter().map(|(id, path)| (id, root.join(path))).collect(),
        no_network: plan.no_network,
        target: plan.target,
        tag: Some(format!("tp-run-{}/{}:copie", cx.session.id, image_name(service))),
    })
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

/// A service name as part of an image name.
fn image_name(service: &str) -> String {
    let name: String =
        service.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("s-{}", name.trim_matches('-'))
}

/// Services that can start before anything is built.
fn early(declared: &crate::check::world::Declared, builds: &BTreeMap<String, BuildRequest>) -> Vec<String> {
    let mut late: BTreeSet<&str> = builds.keys().map(String::as_str).collect();
    loop {
        let more: Vec<&str> = declared
            .services
            .iter()
            .filter(|(name, s)| {
                let mode = s.network_mode.as_deref().and_then(|m| m.strip_prefix("service:"));
                !late.contains(name.as_str())
                    && (s.depends_on.keys().any(|d| late.contains(d.as_str()))
                        || mode.is_some_and(|m| late.contains(m)))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if more.is_empty() {
            break;
        }
        late.extend(more);
    }
    declared.services.keys().filter(|s| !late.contains(s.as_str())).cloned().collect()
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
        brittle: breakable(cx, second),
        copies: Some(cx.session.dir().join(format!("fichiers-{copy}"))),
        ..compose::Plan::default()
    };
    compose::sandbox(shared.approved, &plan)
}

/// Builds every image; `Some` names the service whose build failed and gives the log.
async fn build_all(cx: &Ctx<'_>, shared: &Shared<'_>) -> Result<Option<(String, String)>, Stop> {
    let builds = shared.builds.iter().map(|(service, request)| async move {
        let name = format!("image:{service}");
        let text = format!("construction de {service}");
        cx.step(&name, &text, StepState::Started);
        let outcome = engine::build(cx.engine, &cx.session, request).await?;
        let state = if outcome.ok { StepState::Done } else { StepState::Failed };
        cx.step(&name, &text, state);
        Ok::<_, Stop>((service.clone(), outcome))
    });
    for outcome in join_all(builds).await {
        let (service, outcome) = outcome?;
        if !outcome.ok {
            return Ok(Some((service, outcome.log)));
        }
    }
    Ok(None)
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
    if well {
        listen(cx, &world).await?;
    }
    let _ = publish.send(Some(Arc::clone(&world)));
    cx.step("checks", "contrôles", StepState::Started);
    let check =
        Cx { world: world.as_ref(), experiments: &cx.lab.experiments, memo: &shared.memo_main, second: None };
    let together = [Stage::Static, Stage::Image, Stage::Observe];
    let looking = together.iter().flat_map(|stage| at_stage(cx, &shared.checks, *stage));
    let looking = looking.filter(|spec| !spec.check.is_early());
    let looking = join_all(looking.map(|spec| judge(cx, &shared.board, spec, &check)));
    let driving = async {
        for spec in at_stage(cx, &shared.checks, Stage::Drive) {
            judge(cx, &shared.board, spec, &check).await;
        }
    };
    let preparing = async {
        if well {
            join_all(shared.checks.iter().map(|spec| spec.check.prepare(&check))).await;
        }
    };
    let drawn = tokio::sync::Notify::new();
    let drawing = async {
        if well {
            reach::draw(cx, world.as_ref()).await;
        }
        drawn.notify_one();
    };
    let breaking = async {
        shared.board.wait(&watching(cx, shared)).await;
        drawn.notified().await;
        for stage in [Stage::Break, Stage::Recreate] {
            let specs = at_stage(cx, &shared.checks, stage);
            join_all(specs.into_iter().map(|spec| judge(cx, &shared.board, spec, &check))).await;
        }
    };
    tokio::join!(looking, driving, drawing, preparing, breaking);
    cx.step("checks", "contrôles", StepState::Done);
    Ok(())
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
    mut published: watch::Receiver<Option<Arc<StackWorld>>>,
) -> Result<(), Stop> {
    let experiments = &cx.lab.experiments;
    let mut seats: Vec<String> =
        experiments.outage.iter().filter(|o| o.second).map(|o| o.service.clone()).collect();
    if let Some(cache) = &experiments.cache {
        seats.extend([cache.request.service.clone(), cache.store.clone()]);
    }
    let up = bring_up(cx, shared, stack, built, None, (&seats, true)).await?;
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

/// Waits, within bounds, until the ports that the experiments use are listened to, and at least
/// one exposed port of each other service without a health check.
async fn listen(cx: &Ctx<'_>, world: &StackWorld) -> Result<(), Stop> {
    let experiments = &cx.lab.experiments;
    let mut wanted: BTreeMap<String, (BTreeSet<u16>, Duration)> = BTreeMap::new();
    let requests = experiments
        .cache
        .iter()
        .map(|c| &c.request)
        .chain(experiments.traffic.iter().map(|t| &t.metrics))
        .chain(experiments.outage.iter().filter_map(|o| o.request.as_ref()));
    for request in requests {
        wanted
            .entry(request.service.clone())
            .or_insert((BTreeSet::new(), Duration::from_secs(15)))
            .0
            .insert(request.port);
    }
    for (name, declared) in &world.declared.services {
        if declared.healthcheck.is_none() && !wanted.contains_key(name) {
            for instance in world.instances(name).await? {
                if !instance.exposed.is_empty() {
                    let ports = instance.exposed.iter().copied().collect();
                    wanted.insert(name.clone(), (ports, Duration::from_secs(5)));
                }
            }
        }
    }
    join_all(
        wanted.iter().map(|(service, (ports, patience))| wait_listening(world, service, ports, *patience)),
    )
    .await;
    Ok(())
}

/// Polls until one of `ports` accepts a connection; what never does is the checks' business.
async fn wait_listening(world: &StackWorld, service: &str, ports: &BTreeSet<u16>, patience: Duration) {
    use crate::check::world::wire;
    let deadline = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(20);
    while tokio::time::Instant::now() < deadline {
        let targets: Vec<wire::Target> = ports
            .iter()
            .map(|port| wire::Target { label: port.to_string(), host: "127.0.0.1".into(), port: *port })
            .collect();
        let ask = wire::Ask::Matrix(wire::Matrix { targets, timeout_ms: 1_000 });
        let Ok(answer) = world.ask(&Vantage::Service(service.to_owned()), ask).await else { return };
        if let wire::Outcome::Matrix(matrix) = answer.outcome
            && matrix.results.iter().any(|r| matches!(r.outcome, wire::TcpOutcome::Connected(_)))
        {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}
