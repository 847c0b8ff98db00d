//! The runs: one at a time for a lab, each with the journal of its events, which any number of pages may read
//! from where they want.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, Stream};
use rand::Rng;
use tokio::sync::watch;

use super::desk::{Desk, Sink, Stop};
use crate::error::{Fault, FaultKind};
use crate::event::Event;
use crate::lab::Lab;

/// What a page reads: an event of the run, then its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Place in the journal, from 0.
    pub at: usize,
    /// True for the last line, which is the report.
    pub is_report: bool,
    /// JSON.
    pub text: Arc<str>,
}

/// One run, under way or over.
pub struct Run {
    /// Random.
    pub id: String,
    /// Id of the lab.
    pub lab: String,
    /// As the page named it.
    pub dir: String,
    lines: Mutex<Vec<Line>>,
    /// How many lines there are, and whether it is over.
    state: watch::Sender<(usize, bool)>,
    stop: watch::Sender<bool>,
}

impl Run {
    fn push(&self, text: String, is_report: bool) {
        let mut lines = lock(&self.lines);
        let at = lines.len();
        lines.push(Line { at, is_report, text: text.into() });
        self.state.send_replace((lines.len(), is_report));
    }

    /// True once everything is over, clean-up included.
    pub fn is_over(&self) -> bool {
        self.state.borrow().1
    }

    /// Lines written so far.
    pub fn len(&self) -> usize {
        self.state.borrow().0
    }

    /// Asks it to end; it cleans up first.
    pub fn cancel(&self) {
        self.stop.send_replace(true);
    }

    /// Resolves when everything is over.
    pub async fn over(&self) {
        let _ = self.state.subscribe().wait_for(|(_, over)| *over).await;
    }

    /// The journal from a line on, followed to its end.
    pub fn follow(self: Arc<Self>, from: usize) -> impl Stream<Item = Line> + Send + use<> {
        let news = self.state.subscribe();
        stream::unfold((self, news, from), |(run, mut news, at)| async move {
            // An error would mean that the run is gone, but we hold it.
            let (_, over) = *news.wait_for(|(len, over)| *len > at || *over).await.ok()?;
            let line = lock(&run.lines).get(at).cloned();
            debug_assert!(line.is_some() || over, "woken for nothing");
            line.map(|line| (line, (run, news, at + 1)))
        })
    }
}

/// Why no run was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// This lab is being checked already.
    Lab,
    /// The server is about to stop.
    Closing,
}

/// All runs: of each lab, the one under way or the last.
pub struct Runs {
    desk: Arc<dyn Desk>,
    all: Mutex<(Vec<Arc<Run>>, bool)>,
}

impl Runs {
    /// None yet.
    pub fn new(desk: Arc<dyn Desk>) -> Self {
        Self { desk, all: Mutex::default() }
    }

    /// Starts a run of `lab` on `folder`, which the page calls `dir`.
    ///
    /// # Errors
    ///
    /// One is under way, or the server stops.
    pub fn start(&self, lab: &Lab, folder: PathBuf, dir: &str) -> Result<Arc<Run>, Busy> {
        let (ask, stop) = Stop::new();
        let run = Arc::new(Run {
            id: format!("{:016x}", rand::rng().random::<u64>()),
            lab: lab.id.clone(),
            dir: dir.to_owned(),
            lines: Mutex::default(),
            state: watch::Sender::new((0, false)),
            stop: ask,
        });
        {
            let mut all = lock(&self.all);
            let (runs, closing) = &mut *all;
            if *closing {
                return Err(Busy::Closing);
            }
            if runs.iter().any(|r| r.lab == lab.id && !r.is_over()) {
                return Err(Busy::Lab);
            }
            runs.retain(|r| r.lab != lab.id);
            runs.push(Arc::clone(&run));
        }
        tokio::spawn(work(Arc::clone(&self.desk), lab.clone(), folder, stop, Arc::clone(&run)));
        Ok(run)
    }

    /// The run with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Run>> {
        lock(&self.all).0.iter().find(|r| r.id == id).cloned()
    }

    /// The run of a lab, under way or over.
    pub fn of(&self, lab: &str) -> Option<Arc<Run>> {
        lock(&self.all).0.iter().find(|r| r.lab == lab).cloned()
    }

    /// Refuses new runs, ends those under way and waits for their clean-up.
    pub async fn close(&self) {
        let runs = {
            let mut all = lock(&self.all);
            all.1 = true;
            all.0.clone()
        };
        for run in &runs {
            run.cancel();
        }
        for run in runs {
            run.over().await;
        }
    }
}

async fn work(desk: Arc<dyn Desk>, lab: Lab, folder: PathBuf, stop: Stop, run: Arc<Run>) {
    let sink: Sink = {
        let run = Arc::clone(&run);
        Arc::new(move |event| run.push(json(&event), false))
    };
    let inner = Arc::clone(&sink);
    let checked = tokio::spawn(async move { desk.check(&lab, &folder, stop, inner).await });
    let report = checked.await.unwrap_or_else(|e| {
        sink(Event::Faulted(
            Fault::new(
                FaultKind::Bug,
                "le correcteur s'est arrêté sur un défaut",
                "relancez ; si cela recommence, signalez-le",
            )
            .detail(e),
        ));
        serde_json::Value::Null
    });
    run.push(report.to_string(), true);
}

fn json(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
