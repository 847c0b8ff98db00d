//! What a student may see of a run: nothing of the checks that a course hides, and misses in as much detail as
//! it says. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::score::sections;
use super::{CheckResult, Outcome, Report, Score, Standing};
use crate::error::{Fault, FaultKind};
use crate::event::{CheckCard, Event, Fact, Level, Miss, Notice, Verdict};
use crate::french;

/// How much a student reads of a miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// Everything.
    #[default]
    Full,
    /// What is expected and observed: no evidence, place, hint nor command.
    Message,
    /// That it is missed.
    Verdict,
}

/// What is kept from a student.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Ids of the checks that are not shown.
    pub hidden: BTreeSet<String>,
    /// Detail of the others.
    pub detail: Detail,
}

/// What stands in place of a title or an id that is not shown.
const UNSAID: &str = "un contrôle à venir";

impl Mask {
    /// True when a student sees everything.
    pub fn is_clear(&self) -> bool {
        self.hidden.is_empty() && self.detail == Detail::Full
    }

    /// The events as a student may read them.
    pub fn events(&self, events: Vec<Event>) -> Vec<Event> {
        if self.is_clear() {
            return events;
        }
        let report = Report::fold(events.iter().cloned());
        let view = View::of(self, &report);
        let mut shown: Vec<Event> = events.into_iter().filter_map(|event| view.event(event)).collect();
        if let Some(text) = view.said(&report) {
            let end = shown.iter().rposition(|event| matches!(event, Event::RunFinished(_)));
            shown.insert(end.unwrap_or(shown.len()), Event::Notice(notice(text)));
        }
        shown
    }

    /// The report as a student may read it: its note is that of what is shown.
    pub fn report(&self, report: &Report) -> Report {
        if self.is_clear() {
            return report.clone();
        }
        let view = View::of(self, report);
        let shown = |check: &&CheckResult| !self.hidden.contains(&check.card.id);
        let result = |check: &CheckResult| {
            let card = check.card.clone();
            if !view.is_graded {
                let standing = Standing::Ungraded;
                return CheckResult { card, standing, earned: 0.0, elapsed_ms: None, verdict: None };
            }
            let verdict = check.verdict.clone().map(|v| view.verdict(&check.card.id, v));
            CheckResult { card, verdict, standing: view.standing(&check.card.id, check), ..check.clone() }
        };
        let checks: Vec<CheckResult> = report.checks.iter().filter(shown).map(result).collect();
        let mut notices: Vec<Notice> = report.notices.iter().filter_map(|n| view.notice(n.clone())).collect();
        notices.extend(view.said(report).map(notice));
        let graded = report.outcome == Outcome::Graded;
        let mut masked = Report {
            outcome: view.scrub(&report.outcome),
            score: graded.then(|| Score::of(&checks)),
            sections: if graded { sections(&checks) } else { Vec::new() },
            order: report.order.iter().filter(|id| view.is_graded && !view.hides(id)).cloned().collect(),
            notices,
            steps: report
                .steps
                .iter()
                .filter(|s| !view.tells(&s.name) && !view.tells(&s.text))
                .cloned()
                .collect(),
            changes: report.changes.iter().map(|change| view.scrub(change)).collect(),
            reach: report.reach.clone().filter(|_| view.shows_map()),
            late_fault: report.late_fault.as_ref().map(|fault| view.scrub(fault)),
            checks,
            ..report.clone()
        };
        masked.exit_code = masked.exit() as u8;
        masked
    }
}

/// « 12/20 visibles, 8 points cachés à venir »; nothing when nothing is hidden or no note is given.
pub fn partly(visible: &Score, hidden: f64) -> String {
    let points = french::number(hidden);
    let noun = if hidden < 2.0 { "point caché" } else { "points cachés" };
    let doubt = if visible.is_provisional() { " (provisoires)" } else { "" };
    format!(
        "{}/{} visibles{doubt}, {points} {noun} à venir",
        french::number(visible.earned),
        french::number(visible.total)
    )
}

fn notice(text: String) -> Notice {
    Notice { level: Level::Info, text, place: None }
}

/// A mask laid over one run.
struct View<'a> {
    mask: &'a Mask,
    /// Cards that are not shown.
    cards: Vec<&'a CheckCard>,
    standings: BTreeMap<&'a str, Standing>,
    /// Without the hidden checks, a run that was cut could look whole: of one that is not graded no verdict is
    /// shown.
    is_graded: bool,
}

impl<'a> View<'a> {
    fn of(mask: &'a Mask, report: &'a Report) -> Self {
        let cards = report.checks.iter().map(|c| &c.card).filter(|c| mask.hidden.contains(&c.id)).collect();
        let standings = report.checks.iter().map(|c| (c.card.id.as_str(), c.standing)).collect();
        let is_graded = !matches!(report.outcome, Outcome::NotGraded(_));
        Self { mask, cards, standings, is_graded }
    }

    fn hides(&self, id: &str) -> bool {
        self.mask.hidden.contains(id)
    }

    /// Who reaches whom is evidence: of what is hidden, or more than a message.
    fn shows_map(&self) -> bool {
        self.cards.is_empty() && self.mask.detail == Detail::Full
    }

    fn said(&self, report: &Report) -> Option<String> {
        report.score.as_ref().filter(|_| !self.cards.is_empty())?;
        let visible = Score::of(report.checks.iter().filter(|c| !self.hides(&c.card.id)));
        let hidden: f64 = self.cards.iter().map(|card| card.points).sum();
        Some(format!("{} : cette note ne compte que ce qui est visible", partly(&visible, hidden)))
    }

