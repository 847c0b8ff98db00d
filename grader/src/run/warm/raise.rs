//! From what is up to what a new reading asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Up, Warm, unreadable};
use crate::check::world::BringUp;
use crate::compose::{self, SandboxedModel};
use crate::engine::{BuildRequest, Stack};
use crate::event::StepState;
use crate::run::builds::build_all;
use crate::run::copy::{
    SETTLE, Shared, bring_up, new_stack, sandboxed, stack_plan, start_early, with_probes,
};
use crate::run::{Ctx, Stop};

/// A stack as a reading asks for it.
pub(super) struct Raised {
    pub stack: Arc<Stack>,
    pub up: BringUp,
    /// It began from nothing.
    pub fresh: bool,
    /// Services run anew.
    pub recreated: bool,
    /// Something that an image is built from changed.
    pub rebuilt: bool,
    /// Services that cannot be there: an image is missing.
    pub left_out: BTreeSet<String>,
}

/// What takes the place of what.
struct Place {
    old: Arc<Stack>,
    model: SandboxedModel,
    /// Services that make place.
    gone: BTreeSet<String>,
}

/// The name of the service whose build failed, and the log.
type Built = Option<(String, String)>;

/// What to build, and the fingerprint of what every image is built from.
type Builds<'a> = (&'a BTreeMap<String, BuildRequest>, &'a BTreeMap<String, String>);

