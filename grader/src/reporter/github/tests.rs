//! What Actions is told of a run.

use super::*;
use crate::report::{Report, sample};
use crate::reporter::replay;

/// The log, the summary and the outputs.
fn told(events: &[Event], root: &str) -> (String, String, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    let site = Site { root: root.to_owned(), summary: Some(path("summary")), outputs: Some(path("outputs")) };
    let mut reporter = Github { token: "5ecre7".to_owned(), ..Github::new(site) };
    let mut log = Vec::new();
    replay::tell(events, &mut reporter, &mut log).expect("written");
    let read = |name: &str| std::fs::read_to_string(path(name)).expect("written");
    (String::from_utf8(log).expect("UTF-8"), read("summary"), read("outputs"))
}

fn annotations(log: &str) -> Vec<&str> {
    let of = |line: &&str| ["::error ", "::warning ", "::notice "].iter().any(|kind| line.starts_with(kind));
    log.lines().filter(of).collect()
}

#[test]
fn missed() {
    let (log, summary, outputs) = told(&sample::missed(), "tp/02");
    insta::assert_snapshot!("missed_annotations", annotations(&log).join("\n"));
    insta::assert_snapshot!("missed_summary", summary);
    insta::assert_snapshot!("missed_outputs", outputs);
    assert!(log.starts_with("::group::TP 02") && log.contains("\n::stop-commands::5ecre7\n"));
}

#[test]
fn in_doubt_nothing_is_posted() {
    for events in [sample::mixed(), sample::not_graded(), vec![]] {
        let (_, _, outputs) = told(&events, "");
        assert!(!outputs.contains("result<<") && !outputs.contains("note<<"), "{outputs}");
    }
    let (log, summary, outputs) = told(&sample::not_graded(), "");
    insta::assert_snapshot!(
        "not_graded",
        format!("{}\n\n{summary}\n{outputs}", annotations(&log).join("\n"))
    );
}

#[test]
fn refused() {
    let (log, summary, outputs) = told(&sample::refused(), "");
    insta::assert_snapshot!("refused", format!("{}\n\n{summary}\n{outputs}", annotations(&log).join("\n")));
}

#[test]
fn within_the_limits_of_actions() {
    let Event::Refused(one) = &sample::refused()[1] else { panic!("a refusal") };
    let many = Event::Refused(vec![one[0].clone(); 400]);
    let mut events = sample::refused();
    events[1] = many;
    let (log, ..) = told(&events, "");
    let errors: Vec<&str> = annotations(&log).into_iter().filter(|a| a.starts_with("::error ")).collect();
    assert_eq!(errors.len(), 10);
    assert!(errors[9].contains("391 autres"), "{}", errors[9]);

    let mut wide = one[0].clone();
    wide.why = "`|<>&".repeat(4_000);
    events[1] = Event::Refused(vec![wide; 4_000]);
    let summary = summary::summary(&Report::fold(events), 1_000_000);
    assert!(summary.len() < 1_048_576 - 1_000_000 && summary.contains("Résumé coupé"), "{}", summary.len());
}

#[test]
fn a_place_outside_of_the_submission_is_no_place() {
    for file in ["../.github/workflows/x.yml", "/etc/passwd", "a//b", ""] {
        let mut events = sample::missed();
        for event in &mut events {
            if let Event::Checked(checked) = event
                && let crate::event::Verdict::Fail(miss) = &mut checked.verdict
                && let Some(place) = &mut miss.place
            {
                place.file = file.to_owned();
            }
        }
        let (log, ..) = told(&events, "tp");
        assert!(annotations(&log).iter().filter(|a| a.starts_with("::error ")).all(|a| !a.contains("file=")));
    }
}
