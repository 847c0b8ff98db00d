//! What is mounted from within a folder that a container may write to: the container could put a
//! link in its place, which the engine would follow when it mounts it (again). It is mounted there
//! too, so that it cannot be renamed nor removed.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::Work;
use crate::compose::gate::clean;
use crate::compose::grants::grant;
use crate::compose::model::{entries, plain};
use crate::compose::policy::real;
use crate::compose::rewrite::files;

/// Every path of the submission that is mounted somewhere, links followed.
pub(super) fn all(work: &Work<'_>, source: &Value) -> BTreeSet<PathBuf> {
    let model = work.approved.model();
    let mut pins: Vec<String> = Vec::new();
    for (_, service) in entries(source, "services") {
        for mount in service.get("volumes").and_then(Value::as_array).into_iter().flatten() {
            let bind = mount.get("type").and_then(Value::as_str) == Some("bind");
            if bind && grant(model, service, mount).is_none() {
                pins.extend(mount.get("source").and_then(Value::as_str).map(plain));
            }
        }
    }
    for family in ["secrets", "configs"] {
        let files = entries(source, family).filter_map(|(_, v)| v.get("file").and_then(Value::as_str));
        pins.extend(files.map(plain));
    }
    let inside = |path: &PathBuf| path.starts_with(model.root());
    pins.iter().filter_map(|path| real(&clean(Path::new(path)))).filter(inside).collect()
}

/// Where the engine finds a path of the submission: where it is mounted `from`, or the path without
/// links.
pub(super) fn source(work: &Work<'_>, written: &str, from: fn(&Work<'_>, &Path) -> PathBuf) -> String {
    let path = clean(Path::new(&plain(written)));
    settled(&path, from(work, &path)).to_string_lossy().replace('$', "$$")
}

/// What a path is `mapped` to, without links when that is itself.
pub(super) fn settled(path: &Path, mapped: PathBuf) -> PathBuf {
    if mapped == path { real(path).unwrap_or(mapped) } else { mapped }
}

/// Adds to the mounts of a service those that hold in place what others mount from below.
pub(super) fn hold(work: &mut Work<'_>, name: &str, written: &[Value], mounts: &mut Vec<Value>) {
    let mut held = false;
    for mount in written {
        let text = |key: &str| mount.get(key).and_then(Value::as_str).map(plain);
        let writable = mount.get("read_only").and_then(Value::as_bool) != Some(true);
        let (Some(outer), Some(target), true) = (text("source"), text("target"), writable) else { continue };
        let Some(outer) = real(&clean(Path::new(&outer))) else { continue };
        for pin in &work.pins {
            let Ok(below) = pin.strip_prefix(&outer) else { continue };
            let mut at = PathBuf::new();
            for part in below.components().filter(|part| matches!(part, Component::Normal(_))) {
                at.push(part);
                let there = Path::new(&target).join(&at).to_string_lossy().replace('$', "$$");
                if mounts.iter().any(|m| m["target"] == there.as_str()) {
                    continue;
                }
                let inner = outer.join(&at);
                let mapped = files::mounted(work, &inner);
                let from = if mapped == inner { files::mounted(work, &outer).join(&at) } else { mapped };
                mounts.push(json!({
                    "type": "bind", "source": from.to_string_lossy().replace('$', "$$"), "target": there,
                    "bind": { "create_host_path": true },
                }));
                held = true;
            }
        }
    }
    if held {
        work.change(
            &["services", name, "volumes"],
            "ce qu'un autre montage prend dans ce dossier y est retenu : on ne peut pas le remplacer par un lien",
        );
    }
}
