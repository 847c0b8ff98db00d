//! What a run ends with: note, sections, images, time, inventory, next thing to do.

use unicode_width::UnicodeWidthStr;

use super::page::{Page, Tone};
use super::{check, reach};
use crate::error::FaultKind;
use crate::event::{Grade, Inventory, Offline};
use crate::french::{count, duration, mark, number, percent, typeset};
use crate::report::{Outcome, Report, Score, Section, Standing};
use crate::reporter::clean;

/// The note, or the interval in which it lies.
pub fn note(page: &mut Page, report: &Report) {
    let Some(score) = &report.score else { return };
    page.blank();
    if score.is_provisional() {
        let between = format!(
            "{}, provisoire · {} sur {} non {}",
            note_of(score),
            counted(score.ungraded),
            number(score.total),
            if score.ungraded < 2.0 { "noté" } else { "notés" },
        );
        page.title(Tone::Doubt, "Note", &between, "");
        page.field("acquis", &counted(score.earned));
        page.field("manqué", &counted(score.missed));
    } else {
        let tone = if score.missed > 0.0 { Tone::Bad } else { Tone::Good };
        let text = format!(
            "{} · {} sur {} ({})",
            note_of(score),
            counted(score.earned),
            number(score.total),
            percent(score.percent)
        );
        page.title(tone, "Note", &text, "");
    }
}

/// The note alone: `14,5/20`, or `entre 12 et 14,5/20`.
pub fn note_of(score: &Score) -> String {
    if score.is_provisional() {
        format!("entre {} et {}/20", mark(score.note), mark(score.note_max))
    } else {
        format!("{}/20", mark(score.note))
    }
}

fn counted(value: f64) -> String {
    format!("{} {}", number(value), if value < 2.0 { "point" } else { "points" })
}

/// Gained and missed by section, as a table.
pub fn sections(page: &mut Page, sections: &[Section]) {
    if sections.is_empty() {
        return;
    }
    let doubt = sections.iter().any(|section| section.score.is_provisional());
    let mut heads = vec!["acquis", "manqué"];
    if doubt {
        heads.push("non noté");
    }
    heads.push("sur");
    let columns = heads.iter().map(|head| head.width() + 2).sum::<usize>();
    let room = page.width() - 2 - columns;
    let titles: Vec<String> = sections.iter().map(|section| shorten(&section.title, room)).collect();
    let first = titles.iter().map(|title| title.width()).max().unwrap_or(0).max("section".len());
    let row = |title: &str, cells: &[String]| {
        let mut line = format!("  {title}{}", " ".repeat(first - title.width()));
        for (cell, head) in cells.iter().zip(&heads) {
            let wide = head.width() + 2;
            line.push_str(&" ".repeat(wide.saturating_sub(cell.width())));
            line.push_str(cell);
        }
        line
    };
    page.blank();
    let heads_row: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    page.line(&[(Tone::Dim, &row("section", &heads_row))]);
    for (section, title) in sections.iter().zip(&titles) {
        page.line(&[(Tone::Plain, &row(title, &cells(&section.score, doubt)))]);
    }
}

fn cells(score: &Score, doubt: bool) -> Vec<String> {
    let mut cells = vec![number(score.earned), number(score.missed)];
    if doubt {
        cells.push(number(score.ungraded));
    }
    cells.push(number(score.total));
    cells
}

fn shorten(title: &str, room: usize) -> String {
    let title = typeset(&clean::inline(if title.is_empty() { "(sans section)" } else { title }));
    if title.width() <= room {
        return title;
    }
    let mut short = String::new();
    for c in title.chars() {
        if short.width() + 2 > room {
            break;
        }
        short.push(c);
    }
    short + "…"
}

