//! `gradebook.csv`: a line a student, for a spreadsheet set to French (semicolons, decimal commas,
//! UTF-8 with its mark). It says nothing of when nor of how long: the same verdicts make the same bytes.

use std::io::{self, Write};

use crate::report::class::{Head, Submission};
use crate::report::{Score, Standing};
use crate::reporter::clean;

/// Writes the lines.
pub struct Gradebook<W: Write> {
    out: csv::Writer<W>,
    columns: Vec<String>,
    checks: Vec<String>,
}

impl<W: Write> Gradebook<W> {
    /// Writes the headers.
    pub fn new(mut out: W, head: &Head) -> io::Result<Self> {
        out.write_all("\u{feff}".as_bytes())?;
        let mut out =
            csv::WriterBuilder::new().delimiter(b';').terminator(csv::Terminator::CRLF).from_writer(out);
        let checks: Vec<String> = head.checks.iter().map(|c| c.id.clone()).collect();
        let own = ["dossier", "clé", "état", "note sur 20", "points", "sur", "motif"].map(str::to_owned);
        let titles =
            head.columns.iter().map(|c| harmless(c)).chain(own).chain(checks.iter().map(|c| harmless(c)));
        out.write_record(titles)?;
        Ok(Self { out, columns: head.columns.clone(), checks })
    }

    /// Writes a student. A note in doubt is left empty: nobody must copy it.
    pub fn push(&mut self, one: &Submission) -> io::Result<()> {
        let result = &one.result;
        let firm = result.score.filter(|score| !score.is_provisional());
        let doubt = result
            .score
            .filter(Score::is_provisional)
            .map(|score| format!("entre {} et {} sur 20", decimal(score.note), decimal(score.note_max)));
        let cell = |column: &String| one.identity.get(column).map_or_else(String::new, |text| harmless(text));
        let own = [
            harmless(&one.folder),
            one.key.clone(),
            result.standing.french().to_owned(),
            firm.map(|score| decimal(score.note)).unwrap_or_default(),
            firm.map(|score| decimal(score.earned)).unwrap_or_default(),
            result.score.map(|score| decimal(score.total)).unwrap_or_default(),
            harmless(doubt.as_deref().unwrap_or(&result.why)),
        ];
        let earned = |id: &String| {
            let cell = result.checks.iter().find(|cell| cell.id == *id);
            let judged = cell.filter(|cell| cell.standing != Standing::Ungraded);
            judged.map(|cell| decimal(cell.earned)).unwrap_or_default()
        };
        self.out
            .write_record(self.columns.iter().map(cell).chain(own).chain(self.checks.iter().map(earned)))?;
        Ok(())
    }

    /// Ends the file and gives the output back.
    pub fn finish(self) -> io::Result<W> {
        self.out.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// `14,5`; no more decimals than needed.
fn decimal(value: f64) -> String {
    value.to_string().replace('.', ",")
}

/// A text that no spreadsheet takes for a formula, on one line, with nothing hidden in it.
fn harmless(text: &str) -> String {
    let shown = clean::visible(text);
    let active = |c: char| matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠');
    if shown.trim_start().starts_with(active) { format!("'{shown}") } else { shown }
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
            let safe = harmless(&text);
            let first = safe.trim_start().chars().next();
            prop_assert!(!first.is_some_and(|c| "=+-@\t\r".contains(c)), "{:?}", safe);
            prop_assert!(!safe.contains(['\r', '\n', '\t', '\0']));
        }
    }
}