    fn event(&self, event: Event) -> Option<Event> {
        Some(match event {
            Event::RunStarted(mut start) => {
                start.checks.retain(|card| !self.hides(&card.id));
                Event::RunStarted(start)
            }
            Event::Notice(notice) => Event::Notice(self.notice(notice)?),
            Event::Step(step) if self.tells(&step.name) || self.tells(&step.text) => return None,
            Event::Reach(_) if !self.shows_map() => return None,
            Event::Checked(checked) if self.hides(&checked.id) || !self.is_graded => return None,
            Event::Checked(mut checked) => {
                checked.verdict = self.verdict(&checked.id, checked.verdict);
                Event::Checked(checked)
            }
            Event::Kept(_) => return None,
            event @ (Event::Rewritten(_) | Event::Refused(_) | Event::Invalid(_) | Event::Faulted(_)) => {
                self.scrub(&event)
            }
            event @ (Event::Step(_)
            | Event::Image(_)
            | Event::Reach(_)
            | Event::Cleaned(_)
            | Event::RunFinished(_)) => event,
        })
    }

    /// A notice about a hidden check is none of the student's.
    fn notice(&self, notice: Notice) -> Option<Notice> {
        (!self.tells(&notice.text)).then_some(notice)
    }

    /// True when a text names a hidden check.
    fn tells(&self, text: &str) -> bool {
        let plain = plain(text);
        self.cards.iter().any(|card| {
            let id = &card.id;
            plain.contains(&plain_of(&card.title)) || plain.contains(&format!("« {id} »")) || word(&plain, id)
        })
    }

    /// The same without the names of hidden checks, wherever they stand in it.
    fn scrub<T: Serialize + DeserializeOwned + Clone>(&self, value: &T) -> T {
        let Ok(mut tree) = serde_json::to_value(value) else { return value.clone() };
        self.scrub_tree(&mut tree);
        serde_json::from_value(tree).unwrap_or_else(|_| value.clone())
    }

    fn scrub_tree(&self, tree: &mut serde_json::Value) {
        match tree {
            serde_json::Value::String(text) if self.tells(text) => {
                let mut said = plain(text);
                for card in &self.cards {
                    said = said.replace(&plain_of(&card.title), UNSAID);
                    said = said.replace(&format!("« {} »", card.id), UNSAID);
                }
                *text = said;
            }
            serde_json::Value::Array(all) => all.iter_mut().for_each(|one| self.scrub_tree(one)),
            serde_json::Value::Object(all) => all.values_mut().for_each(|one| self.scrub_tree(one)),
            _ => {}
        }
    }

    /// What is told of a check that waits for a hidden one is a miss.
    fn standing(&self, id: &str, check: &CheckResult) -> Standing {
        match &check.verdict {
            Some(Verdict::Blocked { by }) if self.waits_for_hidden(id, by) => Standing::Missed,
            _ => check.standing,
        }
    }

    /// It is missed because of hidden checks only.
    fn waits_for_hidden(&self, id: &str, by: &[String]) -> bool {
        let lost = |id: &str| matches!(self.standings.get(id), Some(Standing::Missed | Standing::Blocked));
        lost(id) && !by.iter().any(|other| !self.hides(other) && lost(other))
    }

    fn verdict(&self, id: &str, verdict: Verdict) -> Verdict {
        let full = self.mask.detail == Detail::Full;
        let facts = |facts: Vec<Fact>| if full { facts } else { Vec::new() };
        match verdict {
            Verdict::Pass { facts: all } => self.scrub(&Verdict::Pass { facts: facts(all) }),
            Verdict::Fail(miss) => self.scrub(&Verdict::Fail(Box::new(self.miss(*miss)))),
            Verdict::Blocked { by } if by.iter().all(|id| !self.hides(id)) => Verdict::Blocked { by },
            Verdict::Blocked { by } if self.waits_for_hidden(id, &by) => Verdict::Fail(Box::new(Miss {
                expected: "ce contrôle dépend d'un contrôle à venir".to_owned(),
                observed: "non vérifié".to_owned(),
                ..Miss::default()
            })),
            Verdict::Blocked { by } => {
                let by: Vec<String> = by.into_iter().filter(|id| !self.hides(id)).collect();
                if by.is_empty() {
                    let todo = "attendez que la correction soit complète";
                    let fault = Fault::new(FaultKind::Noise, "dépend d'un contrôle sans verdict", todo);
                    Verdict::Inconclusive { fault, facts: Vec::new() }
                } else {
                    Verdict::Blocked { by }
                }
            }
            Verdict::Inconclusive { fault, facts: all } => {
                self.scrub(&Verdict::Inconclusive { fault, facts: facts(all) })
            }
        }
    }

    fn miss(&self, miss: Miss) -> Miss {
        match self.mask.detail {
            Detail::Full => miss,
            Detail::Message => Miss {
                headline: miss.headline,
                expected: miss.expected,
                observed: miss.observed,
                earned: miss.earned,
                earned_for: miss.earned_for,
                ..Miss::default()
            },
            Detail::Verdict => Miss { earned: miss.earned, ..Miss::default() },
        }
    }
}

/// With plain spaces, whatever the typography.
fn plain(text: &str) -> String {
    text.replace([french::NARROW, french::FIXED], " ")
}

fn plain_of(title: &str) -> String {
    let title = plain(title);
    // An untitled check must not match everything.
    if title.trim().is_empty() { "\0".to_owned() } else { title }
}

/// True when `id`, which no sentence holds by chance, stands in `text`.
fn word(text: &str, id: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    id.contains('-')
        && text
            .match_indices(id)
            .any(|(at, _)| !text[..at].ends_with(part) && !text[at + id.len()..].starts_with(part))
}

#[cfg(test)]
mod tests;
