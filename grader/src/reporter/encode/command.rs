//! Commands to the runner of GitHub Actions, which it reads from the log itself.
//!
//! The runner drops spaces before `::`, and finds `##[` anywhere in a line: whatever is foreign has both
//! broken, and the log of a run stands between `::stop-commands::` and its secret word besides.

use std::io::{self, Write};

use crate::french;
use crate::reporter::clean;

/// What an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is missed.
    Error,
    /// Something is in doubt.
    Warning,
    /// Good to know.
    Notice,
}

/// Where an annotation points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Path from the root of the repository.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// First column, from 1.
    pub column: usize,
    /// Column after the last.
    pub end_column: usize,
}

/// Writes commands and the log around them.
pub struct Commands<'a> {
    out: &'a mut dyn Write,
    token: String,
}

impl<'a> Commands<'a> {
    /// Writes to `out`; `token` is the word that ends a stretch without commands. Nobody may guess it.
    pub fn new(out: &'a mut dyn Write, token: impl Into<String>) -> Self {
        Self { out, token: token.into() }
    }

    /// An annotation, on a line of a file when there is one.
    pub fn annotate(
        &mut self,
        level: Level,
        spot: Option<&Spot>,
        title: &str,
        message: &str,
    ) -> io::Result<()> {
        let name = match level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        };
        write!(self.out, "::{name} ")?;
        if let Some(spot) = spot {
            write!(
                self.out,
                "file={},line={},col={},endColumn={},",
                property(&clean::inline(&spot.file)),
                spot.line,
                spot.column,
                spot.end_column
            )?;
        }
        writeln!(self.out, "title={}::{}", property(&french::typeset(&clean::inline(title))), data(message))
    }

    /// Begins a group that can be unfolded.
    pub fn group(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.out, "::group::{}", data(title))
    }

    /// Ends the group.
    pub fn end_group(&mut self) -> io::Result<()> {
        writeln!(self.out, "::endgroup::")
    }

    /// Lines in which nothing is a command.
    pub fn log(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "::stop-commands::{}", self.token)?;
        for line in text.lines() {
            writeln!(self.out, "{}", harmless(&clean::visible(line)))?;
        }
        writeln!(self.out, "::{}::", self.token)
    }
}

/// The message of a command: several lines, cut when long.
fn data(text: &str) -> String {
    let lines: Vec<String> = clean::block(text).iter().map(|line| harmless(&french::typeset(line))).collect();
    escape(&lines.join("\n"))
}

/// A property of a command, from one clean line.
fn property(line: &str) -> String {
    escape(&harmless(line)).replace(':', "%3A").replace(',', "%2C")
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A line that the runner takes for no command of either form.
fn harmless(line: &str) -> String {
    let line = line.replace("##[", "##⟨[⟩");
    match line.trim_start().strip_prefix("::") {
        None => line,
        Some(rest) => format!("{}⟨::⟩{rest}", &line[..line.len() - line.trim_start().len()]),
    }
}
