//! What changes on the progress display, whatever the display: a pure function of the events.

use std::collections::{HashMap, HashSet};

use crate::event::{Event, Step, StepState, Verdict};
use crate::reporter::clean;

/// A line of the display.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// The current stage of the run.
    Stage,
    /// A service: image, création, démarrage, santé.
    Service(String),
    /// All checks together.
    Checks,
}

/// A line has something new to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which line.
    pub line: Line,
    /// French text, safe to show.
    pub text: String,
    /// State of what it tells.
    pub state: StepState,
    /// Milliseconds since the start of the run, where known.
    pub at_ms: Option<u64>,
    /// Checks judged and checks of the lab.
    pub tally: Option<(usize, usize)>,
}

impl Change {
    /// The text with the name of its line.
    pub fn said(&self) -> String {
        match (&self.line, self.tally) {
            (Line::Stage, _) => self.text.clone(),
            (Line::Service(name), _) => format!("{name} : {}", self.text),
            (Line::Checks, Some((done, all))) => format!("contrôles {done}/{all} · {}", self.text),
            (Line::Checks, None) => format!("contrôles · {}", self.text),
        }
    }

    /// How a step ended, in a word; verdicts say it themselves.
    pub fn mark(&self) -> &'static str {
        match (&self.line, self.state) {
            (Line::Checks, _) | (_, StepState::Started) => "",
            (_, StepState::Done) => " · fait",
            (_, StepState::Failed) => " · échec",
        }
    }
}

/// Remembers what is shown, to tell changes only.
#[derive(Default)]
pub struct Board {
    shown: HashMap<Line, (String, StepState)>,
    judged: HashSet<String>,
    checks: usize,
    at_ms: Option<u64>,
}

impl Board {
    /// What `event` changes, if anything.
    pub fn change(&mut self, event: &Event) -> Option<Change> {
        match event {
            Event::RunStarted(start) => {
                *self = Self { checks: start.checks.len(), ..Self::default() };
                let text = format!("TP {} · {}", clean::inline(&start.lab), clean::inline(&start.lab_title));
                self.note(Line::Stage, text, StepState::Started)
            }
            Event::Step(step) => self.step(step),
            Event::Checked(checked) => {
                self.judged.insert(checked.id.clone());
                self.at_ms = self.at_ms.max(Some(checked.at_ms));
                let (word, state) = match &checked.verdict {
                    Verdict::Pass { .. } => ("✓ acquis", StepState::Done),
                    Verdict::Fail(_) => ("✗ manqué", StepState::Failed),
                    Verdict::Blocked { .. } => ("– non vérifié", StepState::Failed),
                    Verdict::Inconclusive { .. } => ("? non noté", StepState::Failed),
                };
                self.note(Line::Checks, format!("{word} : {}", clean::inline(&checked.id)), state)
            }
            Event::RunFinished(end) => {
                self.at_ms = Some(end.elapsed_ms);
                self.note(Line::Stage, "correction terminée".to_owned(), StepState::Started)
            }
            // Told by the report.
            Event::Notice(_)
            | Event::Image(_)
            | Event::Rewritten(_)
            | Event::Reach(_)
            | Event::Refused(_)
            | Event::Invalid(_)
            | Event::Faulted(_)
            | Event::Kept(_)
            | Event::Cleaned(_) => None,
        }
    }

    fn step(&mut self, step: &Step) -> Option<Change> {
        self.at_ms = Some(step.at_ms);
        let line = match step.name.strip_prefix("service:") {
            Some(service) => Line::Service(clean::inline(service)),
            None => Line::Stage,
        };
        self.note(line, clean::inline(&step.text), step.state)
    }

    fn note(&mut self, line: Line, text: String, state: StepState) -> Option<Change> {
        let now = (text.clone(), state);
        if self.shown.get(&line) == Some(&now) {
            return None;
        }
        self.shown.insert(line.clone(), now);
        let tally = (line == Line::Checks).then(|| (self.judged.len(), self.checks.max(self.judged.len())));
        Some(Change { line, text, state, at_ms: self.at_ms, tally })
    }
}
