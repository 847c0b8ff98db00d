//! Results handed to other tools: the platforms' own files filled, or files in their formats.
//!
//! What is filled is the teacher's file: the cells concerned change, every other byte stays. A student is
//! found by an identifier or an address that is the same to the letter, or not at all.

mod files;
mod gradescope;
mod lms;
mod matching;
mod sheet;
mod source;

use std::collections::BTreeMap;

pub use files::{classroom50, junit, table};
pub use gradescope::gradescope;
pub use lms::{Filled, Platform, Wanted, fill};
pub use source::{Source, read};

use crate::report::Report;
use crate::report::class::{Fate, Settled};

/// One submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Unique in the class, a safe file name.
    pub key: String,
    /// Name of its folder.
    pub folder: String,
    /// What the roster says of the student, by column.
    pub identity: BTreeMap<String, String>,
    /// Points earned; nothing unless the note is firm.
    pub note: Option<f64>,
    /// Points of the lab.
    pub max: f64,
    /// Where it stands.
    pub standing: Fate,
    /// French, in the lab's and the teacher's words only: how the note comes about, what is missed.
    pub comment: String,
    /// The note that the course makes of it, when one was given.
    pub settled: Option<Settled>,
    /// The report, without what the course hides.
    pub report: Option<Report>,
}

impl Row {
    /// The note on a scale of `on` points, rounded as reports do.
    pub fn on(&self, on: f64) -> Option<f64> {
        let note = self.note?;
        if let Some(settled) = &self.settled {
            return Some((settled.note? / settled.scale * on * 100.0).round() / 100.0);
        }
        // On 20, what is handed over is what the student reads: one decimal.
        let places = if (on - 20.0).abs() < f64::EPSILON { 10.0 } else { 100.0 };
        (self.max > 0.0).then(|| (note / self.max * on * places).round() / places)
    }

    /// What a person knows it by.
    pub fn name(&self) -> &str {
        if self.folder.is_empty() { &self.key } else { &self.folder }
    }
}

#[cfg(test)]
mod tests;
