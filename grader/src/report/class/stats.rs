//! What the results of a class have in common.
#![expect(clippy::cast_precision_loss, reason = "numbers of students")]

use serde::Serialize;

use super::{Class, Fate, Head, Standing, Submission};

/// Steps of the distribution: notes from 0 to 20, two by two.
const BINS: usize = 10;

/// How a check went over the class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rate {
    /// Check id.
    pub id: String,
    /// Students who passed it.
    pub passed: usize,
    /// Students who missed it.
    pub missed: usize,
    /// Students for whom a missed check blocks it.
    pub blocked: usize,
    /// Students for whom it could not be judged.
    pub ungraded: usize,
    /// Passed, in hundredths of those judged; absent when nobody was.
    pub percent: Option<f64>,
    /// Mean of the points earned by those judged.
    pub mean: f64,
}

/// Figures of a class. Notes are those of firm results only.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stats {
    /// How many there are of each [`Fate`], in the order of [`Fate::ALL`].
    pub counts: [usize; 6],
    /// By check, in lab order.
    pub rates: Vec<Rate>,
    /// Firm notes in `[0, 2[`, `[2, 4[`, …, `[18, 20]`.
    pub bins: [usize; BINS],
    /// Mean of the firm notes on 20.
    pub mean: Option<f64>,
    /// Median of the firm notes on 20.
    pub median: Option<f64>,
    /// Lowest firm note on 20.
    pub lowest: Option<f64>,
    /// Highest firm note on 20.
    pub highest: Option<f64>,
}

impl Stats {
    /// Of a whole class.
    pub fn of_class(class: &Class) -> Self {
        Self::of(&class.head, &class.submissions)
    }

    /// Of these submissions.
    pub fn of(head: &Head, all: &[Submission]) -> Self {
        let count = |fate: &Fate| all.iter().filter(|s| s.result.standing == *fate).count();
        let firm = all.iter().filter(|s| s.result.standing == Fate::Graded);
        let mut notes: Vec<f64> = firm.filter_map(|s| Some(s.result.score?.note)).collect();
        notes.sort_by(f64::total_cmp);
        let mut bins = [0; BINS];
        for note in &notes {
            bins[bin(*note)] += 1;
        }
        Self {
            counts: Fate::ALL.each_ref().map(count),
            rates: head.checks.iter().map(|card| rate(&card.id, all)).collect(),
            bins,
            mean: mean(&notes),
            median: median(&notes),
            lowest: notes.first().copied(),
            highest: notes.last().copied(),
        }
    }

    /// How many ended so.
    pub fn count(&self, fate: Fate) -> usize {
        Fate::ALL.iter().position(|f| *f == fate).map_or(0, |at| self.counts[at])
    }
}

/// The step of a note on 20.
fn bin(note: f64) -> usize {
    (1..BINS).rev().find(|at| note >= (*at * 20 / BINS) as f64 - 1e-9).unwrap_or(0)
}

fn rate(id: &str, all: &[Submission]) -> Rate {
    let cells: Vec<_> = all.iter().filter_map(|s| s.result.checks.iter().find(|c| c.id == id)).collect();
    let count = |standing| cells.iter().filter(|c| c.standing == standing).count();
    let (passed, missed) = (count(Standing::Passed), count(Standing::Missed));
    let (blocked, ungraded) = (count(Standing::Blocked), count(Standing::Ungraded));
    let judged = passed + missed + blocked;
    let share = |part: f64| (judged > 0).then(|| part / judged as f64);
    let earned: f64 = cells.iter().map(|c| c.earned).sum();
    Rate {
        id: id.to_owned(),
        passed,
        missed,
        blocked,
        ungraded,
        percent: share(passed as f64 * 100.0),
        mean: share(earned).unwrap_or(0.0),
    }
}

fn mean(notes: &[f64]) -> Option<f64> {
    (!notes.is_empty()).then(|| notes.iter().sum::<f64>() / notes.len() as f64)
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let high = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], high) } else { high })
}
