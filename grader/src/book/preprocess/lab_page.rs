//! What a statement becomes as a chapter: its title, a card, the points, and in the teacher's edition the
//! solution.

use std::path::Path;

use serde::Deserialize;

use super::super::excerpt;
use super::super::{BookError, Edition, LabChapter, Material};
use super::text::{escape, inline};
use crate::event::CheckCard;
use crate::french;

/// The statement with what surrounds it.
pub fn complete(material: &Material, lab: &LabChapter, text: &str) -> Result<String, BookError> {
    let Some((before, rest)) = text.split_once("# ").filter(|(before, _)| before.trim().is_empty()) else {
        return Err(BookError::at(
            format!("{}/statement.md", lab.slug),
            1,
            "un énoncé commence par un titre « # »",
        ));
    };
    let body = rest.split_once('\n').map_or("", |(_, body)| body);
    let mut out = format!("{before}# {}\n\n{}\n\n{body}", lab.title(), card(lab));
    if !text.contains("{{#checks") {
        out.push_str("\n\n## Les contrôles et leurs points {#bareme}\n\n");
        out.push_str(&format!("{{{{#checks {}}}}}\n", lab.lab.id));
    }
    if material.edition == Edition::Teacher {
        out.push_str(&answer(lab)?);
    }
    Ok(out)
}

/// The figures of a lab and the box to tick.
fn card(lab: &LabChapter) -> String {
    let images: Vec<String> = lab.lab.images.iter().map(|i| format!("<code>{}</code>", escape(i))).collect();
    let row = |name: &str, value: &str| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    let total = french::number(lab.lab.points());
    let points = if total == "20" {
        "20, comme la note".to_owned()
    } else {
        format!("{total}, ramenés à une note sur 20")
    };
    let rows = [
        row("Points", &points),
        row("Contrôles", &lab.lab.checks.len().to_string()),
        row("Temps de correction", &format!("{} au plus, images déjà là", budget(lab))),
        row("Corriger", &format!("<code>grader check {}</code>", lab.lab.id)),
        row("Images", &images.join(", ")),
    ];
    format!(
        "<div class=\"fiche\"><dl>{}</dl><label class=\"fait\"><input type=\"checkbox\" class=\"suivi\" \
         data-suivi=\"tp-{}\"> J'ai terminé ce TP</label></div>",
        rows.concat(),
        lab.lab.id
    )
}

/// Time that a grading may take, as one says it.
pub fn budget(lab: &LabChapter) -> String {
    french::duration(u64::try_from(lab.lab.budget.0.as_millis()).unwrap_or(u64::MAX))
}

/// The table of the checks, section by section, from `lab.toml`.
pub fn checks(lab: &LabChapter) -> String {
    let mut html = String::from(
        "<div class=\"table-wrapper\"><table class=\"bareme\"><thead><tr><th scope=\"col\">Ce qui est vérifié</th>\
         <th scope=\"col\">Identifiant</th><th scope=\"col\" class=\"nombre\">Points</th></tr></thead>",
    );
    let mut section = None;
    for spec in &lab.lab.checks {
        let card = &spec.card;
        if section != Some(&card.section) {
            let close = if section.is_some() { "</tbody>" } else { "" };
            html.push_str(&format!(
                "{close}<tbody><tr class=\"section\"><th colspan=\"3\" scope=\"rowgroup\">{}</th></tr>",
                escape(&card.section)
            ));
            section = Some(&card.section);
        }
        html.push_str(&row(card, &spec.needs, &lab.slug));
    }
    html.push_str(&format!(
        "</tbody><tfoot><tr><th scope=\"row\" colspan=\"2\">Total</th><td class=\"nombre\">{}</td></tr></tfoot></table></div>\n\n",
        french::number(lab.lab.points())
    ));
    html.push_str(&format!(
        "La correction complète prend au plus {} quand les images sont déjà sur la machine. \
         `grader hint {} IDENTIFIANT` donne une piste sur un contrôle.\n",
        budget(lab),
        lab.lab.id
    ));
    html
}

fn row(card: &CheckCard, needs: &[String], slug: &str) -> String {
    let place = card.course.split_once('#').filter(|(page, _)| *page == slug).map(|(_, anchor)| anchor);
    let title = match place {
        Some(anchor) => format!("<a href=\"{slug}.html#{anchor}\">{}</a>", inline(&card.title)),
        None => inline(&card.title),
    };
    let needs: Vec<String> = needs.iter().map(|n| format!("<code>{}</code>", escape(n))).collect();
    let after = if needs.is_empty() { String::new() } else { format!("après {}", french::list(&needs)) };
    let read = if card.is_static { "lu dans le fichier" } else { "" };
    let notes: Vec<&str> = [after.as_str(), read].into_iter().filter(|n| !n.is_empty()).collect();
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("<br><span class=\"detail\">{}</span>", notes.join(" · "))
    };
    format!(
        "<tr><td>{title}{notes}</td><td><code>{}</code></td><td class=\"nombre\">{}</td></tr>",
        escape(&card.id),
        french::number(card.points)
    )
}

/// `expect.toml`, as far as a reader cares.
#[derive(Deserialize)]
struct Expect {
    #[serde(default)]
    fail: Vec<String>,
    exit: Option<i32>,
    #[serde(default)]
    note: String,
}

/// The teacher's part: the solution, and the wrong submissions with what they must miss.
fn answer(lab: &LabChapter) -> Result<String, BookError> {
    let mut out = String::from("\n\n## Corrigé : la solution de référence {#corrige}\n\n");
    for (path, text) in lab.files("solution")? {
        let name = path.to_string_lossy().into_owned();
        if name.ends_with("-lock.json") {
            continue;
        }
        let text = excerpt::without_anchors(&text);
        let fence = if text.contains("```") { "````" } else { "```" };
        out.push_str(&format!(
            "<details class=\"corrige\"><summary>{}</summary>\n\n{fence}{}\n{}\n{fence}\n\n</details>\n\n",
            escape(&name),
            excerpt::language(&name),
            text.trim_end()
        ));
    }
    let wrong = variants(&lab.lab.dir.join("variants"));
    if !wrong.is_empty() {
        out.push_str("### Erreurs que le correcteur reconnaît {#erreurs}\n\n| Variante | Ce qui change | Contrôles manqués |\n|---|---|---|\n");
        for (name, expect) in wrong {
            let missed: Vec<String> = expect.fail.iter().map(|id| format!("`{id}`")).collect();
            let refused = if expect.exit == Some(3) { "rendu refusé" } else { "" };
            let missed = if missed.is_empty() { refused.to_owned() } else { missed.join(", ") };
            out.push_str(&format!(
                "| `{name}` | <span lang=\"en\">{}</span> | {missed} |\n",
                escape(&expect.note).replace('|', "\\|")
            ));
        }
    }
    Ok(out)
}

fn variants(dir: &Path) -> Vec<(String, Expect)> {
    let mut found: Vec<(String, Expect)> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| {
            let name = e.file_name().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(e.path().join("expect.toml")).ok()?;
            Some((name, toml::from_str(&text).ok()?))
        })
        .filter(|(name, _): &(String, Expect)| name.starts_with("ko-"))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