/// The conditions of the run: reachability, images, time.
pub fn conditions(page: &mut Page, report: &Report) {
    if let Some(seen) = &report.reach {
        reach::reach(page, seen);
    }
    page.blank();
    offline(page, report);
    if let Some(fault) = &report.late_fault {
        page.field("incident", &format!("{}, une fois tout vérifié ; la note n'en dépend pas", fault.what));
        check::advice(page, fault);
    }
    if let Some(elapsed) = report.elapsed_ms {
        let budget = report.run.as_ref().and_then(|run| run.budget_ms);
        let planned =
            budget.map_or(String::new(), |budget| format!(" (prévu : {} au plus)", duration(budget)));
        page.field("temps", &format!("{}{planned}", duration(elapsed)));
    }
}

/// What is left of the run.
pub fn household(page: &mut Page, report: &Report) {
    let left = report.inventory.as_ref();
    page.field("ménage", &left.map_or_else(|| "l'inventaire n'a pas été fait".to_owned(), inventory));
}

fn offline(page: &mut Page, report: &Report) {
    let lines: Vec<String> = report
        .images
        .iter()
        .filter_map(|image| image.offline.as_ref().map(|offline| stand_in(&image.image, offline)))
        .collect();
    if !lines.is_empty() {
        page.field("images", &format!("{} hors ligne", count(lines.len(), "image", "images")));
        for line in lines {
            page.field("", &line);
        }
    }
}

fn stand_in(image: &str, offline: &Offline) -> String {
    let grade = match offline.grade {
        Grade::Real => "même logiciel",
        Grade::Equivalent => "équivalent",
        Grade::Double => "doublure",
    };
    let differs = if offline.differs.is_empty() {
        String::new()
    } else {
        format!(" ; diffère par : {}", clean::inline(&offline.differs))
    };
    format!("{} : {grade}, {}{differs}", clean::inline(image), clean::inline(&offline.inside))
}

/// What is left, in words.
pub fn inventory(left: &Inventory) -> String {
    let all = [
        (left.containers, "conteneur", "conteneurs"),
        (left.networks, "réseau", "réseaux"),
        (left.volumes, "volume", "volumes"),
        (left.images, "image", "images"),
        (left.dirs, "dossier", "dossiers"),
    ];
    let said = |items: &mut dyn Iterator<Item = &(usize, &str, &str)>| {
        items.map(|(n, one, many)| count(*n, one, many)).collect::<Vec<_>>().join(", ")
    };
    if left.is_empty() {
        format!("il ne reste rien : {}", said(&mut all.iter()))
    } else {
        format!(
            "il reste {} ; pour tout enlever : grader clean",
            said(&mut all.iter().filter(|(n, ..)| *n > 0))
        )
    }
}

/// What went wrong around the run: told even when little is.
pub fn trouble(page: &mut Page, report: &Report) {
    if let Some(left) = report.inventory.as_ref().filter(|left| !left.is_empty()) {
        page.field("ménage", &inventory(left));
    }
    if let Some(fault) = &report.late_fault {
        page.field("incident", &fault.what);
        check::advice(page, fault);
    }
}

/// The one next thing to do.
pub fn next(page: &mut Page, report: &Report) {
    let lab = report.run.as_ref().map_or("", |run| run.lab.as_str());
    let first = |standing| report.standing(standing).next().map(|result| result.card.id.clone());
    let command = match &report.outcome {
        Outcome::Graded => match (first(Standing::Missed), first(Standing::Ungraded)) {
            (Some(id), _) => format!("grader hint {lab} {id}"),
            (None, Some(id)) => format!("grader check {lab} --only {id}"),
            (None, None) => "grader list".to_owned(),
        },
        Outcome::Refused(_) | Outcome::Invalid(_) => format!("grader check {lab}"),
        Outcome::NotGraded(fault) => match fault.kind {
            FaultKind::NoEngine
            | FaultKind::Permission
            | FaultKind::Disk
            | FaultKind::Image
            | FaultKind::Engine => "grader doctor".to_owned(),
            FaultKind::Lab => format!("grader lab lint {lab}"),
            FaultKind::Noise
            | FaultKind::Probe
            | FaultKind::Deadline
            | FaultKind::Interrupted
            | FaultKind::Bug => format!("grader check {lab}"),
        },
    };
    page.command("suite", &clean::inline(command.trim_end()));
}
