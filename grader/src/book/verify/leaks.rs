//! The student's edition holds no line of a solution that the statement or the starter does not give.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::excerpt::{self, PUBLIC};
use super::super::html::{Token, decode, tokens};
use super::super::{BookError, LabChapter, Material, material};
use super::Finding;

/// Shorter lines (`restart: always`) prove nothing.
const DISTINCTIVE: usize = 14;

/// Lines of solutions found in the build.
pub fn check(out: &Path, material: &Material) -> Result<Vec<Finding>, BookError> {
    let texts = texts(out)?;
    let mut found = Vec::new();
    for lab in &material.labs {
        let others: Vec<&LabChapter> = material.labs.iter().filter(|l| l.slug != lab.slug).collect();
        for secret in secrets(lab, &others)? {
            for (page, text) in texts.iter().filter(|(_, text)| text.contains(&secret.text)) {
                let at = text.find(&secret.text).map_or(0, |i| text[..i].matches('\n').count()) + 1;
                found.push(Finding::new(
                    page,
                    format!(
                        "{}/solution/{} y figure : « {} » (ligne {at} du texte)",
                        lab.slug,
                        secret.file,
                        secret.text.replace('\n', " ⏎ ")
                    ),
                ));
            }
        }
    }
    Ok(found)
}

/// A piece of a solution that no student may read in the book.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Secret {
    file: String,
    text: String,
}

/// What tells something in a solution: a line that is neither in the lab's statement, nor in its starter, nor
/// declared public. A line that the statement of another lab writes too (`restart: unless-stopped`) tells
/// something only together with its neighbour.
fn secrets(lab: &LabChapter, others: &[&LabChapter]) -> Result<BTreeSet<Secret>, BookError> {
    let mut given = squeeze(&lab.statement);
    for (_, text) in lab.files("starter")? {
        given.push('\n');
        given.push_str(&squeeze(&text));
    }
    let common: Vec<String> = others.iter().map(|l| squeeze(&l.statement)).collect();
    let mut secrets = BTreeSet::new();
    for (path, text) in lab.files("solution")? {
        let file = path.to_string_lossy().into_owned();
        if file.ends_with("-lock.json") {
            continue;
        }
        let public: Vec<String> = excerpt::anchors(&text)
            .iter()
            .filter(|a| a.starts_with(PUBLIC))
            .filter_map(|a| excerpt::cut(&text, a))
            .map(|t| squeeze(&t))
            .collect();
        let known = |piece: &str| given.contains(piece) || public.iter().any(|p| p.contains(piece));
        let text = squeeze(&excerpt::without_anchors(&text));
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if line.chars().count() < DISTINCTIVE || known(line) {
                continue;
            }
            if !common.iter().any(|s| s.contains(line)) {
                secrets.insert(Secret { file: file.clone(), text: (*line).to_owned() });
            } else if let Some(next) = lines.get(at + 1) {
                let text = format!("{line}\n{next}");
                if !known(&text) {
                    secrets.insert(Secret { file: file.clone(), text });
                }
            }
        }
    }
    Ok(secrets)
}

/// Lines trimmed, runs of spaces made one, empty ones left out.
fn squeeze(text: &str) -> String {
    let lines = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
}

/// What can be read in each file of the build, markup removed, lines kept.
fn texts(out: &Path) -> Result<Vec<(String, String)>, BookError> {
    let mut found = Vec::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| BookError::io(&folder, &e))?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(out).unwrap_or(&path).to_string_lossy().into_owned();
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            // The print page and the index repeat the chapters; they are read all the same.
            let text = if material::extension(&name) == "html" { plain(&text) } else { text.into_owned() };
            found.push((name, squeeze(&text)));
        }
    }
    Ok(found)
}

fn plain(html: &str) -> String {
    let mut out = String::new();
    for token in tokens(html) {
        match token {
            Token::Text(text) => out.push_str(&decode(text)),
            // A comment or a script is part of the file too.
            Token::Raw(raw) => {
                out.push('\n');
                out.push_str(raw);
                out.push('\n');
            }
            Token::Open(_) | Token::Close(..) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_compared_without_their_spaces_and_marks() {
        assert_eq!(squeeze("a:\n    b:   1\n\n"), "a:\nb: 1");
        assert_eq!(plain("<pre>a: <b>1</b>\n&lt;x&gt;</pre>"), "a: 1\n<x>");
    }
}
