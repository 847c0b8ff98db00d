//! Reporters: one file each. They see events and nothing else, so a run can be told again
//! from its journal ([`replay`]) without an engine.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::event::Event;

pub mod class;
pub mod classroom;
pub mod classroom50;
pub mod clean;
pub mod encode;
pub mod github;
pub mod html;
pub mod human;
pub mod json;
pub mod jsonl;
pub mod junit;
pub mod replay;
pub mod words;

pub use classroom50::Classroom50;
pub use github::Github;
pub use html::Html;
pub use human::Human;
pub use json::Json;
pub use jsonl::JsonLines;
pub use junit::Junit;

/// Tells a run as its events come.
pub trait Reporter: Send {
    /// Takes the next event; may write at once, or wait for [`Reporter::finish`].
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()>;

    /// The stream is over (even when no [`Event::RunFinished`] came).
    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.flush()
    }
}

/// Feeds several reporters. One that fails is set aside and never silences the others.
#[derive(Default)]
pub struct Fanout {
    lines: Vec<Outlet>,
}

struct Outlet {
    name: String,
    reporter: Box<dyn Reporter>,
    out: Box<dyn Write + Send>,
    failure: Option<io::Error>,
}

impl Fanout {
    /// Adds a reporter that writes to `out`; `name` is how a failure is told.
    pub fn with(
        mut self,
        name: &str,
        reporter: impl Reporter + 'static,
        out: impl Write + Send + 'static,
    ) -> Self {
        let outlet =
            Outlet { name: name.to_owned(), reporter: Box::new(reporter), out: Box::new(out), failure: None };
        self.lines.push(outlet);
        self
    }

    /// Gives an event to every reporter that still works.
    pub fn event(&mut self, event: &Event) {
        self.each(|reporter, out| reporter.event(event, out));
    }

    /// Ends every reporter that still works; returns those that failed, with why.
    pub fn finish(mut self) -> Vec<(String, io::Error)> {
        self.each(|reporter, out| reporter.finish(out));
        self.lines.into_iter().filter_map(|line| Some((line.name, line.failure?))).collect()
    }

    fn each(&mut self, mut tell: impl FnMut(&mut dyn Reporter, &mut dyn Write) -> io::Result<()>) {
        for line in self.lines.iter_mut().filter(|line| line.failure.is_none()) {
            // A reporter that panics is never called again, so no broken state is seen.
            let told = catch_unwind(AssertUnwindSafe(|| tell(line.reporter.as_mut(), line.out.as_mut())));
            line.failure = match told {
                Ok(result) => result.err(),
                Err(_) => Some(io::Error::other("défaut interne du rapport (panique)")),
            };
        }
    }
}

#[cfg(test)]
mod tests;
