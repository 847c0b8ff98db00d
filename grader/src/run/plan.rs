//! The copies of the stack and the order of the work on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::builds::build_all;
use super::copy::{Shared, bring_up, is_well, new_stack, sandboxed, start_early, world};
use super::judge::{at_stage, judge};
use super::listen::listen;
use super::{Ctx, Stop, reach};
use crate::check::world::BringUp;
use crate::check::{Cx, Stage};
use crate::compose::{ApprovedModel, Staged};
use crate::engine::{Stack, StackWorld};
use crate::event::{Event, StepState};
use crate::lab::{CheckSpec, Lab};

/// Brings the copies up, judges every check and emits the verdicts; gives the first copy, which is
/// still up only when it was asked for.
pub(super) async fn grade(
    cx: &Ctx<'_>,
    staged: &Arc<Staged>,
    approved: &ApprovedModel,
    probe_image: &str,
) -> Result<Arc<Stack>, Stop> {
    let shared = Shared::of(cx, staged, approved, probe_image, cx.session.dir()).await?;
    let experiments = &cx.lab.experiments;
    let needs_second = shared.checks.iter().any(|c| c.check.stage(experiments) == Stage::Second);
    let networks = approved.subnets_needed() + 2;
    let subnets = cx.session.reserve_subnets(cx.engine, networks * if needs_second { 2 } else { 1 }).await?;
    let (first_nets, second_nets) = subnets.split_at(networks);

    let model = |subnets, second| sandboxed(cx, &shared, subnets, second, BTreeMap::new());
    let main = model(first_nets, false);
    for change in main.changes() {
        cx.emit(Event::Rewritten(change.clone()));
    }
    let main = new_stack(cx, &shared, main, false)?;
    let second =
        if needs_second { Some(new_stack(cx, &shared, model(second_nets, true), true)?) } else { None };

    // What needs no build starts while the images are built.
    cx.step("build", "construction des images", StepState::Started);
    let (built, early_up, second_early_up) = tokio::join!(
        build_all(cx, &shared.builds),
        start_early(&shared, Some(&main)),
        start_early(&shared, second.as_ref())
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
    if cx.keep {
        main.mend().await?;
    }
    Ok(main)
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
        if cx.keep {
            return Ok(());
        }
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
    let well = is_well(&up);
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
        if well && !cx.lab.no_map {
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
    let well = is_well(&up);
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
