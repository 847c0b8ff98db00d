//! Resumptions, without any engine.

use proptest::prelude::*;

use super::*;
use crate::batch::journal::{FORMAT, Opened};
use crate::report::class::Summary;

fn terms(key: &str) -> Terms {
    Terms { key: key.into(), content: "c0ffee".into(), lab: "1ab".into(), grader: "0.1.0".into() }
}

fn opened() -> Record {
    Record::Opened(Opened { format: FORMAT, grader: String::new(), lab: String::new(), at: String::new() })
}

fn ended(key: &str, standing: Fate, doubt: bool, alone: bool) -> Record {
    Record::Ended(Box::new(Ended {
        terms: terms(key),
        run: String::new(),
        alone,
        doubt: doubt.then(|| "charge".to_owned()),
        result: Summary::without_run(standing, ""),
        receipt: None,
    }))
}

fn next(records: &[Record]) -> Next {
    let mut past = Past::default();
    for record in records {
        past.push(record);
    }
    past.history(&terms("a")).next()
}

#[test]
fn what_was_scored_is_never_repeated() {
    let began = Record::Began(terms("a"));
    assert_eq!(next(&[opened()]), Next::Together);
    for fate in [Fate::Graded, Fate::Refused, Fate::Invalid] {
        let scored = [opened(), began.clone(), ended("a", fate, false, false)];
        assert_eq!(next(&scored), Next::Done);
        assert_eq!(next(&[&scored[..], &[opened(), opened()]].concat()), Next::Done);
    }
}

#[test]
fn a_doubt_is_lifted_alone_and_once() {
    let began = Record::Began(terms("a"));
    let first = [opened(), began.clone(), ended("a", Fate::Graded, true, false)];
    assert_eq!(next(&first), Next::Alone);
    // Killed before: it is still due.
    assert_eq!(next(&[&first[..], &[began.clone(), opened()]].concat()), Next::Alone);
    let second = [&first[..], &[began.clone(), ended("a", Fate::Graded, false, true)]].concat();
    assert_eq!(next(&second), Next::Done);
    assert_eq!(next(&[&second[..], &[opened()]].concat()), Next::Done);
}

#[test]
fn not_graded_is_tried_again_up_to_a_bound() {
    let attempt = |alone| [Record::Began(terms("a")), ended("a", Fate::NotGraded, true, alone)];
    let mut records = vec![opened()];
    records.extend(attempt(false));
    assert_eq!(next(&records), Next::Alone);
    records.extend(attempt(true));
    assert_eq!(next(&records), Next::Done, "twice in a batch");
    records.push(opened());
    assert_eq!(next(&records), Next::Alone, "resumed");
    records.extend(attempt(true));
    records.push(opened());
    assert_eq!(next(&records), Next::Done, "bounded");
    // Stuck on a quiet machine: not again before somebody asks.
    let stuck = [opened(), Record::Began(terms("a")), ended("a", Fate::NotGraded, false, false)];
    assert_eq!(next(&stuck), Next::Done);
    assert_eq!(next(&[&stuck[..], &[opened()]].concat()), Next::Alone);
}

#[test]
fn what_kills_the_batch_is_kept_for_the_end() {
    let began = Record::Began(terms("a"));
    assert_eq!(next(&[opened(), began.clone(), opened()]), Next::Together);
    assert_eq!(next(&[opened(), began.clone(), opened(), began.clone(), opened()]), Next::Alone);
    let interrupted = [opened(), began.clone(), Record::Dropped(terms("a")), opened()];
    assert_eq!(next(&[&interrupted[..], &interrupted[..]].concat()), Next::Together);
}

#[test]
fn the_firmer_attempt_counts() {
    let mut past = Past::default();
    past.push(&ended("a", Fate::Graded, true, false));
    past.push(&ended("a", Fate::NotGraded, true, true));
    assert_eq!(past.history(&terms("a")).best.map(|b| b.result.standing), Some(Fate::Graded));
    past.push(&ended("a", Fate::Graded, false, true));
    assert_eq!(past.history(&terms("a")).best.map(|b| b.alone), Some(true));
}

proptest! {
    /// Killed anywhere, any number of times, a batch ends, and what was scored is not graded again.
    #[test]
    fn any_kills_end_the_same(
        fates in prop::collection::vec(0usize..5, 1..8),
        kills in prop::collection::vec(0usize..40, 0..6),
    ) {
        let outcome = |at: usize, alone: bool| match fates[at] {
            0 => (Fate::Graded, false),
            1 => (Fate::Graded, !alone),
            2 => (Fate::Invalid, false),
            3 => (if alone { Fate::Graded } else { Fate::Provisional }, !alone),
            _ => (Fate::Refused, false),
        };
        let run = |kills: &[usize]| {
            let mut past = Past::default();
            let (mut written, mut graded) = (0, HashMap::<usize, u32>::new());
            let mut kills = kills.iter().copied();
            let mut until = kills.next();
            past.push(&opened());
            for _ in 0..1_000 {
                let due = |next| (0..fates.len()).find(|at| past.history(&terms(&at.to_string())).next() == next);
                let Some((at, alone)) = due(Next::Together).map(|at| (at, false))
                    .or_else(|| due(Next::Alone).map(|at| (at, true))) else { break };
                let (fate, doubt) = outcome(at, alone);
                for record in [Record::Began(terms(&at.to_string())), ended(&at.to_string(), fate, doubt, alone)] {
                    past.push(&record);
                    written += 1;
                    if until.is_some_and(|u| written >= u) {
                        until = kills.next().map(|u| u + written);
                        past.push(&opened());
                        break;
                    }
                    if matches!(record, Record::Ended(_)) && fate.is_settled() && !doubt {
                        *graded.entry(at).or_default() += 1;
                    }
                }
            }
            let all: Vec<Option<Fate>> = (0..fates.len())
                .map(|at| past.history(&terms(&at.to_string())).best.map(|b| b.result.standing)).collect();
            (all, graded)
        };
        let (quiet, _) = run(&[]);
        let (killed, graded) = run(&kills);
        prop_assert_eq!(quiet, killed);
        prop_assert!(graded.values().all(|times| *times == 1));
    }
}
