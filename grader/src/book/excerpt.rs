//! Excerpts of the labs' files, by anchor, so that what the book shows is what the labs hold.
//!
//! An anchor is a comment of the file: `# ANCHOR: nom` … `# ANCHOR_END: nom` (or `// …`).

use std::path::Path;

use super::material::{self, Material};
use super::{BookError, Edition};

/// Prefix of the anchors of a solution that the statement shows on purpose.
pub const PUBLIC: &str = "public-";

/// An excerpt, ready to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Name of the file as a reader sees it (`app/Dockerfile`).
    pub name: String,
    /// Language of the fence.
    pub language: &'static str,
    /// Lines, without anchors, common indent removed.
    pub text: String,
}

/// Reads `02/starter/compose.yaml` or `02/solution/compose.yaml:public-reseaux`.
///
/// In the student's edition only anchors that begin with [`PUBLIC`] can be taken from a solution.
pub fn read(material: &Material, wanted: &str) -> Result<Excerpt, BookError> {
    let (path, anchor) = match wanted.split_once(':') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (wanted, None),
    };
    let bad = |what: &str| BookError::new(wanted, what);
    let mut parts = path.splitn(3, '/');
    let (Some(id), Some(part), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(bad("attendu : TP/starter/fichier ou TP/solution/fichier:ancre"));
    };
    let lab = material.lab(id).ok_or_else(|| bad("ce TP n'existe pas"))?;
    let public = anchor.is_some_and(|a| a.starts_with(PUBLIC));
    match part {
        "starter" => {}
        "solution" if public || material.edition == Edition::Teacher => {}
        "solution" => {
            return Err(bad(
                "c'est un morceau de solution : l'édition de l'étudiant ne montre que les ancres « public-… »",
            ));
        }
        _ => return Err(bad("seuls « starter » et « solution » se montrent")),
    }
    if name.split('/').any(|p| p == ".." || p.is_empty()) {
        return Err(bad("chemin hors du TP"));
    }
    let text = material::read(&lab.lab.dir.join(part).join(name))?;
    let text = match anchor {
        Some(anchor) => cut(&text, anchor).ok_or_else(|| bad("cette ancre n'est pas dans le fichier"))?,
        None => without_anchors(&text),
    };
    Ok(Excerpt { name: name.to_owned(), language: language(name), text })
}

/// The anchor that a line opens (`true`) or closes (`false`).
fn mark(line: &str) -> Option<(&str, bool)> {
    let comment = line.trim().trim_start_matches(['#', '/', '-', ';']).trim_start();
    if let Some(name) = comment.strip_prefix("ANCHOR: ") {
        return Some((name.trim(), true));
    }
    comment.strip_prefix("ANCHOR_END: ").map(|name| (name.trim(), false))
}

/// Lines between the marks of `anchor`; `None` when it is not there.
pub fn cut(text: &str, anchor: &str) -> Option<String> {
    let mut inside = false;
    let mut seen = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        match mark(line) {
            Some((name, opens)) if name == anchor => {
                inside = opens;
                seen = true;
            }
            None if inside => lines.push(line),
            Some(_) | None => {}
        }
    }
    seen.then(|| dedent(&lines))
}

/// The whole text, without the lines of the anchors.
pub fn without_anchors(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| mark(l).is_none()).collect();
    lines.join("\n")
}

/// Names of the anchors of a text.
pub fn anchors(text: &str) -> Vec<&str> {
    text.lines().filter_map(mark).filter(|(_, opens)| *opens).map(|(name, _)| name).collect()
}

fn dedent(lines: &[&str]) -> String {
    let indent = |l: &&&str| l.len() - l.trim_start().len();
    let common = lines.iter().filter(|l| !l.trim().is_empty()).map(|l| indent(&l)).min().unwrap_or(0);
    let cut: Vec<&str> = lines.iter().map(|l| l.get(common..).unwrap_or_default()).collect();
    cut.join("\n")
}

/// Language of a fence, from the name of the file.
pub fn language(name: &str) -> &'static str {
    let file = Path::new(name);
    let base = file.file_name().unwrap_or_default().to_string_lossy();
    if base == "Dockerfile" || base.starts_with("Dockerfile.") {
        return "dockerfile";
    }
    match file.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "yaml" | "yml" => "yaml",
        "js" | "mjs" => "javascript",
        "json" => "json",
        "toml" => "ini",
        "sh" => "bash",
        "sql" => "sql",
        "conf" => "nginx",
        "py" => "python",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a:\n  # ANCHOR: x\n  b: 1\n\n    c: 2\n  # ANCHOR_END: x\nd: 3\n";

    #[test]
    fn an_anchor_is_cut_and_brought_to_the_margin() {
        assert_eq!(cut(TEXT, "x").as_deref(), Some("b: 1\n\n  c: 2"));
        assert_eq!(cut(TEXT, "y"), None);
        assert_eq!(without_anchors(TEXT), "a:\n  b: 1\n\n    c: 2\nd: 3");
        assert_eq!(anchors(TEXT), ["x"]);
        assert_eq!(cut("// ANCHOR: j\nlet x;\n// ANCHOR_END: j", "j").as_deref(), Some("let x;"));
    }

    #[test]
    fn languages() {
        assert_eq!(language("app/Dockerfile"), "dockerfile");
        assert_eq!(language("compose.yaml"), "yaml");
        assert_eq!(language("traefik/certs/server.crt"), "text");
    }
}
