//! What is left of a run when some of it is hidden.

use proptest::prelude::*;

use super::*;
use crate::report::sample;

fn mask(hidden: &[&str], detail: Detail) -> Mask {
    Mask { hidden: hidden.iter().map(|id| (*id).to_owned()).collect(), detail }
}

fn all_ids() -> Vec<String> {
    Report::fold(sample::mixed()).checks.into_iter().map(|c| c.card.id).collect()
}

#[test]
fn nothing_hidden_is_the_same_run() {
    let events = sample::mixed();
    assert_eq!(Mask::default().events(events.clone()), events);
}

#[test]
fn the_score_says_what_is_visible() {
    let shown = mask(&["cache-source"], Detail::Full).report(&Report::fold(sample::missed()));
    let last = shown.notices.last().map(|n| n.text.clone()).unwrap_or_default();
    assert_eq!(last, "6/15 visibles, 3 points cachés à venir : cette note ne compte que ce qui est visible");
    // What a hidden check blocks is told as missed, without its name.
    let blocked = shown.checks.iter().find(|c| c.card.id == "cache-ttl").expect("shown");
    assert_eq!((blocked.standing, blocked.earned), (Standing::Missed, 0.0));
    assert!(shown.reach.is_none());
}

#[test]
fn detail() {
    let report = Report::fold(sample::missed());
    let miss = |detail| {
        let shown = mask(&[], detail).report(&report);
        match shown.checks.iter().find(|c| c.card.id == "dns-bdd").and_then(|c| c.verdict.clone()) {
            Some(Verdict::Fail(miss)) => *miss,
            other => panic!("{other:?}"),
        }
    };
    let message = miss(Detail::Message);
    assert!(message.observed.starts_with("NXDOMAIN") && message.place.is_none() && message.hint.is_empty());
    assert_eq!(miss(Detail::Verdict), Miss::default());
    assert!(miss(Detail::Full).place.is_some());
}

proptest! {
    #[test]
    fn no_name_of_a_hidden_check_is_left(
        chosen in proptest::collection::btree_set(0_usize..9, 0..9),
        detail in prop_oneof![Just(Detail::Full), Just(Detail::Message), Just(Detail::Verdict)],
        run in 0_usize..5,
    ) {
        let ids = all_ids();
        let hidden: Vec<&str> = chosen.iter().map(|at| ids[*at].as_str()).collect();
        let mask = mask(&hidden, detail);
        let mut events = [sample::mixed(), sample::missed(), sample::perfect(), sample::refused(), sample::not_graded()][run].clone();
        let gossip = hidden.iter().map(|id| format!("la machine était saturée : « {id} »"));
        events.extend(gossip.map(|text| Event::Notice(notice(text))));
        let fault = Fault::new(FaultKind::Bug, format!("« {} » a échoué", hidden.first().unwrap_or(&"x")), "");
        events.push(Event::Faulted(fault));
        let full = Report::fold(events.clone());
        let shown = mask.events(events);
        let report = Report::fold(shown.clone());
        prop_assert_eq!(&report, &mask.report(&full));
        let texts = [serde_json::to_string(&shown).expect("JSON"), serde_json::to_string(&report).expect("JSON")];
        for text in &texts {
            for card in full.checks.iter().map(|c| &c.card).filter(|c| mask.hidden.contains(&c.id)) {
                let named = [format!("\"{}\"", card.id), format!("« {} »", card.id)];
                prop_assert!(!named.iter().any(|name| text.contains(name)), "{}", card.id);
                let title = serde_json::to_string(&card.title).expect("JSON");
                prop_assert!(!text.contains(title.trim_matches('"')), "{}", title);
            }
        }
        // What is visible keeps its points.
        for check in &report.checks {
            let before = full.checks.iter().find(|c| c.card.id == check.card.id).expect("known");
            prop_assert!((check.earned - before.earned).abs() < 1e-9);
            prop_assert_eq!(check.standing == Standing::Ungraded, before.standing == Standing::Ungraded);
        }
    }
}
