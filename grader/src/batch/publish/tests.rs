//! Results written again by another policy, and what students get of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::course;
use crate::event::Event;
use crate::report::class::sample;
use crate::report::{Report, sample as runs};
use crate::reporter::{JsonLines, Reporter as _};

const COURSE: &str = r#"
format = 1
title = "Réseaux et conteneurs, 2026"
offset = "+01:00"
hidden = ["isol-bdd"]
[deadline]
due = "2026-11-20 23:59"
column = "remis"
per-day = "2 points"
[bonus]
checks = ["alerte-memoire"]
above = 2
[[adjustment]]
key = "missed"
points = 1
reason = "exposé oral"
"#;

fn policy(text: &str) -> Course {
    course::parse("cours.toml", text).unwrap_or_else(|e| panic!("{e}"))
}

/// A class with every fate, as a batch leaves it.
fn written(dir: &Path) -> Class {
    let all: [(&str, Option<Vec<Event>>); 7] = [
        ("mixed", Some(runs::mixed())),
        ("missed", Some(runs::missed())),
        ("perfect", Some(runs::perfect())),
        ("refused", Some(runs::refused())),
        ("invalid", Some(runs::invalid())),
        ("not-graded", Some(runs::not_graded())),
        ("missing", None),
    ];
    let output = Output::open(dir).expect("opened");
    let mut head = sample::head();
    head.columns.push("remis".into());
    let mut submissions = Vec::new();
    for (key, events) in all {
        if let Some(events) = &events {
            let mut lines = Vec::new();
            for event in events {
                JsonLines.event(event, &mut lines).expect("written");
            }
            std::fs::write(output.new_events(key), lines).expect("written");
            output.adopt(key).expect("kept");
        }
        let mut one = sample::submission(key, events.map(Report::fold));
        one.identity.insert("remis".into(), if key == "perfect" { "" } else { "2026-11-22 10:00" }.into());
        submissions.push(one);
    }
    let about = About { at: "2026-11-21T10:00:00Z", ..About::default() };
    let results = Results { head: &head, all: &submissions, about, theme: &Theme::default() };
    output.write(&results, |one| one.report.as_deref().cloned()).expect("written");
    Class { head, submissions }
}

/// Every file below `dir`, by path.
fn files(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(at) = left.pop() {
        for entry in std::fs::read_dir(at).expect("listed").flatten() {
            if entry.path().is_dir() {
                left.push(entry.path());
            } else {
                all.insert(entry.path(), std::fs::read_to_string(entry.path()).expect("read"));
            }
        }
    }
    all
}

#[test]
fn nothing_hidden_leaks_and_everything_comes_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let class = written(dir.path());
    let plain = files(dir.path());
    let card = class.head.checks.iter().find(|c| c.id == "isol-bdd").expect("there").clone();
    let done = publish(dir.path(), Some(&policy(COURSE)), &Theme::default()).expect("written");
    assert_eq!((done.students, done.hidden, done.moved), (7, 1, 2));
    for (path, text) in files(&dir.path().join("students")) {
        assert!(!text.contains(&card.id) && !text.contains("bdd:5432"), "{}", path.display());
        assert!(!text.contains(&card.title), "{}", path.display());
    }
    let page = |key: &str| {
        let page =
            std::fs::read_to_string(dir.path().join(format!("students/{key}/index.html"))).expect("read");
        page.replace("&#x2f;", "/")
    };
    assert!(page("missed").contains("6/15 visibles, 3 points cachés à venir"));
    assert!(page("missed").contains("+1\u{a0}: exposé oral") && !page("missed").contains("/20</strong>"));
    // The teacher's files have it all.
    let book = std::fs::read_to_string(dir.path().join("gradebook.csv")).expect("read");
    assert!(book.contains("isol-bdd") && book.contains("note finale sur 20;calcul"));
    assert!(book.contains("5 + 2,5 de bonus − 4 de retard (2\u{a0}jours) + 1 (exposé oral) = 4,5"), "{book}");
    insta::assert_snapshot!(book.replace("\r\n", "\n"));
    // What platforms get.
    let source =
        crate::export::read(&std::fs::read(dir.path().join("class.json")).expect("read")).expect("a class");
    for row in &source.rows {
        let text = serde_json::to_string(&row.report).expect("JSON") + &row.comment;
        assert!(
            !text.contains(&card.id) && !text.contains(&card.title) && !text.contains("bdd:5432"),
            "{}",
            row.key
        );
        assert_eq!(row.note, None, "{}", row.key);
    }
    assert!(
        source.rows[1].comment.starts_with("6/15 visibles, 3 points cachés à venir. retard : 2"),
        "{}",
        source.rows[1].comment
    );
    // Published.
    publish(
        dir.path(),
        Some(&policy(&COURSE.replace("hidden = [\"isol-bdd\"]", "hidden = [\"isol-bdd\"]\nreveal = true"))),
        &Theme::default(),
    )
    .expect("written");
    assert!(page("missed").contains("isol-bdd") && page("missed").contains("4,5/20"));
    let source =
        crate::export::read(&std::fs::read(dir.path().join("class.json")).expect("read")).expect("a class");
    assert_eq!((source.rows[1].on(20.0), source.rows[2].on(20.0)), (Some(4.5), Some(22.0)));
    assert!(
        source.rows.iter().filter(|row| row.note.is_some()).count() == 2,
        "a note for none of the others"
    );
    // And as if no course had ever been.
    publish(dir.path(), None, &Theme::default()).expect("written");
    let mut again = files(dir.path());
    let index = dir.path().join("index.html");
    assert!(again.remove(&index).is_some());
    for (path, text) in again {
        assert!(plain.get(&path) == Some(&text), "{}", path.display());
    }
}

#[test]
fn a_stranger_stops_everything() {
    let dir = tempfile::tempdir().expect("a folder");
    written(dir.path());
    let before = files(dir.path());
    let wrong =
        publish(dir.path(), Some(&policy(&COURSE.replace("\"missed\"", "\"misssed\""))), &Theme::default());
    assert!(wrong.is_err_and(|e| e.detail.contains("clé « misssed »") && e.detail.contains("missed")));
    assert!(files(dir.path()) == before);
    assert!(publish(&dir.path().join("nowhere"), None, &Theme::default()).is_err());
}

/// `make class-browser` opens what this writes.
#[test]
#[ignore = "writes the pages that the browser test opens, in TP_CLASS_DIR"]
fn pages_for_the_browser() {
    let Some(dir) = std::env::var_os("TP_CLASS_DIR").map(PathBuf::from) else { return };
    for (name, course) in [("plain", None), ("course", Some(COURSE))] {
        let dir = dir.join(name);
        written(&dir);
        publish(&dir, course.map(policy).as_ref(), &Theme::default()).expect("written");
    }
    let file = |text: &str| crate::compare::File { path: "api/app.py".into(), text: text.repeat(3) };
    let app = "def lookup(key, store):\n    # d'abord le cache\n    found = store.get(key)\n    if found is None:\n        found = slow(key)\n        store.setex(key, 60, found)\n    return found\n";
    let work = |name: &str, text: &str| crate::compare::Work {
        name: name.into(),
        files: vec![file(text)],
        draw: None,
    };
    let all = [work("alice", app), work("zoé", &app.replace("key", "clef").replace("found", "valeur"))];
    let page = crate::compare::page("TP 02", &all, &crate::compare::compare(&all, &[])).expect("rendered");
    std::fs::write(dir.join("course/ressemblances.html"), page).expect("written");
}
