//! Every internal address leads somewhere, anchor included.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::html::{Token, tokens};
use super::{Finding, Page};

/// Dead links of a page.
pub fn check(page: &Page, pages: &BTreeMap<String, Page>, out: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    for token in tokens(&page.html) {
        let Token::Open(tag) = token else { continue };
        for name in ["href", "src"] {
            let Some(address) = tag.attr(name) else { continue };
            if let Some(what) = dead(&address, page, pages, out) {
                found.push(Finding::new(&page.file, format!("lien « {address} » : {what}")));
            }
        }
    }
    found
}

fn dead(address: &str, page: &Page, pages: &BTreeMap<String, Page>, out: &Path) -> Option<String> {
    if ["http://", "https://", "mailto:", "data:"].iter().any(|s| address.starts_with(s)) {
        return None;
    }
    let (path, anchor) = address.split_once('#').unwrap_or((address, ""));
    // The page for unknown addresses is read from any depth, hence absolute ones there.
    let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let target = if path.is_empty() { Some(page) } else { pages.get(path) };
    match target {
        Some(target) if anchor.is_empty() || target.ids.contains(anchor) => None,
        Some(_) => Some(format!("l'ancre #{anchor} n'existe pas")),
        None if out.join(path).is_file() => None,
        None => Some("le fichier n'existe pas".to_owned()),
    }
}
