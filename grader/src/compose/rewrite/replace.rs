//! From the model of a stack that runs to the next one of the same folder: who must make place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::SandboxedModel;
use super::memory::memories;
use crate::compose::model::{entries, scalar};

impl SandboxedModel {
    /// The services of this model and of `next` that cannot stay as they run: those that differ, those
    /// of `also`, and whoever lives in, shares a volume with, was started after, or may remember one of
    /// them. `None` when the stack must begin again whole: Compose changes no network in place, and the
    /// filtered engine is bound to what it shows.
    pub fn replaced_by(&self, next: &Self, also: &BTreeSet<String>) -> Option<BTreeSet<String>> {
        let same_ground = self.file["networks"] == next.file["networks"] && self.engine == next.engine;
        same_ground.then(|| {
            let env = self.environment == next.environment;
            let both = || [self, next].into_iter();
            let ties = Ties {
                bound: both().flat_map(|m| bound(&m.file)).collect(),
                after: both().flat_map(|m| after(&m.file)).collect(),
                memory: both().flat_map(memories).collect(),
            };
            replaced(&self.file, &next.file, env, also, &ties)
        })
    }

    /// Real names of the named volumes of these services.
    pub fn volumes_of(&self, services: &BTreeSet<String>) -> BTreeSet<String> {
        let all = volumes(&self.file);
        let used = services.iter().filter_map(|s| all.get(s)).flatten();
        used.filter_map(|key| {
            let volume = &self.file["volumes"][key];
            volume.get("external").is_none().then(|| scalar(volume.get("name")?)).flatten()
        })
        .collect()
    }
}

/// Who goes with whom.
type Tie = (String, String);

/// Why services go with others.
struct Ties {
    /// They live in them, or share a volume with them.
    bound: Vec<Tie>,
    /// They were started after them.
    after: Vec<Tie>,
    /// They may remember them.
    memory: Vec<Tie>,
}

fn replaced(old: &Value, new: &Value, env: bool, also: &BTreeSet<String>, ties: &Ties) -> BTreeSet<String> {
    // The service itself does not say what is in a configuration or in a secret.
    let differ: Vec<&str> =
        ["configs", "secrets"].into_iter().filter(|f| !env || old[*f] != new[*f]).collect();
    let names: BTreeSet<&String> =
        [old, new].into_iter().flat_map(|f| entries(f, "services")).map(|(n, _)| n).collect();
    let found: BTreeSet<String> = names
        .iter()
        .filter(|name| {
            let (a, b) = (&old["services"][name.as_str()], &new["services"][name.as_str()]);
            a != b || also.contains(**name) || differ.iter().any(|family| b.get(*family).is_some())
        })
        .map(|name| (*name).clone())
        .collect();
    let mut found = closed(found, &[&ties.bound, &ties.after]);
    // Who begins again only to forget is what it was: nobody needs to forget it in turn.
    let forgetful = ties.memory.iter().filter(|(_, on)| found.contains(on)).map(|(who, _)| who.clone());
    let forgetful: BTreeSet<String> = forgetful.collect();
    found.extend(forgetful);
    closed(found, &[&ties.bound])
}

/// `found` with all who go with one of them.
fn closed(mut found: BTreeSet<String>, ties: &[&Vec<Tie>]) -> BTreeSet<String> {
    loop {
        let more: Vec<String> = ties
            .iter()
            .flat_map(|ties| ties.iter())
            .filter(|(who, on)| found.contains(on) && !found.contains(who))
            .map(|(who, _)| who.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// Who lives in whom or shares a volume with whom.
fn bound(file: &Value) -> Vec<Tie> {
    let mut out = Vec::new();
    for (name, service) in entries(file, "services") {
        let inside = ["network_mode", "ipc", "pid"].into_iter().filter_map(|key| service.get(key)?.as_str());
        let from = service.get("volumes_from").and_then(Value::as_array).into_iter().flatten();
        let from = from.filter_map(|v| v.as_str()?.split(':').next());
        let on = inside.filter_map(|mode| mode.strip_prefix("service:")).chain(from);
        out.extend(on.map(|on| (name.clone(), on.to_owned())));
    }
    let shared = volumes(file);
    for (name, keys) in &shared {
        let with = shared.iter().filter(|(other, theirs)| *other != name && !keys.is_disjoint(theirs));
        out.extend(with.map(|(other, _)| (name.clone(), other.clone())));
    }
    out
}

/// Who was started after whom.
fn after(file: &Value) -> Vec<Tie> {
    let of = |(name, service): (&String, &Value)| -> Vec<Tie> {
        entries(service, "depends_on").map(|(on, _)| (name.clone(), on.clone())).collect()
    };
    entries(file, "services").flat_map(of).collect()
}

/// Keys of the named volumes of each service, those of ours left out.
fn volumes(file: &Value) -> BTreeMap<String, BTreeSet<String>> {
    entries(file, "services")
        .map(|(name, service)| {
            let mounts = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
            let keys = mounts
                .filter(|m| m.get("type").and_then(Value::as_str) == Some("volume"))
                .filter_map(|m| m.get("source")?.as_str())
                .filter(|key| file["volumes"][*key].get("external").is_none());
            (name.clone(), keys.map(str::to_owned).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn stack() -> Value {
        let data = json!([{ "type": "volume", "source": "data", "target": "/d" }]);
        json!({
            "services": {
                "db": { "image": "a", "volumes": data },
                "backup": { "image": "b", "volumes": data },
                "api": { "image": "c", "labels": { "x": "1" }, "depends_on": { "db": {} } },
                "sidecar": { "image": "d", "network_mode": "service:api" },
                "proxy": { "image": "f" },
                "watcher": { "image": "g" },
                "web": { "image": "e", "secrets": [{ "source": "pw" }] },
            },
            "volumes": { "data": { "name": "tp_data" } },
            "secrets": { "pw": { "file": "/1" } },
        })
    }

    fn replaced(old: &Value, new: &Value, env: bool, also: &BTreeSet<String>) -> BTreeSet<String> {
        let ties = Ties {
            bound: [bound(old), bound(new)].concat(),
            after: [after(old), after(new)].concat(),
            memory: vec![("proxy".into(), "api".into()), ("watcher".into(), "proxy".into())],
        };
        super::replaced(old, new, env, also, &ties)
    }

    #[test]
    fn a_label_replaces_its_service_who_lives_in_it_and_who_may_remember_it() {
        let mut new = stack();
        new["services"]["api"]["labels"]["x"] = json!("2");
        assert_eq!(replaced(&stack(), &new, true, &set(&[])), set(&["api", "proxy", "sidecar"]));
        assert_eq!(replaced(&stack(), &stack(), true, &set(&[])), set(&[]));
        assert_eq!(replaced(&stack(), &stack(), true, &set(&["web"])), set(&["web"]));
    }

    #[test]
    fn what_shares_a_volume_or_waits_for_it_goes_with_it() {
        let mut new = stack();
        new["services"]["backup"]["image"] = json!("b2");
        let gone = set(&["api", "backup", "db", "proxy", "sidecar"]);
        assert_eq!(replaced(&stack(), &new, true, &set(&[])), gone);
    }

    #[test]
    fn added_removed_and_secrets() {
        let mut new = stack();
        new["services"]["new"] = json!({ "image": "f" });
        new["services"].as_object_mut().expect("object").remove("sidecar");
        new["secrets"]["pw"]["file"] = json!("/2");
        assert_eq!(replaced(&stack(), &new, true, &set(&[])), set(&["new", "sidecar", "web"]));
        assert_eq!(replaced(&stack(), &stack(), false, &set(&[])), set(&["web"]));
    }
}
