//! What several reporters say of a check, with the same words.

use crate::event::{Miss, Place, Verdict};
use crate::french::{self, number};
use crate::report::{CheckResult, Outcome, Report, Score, Standing};

/// The symbol of a standing and its word, for readers without the symbol.
pub fn standing(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Passed => ("✓", "acquis"),
        Standing::Missed => ("✗", "manqué"),
        Standing::Blocked => ("–", "non vérifié"),
        Standing::Ungraded => ("?", "non noté"),
    }
}

/// What is wrong, or the neutral title.
pub fn headline(result: &CheckResult) -> &str {
    match &result.verdict {
        Some(Verdict::Fail(miss)) if !miss.headline.is_empty() => &miss.headline,
        _ => &result.card.title,
    }
}

/// Why a check has no verdict of its own.
pub fn reason(result: &CheckResult) -> String {
    match (&result.verdict, result.standing) {
        (Some(Verdict::Blocked { by }), Standing::Blocked) => format!("dépend de {}", french::list(by)),
        (Some(Verdict::Blocked { by }), _) => format!("dépend de {}, sans verdict", french::list(by)),
        (Some(Verdict::Inconclusive { fault, .. }), _) => fault.what.clone(),
        _ => "la correction s'est arrêtée avant".to_owned(),
    }
}

/// The parts of a miss that are filled, each with its label, in the order in which they are told.
pub fn parts(miss: &Miss) -> Vec<(&'static str, String)> {
    let place = miss.place.as_ref().map(spot).unwrap_or_default();
    let all = [
        ("attendu", miss.expected.clone()),
        ("observé", miss.observed.clone()),
        ("témoin", miss.control.clone()),
        ("constaté", miss.noted.join("\n")),
        ("où", place),
        ("piste", miss.hint.clone()),
        ("essayer", miss.try_it.clone()),
    ];
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// `file:line:column`.
pub fn spot(place: &Place) -> String {
    format!("{}:{}:{}", place.file, place.mark.line, place.mark.column)
}

/// `1/3`, or `?/3` in doubt.
pub fn share(result: &CheckResult) -> String {
    let points = number(result.card.points);
    if result.standing == Standing::Ungraded {
        format!("?/{points}")
    } else {
        format!("{}/{points}", number(result.earned))
    }
}

/// How a run ended, in a few words: the note, or why there is none.
pub fn verdict(report: &Report) -> String {
    match (&report.outcome, &report.score) {
        (Outcome::Graded, Some(score)) => {
            let doubt = if score.is_provisional() { ", provisoire" } else { "" };
            format!("{}{doubt}", super::human::note_of(score))
        }
        (Outcome::Refused(_), _) => "refusé".to_owned(),
        (Outcome::Invalid(_), _) => "fichier invalide".to_owned(),
        _ => "non noté".to_owned(),
    }
}

/// `TP 02 · title`.
pub fn lab(report: &Report) -> String {
    report
        .run
        .as_ref()
        .map_or_else(|| "Correction".to_owned(), |run| format!("TP {} · {}", run.lab, run.lab_title))
}

/// True when the note is final: there is one, or the submission itself has none to expect. A run that the
/// machine, the clock or a fault of ours kept from its end has no verdict.
pub fn is_final(report: &Report) -> bool {
    match &report.outcome {
        Outcome::Graded => !report.score.as_ref().is_some_and(Score::is_provisional),
        Outcome::Refused(_) | Outcome::Invalid(_) => true,
        Outcome::NotGraded(_) => false,
    }
}
