//! The policy of a course, without any class but made-up ones.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::report::class::{Fate, Kind, Settled, Submission, Summary, sample};
use crate::report::{Report, sample as runs};

const FILE: &str = r#"
format = 1
title = "Réseaux 2026"
offset = "+01:00"
hidden = ["isol-bdd"]

[deadline]
due = "2026-11-20 23:59"
column = "remis"
grace = "15m"
per-day = "2 points"
at-most = "6 points"
closed = "2026-11-30 23:59"

[[extension]]
keys = ["zoe"]
due = "2026-11-23 23:59"
reason = "certificat médical"

[attempts]
column = "essais"
cap = 3

[bonus]
checks = ["alerte-memoire"]
above = 1

[[adjustment]]
key = "leo"
points = 1
reason = "exposé oral"
"#;

fn course(text: &str) -> Course {
    parse("cours.toml", text).unwrap_or_else(|e| panic!("{e}"))
}

fn error(text: &str) -> String {
    parse("cours.toml", text).expect_err("an error").to_string()
}

fn student(key: &str, events: Vec<crate::event::Event>, remis: &str) -> Submission {
    let mut one = sample::submission(key, Some(Report::fold(events)));
    one.identity.insert("remis".into(), remis.into());
    one
}

fn settled(course: &Course, one: &Submission) -> Settled {
    course.settle(&sample::head(), one)
}

#[test]
fn a_whole_file() {
    let course = course(FILE);
    let deadline = course.deadline.as_ref().expect("a deadline");
    assert_eq!(deadline.due.to_string(), "2026-11-20T22:59:00Z");
    assert_eq!(
        (deadline.grace, deadline.per_day, deadline.at_most),
        (900, Cost::Points(2.0), Some(Cost::Points(6.0)))
    );
    assert_eq!((course.scale, course.above, course.adjustments.len()), (20.0, 1.0, 1));
}

#[test]
fn mistakes_have_a_place() {
    let cases = [
        ("format = 1\nlate = 3\n", "cours.toml:2:1: clé inconnue `late`"),
        ("format = 2\n", "cours.toml: format 2 inconnu"),
        ("format = 1\nscale = 10\n", "cours.toml:2:9: le barème est 20 ou 100"),
        ("format = 1\noffset = \"Paris\"\n", "cours.toml:2:10: décalage horaire attendu"),
        (
            "format = 1\n[deadline]\ncolumn = \"r\"\ndue = \"2026-11-20 23:59\"\n",
            "cours.toml:4:7: « 2026-11-20 23:59 »",
        ),
        (
            "format = 1\n[deadline]\ncolumn = \"r\"\ndue = \"2026-11-20T23:59:00Z\"\nper-day = \"deux\"\n",
            "cours.toml:5:11: « deux » : donnez « 2 points » ou « 10 % »",
        ),
        (
            "format = 1\n[[adjustment]]\nkey = \"a\"\npoints = 1\nreason = \" \"\n",
            "cours.toml:5:10: un motif est nécessaire",
        ),
        ("format = 1\n[[adjustment]]\nkey = \"a\"\npoints = 1\n", "il manque la clé `reason`"),
        (
            "format = 1\n[[adjustment]]\nkey = \"a\"\npoints = 1e9\nreason = \"x\"\n",
            "cours.toml:4:10: un nombre de points entre -200 et 200",
        ),
        (
            "format = 1\n[[extension]]\nkeys = [\"a\"]\ndue = \"2026-11-20T23:59:00Z\"\nreason = \"x\"\n",
            "cours.toml:4:7: un délai accordé demande",
        ),
    ];
    for (text, wanted) in cases {
        let said = error(text);
        assert!(said.contains(wanted), "{said}\n{wanted}");
    }
}

