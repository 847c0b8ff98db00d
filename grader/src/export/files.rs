//! Results as files of their own.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::{Row, Source};
use crate::reporter::class::Suites;
use crate::reporter::classroom50::{self, Submission};
use crate::reporter::clean;
use crate::reporter::encode::csv::{Cell, Csv, Dialect};

/// A table for a spreadsheet: a row for each student, nobody left out.
pub fn table(source: &Source, dialect: Dialect, out: &mut dyn Write) -> io::Result<()> {
    let columns: BTreeSet<&str> =
        source.rows.iter().flat_map(|row| row.identity.keys().map(String::as_str)).collect();
    let mut csv = Csv::new(out, dialect)?;
    let ours = ["clé", "dossier", "état", "note sur 20", "points", "points du TP", "commentaire"];
    csv.row(columns.iter().copied().chain(ours).map(Cell::Text))?;
    let number = |value: Option<f64>| value.map_or(Cell::Empty, Cell::Number);
    for row in &source.rows {
        let of = |name: &&str| Cell::Text(row.identity.get(*name).map_or("", String::as_str));
        let own = [
            Cell::Text(&row.key),
            Cell::Text(&row.folder),
            Cell::Text(row.standing.french()),
            number(row.on(20.0)),
            number(row.note),
            Cell::Number(row.max),
            Cell::Text(&row.comment),
        ];
        csv.row(columns.iter().map(of).chain(own))?;
    }
    csv.finish().map(|_| ())
}

/// JUnit XML: a suite for each submission.
pub fn junit(source: &Source, out: &mut dyn Write) -> io::Result<()> {
    let mut suites = Suites::default();
    for row in &source.rows {
        suites.push(row.name(), row.standing, "", row.report.as_ref());
    }
    suites.write(out)
}

/// Classroom 50's `result.json`; nothing while the note is not final.
pub fn classroom50(row: &Row, submission: &Submission) -> Option<String> {
    let report = row.report.as_ref()?;
    let firm = row.note.is_some() || row.standing.may_be_zero();
    let document = firm.then(|| serde_json::to_string_pretty(&classroom50::result(report, submission)))?;
    Some(clean::json(&document.ok()?))
}
