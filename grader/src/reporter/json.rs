//! The whole report as one JSON document.

use std::io::{self, Write};

use super::{Reporter, clean};
use crate::event::Event;
use crate::report::Fold;

/// Writes the [`Report`](crate::report::Report), once, at the end.
#[derive(Default)]
pub struct Json {
    fold: Fold,
}

impl Reporter for Json {
    fn event(&mut self, event: &Event, _out: &mut dyn Write) -> io::Result<()> {
        self.fold.push(event.clone());
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let report = std::mem::take(&mut self.fold).finish();
        let document = serde_json::to_string_pretty(&report)?;
        writeln!(out, "{}", clean::json(&document))?;
        out.flush()
    }
}