impl Warm<'_> {
    /// Builds what changed and replaces what differs; everything from nothing when it must be.
    pub(super) async fn raise(
        &mut self,
        cx: &Ctx<'_>,
        shared: &Shared<'_>,
        fresh: bool,
    ) -> Result<Raised, Stop> {
        let needed = shared.approved.subnets_needed() + 2;
        if needed > self.subnets.len() {
            let more = cx.session.reserve_subnets(cx.engine, needed - self.subnets.len()).await?;
            self.subnets.extend(more);
        }
        let prints = shared.approved.model().build_prints().map_err(unreadable)?;
        let changed = |service: &String| self.images.get(service).map(|(p, _)| p) != prints.get(service);
        let builds: BTreeMap<String, BuildRequest> =
            shared.builds.iter().filter(|(s, _)| changed(s)).map(|(s, b)| (s.clone(), b.clone())).collect();
        if fresh {
            self.up = None;
        }
        let work = match &self.up {
            None => None,
            Some(up) => {
                let kept = unchanged(cx, shared, &self.subnets, up)?;
                let model = sandboxed(cx, shared, &self.subnets, false, kept);
                // A build may come to the same image; its service can be run anew all the same.
                let also = self.unsure.iter().chain(&up.lacking).chain(builds.keys()).cloned().collect();
                let gone = up.stack.model().replaced_by(&model, &also);
                gone.map(|gone| Place { old: Arc::clone(&up.stack), model, gone })
            }
        };
        match work {
            Some(place) => self.replace(cx, shared, (&builds, &prints), place).await,
            None => self.begin(cx, shared, (&builds, &prints)).await,
        }
    }

    /// Builds images, and remembers what they were built from.
    async fn build(
        &mut self,
        cx: &Ctx<'_>,
        shared: &Shared<'_>,
        (builds, prints): Builds<'_>,
    ) -> Result<Built, Stop> {
        // What a build that is given up or fails leaves under its name is not known.
        self.images.retain(|s, _| shared.builds.contains_key(s) && !builds.contains_key(s));
        if builds.is_empty() {
            return Ok(None);
        }
        cx.step("build", "construction des images", StepState::Started);
        let built = build_all(cx, builds).await?;
        let state = if built.is_none() { StepState::Done } else { StepState::Failed };
        cx.step("build", "construction des images", state);
        for (service, request) in builds.iter().filter(|_| built.is_none()) {
            let image = match &request.tag {
                Some(tag) => cx.engine.image_id(tag).await,
                None => None,
            };
            self.images.insert(service.clone(), (prints[service].clone(), image));
        }
        Ok(built)
    }

    /// Everything from nothing, but for the images.
    async fn begin(&mut self, cx: &Ctx<'_>, shared: &Shared<'_>, builds: Builds<'_>) -> Result<Raised, Stop> {
        self.up = None;
        cx.session.empty(cx.engine).await?;
        let model = sandboxed(cx, shared, &self.subnets, false, BTreeMap::new());
        let stack = new_stack(cx, shared, model, false)?;
        let (built, early_up) =
            tokio::join!(self.build(cx, shared, builds), start_early(shared, Some(&stack)));
        let (built, early_up) = (built?, early_up?);
        let left_out = left_out(shared, built.as_ref());
        cx.step("up", "démarrage de la pile", StepState::Started);
        let seats = seats(shared);
        let up = bring_up(cx, shared, &stack, built, early_up, (&seats, false)).await?;
        cx.step("up", "démarrage de la pile", StepState::Done);
        Ok(Raised { stack, up, fresh: true, recreated: true, rebuilt: !builds.0.is_empty(), left_out })
    }

    /// Replaces the services that must make place, in the same networks.
    async fn replace(
        &mut self,
        cx: &Ctx<'_>,
        shared: &Shared<'_>,
        builds: Builds<'_>,
        Place { old, model, mut gone }: Place,
    ) -> Result<Raised, Stop> {
        self.unsure.clone_from(&gone);
        let before = self.images.clone();
        let (built, removed) = tokio::join!(self.build(cx, shared, builds), old.remove_services(&gone));
        let built = built?;
        removed?;
        let left_out = left_out(shared, built.as_ref());
        if !left_out.is_subset(&gone) {
            old.remove_services(&left_out).await?;
            gone.extend(left_out.iter().cloned());
            self.unsure.clone_from(&gone);
        }
        cx.step("up", "démarrage de la pile", StepState::Started);
        let stack = Arc::new(old.succeed(stack_plan(cx, shared, model, false))?);
        let wanted: Vec<String> = seats(shared).into_iter().filter(|s| !left_out.contains(s)).collect();
        let todo: Vec<String> = wanted.iter().filter(|s| gone.contains(*s)).cloned().collect();
        let come_up = async {
            // What stays is as it should be: nothing of it needs to be waited for.
            let error = if todo.is_empty() { None } else { stack.up(&todo, true).await? };
            let mut up = match wanted.as_slice() {
                [] => BringUp::default(),
                wanted => stack.settle(wanted, error, SETTLE).await?,
            };
            up.build_failed = built;
            Ok(up)
        };
        let up = with_probes(cx, &stack, &todo, come_up).await?;
        cx.step("up", "démarrage de la pile", StepState::Done);
        for (service, (_, image)) in before {
            let now = self.images.get(&service).and_then(|(_, image)| image.as_ref());
            if let Some(image) = image.filter(|image| Some(image) != now) {
                cx.engine.drop_image(&image).await;
            }
        }
        let (recreated, rebuilt) = (!gone.is_empty(), !builds.0.is_empty());
        Ok(Raised { stack, up, fresh: false, recreated, rebuilt, left_out })
    }
}

fn seats(shared: &Shared<'_>) -> Vec<String> {
    shared.declared.services.keys().cloned().collect()
}

/// Once a build failed, the services that an ordinary run does not start either.
fn left_out(shared: &Shared<'_>, built: Option<&(String, String)>) -> BTreeSet<String> {
    match built {
        None => BTreeSet::new(),
        Some(_) => seats(shared).into_iter().filter(|service| !shared.early.contains(service)).collect(),
    }
}

/// The files and folders mounted that have not changed, and where they are mounted from.
fn unchanged(
    cx: &Ctx<'_>,
    shared: &Shared<'_>,
    subnets: &[ipnet::Ipv4Net],
    up: &Up,
) -> Result<BTreeMap<PathBuf, PathBuf>, Stop> {
    let root = shared.approved.model().root();
    let mut kept = BTreeMap::new();
    for path in sandboxed(cx, shared, subnets, false, BTreeMap::new()).mounts().keys() {
        let Some((print, from)) = up.mounts.get(path.strip_prefix(root).unwrap_or(path)) else { continue };
        if compose::fingerprint(path).map_err(unreadable)? == *print {
            kept.insert(path.clone(), from.clone());
        }
    }
    Ok(kept)
}