#[test]
fn a_stranger_is_an_error() {
    let course = course(&FILE.replace("isol-bdd", "isol"));
    let columns = ["nom".to_owned(), "essais".to_owned()];
    let head = sample::head();
    let checks: BTreeMap<&str, f64> = head.checks.iter().map(|c| (c.id.as_str(), c.points)).collect();
    let known = Known { keys: ["leo.martin", "zoe"].into(), columns: &columns, checks: checks.clone() };
    let wrong = course.unknown(&known).join("\n");
    assert!(wrong.contains("pas de contrôle « isol »") && wrong.contains("colonne « remis »"), "{wrong}");
    assert!(wrong.contains("clé « leo »") && wrong.contains("par exemple : leo.martin"), "{wrong}");
    let all = Course { hidden: checks.keys().map(|id| (*id).to_owned()).collect(), ..Course::default() };
    assert!(
        all.unknown(&Known { checks, ..Known::default() }).iter().any(|w| w.contains("au moins un visible"))
    );
}

#[test]
fn lateness() {
    let course = course(FILE);
    let at = |key: &str, remis: &str| settled(&course, &student(key, runs::perfect(), remis));
    let soon = at("tom", "2026-11-21 00:14");
    assert_eq!(soon.sum(), "20 + 2,5 de bonus = 22,5, ramené à 21", "within the grace");
    assert_eq!(at("tom", "2026-11-21 00:15").note, Some(20.5));
    let late = at("tom", "2026-11-22T22:59:01Z");
    assert_eq!(late.sum(), "20 + 2,5 de bonus − 6 de retard (3\u{a0}jours) = 16,5");
    assert_eq!(at("tom", "2026-11-29 12:00").terms.last().map(|t| t.points), Some(-6.0), "the cap");
    let closed = at("tom", "2026-12-01 00:00");
    assert_eq!((closed.note, closed.sum().contains("rien ne compte")), (Some(0.0), true));
    // More time, and the teacher's word on it.
    let zoe = at("zoe", "2026-11-23 23:59");
    assert!(
        zoe.terms.iter().all(|t| t.kind != Kind::Late) && zoe.remarks[0].ends_with("certificat médical"),
        "{zoe:?}"
    );
    for (remis, said) in [("", "absente"), ("hier soir", "illisible (« hier soir »)")] {
        let one = at("tom", remis);
        assert!(one.terms.iter().all(|t| t.kind != Kind::Late) && one.remarks[0].contains(said), "{one:?}");
    }
}

#[test]
fn a_share_of_the_note() {
    let text = FILE.replace("2 points", "10 %").replace("6 points", "25 %").replace("[bonus]", "[bonus]\n#");
    let course = course(&text.replace("#\nchecks", "#"));
    let late = settled(&course, &student("tom", runs::missed(), "2026-11-21 23:00"));
    assert_eq!(late.sum(), "6,7 − 0,67 de retard (1\u{a0}jour à 10\u{202f}%) = 6,03");
    let late = settled(&course, &student("tom", runs::missed(), "2026-11-26 23:00"));
    assert_eq!(late.terms.iter().find(|t| t.kind == Kind::Late).map(|t| t.points), Some(-1.68));
}

#[test]
fn what_the_student_reads() {
    let mut course = course(FILE);
    let leo = settled(&course, &student("leo", runs::missed(), "2026-11-21 23:00"));
    assert_eq!(leo.headline(), "6/15 visibles, 3 points cachés à venir");
    assert_eq!(leo.lines(), ["retard : 1\u{a0}jour", "+1 : exposé oral"]);
    course.reveal = true;
    let mut one = student("leo", runs::missed(), "2026-11-21 23:00");
    one.identity.insert("essais".into(), "5".into());
    let leo = settled(&course, &one);
    assert_eq!(leo.headline(), "6,5/20");
    let sum = "5 + 2,5 de bonus − 2 de retard (1\u{a0}jour) + 1 (exposé oral) = 6,5";
    assert_eq!(leo.lines()[0], sum);
    assert!(leo.lines()[1].starts_with("5 envois pour 3 annoncés"));
}

