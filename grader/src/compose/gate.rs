//! What must be known before Compose reads anything: `config` opens `env_file`, `include` and
//! `extends` wherever they are, and can be made to spin or to swell.

use std::path::{Component, Path, PathBuf};

use super::dotenv::{DotEnv, interpolate};
use super::messages::broken_yaml;
use super::policy::is_remote;
use super::source::{SourceFile, SourceMap};
use super::stage::{Limits, Staged};
use super::tree::{Id, Kind, Tree};
use crate::event::{Place, Problem, Refusal};

/// Nodes of a file once its aliases are expanded.
const NODES: u64 = 50_000;
/// Nesting once its aliases are expanded.
const DEPTH: usize = 100;
/// `${…}` within `${…}`.
const NESTING: usize = 8;
/// `$` in all of a file.
const DOLLARS: usize = 4_000;
/// Ports of one range.
pub(super) const RANGE: u32 = 100;
/// Services written in all files: more take Compose too long to read.
const SERVICES: usize = 200;
/// Refusals told.
const MOST: usize = 40;
/// Files reached by `include` and `extends`.
const FILES: usize = 40;

/// Refusals given here.
#[cfg(test)]
pub(super) const RULES: [&str; 7] = [
    "alias-bomb",
    "interpolation-bomb",
    "too-many-includes",
    "port-range",
    "include-remote",
    "path-variable",
    "path-outside",
];

/// A reference to another file.
struct Reference<'a> {
    /// Key that holds it: `env_file`, `include`…
    key: &'static str,
    node: Id,
    text: &'a str,
    /// A file that Compose reads as one of its own.
    yaml: bool,
}

/// `path` without `.` and `..`, as Compose cleans it; may begin with `..`.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if matches!(out.components().next_back(), Some(Component::Normal(_))) {
                    out.pop();
                } else if !out.has_root() {
                    out.push("..");
                }
            }
            other => out.push(other),
        }
    }
    out
}

/// Every reference of a tree, wherever it is: a merge key may bring it anywhere.
fn references(tree: &Tree) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    for (_, node) in tree.all() {
        let Kind::Map(pairs) = &node.kind else { continue };
        for (key, value) in pairs {
            let key = match tree.text(*key) {
                Some("env_file") => "env_file",
                Some("label_file") => "label_file",
                Some("include") => "include",
                Some("extends") => "extends",
                _ => continue,
            };
            let read = matches!(key, "include" | "extends");
            let mut add = |node: Id, yaml: bool| {
                if let Some(text) = tree.text(node) {
                    found.push(Reference { key, node, text, yaml });
                }
            };
            let mut parts = vec![*value];
            parts.extend(tree.items(*value));
            for part in parts {
                // `extends: name` names a service of the same file.
                if key != "extends" {
                    add(part, read);
                }
                for inner in ["file", "path", "env_file", "project_directory"] {
                    if let Some((_, value)) = tree.get(part, inner) {
                        let yaml = read && matches!(inner, "file" | "path");
                        add(value, yaml);
                        tree.items(value).iter().for_each(|item| add(*item, yaml));
                    }
                }
            }
        }
    }
    found
}

/// Adds the files that the chosen ones include or extend, when they are in the folder.
pub(super) fn collect(
    root: &Path,
    files: &mut Vec<SourceFile>,
    env: &DotEnv,
    limits: &Limits,
) -> Result<(), Box<Problem>> {
    let mut next = 0;
    while next < files.len() && files.len() < FILES {
        let here = Path::new(&files[next].name).parent().unwrap_or(Path::new("")).to_owned();
        let wanted: Vec<PathBuf> = match &files[next].tree {
            Err(_) => Vec::new(),
            Ok(tree) => references(tree)
                .iter()
                .filter(|r| r.yaml)
                .filter_map(|r| interpolate(r.text, env))
                .flat_map(|text| [clean(&here.join(&text)), clean(Path::new(&text))])
                .collect(),
        };
        for path in wanted {
            let name = path.to_string_lossy().into_owned();
            let inside = !path.is_absolute() && !name.starts_with("..");
            if inside && root.join(&path).is_file() && files.iter().all(|f| f.name != name) {
                files.push(super::choose::read_yaml(root, &name, limits)?);
            }
        }
        next += 1;
    }
    Ok(())
}

