//! `grader book test`: the built book, read as a browser would.

mod leaks;
mod links;
mod page;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::html::{Token, tokens};
use super::{BookError, Built, Edition, material, pages};

/// Something wrong, in French, with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File of the build, or of the source.
    pub file: String,
    /// What is wrong.
    pub what: String,
}

impl Finding {
    fn new(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self { file: file.into(), what: what.into() }
    }
}

/// A page of the build.
struct Page {
    file: String,
    html: String,
    ids: BTreeSet<String>,
}

/// Everything wrong in the build at `out`.
pub fn verify(out: &Path, built: &Built) -> Result<Vec<Finding>, BookError> {
    let mut found: Vec<Finding> = built.warnings.iter().map(|w| Finding::new("mdBook", w.clone())).collect();
    let mut pages = BTreeMap::new();
    for file in pages::html_files(out) {
        let html = material::read(&out.join(&file))?;
        let (ids, twice) = ids(&html);
        found.extend(
            twice.into_iter().map(|id| Finding::new(&file, format!("identifiant « {id} » en double"))),
        );
        pages.insert(file.clone(), Page { file, html, ids });
    }
    for page in pages.values() {
        found.extend(links::check(page, &pages, out));
        found.extend(page::check(page));
        found.extend(requests::page(page));
    }
    found.extend(requests::files(out)?);
    found.extend(course_anchors(built, &pages));
    if built.material.edition == Edition::Student {
        found.extend(leaks::check(out, &built.material)?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Ids of a page, and those that occur twice.
fn ids(html: &str) -> (BTreeSet<String>, Vec<String>) {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for token in tokens(html) {
        if let Token::Open(tag) = token
            && let Some(id) = tag.attr("id")
            && !seen.insert(id.clone())
        {
            twice.push(id);
        }
    }
    (seen, twice)
}

/// What a report cites (`course = "02-deploiement#ordre"`) exists in the book.
fn course_anchors(built: &Built, pages: &BTreeMap<String, Page>) -> Vec<Finding> {
    let mut found = Vec::new();
    for lab in &built.material.labs {
        let file = format!("{}/lab.toml", lab.slug);
        let cited = lab.lab.checks.iter().map(|c| (c.card.id.as_str(), c.card.course.as_str()));
        for (id, course) in cited.chain([("course", lab.lab.course.as_str())]) {
            let (page, anchor) = course.split_once('#').unwrap_or((course, ""));
            match pages.get(&format!("{page}.html")) {
                None => found.push(Finding::new(&file, format!("« {id} » : pas de chapitre « {page} »"))),
                Some(p) if !anchor.is_empty() && !p.ids.contains(anchor) => {
                    found.push(Finding::new(&file, format!("« {id} » : pas d'ancre « {course} »")));
                }
                Some(_) => {}
            }
        }
    }
    found
}
