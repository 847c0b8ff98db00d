//! `explain`: what a check asks, with the part of the statement that speaks of it.

use std::path::Path;

use super::args::ExplainArgs;
use super::{places, shell};
use crate::error::ExitCode;
use crate::french;

/// `grader explain`
pub fn explain(args: &ExplainArgs, dir: Option<&Path>) -> ExitCode {
    let found = places::lab_and_check("explain", args.lab.as_deref(), args.check.as_deref(), dir);
    let (lab, check) = match found {
        Ok(found) => found,
        Err(code) => return code,
    };
    let Some(check) = check else {
        shell::complain(&format!(
            "erreur · quel contrôle ?\n  à faire  grader hint {} (il les nomme tous)",
            lab.id
        ));
        return ExitCode::Usage;
    };
    let spec = match places::check(&lab, &check) {
        Ok(spec) => spec,
        Err(code) => return code,
    };
    let points = spec.card.points;
    shell::say(&format!(
        "{} · {} ({} point{})",
        spec.card.id,
        spec.card.title,
        french::number(points),
        if points >= 2.0 { "s" } else { "" }
    ));
    if !spec.needs.is_empty() {
        shell::say(&format!("  dépend de {}", spec.needs.join(", ")));
    }
    let statement = std::fs::read_to_string(lab.dir.join("statement.md")).unwrap_or_default();
    if let Some(text) = spec.card.course.split_once('#').and_then(|(_, anchor)| section(&statement, anchor)) {
        shell::say(&format!("\n{text}"));
    }
    shell::say(&format!("\n  suite    grader hint {} {}", lab.id, spec.card.id));
    ExitCode::Passed
}

/// Depth of a Markdown heading.
fn depth(line: &str) -> Option<usize> {
    let hashes = line.chars().take_while(|c| *c == '#').count();
    (hashes > 0 && line[hashes..].starts_with(' ')).then_some(hashes)
}

/// The section that an anchor heads, without what a terminal cannot show (diagrams, answers to unfold).
fn section(markdown: &str, anchor: &str) -> Option<String> {
    let mark = format!("{{#{anchor}}}");
    let mut lines = markdown.lines().skip_while(|line| depth(line).is_none() || !line.contains(&mark));
    let heading = lines.next()?;
    let level = depth(heading)?;
    let mut kept = vec![heading.replace(&mark, "").trim_start_matches('#').trim().to_owned(), String::new()];
    let (mut fence, mut hidden) = (false, false);
    for line in lines {
        if line.starts_with("```") {
            if !fence && line.starts_with("```mermaid") {
                hidden = true;
            }
            let shown = !hidden;
            if fence {
                hidden = false;
            }
            fence = !fence;
            if !shown {
                continue;
            }
        } else if !fence {
            if depth(line).is_some_and(|d| d <= level) {
                break;
            }
            if line.starts_with("<details") {
                hidden = true;
            }
            if line.starts_with("</details") {
                hidden = false;
                continue;
            }
        }
        let blank_again = line.is_empty() && kept.last().is_some_and(String::is_empty);
        if !hidden && !line.contains("{{#") && !blank_again {
            kept.push(without_anchor(line));
        }
    }
    Some(kept.join("\n").trim_end().to_owned())
}

fn without_anchor(line: &str) -> String {
    match (depth(line), line.rfind(" {#")) {
        (Some(_), Some(at)) => line[..at].to_owned(),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TP\n\n## Avant {#avant}\n\nrien\n\n## Le cache {#cache}\n\nUn mot.\n\n```mermaid\nflowchart TD\n```\n\n\
        ```bash\n# un commentaire\ncurl x\n```\n\n❓ **Pourquoi ?**\n\n<details>\n<summary>Une réponse</summary>\n\nParce que.\n\n\
        </details>\n\n### Panne {#panne}\n\nSuite.\n\n## Après {#apres}\n\nautre\n";

    #[test]
    fn the_section_of_an_anchor() {
        let text = section(TEXT, "cache").expect("there");
        assert_eq!(
            text,
            "Le cache\n\nUn mot.\n\n```bash\n# un commentaire\ncurl x\n```\n\n❓ **Pourquoi ?**\n\n### Panne\n\nSuite."
        );
        assert_eq!(section(TEXT, "panne").as_deref(), Some("Panne\n\nSuite."));
        assert_eq!(section(TEXT, "absente"), None);
    }
}
