//! The page of a class: one file, nothing loaded, one script of ours that sorts and filters. Without it
//! everything is there to read.

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use minijinja::{Error, context};
use serde::Serialize;

use crate::french;
use crate::report::class::{Cell, Fate, Head, Settled, Stats, Submission, Summary, Took};
use crate::reporter::html::{Theme, digest, environment};

const SCRIPT: &str = include_str!("class.js");

/// Columns of the roster that are shown; the gradebook has them all.
const COLUMNS: usize = 4;
/// How many of the slowest are told.
const SLOWEST: usize = 5;

/// What a page says besides its submissions.
#[derive(Clone, Debug, Default)]
pub struct About<'a> {
    /// When it is written, RFC 3339, UTC.
    pub at: &'a str,
    /// Submissions that wait for their turn.
    pub pending: usize,
    /// French remarks, a line each.
    pub remarks: &'a [String],
}

/// A line of the table.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    name: &'a str,
    cells: Vec<&'a str>,
    page: Option<&'a str>,
    fate: &'static str,
    alone: bool,
    result: &'a Summary,
    checks: BTreeMap<&'a str, &'a Cell>,
    longest: Option<&'a Took>,
    settled: Option<&'a Settled>,
    sum: String,
}

/// A bar of the distribution, placed in its drawing.
#[derive(Serialize)]
struct Bar {
    label: String,
    count: usize,
    x: usize,
    y: usize,
    height: usize,
}

/// How many ended so.
#[derive(Serialize)]
struct Group {
    id: Fate,
    one: &'static str,
    many: &'static str,
    count: usize,
}

/// The page of a class.
///
/// # Errors
///
/// When the template is wrong.
pub fn page(head: &Head, all: &[Submission], about: &About<'_>, theme: &Theme) -> Result<String, Error> {
    let stats = Stats::of(head, all);
    let columns: Vec<&str> = head.columns.iter().map(String::as_str).take(COLUMNS).collect();
    let rows: Vec<Row<'_>> = all.iter().map(|one| row(one, &columns)).collect();
    let apart: Vec<&Row<'_>> = rows.iter().filter(|row| row.result.standing != Fate::Graded).collect();
    let is_moved = |row: &&Row<'_>| row.settled.is_some_and(|s| s.terms.len() > 1 || !s.remarks.is_empty());
    let moved: Vec<&Row<'_>> = rows.iter().filter(is_moved).collect();
    let mut slowest: Vec<&Row<'_>> = rows.iter().filter(|row| row.result.elapsed_ms.is_some()).collect();
    slowest.sort_by_key(|row| std::cmp::Reverse(row.result.elapsed_ms));
    slowest.truncate(SLOWEST);
    let mut titles: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
    if titles.is_empty() {
        titles.push("dossier".to_owned());
    }
    let mut env = environment();
    env.add_filter("maybe_mark", |note: Option<f64>| note.map_or_else(|| "–".to_owned(), french::mark));
    env.add_filter("whole_percent", |share: f64| french::percent(share.round()));
    env.add_template("class.html", &theme.class)?;
    env.get_template("class.html")?.render(context! {
        head => Value::from(Serde(head)),
        at => about.at.to_owned(),
        pending => about.pending,
        remarks => about.remarks.to_vec(),
        columns => titles,
        rows => Value::from(Serde(&rows)),
        moved => Value::from(Serde(&moved)),
        apart => Value::from(Serde(&apart)),
        slowest => Value::from(Serde(&slowest)),
        steps => Value::from(Serde(mean_steps(all))),
        stats => Value::from(Serde(&stats)),
        fates => Value::from(Serde(groups(&stats))),
        bars => Value::from(Serde(bars(&stats))),
        style => Value::from_safe_string(theme.class_css.clone()),
        style_hash => digest(&theme.class_css),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        script_hash => digest(SCRIPT),
    })
}

