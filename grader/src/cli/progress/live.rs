//! Live lines on a terminal: the stage, one line per service, one for the checks.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::board::{Change, Line};
use crate::event::StepState;
use crate::french;

/// How often the spinners turn.
const TICK: Duration = Duration::from_millis(120);

/// The live display.
pub struct Live {
    all: MultiProgress,
    lines: HashMap<Line, ProgressBar>,
}

impl Live {
    /// An empty display on `target`.
    pub fn new(target: ProgressDrawTarget) -> Self {
        Self { all: MultiProgress::with_draw_target(target), lines: HashMap::new() }
    }

    /// Shows a change on its line.
    pub fn show(&mut self, change: &Change) {
        let bar = self.bar(&change.line);
        let text = match (&change.line, change.state) {
            (Line::Service(_), StepState::Done) => format!("✓ {}", change.text),
            (Line::Service(_), StepState::Failed) => format!("✗ {} (échec)", change.text),
            (Line::Service(_), StepState::Started) => change.text.clone(),
            (Line::Stage | Line::Checks, _) => change.said(),
        };
        bar.set_message(text);
        let over = change.tally.is_some_and(|(done, all)| done == all)
            || (matches!(change.line, Line::Service(_)) && change.state != StepState::Started);
        if over {
            // Keeps the line in sight, its clock stopped, until the next change.
            bar.disable_steady_tick();
            bar.abandon();
        } else if bar.is_finished() {
            bar.reset();
            bar.enable_steady_tick(TICK);
        }
    }

    fn bar(&mut self, line: &Line) -> ProgressBar {
        if let Some(bar) = self.lines.get(line) {
            return bar.clone();
        }
        let bar = ProgressBar::new_spinner().with_style(style(line));
        // The stage stays on top and the checks at the bottom, whenever they come.
        let checks = self.lines.get(&Line::Checks);
        let bar = match (line, checks) {
            (Line::Stage, _) => self.all.insert(0, bar),
            (Line::Service(_), Some(checks)) => self.all.insert_before(checks, bar),
            (Line::Service(_), None) | (Line::Checks, _) => self.all.add(bar),
        };
        if let Line::Service(name) = line {
            bar.set_prefix(name.clone());
        }
        bar.enable_steady_tick(TICK);
        self.lines.insert(line.clone(), bar.clone());
        bar
    }

    /// Runs `write` with the lines out of the way.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.all.suspend(write)
    }

    /// Takes every line away.
    pub fn clear(&mut self) {
        for (_, bar) in self.lines.drain() {
            bar.finish_and_clear();
        }
        let _ = self.all.clear();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(line: &Line) -> ProgressStyle {
    let template = match line {
        Line::Stage | Line::Checks => "{spinner} {wide_msg} {since:>10}",
        Line::Service(_) => "{spinner}   {prefix:<16} {wide_msg} {since:>10}",
    };
    let since = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Whole seconds: tenths would only flicker.
        let millis = state.elapsed().as_secs().saturating_mul(1_000);
        let text =
            if millis < 60_000 { format!("{}\u{202f}s", millis / 1_000) } else { french::duration(millis) };
        let _ = out.write_str(&text);
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("since", since)
}
