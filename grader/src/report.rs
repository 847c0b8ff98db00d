//! The report of a run: a pure fold over its [events](crate::event::Event).

pub mod class;
mod fold;
mod mask;
#[cfg(test)]
pub(crate) mod sample;
mod score;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use fold::Fold;
pub use mask::{Detail, Mask, partly};
pub use score::{Score, Section};

use crate::error::{ExitCode, Fault, FaultKind};
use crate::event::{
    Change, CheckCard, Event, ImageUse, Inventory, Notice, Problem, Reach, Refusal, Step, Verdict,
};

/// Version of the report document; raised when a reader of an older one would misread.
pub const FORMAT: u32 = 1;

/// What a run comes down to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The run's identity; absent when the stream has no beginning.
    pub run: Option<Head>,
    /// How it ended.
    pub outcome: Outcome,
    /// The documented exit code (see [`ExitCode`]).
    pub exit_code: u8,
    /// The note; absent unless the outcome is [`Outcome::Graded`].
    pub score: Option<Score>,
    /// The note by section, in lab order; empty unless graded.
    pub sections: Vec<Section>,
    /// Every check of the lab, in its order.
    pub checks: Vec<CheckResult>,
    /// Ids in the order in which they were judged.
    pub order: Vec<String>,
    /// Remarks that cost nothing.
    pub notices: Vec<Notice>,
    /// The course of the work.
    pub steps: Vec<Step>,
    /// Images used.
    pub images: Vec<ImageUse>,
    /// What the sandbox changed.
    pub changes: Vec<Change>,
    /// Who sees whom (the last one seen).
    pub reach: Option<Reach>,
    /// What is left; absent when it was not looked at.
    pub inventory: Option<Inventory>,
    /// A fault that came once every check was judged: it erases no verdict.
    pub late_fault: Option<Fault>,
    /// Milliseconds of the whole run; absent when the stream is cut.
    pub elapsed_ms: Option<u64>,
}

/// Identity of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Head {
    /// Run id.
    pub id: String,
    /// Version of the grader.
    pub grader: String,
    /// Start, RFC 3339, UTC.
    pub at: String,
    /// Lab id.
    pub lab: String,
    /// French title of the lab.
    pub lab_title: String,
    /// How the submission was named.
    pub submission: String,
    /// Time the lab allows, milliseconds.
    pub budget_ms: Option<u64>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A note was given (maybe a provisional one, see [`Score::is_provisional`]).
    Graded,
    /// The policy refused the submission.
    Refused(Vec<Refusal>),
    /// A file of the student is invalid.
    Invalid(Vec<Problem>),
    /// « non noté »: the machine or the grader failed. Never zero.
    NotGraded(Fault),
}

/// Where a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// « acquis ».
    Passed,
    /// « manqué ».
    Missed,
    /// « non vérifié »: a missed check blocks it; its points are missed with it.
    Blocked,
    /// « non noté »: inconclusive, never reached, or blocked only by such checks.
    Ungraded,
}

/// One check and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckResult {
    /// What the lab says of it.
    pub card: CheckCard,
    /// Where it stands.
    pub standing: Standing,
    /// Points earned, from 0 to those of the card.
    pub earned: f64,
    /// Milliseconds spent; absent when never reached.
    pub elapsed_ms: Option<u64>,
    /// The verdict with its facts and evidence; absent when never reached.
    pub verdict: Option<Verdict>,
}

impl Report {
    /// Folds a whole stream.
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Self {
        let mut fold = Fold::default();
        for event in events {
            fold.push(event);
        }
        fold.finish()
    }

    /// The exit code of the run. A fault outweighs leftovers, which outweigh a miss.
    pub fn exit(&self) -> ExitCode {
        match &self.outcome {
            Outcome::NotGraded(fault) => fault.exit_code(),
            Outcome::Refused(_) => self.or_leftovers(ExitCode::Refused),
            Outcome::Invalid(_) => self.or_leftovers(ExitCode::Failed),
            Outcome::Graded => self.graded_exit(),
        }
    }

    fn graded_exit(&self) -> ExitCode {
        let late = self.late_fault.as_ref().map(Fault::exit_code);
        if let Some(code @ (ExitCode::Interrupted | ExitCode::Bug)) = late {
            return code;
        }
        // That it is not graded counts for more than what it left.
        if let Some(code) = self.doubt() {
            return code;
        }
        if late.is_some() {
            return ExitCode::Leftovers;
        }
        let all = self.checks.iter().all(|check| check.standing == Standing::Passed);
        let code = if all { ExitCode::Passed } else { ExitCode::Failed };
        // A stream cut before the inventory: that nothing is left was never seen.
        let unseen = self.inventory.is_none() && self.elapsed_ms.is_none();
        if unseen { ExitCode::Leftovers } else { self.or_leftovers(code) }
    }

    /// The exit code of a provisional note (see `docs/adr/0006-inconclusive.md`).
    fn doubt(&self) -> Option<ExitCode> {
        let ungraded = || self.checks.iter().filter(|check| check.standing == Standing::Ungraded);
        ungraded().next()?;
        let is = |kind| {
            ungraded().any(|check| {
                matches!(&check.verdict, Some(Verdict::Inconclusive { fault, .. }) if fault.kind == kind)
            })
        };
        Some(if is(FaultKind::Bug) {
            ExitCode::Bug
        } else if is(FaultKind::Interrupted) {
            ExitCode::Interrupted
        } else {
            ExitCode::Environment
        })
    }

    /// `code`, unless something is left of the run.
    fn or_leftovers(&self, code: ExitCode) -> ExitCode {
        if self.inventory.is_some_and(|left| !left.is_empty()) { ExitCode::Leftovers } else { code }
    }

    /// Checks in a standing, in lab order.
    pub fn standing(&self, standing: Standing) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(move |check| check.standing == standing)
    }
}
