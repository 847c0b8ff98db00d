//! Service keys whose verdict depends on their value.

use std::path::Path;

use serde_json::Value;

use super::Verdict::{Allow, Check, Neutralise, Refuse};
use super::paths::{is_engine_socket, outside, shown, through_left_out};
use super::{Judge, Rule, rule, short};
use crate::compose::gate::{RANGE, clean};
use crate::compose::grants;
use crate::compose::model::{entries, plain, scalar, texts};

/// Capabilities that stay inside a container.
const CAPABILITIES: [&str; 7] =
    ["NET_BIND_SERVICE", "CHOWN", "SETUID", "SETGID", "DAC_OVERRIDE", "FOWNER", "KILL"];

/// Judges each object of a list.
pub(super) fn items(judge: &mut Judge<'_>, path: &[&str], value: &Value, table: &[Rule]) {
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        let index = index.to_string();
        let mut at = path.to_vec();
        at.push(&index);
        judge.object(&at, item, table);
    }
}

/// Accepts these values and nothing else.
pub(super) fn only(judge: &mut Judge<'_>, path: &[&str], value: &Value, accepted: &[&str], id: &str) {
    if !matches!(value.as_str(), None | Some("")) && !accepted.contains(&value.as_str().unwrap_or_default()) {
        judge.refuse(id, path, &short(value));
    }
}

pub(super) fn cap_add(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (index, name) in texts(Some(value)).iter().enumerate() {
        let upper = name.to_ascii_uppercase();
        if !CAPABILITIES.contains(&upper.trim_start_matches("CAP_")) {
            judge.refuse_item("cap-add", path, index, &[name], name);
        }
    }
}

pub(super) fn security_opt(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (index, option) in texts(Some(value)).iter().enumerate() {
        if !matches!(option.replace('=', ":").as_str(), "no-new-privileges" | "no-new-privileges:true") {
            judge.refuse_item("security-opt", path, index, &[option], option);
        }
    }
}

pub(super) fn network_mode(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let mode = value.as_str().unwrap_or_default();
    match mode {
        "" | "bridge" | "none" | "default" => {}
        "host" => judge.refuse("network-mode-host", path, mode),
        _ if mode.starts_with("service:") => {}
        _ => judge.refuse("network-mode-container", path, mode),
    }
}

pub(super) fn ipc(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let mode = value.as_str().unwrap_or_default();
    if !matches!(mode, "" | "none" | "private" | "shareable") && !mode.starts_with("service:") {
        judge.refuse("namespace-host", path, mode);
    }
}

pub(super) fn sysctls(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (name, _) in value.as_object().into_iter().flatten() {
        if !name.starts_with("net.") {
            let mut at = path.to_vec();
            at.push(name);
            judge.refuse("sysctl", &at, name);
        }
    }
}

