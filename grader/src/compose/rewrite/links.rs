//! What a service is called on its networks.

use serde_json::{Map, Value, json};

use super::{Work, replicas, text};
use crate::compose::model::{entries, texts};

/// Names under which Docker would resolve the containers of a service besides its own name.
pub(super) fn container_names(work: &Work<'_>, name: &str, source: &Value) -> Vec<String> {
    match text(source, "container_name") {
        Some(own) => vec![own],
        None if replicas(source) <= 1 => vec![format!("{}-{name}-1", work.approved.model().project())],
        None => Vec::new(),
    }
}

/// `networks` of a service: aliases kept, container names added, addresses moved.
pub(super) fn networks(work: &mut Work<'_>, name: &str, source: &Value) -> Option<Value> {
    source.get("networks")?.as_object()?;
    let extra: Vec<String> = container_names(work, name, source).into_iter().filter(|n| n != name).collect();
    let mut out = Map::new();
    for (network, link) in entries(source, "networks") {
        let mut kept = link.as_object().cloned().unwrap_or_default();
        let mut aliases = texts(kept.get("aliases"));
        for alias in &extra {
            if !aliases.contains(alias) {
                aliases.push(alias.clone());
            }
        }
        if aliases.is_empty() {
            kept.remove("aliases");
        } else {
            let escaped: Vec<String> = aliases.iter().map(|a| a.replace('$', "$$")).collect();
            kept.insert("aliases".into(), json!(escaped));
        }
        for field in ["ipv4_address", "ipv6_address"] {
            let Some(old) = text(link, field) else {
                kept.remove(field);
                continue;
            };
            // Addresses may be written in several ways; the table has the canonical one.
            let key = old.parse::<std::net::IpAddr>().map_or(old.clone(), |a| a.to_string());
            let in_pool = work.networks.get(network).is_some_and(|n| n.subnet.is_some());
            match work.moved.get(&key).cloned() {
                Some(new) => {
                    let text = format!("adresse {old} déplacée vers {new}");
                    kept.insert(field.into(), new.into());
                    work.change(&["services", name, "networks", network, field], text);
                }
                None if field == "ipv4_address" && !in_pool => {
                    kept.remove(field);
                    work.change(
                        &["services", name, "networks", network, field],
                        format!("adresse {old} laissée au choix de Docker"),
                    );
                }
                None => {}
            }
        }
        out.insert(network.clone(), if kept.is_empty() { Value::Null } else { Value::Object(kept) });
    }
    if let Some(own) = text(source, "container_name") {
        work.change(
            &["services", name, "container_name"],
            format!("le conteneur prend un nom propre à cette correction ; « {own} » reste son nom sur ses réseaux"),
        );
    }
    Some(Value::Object(out))
}
