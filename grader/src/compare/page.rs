//! The page of a comparison: a list, and the most alike side by side. One file, no script, nothing loaded.

use std::collections::BTreeSet;

use minijinja::value::{Serde, Value};
use minijinja::{Error, context};
use serde::Serialize;

use super::{Comparison, File, Work};
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
    let little: Vec<String> = found.little.iter().map(|at| all[*at].name.clone()).collect();
    let mut env = environment();
    env.add_template("page.html", PAGE)?;
    env.get_template("page.html")?.render(context! {
        title => title.to_owned(),
        count => all.len(),
        rows => Value::from(Serde(&rows)),
        little => little,
        style => Value::from_safe_string(STYLE.to_owned()),
        style_hash => digest(STYLE),
    })
}

fn side<'a>(work: &'a Work, found: &Comparison, of: usize, with: usize) -> Side<'a> {
    let passages = found.passages(of, with);
    let files = passages.iter().map(|some| shown(&work.files[some.file], &some.lines)).collect();
    Side { name: &work.name, files }
}

/// The lines of a file that are shared, and a few around.
fn shown<'a>(file: &'a File, shared: &BTreeSet<usize>) -> Shown<'a> {
    let near = |line: usize| shared.range(line.saturating_sub(AROUND)..=line + AROUND).next().is_some();
    let mut lines: Vec<Line<'a>> = Vec::new();
    for (at, text) in file.text.lines().enumerate() {
        let number = at + 1;
        let full = lines.len() >= LINES;
        if near(number) && !full {
            lines.push(Line { number, text, shared: shared.contains(&number) });
        } else if lines.last().is_some_and(|line| line.number > 0) {
            lines.push(Line { number: 0, text: "", shared: false });
        }
        if full {
            break;
        }
    }
    Shown { path: &file.path, lines }
}
