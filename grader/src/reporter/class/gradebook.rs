//! `gradebook.csv`: a line a student, for a spreadsheet set to French (semicolons, decimal commas,
//! UTF-8 with its mark). It says nothing of when nor of how long: the same verdicts make the same bytes.

use std::io::{self, Write};

use crate::report::class::{Head, Submission};
use crate::report::{Score, Standing};
use crate::reporter::encode::csv::{Cell, Csv, Dialect, number};

/// Writes the lines.
pub struct Gradebook<W: Write> {
    out: Csv<W>,
    columns: Vec<String>,
    checks: Vec<String>,
    has_course: bool,
}

impl<W: Write> Gradebook<W> {
    /// Writes the headers.
    pub fn new(out: W, head: &Head) -> io::Result<Self> {
        let mut out = Csv::new(out, Dialect::FRENCH)?;
        let checks: Vec<String> = head.checks.iter().map(|c| c.id.clone()).collect();
        let own = ["dossier", "clé", "état", "note sur 20", "points", "sur", "motif"];
        let columns = head.columns.iter().map(String::as_str);
        let last =
            head.course.as_ref().map(|course| format!("note finale sur {}", number(course.scale, true)));
        let course = last.iter().map(String::as_str).chain(last.as_ref().map(|_| "calcul"));
        out.row(columns.chain(own).chain(course).chain(checks.iter().map(String::as_str)).map(Cell::Whole))?;
        Ok(Self { out, columns: head.columns.clone(), checks, has_course: head.course.is_some() })
    }

    /// Writes a student. A note in doubt is left empty: nobody must copy it.
    pub fn push(&mut self, one: &Submission) -> io::Result<()> {
        let result = &one.result;
        let firm = result.score.filter(|score| !score.is_provisional());
        let doubt = result.score.filter(Score::is_provisional).map(|score| {
            format!("entre {} et {} sur 20", number(score.note, true), number(score.note_max, true))
        });
        let mark = |value: Option<f64>| value.map_or(Cell::Empty, Cell::Number);
        let cell = |column: &String| Cell::Whole(one.identity.get(column).map_or("", String::as_str));
        let own = [
            Cell::Whole(&one.folder),
            Cell::Whole(&one.key),
            Cell::Whole(result.standing.french()),
            mark(firm.map(|score| score.note)),
            mark(firm.map(|score| score.earned)),
            mark(result.score.map(|score| score.total)),
            Cell::Whole(doubt.as_deref().unwrap_or(&result.why)),
        ];
        let earned = |id: &String| {
            let cell = result.checks.iter().find(|cell| cell.id == *id);
            let judged = cell.filter(|cell| cell.standing != Standing::Ungraded);
            mark(judged.map(|cell| cell.earned))
        };
        let settled = one.settled.as_ref();
        let how = settled.map(|settled| {
            let sum = Some(settled.sum()).filter(|_| settled.terms.len() > 1);
            sum.into_iter().chain(settled.remarks.iter().cloned()).collect::<Vec<_>>().join(" ; ")
        });
        let course =
            [mark(settled.and_then(|settled| settled.note)), Cell::Whole(how.as_deref().unwrap_or(""))];
        let course = course.into_iter().filter(|_| self.has_course);
        let row = self.columns.iter().map(cell).chain(own).chain(course);
        self.out.row(row.chain(self.checks.iter().map(earned)))
    }

    /// Ends the file and gives the output back.
    pub fn finish(self) -> io::Result<W> {
        self.out.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::class::sample;

    fn book() -> String {
        let class = sample::class();
        let mut book = Gradebook::new(Vec::new(), &class.head).expect("written");
        for one in &class.submissions {
            book.push(one).expect("written");
        }
        String::from_utf8(book.finish().expect("written")).expect("UTF-8")
    }

    #[test]
    fn whole_book() {
        insta::assert_snapshot!(book().replace("\r\n", "\n"));
    }

    proptest! {
        #[test]
        fn no_cell_is_a_formula(text in "\\PC*|[=+@\\-\t\r\n ]{0,3}\\PC*") {
            let mut out = Csv::new(Vec::new(), Dialect::FRENCH).expect("written");
            out.row([Cell::Whole(&text), Cell::Number(1.0)]).expect("written");
            let bytes = out.finish().expect("written");
            let mut file = csv::ReaderBuilder::new().has_headers(false).delimiter(b';').from_reader(&bytes[3..]);
            let row = file.records().next().expect("a row").expect("readable");
            let safe = row[0].to_owned();
            let first = safe.trim_start().chars().next();
            prop_assert!(!first.is_some_and(|c| "=+-@\t\r".contains(c)), "{:?}", safe);
            prop_assert!(!safe.contains(['\r', '\n', '\t', '\0']));
        }
    }
}
