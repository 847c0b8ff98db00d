//! The report for a terminal, in French. Readable without colours and at any width.

mod brief;
mod check;
mod ending;
mod kept;
mod opinion;
mod page;
mod reach;
mod snippet;
mod timeline;

use std::io::{self, Write};

pub use self::brief::{Age, brief, household, obstacle};
pub use self::ending::note_of;
pub use self::opinion::opinion;
use self::page::{Page, Tone};
use super::{Reporter, clean};
use crate::event::{Change, Event, Level, Notice};
use crate::french::{count, moment};
use crate::report::{Fold, Outcome, Report, Standing};

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// The note and what is missed.
    Quiet,
    /// The whole report.
    #[default]
    Normal,
    /// Also the facts behind what is earned, and what the sandbox changed.
    Verbose,
}

/// Settings of the [`Human`] reporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to use colours.
    pub color: bool,
    /// How much is told.
    pub verbosity: Verbosity,
    /// Whether to tell what the sandbox changed in the student's model (`--explain`).
    pub explain: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 80, color: false, verbosity: Verbosity::Normal, explain: false }
    }
}

/// Tells the run once it is over: what is missed comes last, near the note.
#[derive(Default)]
pub struct Human {
    options: Options,
    fold: Fold,
    /// The report was told while the stack stays up: only what comes after is left to tell.
    told: bool,
}

impl Human {
    /// A reporter with these settings.
    pub fn new(options: Options) -> Self {
        Self { options, fold: Fold::default(), told: false }
    }
}

impl Reporter for Human {
    fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        self.fold.push(event.clone());
        let Event::Kept(kept) = event else { return Ok(()) };
        self.told = true;
        let report = Report { elapsed_ms: Some(kept.at_ms), ..self.fold.clone().finish() };
        let mut page = Page::new(self.options.width, self.options.color);
        body(&mut page, &report, self.options);
        kept::kept(&mut page, kept);
        out.write_all(page.into_text().as_bytes())?;
        out.flush()
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let report = std::mem::take(&mut self.fold).finish();
        let text = if self.told {
            let mut page = Page::new(self.options.width, self.options.color);
            ending::household(&mut page, &report);
            page.into_text()
        } else {
            render(&report, self.options)
        };
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// The report as text.
pub fn render(report: &Report, options: Options) -> String {
    let mut page = Page::new(options.width, options.color);
    body(&mut page, report, options);
    if options.verbosity == Verbosity::Quiet {
        ending::trouble(&mut page, report);
    } else {
        ending::household(&mut page, report);
        ending::next(&mut page, report);
    }
    page.into_text()
}

/// All that can be told before the clean-up.
fn body(page: &mut Page, report: &Report, options: Options) {
    let quiet = options.verbosity == Verbosity::Quiet;
    if !quiet {
        head(page, report);
        if options.explain || options.verbosity == Verbosity::Verbose {
            changes(page, &report.changes);
        }
        notices(page, &report.notices);
    }
    match &report.outcome {
        Outcome::Graded => checks(page, report, options.verbosity),
        Outcome::Refused(refusals) => {
            for refusal in refusals {
                page.blank();
                check::refusal(page, refusal);
            }
            verdict(page, "Refusé", "rien n'a été démarré, aucune note n'est donnée");
        }
        Outcome::Invalid(problems) => {
            for problem in problems {
                page.blank();
                check::problem(page, problem);
            }
            verdict(page, "Invalide", "rien n'a été démarré, aucune note n'est donnée");
        }
        Outcome::NotGraded(fault) => {
            if report.checks.iter().any(|result| result.verdict.is_some()) {
                judged_before(page, report, options.verbosity);
            }
            page.blank();
            check::fault(page, fault);
        }
    }
    ending::note(page, report);
    if !quiet {
        ending::sections(page, &report.sections);
        ending::conditions(page, report);
    }
}

fn head(page: &mut Page, report: &Report) {
    let Some(run) = &report.run else { return };
    page.title(Tone::Strong, "TP", &format!("{} · {}", run.lab, run.lab_title), "");
    let at = clean::inline(&moment(&run.at));
    page.field("copie", &clean::inline(&run.submission));
    page.field("le", &format!("{at}, par grader {}", clean::inline(&run.grader)));
}

fn changes(page: &mut Page, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    page.blank();
    page.text(Tone::Strong, "Ce que le bac à sable a changé");
    for change in changes {
        page.item(Tone::Plain, " ", Tone::Dim, &change.path, "");
        page.wide_field("", 4, &change.text);
    }
}

fn notices(page: &mut Page, notices: &[Notice]) {
    for notice in notices {
        page.blank();
        let word = match notice.level {
            Level::Info => "à savoir",
            Level::Warning => "attention",
        };
        page.item(Tone::Doubt, word, Tone::Plain, &format!("· {}", notice.text), "");
        if let Some(place) = &notice.place {
            snippet::place(page, place);
        }
    }
}

fn checks(page: &mut Page, report: &Report, verbosity: Verbosity) {
    if verbosity != Verbosity::Quiet {
        group(page, report, Standing::Passed, verbosity);
    }
    for standing in [Standing::Missed, Standing::Blocked, Standing::Ungraded] {
        group(page, report, standing, verbosity);
    }
}

/// Verdicts given before the fault that ended the run.
fn judged_before(page: &mut Page, report: &Report, verbosity: Verbosity) {
    page.blank();
    page.text(Tone::Plain, "Déjà vérifié avant l'incident, pour information :");
    if verbosity != Verbosity::Quiet {
        group(page, report, Standing::Passed, verbosity);
    }
    group(page, report, Standing::Missed, verbosity);
}

/// The checks of one standing, in lab order, under its symbol and word.
fn group(page: &mut Page, report: &Report, standing: Standing, verbosity: Verbosity) {
    let (tone, symbol, word, spaced) = match standing {
        Standing::Passed => (Tone::Good, "✓", "acquis", false),
        Standing::Missed => (Tone::Bad, "✗", "manqué", true),
        Standing::Blocked => (Tone::Bad, "–", "non vérifié", false),
        Standing::Ungraded => (Tone::Doubt, "?", "non noté", false),
    };
    let lab = report.run.as_ref().map_or("", |run| run.lab.as_str());
    let number = report.standing(standing).count();
    if number == 0 {
        return;
    }
    page.blank();
    // The others say their word on each line.
    if matches!(standing, Standing::Passed | Standing::Missed) {
        page.item(tone, symbol, tone, &format!("{word} : {}", count(number, "contrôle", "contrôles")), "");
    }
    for result in report.standing(standing) {
        if spaced {
            page.blank();
        }
        check::check(page, result, lab, verbosity == Verbosity::Verbose);
    }
}

fn verdict(page: &mut Page, word: &str, text: &str) {
    page.blank();
    page.title(Tone::Bad, word, &format!("· {text}"), "");
}
