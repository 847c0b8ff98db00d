//! The fold: exit codes, doubt, and what holds for any run.

use proptest::prelude::*;

use super::*;
use crate::event::{Checked, Miss, RunFinished, StepState};

fn exit(events: Vec<Event>) -> ExitCode {
    let report = Report::fold(events);
    assert_eq!(report.exit_code, report.exit() as u8);
    report.exit()
}

fn inconclusive(kind: FaultKind) -> Verdict {
    Verdict::Inconclusive { fault: Fault::new(kind, "quoi", "faire"), facts: vec![] }
}

fn two(verdicts: Vec<(&str, Verdict)>) -> Vec<Event> {
    let cards = vec![sample::card("a", 2.0, "S", "A"), sample::card("b", 3.0, "S", "B")];
    let mut events = vec![sample::started(cards)];
    events.extend(verdicts.into_iter().map(|(id, verdict)| sample::checked(id, verdict)));
    events
}

fn ended(mut events: Vec<Event>) -> Vec<Event> {
    events.extend(sample::finished());
    events
}

fn pass() -> Verdict {
    Verdict::Pass { facts: vec![] }
}

fn fail() -> Verdict {
    Verdict::Fail(Box::default())
}

fn blocked(by: &str) -> Verdict {
    Verdict::Blocked { by: vec![by.into()] }
}

#[test]
fn exit_codes() {
    assert_eq!(exit(sample::perfect()), ExitCode::Passed);
    assert_eq!(exit(sample::missed()), ExitCode::Failed);
    assert_eq!(exit(sample::mixed()), ExitCode::Environment);
    assert_eq!(exit(sample::refused()), ExitCode::Refused);
    assert_eq!(exit(sample::invalid()), ExitCode::Failed);
    assert_eq!(exit(sample::not_graded()), ExitCode::Environment);
    assert_eq!(exit(vec![]), ExitCode::Bug);
    for (kind, code) in [
        (FaultKind::Interrupted, ExitCode::Interrupted),
        (FaultKind::Deadline, ExitCode::TimedOut),
        (FaultKind::Lab, ExitCode::Usage),
        (FaultKind::Bug, ExitCode::Bug),
    ] {
        let mut events = two(vec![("a", pass())]);
        events.push(Event::Faulted(Fault::new(kind, "quoi", "faire")));
        assert_eq!(exit(ended(events)), code);
    }
}

#[test]
fn leftovers_outweigh_a_miss() {
    let mut events = sample::missed();
    for event in &mut events {
        if let Event::Cleaned(left) = event {
            left.networks = 1;
        }
    }
    assert_eq!(exit(events), ExitCode::Leftovers);
}

#[test]
fn doubt_is_an_interval() {
    let report = Report::fold(ended(two(vec![("a", fail()), ("b", inconclusive(FaultKind::Noise))])));
    let score = report.score.expect("graded");
    assert!(score.is_provisional());
    assert_eq!((score.note, score.note_max, score.missed), (0.0, 12.0, 2.0));
    assert_eq!(report.exit(), ExitCode::Environment);
    assert_eq!(exit(ended(two(vec![("a", fail()), ("b", inconclusive(FaultKind::Bug))]))), ExitCode::Bug);
}

#[test]
fn blocked_follows_what_blocks_it() {
    let standing = |events| Report::fold(ended(events)).checks[1].standing;
    assert_eq!(standing(two(vec![("a", fail()), ("b", blocked("a"))])), Standing::Blocked);
    assert_eq!(
        standing(two(vec![("a", inconclusive(FaultKind::Probe)), ("b", blocked("a"))])),
        Standing::Ungraded
    );
    assert_eq!(standing(two(vec![("b", blocked("a"))])), Standing::Ungraded);
    assert_eq!(standing(two(vec![("a", blocked("b")), ("b", blocked("a"))])), Standing::Ungraded);
    assert_eq!(standing(two(vec![("a", pass())])), Standing::Ungraded);
}

