//! What is left to do of each submission, from what the journal knows of it. Pure.

use std::collections::HashMap;

use super::journal::{Ended, Record, Terms};
use crate::report::class::Fate;

/// Attempts that may end without a firm verdict, over all the resumptions of a batch.
pub const ATTEMPTS: u32 = 3;

/// Batches that died while a submission was graded, from which it is graded alone, after all others.
const CRASHES: u32 = 2;

/// What is known of one submission.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Attempts that ended.
    pub attempts: u32,
    /// Attempts that ended since this batch began or was resumed.
    now: u32,
    /// Attempts of which the end was never written: the batch was killed meanwhile.
    pub crashes: u32,
    under_way: bool,
    /// The attempt that counts.
    pub best: Option<Ended>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the verdict stands, or no more attempts are due.
    Done,
    /// Grade it, beside others.
    Together,
    /// Grade it when nothing else runs.
    Alone,
}

impl History {
    /// What to do next.
    pub fn next(&self) -> Next {
        let Some(best) = &self.best else {
            return if self.crashes < CRASHES { Next::Together } else { Next::Alone };
        };
        let firm = best.result.standing.is_settled() && best.doubt.is_none();
        let again = match self.now {
            // Resumed: what has no firm verdict is tried again.
            0 => true,
            // Whatever happens a second time alone will happen again.
            1 => best.doubt.is_some(),
            _ => false,
        };
        if firm || !again || self.attempts >= ATTEMPTS { Next::Done } else { Next::Alone }
    }

    /// True when this attempt would count rather than the one that does.
    pub fn is_beaten_by(&self, standing: Fate) -> bool {
        self.best.as_ref().is_none_or(|best| firmness(standing) >= firmness(best.result.standing))
    }
}

fn firmness(fate: Fate) -> u8 {
    match fate {
        Fate::Graded | Fate::Refused | Fate::Invalid | Fate::Missing => 2,
        Fate::Provisional => 1,
        Fate::NotGraded => 0,
    }
}

/// What is known of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    all: HashMap<Terms, History>,
}

impl Past {
    /// Takes the next record.
    pub fn push(&mut self, record: &Record) {
        match record {
            Record::Opened(_) => {
                for history in self.all.values_mut() {
                    history.now = 0;
                    history.crashes += u32::from(std::mem::take(&mut history.under_way));
                }
            }
            Record::Began(terms) => self.of(terms).under_way = true,
            Record::Dropped(terms) => self.of(terms).under_way = false,
            Record::Ended(ended) => {
                let history = self.of(&ended.terms);
                history.under_way = false;
                history.attempts += 1;
                history.now += 1;
                if history.is_beaten_by(ended.result.standing) {
                    history.best = Some((**ended).clone());
                }
            }
        }
    }

    fn of(&mut self, terms: &Terms) -> &mut History {
        self.all.entry(terms.clone()).or_default()
    }

    /// What is known of a submission.
    pub fn history(&self, terms: &Terms) -> History {
        self.all.get(terms).cloned().unwrap_or_default()
    }

    /// Forgets everything but these submissions: results of another lab or of an older version of a
    /// folder are of no use any more.
    pub fn keep(&mut self, terms: &[Terms]) {
        self.all.retain(|known, _| terms.contains(known));
    }
}

#[cfg(test)]
mod tests;
