//! Services that may remember another as it was: a reverse proxy its routes, Prometheus the last
//! answer of a target. Once that one is replaced, what they say may be about the one of before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::SandboxedModel;
use crate::compose::grants::monitor;
use crate::compose::model::{entries, scalar, texts};

/// Bytes of mounted files that are looked at, in all.
const BYTES: u64 = 8 << 20;

/// Who may remember whom: who names it, in its own settings or in a file that it is given, and who is
/// shown all containers by the engine.
pub(super) fn memories(model: &SandboxedModel) -> Vec<(String, String)> {
    let mut budget = BYTES;
    let said: BTreeMap<&String, String> =
        entries(&model.file, "services").map(|(name, s)| (name, said(model, s, &mut budget))).collect();
    let mut out = Vec::new();
    for (who, service) in entries(&model.file, "services") {
        let sees_all = is_shown_engine(model, service);
        for (on, other) in entries(&model.file, "services").filter(|(on, _)| *on != who) {
            if sees_all || names(on, other).iter().any(|name| is_named(&said[who], name)) {
                out.push((who.clone(), on.clone()));
            }
        }
    }
    out
}

/// What others call a service.
fn names(service: &str, value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::from([service.to_owned()]);
    names.extend(value.get("hostname").and_then(scalar));
    names.extend(entries(value, "networks").flat_map(|(_, link)| texts(link.get("aliases"))));
    names
}

/// Whether a service keeps in mind what the engine shows of the others. cAdvisor counts what is there.
fn is_shown_engine(model: &SandboxedModel, service: &Value) -> bool {
    let Some(engine) = model.engine.as_ref().filter(|_| monitor(service).is_none()) else { return false };
    let real = |key: &str| model.file["volumes"][key]["name"].as_str();
    let mounts = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let mut sources = mounts.filter_map(|mount| real(mount.get("source")?.as_str()?));
    sources.any(|name| engine.socket == name)
}

/// The settings of a service, and the files that it is given. Labels speak to others; whom it waits
/// for is known already.
fn said(model: &SandboxedModel, service: &Value, budget: &mut u64) -> String {
    let mut own = service.clone();
    if let Some(members) = own.as_object_mut() {
        members.retain(|key, _| !matches!(key.as_str(), "labels" | "depends_on" | "networks" | "image"));
    }
    let mut text = own.to_string();
    let ours: BTreeSet<&Path> = model.mounts.values().map(std::path::PathBuf::as_path).collect();
    let mounts = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
    for source in mounts.filter_map(|m| m.get("source").and_then(scalar)) {
        if ours.contains(Path::new(&source)) {
            read(Path::new(&source), budget, &mut text);
        }
    }
    let configs = service.get("configs").and_then(Value::as_array).into_iter().flatten();
    for config in configs.filter_map(|c| Some(&model.file["configs"][c.get("source")?.as_str()?])) {
        text.extend(config.get("content").and_then(scalar));
        if let Some(file) = config.get("file").and_then(scalar) {
            read(Path::new(&file), budget, &mut text);
        }
    }
    text
}

/// Adds the texts beneath a path; no link is followed.
fn read(path: &Path, budget: &mut u64, text: &mut String) {
    let Ok(meta) = path.symlink_metadata() else { return };
    if meta.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            read(&entry.path(), budget, text);
        }
    } else if meta.is_file() && meta.len() <= *budget {
        *budget -= meta.len();
        text.push('\n');
        text.push_str(&std::fs::read(path).ok().and_then(|b| String::from_utf8(b).ok()).unwrap_or_default());
    }
}

/// Whether `name` stands in `text` as a word of its own.
fn is_named(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_whole_word() {
        assert!(is_named("- targets: [\"api:5000\"]", "api"));
        assert!(is_named("http://api.:5000/", "api"));
        assert!(!is_named("rapide, api-2, x_api", "api"));
        assert!(!is_named("", "api"));
    }

    #[test]
    fn a_service_has_several_names() {
        let value =
            serde_json::json!({ "hostname": "h", "networks": { "n": { "aliases": ["a", "b"] }, "m": null } });
        assert_eq!(names("s", &value), ["a", "b", "h", "s"].map(str::to_owned).into());
    }
}
