//! What is exported: a class, a report or a journal.

use std::collections::BTreeMap;
use std::io::BufReader;

use super::Row;
use crate::report::class::{Class, Course, FORMAT, Fate, Submission};
use crate::report::{Mask, Outcome, Report, Standing};
use crate::reporter::replay;

/// The submissions to export.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// In the order of the class.
    pub rows: Vec<Row>,
    /// True for a class, false for one run.
    pub is_class: bool,
}

/// Reads `class.json`, the report of one run (`--format json`) or its journal (`--format jsonl`). `Err` is a
/// French message.
pub fn read(bytes: &[u8]) -> Result<Source, String> {
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        // Several documents, a line each.
        let events = replay::read(BufReader::new(bytes)).map_err(|e| e.to_string())?;
        return Ok(one(Report::fold(events)));
    };
    let format = document.get("format").and_then(serde_json::Value::as_u64);
    if let Some(found) = format.filter(|found| *found != u64::from(FORMAT)) {
        return Err(format!(
            "le format {found} n'est pas connu de cette version de grader, qui lit le format {FORMAT}"
        ));
    }
    let malformed = |e: serde_json::Error| format!("ce n'est ni une classe ni un rapport lisible ({e})");
    if document.get("submissions").is_some() {
        let class: Class = serde_json::from_value(document).map_err(malformed)?;
        let mask = class.head.course.as_ref().map(Course::mask).unwrap_or_default();
        let rows = class.submissions.into_iter().map(|one| row(one, class.head.max, &mask)).collect();
        return Ok(Source { rows, is_class: true });
    }
    match serde_json::from_value(document) {
        Ok(report) => Ok(one(report)),
        // A journal of one line.
        Err(e) => replay::read(BufReader::new(bytes))
            .map(|events| one(Report::fold(events)))
            .map_err(|_| malformed(e)),
    }
}

/// A submission as its student may see it.
fn row(one: Submission, max: f64, mask: &Mask) -> Row {
    let score = one.result.score.filter(|score| !score.is_provisional());
    let max = score.map_or(max, |score| score.total);
    let report = one.report.map(|report| mask.report(&report));
    let settled = one.settled;
    let note = match &settled {
        // What is hidden would be read from the note: there is none before it is published.
        Some(settled) if !settled.partly.is_empty() => None,
        Some(settled) => settled.note.map(|note| (note / settled.scale * max * 100.0).round() / 100.0),
        None => score.map(|score| score.earned),
    };
    let mut said: Vec<String> = Vec::new();
    if let Some(settled) = &settled {
        said.extend(Some(settled.partly.clone()).filter(|text| !text.is_empty()));
        said.extend(settled.lines());
    }
    let all = "Tout est acquis.";
    let missed = report.as_ref().map(comment).filter(|text| !text.is_empty());
    // What is hidden may be missed.
    let hides = !mask.hidden.is_empty();
    said.extend(missed.map(|text| {
        if hides && text == all { "Tout ce qui est visible est acquis.".to_owned() } else { text }
    }));
    Row {
        note,
        max,
        standing: one.result.standing,
        comment: said.join(". "),
        key: one.key,
        folder: one.folder,
        identity: one.identity,
        settled,
        report,
    }
}

fn one(report: Report) -> Source {
    let score = report.score.filter(|score| !score.is_provisional());
    let standing = match (&report.outcome, &score) {
        (Outcome::Graded, Some(_)) => Fate::Graded,
        (Outcome::Graded, None) => Fate::Provisional,
        (Outcome::Refused(_), _) => Fate::Refused,
        (Outcome::Invalid(_), _) => Fate::Invalid,
        (Outcome::NotGraded(_), _) => Fate::NotGraded,
    };
    let row = Row {
        key: report.run.as_ref().map(|run| run.id.clone()).unwrap_or_default(),
        folder: report.run.as_ref().map(|run| run.submission.clone()).unwrap_or_default(),
        identity: BTreeMap::new(),
        note: score.map(|score| score.earned),
        max: report.checks.iter().map(|check| check.card.points).sum(),
        standing,
        comment: comment(&report),
        settled: None,
        report: Some(report),
    };
    Source { rows: vec![row], is_class: false }
}

/// What is missed, in the lab's own words: a platform shows it as HTML.
fn comment(report: &Report) -> String {
    if report.score.is_none() {
        return String::new();
    }
    let titles = |standing| {
        let all: Vec<&str> = report.standing(standing).map(|check| check.card.title.as_str()).collect();
        all.join(" ; ")
    };
    let missed = titles(Standing::Missed);
    let blocked = titles(Standing::Blocked);
    let parts = [("Manqué : ", missed), ("Non vérifié : ", blocked)];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| format!("{name}{list}."))
        .collect();
    if parts.is_empty() { "Tout est acquis.".to_owned() } else { parts.join(" ") }
}
