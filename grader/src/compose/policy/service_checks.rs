//! Service keys whose verdict depends on their value.

use std::path::Path;

use serde_json::Value;

use super::Verdict::{Allow, Check, Neutralise, Refuse};
use super::paths::{is_engine_socket, outside, shown, through_left_out};
use super::{Judge, Table, rule, short, table};
use crate::compose::gate::{RANGE, clean};
use crate::compose::grants;
use crate::compose::model::{entries, plain, scalar, texts};

/// Capabilities that Docker gives by itself, the one to keep memory from being swapped, and one
/// that the rewrite takes out.
const CAPABILITIES: [&str; 16] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
    crate::compose::rewrite::PRIORITY,
];

/// Settings of the kernel that each container has for itself, besides those of `net.`.
const SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Judges each object of a list.
pub(super) fn items(judge: &mut Judge<'_>, path: &[&str], value: &Value, table: &Table) {
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
        if !matches!(
            option.replace('=', ":").as_str(),
            "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges:false"
        ) {
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
        let own = name.starts_with("net.") || name.starts_with("fs.mqueue.");
        if !own && !SYSCTLS.contains(&name.as_str()) {
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

static PORT: Table = table(
    "service.ports",
    &[
        rule("mode", Allow),
        rule("target", Allow),
        rule("published", Allow),
        rule("host_ip", Allow),
        rule("protocol", Allow),
        rule("app_protocol", Allow),
        rule("name", Allow),
    ],
);

pub(super) fn ports(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let count = value.as_array().map_or(0, Vec::len);
    if count > RANGE as usize {
        judge.refuse("ports-many", path, &count.to_string());
    }
    items(judge, path, value, &PORT);
}

static HOOK: Table = table(
    "service.post_start",
    &[
        rule("command", Allow),
        rule("user", Allow),
        rule("working_dir", Allow),
        rule("environment", Allow),
        rule("privileged", Refuse("hook-privileged")),
    ],
);

pub(super) fn hooks(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    items(judge, path, value, &HOOK);
}

pub(super) fn volumes_from(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (index, line) in texts(Some(value)).iter().enumerate() {
        if line.starts_with("container:") {
            judge.refuse_item("volumes-from", path, index, &[line], line);
            continue;
        }
        let other = line.split(':').next().unwrap_or_default();
        let lends = judge.tree.get("services").and_then(|all| all.get(other));
        if lends.is_some_and(|service| grants::is_lent_counters(judge.model, service)) {
            judge.refuse_item("volumes-from-monitor", path, index, &[line], other);
        }
    }
}

/// Limits that a process of the container may raise against the rest of the machine.
static ULIMITS: Table = table(
    "service.ulimits",
    &[
        rule("as", Allow),
        rule("core", Allow),
        rule("cpu", Allow),
        rule("data", Allow),
        rule("fsize", Allow),
        rule("locks", Allow),
        rule("memlock", Allow),
        rule("msgqueue", Allow),
        rule("nofile", Allow),
        rule("nproc", Allow),
        rule("rss", Allow),
        rule("sigpending", Allow),
        rule("stack", Allow),
        rule("nice", Neutralise("priorité sur les autres programmes de la machine")),
        rule("rtprio", Neutralise("priorité sur les autres programmes de la machine")),
        rule("rttime", Neutralise("priorité sur les autres programmes de la machine")),
    ],
);

static LIMIT: Table = table("service.ulimits.nofile", &[rule("soft", Allow), rule("hard", Allow)]);

pub(super) fn ulimits(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    judge.object(path, value, &ULIMITS);
    let pairs = value.as_object().into_iter().flatten().filter(|(_, limit)| limit.is_object());
    for (name, limit) in pairs {
        let mut at = path.to_vec();
        at.push(name);
        judge.object(&at, limit, &LIMIT);
    }
}

/// An image that only this machine knows is somebody else's.
pub(super) fn image(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    let image = scalar(value).unwrap_or_default();
    let service = path.get(1).and_then(|name| judge.tree.get("services")?.get(name));
    let built = service.is_some_and(|s| s.get("build").is_some_and(|b| !b.is_null()));
    if !built && judge.model.builder_of(&image).is_none() && super::images::is_local(&image) {
        judge.refuse("image-local", path, &image);
    }
}

static MOUNT: Table = table(
    "service.volumes",
    &[
        rule("type", Check(|j, p, v| only(j, p, v, &["bind", "volume", "tmpfs"], "mount-type"))),
        // Judged with the type, by `volumes`.
        rule("source", Allow),
        rule("target", Allow),
        rule("read_only", Allow),
        rule("consistency", Neutralise("ne sert que sous macOS")),
        rule("bind", Check(|j, p, v| j.object(p, v, &BIND))),
        rule("volume", Check(|j, p, v| j.object(p, v, &NAMED))),
        rule("tmpfs", Check(|j, p, v| j.object(p, v, &TMPFS))),
        rule("image", Refuse("mount-type")),
        rule("cluster", Refuse("mount-type")),
    ],
);

/// A mount that something stands in for: only its target and its way are kept.
static STAND_IN: Table = table(
    "service.volumes (stand-in)",
    &[
        rule("type", Allow),
        rule("source", Allow),
        rule("target", Allow),
        rule("read_only", Allow),
        rule("consistency", Allow),
        rule("bind", Allow),
    ],
);

static BIND: Table = table(
    "service.volumes.bind",
    &[
        rule("create_host_path", Allow),
        rule("selinux", Neutralise("étiquette SELinux de la machine")),
        rule("propagation", Check(|j, p, v| only(j, p, v, &["private", "rprivate"], "mount-propagation"))),
        rule("recursive", Allow),
    ],
);

static NAMED: Table =
    table("service.volumes.volume", &[rule("nocopy", Allow), rule("subpath", Allow), rule("labels", Allow)]);
static TMPFS: Table = table("service.volumes.tmpfs", &[rule("size", Allow), rule("mode", Allow)]);

pub(super) fn volumes(judge: &mut Judge<'_>, path: &[&str], value: &Value) {
    for (index, mount) in value.as_array().into_iter().flatten().enumerate() {
        let number = index.to_string();
        let mut at = path.to_vec();
        at.push(&number);
        let service = path.get(1).and_then(|name| judge.tree.get("services")?.get(name));
        if service.is_some_and(|service| grants::grant(judge.model, service, mount).is_some()) {
            // Replaced by the rewrite, whatever its options.
            judge.object(&at, mount, &STAND_IN);
            continue;
        }
        judge.object(&at, mount, &MOUNT);
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

/// Tables of this file, by section of the schema.
pub(super) static TABLES: &[(&str, &Table)] = &[
    ("service.ports", &PORT),
    ("service.post_start", &HOOK),
    ("service.pre_stop", &HOOK),
    ("service.ulimits", &ULIMITS),
    ("service.ulimits.nofile", &LIMIT),
    ("service.volumes", &MOUNT),
    ("service.volumes (stand-in)", &STAND_IN),
    ("service.volumes.bind", &BIND),
    ("service.volumes.volume", &NAMED),
    ("service.volumes.tmpfs", &TMPFS),
];
