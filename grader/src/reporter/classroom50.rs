//! Classroom 50's `result.json` (`classroom50/result/v1`).

use std::io::{self, Write};

use serde::Serialize;

use super::{Reporter, clean, words};
use crate::event::Event;
use crate::french::number;
use crate::report::{Fold, Report, Standing};

/// What the runner knows of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// Name of the classroom.
    pub classroom: String,
    /// Name of the assignment.
    pub assignment: String,
    /// Tag of the submission.
    pub submission: String,
    /// Address of the graded commit.
    pub commit: String,
    /// Address of the release.
    pub release: String,
    /// Address of the review.
    pub review: String,
    /// Committer date of the graded commit, RFC 3339, UTC; the start of the run where there is none.
    pub datetime: Option<String>,
}

/// Writes the document, once, at the end; nothing while the note is not final.
pub struct Classroom50 {
    submission: Submission,
    fold: Fold,
}

impl Classroom50 {
    /// A reporter for this submission.
    pub fn new(submission: Submission) -> Self {
        Self { submission, fold: Fold::default() }
    }
}

impl Reporter for Classroom50 {
    fn event(&mut self, event: &Event, _out: &mut dyn Write) -> io::Result<()> {
        self.fold.push(event.clone());
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let report = std::mem::take(&mut self.fold).finish();
        if !words::is_final(&report) {
            // A number would be read as a note.
            return out.flush();
        }
        let document = serde_json::to_string_pretty(&result(&report, &self.submission))?;
        writeln!(out, "{}", clean::json(&document))?;
        out.flush()
    }
}

/// The document. Points are whole numbers there: where some are not, all are told in a smaller unit.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResultDocument {
    schema: &'static str,
    classroom: String,
    assignment: String,
    submission: String,
    commit: String,
    release: String,
    review: String,
    datetime: String,
    #[serde(rename = "graded_at")]
    graded_at: String,
    score: u64,
    max_score: u64,
    tests: Vec<Case>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Case {
    test_name: String,
    passed: bool,
    score: u64,
    max_score: u64,
    /// « 1,5/3 » : as the lab counts.
    points: String,
    /// What is wrong, in one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

/// `result.json` of a run whose note is final.
pub fn result(report: &Report, submission: &Submission) -> ResultDocument {
    let unit = unit(report);
    let tests: Vec<Case> = report
        .checks
        .iter()
        .map(|result| Case {
            test_name: clean::inline(&result.card.id),
            passed: result.standing == Standing::Passed,
            score: whole(result.earned * unit),
            max_score: whole(result.card.points * unit),
            points: format!("{}/{}", number(result.earned), number(result.card.points)),
            message: match result.standing {
                Standing::Passed => String::new(),
                Standing::Missed => clean::inline(words::headline(result)),
                _ if report.score.is_some() => clean::inline(&words::reason(result)),
                _ => words::verdict(report),
            },
        })
        .collect();
    let started = report.run.as_ref().map(|run| run.at.clone()).unwrap_or_default();
    let or = |a: &String, b: &String| if a.is_empty() { b.clone() } else { a.clone() };
    ResultDocument {
        schema: "classroom50/result/v1",
        classroom: submission.classroom.clone(),
        assignment: submission.assignment.clone(),
        submission: submission.submission.clone(),
        commit: submission.commit.clone(),
        release: submission.release.clone(),
        review: or(&submission.review, &submission.commit),
        datetime: submission.datetime.clone().unwrap_or_else(|| started.clone()),
        graded_at: started,
        score: tests.iter().map(|test| test.score).sum(),
        max_score: tests.iter().map(|test| test.max_score).sum(),
        tests,
    }
}

/// What points are multiplied by: the smallest power of ten that makes all of them whole.
fn unit(report: &Report) -> f64 {
    let fits = |unit: &f64| {
        report.checks.iter().flat_map(|result| [result.earned, result.card.points]).all(|points| {
            let scaled = points * unit;
            (scaled - scaled.round()).abs() < 1e-6
        })
    };
    [1.0, 10.0, 100.0].into_iter().find(fits).unwrap_or(1_000.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, never negative")]
fn whole(points: f64) -> u64 {
    points.max(0.0).round() as u64
}
