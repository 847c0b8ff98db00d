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

/// The name of the service whose build failed, and the log.
type Built = Option<(String, String)>;

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
        let model = match &self.up {
            Some(up) => {
                let kept = unchanged(cx, shared, &self.subnets, up)?;
                sandboxed(cx, shared, &self.subnets, false, kept)
            }
            None => return self.begin(cx, shared, (&builds, &prints)).await,
        };
        let in_place = |up: &Up| up.stack.model().replaced_by(&model, &BTreeSet::new()).is_some();
        if self.up.as_ref().is_some_and(in_place) {
            self.replace(cx, shared, model, (&builds, &prints)).await
        } else {
            self.begin(cx, shared, (&builds, &prints)).await
        }
    }

    /// Builds images, and remembers what they were built from.
    async fn build(
        &mut self,
        cx: &Ctx<'_>,
        shared: &Shared<'_>,
        builds: &BTreeMap<String, BuildRequest>,
        prints: &BTreeMap<String, String>,
    ) -> Result<(Built, BTreeSet<String>), Stop> {
        self.images.retain(|service, _| shared.builds.contains_key(service));
        if builds.is_empty() {
            return Ok((None, BTreeSet::new()));
        }
        cx.step("build", "construction des images", StepState::Started);
        let built = build_all(cx, builds).await?;
        cx.step(
            "build",
            "construction des images",
            if built.is_none() { StepState::Done } else { StepState::Failed },
        );
        let mut new = BTreeSet::new();
        for (service, request) in builds {
            if built.as_ref().is_some_and(|(failed, _)| failed == service) {
                self.images.remove(service);
                continue;
            }
            let image = match &request.tag {
                Some(tag) => cx.engine.image_id(tag).await,
                None => None,
            };
            let before = self.images.insert(service.clone(), (prints[service].clone(), image.clone()));
            if before.as_ref().is_none_or(|(_, before)| *before != image) {
                new.insert(service.clone());
            }
        }
        Ok((built, new))
    }

    /// Everything from nothing, but for the images.
    async fn begin(
        &mut self,
        cx: &Ctx<'_>,
        shared: &Shared<'_>,
        (builds, prints): (&BTreeMap<String, BuildRequest>, &BTreeMap<String, String>),
    ) -> Result<Raised, Stop> {
        self.up = None;
        cx.session.empty(cx.engine).await?;
        let model = sandboxed(cx, shared, &self.subnets, false, BTreeMap::new());
        let stack = new_stack(cx, shared, model, false)?;
        let (built, early_up) =
            tokio::join!(self.build(cx, shared, builds, prints), start_early(shared, Some(&stack)));
        let ((built, _), early_up) = (built?, early_up?);
        let left_out = left_out(shared, built.as_ref());
        cx.step("up", "démarrage de la pile", StepState::Started);
        let seats = seats(shared);
        let up = bring_up(cx, shared, &stack, built, early_up, (&seats, false)).await?;
        cx.step("up", "démarrage de la pile", StepState::Done);
        Ok(Raised { stack, up, fresh: true, recreated: true, rebuilt: !builds.is_empty(), left_out })
    }

    /// Replaces what differs, in the same networks.
    async fn replace(
        &mut self,
        cx: &Ctx<'_>,
        shared: &Shared<'_>,
        model: SandboxedModel,
        (builds, prints): (&BTreeMap<String, BuildRequest>, &BTreeMap<String, String>),
    ) -> Result<Raised, Stop> {
        let before = self.images.clone();
        let (built, new) = self.build(cx, shared, builds, prints).await?;
        let left_out = left_out(shared, built.as_ref());
        let Some(old) = self.up.as_ref() else { return self.begin(cx, shared, (builds, prints)).await };
        let mut also: BTreeSet<String> = &(&self.unsure | &old.lacking) | &new;
        also.extend(left_out.iter().cloned());
        let Some(gone) = old.stack.model().replaced_by(&model, &also) else {
            return self.begin(cx, shared, (builds, prints)).await;
        };
        self.unsure.clone_from(&gone);
        cx.step("up", "démarrage de la pile", StepState::Started);
        let nothing_new = gone.is_empty();
        old.stack.remove_services(&gone).await?;
        let stack = Arc::new(old.stack.succeed(stack_plan(cx, shared, model, false))?);
        let wanted: Vec<String> =
            seats(shared).into_iter().filter(|service| !left_out.contains(service)).collect();
        let todo: Vec<String> = wanted.iter().filter(|service| gone.contains(*service)).cloned().collect();
        let come_up = async {
            // What stays is as it should be: nothing of it needs to be waited for.
            let error = if todo.is_empty() { None } else { stack.up(&todo, true).await? };
            let mut up = if wanted.is_empty() {
                BringUp::default()
            } else {
                stack.settle(&wanted, error, SETTLE).await?
            };
            up.build_failed = built;
            Ok(up)
        };
        let up = with_probes(cx, &stack, &todo, come_up).await?;
        cx.step("up", "démarrage de la pile", StepState::Done);
        for (service, (_, image)) in before {
            if let Some(image) = image.filter(|_| new.contains(&service)) {
                cx.engine.drop_image(&image).await;
            }
        }
        Ok(Raised { stack, up, fresh: false, recreated: !nothing_new, rebuilt: !builds.is_empty(), left_out })
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
