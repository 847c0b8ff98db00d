//! CSV that a spreadsheet opens without computing anything of it.

use std::io::{self, Write};

use crate::reporter::clean;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Between two cells.
    pub delimiter: u8,
    /// Whether numbers have a decimal comma.
    pub comma: bool,
}

impl Dialect {
    /// What French spreadsheets open by a double click.
    pub const FRENCH: Self = Self { delimiter: b';', comma: true };
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Anything that was not computed here, cut when long.
    Text(&'a str),
    /// The same, whole.
    Whole(&'a str),
    /// A number of ours.
    Number(f64),
    /// Nothing.
    Empty,
}

/// Writes rows.
pub struct Csv<W: Write> {
    inner: csv::Writer<W>,
    dialect: Dialect,
}

impl<W: Write> Csv<W> {
    /// Begins a file with a byte order mark: without it, spreadsheets misread accents.
    pub fn new(mut out: W, dialect: Dialect) -> io::Result<Self> {
        out.write_all("\u{feff}".as_bytes())?;
        let mut builder = csv::WriterBuilder::new();
        builder.delimiter(dialect.delimiter).terminator(csv::Terminator::CRLF).flexible(false);
        Ok(Self { inner: builder.from_writer(out), dialect })
    }

    /// Writes a row. Every row has as many cells as the first.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> io::Result<()> {
        let cells = cells.into_iter().map(|cell| match cell {
            Cell::Text(text) => self::text(text),
            Cell::Whole(text) => harmless(clean::visible(text)),
            Cell::Number(value) => number(value, self.dialect.comma),
            Cell::Empty => String::new(),
        });
        self.inner.write_record(cells).map_err(io::Error::other)
    }

    /// Ends the file and gives the output back.
    pub fn finish(self) -> io::Result<W> {
        self.inner.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// A text that no spreadsheet takes for a formula: one line, nothing hidden, an apostrophe before the signs
/// that would begin one.
pub fn text(text: &str) -> String {
    harmless(clean::inline(text))
}

/// The apostrophe before what would begin a formula.
fn harmless(shown: String) -> String {
    let risky = |c: char| {
        matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠' | '␉' | '␍' | '␊')
    };
    if shown.trim_start().starts_with(risky) { format!("'{shown}") } else { shown }
}

/// A number without an exponent, at most 5 decimals, none that are zero.
pub fn number(value: f64, comma: bool) -> String {
    let text = format!("{value:.5}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if text == "-0" { "0" } else { text };
    if comma { text.replace('.', ",") } else { text.to_owned() }
}
