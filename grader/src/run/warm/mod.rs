//! A stack kept warm from one reading of a student's folder to the next.

mod change;
mod raise;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;

use self::change::{Change, again};
use self::raise::Raised;
use super::copy::{Shared, is_well, world};
use super::judge::{Board, at_stage, judge};
use super::listen::listen;
use super::{Ctx, RunOptions, Sink, Stop, finish, intake, opening, plan};
use crate::check::{Cx, Stage};
use crate::compose::{self, ApprovedModel};
use crate::engine::{self, Engine, Session, Stack};
use crate::error::{Fault, FaultKind};
use crate::event::{Event, Inventory, StepState};
use crate::lab::Lab;

/// What came of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// What it may concern was judged again.
    Judged,
    /// The folder is as it was: the verdicts stand.
    Same,
    /// Given up: a newer save is there.
    Superseded,
    /// It says nothing of the checks; an event says why. The stack of before stays, if there is one.
    Stopped,
}

/// The first copy of a stack, kept up while its author works. Verdicts that break something are not
/// given here.
pub struct Warm<'a> {
    engine: &'a Engine,
    lab: &'a Lab,
    options: &'a RunOptions,
    sink: &'a Sink<'a>,
    session: Arc<Session>,
    probe_image: String,
    /// Subnets of the copy, always handed out in the same order.
    subnets: Vec<ipnet::Ipv4Net>,
    readings: u64,
    /// By built service: what its image was built from, and the image.
    images: BTreeMap<String, (String, Option<String>)>,
    up: Option<Up>,
    /// Services whose containers were being replaced when the work stopped.
    unsure: BTreeSet<String>,
    /// Last verdicts: whether each check passed.
    known: HashMap<String, bool>,
}

/// What is up.
struct Up {
    stack: Arc<Stack>,
    /// Fingerprint of the whole copy.
    tree: String,
    /// Fingerprint of each file or folder that services get as they run, by its path in the copy, with
    /// the place where it is mounted from.
    mounts: BTreeMap<PathBuf, (String, PathBuf)>,
    /// Services that are not as they should be.
    lacking: BTreeSet<String>,
}

impl<'a> Warm<'a> {
    /// Opens a session; nothing is read yet.
    ///
    /// # Errors
    ///
    /// No session, or no image of the probe.
    pub async fn open(
        engine: &'a Engine,
        lab: &'a Lab,
        options: &'a RunOptions,
        sink: &'a Sink<'a>,
    ) -> Result<Self, Fault> {
        let session = Arc::new(Session::open(&lab.id)?);
        let (probe_image, _) =
            tokio::join!(engine::probe_image(engine, &session), engine::clean(engine, false));
        let probe_image = match probe_image {
            Ok(image) => image,
            Err(fault) => {
                // Nothing was created but the session itself.
                let _ = session.close(engine).await;
                return Err(fault);
            }
        };
        Ok(Self {
            engine,
            lab,
            options,
            sink,
            session,
            probe_image,
            subnets: Vec::new(),
            readings: 0,
            images: BTreeMap::new(),
            up: None,
            unsure: BTreeSet::new(),
            known: HashMap::new(),
        })
    }

    /// Reads the folder again, replaces what differs and judges what it may concern; with `fresh` the
    /// stack begins again from nothing. Once `superseded` resolves, whatever was not yet ready to be
    /// judged is given up. The events are those of a run, without its end.
    pub async fn refresh(&mut self, fresh: bool, superseded: impl Future<Output = ()>) -> Refreshed {
        let start = Instant::now();
        (self.sink)(opening(&self.session.id, self.lab, self.options));
        let cx = Ctx {
            engine: self.engine,
            lab: self.lab,
            options: self.options,
            session: Arc::clone(&self.session),
            sink: self.sink,
            start,
            keep: false,
        };
        let refreshed = match self.renew(&cx, fresh, superseded).await {
            Ok(refreshed) => refreshed,
            Err(stop) => {
                cx.emit(match stop {
                    Stop::Invalid(problems) => Event::Invalid(problems),
                    Stop::Refused(refusals) => Event::Refused(refusals),
                    Stop::Fault(fault) => Event::Faulted(fault),
                });
                Refreshed::Stopped
            }
        };
        finish(self.sink, start);
        refreshed
    }

    /// Removes everything and says what is left.
    ///
    /// # Errors
    ///
    /// The engine cannot be asked; the supervisor goes on.
    pub async fn close(self) -> Result<Inventory, Fault> {
        drop(self.up);
        self.session.close(self.engine).await
    }

