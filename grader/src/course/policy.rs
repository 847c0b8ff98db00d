//! From a result to a note. Pure; sums are in hundredths of a point, so that what is shown adds up.

use jiff::Timestamp;

use super::{Cost, Course, Deadline, Extension, dates};
use crate::french;
use crate::report::class::{self, Fate, Head, Kind, Settled, Submission, Term};
use crate::report::{Score, Standing, partly};

/// Seconds of a day.
const DAY: i64 = 86_400;

impl Course {
    /// Applies the course to a class: what it says of all, then a note for each.
    pub fn apply(&self, head: &mut Head, all: &mut [Submission]) {
        head.course = Some(class::Course {
            title: self.title.clone(),
            scale: self.scale,
            hidden: if self.reveal { Vec::new() } else { self.hidden.iter().cloned().collect() },
            bonus: self.bonus.iter().cloned().collect(),
            detail: self.detail,
        });
        for one in all {
            one.settled = Some(self.settle(head, one));
            if let Some(page) = &mut one.page {
                // What is decided of one student is not for those who hand in with them to read.
                *page = format!("students/{}/index.html", one.key);
            }
        }
    }

    /// The note of one submission.
    pub fn settle(&self, head: &Head, one: &Submission) -> Settled {
        let mut settled = Settled { scale: self.scale, partly: self.partly(head, one), ..Settled::default() };
        self.count_attempts(one, &mut settled);
        if one.result.standing != Fate::Graded {
            if self.adjustments.iter().any(|a| a.key == one.key) {
                let fate = one.result.standing.french();
                settled.remarks.push(format!("{fate} : sans note, aucun ajustement ne s'applique"));
            }
            return settled;
        }
        let mut terms = Vec::new();
        let (earned, bonus) = self.earned(head, one);
        terms.push(term(Kind::Earned, earned, ""));
        if bonus != 0 {
            terms.push(term(Kind::Bonus, bonus, ""));
        }
        let remark = self.late(one, earned + bonus, &mut terms);
        settled.remarks.extend(remark);
        for adjustment in self.adjustments.iter().filter(|a| a.key == one.key) {
            terms.push(term(Kind::Adjustment, cents(adjustment.points), &adjustment.reason));
        }
        let sum: i64 = terms.iter().map(|term| cents(term.points)).sum();
        let note = sum.clamp(0, cents(self.scale + self.above));
        if note != sum {
            terms.push(term(Kind::Bounds, note - sum, ""));
        }
        settled.note = Some(points(note));
        settled.terms = terms;
        settled
    }

    /// What the checks are worth on the scale, and what those of the bonus add, in hundredths.
    fn earned(&self, head: &Head, one: &Submission) -> (i64, i64) {
        let is_bonus = |id: &str| self.bonus.contains(id);
        let total: f64 = head.checks.iter().filter(|c| !is_bonus(&c.id)).map(|c| c.points).sum();
        let sum = |bonus: bool| -> f64 {
            one.result.checks.iter().filter(|c| is_bonus(&c.id) == bonus).map(|c| c.earned).sum()
        };
        let share = |earned: f64| {
            // One decimal, as the report says it.
            if total > 0.0 { cents((earned / total * self.scale * 10.0).round() / 10.0) } else { 0 }
        };
        (share(sum(false)), share(sum(true)))
    }

    /// Adds what lateness costs; what is to be said when it cannot be known.
    fn late(&self, one: &Submission, note: i64, terms: &mut Vec<Term>) -> Option<String> {
        let deadline = self.deadline.as_ref()?;
        let said = one.identity.get(&deadline.column).map_or("", |text| text.trim());
        if said.is_empty() {
            return Some("date de remise absente de la liste : aucune pénalité".to_owned());
        }
        let Some(at) = dates::read(said, self.offset) else {
            return Some(format!("date de remise illisible (« {said} ») : aucune pénalité"));
        };
        let extension = self.extension(one);
        let due = extension.map_or(deadline.due, |e| e.due.max(deadline.due));
        if let Some(closed) = self.closing(one).filter(|closed| at > *closed) {
            let why = format!("rendu après le {} : rien ne compte", dates::told(closed, self.offset));
            terms.push(term(Kind::Closed, -note, &why));
            return None;
        }
        let late =
            at.as_second() - due.as_second() + i64::from(at.subsec_nanosecond() > due.subsec_nanosecond());
        if late > deadline.grace.max(0) {
            let days = (late + DAY - 1) / DAY;
            terms.push(Self::penalty(deadline, days, note));
        }
        let granted = extension.filter(|_| at > deadline.due)?;
        Some(format!("délai accordé jusqu'au {} : {}", dates::told(granted.due, self.offset), granted.reason))
    }

