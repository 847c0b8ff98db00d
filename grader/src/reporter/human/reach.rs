//! Who sees whom, drawn for students.

use unicode_width::UnicodeWidthStr;

use super::page::{Page, Tone};
use crate::event::{Reach, ReachCell};
use crate::french;
use crate::reporter::clean;

/// Services beyond which a list reads better than a table.
const MAX_TABLE: usize = 8;
/// Columns between two columns.
const GAP: usize = 2;

/// Draws the matrix as a table when it is small and fits, else as a list.
pub fn reach(page: &mut Page, reach: &Reach) {
    let legend = legend(reach);
    // Without a measure there is nothing to read.
    if reach.from.is_empty() || reach.to.is_empty() || legend.is_empty() {
        return;
    }
    page.blank();
    page.text(Tone::Strong, "Qui voit qui");
    let rows = table(reach);
    let widths: Vec<usize> = (0..=reach.to.len())
        .map(|column| rows.iter().map(|row| row[column].1.width()).max().unwrap_or(0))
        .collect();
    let total = 2 + widths.iter().sum::<usize>() + GAP * reach.to.len();
    if reach.from.len() > MAX_TABLE || reach.to.len() > MAX_TABLE || total > page.width() {
        return list(page, reach);
    }
    for row in &rows {
        let cells: Vec<(Tone, String)> = row
            .iter()
            .zip(&widths)
            .map(|((tone, text), width)| (*tone, format!("{text}{}", " ".repeat(width + GAP - text.width()))))
            .collect();
        let mut line = vec![(Tone::Plain, "  ")];
        line.extend(cells.iter().map(|(tone, text)| (*tone, text.as_str())));
        page.line(&line);
    }
    page.field("lire", &legend);
}

/// Header and rows, each cell with its symbol and its word.
fn table(reach: &Reach) -> Vec<Vec<(Tone, String)>> {
    let mut head = vec![(Tone::Dim, "depuis".to_owned())];
    head.extend(
        reach.to.iter().map(|to| (Tone::Dim, format!("→ {}:{}", clean::inline(&to.service), to.port))),
    );
    let mut rows = vec![head];
    for (index, from) in reach.from.iter().enumerate() {
        let mut row = vec![(Tone::Strong, clean::inline(from))];
        row.extend((0..reach.to.len()).map(|column| cell(at(reach, index, column))));
        rows.push(row);
    }
    rows
}

fn at(reach: &Reach, row: usize, column: usize) -> &ReachCell {
    reach.cells.get(row).and_then(|cells| cells.get(column)).unwrap_or(&ReachCell::Unknown)
}

fn cell(cell: &ReachCell) -> (Tone, String) {
    match cell {
        ReachCell::Itself => (Tone::Dim, "·".to_owned()),
        ReachCell::Reached { network } => (Tone::Good, format!("✓ {}", clean::inline(network))),
        ReachCell::Apart => (Tone::Plain, "– séparés".to_owned()),
        ReachCell::Closed => (Tone::Doubt, "○ fermé".to_owned()),
        ReachCell::Unknown => (Tone::Doubt, "? non vu".to_owned()),
    }
}

/// Explains only the signs that are there.
fn legend(reach: &Reach) -> String {
    let has = |wanted: fn(&ReachCell) -> bool| reach.cells.iter().flatten().any(wanted);
    let mut said = Vec::new();
    if has(|cell| matches!(cell, ReachCell::Reached { .. })) {
        said.push("✓ joint, par ce réseau");
    }
    if has(|cell| matches!(cell, ReachCell::Apart)) {
        said.push("– aucun réseau commun");
    }
    if has(|cell| matches!(cell, ReachCell::Closed)) {
        said.push("○ réseau commun, mais rien n'écoute sur ce port");
    }
    if has(|cell| matches!(cell, ReachCell::Unknown)) {
        said.push("? n'a pas pu être observé");
    }
    said.join(" · ")
}

/// One block per vantage point, one line per kind of answer.
fn list(page: &mut Page, reach: &Reach) {
    for (row, from) in reach.from.iter().enumerate() {
        let (mut seen, mut apart, mut closed, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (column, to) in reach.to.iter().enumerate() {
            let name = format!("{}:{}", clean::inline(&to.service), to.port);
            match at(reach, row, column) {
                ReachCell::Itself => {}
                ReachCell::Reached { network } => {
                    seen.push(format!("{name} par « {} »", clean::inline(network)));
                }
                ReachCell::Apart => apart.push(name),
                ReachCell::Closed => closed.push(name),
                ReachCell::Unknown => unknown.push(name),
            }
        }
        page.item(Tone::Plain, " ", Tone::Strong, from, "");
        for (label, names) in
            [("✓ joint", &seen), ("– séparé de", &apart), ("○ fermé", &closed), ("? non vu", &unknown)]
        {
            if !names.is_empty() {
                page.wide_field(&format!("  {label}"), 17, &french::list(names));
            }
        }
    }
}
