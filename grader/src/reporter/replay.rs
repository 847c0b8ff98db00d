//! Reads a journal (`.jsonl`) back and tells it through any reporter.

use std::io::{self, BufRead, Write};

use serde_json::Value;

use super::Reporter;
use crate::event::{Event, FORMAT};

/// Why a journal cannot be read. Messages are French.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("le journal ne se lit pas : {0}")]
    Io(#[from] io::Error),
    /// There is no event in it.
    #[error("le journal est vide")]
    Empty,
    /// A line is not JSON: it was cut or changed.
    #[error(
        "ligne {line} du journal, colonne {column} : ce n'est pas du JSON ; la ligne est coupée ou modifiée"
    )]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A line is JSON but no event that we know.
    #[error("ligne {line} du journal : événement inconnu ou mal formé ({detail})")]
    NotEvent {
        /// Line, from 1.
        line: usize,
        /// English, as the parser says it.
        detail: String,
    },
    /// The journal was written in another format.
    #[error(
        "ligne {line} du journal : format {found}, alors que cette version de grader lit le format {FORMAT} ; \
         relisez-le avec la version qui l'a écrit"
    )]
    Version {
        /// Line, from 1.
        line: usize,
        /// The format found.
        found: String,
    },
}

/// Reads a journal. Blank lines are skipped; the format is looked at before anything is typed.
pub fn read(journal: impl BufRead) -> Result<Vec<Event>, ReplayError> {
    let mut events = Vec::new();
    for (index, text) in journal.split(b'\n').enumerate() {
        let (text, line) = (text?, index + 1);
        if !text.trim_ascii().is_empty() {
            events.push(event(&text, line)?);
        }
    }
    if events.is_empty() { Err(ReplayError::Empty) } else { Ok(events) }
}

fn event(text: &[u8], line: usize) -> Result<Event, ReplayError> {
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| ReplayError::NotJson { line, column: error.column().max(1) })?;
    if let Some(start) = value.get("run-started") {
        let found = start.get("format").unwrap_or(&Value::Null);
        if found.as_u64() != Some(u64::from(FORMAT)) {
            let found =
                if found.is_null() { "absent".to_owned() } else { super::clean::inline(&found.to_string()) };
            return Err(ReplayError::Version { line, found });
        }
    }
    serde_json::from_value(value)
        .map_err(|error| ReplayError::NotEvent { line, detail: super::clean::inline(&error.to_string()) })
}

/// Tells `events` through `reporter`.
pub fn tell<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    reporter: &mut dyn Reporter,
    out: &mut dyn Write,
) -> io::Result<()> {
    for event in events {
        reporter.event(event, out)?;
    }
    reporter.finish(out)
}
