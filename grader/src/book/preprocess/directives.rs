//! Lines `{{#name argument}}`, outside code.

use std::fmt::Write as _;

use super::super::{BookError, Edition, LabChapter, Material, excerpt};
use super::lab_page;
use super::text::{Fence, escape, inline};
use crate::french;

/// Replaces the directives of a chapter.
pub fn expand(material: &Material, page: &str, text: &str) -> Result<String, BookError> {
    let mut out = String::with_capacity(text.len());
    let mut fence = Fence::default();
    let mut for_teacher = false;
    for (at, line) in text.lines().enumerate() {
        let directive = if fence.see(line) { None } else { directive(line) };
        let hidden = for_teacher && material.edition == Edition::Student;
        match directive {
            Some(("teacher", "")) => for_teacher = true,
            Some(("end", "")) => for_teacher = false,
            _ if hidden => {}
            None => {
                out.push_str(line);
                out.push('\n');
            }
            Some((name, argument)) => {
                let done = run(material, page, name, argument).map_err(|e| match e.line {
                    Some(_) => e,
                    None => BookError::at(format!("{page}.md"), at + 1, e.to_string()),
                })?;
                out.push_str(&done);
                out.push('\n');
            }
        }
    }
    if for_teacher {
        return Err(BookError::new(format!("{page}.md"), "« {{#teacher}} » sans « {{#end}} »"));
    }
    Ok(out)
}

/// Name and argument of a line that is a directive and nothing else.
fn directive(line: &str) -> Option<(&str, &str)> {
    let inside = line.trim().strip_prefix("{{#")?.strip_suffix("}}")?.trim();
    let (name, argument) = inside.split_once(' ').unwrap_or((inside, ""));
    Some((name, argument.trim()))
}

fn run(material: &Material, page: &str, name: &str, argument: &str) -> Result<String, BookError> {
    match name {
        "checks" => {
            let lab = material.lab(argument);
            lab.map(lab_page::checks).ok_or_else(|| BookError::new(argument, "ce TP n'existe pas"))
        }
        "file" => {
            let shown = excerpt::read(material, argument)?;
            let mark = if shown.text.contains("```") { "````" } else { "```" };
            Ok(format!(
                "<p class=\"fichier\">{}</p>\n\n{mark}{}\n{}\n{mark}\n",
                escape(&shown.name),
                shown.language,
                shown.text.trim_end()
            ))
        }
        "transcript" => transcript(material, argument),
        "labs" => Ok(labs(material)),
        "skills" => Ok(skills(material)),
        "progress" => Ok(progress(material)),
        _ => Err(BookError::new(page, format!("directive inconnue : {name}"))),
    }
}

/// A command and what it printed, from `book/transcripts`; a test plays it again.
fn transcript(material: &Material, name: &str) -> Result<String, BookError> {
    if name.contains(['/', '\\', '.']) {
        return Err(BookError::new(name, "un nom de transcription n'a ni chemin ni extension"));
    }
    let text = super::super::material::read(&material.book.join("transcripts").join(format!("{name}.txt")))?;
    // The first line says how the test plays it.
    let shown =
        text.split_once('\n').filter(|(first, _)| first.starts_with("#!")).map_or("", |(_, rest)| rest);
    Ok(format!("```console\n{}\n```\n", shown.trim_end()))
}

/// The labs, with their figures.
fn labs(material: &Material) -> String {
    let mut out = String::from("| TP | Sujet | Contrôles | Points | Correction |\n|---|---|--:|--:|--:|\n");
    for lab in &material.labs {
        let _ = writeln!(
            out,
            "| {} | [{}]({}.md) | {} | {} | {} |",
            lab.lab.id,
            lab.lab.title,
            lab.slug,
            lab.lab.checks.len(),
            french::number(lab.lab.points()),
            lab_page::budget(lab)
        );
    }
    out
}

/// The list that a statement gives after « vous saurez ».
pub fn skills_of(statement: &str) -> Vec<String> {
    let lines: Vec<&str> = statement.lines().collect();
    let Some(at) = lines.iter().position(|l| l.contains("vous saurez")) else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    for line in lines[at + 1..].iter().skip_while(|l| l.trim().is_empty()) {
        match line.strip_prefix("- ") {
            Some(item) => found.push(item.to_owned()),
            None if line.starts_with("  ") && !found.is_empty() => {
                if let Some(last) = found.last_mut() {
                    last.push(' ');
                    last.push_str(line.trim());
                }
            }
            None => break,
        }
    }
    found.iter().map(|s| s.trim_end_matches([';', '.', ' ', '\u{a0}', '\u{202f}']).to_owned()).collect()
}

/// A box to tick for each skill, kept in the browser.
fn skills(material: &Material) -> String {
    let mut out = String::new();
    for lab in &material.labs {
        let _ = write!(
            out,
            "<section class=\"competences\" data-tp=\"{id}\"><h2 id=\"competences-{id}\"><a href=\"{}.html\">{}</a></h2><ul>",
            lab.slug,
            escape(&lab.title()),
            id = lab.lab.id
        );
        for (at, skill) in skills_of(&lab.statement).iter().enumerate() {
            let _ = write!(
                out,
                "<li><label><input type=\"checkbox\" class=\"suivi\" data-suivi=\"c-{}-{at}\"> <span>{}</span></label></li>",
                lab.lab.id,
                inline(skill)
            );
        }
        out.push_str("</ul></section>\n\n");
    }
    out
}

/// A line for each lab: done or not, and how many skills are ticked.
fn progress(material: &Material) -> String {
    let rows: String = material.labs.iter().map(progress_row).collect();
    format!(
        "<div class=\"table-wrapper\"><table class=\"progres\"><thead><tr><th scope=\"col\">TP</th><th scope=\"col\">Terminé</th>\
         <th scope=\"col\">Compétences</th></tr></thead><tbody>{rows}</tbody></table></div>\n\
         <p class=\"progres-outils\" hidden><button type=\"button\" class=\"progres-effacer\">Tout décocher</button> \
         <span role=\"status\" class=\"progres-bilan\"></span></p>\n"
    )
}

fn progress_row(lab: &LabChapter) -> String {
    let total = skills_of(&lab.statement).len();
    let title = escape(&lab.title());
    format!(
        "<tr><th scope=\"row\"><a href=\"{}.html\">{title}</a></th><td><input type=\"checkbox\" class=\"suivi\" \
         data-suivi=\"tp-{id}\" aria-label=\"{title} : terminé\"></td><td><span class=\"progres-compte\" data-tp=\"{id}\">0</span> \
         sur {total}</td></tr>",
        lab.slug,
        id = lab.lab.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_stand_alone_on_their_line() {
        assert_eq!(directive("{{#checks 02}}"), Some(("checks", "02")));
        assert_eq!(directive("  {{#skills}}  "), Some(("skills", "")));
        assert_eq!(directive("`{{#checks 02}}` shows it"), None);
        assert_eq!(directive("docker info --format '{{.Swarm}}'"), None);
    }

    #[test]
    fn skills_are_read_in_the_statement() {
        let text = "À la fin, vous saurez :\n\n- dire\n  deux lignes ;\n- prouver.\n\nSuite\n- rien\n";
        assert_eq!(skills_of(text), ["dire deux lignes", "prouver"]);
        assert!(skills_of("# Rien").is_empty());
    }
}
