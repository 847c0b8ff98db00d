//! Top level, networks, volumes, secrets and configs.

use serde_json::Value;

use super::Verdict::{Allow, Check, Neutralise, Refuse};
use super::{Judge, Table, rule, short, table};
use crate::compose::model::{plain, scalar};

static TOP: Table = table(
    "root",
    &[
        rule("name", Allow),
        rule("version", Allow),
        rule("services", Check(|j, p, v| each(j, p, v, super::service::judge))),
        rule("networks", Check(|j, p, v| each(j, p, v, |j, p, v| j.object(p, v, &NETWORK)))),
        rule("volumes", Check(|j, p, v| each(j, p, v, |j, p, v| j.object(p, v, &VOLUME)))),
        rule("secrets", Check(|j, p, v| each(j, p, v, |j, p, v| j.object(p, v, &SECRET)))),
        rule("configs", Check(|j, p, v| each(j, p, v, |j, p, v| j.object(p, v, &SECRET)))),
        // Gone from the canonical model; judged by the gate before Compose reads it.
        rule("include", Neutralise("déjà pris en compte par Docker Compose")),
        rule("models", Refuse("host-program")),
        rule("jobs", Refuse("host-program")),
    ],
);

const FRESH: &str = "remplacé par un réseau neuf, propre à cette correction";
const FRESH_VOLUME: &str = "remplacé par un volume neuf et vide, propre à cette correction";

static NETWORK: Table = table(
    "network",
    &[
        rule("name", Allow),
        rule("driver", Check(driver)),
        rule("driver_opts", Check(|j, p, v| j.object(p, v, &NETWORK_OPTIONS))),
        rule("ipam", Check(|j, p, v| j.object(p, v, &IPAM))),
        rule("external", Neutralise(FRESH)),
        rule("internal", Allow),
        rule("attachable", Neutralise("sans effet hors d'un essaim (Swarm)")),
        rule("enable_ipv4", Allow),
        rule("enable_ipv6", Allow),
        rule("labels", Allow),
    ],
);

static NETWORK_OPTIONS: Table = table(
    "network.driver_opts",
    &[
        rule("com.docker.network.bridge.enable_icc", Allow),
        rule("com.docker.network.bridge.enable_ip_masquerade", Allow),
        rule("com.docker.network.driver.mtu", Allow),
        rule("com.docker.network.container_iface_prefix", Allow),
        rule(
            "com.docker.network.bridge.name",
            Neutralise("le nom de l'interface est propre à cette correction"),
        ),
        rule(
            "com.docker.network.bridge.host_binding_ipv4",
            Neutralise("les ports ne sont publiés que sur 127.0.0.1"),
        ),
        rule("com.docker.network.bridge.default_bridge", Refuse("network-option")),
    ],
);

static IPAM: Table = table(
    "network.ipam",
    &[
        rule("driver", Check(ipam_driver)),
        rule("config", Check(pools)),
        rule("options", Neutralise("les options du gestionnaire d'adresses ne servent pas ici")),
    ],
);

static POOL: Table = table(
    "network.ipam.config",
    &[rule("subnet", Allow), rule("gateway", Allow), rule("ip_range", Allow), rule("aux_addresses", Allow)],
);

static VOLUME: Table = table(
    "volume",
    &[
        rule("name", Allow),
        rule("driver", Check(volume_driver)),
        rule("driver_opts", Check(volume_options)),
        rule("external", Neutralise(FRESH_VOLUME)),
        rule("labels", Allow),
    ],
);

static SECRET: Table = table(
    "secret",
    &[
        rule("name", Allow),
        rule("file", Check(file)),
        rule("content", Allow),
        rule("environment", Allow),
        rule("labels", Allow),
        rule("external", Refuse("secret-external")),
        rule("driver", Refuse("secret-external")),
        rule("driver_opts", Refuse("secret-external")),
        rule("template_driver", Refuse("secret-external")),
    ],
);

/// Judges the whole model.
pub(super) fn judge(judge: &mut Judge<'_>) {
    let tree = judge.tree;
    if super::limits::judge(judge) {
        judge.object(&[], tree, &TOP);
    }
}

/// Applies `one` to each member of an object.
pub(super) fn each(
    judge: &mut Judge<'_>,
    path: &[&str],
    value: &Value,
    one: impl Fn(&mut Judge<'_>, &[&str], &Value),
) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let mut at = path.to_vec();
        at.push(name);
        one(judge, &at, member);
    }
}

fn driver(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    if !matches!(value.as_str(), None | Some("" | "bridge" | "default")) {
        judge.refuse("network-driver", path, &short(value));
    }
}

fn ipam_driver(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    if !matches!(value.as_str(), None | Some("" | "default")) {
        judge.refuse("network-driver", path, &short(value));
    }
}

fn pools(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (index, pool) in value.as_array().into_iter().flatten().enumerate() {
        let index = index.to_string();
        let mut at = path.to_vec();
        at.push(&index);
        judge.object(&at, pool, &POOL);
    }
}

fn volume_driver(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    if !matches!(value.as_str(), None | Some("" | "local")) {
        judge.refuse("volume-driver", path, &short(value));
    }
}

/// Memory in place of a disk is kept: what it holds does not outlive its containers.
fn volume_options(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let text = |key: &str| value.get(key).and_then(scalar).unwrap_or_default();
    let known = ["size", "uid", "gid", "mode", "nr_inodes", "noexec", "nosuid", "nodev"];
    let plain = text("type") == "tmpfs"
        && matches!(text("device").as_str(), "" | "tmpfs" | "none")
        && text("o").split(',').all(|o| o.is_empty() || known.contains(&o.split('=').next().unwrap_or(o)))
        && value.as_object().is_some_and(|v| v.keys().all(|k| matches!(k.as_str(), "type" | "device" | "o")));
    if !plain && !super::is_empty(value) {
        judge.refuse("volume-driver", path, &short(value));
    }
}

fn file(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let text = plain(value.as_str().unwrap_or_default());
    if super::paths::outside(judge.model, &text) {
        let shown = super::paths::shown(judge.model, &text);
        judge.refuse("file-outside", path, &shown);
    }
}

/// Tables of this file, by section of the schema.
pub(super) static TABLES: &[(&str, &Table)] = &[
    ("root", &TOP),
    ("network", &NETWORK),
    ("network.driver_opts", &NETWORK_OPTIONS),
    ("network.ipam", &IPAM),
    ("network.ipam.config", &POOL),
    ("volume", &VOLUME),
    ("secret", &SECRET),
    ("config", &SECRET),
];
