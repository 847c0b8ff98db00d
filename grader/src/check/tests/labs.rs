use std::path::PathBuf;

use super::super::{RawCheck, Stage};
use crate::lab;
use crate::lab::draw::Ticket;

fn parse(text: &str) -> Result<lab::Lab, lab::LabError> {
    lab::parse("lab.toml", text, PathBuf::new())
}

const HEAD: &str = "format = 1\nid = \"99\"\ntitle = \"t\"\ncourse = \"c\"\nbudget = \"60s\"\n\n";

fn error(check: &str) -> lab::LabError {
    match parse(&format!("{HEAD}{check}")) {
        Ok(_) => panic!("accepted: {check}"),
        Err(error) => error,
    }
}

#[test]
fn all_labs_load_and_every_kind_is_used() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../labs");
    let folders = lab::list(&dir);
    let names = folders.iter().filter_map(|f| f.file_name()?.to_str());
    let ids: Vec<String> = names.filter_map(|n| n.split('-').next().map(str::to_owned)).collect();
    let mut kinds: Vec<&str> = Vec::new();
    for id in &ids {
        let lab = super::lab(id);
        assert!((lab.points() - 20.0).abs() < 1e-9, "lab {id} is worth {} points", lab.points());
        kinds.extend(lab.checks.iter().map(|c| c.kind));
    }
    // The kinds of labs 03 to 05 come before these labs.
    if ["03", "04", "05"].iter().all(|id| ids.iter().any(|i| i == id)) {
        for kind in RawCheck::kind_names() {
            assert!(kinds.contains(&kind), "{kind} is used by no lab");
        }
    }
}

#[test]
fn a_draw_reaches_the_checks() {
    let lab = super::lab("06");
    let accepted = |ticket| {
        let drawn = lab.drawn(ticket).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(drawn.checks.len(), lab.checks.len());
        drawn.text.lines().filter(|l| l.contains("accept = [")).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = accepted(Ticket::new(1));
    assert_eq!(first.len(), 6);
    assert!(first.iter().all(|l| !l.contains("{{")), "{first:?}");
    assert_ne!(first, accepted(Ticket::new(2)));
}

#[test]
fn a_planted_value_has_its_places() {
    let check = |path: &str, sql: &str| {
        format!(
            "[[check]]\nid = \"a\"\npoints = 1\ntitle = \"t\"\n[check.planted]\nvia = \"t\"\nhost = \"h\"\npath = \"{path}\"\nto = \"a\"\n\
             field = \"f\"\ndatabase = {{ service = \"p\", name = \"n\", role = \"r\", sql = \"{sql}\" }}\n\
             cache = {{ service = \"r\", key = \"k:{{ref}}\" }}\n"
        )
    };
    assert!(parse(&format!("{HEAD}{}", check("/{ref}", "{ref} {text}"))).is_ok());
    for (path, sql) in [("/1", "{ref} {text}"), ("/{ref}", "{ref}"), ("{ref}", "{ref} {text}")] {
        assert!(!error(&check(path, sql)).what.is_empty());
    }
}

#[test]
fn stages() {
    let lab = super::lab("02");
    let stage = |id: &str| {
        let spec = lab.checks.iter().find(|c| c.card.id == id).expect("check");
        (spec.check.stage(&lab.experiments), spec.check.is_static())
    };
    assert_eq!(stage("npm-ci"), (Stage::Image, false));
    assert_eq!(stage("cache-ttl"), (Stage::Drive, false));
    assert_eq!(stage("sante-redis"), (Stage::Break, false));
    assert_eq!(stage("sante-postgres"), (Stage::Second, false));
    assert_eq!(stage("pannes"), (Stage::Second, false));
    assert_eq!(stage("persistance"), (Stage::Recreate, false));
    assert_eq!(stage("non-publies"), (Stage::Static, true));
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_column() {
    let error =
        error("[[check]]\nid = \"a\"\npoints = 1\ntitle = \"t\"\nup = { services = [\"x\"], speed = 1 }\n");
    assert_eq!(error.at.map(|(line, _)| line), Some(11));
    assert!(error.at.is_some_and(|(_, column)| column > 1), "{error}");
    assert!(error.what.contains("speed") && error.what.contains("clé inconnue"), "{error}");
}

#[test]
fn faulty_checks_are_refused() {
    let two = error(
        "[[check]]\nid = \"a\"\npoints = 1\ntitle = \"t\"\nup = { services = [\"x\"] }\nunpublished = { services = [\"x\"] }\n",
    );
    assert!(two.what.contains("plusieurs natures"), "{two}");
    assert_eq!(two.at, Some((8, 1)));
    let none = error("[[check]]\nid = \"a\"\npoints = 1\ntitle = \"t\"\n");
    assert!(none.what.contains("exactement une nature") && none.what.contains("no-dev"), "{none}");
    let need = error(
        "[[check]]\nid = \"a\"\npoints = 1\ntitle = \"t\"\nneeds = [\"b\"]\nup = { services = [\"x\"] }\n",
    );
    assert!(need.what.contains("« b »"), "{need}");
    for (kind, word) in [
        ("dns = { from = \"a\", name = \"b\" }", "resolves-to"),
        ("dns = { from = \"a\", name = \"b\", absent = true }", "control"),
        ("apart = { to = [{ service = \"a\", port = 1 }], control = { service = \"b\" } }", "from-service"),
        ("answer = { key = \"k\", truth = {} }", "exactement une source"),
        ("cache = { proof = \"switches\" }", "experiment.cache"),
        ("metrics = { counter = \"c\", path-label = \"p\" }", "experiment.traffic"),
        ("healthcheck = { service = \"a\" }", "experiment.outage"),
        ("outage = { services = [\"a\"] }", "experiment.outage"),
    ] {
        let error = error(&format!("[[check]]\nid = \"a\"\npoints = 1\ntitle = \"t\"\n{kind}\n"));
        assert!(error.what.contains(word), "{kind}: {error}");
    }
}

/// `labs/lab.schema.json` is what editors read: it must be that of this code.
#[test]
fn the_committed_schema_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../labs/lab.schema.json");
    let mut fresh = serde_json::to_string_pretty(&lab::json_schema()).expect("a schema is JSON");
    fresh.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &fresh).expect("labs/lab.schema.json is writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == fresh,
        "labs/lab.schema.json is out of date; regenerate it:\n  UPDATE_SCHEMA=1 cargo test -p grader the_committed_schema"
    );
}
