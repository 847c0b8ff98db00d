//! The fold over a class, without any engine.

use proptest::prelude::*;

use super::sample::{class, head, submission};
use super::*;
use crate::report::sample as runs;

#[test]
fn what_is_written_one_by_one_is_the_whole_class() {
    let class = class();
    let mut writer = Writer::new(Vec::new(), &class.head).expect("written");
    for submission in &class.submissions {
        writer.push(submission).expect("written");
    }
    let text = String::from_utf8(writer.finish().expect("written")).expect("UTF-8");
    assert_eq!(serde_json::from_str::<Class>(&text).expect("a class"), class);
    let whole: serde_json::Value = serde_json::to_value(&class).expect("a value");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), whole);
    assert_eq!(Class::read(text.as_bytes()).expect("a class"), class);
    let rows = Class::read_rows(text.as_bytes()).expect("a class");
    assert!(rows.submissions.iter().all(|s| s.report.is_none()));
    assert_eq!(rows.submissions[1].result, class.submissions[1].result);
    let newer = text.replacen("\"format\":1", "\"format\":2", 1);
    assert!(matches!(Class::read_rows(newer.as_bytes()), Err(ReadError::Version(2))));
    assert!(matches!(Class::read_rows(&b"{}"[..]), Err(ReadError::Form(_))));
    let none = Writer::new(Vec::new(), &class.head).and_then(Writer::finish).expect("written");
    assert_eq!(serde_json::from_slice::<Class>(&none).expect("a class").submissions, []);
}

#[test]
fn fates() {
    let fates: Vec<Fate> = class().submissions.iter().map(|s| s.result.standing).collect();
    assert_eq!(fates, [Fate::Provisional, Fate::Graded, Fate::NotGraded, Fate::Missing]);
    let stats = Stats::of_class(&class());
    assert_eq!(stats.counts, [1, 1, 0, 0, 1, 1]);
    assert_eq!((stats.bins[9], stats.mean, stats.median), (1, Some(20.0), Some(20.0)));
    // Who has no note is in no rate.
    assert!(stats.rates.iter().all(|r| r.passed + r.missed + r.blocked + r.ungraded <= 2), "{stats:?}");
}

#[test]
fn steps_are_timed() {
    let all = Summary::of(&Report::fold(runs::mixed())).steps;
    assert!(all.iter().all(|took| !took.name.contains(':')), "{all:?}");
}

/// A finished submission costs little: its row, and nothing of its events.
#[test]
fn a_row_is_small() {
    let row = serde_json::to_string(&Summary::of(&Report::fold(runs::mixed()))).expect("JSON");
    assert!(row.len() < 4_096, "{} bytes", row.len());
}

proptest! {
    #[test]
    fn every_note_is_in_one_bin(notes in prop::collection::vec(0u32..=200, 0..60)) {
        let submissions: Vec<Submission> = notes.iter().map(|tenths| {
            let mut one = submission("a", Some(Report::fold(runs::perfect())));
            if let Some(score) = &mut one.result.score {
                score.note = f64::from(*tenths) / 10.0;
            }
            one
        }).collect();
        let stats = Stats::of(&head(), &submissions);
        prop_assert_eq!(stats.bins.iter().sum::<usize>(), notes.len());
        for (at, count) in stats.bins.iter().enumerate() {
            let from = u32::try_from(at).expect("small") * 20;
            let inside = notes.iter().filter(|n| **n >= from && (**n < from + 20 || (at == 9 && **n == 200)));
            prop_assert_eq!(*count, inside.count());
        }
        if let (Some(low), Some(mid), Some(high)) = (stats.lowest, stats.median, stats.highest) {
            prop_assert!(low <= mid && mid <= high);
        }
    }
}
