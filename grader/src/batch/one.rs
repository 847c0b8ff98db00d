//! One attempt at one submission: its events on the disk as they come, and the report at the end.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::{Setup, Teller, Told};
use crate::error::{Fault, FaultKind};
use crate::event::{Event, Level, Notice};
use crate::report::class::{Fate, Summary};
use crate::report::{Fold, Report};
use crate::reporter::{JsonLines, Reporter as _};
use crate::run::{self, RunOptions};

/// How long a run may take to clean up, once its own deadline is over.
const GRACE: Duration = Duration::from_secs(180);

/// What is asked of an attempt.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Key under which it is graded.
    pub key: String,
    /// For people, and the report.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
    /// Where its events go.
    pub events: PathBuf,
    /// It has the machine for itself, for this reason (French); what came of it before.
    pub alone: Option<(String, Option<Summary>)>,
}

/// What came of it.
pub(super) struct Done {
    /// The report.
    pub report: Report,
    /// Its events could not be written.
    pub unwritten: Option<io::Error>,
}

/// What listens to one run.
struct Ear {
    fold: Fold,
    out: Option<BufWriter<File>>,
    unwritten: Option<io::Error>,
}

impl Ear {
    fn new(file: &Path) -> Self {
        match File::create(file) {
            Ok(file) => Self { fold: Fold::default(), out: Some(BufWriter::new(file)), unwritten: None },
            Err(e) => Self { fold: Fold::default(), out: None, unwritten: Some(e) },
        }
    }

    fn hear(&mut self, event: Event) {
        if let Some(out) = &mut self.out
            && let Err(e) = JsonLines.event(&event, out)
        {
            self.unwritten.get_or_insert(e);
            self.out = None;
        }
        self.fold.push(event);
    }
}

/// Grades a submission. Whatever happens to it, something comes back.
pub(super) async fn attempt(
    setup: Arc<Setup>,
    job: Job,
    stop: watch::Receiver<bool>,
    tell: Arc<Teller>,
) -> Done {
    let ear = Arc::new(Mutex::new(Ear::new(&job.events)));
    let graded = {
        let (ear, job, setup) = (Arc::clone(&ear), job.clone(), Arc::clone(&setup));
        // A task of its own: a panic is a fault of this submission's report, not of the batch.
        tokio::spawn(async move { grade(&setup, &job, stop, &ear, &*tell).await })
    };
    let ended = graded.await;
    let mut ear = ear.lock().unwrap_or_else(PoisonError::into_inner);
    if ended.is_err() {
        let todo = "signalez ce défaut du correcteur, avec le journal de cette copie";
        ear.hear(Event::Faulted(Fault::new(FaultKind::Bug, "défaut du correcteur", todo)));
    }
    let report = std::mem::take(&mut ear.fold).finish();
    let unwritten = ear.unwritten.take().or_else(|| settled(ear.out.take()).err());
    Done { report, unwritten }
}

/// Puts on the disk what was written.
fn settled(out: Option<BufWriter<File>>) -> io::Result<()> {
    let Some(out) = out else { return Ok(()) };
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

async fn grade(setup: &Setup, job: &Job, mut stop: watch::Receiver<bool>, ear: &Mutex<Ear>, tell: &Teller) {
    let options = RunOptions {
        dir: job.dir.clone(),
        label: job.name.clone(),
        images: setup.images,
        recipes: setup.recipes.clone(),
        only: None,
        real_time: setup.real_time,
        timeout: setup.timeout,
    };
    let hear = |event: Event| {
        tell(Told::Event(&job.key, &event));
        ear.lock().unwrap_or_else(PoisonError::into_inner).hear(event);
    };
    let sink = |event: Event| match (&event, &job.alone) {
        (Event::RunStarted(_), Some((why, _))) => {
            hear(event);
            hear(notice(format!("relancé seul : {why}")));
        }
        (Event::RunFinished(_), Some((_, Some(before)))) => {
            let fold = ear.lock().unwrap_or_else(PoisonError::into_inner).fold.clone();
            hear(notice(compared(before, &Summary::of(&fold.finish()))));
            hear(event);
        }
        _ => hear(event),
    };
    let cancelled = async {
        // The sender going away says nothing.
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let run = run::run(&setup.engine, &setup.lab, &options, cancelled, &sink);
    if tokio::time::timeout(setup.timeout + GRACE, run).await.is_err() {
        let todo = "relancez avec --resume ; « grader clean » supprime ce qui reste";
        hear(Event::Faulted(Fault::new(FaultKind::Deadline, "la correction ne se laisse pas arrêter", todo)));
    }
}

fn notice(text: String) -> Event {
    Event::Notice(Notice { level: Level::Info, text, place: None })
}

/// What being alone changed.
fn compared(before: &Summary, after: &Summary) -> String {
    let standing = |of: &Summary| of.checks.iter().map(|c| (c.id.clone(), c.standing)).collect::<Vec<_>>();
    if after.standing == Fate::NotGraded {
        "relancé seul : pas de verdict non plus".to_owned()
    } else if before.standing == after.standing && standing(before) == standing(after) {
        "relancé seul : même résultat".to_owned()
    } else {
        "relancé seul : le résultat a changé, celui-ci compte".to_owned()
    }
}
