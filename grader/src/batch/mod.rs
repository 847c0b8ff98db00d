//! Many submissions to one lab: who is in the class, in what order and how many at a time they are graded,
//! and what is kept of it when the machine stops in the middle.
//!
//! What decides is pure and apart from what does: [`plan`] (what is left to do), [`pace`] (how many at a
//! time), [`doubt`](mod@doubt) (which verdicts are worth another attempt), [`roster`] (who is who). Nothing
//! of a finished submission stays in memory but its [`Summary`](crate::report::class::Summary).

mod attempts;
mod class;
mod doubt;
mod folders;
mod journal;
mod machine;
mod merge;
mod names;
mod one;
mod output;
mod pace;
mod part;
mod plan;
mod publish;
mod roster;
mod ruler;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use attempts::choose;
pub use folders::{Folder, fingerprint, list};
pub use journal::JournalError;
pub use merge::merge;
pub use pace::{Jobs, Sample};
pub use part::Part;
pub use publish::{Published, publish};
pub use roster::Roster;
pub use ruler::ruler;

use crate::course::Course;
use crate::engine::{Engine, ImagePolicy};
use crate::error::{Fault, FaultKind};
use crate::event::Event;
use crate::lab::Lab;
use crate::report::class::Summary;
use crate::reporter::html::Theme;

/// What a batch is asked.
pub struct Setup {
    /// The engine.
    pub engine: Engine,
    /// The lab.
    pub lab: Lab,
    /// Folder that holds one folder a student.
    pub copies: PathBuf,
    /// Folder of the results.
    pub out: PathBuf,
    /// The class list.
    pub roster: Option<Roster>,
    /// The policy of the course.
    pub course: Option<Course>,
    /// The submissions that are graded.
    pub part: Part,
    /// Go on with what is in the folder of the results.
    pub resume: bool,
    /// Submissions at a time.
    pub jobs: Jobs,
    /// Where images may come from.
    pub images: ImagePolicy,
    /// Folder of the offline recipes.
    pub recipes: PathBuf,
    /// Measure times as they are, never divided.
    pub real_time: bool,
    /// Longest run of one submission.
    pub timeout: Duration,
    /// Templates of the pages.
    pub theme: Theme,
}

/// What a batch says while it works.
#[derive(Debug)]
pub enum Told<'a> {
    /// Everything is read: `due` of `total` folders are to be graded, at most `most` at a time.
    Opened {
        /// Folders.
        total: usize,
        /// To be graded.
        due: usize,
        /// At a time.
        most: usize,
    },
    /// French: worth knowing.
    Remark(&'a str),
    /// A submission begins.
    Began {
        /// Its key.
        key: &'a str,
        /// For people.
        name: &'a str,
        /// French: why it has the machine for itself.
        alone: Option<&'a str>,
    },
    /// An event of a run.
    Event(&'a str, &'a Event),
    /// A submission ended, for now at least.
    Ended {
        /// Its key.
        key: &'a str,
        /// For people.
        name: &'a str,
        /// What came of it.
        result: &'a Summary,
        /// French: why it will be graded again, alone.
        again: Option<&'a str>,
        /// Submissions that need nothing more, and all of them.
        done: (usize, usize),
        /// Time left, as far as can be told.
        left: Option<Duration>,
    },
}

/// Receives what a batch says, in order.
pub type Teller = dyn Fn(Told<'_>) + Send + Sync;

/// What a batch comes down to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Total {
    /// Figures of the class.
    pub stats: Option<crate::report::class::Stats>,
    /// Submissions that wait for another `--resume`.
    pub pending: usize,
    /// It was interrupted.
    pub interrupted: bool,
    /// What stopped it before its end.
    pub fault: Option<Fault>,
}

/// Grades a class. Everything that was scored is on the disk when it returns, whatever stopped it;
/// `cancel` stops it early.
///
/// # Errors
///
/// Nothing could be begun: no folder, a journal that cannot be used.
pub async fn batch(
    setup: Arc<Setup>,
    cancel: impl Future<Output = ()>,
    tell: Arc<Teller>,
) -> Result<Total, Fault> {
    let mut work = work::Work::open(setup, tell)?;
    work.run(cancel).await;
    work.close()
}

fn disk(what: impl Into<String>, error: impl std::fmt::Display) -> Fault {
    Fault::new(FaultKind::Disk, what, "vérifiez la place et les droits de ce dossier, puis relancez")
        .detail(error)
}
