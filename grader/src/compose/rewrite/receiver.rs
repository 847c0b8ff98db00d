//! The receiver of the run, in the place of the student's own: what it was sent cannot be made up.

use serde_json::{Value, json};

use super::{Work, labels};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Service whose place is taken.
    pub service: String,
    /// Port on which it listens.
    pub port: u16,
    /// Image of the probe.
    pub image: String,
}

/// Takes the place of the service; `false` (and nothing changed) when there is none of that name.
pub(super) fn install(work: &mut Work<'_>, file: &mut Value, receiver: &Receiver) -> bool {
    let name = &receiver.service;
    let Some(service) = file.get("services").and_then(|all| all.get(name)) else { return false };
    if service.get("network_mode").is_some_and(|mode| !mode.is_null()) {
        return false;
    }
    let mut ours = json!({
        "image": receiver.image,
        "pull_policy": "never",
        "command": ["receive", "--listen", format!("0.0.0.0:{}", receiver.port)],
        "labels": labels(work.plan, None),
        "logging": { "driver": "local", "options": { "max-size": "5m" } },
        "mem_limit": (64u64 << 20).to_string(),
        "pids_limit": 64,
    });
    if let Some(networks) = service.get("networks") {
        ours["networks"] = networks.clone();
    }
    file["services"][name] = ours;
    let others = file.get_mut("services").and_then(Value::as_object_mut);
    for wait in others.into_iter().flat_map(|all| all.values_mut()).filter_map(|s| s.get_mut("depends_on")) {
        // Ours has no health check.
        if let Some(condition) = wait.get_mut(name).and_then(|one| one.get_mut("condition")) {
            *condition = "service_started".into();
        }
    }
    work.change(&["services", name], format!("« {name} » est remplacé par le récepteur du correcteur"));
    true
}
