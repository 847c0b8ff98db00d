//! The checks in a few lines, for who looks at them again and again.

use super::page::{Page, Tone};
use super::{Options, check, ending, notices};
use crate::event::{Inventory, Notice, Verdict};
use crate::french::agree;
use crate::report::{CheckResult, Outcome, Standing};

/// When a verdict was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// On what is there now.
    Now,
    /// On something older, so many milliseconds ago.
    Old(u64),
    /// Never.
    Never,
}

/// Remarks, one line for each check, the whole of the first miss, the tally. `head` says on what.
pub fn brief(
    head: &str,
    remarks: &[Notice],
    lines: &[(CheckResult, Age)],
    lab: &str,
    options: Options,
) -> String {
    let mut page = Page::new(options.width, options.color);
    page.blank();
    page.title(Tone::Strong, "→", head, "");
    notices(&mut page, remarks);
    for (result, age) in lines {
        line(&mut page, result, *age);
    }
    let fresh = |standing| lines.iter().filter(move |(r, age)| r.standing == standing && *age == Age::Now);
    if let Some((first, _)) = fresh(Standing::Missed).next() {
        page.blank();
        check::check(&mut page, first, lab, false);
    }
    let tally = [
        (fresh(Standing::Passed).count(), "acquis", "acquis"),
        (fresh(Standing::Missed).count(), "manqué", "manqués"),
        (fresh(Standing::Blocked).count(), "non vérifié", "non vérifiés"),
        (fresh(Standing::Ungraded).count(), "non noté", "non notés"),
        (lines.iter().filter(|(_, age)| *age != Age::Now).count(), "pas revu", "pas revus"),
    ];
    let tally = tally.iter().filter(|(n, ..)| *n > 0);
    let tally: Vec<String> =
        tally.map(|(n, one, many)| format!("{n} {}", agree(*n as u64, one, many))).collect();
    page.blank();
    page.text(Tone::Strong, &tally.join(" · "));
    page.into_text()
}

fn line(page: &mut Page, result: &CheckResult, age: Age) {
    let card = &result.card;
    let headline = match &result.verdict {
        Some(Verdict::Fail(miss)) if !miss.headline.is_empty() => &miss.headline,
        _ => &card.title,
    };
    let (tone, symbol, word) = match result.standing {
        Standing::Passed => (Tone::Good, "✓", "acquis"),
        Standing::Missed => (Tone::Bad, "✗", "manqué"),
        Standing::Blocked => (Tone::Bad, "–", "non vérifié"),
        Standing::Ungraded => (Tone::Doubt, "?", "non noté"),
    };
    match age {
        Age::Now => {
            let right = if result.standing == Standing::Passed { "" } else { word };
            page.item(tone, symbol, Tone::Plain, &format!("{} · {headline}", card.id), right);
        }
        Age::Old(since) => {
            let right = format!("{word} il y a {}", ago(since));
            page.item(Tone::Dim, "·", Tone::Dim, &format!("{} · {}", card.id, card.title), &right);
        }
        Age::Never => {
            page.item(Tone::Dim, "·", Tone::Dim, &format!("{} · {}", card.id, card.title), "pas revu");
        }
    }
}

/// An age in the one unit that says enough.
fn ago(millis: u64) -> String {
    match millis / 1_000 {
        s @ 0..60 => format!("{s}\u{202f}s"),
        s @ 60..3_600 => format!("{}\u{202f}min", s / 60),
        s => format!("{}\u{202f}h", s / 3_600),
    }
}

/// Why there is no verdict, and what that leaves: refused, invalid, a fault.
pub fn obstacle(head: &str, outcome: &Outcome, kept: bool, options: Options) -> String {
    let mut page = Page::new(options.width, options.color);
    page.blank();
    page.title(Tone::Strong, "→", head, "");
    match outcome {
        Outcome::Graded => {}
        Outcome::Refused(refusals) => refusals.iter().for_each(|r| check::refusal(&mut page, r)),
        Outcome::Invalid(problems) => problems.iter().for_each(|p| check::problem(&mut page, p)),
        Outcome::NotGraded(fault) => check::fault(&mut page, fault),
    }
    let left = if kept { " ; la pile d'avant reste en marche" } else { "" };
    page.blank();
    page.text(Tone::Strong, &format!("pas de verdict : corrigez, puis enregistrez{left}"));
    page.into_text()
}

/// What is left at the very end.
pub fn household(left: &Inventory, options: Options) -> String {
    let mut page = Page::new(options.width, options.color);
    page.field("ménage", &ending::inventory(left));
    page.into_text()
}
