//! The note that a course makes of a result, and how it comes about.

use serde::{Deserialize, Serialize};

use crate::french::number;
use crate::report::{Detail, Mask};

/// What the course says of the class as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Course {
    /// French title; may be empty.
    #[serde(default)]
    pub title: String,
    /// The note is out of so many: 20 or 100.
    pub scale: f64,
    /// Ids of the checks that students do not see yet; empty once they are published.
    #[serde(default)]
    pub hidden: Vec<String>,
    /// Ids of the checks that only add points.
    #[serde(default)]
    pub bonus: Vec<String>,
    /// What students read of a miss.
    #[serde(default)]
    pub detail: Detail,
}

impl Course {
    /// What is kept from students.
    pub fn mask(&self) -> Mask {
        Mask { hidden: self.hidden.iter().cloned().collect(), detail: self.detail }
    }
}

/// Why a note moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What the checks are worth.
    Earned,
    /// Checks that only add points.
    Bonus,
    /// Late.
    Late,
    /// Too late to count.
    Closed,
    /// The teacher's decision.
    Adjustment,
    /// Brought back to the least or the most that a note can be.
    Bounds,
}

/// One term of the sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Term {
    /// Why.
    pub kind: Kind,
    /// On the scale of the course; negative when it costs.
    pub points: f64,
    /// French, as the student reads it.
    #[serde(default)]
    pub why: String,
}

/// The note of a student in the course.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settled {
    /// On the scale of the course; absent when there is no firm result.
    #[serde(default)]
    pub note: Option<f64>,
    /// 20 or 100.
    pub scale: f64,
    /// The sum: its terms add up to the note. Empty without a note.
    #[serde(default)]
    pub terms: Vec<Term>,
    /// French: « 12/20 visibles, 8 points cachés à venir »; empty when nothing is hidden, or without a score.
    #[serde(default)]
    pub partly: String,
    /// French: worth knowing, costs nothing.
    #[serde(default)]
    pub remarks: Vec<String>,
}

impl Settled {
    /// « 17 − 2 de retard (2 jours) + 1 (motif) = 16 »; « 17/20 » when nothing moves it.
    pub fn sum(&self) -> String {
        let Some(note) = self.note else { return String::new() };
        if self.terms.len() < 2 {
            return format!("{}/{}", number(note), number(self.scale));
        }
        let mut text = String::new();
        for term in self.terms.iter().filter(|term| term.kind != Kind::Bounds) {
            let points = number(term.points.abs());
            match (text.is_empty(), term.points < 0.0) {
                (true, _) => {}
                (false, true) => text.push_str(" − "),
                (false, false) => text.push_str(" + "),
            }
            text.push_str(&points);
            match term.kind {
                Kind::Earned | Kind::Bounds => {}
                Kind::Bonus => text.push_str(" de bonus"),
                Kind::Late => text.push_str(&format!(" de retard ({})", term.why)),
                Kind::Closed | Kind::Adjustment => text.push_str(&format!(" ({})", term.why)),
            }
        }
        match self.terms.iter().find(|term| term.kind == Kind::Bounds) {
            Some(bounds) => {
                let raw = number(note - bounds.points);
                format!("{text} = {raw}, ramené à {}", number(note))
            }
            None => format!("{text} = {}", number(note)),
        }
    }

    /// What the student reads in place of the note, in large; empty when there is no note.
    pub fn headline(&self) -> String {
        match (self.partly.is_empty(), self.note) {
            (false, _) => self.partly.clone(),
            (true, Some(note)) => format!("{}/{}", number(note), number(self.scale)),
            (true, None) => String::new(),
        }
    }

    /// What the student reads below it, a line each. While checks are hidden, nothing from which what they
    /// are worth could be computed.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.partly.is_empty() {
            if self.terms.len() > 1 {
                lines.push(self.sum());
            }
        } else {
            let own = self.terms.iter().filter_map(|term| match term.kind {
                Kind::Late => Some(format!("retard : {}", term.why)),
                Kind::Closed => Some(term.why.clone()),
                Kind::Adjustment => {
                    let sign = if term.points < 0.0 { "−" } else { "+" };
                    Some(format!("{sign}{} : {}", number(term.points.abs()), term.why))
                }
                Kind::Earned | Kind::Bonus | Kind::Bounds => None,
            });
            lines.extend(own);
        }
        lines.extend(self.remarks.iter().cloned());
        lines
    }
}
