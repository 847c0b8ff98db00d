//! Nothing is loaded from elsewhere: the book works on a train.

use std::path::Path;

use super::super::html::{Token, tokens};
use super::super::{BookError, material};
use super::{Finding, Page};

/// Ways in which a script could reach out.
const CALLS: &[&str] =
    &["fetch(", "XMLHttpRequest", "WebSocket(", "EventSource(", "sendBeacon", "import(", "importScripts"];

/// Resources that a page loads from elsewhere. A link that the reader follows is not one.
pub fn page(page: &Page) -> Vec<Finding> {
    let mut found = Vec::new();
    for token in tokens(&page.html) {
        let Token::Open(tag) = token else { continue };
        let loads: &[&str] = match tag.name {
            "a" => &[],
            "link" => &["href"],
            _ => &["src", "srcset", "href", "data", "poster", "action", "formaction", "background"],
        };
        for name in loads {
            if let Some(address) = tag.attr(name).filter(|a| outside(a)) {
                found.push(Finding::new(&page.file, format!("<{} {name}> charge « {address} »", tag.name)));
            }
        }
        if tag.attr("style").is_some_and(|s| s.contains("url(")) {
            found.push(Finding::new(&page.file, "un style en ligne charge une ressource"));
        }
        if tag.name == "base" {
            found.push(Finding::new(&page.file, "<base> change le sens de tous les liens"));
        }
    }
    found
}

fn outside(address: &str) -> bool {
    let address = address.trim();
    address.starts_with("//")
        || address.split_once(':').is_some_and(|(scheme, _)| scheme != "data" && !scheme.contains('/'))
}

/// Scripts and style sheets that could reach out.
pub fn files(out: &Path) -> Result<Vec<Finding>, BookError> {
    let mut found = Vec::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| BookError::io(&folder, &e))?.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if material::extension(&name) == "js" && name != super::pages::INDEX {
                let text = material::read(&path)?;
                for call in CALLS.iter().filter(|c| text.contains(**c)) {
                    found.push(Finding::new(&name, format!("le script contient « {call} »")));
                }
            } else if material::extension(&name) == "css" {
                let text = material::read(&path)?;
                for piece in text.split("url(").skip(1) {
                    let address = piece.split(')').next().unwrap_or_default().trim_matches(['"', '\'']);
                    if outside(address) {
                        found.push(Finding::new(&name, format!("le style charge « {address} »")));
                    }
                }
                if text.contains("@import") {
                    found.push(Finding::new(&name, "le style contient « @import »"));
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_what_is_loaded_counts() {
        let html = "<a href=\"https://docs.docker.com/\">doc</a><img src=\"https://x.test/a.png\"><script src=\"//x.test/a.js\"></script>\
                    <link rel=\"stylesheet\" href=\"css/a.css\"><img src=\"data:image/png;base64,AA\">";
        let found = page(&Page { file: "p.html".into(), html: html.into(), ids: BTreeSet::new() });
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
