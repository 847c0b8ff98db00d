//! Exit codes and faults: what went wrong when it is *not* the student's doing.

use serde::{Deserialize, Serialize};

/// Documented exit codes of the `grader` binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Every check passed.
    Passed = 0,
    /// A check failed, or a file of the student is invalid.
    Failed = 1,
    /// Wrong usage, or a faulty lab file.
    Usage = 2,
    /// The policy refused the submission.
    Refused = 3,
    /// No engine, no disk, no image: the machine, not the student.
    Environment = 4,
    /// The global time-out was reached.
    TimedOut = 5,
    /// A verdict was given but the clean-up is incomplete.
    Leftovers = 6,
    /// A bug of ours.
    Bug = 101,
    /// Interrupted, and cleaned.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// The family of a [`Fault`]; decides the exit code and the advice shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// No engine answers, or the way to it is wrong.
    NoEngine,
    /// The engine answers but refuses us.
    Permission,
    /// The disk is full.
    Disk,
    /// An image could not be had on this machine.
    Image,
    /// An engine operation failed for a reason that is not in the submission.
    Engine,
    /// The machine was too busy, or too noisy, for an honest judgement.
    Noise,
    /// The probe did not answer.
    Probe,
    /// A global or per-step deadline of ours passed.
    Deadline,
    /// The user interrupted the run.
    Interrupted,
    /// The lab file is wrong.
    Lab,
    /// Ours.
    Bug,
}

/// A fault of the machine or of the grader. It never costs a mark: the checks it
/// touches are `inconclusive`, the run is « non noté ».
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
#[serde(rename_all = "kebab-case")]
pub struct Fault {
    /// Family.
    pub kind: FaultKind,
    /// French: what happened, one sentence without a final dot.
    pub what: String,
    /// French: what to do next.
    pub todo: String,
    /// English technical detail, as the engine or the system said it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Fault {
    /// A fault with its advice and no technical detail.
    pub fn new(kind: FaultKind, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { kind, what: what.into(), todo: todo.into(), detail: String::new() }
    }

    /// Adds what the engine or the system said.
    pub fn detail(mut self, detail: impl std::fmt::Display) -> Self {
        self.detail = detail.to_string();
        self
    }

    /// The exit code of a run that ends on this fault.
    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            FaultKind::Interrupted => ExitCode::Interrupted,
            FaultKind::Deadline => ExitCode::TimedOut,
            FaultKind::Lab => ExitCode::Usage,
            FaultKind::Bug => ExitCode::Bug,
            FaultKind::NoEngine
            | FaultKind::Permission
            | FaultKind::Disk
            | FaultKind::Image
            | FaultKind::Engine
            | FaultKind::Noise
            | FaultKind::Probe => ExitCode::Environment,
        }
    }
}