fn row<'a>(one: &'a Submission, columns: &[&str]) -> Row<'a> {
    let in_roster = !one.identity.is_empty();
    let of = |column: &&str| one.identity.get(*column).map_or("", String::as_str);
    let mut cells: Vec<&str> = columns.iter().map(of).collect();
    let folder = if one.folder.is_empty() { one.key.as_str() } else { one.folder.as_str() };
    match cells.first_mut() {
        // The first cell is the link: it is never empty.
        Some(first) if first.is_empty() || !in_roster => *first = folder,
        Some(_) => {}
        None => cells.push(folder),
    }
    Row {
        name: cells[0],
        page: one.page.as_deref(),
        fate: one.result.standing.french(),
        alone: one.alone,
        checks: one.result.checks.iter().map(|cell| (cell.id.as_str(), cell)).collect(),
        longest: one.result.steps.iter().max_by_key(|took| took.ms),
        result: &one.result,
        settled: one.settled.as_ref(),
        sum: one
            .settled
            .as_ref()
            .filter(|settled| settled.terms.len() > 1)
            .map(Settled::sum)
            .unwrap_or_default(),
        cells,
    }
}

fn groups(stats: &Stats) -> Vec<Group> {
    let group = |id: Fate| {
        let (one, many) = match id {
            Fate::Graded => ("noté", "notés"),
            Fate::Provisional => ("note provisoire", "notes provisoires"),
            Fate::Refused => ("refusé", "refusés"),
            Fate::Invalid => ("invalide", "invalides"),
            Fate::NotGraded => ("non noté", "non notés"),
            Fate::Missing => ("non rendu", "non rendus"),
        };
        Group { id, one, many, count: stats.count(id) }
    };
    Fate::ALL.map(group).into()
}

fn bars(stats: &Stats) -> Vec<Bar> {
    let most = stats.bins.iter().copied().max().unwrap_or(0).max(1);
    let bar = |(at, count): (usize, &usize)| {
        let height = count * 130 / most;
        let (from, to) = (at * 2, at * 2 + 2);
        let label = if to == 20 { format!("{from} à {to}") } else { format!("{from} – {to}") };
        Bar { label, count: *count, x: 24 + at * 60, y: 160 - height, height }
    };
    stats.bins.iter().enumerate().map(bar).collect()
}

/// The steps in the order in which they come, with the mean of what they took.
fn mean_steps(all: &[Submission]) -> Vec<Took> {
    let mut sums: Vec<(Took, u64)> = Vec::new();
    for took in all.iter().flat_map(|one| &one.result.steps) {
        match sums.iter_mut().find(|(sum, _)| sum.name == took.name) {
            Some((sum, count)) => {
                sum.ms += took.ms;
                *count += 1;
            }
            None => sums.push((took.clone(), 1)),
        }
    }
    sums.into_iter().map(|(sum, count)| Took { ms: sum.ms / count, ..sum }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::class::sample;

    fn shown(columns: &[&str], hostile: &str) -> String {
        let mut class = sample::class();
        class.head.columns = columns.iter().map(|c| (*c).to_owned()).collect();
        class.submissions[2].folder = hostile.to_owned();
        class.submissions[2].result.why = hostile.to_owned();
        let about = About { at: "2026-11-21T10:00:00Z", pending: 1, remarks: &[hostile.to_owned()] };
        page(&class.head, &class.submissions, &about, &Theme::default()).expect("rendered")
    }

    #[test]
    fn whole_page() {
        let page = shown(&["nom", "login"], "x");
        let body = page.split("<body>").nth(1).and_then(|b| b.split("<script>").next()).unwrap_or_default();
        insta::assert_snapshot!(body);
    }

    #[test]
    fn nothing_but_our_script_runs_and_no_text_is_markup() {
        let hostile = "<script>alert(1)</script>\u{202e}\" onload=x {{ 7*7 }}\u{1b}[2J";
        for columns in [&["nom", "login"][..], &[]] {
            let page = shown(columns, hostile);
            assert_eq!(page.matches("<script").count(), 1);
            assert!(
                page.contains("&lt;script&gt;") && !page.contains(" style=\"") && !page.contains("\" onload")
            );
            assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
            // What a template does not find.
            assert!(!page.replace(SCRIPT, "").contains("undefined"));
            assert!(page.contains(digest(SCRIPT).as_str().unwrap_or("?")));
        }
    }

    #[test]
    fn an_empty_class_has_a_page() {
        let class = sample::class();
        page(&class.head, &[], &About::default(), &Theme::default()).expect("rendered");
    }
}