/// What the gate found.
pub(super) struct Stop {
    pub problems: Vec<Problem>,
    pub refusals: Vec<Refusal>,
}

/// Looks at every file that Compose will read. `None` means that it may.
pub(super) fn inspect(staged: &Staged) -> Option<Stop> {
    let mut stop = seen(staged);
    #[cfg(test)]
    stop.refusals.retain(|refusal| !super::policy::mutation::mutes(&refusal.rule));
    let mut told = Vec::new();
    stop.refusals.retain(|refusal| {
        let new = !told.contains(&(refusal.rule.clone(), refusal.place.clone()));
        told.push((refusal.rule.clone(), refusal.place.clone()));
        new && told.len() <= MOST
    });
    (!stop.problems.is_empty() || !stop.refusals.is_empty()).then_some(stop)
}

fn seen(staged: &Staged) -> Stop {
    let mut stop = Stop { problems: Vec::new(), refusals: Vec::new() };
    let source = &staged.source;
    for file in source.files() {
        match &file.tree {
            Err(broken) => stop.problems.push(broken_yaml(source, &file.name, broken)),
            Ok(tree) => look(staged, file, tree, &mut stop.refusals),
        }
    }
    if source.files().len() >= FILES {
        stop.refusals.push(refusal("too-many-includes", "trop de fichiers Compose inclus".into(), None));
    }
    let services = |tree: &Tree| -> usize {
        let all = tree.docs.iter().filter_map(|doc| tree.get(*doc, "services"));
        all.map(|(_, services)| tree.pairs(services).len()).sum()
    };
    let count: usize = source.files().iter().filter_map(|f| f.tree.as_ref().ok()).map(services).sum();
    if count > SERVICES {
        let place = source.place(&["services"], "trop de services");
        stop.refusals.push(refusal("services-many", format!("le projet déclare {count} services"), place));
    }
    stop
}

fn look(staged: &Staged, file: &SourceFile, tree: &Tree, refusals: &mut Vec<Refusal>) {
    let source = &staged.source;
    if tree.expanded() > NODES || tree.expanded_depth() > DEPTH {
        let place = source.place_in(&file.name, "*", "alias déployés sans fin");
        let what = format!("« {} » devient énorme une fois ses alias YAML déployés", file.name);
        refusals.push(refusal("alias-bomb", what, place));
    }
    if nesting(&file.text) > NESTING || file.text.matches('$').count() > DOLLARS {
        let place = source.place_in(&file.name, "${", "");
        refusals.push(refusal(
            "interpolation-bomb",
            format!("« {} » imbrique trop de variables ${{…}}", file.name),
            place,
        ));
    }
    for (_, node) in tree.all() {
        let Kind::Map(pairs) = &node.kind else { continue };
        for (_, value) in pairs.iter().filter(|(k, _)| tree.text(*k) == Some("ports")) {
            for item in tree.items(*value) {
                let published = tree.get(*item, "published").and_then(|(_, v)| tree.text(v));
                let text = tree.text(*item).or(published).unwrap_or("");
                if widest(text) > RANGE {
                    let at = at(source, &file.name, tree, *item);
                    refusals.push(refusal(
                        "port-range",
                        format!("la plage de ports « {text} » est démesurée"),
                        at,
                    ));
                }
            }
        }
    }
    let here = Path::new(&file.name).parent().unwrap_or(Path::new(""));
    for reference in references(tree) {
        let Reference { key, node, text, .. } = reference;
        let place = at(source, &file.name, tree, node);
        if is_remote(text) {
            let what = format!("« {key} » va chercher un fichier hors de la machine : {text}");
            refusals.push(refusal("include-remote", what, place));
            continue;
        }
        let Some(path) = interpolate(text, &staged.choice.env) else {
            let what =
                format!("« {key} » construit un chemin que le correcteur ne sait pas vérifier : {text}");
            refusals.push(refusal("path-variable", what, place));
            continue;
        };
        if is_remote(&path) {
            let what = format!("« {key} » va chercher un fichier hors de la machine : {path}");
            refusals.push(refusal("include-remote", what, place));
        } else if leaves(staged, &here.join(&path), &path) || reads_outside(staged, Path::new(&path)) {
            refusals.push(refusal(
                "path-outside",
                format!("« {key} » désigne un fichier hors du dossier rendu : {path}"),
                place,
            ));
        }
    }
}

