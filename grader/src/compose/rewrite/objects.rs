//! Names and labels of volumes, secrets and configs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Plan, Work, files, limits, pins, translate};
use crate::compose::model::{entries, scalar};

/// Gives each real name a new one, shared by the keys that share it.
pub(super) fn new_names<'a>(
    plan: &Plan,
    members: impl Iterator<Item = (&'a String, &'a Value)>,
) -> BTreeMap<String, String> {
    let mut by_real: BTreeMap<String, String> = BTreeMap::new();
    members
        .map(|(key, value)| {
            let real = value.get("name").and_then(scalar).unwrap_or_else(|| key.clone());
            let new = by_real.entry(real).or_insert_with(|| format!("{}_{key}", plan.project));
            (key.clone(), new.clone())
        })
        .collect()
}

/// Named volumes.
pub(super) fn named(work: &mut Work<'_>, source: &Value, family: &str) -> Map<String, Value> {
    let names = new_names(work.plan, entries(source, family));
    let mut out = Map::new();
    for (key, value) in entries(source, family) {
        let labels = labels(work.plan, value.get("labels"));
        let mut volume = json!({ "name": names[key], "labels": labels });
        if let Some((options, whole)) = value.get("driver_opts").and_then(in_memory) {
            volume["driver"] = "local".into();
            volume["driver_opts"] = options;
            if !whole {
                let told =
                    format!("en mémoire, {} Mio au plus, options connues seulement", MOST_MEMORY >> 20);
                work.change(&[family, key, "driver_opts"], told);
            }
        }
        out.insert(key.clone(), volume);
        let project = work.approved.model().project();
        let real = value.get("name").and_then(scalar).unwrap_or_default();
        if real != format!("{project}_{key}") {
            work.change(&[family, key], format!("« {real} » prend un nom propre à cette correction"));
        }
    }
    out
}

/// Most that a volume held in memory may take, bytes.
const MOST_MEMORY: u64 = 256 << 20;

/// The options of a volume held in memory, its size bounded, and whether they mean all that was asked; nothing for a
/// volume on a disk.
fn in_memory(options: &Value) -> Option<(Value, bool)> {
    if options.get("type").and_then(scalar)? != "tmpfs" {
        return None;
    }
    let asked = options.get("o").and_then(scalar).unwrap_or_default();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut size = MOST_MEMORY;
    let mut kept = Vec::new();
    let mut whole = true;
    for option in asked.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("size", text)) => {
                let asked = limits::bytes(&text.into()).unwrap_or(u64::MAX);
                whole &= asked <= size;
                size = asked.min(size);
            }
            Some(("uid" | "gid" | "mode" | "nr_inodes", value)) if number(value) => kept.push(option),
            None if matches!(option, "noexec" | "nosuid" | "nodev") => kept.push(option),
            _ => whole = false,
        }
    }
    let size = format!("size={size}");
    kept.push(&size);
    Some((json!({ "type": "tmpfs", "device": "tmpfs", "o": kept.join(",") }), whole))
}

/// Name of the variable that holds a secret or config at start-up.
pub(super) fn variable(family: &str, index: usize) -> String {
    format!("TP_{}_{index}", family.to_uppercase())
}

/// Secrets and configs: a file of the copy, a content, or a variable of `.env`.
pub(super) fn granted(work: &Work<'_>, source: &Value, family: &str) -> Map<String, Value> {
    entries(source, family)
        .enumerate()
        .map(|(index, (key, value))| {
            let mut out = Map::new();
            out.insert("name".into(), format!("{}_{key}", work.plan.project).into());
            for field in ["file", "content", "environment"] {
                match value.get(field).filter(|v| !v.is_null()) {
                    Some(Value::String(path)) if field == "file" => {
                        let from = if family == "configs" { files::mounted } else { files::kept };
                        out.insert(field.into(), pins::source(work, path, from).into());
                    }
                    Some(_) if field == "environment" => {
                        out.insert(field.into(), variable(family, index).into());
                    }
                    Some(kept) => {
                        let mut kept = kept.clone();
                        if field == "content" {
                            translate::value(&mut kept, &work.moves);
                        }
                        out.insert(field.into(), kept);
                    }
                    None => {}
                }
            }
            (key.clone(), Value::Object(out))
        })
        .collect()
}

/// The student's labels, without those that look like ours, then ours.
pub(super) fn labels(plan: &Plan, own: Option<&Value>) -> Value {
    let mut out = Map::new();
    let spaces: Vec<&str> = plan.labels.keys().filter_map(|k| Some(k.rsplit_once('.')?.0)).collect();
    let ours = |key: &str| {
        key.starts_with("com.docker.compose.")
            || key.starts_with("tp-docker.")
            || spaces.iter().any(|s| key.strip_prefix(s).is_some_and(|rest| rest.starts_with('.')))
    };
    for (key, value) in own.and_then(Value::as_object).into_iter().flatten().filter(|(k, _)| !ours(k)) {
        out.insert(key.clone(), value.clone());
    }
    for (key, value) in &plan.labels {
        out.insert(key.clone(), value.replace('$', "$$").into());
    }
    Value::Object(out)
}
