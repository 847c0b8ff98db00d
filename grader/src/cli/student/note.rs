//! Keeping the journal up to date. It is a help: its troubles are said and stop nothing.

use std::path::Path;

use super::progress::{Journal, Mark};
use crate::cli::shell;
use crate::lab::Lab;
use crate::report::{Outcome, Report, Standing};

/// The lab whose folder `dir` is, by the journal.
pub fn lab_of(dir: &Path) -> Option<String> {
    let journal = Journal::find(dir).ok().flatten()?;
    let dir = dir.canonicalize().ok()?;
    let inside = dir.strip_prefix(journal.root()).ok()?;
    journal.lab_in(inside).map(str::to_owned)
}

/// What the journal knows of a lab.
#[cfg(feature = "serve")]
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Folder of the student's work.
    pub folder: Option<std::path::PathBuf>,
    /// Highest level of hint read, by check.
    pub hints: std::collections::BTreeMap<String, usize>,
}

/// What the journal of `dir` knows of a lab; nothing when there is none.
#[cfg(feature = "serve")]
pub fn known(lab: &str, dir: &Path) -> Known {
    let journal = Journal::find(dir).ok().flatten();
    let of = |journal: Journal| {
        let record = journal.lab(lab)?;
        let folder = record.folder.as_ref().map(|folder| journal.root().join(folder));
        Some(Known { folder, hints: record.hints.clone() })
    };
    journal.and_then(of).unwrap_or_default()
}

/// Notes a check that ended with a mark of the whole lab, where a journal was begun.
pub fn note(lab: &Lab, dir: &Path, partial: bool, report: &Report) {
    let Some(score) = &report.score else { return };
    if partial || !matches!(report.outcome, Outcome::Graded) {
        return;
    }
    update(dir, |journal| {
        let passed = report.checks.iter().filter(|c| c.standing == Standing::Passed);
        let passed = passed.map(|c| c.card.id.clone()).collect();
        let mark = Mark {
            points: score.earned,
            total: score.total,
            at: report.run.as_ref().map(|r| r.at.clone()).unwrap_or_default(),
        };
        journal.lab_mut(&lab.id).note(mark, passed);
    });
}

/// Notes that a hint was read.
pub fn note_hint(lab: &str, check: &str, level: usize, dir: Option<&Path>) {
    update(dir.unwrap_or(Path::new(".")), |journal| {
        let read = journal.lab_mut(lab).hints.entry(check.to_owned()).or_default();
        *read = (*read).max(level);
    });
}

fn update(dir: &Path, change: impl FnOnce(&mut Journal)) {
    let result = Journal::find(dir).and_then(|journal| match journal {
        None => Ok(()),
        Some(mut journal) => {
            change(&mut journal);
            journal.save()
        }
    });
    if let Err(e) = result {
        shell::complain(&format!(
            "remarque · votre progression (.grader/progress.json) n'a pas été mise à jour ({e}) ; la correction, elle, est complète"
        ));
    }
}
