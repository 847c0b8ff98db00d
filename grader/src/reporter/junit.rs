//! JUnit XML: a suite for the lab, a case for each check, its points as properties.

use std::io::{self, Write};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::encode::xml::Xml;
use super::{Reporter, words};
use crate::error::Fault;
use crate::event::{Event, Verdict};
use crate::report::{CheckResult, Fold, Outcome, Report, Standing};

/// Writes the document, once, at the end.
#[derive(Default)]
pub struct Junit {
    fold: Fold,
}

impl Reporter for Junit {
    fn event(&mut self, event: &Event, _out: &mut dyn Write) -> io::Result<()> {
        self.fold.push(event.clone());
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let report = std::mem::take(&mut self.fold).finish();
        let mut document = Document::new("grader");
        document.add_test_suite(suite(&report));
        document.serialize(&mut *out).map_err(io::Error::other)?;
        out.flush()
    }
}

/// The suite of one run.
pub fn suite(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new(Xml::line(&words::lab(report)));
    let mut say = |name: &'static str, value: &str| {
        suite.add_property(Property::new(name, Xml::line(value)));
    };
    if let Some(run) = &report.run {
        say("submission", &run.submission);
        say("grader", &run.grader);
        say("at", &run.at);
    }
    if let Some(score) = &report.score {
        say("points", &score.earned.to_string());
        say("max-points", &score.total.to_string());
        say("ungraded-points", &score.ungraded.to_string());
    }
    say("exit-code", &report.exit_code.to_string());
    if let Some(elapsed) = report.elapsed_ms {
        suite.set_time(Duration::from_millis(elapsed));
    }
    let class = report.run.as_ref().map_or_else(|| "tp".to_owned(), |run| format!("tp-{}", run.lab));
    for case in obstacles(&report.outcome) {
        suite.add_test_case(case);
    }
    for result in &report.checks {
        let mut case = TestCase::new(Xml::line(&result.card.id), status(report, result));
        case.set_classname(Xml::line(&class));
        case.set_time(Duration::from_millis(result.elapsed_ms.unwrap_or(0)));
        case.add_property(Property::new("title", Xml::line(&result.card.title)));
        case.add_property(Property::new("section", Xml::line(&result.card.section)));
        if report.score.is_some() && result.standing != Standing::Ungraded {
            case.add_property(Property::new("points", result.earned.to_string()));
        }
        case.add_property(Property::new("max-points", result.card.points.to_string()));
        suite.add_test_case(case);
    }
    suite
}

/// What kept the checks from being run, a case each.
fn obstacles(outcome: &Outcome) -> Vec<TestCase> {
    match outcome {
        Outcome::Graded => Vec::new(),
        Outcome::Refused(refusals) => refusals
            .iter()
            .map(|refusal| {
                let place = refusal.place.as_ref().map(words::spot).unwrap_or_default();
                let text = format!("{place}\npourquoi : {}\nà la place : {}", refusal.why, refusal.instead);
                let status =
                    unsuccessful(NonSuccessKind::Failure, "refused", &refusal.what, text.trim_start());
                TestCase::new(Xml::line(&refusal.rule), status)
            })
            .collect(),
        Outcome::Invalid(problems) => problems
            .iter()
            .map(|problem| {
                let place = problem.place.as_ref().map(words::spot).unwrap_or_default();
                let text = format!("{place}\nà faire : {}\n{}", problem.todo, problem.detail);
                let status = unsuccessful(NonSuccessKind::Failure, "invalid", &problem.what, text.trim());
                TestCase::new(Xml::line(&problem.code), status)
            })
            .collect(),
        Outcome::NotGraded(fault) => vec![TestCase::new("non-note", errored(fault))],
    }
}

fn status(report: &Report, result: &CheckResult) -> TestCaseStatus {
    match (&result.verdict, result.standing) {
        (Some(Verdict::Fail(miss)), _) => {
            let parts = words::parts(miss);
            let lines: Vec<String> = parts.iter().map(|(label, text)| format!("{label} : {text}")).collect();
            let headline = words::headline(result);
            unsuccessful(NonSuccessKind::Failure, "missed", headline, &lines.join("\n"))
        }
        (_, Standing::Passed) => TestCaseStatus::success(),
        // An error is never the submission's doing: it must not be read as a miss.
        (Some(Verdict::Inconclusive { fault, .. }), _) => errored(fault),
        (_, Standing::Ungraded) if report.score.is_some() => unsuccessful(
            NonSuccessKind::Error,
            "ungraded",
            &format!("non noté : {}", words::reason(result)),
            "",
        ),
        _ => {
            let mut skipped = TestCaseStatus::skipped();
            let why = if report.score.is_some() { words::reason(result) } else { words::verdict(report) };
            skipped.set_message(Xml::line(&format!("non vérifié ({why})")));
            skipped
        }
    }
}

fn errored(fault: &Fault) -> TestCaseStatus {
    let text = format!("à faire : {}\n{}", fault.todo, fault.detail);
    unsuccessful(NonSuccessKind::Error, "ungraded", &format!("non noté : {}", fault.what), text.trim_end())
}

fn unsuccessful(kind: NonSuccessKind, ty: &'static str, message: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(ty).set_message(Xml::line(message));
    if !text.is_empty() {
        status.set_description(Xml::block(text));
    }
    status
}
