//! Outputs of the step, for the steps that follow.

use std::fmt::Write as _;

use crate::report::{Outcome, Report};
use crate::reporter::encode::csv::number;
use crate::reporter::{classroom, clean, words};

/// The lines for `GITHUB_OUTPUT`. `token` marks the end of each value: nobody may guess it.
pub fn outputs(report: &Report, token: &str) -> String {
    let mut out = String::new();
    let mut put = |name: &str, value: &str| {
        let _ = write!(out, "{name}<<{token}\n{}\n{token}\n", clean::visible(value));
    };
    put("outcome", outcome(report));
    put("verdict", &words::verdict(report));
    put("exit-code", &report.exit_code.to_string());
    if let Some(score) = report.score.filter(|_| words::is_final(report)) {
        put("note", &number(score.note, false));
        put("points", &number(score.earned, false));
        put("max-points", &number(score.total, false));
    }
    if let Some(payload) = classroom::payload(report) {
        put("result", &payload);
    }
    out
}

/// `passed`, `missed`, `refused`, `invalid`, `provisional` or `not-graded`.
fn outcome(report: &Report) -> &'static str {
    match &report.outcome {
        Outcome::Graded if !words::is_final(report) => "provisional",
        Outcome::Graded if report.score.is_some_and(|score| score.missed > 0.0) => "missed",
        Outcome::Graded => "passed",
        Outcome::Refused(_) => "refused",
        Outcome::Invalid(_) => "invalid",
        Outcome::NotGraded(_) => "not-graded",
    }
}
