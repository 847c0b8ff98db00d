//! Gradescope's `results.json`.

use serde::Serialize;

use super::Row;
use crate::event::Verdict;
use crate::report::class::Settled;
use crate::report::{CheckResult, Outcome, Report, Standing};
use crate::reporter::{clean, words};

#[derive(Serialize)]
struct Results {
    score: f64,
    /// Seconds.
    execution_time: f64,
    output: String,
    visibility: &'static str,
    stdout_visibility: &'static str,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    name: String,
    score: f64,
    max_score: f64,
    output: String,
    visibility: &'static str,
}

/// The document; nothing while the note is not final, so that the platform keeps no zero for it.
pub fn gradescope(row: &Row) -> Option<String> {
    let report = row.report.as_ref().filter(|report| words::is_final(report))?;
    let results = Results {
        score: score(row, report),
        execution_time: std::time::Duration::from_millis(report.elapsed_ms.unwrap_or(0)).as_secs_f64(),
        output: output(row, report),
        visibility: "visible",
        // What programs print may hold what a submission wrote.
        stdout_visibility: "hidden",
        tests: report.checks.iter().map(test).collect(),
    };
    serde_json::to_string_pretty(&results).ok().map(|json| clean::json(&json))
}

/// Points of the note; of what is visible, while checks are hidden.
fn score(row: &Row, report: &Report) -> f64 {
    let visible = row.settled.as_ref().filter(|settled| !settled.partly.is_empty());
    let earned = visible.and(report.score.as_ref()).map(|score| score.earned);
    row.note.or(earned).unwrap_or(0.0)
}

fn output(row: &Row, report: &Report) -> String {
    let settled = row.settled.as_ref();
    let headline = settled.map(Settled::headline).filter(|text| !text.is_empty());
    let verdict = headline.unwrap_or_else(|| words::verdict(report));
    let mut lines = vec![format!("{} : {verdict}", words::lab(report))];
    lines.extend(settled.map(Settled::lines).unwrap_or_default());
    match &report.outcome {
        Outcome::Refused(all) => {
            lines.extend(all.iter().map(|r| format!("{} ; à la place : {}", r.what, r.instead)));
        }
        Outcome::Invalid(all) => {
            lines.extend(all.iter().map(|p| format!("{} ; à faire : {}", p.what, p.todo)));
        }
        Outcome::Graded | Outcome::NotGraded(_) => {}
    }
    lines.iter().map(|line| clean::inline(line)).collect::<Vec<String>>().join("\n")
}

fn test(result: &CheckResult) -> Test {
    let lines: Vec<String> = match &result.verdict {
        Some(Verdict::Fail(miss)) => std::iter::once(words::headline(result).to_owned())
            .chain(words::parts(miss).iter().map(|(label, text)| format!("{label} : {text}")))
            .collect(),
        _ if result.standing == Standing::Passed => vec!["acquis".to_owned()],
        _ => vec![format!("non vérifié ({})", words::reason(result))],
    };
    Test {
        name: clean::inline(&format!("{} · {}", result.card.id, result.card.title)),
        score: result.earned,
        max_score: result.card.points,
        output: clean::block(&lines.join("\n")).join("\n"),
        visibility: "visible",
    }
}
