//! The results of a class written again from `class.json`, by another policy of the course: nothing is graded.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::disk;
use super::output::{Output, Results};
use crate::course::{Course, Known};
use crate::error::{Fault, FaultKind};
use crate::report::class::{Class, Submission};
use crate::reporter::class::About;
use crate::reporter::html::Theme;

/// What was written again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Students.
    pub students: usize,
    /// Those who handed in several times.
    pub several: usize,
    /// Those whose note the course moves.
    pub moved: usize,
    /// Checks that students do not see.
    pub hidden: usize,
    /// French: worth knowing.
    pub remarks: Vec<String>,
}

/// Writes the results of `dir` again by `course`; without one, the notes of the lab, nothing hidden.
///
/// # Errors
///
/// There are no results there, they do not go with the course, or they cannot be written.
pub fn publish(dir: &Path, course: Option<&Course>, theme: &Theme) -> Result<Published, Fault> {
    let Class { mut head, mut submissions } = read(dir)?;
    if let Some(course) = course {
        let known = Known {
            keys: submissions.iter().map(|one| one.key.as_str()).collect(),
            columns: &head.columns,
            checks: head.checks.iter().map(|card| (card.id.as_str(), card.points)).collect(),
        };
        unsuited(&course.unknown(&known))?;
    }
    if let Some(course) = course {
        course.apply(&mut head, &mut submissions);
    }
    let write = |e| disk("les résultats ne s'écrivent pas", e);
    let output = Output::open(dir).map_err(write)?;
    let at = jiff::Timestamp::now().to_string();
    let about = About { at: &at, ..About::default() };
    let results = Results { head: &head, all: &submissions, about, theme };
    let report = |one: &Submission| one.report.as_deref().cloned();
    let wrong = output.write(&results, report).map_err(write)?;
    Ok(Published {
        students: submissions.len(),
        several: 0,
        moved: moved(&submissions),
        hidden: head.course.as_ref().map_or(0, |course| course.hidden.len()),
        remarks: Published::of_theme(wrong),
    })
}

impl Published {
    /// What there is to say of templates of which one may be wrong.
    pub(super) fn of_theme(wrong: Option<String>) -> Vec<String> {
        let told = |w| format!("un de vos modèles de page échoue, le nôtre le remplace : {w}");
        wrong.into_iter().map(told).collect()
    }
}

/// How many notes the course moves.
pub(super) fn moved(all: &[Submission]) -> usize {
    let moved = |one: &&Submission| one.settled.as_ref().is_some_and(|settled| settled.terms.len() > 1);
    all.iter().filter(moved).count()
}

/// The results of `dir`, as before any course.
pub(super) fn read(dir: &Path) -> Result<Class, Fault> {
    let file = dir.join("class.json");
    let unusable = |e: &dyn std::fmt::Display| {
        let what = format!("« {} » ne se lit pas", file.display());
        Fault::new(FaultKind::Lab, what, "donnez le dossier que « grader batch » a écrit").detail(e)
    };
    let opened = File::open(&file).map_err(|e| unusable(&e))?;
    let mut class = Class::read(BufReader::new(opened)).map_err(|e| unusable(&e))?;
    class.head.course = None;
    for one in &mut class.submissions {
        one.settled = None;
        let own = Output::page(one.run_key());
        if let Some(page) = &mut one.page {
            *page = own;
        }
    }
    Ok(class)
}

/// What a course names and the class does not have stops everything.
pub(super) fn unsuited(wrong: &[String]) -> Result<(), Fault> {
    if wrong.is_empty() {
        return Ok(());
    }
    let what = "le fichier du cours ne va pas avec cette classe";
    Err(Fault::new(FaultKind::Lab, what, "corrigez-le, puis relancez").detail(wrong.join("\n")))
}

#[cfg(test)]
mod tests;