/// An engine reached through the network is refused, unless it is a service of the same file.
pub(super) fn environment(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let Some(address) = value.get("DOCKER_HOST").and_then(scalar) else { return };
    let Some((scheme, rest)) = address.split_once("://").filter(|(scheme, _)| *scheme != "unix") else {
        return;
    };
    let end = rest.find([':', '/', '?']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    let ours = entries(judge.tree, "services").any(|(name, service)| {
        let named = |key: &str| service.get(key).and_then(scalar).is_some_and(|own| own == host);
        let aliases = entries(service, "networks").flat_map(|(_, link)| texts(link.get("aliases")));
        name == host || named("container_name") || named("hostname") || aliases.into_iter().any(|a| a == host)
    });
    if scheme == "npipe" || scheme == "ssh" || !ours {
        let mut at = path.to_vec();
        at.push("DOCKER_HOST");
        judge.refuse("docker-host", &at, &address);
    }
}

pub(super) fn extra_hosts(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let mut lines: Vec<String> = texts(Some(value));
    for (name, address) in value.as_object().into_iter().flatten() {
        lines.extend(texts(Some(address)).iter().map(|a| format!("{name}={a}")));
    }
    for (index, line) in lines.iter().enumerate() {
        if line.contains("host-gateway") {
            let name = line.split(['=', ':']).next().unwrap_or_default();
            judge.refuse_item("host-gateway", path, index, &[name], line);
        }
    }
}

const PORT: &[Rule] = &[
    rule("mode", Allow),
    rule("target", Allow),
    rule("published", Allow),
    rule("host_ip", Allow),
    rule("protocol", Allow),
    rule("app_protocol", Allow),
    rule("name", Allow),
];

pub(super) fn ports(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let count = value.as_array().map_or(0, Vec::len);
    if count > RANGE as usize {
        judge.refuse("ports-many", path, &count.to_string());
    }
    items(judge, path, value, PORT);
}

const HOOK: &[Rule] = &[
    rule("command", Allow),
    rule("user", Allow),
    rule("working_dir", Allow),
    rule("environment", Allow),
    rule("privileged", Refuse("hook-privileged")),
];

pub(super) fn hooks(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    items(judge, path, value, HOOK);
}

pub(super) fn volumes_from(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (index, line) in texts(Some(value)).iter().enumerate() {
        if line.starts_with("container:") {
            judge.refuse_item("volumes-from", path, index, &[line], line);
        }
    }
}

const MOUNT: &[Rule] = &[
    rule("type", Check(|j, p, v| only(j, p, v, &["bind", "volume", "tmpfs"], "mount-type"))),
    // Judged with the type, by `volumes`.
    rule("source", Allow),
    rule("target", Allow),
    rule("read_only", Allow),
    rule("consistency", Neutralise("ne sert que sous macOS")),
    rule("bind", Check(|j, p, v| j.object(p, v, BIND))),
    rule("volume", Check(|j, p, v| j.object(p, v, NAMED))),
    rule("tmpfs", Check(|j, p, v| j.object(p, v, TMPFS))),
    rule("image", Refuse("mount-type")),
    rule("cluster", Refuse("mount-type")),
];

/// A mount that something stands in for: only its target and its way are kept.
const STAND_IN: &[Rule] = &[
    rule("type", Allow),
    rule("source", Allow),
    rule("target", Allow),
    rule("read_only", Allow),
    rule("consistency", Allow),
    rule("bind", Allow),
];

const BIND: &[Rule] = &[
    rule("create_host_path", Allow),
    rule("selinux", Neutralise("étiquette SELinux de la machine")),
    rule("propagation", Check(|j, p, v| only(j, p, v, &["private", "rprivate"], "mount-propagation"))),
    rule("recursive", Allow),
];

const NAMED: &[Rule] = &[rule("nocopy", Allow), rule("subpath", Allow), rule("labels", Allow)];
const TMPFS: &[Rule] = &[rule("size", Allow), rule("mode", Allow)];

pub(super) fn volumes(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (index, mount) in value.as_array().into_iter().flatten().enumerate() {
        let number = index.to_string();
        let mut at = path.to_vec();
        at.push(&number);
        let service = path.get(1).and_then(|name| judge.tree.get("services")?.get(name));
        if service.is_some_and(|service| grants::grant(judge.model, service, mount).is_some()) {
            // Replaced by the rewrite, whatever its options.
            judge.object(&at, mount, STAND_IN);
            continue;
        }
        judge.object(&at, mount, MOUNT);
        let Some(source) = mount.get("source").and_then(Value::as_str).map(plain) else { continue };
        if mount.get("type").and_then(Value::as_str) != Some("bind") {
            continue;
        }
        let cleaned = clean(Path::new(&source));
        let shown = shown(judge.model, &source);
        let dotted = format!("./{shown}");
        let needles = [source.as_str(), dotted.as_str(), shown.as_str()];
        if is_engine_socket(&cleaned) {
            judge.refuse_item("docker-sock", path, index, &needles, &source);
        } else if cleaned.starts_with(&judge.model.root) && through_left_out(judge.model, &cleaned) {
            judge.refuse_item("bind-symlink", path, index, &needles, &shown);
        } else if outside(judge.model, &source) {
            judge.refuse_item("bind-outside", path, index, &needles, &shown);
        }
    }
}
