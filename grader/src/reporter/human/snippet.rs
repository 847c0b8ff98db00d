//! A place in the student's file, with its line, carets and French label.
//!
//! Rendered by hand: annotate-snippets 0.12 wants the whole source between two marks (a journal
//! keeps only the marked lines, and it would show the missing ones as blank), always adds an
//! empty gutter line under the arrow, and lets a long label run past the edge of the terminal.

use unicode_width::UnicodeWidthStr;

use super::page::{Page, Tone, wrap};
use crate::event::{Mark, Place};
use crate::french::typeset;
use crate::reporter::clean;

/// Room that a label needs beside its carets; with less it goes below them.
const LABEL_ROOM: usize = 24;
/// Lines left out that deserve a sign between two marks.
const GAP: usize = 3;

/// Shows a place: on one line (`où`) when there is nothing to underline, else as a snippet.
pub fn place(page: &mut Page, place: &Place) {
    let main = &place.mark;
    if place.also.is_empty() && (main.text.trim().is_empty() || main.label.is_empty()) {
        let said = if main.label.is_empty() { main.text.trim() } else { &main.label };
        page.field("où", &format!("{}:{}  {said}", clean::inline(&place.file), main.line));
        return;
    }
    let at = format!("{}:{}:{}", clean::inline(&place.file), main.line, main.column);
    page.line(&[(Tone::Plain, "  "), (Tone::Dim, "-->"), (Tone::Plain, " "), (Tone::Plain, &at)]);

    let mut marks: Vec<(&Mark, char)> = vec![(main, '^')];
    marks.extend(place.also.iter().map(|mark| (mark, '-')));
    marks.sort_by_key(|(mark, _)| (mark.line, mark.column));
    let digits = marks.last().map_or(1, |(mark, _)| mark.line.to_string().len()).max(2);
    let mut shown: Option<usize> = None;
    for (mark, sign) in marks {
        if shown.is_some_and(|last| mark.line > last + GAP) {
            page.line(&[(Tone::Plain, "  "), (Tone::Dim, &format!("{:>digits$} ⋮", ""))]);
        }
        let view = View::new(mark, page.width().saturating_sub(digits + 5));
        if shown != Some(mark.line) {
            gutter(page, &format!("{:>digits$}", mark.line), &[(Tone::Plain, &view.text)]);
        }
        shown = Some(mark.line);
        underline(page, digits, &view, sign, &mark.label);
    }
}

/// The carets of a mark, and its label beside or below them.
fn underline(page: &mut Page, digits: usize, view: &View, sign: char, label: &str) {
    let tone = if sign == '^' { Tone::Bad } else { Tone::Dim };
    let none = " ".repeat(digits);
    let room = page.width().saturating_sub(digits + 5);
    let carets = sign.to_string().repeat(view.carets);
    let start = " ".repeat(view.start);
    let label = typeset(&clean::inline(label));
    let end = view.start + view.carets + 1;
    let beside = room.saturating_sub(end);
    if label.width() <= beside || beside >= LABEL_ROOM {
        for (index, line) in wrap(&label, beside, beside).iter().enumerate() {
            if index == 0 {
                gutter(
                    page,
                    &none,
                    &[(Tone::Plain, &start), (tone, &carets), (Tone::Plain, " "), (tone, line)],
                );
            } else {
                gutter(page, &none, &[(Tone::Plain, &" ".repeat(end)), (tone, line)]);
            }
        }
        return;
    }
    gutter(page, &none, &[(Tone::Plain, &start), (tone, &carets)]);
    let indent = if room.saturating_sub(view.start) >= LABEL_ROOM { view.start } else { 0 };
    for line in wrap(&label, room - indent, room - indent) {
        gutter(page, &none, &[(Tone::Plain, &" ".repeat(indent)), (tone, &line)]);
    }
}

fn gutter(page: &mut Page, number: &str, pieces: &[(Tone, &str)]) {
    let number = format!("{number} |");
    let mut line = vec![(Tone::Plain, "  "), (Tone::Dim, number.as_str()), (Tone::Plain, " ")];
    line.extend_from_slice(pieces);
    page.line(&line);
}

/// The part of a line that fits, and where the mark falls in it, in columns.
struct View {
    text: String,
    start: usize,
    carets: usize,
}

impl View {
    /// Columns of a mark count the student's characters; those shown may be wider (tabs, 漢字,
    /// hidden characters made visible).
    fn new(mark: &Mark, room: usize) -> Self {
        let chars: Vec<String> =
            mark.text.chars().map(|c| clean::visible(c.encode_utf8(&mut [0; 4]))).collect();
        let mut ends = vec![0];
        for shown in &chars {
            ends.push(ends.last().copied().unwrap_or(0) + shown.width());
        }
        let width = |from: usize, to: usize| ends[to] - ends[from];
        let first = mark.column.saturating_sub(1).min(chars.len());
        let last = first.saturating_add(mark.width.max(1)).min(chars.len());
        // Slides a window over a long line so that the mark stays in sight.
        let mut from = 0;
        if width(0, last) >= room {
            from = first;
            while from > 0 && width(from - 1, first) <= room / 4 {
                from -= 1;
            }
        }
        let ahead = usize::from(from > 0);
        let fits = |to: usize| {
            let cut = usize::from(to < chars.len());
            // Characters of no width would otherwise have no end.
            ahead + width(from, to) + cut <= room && to - from <= room * 4
        };
        let to = (from..=chars.len()).take_while(|to| fits(*to) || *to == from).last().unwrap_or(from);
        let to = if fits(chars.len()) { chars.len() } else { to };
        let (before, after) = (if from > 0 { "…" } else { "" }, if to < chars.len() { "…" } else { "" });
        Self {
            text: format!("{before}{}{after}", chars[from..to].concat()),
            start: ahead + width(from, first.clamp(from, to)),
            carets: width(first.min(to), last.min(to)).max(1),
        }
    }
}
