//! `class.json` read back.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::{Class, Course, FORMAT, Head, Receipt, Settled, Submission, Summary};
use crate::event::CheckCard;

/// Why a `class.json` cannot be used. Messages are French.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not what `grader batch` writes.
    #[error("ce n'est pas un « class.json » de « grader batch » ({0})")]
    Form(#[from] serde_json::Error),
    /// It was written in another format.
    #[error(
        "« class.json » est au format {0}, cette version de grader lit le format {FORMAT} ; relancez « grader batch »"
    )]
    Version(u32),
}

/// The document as it is written. Said field by field: `flatten` would hold it twice in memory.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Flat<S> {
    format: u32,
    grader: String,
    lab: String,
    lab_title: String,
    max: f64,
    checks: Vec<CheckCard>,
    #[serde(default = "Vec::new")]
    columns: Vec<String>,
    #[serde(default)]
    course: Option<Course>,
    submissions: Vec<S>,
}

/// A submission without its report.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Light {
    key: String,
    #[serde(default)]
    folder: String,
    #[serde(default)]
    identity: BTreeMap<String, String>,
    #[serde(default)]
    page: Option<String>,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    alone: bool,
    #[serde(default)]
    graded_as: String,
    result: Summary,
    #[serde(default, rename = "final")]
    settled: Option<Settled>,
    #[serde(default)]
    receipt: Option<Receipt>,
    #[serde(default)]
    place: Option<usize>,
}

impl From<Light> for Submission {
    fn from(one: Light) -> Self {
        Self {
            key: one.key,
            folder: one.folder,
            identity: one.identity,
            page: one.page,
            attempts: one.attempts,
            alone: one.alone,
            graded_as: one.graded_as,
            result: one.result,
            settled: one.settled,
            receipt: one.receipt,
            place: one.place,
            report: None,
        }
    }
}

impl<S: Into<Submission>> From<Flat<S>> for Class {
    fn from(flat: Flat<S>) -> Self {
        let head = Head {
            format: flat.format,
            grader: flat.grader,
            lab: flat.lab,
            lab_title: flat.lab_title,
            max: flat.max,
            checks: flat.checks,
            columns: flat.columns,
            course: flat.course,
        };
        Self { head, submissions: flat.submissions.into_iter().map(Into::into).collect() }
    }
}

impl Class {
    /// Reads a whole class, reports included.
    ///
    /// # Errors
    ///
    /// As [`ReadError`].
    pub fn read(from: impl Read) -> Result<Self, ReadError> {
        checked(serde_json::from_reader(from)?)
    }

    /// Reads a class without its reports: a few hundred bytes a student.
    ///
    /// # Errors
    ///
    /// As [`ReadError`].
    pub fn read_rows(from: impl Read) -> Result<Self, ReadError> {
        let flat: Flat<Light> = serde_json::from_reader(from)?;
        checked(flat.into())
    }
}

fn checked(class: Class) -> Result<Class, ReadError> {
    if class.head.format == FORMAT { Ok(class) } else { Err(ReadError::Version(class.head.format)) }
}
