//! What the reporter action of GitHub Classroom reads: a base64 text in the step's output `result`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{clean, words};
use crate::event::Verdict;
use crate::report::{CheckResult, Outcome, Report, Standing};

#[derive(Serialize)]
struct Payload {
    version: u8,
    status: Status,
    max_score: f64,
    tests: Vec<Case>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Pass,
    Fail,
    Error,
}

#[derive(Serialize)]
struct Case {
    name: String,
    status: Status,
    score: f64,
    message: String,
    test_code: String,
    filename: String,
    line_no: usize,
    /// Milliseconds.
    duration: u64,
}

/// The payload; nothing while the note is not final, so that no zero is posted for a fault of the machine.
pub fn payload(report: &Report) -> Option<String> {
    if !words::is_final(report) {
        return None;
    }
    let graded = report.outcome == Outcome::Graded;
    let tests: Vec<Case> = report.checks.iter().map(|result| test(report, result)).collect();
    let all = tests.iter().all(|test| test.status == Status::Pass);
    let payload = Payload {
        version: 1,
        status: if !graded {
            Status::Error
        } else if all {
            Status::Pass
        } else {
            Status::Fail
        },
        max_score: report.checks.iter().map(|result| result.card.points).sum(),
        tests,
    };
    serde_json::to_string(&payload).ok().map(|json| STANDARD.encode(json))
}

fn test(report: &Report, result: &CheckResult) -> Case {
    let place = match &result.verdict {
        Some(Verdict::Fail(miss)) => miss.place.as_ref(),
        _ => None,
    };
    let message = match result.standing {
        Standing::Passed => String::new(),
        Standing::Missed => words::headline(result).to_owned(),
        _ if report.score.is_some() => format!("non vérifié ({})", words::reason(result)),
        _ => words::verdict(report),
    };
    Case {
        name: clean::inline(&format!("{} · {}", result.card.id, result.card.title)),
        status: match result.standing {
            Standing::Passed => Status::Pass,
            Standing::Missed | Standing::Blocked => Status::Fail,
            Standing::Ungraded => Status::Error,
        },
        score: result.earned,
        message: clean::inline(&message),
        test_code: clean::inline(&result.card.id),
        filename: place.map(|place| clean::inline(&place.file)).unwrap_or_default(),
        line_no: place.map_or(0, |place| place.mark.line),
        duration: result.elapsed_ms.unwrap_or(0),
    }
}