    async fn renew(
        &mut self,
        cx: &Ctx<'_>,
        fresh: bool,
        superseded: impl Future<Output = ()>,
    ) -> Result<Refreshed, Stop> {
        self.readings += 1;
        let room = cx.session.dir().join(format!("lecture-{}", self.readings));
        let staged = intake::stage(cx, &room)?;
        let lab = intake::drawn(cx.lab, &staged.root)?;
        let cx = &cx.judging(&lab);
        let tree = compose::fingerprint(&staged.root).map_err(unreadable)?;
        if !fresh && self.unsure.is_empty() && self.up.as_ref().is_some_and(|up| up.tree == tree) {
            let _ = std::fs::remove_dir_all(&room);
            return Ok(Refreshed::Same);
        }
        let approved = intake::approve(cx, &staged).await?;
        intake::images(cx, &approved).await?;
        let shared = Shared::of(cx, &staged, &approved, &self.probe_image, &room).await?;
        let raised = tokio::select! {
            biased;
            () = superseded => return Ok(Refreshed::Superseded),
            raised = self.raise(cx, &shared, fresh) => raised?,
        };
        self.settle(&approved, &raised, tree).map_err(unreadable)?;
        self.judge(cx, shared, raised).await?;
        self.tidy(&room);
        Ok(Refreshed::Judged)
    }

    /// Notes what is up now.
    fn settle(&mut self, approved: &ApprovedModel, raised: &Raised, tree: String) -> std::io::Result<()> {
        let root = approved.model().root();
        let mut mounts = BTreeMap::new();
        for (path, from) in raised.stack.model().mounts() {
            let inside = path.strip_prefix(root).unwrap_or(path).to_owned();
            mounts.insert(inside, (compose::fingerprint(path)?, from.clone()));
        }
        let up = &raised.up;
        let mut lacking: BTreeSet<String> = up.not_ready.keys().cloned().collect();
        lacking.extend(raised.left_out.iter().cloned());
        self.up = Some(Up { stack: Arc::clone(&raised.stack), tree, mounts, lacking });
        self.unsure.clear();
        Ok(())
    }

    async fn judge(&mut self, cx: &Ctx<'_>, mut shared: Shared<'_>, raised: Raised) -> Result<(), Stop> {
        let Raised { stack, up, fresh, recreated, rebuilt, .. } = raised;
        let change = Change { fresh, recreated, rebuilt };
        shared.checks = again(&plan::selected(cx.lab, None), &cx.lab.experiments, change, &self.known);
        let mut known = self.known.clone();
        for spec in &shared.checks {
            known.remove(&spec.card.id);
        }
        shared.board = Board::knowing(known);
        let well = is_well(&up);
        let world = world(cx, &shared, &stack, up);
        if well {
            listen(cx, &world).await?;
        }
        cx.step("checks", "contrôles", StepState::Started);
        let check =
            Cx { world: &world, experiments: &cx.lab.experiments, memo: &shared.memo_main, second: None };
        let preparing = async {
            if well {
                join_all(shared.checks.iter().map(|spec| spec.check.prepare(&check))).await;
            }
        };
        let together = [Stage::Static, Stage::Image, Stage::Observe];
        let looking = together.iter().flat_map(|stage| at_stage(cx, &shared.checks, *stage));
        let looking = join_all(looking.map(|spec| judge(cx, &shared.board, spec, &check)));
        let driving = async {
            for spec in at_stage(cx, &shared.checks, Stage::Drive) {
                judge(cx, &shared.board, spec, &check).await;
            }
        };
        tokio::join!(preparing, looking, driving);
        cx.step("checks", "contrôles", StepState::Done);
        self.known = shared.board.verdicts();
        Ok(())
    }

    /// Removes the folders of readings that nothing uses any more.
    fn tidy(&self, room: &Path) {
        let used = |dir: &Path| {
            let mounts = self.up.iter().flat_map(|up| up.mounts.values());
            dir == room || mounts.into_iter().any(|(_, from)| from.starts_with(dir))
        };
        for entry in std::fs::read_dir(self.session.dir()).into_iter().flatten().flatten() {
            let reading = entry.file_name().to_string_lossy().starts_with("lecture-");
            if reading && !used(&entry.path()) {
                // What a container wrote as another user goes with the session.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn unreadable(error: std::io::Error) -> Stop {
    let what = "la copie de votre dossier ne se relit pas";
    Stop::Fault(Fault::new(FaultKind::Disk, what, "vérifiez la place sur le disque").detail(error))
}
