//! Warnings, and what is said when Compose does not finish.

use super::take;
use crate::compose::source::SourceMap;
use crate::event::{Level, Notice, Refusal};

/// Compose's warnings as notices.
pub(in crate::compose) fn warnings(stderr: &str, source: &SourceMap) -> Vec<Notice> {
    stderr
        .lines()
        .filter(|line| line.contains("level=warning"))
        .map(|line| {
            let said = line.split_once("msg=").map_or(line, |(_, m)| m).replace("\\\"", "\"");
            if let Some([name]) = take(r#"The "([^"]+)" variable is not set"#, &said) {
                let place = [format!("${{{name}"), format!("${name}")].iter().find_map(|needle| {
                    source.files().iter().find_map(|f| source.place_in(&f.name, needle, ""))
                });
                return Notice {
                    level: Level::Warning,
                    text: format!(
                        "la variable « {name} » n'a pas de valeur : elle est remplacée par du vide"
                    ),
                    place,
                };
            }
            if said.contains("`version` is obsolete") {
                return Notice {
                    level: Level::Info,
                    text: "la clé version: ne sert plus à rien, Docker Compose l'ignore".into(),
                    place: source.place(&["version"], ""),
                };
            }
            let said = said.trim_matches('"').chars().take(300).collect::<String>();
            Notice { level: Level::Info, text: format!("Docker Compose signale : {said}"), place: None }
        })
        .collect()
}

/// Compose took too long on the submission.
pub(in crate::compose) fn too_slow() -> Refusal {
    Refusal {
        rule: "config-slow".into(),
        what: "Docker Compose n'a pas fini de lire le projet en 10 s".into(),
        place: None,
        why: "lire un fichier Compose prend une fraction de seconde".into(),
        instead: "retirez les alias, inclusions et variables imbriqués".into(),
    }
}

/// Compose swelled on the submission.
pub(in crate::compose) fn too_big() -> Refusal {
    Refusal {
        rule: "config-big".into(),
        what: "le projet, une fois lu par Docker Compose, dépasse les limites de mémoire ou de taille".into(),
        place: None,
        why: "un projet de TP tient en quelques pages".into(),
        instead: "retirez les plages de ports, alias et inclusions démesurés".into(),
    }
}
