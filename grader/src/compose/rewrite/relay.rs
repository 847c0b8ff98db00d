//! A relay in front of a service, which answers in its place on its networks.

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::{SandboxedNetwork, Work, labels, nets};
use crate::compose::model::{entries, texts};

/// Private network of the relay and its service.
const NETWORK: &str = "tp_relay";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Service to hide behind the relay.
    pub service: String,
    /// Image of the relay.
    pub image: String,
    /// Years by which it shifts the dates that go through.
    pub shift_years: i32,
}

/// The relay as installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayTruth {
    /// The student's service.
    pub behind: String,
    /// Our service.
    pub service: String,
    /// Key of the private network.
    pub network: String,
    /// Years of shift.
    pub shift_years: i32,
}

/// Puts the relay in place; `None` (and nothing changed) when it cannot be.
pub(super) fn install(work: &mut Work<'_>, file: &mut Value, relay: &Relay) -> Option<RelayTruth> {
    let name = &relay.service;
    let front = format!("tp-relay-{name}");
    let upstream = format!("tp-upstream-{name}");
    let service = file.get("services")?.get(name)?;
    let shared = format!("service:{name}");
    let sharing = |key: &str, value: &Value| value.get(key).and_then(Value::as_str) == Some(shared.as_str());
    let networks = service.get("networks").and_then(Value::as_object).filter(|n| !n.is_empty())?.clone();
    let taken = file["services"].get(&front).is_some() || file["networks"].get(NETWORK).is_some();
    if taken || entries(file, "services").any(|(_, v)| sharing("network_mode", v)) {
        return None;
    }
    let internal = networks.keys().all(|key| file["networks"][key]["internal"].as_bool() == Some(true));
    let subnet = nets::take(work, 2, None);
    file["networks"][NETWORK] = network(work, subnet, internal);
    work.networks.insert(
        NETWORK.to_owned(),
        SandboxedNetwork {
            name: format!("{}_{NETWORK}", work.plan.project),
            declared_subnets: Vec::new(),
            subnet,
        },
    );
    let mut links = Map::new();
    for (key, link) in networks {
        let mut link = link.as_object().cloned().unwrap_or_default();
        let mut aliases = vec![name.clone()];
        aliases.extend(texts(link.get("aliases")));
        let escaped: Vec<String> = aliases.iter().map(|a| a.replace('$', "$$")).collect();
        link.insert("aliases".into(), json!(escaped));
        links.insert(key, Value::Object(link));
    }
    links.insert(NETWORK.into(), Value::Null);
    let command = [
        "relay",
        "--listen",
        "0.0.0.0:5432",
        "--upstream",
        &format!("{upstream}:5432"),
        "--shift-years",
        &relay.shift_years.to_string(),
    ];
    file["services"][&front] = json!({
        "image": relay.image,
        "pull_policy": "never",
        "command": command,
        "labels": labels(work.plan, None),
        "logging": { "driver": "local", "options": { "max-size": "5m" } },
        "networks": links,
        "mem_limit": (64u64 << 20).to_string(),
        "pids_limit": 64,
    });
    let behind = &mut file["services"][name];
    behind["networks"] = json!({ NETWORK: { "aliases": [upstream] } });
    follow(file, name, &front);
    work.change(
        &["services", name, "networks"],
        "« ".to_owned()
            + name
            + " » passe derrière un relais du correcteur, qui répond à sa place sur ses réseaux",
    );
    Some(RelayTruth {
        behind: name.clone(),
        service: front,
        network: NETWORK.to_owned(),
        shift_years: relay.shift_years,
    })
}

fn network(work: &Work<'_>, subnet: Option<Ipv4Net>, internal: bool) -> Value {
    let mut out = json!({
        "name": format!("{}_{NETWORK}", work.plan.project),
        "labels": labels(work.plan, None),
    });
    if let Some(subnet) = subnet {
        out["ipam"] = json!({ "config": [{ "subnet": subnet.to_string() }] });
    }
    if internal {
        out["internal"] = true.into();
    }
    out
}

/// Who waits for the service also waits for the relay to run; links go to the relay.
fn follow(file: &mut Value, name: &str, front: &str) {
    let Some(services) = file.get_mut("services").and_then(Value::as_object_mut) else { return };
    for (other, value) in services.iter_mut() {
        if other == front || other == name {
            continue;
        }
        if let Some(waits) = value.get_mut("depends_on").and_then(Value::as_object_mut)
            && waits.contains_key(name)
        {
            waits.insert(front.to_owned(), json!({ "condition": "service_started", "required": true }));
        }
        let Some(links) = value.get_mut("links").and_then(Value::as_array_mut) else { continue };
        for link in links {
            let Some(written) = link.as_str() else { continue };
            let (target, alias) = written.split_once(':').unwrap_or((written, written));
            if target == name {
                *link = format!("{front}:{alias}").into();
            }
        }
    }
}
