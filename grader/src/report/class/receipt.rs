//! What a result was made with, and a seal over its verdicts. It shows that a result was edited, by hand or by
//! accident; whoever can write it can also make another one, which only grading again shows (`grader verify`).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Cell, Fate, Submission, Summary};
use crate::report::{CheckResult, Report};

/// Version of the seal.
pub const FORMAT: u32 = 1;

/// What graded: the same for a whole batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ruler {
    /// Version of the grader.
    pub grader: String,
    /// SHA-256 of its binary; empty when it could not be read.
    #[serde(default)]
    pub binary: String,
    /// SHA-256 of the files of the lab that judge.
    pub lab: String,
}

/// The receipt of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Receipt {
    /// [`FORMAT`].
    pub format: u32,
    /// What graded.
    pub ruler: Ruler,
    /// Fingerprint of the submission.
    pub content: String,
    /// What was drawn for the student.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<String>,
    /// Images used and their ids, as the run says them.
    #[serde(default)]
    pub images: Vec<(String, String)>,
    /// Each check and the sum of its verdict with its evidence, in lab order.
    pub checks: Vec<(String, String)>,
    /// The sum of all that is above and of how it ended.
    pub chain: String,
}

/// What does not hold together. Messages are French.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// There is no receipt.
    #[error("pas de reçu : ce résultat ne peut pas être vérifié")]
    None,
    /// Another version wrote it.
    #[error("le reçu est au format {0}, que cette version ne lit pas")]
    Version(u32),
    /// The receipt itself.
    #[error("le reçu a été modifié : sa somme n'est plus la bonne")]
    Seal,
    /// The report is not there any more.
    #[error("le rapport a disparu")]
    NoReport,
    /// A verdict.
    #[error("le verdict de « {0} » a été modifié")]
    Verdict(String),
    /// Images.
    #[error("la liste des images a été modifiée")]
    Images,
    /// The row does not say what the report says.
    #[error("l'état, la note ou les points ne sont pas ceux que donnent les verdicts")]
    Row,
}

impl Receipt {
    /// Of a finished run.
    pub fn of(ruler: &Ruler, content: &str, draw: Option<String>, report: &Report) -> Self {
        let mut receipt = Self {
            format: FORMAT,
            ruler: ruler.clone(),
            content: content.to_owned(),
            draw,
            images: images(report),
            checks: report.checks.iter().map(|check| (check.card.id.clone(), sum_of(check))).collect(),
            chain: String::new(),
        };
        receipt.chain = receipt.sum(&Summary::of(report));
        receipt
    }

    /// The sum of the receipt, each check over the sum of those before it.
    fn sum(&self, result: &Summary) -> String {
        let head = (&self.ruler, &self.content, &self.draw, &self.images, result.standing, &result.why);
        let first = sum(&format!("tp-docker receipt {} {}", self.format, json(&head)));
        self.checks.iter().fold(first, |chain, (id, check)| sum(&format!("{chain} {id} {check}")))
    }
}

/// What does not hold together in a submission; nothing when all does. One that was never run has nothing
/// to hold.
pub fn broken(one: &Submission) -> Vec<Broken> {
    let never = one.attempts == 0 || one.result.standing == Fate::Missing;
    if never && one.receipt.is_none() && one.result.score.is_none() {
        return Vec::new();
    }
    let Some(receipt) = &one.receipt else { return vec![Broken::None] };
    if receipt.format != FORMAT {
        return vec![Broken::Version(receipt.format)];
    }
    let mut all = Vec::new();
    if receipt.sum(&one.result) != receipt.chain {
        all.push(Broken::Seal);
    }
    let Some(report) = one.report.as_deref() else {
        all.push(Broken::NoReport);
        return all;
    };
    let now: Vec<(String, String)> = report.checks.iter().map(|c| (c.card.id.clone(), sum_of(c))).collect();
    let stamped = |id: &str| receipt.checks.iter().find(|(other, _)| other == id);
    let changed = now.iter().filter(|check| stamped(&check.0) != Some(*check)).map(|(id, _)| id.clone());
    let gone = receipt
        .checks
        .iter()
        .filter(|(id, _)| now.iter().all(|(other, _)| other != id))
        .map(|(id, _)| id.clone());
    all.extend(changed.chain(gone).map(Broken::Verdict));
    if images(report) != receipt.images {
        all.push(Broken::Images);
    }
    if !same_row(&one.result, &again(report)) {
        all.push(Broken::Row);
    }
    all
}

