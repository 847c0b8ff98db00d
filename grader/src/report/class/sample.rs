//! A small class with every fate but two, for the tests of what shows it.

use std::collections::BTreeMap;

use super::{Class, FORMAT, Fate, Head, Submission, Summary};
use crate::report::{Report, sample as runs};

pub fn head() -> Head {
    let checks = Report::fold(runs::mixed()).checks.into_iter().map(|c| c.card).collect::<Vec<_>>();
    Head {
        format: FORMAT,
        grader: "0.1.0".into(),
        lab: "02".into(),
        lab_title: "Déployer une API, sa base et son cache".into(),
        max: checks.iter().map(|c| c.points).sum(),
        checks,
        columns: vec!["nom".into(), "login".into()],
        course: None,
    }
}

pub fn submission(key: &str, report: Option<Report>) -> Submission {
    Submission {
        key: key.into(),
        folder: if report.is_some() { key.into() } else { String::new() },
        identity: BTreeMap::from([("login".into(), key.into()), ("nom".into(), key.to_uppercase())]),
        page: report.as_ref().map(|_| format!("students/{key}/index.html")),
        attempts: 1,
        alone: false,
        graded_as: String::new(),
        settled: None,
        receipt: None,
        place: None,
        result: report.as_ref().map_or_else(|| Summary::without_run(Fate::Missing, ""), Summary::of),
        report: report.map(Box::new),
    }
}

pub fn class() -> Class {
    let reports = [Some(runs::mixed()), Some(runs::perfect()), Some(vec![]), None];
    let submissions: Vec<Submission> = reports
        .into_iter()
        .enumerate()
        .map(|(at, events)| submission(&format!("etu{at}"), events.map(Report::fold)))
        .collect();
    let mut class = Class { head: head(), submissions };
    // A student who would like the gradebook to run something.
    class.submissions[1].identity.insert("nom".into(), "=HYPERLINK(\"x\";\"<script>\")\u{202e}".into());
    class
}
