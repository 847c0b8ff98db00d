//! Compose's English errors, said in French with the place in the student's file.

use std::path::Path;

use regex_lite::Regex;

use super::source::SourceMap;
use super::tree::{Broken, Cause};
use crate::event::{Level, Notice, Place, Problem, Refusal};

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

fn schema(text: &str, source: &SourceMap) -> Option<Known> {
    if let Some([path, key]) = take(r"(\S+) Additional property (.+) is not allowed", text) {
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
        2 if path.starts_with("services.") => super::policy::service_keys(),
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

fn references(text: &str, source: &SourceMap) -> Option<Known> {
    if let Some([service, kind, name]) =
        take(r#"service "([^"]+)" refers to undefined (network|volume|secret|config) (\S+)"#, text)
    {
        let (key, french) = match kind.as_str() {
            "network" => ("networks", "le réseau"),
            "volume" => ("volumes", "le volume"),
            "secret" => ("secrets", "le secret"),
            _ => ("configs", "la configuration"),
        };
        let name = name.trim_end_matches(':');
        return Some(known(
            match kind.as_str() {
                "network" => "undefined-network",
                "volume" => "undefined-volume",
                "secret" => "undefined-secret",
                _ => "undefined-config",
            },
            format!("« {service} » utilise {french} « {name} », qui n'est pas déclaré"),
            source.place(&["services", &service, key, name], "pas déclaré"),
            format!(
                "déclarez-le à la racine du fichier, sous {key}: (à la même colonne que services:), ou corrigez son nom"
            ),
        ));
    }
    if let Some([service, name]) =
        take(r#"service "([^"]+)" depends on undefined service "?([^":\s]+)"#, text)
    {
        let path = ["depends_on", "links", "volumes_from", "network_mode", "ipc", "pid"]
            .into_iter()
            .find_map(|key| {
                let place = source.place(&["services", &service, key, &name], "n'existe pas")?;
                place.mark.text.contains(name.as_str()).then_some(place)
            })
            .or_else(|| source.place(&["services", &service], ""));
        return Some(known(
            "undefined-service",
            format!("« {service} » dépend de « {name} », qui n'est pas un service"),
            path,
            "déclarez ce service, ou corrigez son nom",
        ));
    }
    if let Some([cycle]) = take(r"dependency cycle detected: (.+)", text) {
        let first = cycle.split(" -> ").next().unwrap_or_default().to_owned();
        return Some(known(
            "circular-dependency",
            format!("les services s'attendent en rond : {}", cycle.replace("->", "→")),
            source.place(&["services", &first, "depends_on"], ""),
            "retirez l'un de ces depends_on : qui a vraiment besoin de l'autre pour démarrer ?",
        ));
    }
    if let Some([service, base]) =
        take(r#"cannot extend service "([^"]+)" in [^:]*: service "([^"]+)" not found"#, text)
    {
        return Some(known(
            "undefined-service",
            format!("« {service} » étend le service « {base} », qui n'existe pas"),
            source.place(&["services", &service, "extends"], ""),
            "corrigez le nom du service étendu",
        ));
    }
    if let Some([service]) = take(r#"service "([^"]+)" has neither an image nor a build context"#, text) {
        return Some(known(
            "no-image",
            format!("« {service} » n'a ni image: ni build:"),
            source.place(&["services", &service], "rien à lancer"),
            "donnez-lui une image existante, ou le dossier d'un Dockerfile",
        ));
    }
    let [service] = take(r"service (\S+) declares mutually exclusive `network_mode` and `networks`", text)?;
    Some(known(
        "network-mode-and-networks",
        format!("« {service} » a network_mode: et networks:, qui s'excluent"),
        source.place(&["services", &service, "network_mode"], ""),
        "gardez l'un des deux",
    ))
}

fn values(text: &str, source: &SourceMap) -> Option<Known> {
    if let Some([which, value]) = take(
        r"[Ii]nvalid (hostPort|containerPort|port range|start port|end port|proto|ip address)[^:]*: (\S+)",
        text,
    ) {
        let place = source.files().iter().find_map(|f| source.place_in(&f.name, &value, "pas un port"));
        let what = match which.as_str() {
            "proto" => format!("« {value} » n'est pas un protocole"),
            "ip address" => format!("« {value} » n'est pas une adresse IP"),
            _ => format!("« {value} » n'est pas un numéro de port"),
        };
        let todo =
            "la forme courte est HÔTE:CONTENEUR, deux nombres de 1 à 65535, entre guillemets : \"5001:5000\"";
        return Some(known("invalid-port", what, place, todo));
    }
    if let Some([path, reason]) = take(r"error decoding '([^']+)': (.+)", text) {
        let todo = if reason.contains("duration") {
            "une durée s'écrit 10s, 1m30s ou 500ms"
        } else if reason.contains("size") {
            "une taille s'écrit 256m ou 1g"
        } else {
            "corrigez la valeur : un nombre est attendu, sans unité"
        };
        let what = format!("la valeur de « {} » ne se lit pas", path.replace('[', ".").replace(']', ""));
        return Some(known("invalid-value", what, dotted(source, &path, ""), todo));
    }
    if let Some([path, name, said]) =
        take(r"interpolating (\S+?): required variable (\S+) is missing a value(?:: ?(.*))?", text)
    {
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        return Some(known(
            "variable-required",
            format!("la variable « {name} » est obligatoire et n'a pas de valeur{said}"),
            dotted(source, &path, ""),
            format!("donnez-lui une valeur dans un fichier .env rendu avec le TP : {name}=…"),
        ));
    }
    if let Some([path]) = take(r"invalid interpolation format for (\S+?)\.?(?:\s|$)", text) {
        return Some(known(
            "invalid-interpolation",
            "un « $ » n'est pas suivi d'un nom de variable".into(),
            dotted(source, &path, ""),
            "écrivez ${NOM}, ou $$ pour un « $ » destiné au conteneur",
        ));
    }
    if text.contains("healthcheck.test must start either by") {
        let place = source.files().iter().find_map(|f| source.place_in(&f.name, "test:", ""));
        return Some(known(
            "invalid-healthcheck",
            "la liste de healthcheck.test ne commence pas par CMD ou CMD-SHELL".into(),
            place,
            "écrivez test: [\"CMD\", \"programme\", \"argument\"], ou [\"CMD-SHELL\", \"commande\"]",
        ));
    }
    let [service] = take(r"services\.(\S+): can't set distinct values on", text)
        .or_else(|| take(r"can't set container_name and (\S+) as container name must be unique", text))?;
    let unique = text.contains("container_name");
    let key = if unique { "container_name" } else { "deploy" };
    Some(known(
        "conflicting-values",
        if unique {
            format!("« {service} » a plusieurs copies et un nom de conteneur, qui ne peut servir qu'une fois")
        } else {
            format!("« {service} » dit deux fois la même limite, avec deux valeurs")
        },
        source.place(&["services", &service, key], ""),
        if unique { "retirez container_name:" } else { "ne gardez que deploy.resources.limits" },
    ))
}

fn files(text: &str, source: &SourceMap) -> Option<Known> {
    let env = take(r"[Ee]nv file (\S+) not found", text);
    let other = take(r"open (\S+): no such file or directory", text);
    let [path] = env.clone().or(other)?;
    let name = Path::new(&path).file_name().map_or(path.clone(), |n| n.to_string_lossy().into_owned());
    let place = source.files().iter().find_map(|f| source.place_in(&f.name, &name, "introuvable"));
    let (code, todo) = if env.is_some() {
        ("env-file-missing", "rendez ce fichier avec le TP (sans secret réel), ou retirez env_file:")
    } else {
        ("include-missing", "rendez ce fichier avec le TP, ou corrigez son chemin")
    };
    Some(known(code, format!("le fichier « {path} » n'existe pas dans le dossier rendu"), place, todo))
}

/// Compose's warnings as notices.
pub(super) fn warnings(stderr: &str, source: &SourceMap) -> Vec<Notice> {
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
pub(super) fn too_slow() -> Refusal {
    Refusal {
        rule: "config-slow".into(),
        what: "Docker Compose n'a pas fini de lire le projet en 10 s".into(),
        place: None,
        why: "lire un fichier Compose prend une fraction de seconde".into(),
        instead: "retirez les alias, inclusions et variables imbriqués".into(),
    }
}

/// Compose swelled on the submission.
pub(super) fn too_big() -> Refusal {
    Refusal {
        rule: "config-big".into(),
        what: "le projet, une fois lu par Docker Compose, dépasse les limites de mémoire ou de taille".into(),
        place: None,
        why: "un projet de TP tient en quelques pages".into(),
        instead: "retirez les plages de ports, alias et inclusions démesurés".into(),
    }
}

/// French typography: no-break spaces inside guillemets and before double punctuation.
pub(super) fn typeset(text: &str) -> String {
    let mut out = text.replace("« ", "«\u{a0}").replace(" »", "\u{a0}»");
    for sign in [':', ';', '?'] {
        out = out.replace(&format!(" {sign} "), &format!("\u{a0}{sign} "));
        if let Some(head) = out.strip_suffix(&format!(" {sign}")) {
            out = format!("{head}\u{a0}{sign}");
        }
    }
    out
}

/// Typesets every French part.
pub(super) fn typeset_problems(mut problems: Vec<Problem>) -> Vec<Problem> {
    for problem in &mut problems {
        problem.what = typeset(&problem.what);
        problem.todo = typeset(&problem.todo);
    }
    problems
}

/// Typesets every French part.
pub(super) fn typeset_refusals(mut refusals: Vec<Refusal>) -> Vec<Refusal> {
    for refusal in &mut refusals {
        for text in [&mut refusal.what, &mut refusal.why, &mut refusal.instead] {
            *text = typeset(text);
        }
    }
    refusals
}

/// Typesets every French part.
pub(super) fn typeset_notices(mut notices: Vec<Notice>) -> Vec<Notice> {
    for notice in &mut notices {
        notice.text = typeset(&notice.text);
    }
    notices
}
