//! Every way to lose the end of a journal.

use proptest::prelude::*;

use super::*;
use crate::report::class::Fate;

fn terms(key: &str) -> Terms {
    Terms { key: key.into(), content: "c0ffee".into(), lab: "1ab".into(), grader: "0.1.0".into() }
}

fn records() -> Vec<Record> {
    let ended = |key: &str, doubt: Option<&str>| {
        Record::Ended(Box::new(Ended {
            terms: terms(key),
            run: "5f3a90c1".into(),
            alone: false,
            doubt: doubt.map(str::to_owned),
            result: Summary::without_run(Fate::Invalid, "il n'y a pas de « compose.yaml »\n,\"sum\":\"0\"}"),
            receipt: None,
        }))
    };
    let opened = Opened {
        format: FORMAT,
        grader: "0.1.0".into(),
        lab: "01".into(),
        at: "2026-11-21T10:00:00Z".into(),
    };
    vec![
        Record::Opened(opened),
        Record::Began(terms("a")),
        Record::Began(terms("b")),
        ended("a", None),
        Record::Dropped(terms("b")),
        Record::Began(terms("b")),
        ended("b", Some("charge")),
    ]
}

fn text(records: &[Record]) -> Vec<u8> {
    let (mut out, mut last) = (String::new(), String::new());
    for (at, record) in records.iter().enumerate() {
        let line = line(at as u64 + 1, &last, record).expect("JSON");
        last = line[line.len() - 3 - SUM..line.len() - 3].to_owned();
        out.push_str(&line);
    }
    out.into_bytes()
}

#[test]
fn every_torn_prefix_keeps_its_whole_lines() {
    let (records, text) = (records(), text(&records()));
    for cut in 0..=text.len() {
        let good = read(&text[..cut]).expect("a torn end is no damage");
        let whole = text[..cut].split(|b| *b == b'\n').count() - 1;
        assert_eq!(good.records, records[..whole], "cut at {cut}");
        assert_eq!(good.len, text[..cut].iter().rposition(|b| *b == b'\n').map_or(0, |at| at as u64 + 1));
    }
}

#[test]
fn what_is_appended_after_a_tear_is_read_again() {
    let (records, text) = (records(), text(&records()));
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("journal.jsonl");
    for cut in (0..=text.len()).step_by(37) {
        std::fs::write(&path, &text[..cut]).expect("written");
        let mut seen = Vec::new();
        let mut journal = Journal::open(&path, true, |r| seen.push(r)).expect("opened");
        let rest = &records[seen.len()..];
        for record in rest {
            journal.append(record).expect("appended");
        }
        assert!(matches!(Journal::open(&path, true, |_| ()), Err(JournalError::Busy)), "locked");
        drop(journal);
        assert_eq!(std::fs::read(&path).expect("read"), text, "cut at {cut}");
    }
    assert!(matches!(Journal::open(&path, false, |_| ()), Err(JournalError::Used)));
}

#[test]
fn damage_in_the_middle_is_said() {
    let whole = text(&records());
    let second = whole.iter().position(|b| *b == b'\n').expect("lines") + 30;
    let mut changed = whole.clone();
    changed[second] ^= 1;
    assert!(matches!(read(&changed), Err(JournalError::Damaged { line: 2 })));
    // A line taken away, though each one that is left is whole.
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    let short = [&lines[..2], &lines[3..]].concat().concat();
    assert!(matches!(read(&short), Err(JournalError::Damaged { line: 3 })));
    // The end of the file filled with zeros by a file system that lost power.
    let mut zeros = whole.clone();
    zeros.extend([0; 500]);
    assert_eq!(read(&zeros).expect("a torn end").records, records());
    let other =
        Record::Opened(Opened { format: 9, grader: String::new(), lab: String::new(), at: String::new() });
    assert!(matches!(read(&text(&[other])), Err(JournalError::Version { found: 9 })));
}

proptest! {
    /// Whatever follows the whole lines, they are read, or the damage is said.
    #[test]
    fn rubbish_at_the_end_changes_nothing(rubbish in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut text = text(&records());
        text.extend(rubbish);
        prop_assert_eq!(read(&text).expect("a torn end").records, records());
    }

    /// A changed byte is never believed.
    #[test]
    fn a_changed_byte_is_never_believed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let whole = text(&records());
        let mut changed = whole.clone();
        let at = at.index(whole.len());
        changed[at] ^= 1 << bit;
        if let Ok(good) = read(&changed) {
            prop_assert!(records().starts_with(&good.records));
        }
    }
}
