//! The page of a comparison: a list, and the most alike side by side. One file, no script, nothing loaded.

use minijinja::value::{Serde, Value};
use minijinja::{Error, context};
use serde::Serialize;

use super::{Comparison, Work};
use crate::reporter::html::{digest, environment};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// Pairs shown side by side.
const SHOWN: usize = 20;
/// Lines around what is shared.
const AROUND: usize = 2;
/// Lines shown of one file.
const LINES: usize = 400;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    a: &'a str,
    b: &'a str,
    of_a: f64,
    of_b: f64,
    shared: usize,
    same_draw: bool,
    sides: Vec<Side<'a>>,
}

#[derive(Serialize)]
struct Side<'a> {
    name: &'a str,
    files: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    path: &'a str,
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    /// From 1; 0 for a gap.
    number: usize,
    text: &'a str,
    shared: bool,
}

/// The page of a comparison; `title` says what is compared.
///
/// # Errors
///
/// When the template is wrong.
pub fn page(title: &str, all: &[Work], found: &Comparison) -> Result<String, Error> {
    let rows: Vec<Row<'_>> = found
        .pairs
        .iter()
        .enumerate()
        .map(|(at, pair)| Row {
            a: &all[pair.a].name,
            b: &all[pair.b].name,
            of_a: (pair.of_a * 100.0).round(),
            of_b: (pair.of_b * 100.0).round(),
            shared: pair.shared,
            same_draw: pair.same_draw,
            sides: if at < SHOWN {
                vec![side(&all[pair.a], found, pair.a, pair.b), side(&all[pair.b], found, pair.b, pair.a)]
            } else {
                Vec::new()
            },
        })
        .collect();
    let little: Vec<&str> = found.little.iter().map(|at| all[*at].name.as_str()).collect();
    let mut env = environment();
    env.add_template("page.html", PAGE)?;
    env.get_template("page.html")?.render(context! {
        title => title,
        count => all.len(),
        rows => Value::from(Serde(&rows)),
        little => little,
        style => Value::from_safe_string(STYLE.to_owned()),
        style_hash => digest(STYLE),
    })
}

fn side<'a>(work: &'a Work, found: &Comparison, of: usize, with: usize) -> Side<'a> {
    let shown = |passages: &super::Passages| {
        let file = &work.files[passages.file];
        let near = |line: usize| passages.lines.range(line.saturating_sub(AROUND)..=line + AROUND).next().is_some();
        let mut lines: Vec<Line<'a>> = Vec::new();
        for (at, text) in file.text.lines().enumerate() {
            let number = at + 1;
            if lines.len() >= LINES {
                lines.push(Line { number: 0, text: "", shared: false });
                break;
            }
            if near(number) {
                lines.push(Line { number, text, shared: passages.lines.contains(&number) });
            } else if lines.last().is_some_and(|line| line.number > 0) {
                lines.push(Line { number: 0, text: "", shared: false });
            }
        }
        Shown { path: &file.path, lines }
    };
    Side { name: &work.name, files: found.passages(of, with).iter().map(shown).collect() }
}
