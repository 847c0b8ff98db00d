//! What changes between two gradings of a class, for whom and because of which check. Pure.

use std::collections::BTreeMap;

use super::{Cell, Class, Fate, Submission};

/// Notes nearer than this are the same.
const SAME: f64 = 1e-9;

/// Everything that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// Who changed, in the order of the second grading.
    pub changes: Vec<Change>,
    /// How many did not.
    pub same: usize,
    /// By check: how many gain by it, how many lose by it.
    pub checks: Vec<(String, usize, usize)>,
}

/// One student whose result changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Key.
    pub key: String,
    /// For people: the folder, else the key.
    pub name: String,
    /// Before; absent for somebody new.
    pub before: Option<Side>,
    /// After; absent for somebody who is not there any more.
    pub after: Option<Side>,
    /// The checks that made it.
    pub checks: Vec<Cause>,
}

/// A result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Side {
    /// How it ended.
    pub standing: Fate,
    /// Note on 20, when there is a firm one.
    pub note: Option<f64>,
}

/// A check that changed for a student.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Check id.
    pub id: String,
    /// Before; absent when the lab had no such check, or when nothing was judged.
    pub before: Option<Cell>,
    /// After.
    pub after: Option<Cell>,
}

impl Change {
    /// Difference of the firm notes, on 20.
    pub fn delta(&self) -> Option<f64> {
        Some(self.after?.note? - self.before?.note?)
    }
}

impl Diff {
    /// Compares two gradings, student by student (by key).
    pub fn of(before: &Class, after: &Class) -> Self {
        let old: BTreeMap<&str, &Submission> =
            before.submissions.iter().map(|s| (s.key.as_str(), s)).collect();
        let new: BTreeMap<&str, &Submission> =
            after.submissions.iter().map(|s| (s.key.as_str(), s)).collect();
        let gone = before.submissions.iter().filter(|s| !new.contains_key(s.key.as_str()));
        let pairs = after.submissions.iter().map(|s| (old.get(s.key.as_str()).copied(), Some(s)));
        let pairs: Vec<_> = pairs.chain(gone.map(|s| (Some(s), None))).collect();
        let changes: Vec<Change> = pairs.iter().filter_map(|(a, b)| change(*a, *b)).collect();
        let ids = after.head.checks.iter().chain(&before.head.checks).map(|c| c.id.as_str());
        let mut checks: Vec<(String, usize, usize)> = Vec::new();
        for id in ids {
            let causes = || changes.iter().flat_map(|c| &c.checks).filter(|cause| cause.id == id);
            let (gain, lose) =
                (causes().filter(|c| c.gain() > 0.0).count(), causes().filter(|c| c.gain() < 0.0).count());
            if gain + lose > 0 && checks.iter().all(|(known, ..)| known != id) {
                checks.push((id.to_owned(), gain, lose));
            }
        }
        Self { same: pairs.len() - changes.len(), changes, checks }
    }
}

impl Cause {
    /// Points won, or lost.
    pub fn gain(&self) -> f64 {
        let earned = |cell: &Option<Cell>| cell.as_ref().map_or(0.0, |c| c.earned);
        earned(&self.after) - earned(&self.before)
    }
}

fn change(before: Option<&Submission>, after: Option<&Submission>) -> Option<Change> {
    let any = after.or(before)?;
    let side = |one: &Submission| Side {
        standing: one.result.standing,
        note: one.result.score.filter(|s| !s.is_provisional()).map(|s| s.note),
    };
    let (from, to) = (before.map(side), after.map(side));
    let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < SAME,
        (None, None) => true,
        _ => false,
    };
    let same = match (from, to) {
        (Some(a), Some(b)) => a.standing == b.standing && close(a.note, b.note),
        _ => false,
    };
    let checks = causes(before, after);
    // Points that move from a check to another without moving the note are told too.
    if same && checks.is_empty() {
        return None;
    }
    Some(Change { key: any.key.clone(), name: any.name().to_owned(), before: from, after: to, checks })
}

fn causes(before: Option<&Submission>, after: Option<&Submission>) -> Vec<Cause> {
    let cells = |one: Option<&Submission>| one.map(|s| s.result.checks.clone()).unwrap_or_default();
    let (old, new) = (cells(before), cells(after));
    let mut ids: Vec<&str> = new.iter().map(|c| c.id.as_str()).collect();
    ids.extend(old.iter().map(|c| c.id.as_str()).filter(|id| new.iter().all(|c| c.id != *id)));
    let find = |cells: &[Cell], id: &str| cells.iter().find(|c| c.id == id).cloned();
    ids.into_iter()
        .map(|id| Cause { id: id.to_owned(), before: find(&old, id), after: find(&new, id) })
        .filter(|cause| {
            let standing = |cell: &Option<Cell>| cell.as_ref().map(|c| c.standing);
            cause.gain().abs() > SAME || standing(&cause.before) != standing(&cause.after)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Standing;
    use crate::report::class::sample;

    #[test]
    fn the_same_class_does_not_change() {
        let class = sample::class();
        let diff = Diff::of(&class, &class);
        assert_eq!((diff.changes.len(), diff.same, diff.checks.len()), (0, 4, 0));
    }

    #[test]
    fn who_by_how_much_and_why() {
        let (before, mut after) = (sample::class(), sample::class());
        let one = &mut after.submissions[1];
        let id = one.result.checks[0].id.clone();
        let points = one.result.checks[0].earned;
        one.result.checks[0].standing = Standing::Missed;
        one.result.checks[0].earned = 0.0;
        if let Some(score) = &mut one.result.score {
            score.note -= points;
        }
        after.submissions.remove(3);
        let diff = Diff::of(&before, &after);
        assert_eq!(diff.changes.len(), 2);
        assert_eq!(diff.changes[0].delta(), Some(-points));
        assert_eq!(
            diff.changes[0].checks.iter().map(|c| (&c.id, c.gain())).collect::<Vec<_>>(),
            [(&id, -points)]
        );
        assert_eq!((diff.changes[1].after, diff.same), (None, 2));
        assert_eq!(diff.checks, [(id, 0, 1)]);
    }
}
