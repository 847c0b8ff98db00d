//! What npm installed in an image, against the lock file that was handed in.

use std::time::Duration;

use serde_json::Value;

use super::deep::Exec;
use super::no_dev::roots;
use super::world::World;
use super::{kit, tell};
use crate::error::Fault;

/// How long the service may take to run: this is looked at while the stack comes up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Folders where npm puts what is installed for the whole machine.
pub const GLOBAL: [&str; 2] = ["/usr/local/lib", "/usr/lib"];

/// Folders looked at, at most.
const MOST_FOLDERS: usize = 20;

fn version(entry: &Value) -> Option<&str> {
    entry.get("version").and_then(Value::as_str)
}

/// Packages that are not those of the lock file, each told in French. Those that are left out
/// (development, other platforms) are not looked for.
pub fn differences(lock: &Value, installed: &Value) -> Vec<String> {
    let packages = |value: &Value| value.get("packages").and_then(Value::as_object).cloned();
    let (Some(wanted), Some(seen)) = (packages(lock), packages(installed)) else { return Vec::new() };
    let name = |path: &str| tell::cut(path.rsplit("node_modules/").next().unwrap_or(path), 60);
    let mut found = Vec::new();
    for (path, entry) in &seen {
        let linked = entry.get("link").and_then(Value::as_bool) == Some(true);
        if linked || !path.contains("node_modules/") {
            continue;
        }
        match (wanted.get(path), version(entry)) {
            (None, Some(version)) => found.push(format!("{} {version}, absent du verrou", name(path))),
            (Some(locked), Some(seen)) => {
                if let Some(locked) = version(locked).filter(|locked| *locked != seen) {
                    found.push(format!("{} {seen} au lieu de {locked}", name(path)));
                }
            }
            _ => {}
        }
    }
    found
}

/// Folders of the running container that hold a `node_modules`, those for the whole machine left out: the working
/// directory and its parents first, then what `find` finds in the image, when it has that program.
pub async fn folders(world: &dyn World, service: &str, working_dir: &str) -> Result<Vec<String>, Fault> {
    let mut found = roots(working_dir);
    let search = ["find", "/", "-xdev", "-type", "d", "-name", "node_modules", "-prune"];
    let told = world.exec(&kit::inside(service), Exec::new(&search)).await.map(|done| done.out);
    for line in String::from_utf8_lossy(&told.unwrap_or_default()).lines().take(MOST_FOLDERS) {
        let Some(root) = line.trim_end().strip_suffix("/node_modules") else { continue };
        if !GLOBAL.contains(&root) && !found.iter().any(|known| known == root) {
            found.push(root.to_owned());
        }
    }
    Ok(found)
}

/// npm's own lists of what it installed anywhere else than for the whole machine.
pub async fn lists(world: &dyn World, service: &str) -> Result<Vec<Value>, Fault> {
    let running = kit::settled(world, service, PATIENCE).await?;
    let Some(instance) = running.first() else { return Ok(Vec::new()) };
    let mut lists = Vec::new();
    for root in folders(world, service, &instance.working_dir).await? {
        let path = format!("{root}/node_modules/.package-lock.json");
        if let Some(text) = world.read_inside(service, &path).await? {
            lists.extend(serde_json::from_str::<Value>(&text));
        }
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs() {
        let lock = json!({"packages": {
            "": {"version": "1.0.0"},
            "node_modules/express": {"version": "4.19.2"},
            "node_modules/a/node_modules/b": {"version": "1.0.0"},
            "node_modules/nodemon": {"version": "3.0.0", "dev": true},
            "node_modules/local": {"link": true, "resolved": "local"},
        }});
        let same = json!({"packages": {
            "node_modules/express": {"version": "4.19.2"},
            "node_modules/a/node_modules/b": {"version": "1.0.0"},
            "node_modules/local": {"link": true, "resolved": "local"},
            "local": {"version": "9.9.9"},
        }});
        assert_eq!(differences(&lock, &same), Vec::<String>::new());
        let other = json!({"packages": {
            "node_modules/express": {"version": "4.21.0"},
            "node_modules/a/node_modules/b": {"version": "1.0.0"},
            "node_modules/pino": {"version": "9.0.0"},
        }});
        assert_eq!(
            differences(&lock, &other),
            ["express 4.21.0 au lieu de 4.19.2", "pino 9.0.0, absent du verrou"]
        );
        assert!(differences(&json!({}), &other).is_empty());
    }
}
