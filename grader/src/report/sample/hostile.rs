//! Events in which every string from outside is hostile.

use super::{card, checked, fail, finished, mark, pass, place, started};
use crate::error::{Fault, FaultKind};
use crate::event::{
    Change, Event, Fact, Grade, ImageUse, Level, Miss, Notice, Offline, Problem, Reach, ReachCell,
    ReachTarget, Refusal, Verdict,
};

/// `text` wherever something from outside can stand; `kind` 0 graded, 1 refused, 2 invalid.
pub fn hostile(text: &str, kind: usize) -> Vec<Event> {
    let t = || text.to_owned();
    let spot = || {
        Some(place(text, mark(text.len(), text.len() / 2, 5, text, text), vec![mark(7, 3, 400, text, text)]))
    };
    let fault = || Fault::new(FaultKind::Engine, text, text).detail(text);
    let fact = || Fact::new(text, text, text);
    let cards = ["a", "b", "c", text].map(|id| card(id, 1.0, text, text));
    let target = || ReachTarget { service: t(), port: 80 };
    let mut events = vec![
        started(cards.to_vec()),
        Event::Notice(Notice { level: Level::Info, text: t(), place: spot() }),
        Event::Rewritten(Change { path: t(), text: t() }),
        Event::Image(ImageUse {
            image: t(),
            id: t(),
            offline: Some(Offline { grade: Grade::Double, inside: t(), differs: t() }),
        }),
        Event::Reach(Reach {
            from: vec![t(), t()],
            to: vec![target(), target()],
            cells: vec![vec![ReachCell::Reached { network: t() }, ReachCell::Closed], vec![]],
            elapsed_ms: 1,
        }),
        pass("a", fact()),
        fail(
            "b",
            Miss {
                headline: t(),
                expected: t(),
                observed: t(),
                control: t(),
                noted: vec![t()],
                place: spot(),
                hint: t(),
                try_it: t(),
                facts: vec![fact()],
                earned: 0.5,
                earned_for: t(),
            },
        ),
        checked("c", Verdict::Blocked { by: vec!["b".into(), t()] }),
        checked(text, Verdict::Inconclusive { fault: fault(), facts: vec![fact()] }),
        checked(&format!("{text}?"), Verdict::Pass { facts: vec![] }),
        Event::Faulted(fault()),
    ];
    match kind {
        1 => events.push(Event::Refused(vec![Refusal {
            rule: t(),
            what: t(),
            place: spot(),
            why: t(),
            instead: t(),
        }])),
        2 => events.push(Event::Invalid(vec![Problem {
            code: t(),
            what: t(),
            place: spot(),
            todo: t(),
            detail: t(),
        }])),
        _ => {}
    }
    events.extend(finished());
    events
}
