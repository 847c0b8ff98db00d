//! A run told to GitHub Actions: annotations on the student's own lines, the report in a group of the log,
//! the summary of the job, the outputs of the step.

mod annotations;
mod outputs;
mod summary;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::encode::command::Commands;
use super::human::{self, Options};
use super::{Reporter, words};
use crate::event::Event;
use crate::report::Fold;

/// Where the runner wants things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The submission's folder from the root of the repository; empty when it is the root.
    pub root: String,
    /// `GITHUB_STEP_SUMMARY`.
    pub summary: Option<PathBuf>,
    /// `GITHUB_OUTPUT`.
    pub outputs: Option<PathBuf>,
}

/// Tells the run once it is over.
pub struct Github {
    site: Site,
    token: String,
    fold: Fold,
}

impl Github {
    /// A reporter for this place.
    pub fn new(site: Site) -> Self {
        Self { site, token: format!("{:032x}", rand::random::<u128>()), fold: Fold::default() }
    }
}

impl Reporter for Github {
    fn event(&mut self, event: &Event, _out: &mut dyn Write) -> io::Result<()> {
        self.fold.push(event.clone());
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let report = std::mem::take(&mut self.fold).finish();
        let mut commands = Commands::new(out, self.token.clone());
        commands.group(&format!("{} : {}", words::lab(&report), words::verdict(&report)))?;
        commands.log(&human::render(&report, Options { width: 100, ..Options::default() }))?;
        commands.end_group()?;
        annotations::annotate(&mut commands, &report, &self.site.root)?;
        out.flush()?;
        if let Some(path) = &self.site.summary {
            let used = std::fs::metadata(path).map_or(0, |file| file.len());
            append(path, &summary::summary(&report, used))?;
        }
        if let Some(path) = &self.site.outputs {
            append(path, &outputs::outputs(&report, &self.token))?;
        }
        Ok(())
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
