//! From events to a [`Report`], one at a time.

use std::collections::{HashMap, HashSet};

use super::score::{sections, tidy};
use super::{CheckResult, FORMAT, Head, Outcome, Report, Score, Standing};
use crate::error::{Fault, FaultKind};
use crate::event::{
    Change, CheckCard, Checked, Event, ImageUse, Inventory, Level, Notice, Problem, Reach, Refusal,
    RunStarted, Step, Verdict,
};

/// A report in the making.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    head: Option<Head>,
    cards: Vec<CheckCard>,
    checked: HashMap<String, Checked>,
    order: Vec<String>,
    notices: Vec<Notice>,
    steps: Vec<Step>,
    images: Vec<ImageUse>,
    changes: Vec<Change>,
    reach: Option<Reach>,
    refusals: Vec<Refusal>,
    problems: Vec<Problem>,
    fault: Option<Fault>,
    inventory: Option<Inventory>,
    elapsed_ms: Option<u64>,
}

impl Fold {
    /// Takes the next event. A second `RunStarted` begins a new report; when a check is
    /// judged twice the last verdict counts; the first fault is the one told.
    pub fn push(&mut self, event: Event) {
        match event {
            Event::RunStarted(start) => *self = Self::begin(start),
            Event::Notice(notice) => self.notices.push(notice),
            Event::Step(step) => self.steps.push(step),
            Event::Image(image) => self.images.push(image),
            Event::Rewritten(change) => self.changes.push(change),
            Event::Reach(reach) => self.reach = Some(reach),
            Event::Checked(checked) => self.judge(checked),
            Event::Refused(refusals) => self.refusals.extend(refusals),
            Event::Invalid(problems) => self.problems.extend(problems),
            Event::Faulted(fault) => {
                self.fault.get_or_insert(fault);
            }
            // Gone by the end: nothing of it is part of what a run comes down to.
            Event::Kept(_) => {}
            Event::Cleaned(inventory) => self.inventory = Some(inventory),
            Event::RunFinished(end) => self.elapsed_ms = Some(end.elapsed_ms),
        }
    }

    fn begin(start: RunStarted) -> Self {
        let sane = |card: CheckCard| CheckCard { points: tidy(card.points).max(0.0), ..card };
        Self {
            head: Some(Head {
                id: start.run,
                grader: start.grader,
                at: start.at,
                lab: start.lab,
                lab_title: start.lab_title,
                submission: start.submission,
                budget_ms: start.budget_ms,
            }),
            cards: start.checks.into_iter().map(sane).collect(),
            ..Self::default()
        }
    }

    fn judge(&mut self, checked: Checked) {
        if !self.cards.iter().any(|card| card.id == checked.id) {
            self.notices.push(Notice {
                level: Level::Warning,
                text: format!(
                    "verdict reçu pour « {} », que le TP ne connaît pas ; il est ignoré",
                    checked.id
                ),
                place: None,
            });
            return;
        }
        self.order.retain(|id| *id != checked.id);
        self.order.push(checked.id.clone());
        self.checked.insert(checked.id.clone(), checked);
    }

    /// The report of what was taken so far.
    pub fn finish(mut self) -> Report {
        let lost = self.lost();
        let all_judged = self.cards.iter().all(|card| self.checked.contains_key(&card.id));
        let (outcome, late_fault) = self.outcome(all_judged);
        let graded = outcome == Outcome::Graded;
        let checks: Vec<CheckResult> = std::mem::take(&mut self.cards)
            .into_iter()
            .map(|card| result(self.checked.remove(&card.id), card, &lost))
            .collect();
        let mut report = Report {
            format: FORMAT,
            run: self.head,
            outcome,
            exit_code: 0,
            score: graded.then(|| Score::of(&checks)),
            sections: if graded { sections(&checks) } else { Vec::new() },
            checks,
            order: self.order,
            notices: self.notices,
            steps: self.steps,
            images: self.images,
            changes: self.changes,
            reach: self.reach,
            inventory: self.inventory,
            late_fault,
            elapsed_ms: self.elapsed_ms,
        };
        report.exit_code = report.exit() as u8;
        report
    }

    /// Ids of the checks that are missed, or blocked by one that is (at any remove).
    fn lost(&self) -> HashSet<String> {
        let mut lost: HashSet<String> = HashSet::new();
        loop {
            let more: Vec<String> = self
                .checked
                .values()
                .filter(|checked| !lost.contains(&checked.id))
                .filter(|checked| match &checked.verdict {
                    Verdict::Fail(_) => true,
                    Verdict::Blocked { by } => by.iter().any(|id| lost.contains(id)),
                    Verdict::Pass { .. } | Verdict::Inconclusive { .. } => false,
                })
                .map(|checked| checked.id.clone())
                .collect();
            if more.is_empty() {
                return lost;
            }
            lost.extend(more);
        }
    }

    /// How the run ended, and the fault that came too late to matter to the note.
    fn outcome(&mut self, all_judged: bool) -> (Outcome, Option<Fault>) {
        if self.head.is_none() {
            let fault = self
                .fault
                .take()
                .unwrap_or_else(|| cut("le journal ne contient pas le début de la correction"));
            return (Outcome::NotGraded(fault), None);
        }
        if !self.refusals.is_empty() {
            return (Outcome::Refused(std::mem::take(&mut self.refusals)), self.fault.take());
        }
        if !self.problems.is_empty() {
            return (Outcome::Invalid(std::mem::take(&mut self.problems)), self.fault.take());
        }
        match self.fault.take() {
            Some(fault) if !all_judged => (Outcome::NotGraded(fault), None),
            None if !all_judged && self.elapsed_ms.is_none() => {
                (Outcome::NotGraded(cut("le journal s'arrête avant la fin de la correction")), None)
            }
            late => (Outcome::Graded, late),
        }
    }
}

fn cut(what: &str) -> Fault {
    Fault::new(FaultKind::Bug, what, "relancez la correction : « grader check »")
}

fn result(checked: Option<Checked>, card: CheckCard, lost: &HashSet<String>) -> CheckResult {
    let (elapsed_ms, verdict) = checked.map(|c| (c.elapsed_ms, c.verdict)).unzip();
    let (standing, earned) = match &verdict {
        Some(Verdict::Pass { .. }) => (Standing::Passed, card.points),
        Some(Verdict::Fail(miss)) => (Standing::Missed, tidy(miss.earned).clamp(0.0, card.points)),
        Some(Verdict::Blocked { .. }) if lost.contains(&card.id) => (Standing::Blocked, 0.0),
        Some(Verdict::Blocked { .. } | Verdict::Inconclusive { .. }) | None => (Standing::Ungraded, 0.0),
    };
    CheckResult { card, standing, earned, elapsed_ms, verdict }
}