/// The row that the verdicts of a report make, whatever its own totals say.
fn again(report: &Report) -> Summary {
    let checks = report.checks.clone();
    let score = report.score.map(|_| crate::report::Score::of(&checks));
    Summary::of(&Report { score, ..report.clone() })
}

fn same_row(told: &Summary, made: &Summary) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let cells = |a: &Cell, b: &Cell| a.id == b.id && a.standing == b.standing && close(a.earned, b.earned);
    let score = match (&told.score, &made.score) {
        (Some(a), Some(b)) => {
            close(a.note, b.note)
                && close(a.earned, b.earned)
                && close(a.total, b.total)
                && close(a.note_max, b.note_max)
        }
        (a, b) => a.is_none() && b.is_none(),
    };
    let same = told.checks.len() == made.checks.len()
        && told.checks.iter().zip(&made.checks).all(|(a, b)| cells(a, b));
    told.standing == made.standing && score && same
}

fn images(report: &Report) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        report.images.iter().map(|i| (i.image.clone(), i.id.clone())).collect();
    all.sort();
    all.dedup();
    all
}

/// The sum of a check: its verdict with its evidence, where it stands, its points.
fn sum_of(check: &CheckResult) -> String {
    sum(&json(check))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn sum(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::class::{Class, sample};
    use crate::report::{Standing, sample as runs};

    fn class() -> Class {
        let mut class = sample::class();
        for one in &mut class.submissions {
            one.receipt =
                one.report.as_ref().map(|report| Receipt::of(&Ruler::default(), "c0ffee", None, report));
            one.attempts = u32::from(one.report.is_some());
        }
        class
    }

    #[test]
    fn an_untouched_class_holds_together_once_written_and_read() {
        let text = serde_json::to_string(&class()).expect("JSON");
        let class: Class = serde_json::from_str(&text).expect("a class");
        for one in &class.submissions {
            assert_eq!(broken(one), [], "{}", one.key);
        }
    }

    #[test]
    fn every_edit_is_told() {
        let broken_by = |edit: &dyn Fn(&mut Submission)| {
            let mut one = class().submissions.remove(1);
            edit(&mut one);
            broken(&one)
        };
        let id = "cache-source".to_owned();
        let check = |one: &mut Submission| {
            let report = one.report.as_mut().expect("a report");
            report.checks.iter_mut().find(|c| c.card.id == "cache-source").expect("there").earned = 0.0;
        };
        assert!(broken_by(&check).contains(&Broken::Verdict(id)));
        assert_eq!(broken_by(&|one| one.result.score.as_mut().expect("a score").note = 12.0), [Broken::Row]);
        assert_eq!(broken_by(&|one| one.result.checks[0].standing = Standing::Missed), [Broken::Row]);
        assert!(broken_by(&|one| one.result.standing = Fate::Refused).contains(&Broken::Seal));
        assert_eq!(broken_by(&|one| one.receipt.as_mut().expect("one").content = "x".into()), [Broken::Seal]);
        assert_eq!(broken_by(&|one| one.receipt = None), [Broken::None]);
        assert_eq!(broken_by(&|one| one.report = None), [Broken::NoReport]);
        assert!(broken_by(&|one| drop(one.report.as_mut().expect("one").checks.pop())).len() >= 2);
        // The verdict and its sum: the chain still tells.
        let both = |one: &mut Submission| {
            check(one);
            let report = one.report.clone().expect("a report");
            let made = Receipt::of(&Ruler::default(), "c0ffee", None, &report);
            one.receipt.as_mut().expect("one").checks = made.checks;
        };
        assert!(broken_by(&both).contains(&Broken::Seal));
    }

    #[test]
    fn the_seal_depends_on_everything() {
        let report = Report::fold(runs::mixed());
        let seal = |ruler: &Ruler, content: &str, draw: Option<&str>| {
            Receipt::of(ruler, content, draw.map(str::to_owned), &report).chain
        };
        let ruler = Ruler::default();
        let all = [
            seal(&ruler, "a", None),
            seal(&ruler, "b", None),
            seal(&ruler, "a", Some("1")),
            seal(&Ruler { binary: "x".into(), ..ruler.clone() }, "a", None),
            seal(&Ruler { lab: "x".into(), ..ruler.clone() }, "a", None),
        ];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
