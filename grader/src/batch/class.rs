//! From what the journal knows to the rows of the class.

use super::journal::Terms;
use super::output::Output;
use super::plan::Past;
use super::roster::Entry;
use crate::lab::Lab;
use crate::report::class::{FORMAT, Fate, Head, Submission, Summary};

/// What is the same for all.
pub(super) fn head(lab: &Lab, columns: &[String]) -> Head {
    Head {
        format: FORMAT,
        grader: env!("CARGO_PKG_VERSION").to_owned(),
        lab: lab.id.clone(),
        lab_title: lab.title.clone(),
        max: lab.points(),
        checks: lab.checks.iter().map(|c| c.card.clone()).collect(),
        columns: columns.to_vec(),
        course: None,
    }
}

/// The row of an entry; `terms` are those of the folder, when there is one.
pub(super) fn row(entry: &Entry, terms: Option<&Terms>, past: &Past) -> Submission {
    let history = terms.map(|terms| past.history(terms)).unwrap_or_default();
    let graded = history.best.is_some();
    let result = match (history.best.as_ref(), terms) {
        (Some(best), _) => best.result.clone(),
        (None, Some(_)) => {
            Summary::without_run(Fate::NotGraded, "pas encore corrigé : relancez avec --resume")
        }
        (None, None) => Summary::without_run(Fate::Missing, entry.why.clone()),
    };
    Submission {
        key: entry.key.clone(),
        folder: entry.folder.as_ref().map(|f| f.name.clone()).unwrap_or_default(),
        identity: entry.identity.clone(),
        page: graded.then(|| Output::page(&entry.graded_as)),
        attempts: history.attempts,
        alone: history.best.as_ref().is_some_and(|best| best.alone),
        graded_as: if entry.graded_as == entry.key { String::new() } else { entry.graded_as.clone() },
        result,
        settled: None,
        receipt: history.best.as_ref().and_then(|best| best.receipt.clone()),
        place: None,
        report: None,
    }
}
