//! What the policy says of a folder when nothing is run.

use serde::{Deserialize, Serialize};

use super::{Change, Notice, Problem, Refusal};
use crate::error::ExitCode;

/// Version of the document; raised when a reader of an older one would misread.
pub const OPINION_FORMAT: u32 = 1;

/// The policy's decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It may run, rewritten.
    #[default]
    Accepted,
    /// It asks for what is never given.
    Refused,
    /// A file of it is wrong.
    Invalid,
}

/// The decision on a folder, why, and the model that would run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Opinion {
    /// [`OPINION_FORMAT`].
    pub format: u32,
    /// Version of the grader.
    pub grader: String,
    /// How the folder was named on the command line.
    pub submission: String,
    /// The decision.
    pub decision: Decision,
    /// Why it is refused.
    pub refusals: Vec<Refusal>,
    /// Why it is invalid.
    pub problems: Vec<Problem>,
    /// Remarks that change nothing.
    pub notices: Vec<Notice>,
    /// What the rewrite changes.
    pub changes: Vec<Change>,
    /// The Compose file that would run, paths of the folder relative to it, with subnets given as
    /// an example; absent unless accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<serde_json::Value>,
}

impl Opinion {
    /// The exit code of a command that only gives this opinion.
    pub fn exit(&self) -> ExitCode {
        match self.decision {
            Decision::Accepted => ExitCode::Passed,
            Decision::Refused => ExitCode::Refused,
            Decision::Invalid => ExitCode::Failed,
        }
    }
}
