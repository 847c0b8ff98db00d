//! Choosing and feeding the reporters of a run.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use super::args::{Color, Format, Global};
use super::ci;
use super::progress::Progress;
use super::shell;
use crate::event::Event;
use crate::report::{Fold, Report};
use crate::reporter::human::{Options, Verbosity};
use crate::reporter::{Classroom50, Fanout, Github, Html, Human, Json, JsonLines, Junit};

/// How reports for people look.
pub fn human(global: &Global, is_terminal: bool) -> Options {
    let color = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    // Elsewhere than on a terminal, COLUMNS is the usual way to ask for a width.
    let asked = || std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()).unwrap_or(100);
    let width =
        if is_terminal { usize::from(console::Term::stdout().size().1) } else { asked() }.clamp(40, 120);
    let verbosity = match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    Options { width, color, verbosity, explain: false }
}

/// Everything that listens to a run.
pub struct Output {
    inner: Mutex<Inner>,
}

struct Inner {
    fanout: Fanout,
    fold: Fold,
    progress: Progress,
}

/// Where a command writes, and how a person reads it there. `Err` is a French message.
pub fn target(global: &Global, explain: bool) -> Result<(Box<dyn Write + Send>, Options), String> {
    let (out, is_terminal): (Box<dyn Write + Send>, bool) = match &global.output {
        Some(path) => {
            let file = std::fs::File::create(path)
                .map_err(|e| format!("le fichier « {} » ne s'ouvre pas en écriture ({e})", path.display()))?;
            (Box::new(std::io::BufWriter::new(file)), false)
        }
        None => (Box::new(std::io::stdout()), std::io::stdout().is_terminal()),
    };
    Ok((out, Options { explain, ..human(global, is_terminal) }))
}

impl Output {
    /// Opens the report's destination. `Err` is a French message.
    pub fn open(global: &Global, explain: bool) -> Result<Self, String> {
        let (out, options) = target(global, explain)?;
        let fanout = match global.format {
            Format::Human => Fanout::default().with("human", Human::new(options), out),
            Format::Html => Fanout::default().with("html", Html::default(), out),
            Format::Json => Fanout::default().with("json", Json::default(), out),
            Format::Jsonl => Fanout::default().with("jsonl", JsonLines, out),
            Format::Junit => Fanout::default().with("junit", Junit::default(), out),
            Format::Github => Fanout::default().with("github", Github::new(ci::site(global)), out),
            Format::Classroom50 => {
                Fanout::default().with("classroom50", Classroom50::new(ci::submission(global)), out)
            }
        };
        let progress = Progress::stderr(global.progress.into(), std::io::stderr().is_terminal());
        Ok(Self { inner: Mutex::new(Inner { fanout, fold: Fold::default(), progress }) })
    }

    /// Takes the next event.
    pub fn event(&self, event: Event) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.progress.event(&event);
        if matches!(event, Event::Kept(_)) {
            // The report is told now.
            inner.progress.clear();
        }
        inner.fanout.event(&event);
        inner.fold.push(event);
    }

    /// The report of what was taken so far.
    pub fn so_far(&self) -> Report {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).fold.clone().finish()
    }

    /// Ends the reporters and gives the report.
    pub fn finish(self) -> Report {
        let mut inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        inner.progress.clear();
        for (name, error) in inner.fanout.finish() {
            if error.kind() != std::io::ErrorKind::BrokenPipe {
                shell::complain(&format!("erreur · le rapport « {name} » n'a pas pu être écrit ({error})"));
            }
        }
        inner.fold.finish()
    }
}