/// True when a path leads to something that exists outside of the copy once taken from its root, as Compose takes
/// those of a file that is included with a folder of its own: that is not known here, and only a path that exists
/// can be read. `../` in a file of a subfolder is an ordinary thing to write.
fn reads_outside(staged: &Staged, path: &Path) -> bool {
    let real =
        staged.root.join(path).canonicalize().or_else(|_| staged.root.join(clean(path)).canonicalize());
    real.is_ok_and(|real| !real.starts_with(&staged.root))
}

/// True when a path relative to the root leaves the copy, or passes by a link left out.
fn leaves(staged: &Staged, joined: &Path, written: &str) -> bool {
    let cleaned = clean(joined);
    if written.starts_with('~') || cleaned.is_absolute() || cleaned.starts_with("..") {
        return true;
    }
    if staged.left_out.iter().any(|link| cleaned.starts_with(link)) {
        return true;
    }
    [cleaned.as_path(), joined]
        .iter()
        .any(|p| staged.root.join(p).canonicalize().is_ok_and(|real| !real.starts_with(&staged.root)))
}

fn at(source: &SourceMap, file: &str, tree: &Tree, node: Id) -> Option<Place> {
    let node = tree.node(node);
    let width = if node.end_line == node.line { node.end_column.saturating_sub(node.column) } else { 1 };
    let mut place = source.place_at(file, node.line, node.column + 1, "")?;
    place.mark = super::source::mark(&place.mark.text, node.line, node.column + 1, width, "");
    Some(place)
}

/// Deepest nesting of `${`.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let bytes = text.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if i > 0 && bytes[i - 1] == b'$' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' => depth = depth.saturating_sub(1),
            b'\n' => depth = 0,
            _ => {}
        }
    }
    deepest
}

/// Width of the widest `a-b` of a port.
pub(super) fn widest(text: &str) -> u32 {
    text.split([':', '/'])
        .filter_map(|part| {
            let (low, high) = part.split_once('-')?;
            let (low, high): (u32, u32) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            Some(high.saturating_sub(low) + 1)
        })
        .max()
        .unwrap_or(0)
}

fn refusal(rule: &str, what: String, place: Option<Place>) -> Refusal {
    let (why, instead) = match rule {
        "alias-bomb" | "interpolation-bomb" | "too-many-includes" => (
            "lire ce fichier occuperait toute la machine",
            "écrivez les valeurs en toutes lettres, sans les imbriquer",
        ),
        "port-range" => (
            "chaque port publié occupe la machine ; un TP n'en demande que quelques-uns",
            "publiez les seuls ports utiles, par exemple ports: [\"5001:5000\"]",
        ),
        "include-remote" => (
            "un TP se corrige d'après les seuls fichiers rendus",
            "copiez ce fichier dans le dossier rendu et nommez-le par un chemin relatif",
        ),
        "path-variable" => (
            "un fichier lu doit se trouver dans le dossier rendu, et cela se vérifie avant de le lire",
            "écrivez le chemin en toutes lettres, par exemple ./api.env",
        ),
        "services-many" => (
            "un TP en démarre quelques-uns ; autant occuperait toute la machine",
            "gardez les services utiles, une seule copie de chacun",
        ),
        // path-outside
        _ => (
            "seul le dossier rendu est lu ; le reste de la machine ne regarde pas la pile",
            "copiez ce fichier dans le dossier rendu et nommez-le par un chemin relatif",
        ),
    };
    Refusal { rule: rule.to_owned(), what, place, why: why.to_owned(), instead: instead.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures() {
        assert_eq!(widest("1025-65000"), 63976);
        assert_eq!(widest("127.0.0.1:8000-8001:8000-8001/udp"), 2);
        assert_eq!(widest("80:80"), 0);
        assert_eq!(nesting("${A:-${B:-${C}}} ${D}"), 3);
        assert_eq!(clean(Path::new("a/./b/../../..")), PathBuf::from(".."));
        assert_eq!(clean(Path::new("/a/../../b")), PathBuf::from("/b"));
    }
}
