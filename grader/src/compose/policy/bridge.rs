//! The engine's own bridge is shared with the containers of everybody: a network of the run
//! stands in for it.

use serde_json::{Value, json};

use crate::event::Change;

/// Key of that network.
pub(super) const NETWORK: &str = "tp_bridge";

/// Puts the services that ask for the engine's bridge on a network of their own.
pub(super) fn stand_in(project: &str, clean: &mut Value, changes: &mut Vec<Change>) {
    let mut moved = Vec::new();
    for (name, service) in clean.get_mut("services").and_then(Value::as_object_mut).into_iter().flatten() {
        let mode = service.get("network_mode").and_then(Value::as_str);
        if !matches!(mode, Some("bridge" | "default")) {
            continue;
        }
        let Some(members) = service.as_object_mut() else { continue };
        members.shift_remove("network_mode");
        members.insert("networks".into(), json!({ NETWORK: null }));
        moved.push(name.clone());
    }
    if moved.is_empty() {
        return;
    }
    if !clean["networks"].is_object() {
        clean["networks"] = json!({});
    }
    clean["networks"][NETWORK] = json!({ "name": format!("{project}_{NETWORK}") });
    changes.extend(moved.into_iter().map(|name| {
        Change {
            path: format!("services.{name}.network_mode"),
            text:
                "le réseau « bridge » de Docker, commun à toute la machine, est remplacé par un réseau neuf"
                    .into(),
        }
    }));
}
