//! The policy of a course in one file: late work, hidden checks, what is shown, adjustments, bonus. It turns
//! a result into a note; it never grades.

mod attempts;
mod dates;
mod file;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use attempts::{Chosen, Keep};
pub use file::{FORMAT, parse};

use crate::report::Detail;

/// A course whose file holds together. Points are on its scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// French title; may be empty.
    pub title: String,
    /// 20 or 100.
    pub scale: f64,
    /// Offset of the dates that have none, seconds.
    pub offset: i32,
    /// What students read of a miss.
    pub detail: Detail,
    /// Checks that students do not see until `reveal`.
    pub hidden: BTreeSet<String>,
    /// Everything is published.
    pub reveal: bool,
    /// When work is due.
    pub deadline: Option<Deadline>,
    /// Who has more time.
    pub extensions: Vec<Extension>,
    /// Several hand-ins of one student.
    pub attempts: Option<Attempts>,
    /// Checks that only add points.
    pub bonus: BTreeSet<String>,
    /// How far above the scale a note may go.
    pub above: f64,
    /// Decisions of the teacher.
    pub adjustments: Vec<Adjustment>,
}

/// When work is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Deadline {
    /// The date.
    pub due: Timestamp,
    /// Column of the class list that tells when the platform received the work.
    pub column: String,
    /// Lateness that costs nothing, seconds.
    pub grace: i64,
    /// What a started day costs.
    pub per_day: Cost,
    /// The most that lateness costs.
    pub at_most: Option<Cost>,
    /// From then on nothing counts.
    pub closed: Option<Timestamp>,
}

/// More time for some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Keys of the students.
    pub keys: BTreeSet<String>,
    /// Their date.
    pub due: Timestamp,
    /// French.
    pub reason: String,
}

/// Several hand-ins of one student.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Column of the class list that counts them.
    pub column: Option<String>,
    /// How many were announced. Going over costs nothing: it is said, and those beyond do not count where
    /// one is chosen.
    pub cap: Option<u32>,
    /// Which one counts, where the results of several are given.
    pub keep: Option<Keep>,
}

/// What lateness costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cost {
    /// On the scale of the course.
    Points(f64),
    /// In hundredths of the note.
    Percent(f64),
}

/// A decision of the teacher.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjustment {
    /// Key of the student.
    pub key: String,
    /// On the scale of the course.
    pub points: f64,
    /// French, as the student reads it.
    pub reason: String,
}

/// What a class must have for a course to speak of it.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    /// Keys of the students.
    pub keys: BTreeSet<&'a str>,
    /// Columns of the class list; none when there is no list.
    pub columns: &'a [String],
    /// Checks of the lab, with their points.
    pub checks: BTreeMap<&'a str, f64>,
}

impl Course {
    /// French: what the course names and the class does not have.
    pub fn unknown(&self, known: &Known<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut ids: Vec<&String> = self.hidden.iter().chain(&self.bonus).collect();
        ids.dedup();
        for id in ids.into_iter().filter(|id| !known.checks.contains_key(id.as_str())) {
            let all: Vec<&str> = known.checks.keys().copied().collect();
            wrong.push(format!("pas de contrôle « {id} » dans ce TP ; il y a : {}", all.join(", ")));
        }
        let is_shown = |(id, _): &(&&str, &f64)| !self.hidden.contains(**id);
        if !self.reveal && !known.checks.is_empty() && !known.checks.iter().any(|check| is_shown(&check)) {
            wrong.push("tous les contrôles sont cachés : laissez-en au moins un visible".to_owned());
        }
        let counts = |(id, points): (&&str, &f64)| *points > 0.0 && !self.bonus.contains(*id);
        if !known.checks.is_empty() && !known.checks.iter().any(counts) {
            wrong.push("tous les points sont en bonus : il n'y a plus de note".to_owned());
        }
        let keys =
            self.adjustments.iter().map(|a| &a.key).chain(self.extensions.iter().flat_map(|e| &e.keys));
        let strangers: BTreeSet<&String> = keys.filter(|key| !known.keys.contains(key.as_str())).collect();
        for key in strangers {
            wrong.push(format!(
                "pas d'étudiant de clé « {key} » dans cette classe ; les clés sont dans « gradebook.csv » ({})",
                near(key, &known.keys)
            ));
        }
        if !known.columns.is_empty() {
            let attempts = self.attempts.iter().filter_map(|a| a.column.as_ref());
            let named = self.deadline.iter().map(|d| &d.column).chain(attempts);
            for column in named.filter(|column| !known.columns.contains(column)) {
                wrong.push(format!(
                    "pas de colonne « {column} » dans la liste de la classe ; il y a : {}",
                    known.columns.join(", ")
                ));
            }
        }
        wrong
    }
}

/// A few keys that look like `key`, for whoever mistyped it.
fn near(key: &str, keys: &BTreeSet<&str>) -> String {
    let fold = |text: &str| text.to_lowercase();
    let (wanted, start) = (fold(key), fold(key).chars().take(3).collect::<String>());
    let alike = |other: &&&str| {
        let other = fold(other);
        other.contains(&wanted) || wanted.contains(&other) || (!start.is_empty() && other.starts_with(&start))
    };
    let mut some: Vec<&str> = keys.iter().filter(alike).take(3).copied().collect();
    if some.is_empty() {
        some = keys.iter().take(3).copied().collect();
    }
    format!("par exemple : {}", some.join(", "))
}
