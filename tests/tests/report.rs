//! The report of the reference solution: full marks, with the observed facts in the JSON.

use serde_json::Value;
use tp_tests::{ours, run};

fn facts(report: &Value, id: &str) -> Vec<Value> {
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    let check = checks.into_iter().find(|c| c["card"]["id"] == id).unwrap_or_default();
    check["verdict"]["pass"]["facts"].as_array().cloned().unwrap_or_default()
}

#[test]
fn the_solution_of_lab_02_earns_everything_and_shows_what_was_seen() {
    let ended =
        run(&["check", "02", "-C", "labs/02-deploiement/solution", "--format", "json", "--progress", "none"]);
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    let report = ended.json();
    for id in ["cache-ttl", "cache-redis", "metriques", "ordre-demarrage"] {
        assert!(!facts(&report, id).is_empty(), "no fact behind {id}:\n{}", ended.out);
    }
    assert_eq!(report["inventory"]["containers"], 0, "{report}");
    assert_eq!(ours(), [0; 4]);
}

#[test]
fn a_journal_told_again_says_the_same() {
    let journal = tempfile::NamedTempFile::new().unwrap_or_else(|e| panic!("{e}"));
    let path = journal.path().display().to_string();
    let live = run(&["check", "01", "-C", "labs/01-reseaux/solution", "--format", "jsonl", "-o", &path]);
    assert_eq!(live.code, 0, "{}\n{}", live.out, live.err);
    let told = run(&["replay", &path]);
    assert_eq!(told.code, 0, "{}\n{}", told.out, told.err);
    assert!(told.out.contains("20/20"), "{}", told.out);
}

#[test]
fn two_different_runs_side_by_side_keep_their_verdicts() {
    let children = [("01", "labs/01-reseaux/solution"), ("02", "labs/02-deploiement/solution")]
        .map(|(lab, dir)| tp_tests::start(&["check", lab, "-C", dir, "--progress", "none", "-q"]));
    for child in children {
        let ended = child.wait_with_output().map(tp_tests::Ended::from).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
        assert!(ended.out.contains("20/20"), "{}", ended.out);
    }
    assert_eq!(ours(), [0; 4]);
}
