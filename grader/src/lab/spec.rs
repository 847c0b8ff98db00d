//! `lab.toml` as written ([`RawLab`]) and as checked ([`Lab`]).

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::draw::Draw;
use crate::check::{Check, Experiments, RawCheck};
use crate::event::CheckCard;
use crate::time::Span;

/// The format of `lab.toml` that this grader reads.
pub const FORMAT: u32 = 1;

/// `lab.toml` as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawLab {
    /// Version of this format.
    pub format: u32,
    /// Lab id, two digits.
    pub id: String,
    /// French title.
    pub title: String,
    /// Chapter of the course.
    pub course: String,
    /// Time that the grader may take on warm images.
    pub budget: Span,
    /// Official images that the statement names.
    #[serde(default)]
    pub images: Vec<String>,
    /// File of the closed questions, relative to the submission.
    #[serde(default)]
    pub answers: Option<String>,
    /// The report does not show who reaches whom: in this lab, finding it out is the work.
    #[serde(default)]
    pub no_map: bool,
    /// What is drawn for each student. With it this file and the `*.j2` of `starter/` are templates.
    #[serde(default)]
    pub draw: Option<Draw>,
    /// Experiments that several checks judge.
    #[serde(default)]
    pub experiment: Experiments,
    /// The checks, in the order in which a report shows them.
    pub check: Vec<RawCheck>,
}

/// One declared check of a [`Lab`].
#[derive(Clone)]
pub struct CheckSpec {
    /// Id, points, title, section.
    pub card: CheckCard,
    /// Ids that must pass first.
    pub needs: Vec<String>,
    /// Hints, from the vaguest to the most precise.
    pub hints: Vec<String>,
    /// Name of the kind, as in `lab.toml`.
    pub kind: &'static str,
    /// The judge.
    pub check: Arc<dyn Check>,
}

/// A lab whose declaration holds together.
#[derive(Clone)]
pub struct Lab {
    /// Id, two digits.
    pub id: String,
    /// Folder.
    pub dir: PathBuf,
    /// French title.
    pub title: String,
    /// Chapter of the course.
    pub course: String,
    /// Time that the grader may take on warm images.
    pub budget: Span,
    /// Official images that the statement names.
    pub images: Vec<String>,
    /// File of the closed questions.
    pub answers: Option<String>,
    /// The report does not show who reaches whom.
    pub no_map: bool,
    /// What is drawn for each student; the checks then hold names in place of values until
    /// [`Lab::drawn`].
    pub draw: Option<Draw>,
    /// The text of `lab.toml`.
    pub text: String,
    /// Experiments.
    pub experiments: Experiments,
    /// Checks; every `needs` names an earlier one.
    pub checks: Vec<CheckSpec>,
}

impl Lab {
    /// Points of the whole lab.
    pub fn points(&self) -> f64 {
        self.checks.iter().map(|c| c.card.points).sum()
    }
}

/// JSON Schema of `lab.toml`, for editors and for the committed copy.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(RawLab).to_value()
}
