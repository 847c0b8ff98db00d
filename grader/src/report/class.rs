//! A class: many submissions to one lab. `class.json` is this, written by `grader batch` and read by
//! whatever makes a gradebook of it (`docs/CLASSE.md` tells it field by field).
//!
//! [`Summary`] is what is kept of a finished submission while others run: a few hundred bytes. Whole
//! reports are only in the file, which [`Writer`] fills one at a time.

mod diff;
mod read;
mod receipt;
#[cfg(test)]
pub(crate) mod sample;
mod settled;
mod stats;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use diff::{Cause, Change, Diff, Side};
pub use read::ReadError;
pub use receipt::{Broken, Receipt, Ruler, broken};
pub use settled::{Course, Kind, Settled, Term};
pub use stats::{Rate, Stats};
pub use write::Writer;

use super::{Outcome, Report, Score, Standing};
use crate::event::{CheckCard, StepState};

/// Version of `class.json`; raised when a reader of an older one would misread.
pub const FORMAT: u32 = 1;

/// A class and its results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", from = "read::Flat<Submission>")]
pub struct Class {
    /// What is the same for all.
    #[serde(flatten)]
    pub head: Head,
    /// In the order of the roster, then of the folders' names.
    pub submissions: Vec<Submission>,
}

/// What is the same for all submissions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the grader.
    pub grader: String,
    /// Lab id, for instance `02`.
    pub lab: String,
    /// French title of the lab.
    pub lab_title: String,
    /// Points of the lab.
    pub max: f64,
    /// The checks, in the order of the lab.
    pub checks: Vec<CheckCard>,
    /// The columns of the roster, in its order; empty without one.
    pub columns: Vec<String>,
    /// The course whose policy makes the notes, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Course>,
}

/// A student, or a group that hands in together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Submission {
    /// Unique in the class, and a safe file name: ASCII letters, digits, `.`, `_`, `-`.
    pub key: String,
    /// Name of the folder, for people; empty when nothing was handed in.
    #[serde(default)]
    pub folder: String,
    /// The row of the roster, by column; empty for a folder that the roster does not know.
    #[serde(default)]
    pub identity: BTreeMap<String, String>,
    /// The student's page, relative to the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Times it was graded, the one that counts included.
    #[serde(default)]
    pub attempts: u32,
    /// The one that counts had the machine for itself, an earlier one being in doubt.
    #[serde(default)]
    pub alone: bool,
    /// Key under which the folder is graded, when another student hands it in too; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub graded_as: String,
    /// What it comes down to.
    pub result: Summary,
    /// The note that the course makes of it, when one was given.
    #[serde(default, rename = "final", skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
    /// What it was made with, and a seal over its verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Its place in the whole class, from 0, when this is one part of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// The whole report; absent when nothing was run, or when its events cannot be read any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<Report>>,
}

impl Submission {
    /// Key under which the folder is graded.
    pub fn run_key(&self) -> &str {
        if self.graded_as.is_empty() { &self.key } else { &self.graded_as }
    }

    /// What a person knows it by.
    pub fn name(&self) -> &str {
        if self.folder.is_empty() { &self.key } else { &self.folder }
    }
}

/// How a submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// A firm note.
    Graded,
    /// A note in doubt: some checks could not be judged.
    Provisional,
    /// The policy refused it: nothing was started.
    Refused,
    /// A file of the student is invalid: nothing was started.
    Invalid,
    /// « non noté »: the machine or the grader failed, or it was not its turn yet. Never zero.
    NotGraded,
    /// « non rendu »: in the roster, without a folder.
    Missing,
}

impl Fate {
    /// Every fate, in the order in which they are told.
    pub const ALL: [Self; 6] =
        [Self::Graded, Self::Provisional, Self::Refused, Self::Invalid, Self::NotGraded, Self::Missing];

    /// In French, for one submission.
    pub fn french(self) -> &'static str {
        match self {
            Self::Graded => "noté",
            Self::Provisional => "note provisoire",
            Self::Refused => "refusé",
            Self::Invalid => "invalide",
            Self::NotGraded => "non noté",
            Self::Missing => "non rendu",
        }
    }

    /// No note, and none to expect: the teacher may decide that it is a zero.
    pub fn may_be_zero(self) -> bool {
        matches!(self, Self::Refused | Self::Invalid | Self::Missing)
    }

    /// The verdict stands: grading again would only give it again.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Graded | Self::Refused | Self::Invalid | Self::Missing)
    }
}

/// One check of one submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cell {
    /// Check id.
    pub id: String,
    /// Where it stands.
    pub standing: Standing,
    /// Points earned.
    pub earned: f64,
}

/// How long a step took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Took {
    /// Stable name of the step (see [`crate::event::Step`]).
    pub name: String,
    /// French text.
    pub text: String,
    /// Milliseconds.
    pub ms: u64,
}

/// What a submission comes down to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// How it ended.
    pub standing: Fate,
    /// The note; absent when none is given.
    #[serde(default)]
    pub score: Option<Score>,
    /// The checks, in lab order; empty when no note is given.
    #[serde(default)]
    pub checks: Vec<Cell>,
    /// French: why no note is given; empty when one is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Milliseconds of the whole run.
    #[serde(default)]
    pub elapsed_ms: Option<u64>,
    /// The main steps.
    #[serde(default)]
    pub steps: Vec<Took>,
}

impl Summary {
    /// Nothing was run, because of `why`.
    pub fn without_run(standing: Fate, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { standing, score: None, checks: Vec::new(), why, elapsed_ms: None, steps: Vec::new() }
    }

    /// Of a finished run.
    pub fn of(report: &Report) -> Self {
        let first = |all: &mut dyn Iterator<Item = &str>| all.next().unwrap_or_default().to_owned();
        let (standing, why) = match &report.outcome {
            Outcome::Graded if report.score.as_ref().is_some_and(Score::is_provisional) => {
                (Fate::Provisional, String::new())
            }
            Outcome::Graded => (Fate::Graded, String::new()),
            Outcome::Refused(all) => (Fate::Refused, first(&mut all.iter().map(|r| r.what.as_str()))),
            Outcome::Invalid(all) => (Fate::Invalid, first(&mut all.iter().map(|p| p.what.as_str()))),
            Outcome::NotGraded(fault) => (Fate::NotGraded, fault.what.clone()),
        };
        let cell =
            |c: &super::CheckResult| Cell { id: c.card.id.clone(), standing: c.standing, earned: c.earned };
        let checks = report.score.iter().flat_map(|_| report.checks.iter().map(cell)).collect();
        Self {
            standing,
            score: report.score,
            checks,
            why,
            elapsed_ms: report.elapsed_ms,
            steps: took(report),
        }
    }
}

/// The main steps of a run that ended (those of one service or one image, `service:api`, left out).
fn took(report: &Report) -> Vec<Took> {
    let mut begun: BTreeMap<&str, u64> = BTreeMap::new();
    let mut all: Vec<Took> = Vec::new();
    for step in report.steps.iter().filter(|step| !step.name.contains(':')) {
        if step.state == StepState::Started {
            begun.entry(&step.name).or_insert(step.at_ms);
        } else if let Some(from) = begun.remove(step.name.as_str()) {
            let ms = step.at_ms.saturating_sub(from);
            match all.iter_mut().find(|took| took.name == step.name) {
                Some(took) => took.ms += ms,
                None => all.push(Took { name: step.name.clone(), text: step.text.clone(), ms }),
            }
        }
    }
    all
}