    /// The longest of the delays granted.
    fn extension(&self, one: &Submission) -> Option<&Extension> {
        self.extensions.iter().filter(|e| e.keys.contains(&one.key)).max_by_key(|e| e.due)
    }

    /// From when nothing of this student counts.
    fn closing(&self, one: &Submission) -> Option<Timestamp> {
        let closed = self.deadline.as_ref()?.closed?;
        Some(self.extension(one).map_or(closed, |granted| closed.max(granted.due)))
    }

    /// True when it came too late to count.
    pub(super) fn is_closed(&self, one: &Submission) -> bool {
        self.closing(one).zip(self.received(one)).is_some_and(|(closed, at)| at > closed)
    }

    fn penalty(deadline: &Deadline, days: i64, note: i64) -> Term {
        #[expect(clippy::cast_precision_loss, reason = "days since a deadline, hundredths of a note")]
        let (whole, so_many) = (note as f64, days as f64);
        let worth = |cost: Cost| match cost {
            Cost::Points(points) => points * 100.0,
            Cost::Percent(share) => whole * share / 100.0,
        };
        let most = deadline.at_most.map_or(f64::INFINITY, worth);
        // Never more than what was earned: else it would cost more than to be too late to count.
        let cost = (worth(deadline.per_day) * so_many).min(most).min(whole);
        let rate = match deadline.per_day {
            Cost::Points(_) => String::new(),
            Cost::Percent(share) => format!(" à {}", french::percent(share)),
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most the note")]
        let cost = cost.round() as i64;
        let days = usize::try_from(days).unwrap_or(usize::MAX);
        term(Kind::Late, -cost, &format!("{}{rate}", french::count(days, "jour", "jours")))
    }

    /// Points of what students see, in their words.
    fn partly(&self, head: &Head, one: &Submission) -> String {
        if self.reveal || self.hidden.is_empty() || one.result.score.is_none() {
            return String::new();
        }
        let (mut earned, mut ungraded, mut total, mut hidden) = (0.0, 0.0, 0.0, 0.0);
        for card in &head.checks {
            if self.hidden.contains(&card.id) {
                hidden += card.points;
                continue;
            }
            total += card.points;
            let cell = one.result.checks.iter().find(|cell| cell.id == card.id);
            earned += cell.map_or(0.0, |cell| cell.earned);
            if cell.is_some_and(|cell| cell.standing == Standing::Ungraded) {
                ungraded += card.points;
            }
        }
        let missed = total - earned - ungraded;
        let visible = Score { earned, missed, ungraded, total, note: 0.0, note_max: 0.0, percent: 0.0 };
        partly(&visible, hidden)
    }

    fn count_attempts(&self, one: &Submission, settled: &mut Settled) {
        let Some(attempts) = &self.attempts else { return };
        let (Some(column), Some(cap)) = (&attempts.column, attempts.cap) else { return };
        let said = one.identity.get(column).map_or("", |text| text.trim());
        if let Ok(made) = said.parse::<u32>()
            && made > cap
        {
            settled
                .remarks
                .push(format!("{made} envois pour {cap} annoncés ; c'est la copie donnée ici qui compte"));
        }
    }
}

fn term(kind: Kind, cents: i64, why: &str) -> Term {
    Term { kind, points: points(cents), why: why.to_owned() }
}

/// Hundredths of points.
fn cents(points: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "notes and adjustments are small")]
    let cents = (points * 100.0).round() as i64;
    cents
}

fn points(cents: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "notes and adjustments are small")]
    let points = cents as f64 / 100.0;
    points
}
