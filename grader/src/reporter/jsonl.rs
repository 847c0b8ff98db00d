//! The event stream itself, one event a line, written as it comes.

use std::io::{self, Write};

use super::{Reporter, clean};
use crate::event::Event;

/// Writes each event on its line and flushes it: a run that is killed leaves a readable journal.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

impl Reporter for JsonLines {
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        let line = serde_json::to_string(event)?;
        writeln!(out, "{}", clean::json(&line))?;
        out.flush()
    }
}