#[test]
fn a_late_fault_erases_nothing() {
    let mut events = two(vec![("a", pass()), ("b", pass())]);
    events.push(Event::Faulted(Fault::new(FaultKind::Engine, "quoi", "faire")));
    let report = Report::fold(ended(events));
    assert_eq!(report.outcome, Outcome::Graded);
    assert_eq!(report.exit(), ExitCode::Leftovers);
    // Killed during the clean-up: the note is known, that nothing is left is not.
    assert_eq!(exit(two(vec![("a", pass()), ("b", pass())])), ExitCode::Leftovers);
}

#[test]
fn a_cut_stream_is_not_graded() {
    let report = Report::fold(two(vec![("a", pass())]));
    assert!(matches!(report.outcome, Outcome::NotGraded(_)));
    assert_eq!(report.score, None);
}

#[test]
fn the_last_verdict_counts_and_strangers_are_told() {
    let mut events = two(vec![("a", fail()), ("b", pass())]);
    events.push(sample::checked("a", Verdict::Pass { facts: vec![] }));
    events.push(sample::checked("z", Verdict::Pass { facts: vec![] }));
    let report = Report::fold(ended(events));
    assert_eq!(report.exit(), ExitCode::Passed);
    assert_eq!(report.order, ["b", "a"]);
    assert_eq!(report.notices.len(), 1);
}

#[test]
fn steps_stay_in_order() {
    let events = vec![
        sample::step("up", "démarrage", StepState::Started, 1),
        sample::step("up", "démarrage", StepState::Done, 2),
    ];
    assert_eq!(Report::fold(events).steps.len(), 2);
}

prop_compose! {
    fn verdict()(kind in 0..4, earned in -5.0..20.0_f64, by in 0..8_usize) -> Verdict {
        match kind {
            0 => Verdict::Pass { facts: vec![] },
            1 => Verdict::Fail(Box::new(Miss { earned, expected: "a".into(), ..Miss::default() })),
            2 => Verdict::Blocked { by: vec![format!("c{by}")] },
            _ => inconclusive(FaultKind::Noise),
        }
    }
}

fn run() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    let check = (0.0..10.0_f64, proptest::option::of(verdict()));
    prop::collection::vec(check, 1..8)
        .prop_flat_map(|checks| {
            let cards = checks.iter().enumerate();
            let cards = cards
                .map(|(n, (points, _))| sample::card(&format!("c{n}"), *points, &format!("s{}", n % 3), "t"));
            let head = sample::started(cards.collect());
            let verdicts: Vec<Event> = checks
                .into_iter()
                .enumerate()
                .filter_map(|(n, (_, verdict))| {
                    let checked = Checked { id: format!("c{n}"), verdict: verdict?, elapsed_ms: 1, at_ms: 0 };
                    Some(Event::Checked(checked))
                })
                .collect();
            (Just(head), Just(verdicts.clone()), Just(verdicts).prop_shuffle())
        })
        .prop_map(|(head, one, other)| {
            let whole = |verdicts: Vec<Event>| {
                let mut events = vec![head.clone()];
                events.extend(verdicts);
                events.push(Event::RunFinished(RunFinished { elapsed_ms: 5 }));
                events
            };
            (whole(one), whole(other))
        })
}

proptest! {
    #[test]
    fn notes_stay_in_bounds((events, _) in run()) {
        let report = Report::fold(events);
        let score = report.score.expect("graded");
        prop_assert!(0.0 <= score.note && score.note <= score.note_max && score.note_max <= 20.0);
        prop_assert!((0.0..=100.0).contains(&score.percent));
        prop_assert!((score.earned + score.missed + score.ungraded - score.total).abs() < 0.01);
        let sections: f64 = report.sections.iter().map(|section| section.score.earned).sum();
        prop_assert!((sections - score.earned).abs() < 0.01);
        let doubt = report.standing(Standing::Ungraded).any(|check| check.card.points > 0.0);
        prop_assert_eq!(score.is_provisional(), doubt);
    }

    #[test]
    fn order_of_verdicts_changes_nothing((one, other) in run()) {
        let (mut one, mut other) = (Report::fold(one), Report::fold(other));
        one.order.sort();
        other.order.sort();
        prop_assert_eq!(one, other);
    }

    #[test]
    fn json_round_trips((events, _) in run()) {
        let report = Report::fold(events);
        let text = serde_json::to_string(&report).expect("serialises");
        prop_assert_eq!(serde_json::from_str::<Report>(&text).expect("reads back"), report);
    }
}
