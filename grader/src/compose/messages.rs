//! Compose's English errors, said in French with the place in the student's file.

mod references;
mod warnings;

use std::path::Path;

use regex_lite::Regex;

use super::policy::{Newer, refused_key, service_keys};
use super::source::SourceMap;
use super::tree::{Broken, Cause};
use crate::event::{Place, Problem};

use references::{files, references, values};
pub(super) use warnings::{too_big, too_slow, warnings};

/// What a message becomes.
struct Known {
    code: &'static str,
    what: String,
    place: Option<Place>,
    todo: String,
}

/// Problems told by a failed `config`.
pub(super) fn problems(stderr: &str, source: &SourceMap, root: &Path) -> Vec<Problem> {
    let text: Vec<&str> = stderr.lines().filter(|l| !l.starts_with("time=")).collect();
    let text = text.join("\n").replace(&format!("{}/", root.display()), "");
    let text = text.trim().trim_end_matches(": invalid compose project");
    let detail: String = text.chars().take(600).collect();
    let known = explain(text, source).unwrap_or_else(|| Known {
        code: "compose-error",
        what: "Docker Compose refuse ce fichier".into(),
        place: None,
        todo: "lisez le message d'origine ; « docker compose config » le redonne dans votre dossier".into(),
    });
    vec![Problem { code: known.code.into(), what: known.what, place: known.place, todo: known.todo, detail }]
}

/// Captures of `pattern` in `text`, the whole match excluded.
fn take<const N: usize>(pattern: &str, text: &str) -> Option<[String; N]> {
    let captures = Regex::new(pattern).ok()?.captures(text)?;
    let mut groups = captures.iter().skip(1);
    Some(std::array::from_fn(|_| groups.next().flatten().map_or(String::new(), |m| m.as_str().to_owned())))
}

fn known(code: &'static str, what: String, place: Option<Place>, todo: impl Into<String>) -> Known {
    Known { code, what, place, todo: todo.into() }
}

fn explain(text: &str, source: &SourceMap) -> Option<Known> {
    syntax(text, source)
        .or_else(|| schema(text, source))
        .or_else(|| references(text, source))
        .or_else(|| values(text, source))
        .or_else(|| files(text, source))
}

/// Place of a dotted key path such as `services.api.ports[0]`.
fn dotted(source: &SourceMap, path: &str, label: &str) -> Option<Place> {
    let path = path.replace('[', ".").replace(']', "");
    let keys: Vec<&str> = path.split('.').filter(|k| !k.is_empty() && *k != "(root)").collect();
    source.place(&keys, label)
}

