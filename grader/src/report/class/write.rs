//! `class.json`, one submission at a time: the reports of a class are never in memory together.

use std::io::{self, Write};

use super::{Head, Submission};

/// Writes a [`Class`](super::Class), a submission a line.
pub struct Writer<W: Write> {
    out: W,
    any: bool,
}

impl<W: Write> Writer<W> {
    /// Writes the head.
    pub fn new(mut out: W, head: &Head) -> io::Result<Self> {
        let text = serde_json::to_string(head)?;
        // The closing brace comes after the submissions.
        let open = text.strip_suffix('}').unwrap_or(&text);
        write!(out, "{open},\"submissions\":[")?;
        Ok(Self { out, any: false })
    }

    /// Writes a submission.
    pub fn push(&mut self, submission: &Submission) -> io::Result<()> {
        self.out.write_all(if self.any { b",\n" } else { b"\n" })?;
        self.any = true;
        serde_json::to_writer(&mut self.out, submission)?;
        Ok(())
    }

    /// Ends the document and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}
