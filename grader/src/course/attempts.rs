//! Which of several hand-ins of one student counts. Pure.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Course, dates};
use crate::french;
use crate::report::class::{Fate, Head, Submission};

/// Which hand-in of a student counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The first one.
    First,
    /// The last one.
    Last,
    /// The one whose note is the highest once lateness is counted; the earliest of equals.
    Best,
}

impl Keep {
    fn french(self) -> &'static str {
        match self {
            Self::First => "le premier",
            Self::Last => "le dernier",
            Self::Best => "le meilleur",
        }
    }
}

/// The hand-in that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Which of those given.
    pub at: usize,
    /// French: why that one; empty for a student who handed in once, or never.
    pub why: Vec<String>,
}

/// A hand-in among those of a student.
#[derive(Clone, Copy)]
struct Attempt {
    /// From 1, in the order of arrival.
    number: usize,
    /// Its place among those given.
    at: usize,
}

impl Course {
    /// Which of a student's results counts, `all` being one of each batch. They are in the order of the dates
    /// that the platform gave when it gave all of them, else in that of the batches.
    pub fn choose(&self, keep: Keep, head: &Head, all: &[&Submission]) -> Chosen {
        let mut order: Vec<usize> =
            (0..all.len()).filter(|at| all[*at].result.standing != Fate::Missing).collect();
        if order.len() < 2 {
            return Chosen { at: order.first().copied().unwrap_or(0), why: Vec::new() };
        }
        if order.iter().all(|at| self.received(all[*at]).is_some()) {
            order.sort_by_key(|at| self.received(all[*at]));
        }
        let made: Vec<Attempt> =
            order.iter().enumerate().map(|(n, at)| Attempt { number: n + 1, at: *at }).collect();
        let cap = self.attempts.as_ref().and_then(|a| a.cap).map_or(usize::MAX, |cap| cap.max(1) as usize);
        let (within, beyond) = made.split_at(made.len().min(cap));
        let (closed, timely): (Vec<Attempt>, Vec<Attempt>) =
            within.iter().partition(|one| self.is_closed(all[one.at]));
        // Who never came in time is too late with any of them.
        let (counting, closed) =
            if timely.is_empty() { (within.to_vec(), Vec::new()) } else { (timely, closed) };
        let note = |one: &Attempt| self.settle(head, all[one.at]).note;
        let worth = |one: &Attempt| {
            #[expect(clippy::cast_possible_truncation, reason = "hundredths of a note")]
            note(one).map(|note| (note * 100.0).round() as i64)
        };
        let best = || counting.iter().rev().max_by_key(|one| worth(one)).filter(|one| worth(one).is_some());
        let first = counting.first();
        let last = counting.last();
        let kept = match keep {
            Keep::First => first,
            Keep::Last => last,
            Keep::Best => best().or(last),
        };
        let Some(kept) = kept.copied() else { return Chosen::default() };
        let on = self.received(all[kept.at]).map_or_else(String::new, |at| format!(", {}", self.on(at)));
        let among = if counting.len() < made.len() { " de ceux qui comptent" } else { "" };
        let mut why =
            vec![format!("envoi {} sur {}{on} : {}{among}", kept.number, made.len(), keep.french())];
        if keep == Keep::Best && (self.reveal || self.hidden.is_empty()) {
            let told = |one: &Attempt| {
                let fate = all[one.at].result.standing;
                let what = note(one).map_or_else(
                    || fate.french().to_owned(),
                    |note| format!("{}/{}", french::number(note), french::number(self.scale)),
                );
                format!("envoi {} {what}", one.number)
            };
            why.push(counting.iter().map(told).collect::<Vec<_>>().join(" · "));
        }
        why.extend(left_out(&closed, "après la clôture"));
        why.extend(left_out(
            beyond,
            &format!("au-delà de {}", french::count(cap, "envoi permis", "envois permis")),
        ));
        Chosen { at: kept.at, why }
    }

    /// When the platform received it, if the class list tells.
    pub(super) fn received(&self, one: &Submission) -> Option<Timestamp> {
        dates::read(one.identity.get(&self.deadline.as_ref()?.column)?, self.offset)
    }

    fn on(&self, at: Timestamp) -> String {
        format!("le {}", dates::told(at, self.offset))
    }
}

fn left_out(some: &[Attempt], why: &str) -> Option<String> {
    let numbers: Vec<String> = some.iter().map(|one| one.number.to_string()).collect();
    let word = french::agree(some.len() as u64, "envoi", "envois");
    (!some.is_empty()).then(|| format!("sans effet, {why} : {word} {}", numbers.join(", ")))
}