fn syntax(text: &str, source: &SourceMap) -> Option<Known> {
    if let Some([line, key, first]) =
        take(r#"line (\d+): mapping key "([^"]*)" already defined at line (\d+)"#, text)
    {
        let place = source.place_line(source.main(), line.parse().ok()?, "seconde fois").map(|mut place| {
            if let Some(other) =
                first.parse().ok().and_then(|n| source.place_line(source.main(), n, "première fois"))
            {
                place.also.push(other.mark);
            }
            place
        });
        return Some(known(
            "duplicate-key",
            format!("la clé « {key} » est écrite deux fois au même endroit"),
            place,
            "gardez une seule des deux, avec tout son contenu",
        ));
    }
    if let Some([anchor]) = take(r"unknown anchor '([^']*)' referenced", text) {
        let place = source.place_in(source.main(), &format!("*{anchor}"), "");
        let what = format!("l'alias « *{anchor} » ne renvoie à aucune ancre « &{anchor} »");
        return Some(known("yaml-anchor", what, place, "définissez l'ancre avant de vous en servir"));
    }
    if let Some([line, reason]) = take(r"(?m)(?:^|: )yaml: (?:line (\d+): )?(.*)", text) {
        let place = line.parse().ok().and_then(|n| source.place_line(source.main(), n, ""));
        let (what, todo) = yaml_reason(&reason);
        return Some(known("yaml-syntax", what.to_owned(), place, todo));
    }
    text.contains("empty compose file").then(|| {
        known(
            "no-service",
            "le fichier Compose est vide".into(),
            None,
            "ajoutez la clé services: et décrivez-y chaque conteneur",
        )
    })
}

/// French reason and advice for what a YAML reader says.
fn yaml_reason(reason: &str) -> (&'static str, &'static str) {
    let has = |parts: &[&str]| parts.iter().any(|p| reason.contains(p));
    if has(&["anchor"]) {
        (
            "un alias « * » ne renvoie à aucune ancre « & » déjà écrite",
            "définissez l'ancre avant de vous en servir, ou mettez la valeur entre guillemets",
        )
    } else if has(&["cannot start any token", "tab"]) {
        (
            "le YAML contient un caractère interdit à cet endroit, sans doute une tabulation",
            "indentez avec des espaces, jamais avec des tabulations",
        )
    } else if has(&["mapping values are not allowed"]) {
        ("le YAML a un « : » inattendu", "vérifiez l'indentation, ou mettez la valeur entre guillemets")
    } else if has(&["unexpected end of stream", "end of stream", "quoted scalar", "unclosed"]) {
        ("un guillemet ou un crochet n'est pas refermé", "refermez-le sur la même ligne")
    } else if has(&[
        "expected key",
        "block mapping",
        "block collection",
        "block end",
        "simple key",
        "indent",
        "while parsing",
    ]) {
        (
            "l'indentation du YAML ne se lit pas à cet endroit",
            "alignez les clés d'un même niveau sur la même colonne ; chaque clé finit par « : »",
        )
    } else {
        (
            "le fichier n'est pas du YAML valide",
            "vérifiez l'indentation et les guillemets autour de cette ligne",
        )
    }
}

/// A file that our own reader could not read.
pub(super) fn broken_yaml(source: &SourceMap, file: &str, broken: &Broken) -> Problem {
    let place = source
        .place_at(file, broken.line, broken.column, "")
        .or_else(|| source.place_line(file, broken.line.saturating_sub(1), ""));
    let (code, what, todo) = match broken.cause {
        Cause::Syntax => {
            let (what, todo) = yaml_reason(&broken.reason);
            ("yaml-syntax", what, todo)
        }
        Cause::Tag => (
            "yaml-tag",
            "cette étiquette YAML (« ! ») n'a pas sa place dans un fichier Compose",
            "écrivez la valeur en toutes lettres",
        ),
        Cause::Depth => {
            ("yaml-depth", "le YAML est imbriqué sans fin", "un fichier Compose n'a que quelques niveaux")
        }
    };
    Problem { code: code.into(), what: what.into(), place, todo: todo.into(), detail: broken.reason.clone() }
}

/// What the policy says of a key that this version of Compose does not know, and the key.
pub(super) fn newer(stderr: &str, source: &SourceMap) -> Option<(Newer, String)> {
    let [path, key] = take(UNKNOWN, stderr)?;
    let path = path.replace('[', ".").replace(']', "");
    let path: Vec<&str> = path.split('.').filter(|part| !part.is_empty() && *part != "(root)").collect();
    Some((refused_key(&path, &key, source)?, key))
}

/// How Compose says that it does not know a key.
const UNKNOWN: &str = r"(\S+) Additional property (.+) is not allowed";

fn schema(text: &str, source: &SourceMap) -> Option<Known> {
    if let Some([path, key]) = take(UNKNOWN, text) {
        let full = format!("{path}.{key}");
        let keys: Vec<&str> = path.split('.').filter(|k| *k != "(root)").chain([key.as_str()]).collect();
        let place = source.place(&keys, "clé inconnue");
        let parent = path.rsplit('.').next().unwrap_or("");
        let todo = match near(&key, &path) {
            Some(near) => format!("vouliez-vous écrire « {near} » ?"),
            None if full == format!("services.{key}") => {
                "un nom de service n'a que des lettres sans accent, chiffres, « . », « _ » ou « - »".into()
            }
            None => "vérifiez l'orthographe de la clé et son indentation".into(),
        };
        let what = if path == "(root)" {
            format!("la clé « {key} » n'existe pas à la racine d'un fichier Compose")
        } else if path == "services" {
            format!("« {key} » ne peut pas être un nom de service")
        } else {
            format!("la clé « {key} » n'existe pas sous « {parent} »")
        };
        return Some(known("unknown-property", what, place, todo));
    }
    if let Some([path, wanted]) = take(r"(\S+) must be an? (\w+)", text) {
        let french = match wanted.as_str() {
            "list" | "array" => "une liste (une ligne « - … » par élément)",
            "mapping" | "object" => "un ensemble de clés (« clé: valeur »)",
            "string" => "un texte",
            "number" | "integer" => "un nombre",
            "boolean" => "true ou false",
            _ => "d'un autre type",
        };
        let what = format!("« {path} » doit être {french}");
        let todo = "comparez avec l'exemple du cours, et vérifiez l'indentation des lignes du dessous";
        return Some(known("invalid-type", what, dotted(source, &path, ""), todo));
    }
    if let Some([path, list]) = take(r"(\S+) must be one of the following: (.+)", text) {
        let what = format!("« {path} » n'accepte pas cette valeur");
        let todo = format!("valeurs possibles : {}", list.replace('"', ""));
        return Some(known("invalid-value", what, dotted(source, &path, ""), todo));
    }
    if let Some([path]) = take(r"(\S+): unexpected type", text) {
        let what = format!("« {path} » est écrit sous une forme que Compose n'attend pas");
        let todo = "dans une liste, écrivez NOM=valeur ; dans un ensemble de clés, NOM: valeur";
        return Some(known("invalid-type", what, dotted(source, &path.replace(".[", "["), ""), todo));
    }
    None
}

/// A known key that resembles `key`.
fn near(key: &str, path: &str) -> Option<&'static str> {
    let candidates: Vec<&'static str> = match path.split('.').count() {
        1 if path == "(root)" => {
            vec!["services", "networks", "volumes", "secrets", "configs", "include", "name"]
        }
        2 if path.starts_with("services.") => service_keys(),
        3 if path.rsplit('.').next() == Some("healthcheck") => {
            vec!["test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"]
        }
        3 if path.rsplit('.').next() == Some("build") => vec!["context", "dockerfile", "args", "target"],
        _ => return None,
    };
    let (best, distance) =
        candidates.into_iter().map(|c| (c, edits(key, c))).min_by_key(|(_, distance)| *distance)?;
    (distance <= 2.max(key.len() / 4)).then_some(best)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
