//! The summary of the job, in Markdown.

use crate::event::{Place, Verdict};
use crate::report::{CheckResult, Outcome, Report, Standing};
use crate::reporter::encode::markdown::Markdown;
use crate::reporter::{clean, words};

/// Bytes that Actions takes from a step, with room for the closing words.
const MOST: u64 = 1024 * 1024 - 4096;

/// The summary; `used` bytes of the step's share are taken already.
pub fn summary(report: &Report, used: u64) -> String {
    let room = usize::try_from(MOST.saturating_sub(used)).unwrap_or(0);
    let mut text = Markdown::default();
    let mut cut = false;
    for part in parts(report) {
        // A whole part or none: half a table or half a block would change what follows.
        if text.len() + part.len() > room {
            cut = true;
        } else {
            text.append(&part);
        }
    }
    if cut {
        text.ours("\n*Résumé coupé : la suite est dans le rapport.*\n");
    }
    text.into_string()
}

fn parts(report: &Report) -> Vec<Markdown> {
    let mut parts = vec![head(report)];
    match &report.outcome {
        Outcome::Graded => {}
        Outcome::Refused(refusals) => parts.extend(refusals.iter().map(|refusal| {
            let fields = [("pourquoi", refusal.why.as_str()), ("à la place", refusal.instead.as_str())];
            block("✗", &refusal.what, &fields, refusal.place.as_ref())
        })),
        Outcome::Invalid(problems) => parts.extend(problems.iter().map(|problem| {
            let fields = [("à faire", problem.todo.as_str()), ("détail", problem.detail.as_str())];
            block("✗", &problem.what, &fields, problem.place.as_ref())
        })),
        Outcome::NotGraded(fault) => {
            let fields = [("à faire", fault.todo.as_str()), ("détail", fault.detail.as_str())];
            parts.push(block("?", &fault.what, &fields, None));
        }
    }
    if report.score.is_some() {
        parts.push(table(report));
        parts.extend(report.standing(Standing::Missed).map(missed));
    }
    parts.push(ending(report));
    parts
}

fn head(report: &Report) -> Markdown {
    let mut text = Markdown::default();
    text.ours("## ").text(&words::lab(report)).ours("\n\n**").text(&words::verdict(report)).ours("**");
    match &report.outcome {
        Outcome::Graded if !words::is_final(report) => {
            text.ours(" : des points sont en doute, sans que la copie soit en cause");
        }
        Outcome::Graded => {}
        Outcome::Refused(_) | Outcome::Invalid(_) => {
            text.ours(" : rien n'a été démarré, aucune note n'est donnée");
        }
        Outcome::NotGraded(_) => {
            text.ours(" : la machine ou le correcteur est en cause, jamais la copie");
        }
    }
    text.ours("\n\n");
    text
}

/// Every check on a row.
fn table(report: &Report) -> Markdown {
    let mut text = Markdown::default();
    text.ours("| | Contrôle | Identifiant | Points |\n|---|---|---|---:|\n");
    for result in &report.checks {
        let (symbol, word) = words::standing(result.standing);
        text.ours("| ").ours(symbol).ours(" ").ours(word).ours(" | ").text(words::headline(result));
        if result.standing == Standing::Ungraded || result.standing == Standing::Blocked {
            text.ours(" (").text(&words::reason(result)).ours(")");
        }
        text.ours(" | ").code(&result.card.id).ours(" | ").text(&words::share(result)).ours(" |\n");
    }
    text.ours("\n");
    text
}

fn missed(result: &CheckResult) -> Markdown {
    let Some(Verdict::Fail(miss)) = &result.verdict else { return Markdown::default() };
    let parts = words::parts(miss);
    let fields: Vec<(&'static str, &str)> = parts
        .iter()
        .filter(|(label, _)| *label != "où")
        .map(|(label, text)| (*label, text.as_str()))
        .collect();
    let title = format!("{} · {} · {}", result.card.id, words::headline(result), words::share(result));
    block("✗", &title, &fields, miss.place.as_ref())
}

fn block(
    symbol: &'static str,
    title: &str,
    fields: &[(&'static str, &str)],
    place: Option<&Place>,
) -> Markdown {
    let mut text = Markdown::default();
    text.ours("### ").ours(symbol).ours(" ").text(title).ours("\n\n");
    for (label, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        text.ours("- **").ours(label).ours("** : ");
        if *label == "essayer" {
            text.code(value)
        } else {
            text.lines(value)
        };
        text.ours("\n");
    }
    if let Some(place) = place {
        text.ours("- **où** : ").code(&words::spot(place)).ours("\n");
        text.fence(&snippet(place));
    }
    text.ours("\n");
    text
}

/// The student's lines with what is marked under them.
fn snippet(place: &Place) -> String {
    let marks = std::iter::once(&place.mark).chain(&place.also);
    let lines = marks.map(|mark| {
        let text = clean::inline(&mark.text);
        let before: String = mark.text.chars().take(mark.column.saturating_sub(1)).collect();
        let pad = clean::visible(&before).chars().count().min(200);
        let under = "^".repeat(mark.width.clamp(1, 200));
        let label = clean::inline(&mark.label);
        let line = mark.line;
        format!("{line:>4} │ {text}\n     │ {}{under} {label}", " ".repeat(pad)).trim_end().to_owned()
    });
    lines.collect::<Vec<String>>().join("\n")
}

fn ending(report: &Report) -> Markdown {
    let mut text = Markdown::default();
    if let Some(run) = &report.run {
        text.ours("<sub>copie ").code(&run.submission).ours(", grader ").text(&run.grader).ours("</sub>\n");
    }
    text
}