#[test]
fn nothing_moves_what_has_no_note() {
    let course = course(FILE);
    for events in [runs::mixed(), runs::not_graded(), runs::refused(), runs::invalid()] {
        let leo = settled(&course, &student("leo", events, "2026-12-31 23:00"));
        assert_eq!((leo.note, leo.terms.len()), (None, 0));
        assert!(leo.remarks[0].contains("sans note"), "{leo:?}");
    }
    let mut missing = sample::submission("leo", None);
    missing.result = Summary::without_run(Fate::Missing, "");
    assert_eq!(settled(&course, &missing).note, None);
}

#[test]
fn everybody_has_a_page_of_their_own() {
    let mut class = sample::class();
    class.submissions[1].page = class.submissions[0].page.clone();
    class.submissions[1].graded_as = class.submissions[0].key.clone();
    Course { scale: 100.0, ..Course::default() }.apply(&mut class.head, &mut class.submissions);
    assert_eq!(class.submissions[1].page.as_deref(), Some("students/etu1/index.html"));
    assert_eq!(class.submissions[1].settled.as_ref().and_then(|s| s.note), Some(100.0));
    let text = serde_json::to_string(&class).expect("JSON");
    assert_eq!(serde_json::from_str::<crate::report::class::Class>(&text).expect("a class"), class);
}

fn any_course() -> impl Strategy<Value = Course> {
    let cost = prop_oneof![(0.0..30.0).prop_map(Cost::Points), (0.0..100.0).prop_map(Cost::Percent)];
    let adjustments = prop::collection::vec((-40.0..40.0_f64, "[a-z]{1,5}"), 0..5);
    let deadline = (cost.clone(), prop::option::of(cost), 0..100_000_i64, prop::option::of(0..20_i64));
    (any::<bool>(), 0.0..5.0_f64, adjustments, deadline, any::<bool>()).prop_map(
        |(hundred, above, adjustments, (per_day, at_most, grace, closed), bonus)| {
            let due: Timestamp = "2026-11-20T22:59:00Z".parse().expect("a date");
            Course {
                scale: if hundred { 100.0 } else { 20.0 },
                above,
                deadline: Some(Deadline {
                    due,
                    column: "remis".into(),
                    grace,
                    per_day,
                    at_most,
                    closed: closed.map(|days| due + jiff::SignedDuration::from_hours(24 * days)),
                }),
                bonus: if bonus { ["demarrage".to_owned()].into() } else { BTreeSet::new() },
                adjustments: adjustments
                    .into_iter()
                    .map(|(points, reason)| Adjustment { key: "leo".into(), points, reason })
                    .collect(),
                ..Course::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn a_note_stays_within_its_bounds(course in any_course(), run in 0_usize..3, late in -5_i64..40) {
        let events = [runs::missed(), runs::perfect(), runs::mixed()][run].clone();
        let due = course.deadline.as_ref().expect("a deadline").due;
        let at = due + jiff::SignedDuration::from_hours(24 * late);
        let one = student("leo", events, &at.to_string());
        let note = settled(&course, &one);
        prop_assert_eq!(note.note.is_some(), one.result.standing == Fate::Graded);
        if let Some(value) = note.note {
            prop_assert!(value >= 0.0 && value <= course.scale + course.above + 0.005);
            // What is shown adds up.
            let sum: f64 = note.terms.iter().map(|t| t.points).sum();
            prop_assert!((sum - value).abs() < 1e-6, "{:?}", note);
        }
        // Work on time pays nothing.
        if late <= 0 {
            prop_assert!(note.terms.iter().all(|t| !matches!(t.kind, Kind::Late | Kind::Closed)));
        }
        // The order of decisions does not matter.
        let mut other = course.clone();
        other.adjustments.reverse();
        prop_assert_eq!(settled(&other, &one).note, note.note);
        // Later is never better.
        let later = at + jiff::SignedDuration::from_hours(24);
        let worse = settled(&course, &student("leo", [runs::missed(), runs::perfect(), runs::mixed()][run].clone(), &later.to_string()));
        prop_assert!(worse.note <= note.note);
    }
}
