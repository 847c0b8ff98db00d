//! One check, one refusal, one invalid file, one fault: a block each, parts in a fixed order.

use super::page::{Page, Tone};
use super::snippet;
use super::timeline;
use crate::error::Fault;
use crate::event::{Fact, Miss, Problem, Refusal, Verdict};
use crate::french::{self, number};
use crate::report::{CheckResult, Standing};
use crate::reporter::clean;

/// Said of a check that only looks at the file.
const STATIC: &str = " (lecture du fichier)";

/// A check, in the form that suits where it stands. `lab` is the lab's id, for commands.
pub fn check(page: &mut Page, result: &CheckResult, lab: &str, verbose: bool) {
    match result.standing {
        Standing::Passed => passed(page, result, verbose),
        Standing::Missed => missed(page, result, lab, verbose),
        Standing::Blocked => {
            let by = blockers(result);
            let text = format!("{} · non vérifié (dépend de {by})", result.card.id);
            page.item(Tone::Bad, "–", Tone::Plain, &text, &share(result));
        }
        Standing::Ungraded => ungraded(page, result, verbose),
    }
}

fn passed(page: &mut Page, result: &CheckResult, verbose: bool) {
    let text = format!("{} · {}{}", result.card.id, result.card.title, mention(result));
    page.item(Tone::Good, "✓", Tone::Plain, &text, &share(result));
    if let Some(Verdict::Pass { facts: seen }) = &result.verdict {
        if verbose {
            facts(page, seen);
        }
        timelines(page, seen);
    }
}

fn missed(page: &mut Page, result: &CheckResult, lab: &str, verbose: bool) {
    let Some(Verdict::Fail(miss)) = &result.verdict else { return };
    let headline = if miss.headline.is_empty() { &result.card.title } else { &miss.headline };
    let text = format!("{} · {headline}{}", result.card.id, mention(result));
    page.title(Tone::Bad, "✗", &text, &share(result));
    evidence(page, miss);
    timelines(page, &miss.facts);
    if verbose {
        facts(page, &miss.facts);
    }
    if let Some(place) = &miss.place {
        snippet::place(page, place);
    }
    some(page, "piste", &miss.hint);
    if !miss.try_it.is_empty() {
        page.command("essayer", &miss.try_it);
    }
    page.command("suite", &format!("grader hint {} {}", clean::inline(lab), clean::inline(&result.card.id)));
    if result.earned > 0.0 {
        let noun = if result.earned < 2.0 { "point" } else { "points" };
        let reason =
            if miss.earned_for.is_empty() { String::new() } else { format!(" : {}", miss.earned_for) };
        page.field("acquis", &format!("{} {noun}{reason}", number(result.earned)));
    }
}

fn evidence(page: &mut Page, miss: &Miss) {
    some(page, "attendu", &miss.expected);
    some(page, "observé", &miss.observed);
    some(page, "témoin", &miss.control);
    some(page, "constaté", &miss.noted.join("\n"));
}

fn ungraded(page: &mut Page, result: &CheckResult, verbose: bool) {
    let id = &result.card.id;
    let doubt = format!("?/{}", number(result.card.points));
    match &result.verdict {
        Some(Verdict::Inconclusive { fault, facts: seen }) => {
            page.item(Tone::Doubt, "?", Tone::Plain, &format!("{id} · non noté : {}", fault.what), &doubt);
            advice(page, fault);
            if verbose {
                facts(page, seen);
            }
            timelines(page, seen);
        }
        Some(Verdict::Blocked { .. }) => {
            let text = format!("{id} · non noté (dépend de {}, sans verdict)", blockers(result));
            page.item(Tone::Doubt, "?", Tone::Plain, &text, &doubt);
        }
        Some(Verdict::Pass { .. } | Verdict::Fail(_)) | None => {
            let text = format!("{id} · non noté : la correction s'est arrêtée avant");
            page.item(Tone::Doubt, "?", Tone::Plain, &text, &doubt);
        }
    }
}

fn blockers(result: &CheckResult) -> String {
    match &result.verdict {
        Some(Verdict::Blocked { by }) => french::list(by),
        _ => String::new(),
    }
}

fn mention(result: &CheckResult) -> &'static str {
    if result.card.is_static { STATIC } else { "" }
}

fn share(result: &CheckResult) -> String {
    format!("{}/{}", number(result.earned), number(result.card.points))
}

fn facts(page: &mut Page, facts: &[Fact]) {
    let texts: Vec<String> = facts.iter().map(|fact| clean::inline(&fact.text)).collect();
    some(page, "mesuré", &texts.join("\n"));
}

/// Measured instants are drawn whatever the verbosity: they are the observation.
fn timelines(page: &mut Page, facts: &[Fact]) {
    for line in facts.iter().filter_map(|fact| fact.timeline.as_ref()) {
        timeline::timeline(page, line);
    }
}

/// The policy's refusal.
pub fn refusal(page: &mut Page, refusal: &Refusal) {
    page.title(Tone::Bad, "refusé", &format!("· {}", refusal.what), "");
    if let Some(place) = &refusal.place {
        snippet::place(page, place);
    }
    page.wide_field("pourquoi", 14, &refusal.why);
    page.wide_field("à la place", 14, &refusal.instead);
}

/// A file that cannot be used.
pub fn problem(page: &mut Page, problem: &Problem) {
    page.title(Tone::Bad, "invalide", &format!("· {}", problem.what), "");
    if let Some(place) = &problem.place {
        snippet::place(page, place);
    }
    some(page, "à faire", &problem.todo);
    some(page, "détail", &problem.detail);
}

/// A fault that ends the run without a note.
pub fn fault(page: &mut Page, fault: &Fault) {
    page.title(Tone::Doubt, "?", &format!("non noté · {}", fault.what), "");
    advice(page, fault);
}

/// What to do about a fault, and what the system said.
pub fn advice(page: &mut Page, fault: &Fault) {
    some(page, "à faire", &fault.todo);
    some(page, "détail", &fault.detail);
}

fn some(page: &mut Page, label: &str, text: &str) {
    if !text.is_empty() {
        page.field(label, text);
    }
}
