//! One service.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{PRIORITY, Work, engine, files, health, labels, limits, links, pins, text, translate};
use crate::compose::gate::clean;
use crate::compose::grants::{Monitor, grant, monitor};
use crate::compose::tool::NOWHERE;

/// Keys copied as they are (the policy has judged them).
const KEPT: &[&str] = &[
    "command",
    "entrypoint",
    "environment",
    "working_dir",
    "user",
    "group_add",
    "hostname",
    "domainname",
    "init",
    "tty",
    "stdin_open",
    "stop_signal",
    "stop_grace_period",
    "read_only",
    "tmpfs",
    "attach",
    "restart",
    "depends_on",
    "scale",
    "deploy",
    "post_start",
    "pre_stop",
    "network_mode",
    "expose",
    "links",
    "extra_hosts",
    "dns",
    "dns_opt",
    "dns_search",
    "volumes",
    "volumes_from",
    "secrets",
    "configs",
    "mem_limit",
    "mem_reservation",
    "cpus",
    "cpu_shares",
    "cpu_quota",
    "cpu_period",
    "pids_limit",
    "ulimits",
    "shm_size",
    "cap_add",
    "cap_drop",
    "security_opt",
    "cgroup",
    "ipc",
    "sysctls",
];

/// Keys whose texts may hold an address that moved.
const TRANSLATED: &[&str] = &[
    "command",
    "entrypoint",
    "environment",
    "extra_hosts",
    "dns",
    "labels",
    "healthcheck",
    "post_start",
    "pre_stop",
];

/// Rewrites one service.
pub(super) fn rewrite(work: &mut Work<'_>, name: &str, source: &Value) -> Value {
    let mut out = Map::new();
    out.insert("image".into(), image(work, name, source).into());
    out.insert("pull_policy".into(), "never".into());
    for key in KEPT {
        if let Some(value) = source.get(*key).filter(|v| !v.is_null()) {
            out.insert((*key).to_owned(), value.clone());
        }
    }
    // What has no value would be taken from the process that starts the stack.
    out.get_mut("environment").map(without_unset);
    for key in ["post_start", "pre_stop"] {
        for hook in out.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            hook.get_mut("environment").map(without_unset);
        }
    }
    if let Some(mounts) = volumes(work, name, source) {
        out.insert("volumes".into(), mounts);
    }
    if let Some(Value::Array(added)) = out.get_mut("cap_add") {
        let before = added.len();
        added.retain(|cap| {
            cap.as_str().is_none_or(|c| c.to_ascii_uppercase().trim_start_matches("CAP_") != PRIORITY)
        });
        if added.len() < before {
            work.change(
                &["services", name, "cap_add"],
                format!("{PRIORITY} est retiré : pas de priorité sur les autres programmes de la machine"),
            );
        }
    }
    engine::adapt(work, name, source, &mut out);
    out.insert("labels".into(), labels(work.plan, source.get("labels")));
    out.insert("logging".into(), json!({ "driver": "local", "options": { "max-size": "5m" } }));
    if let Some(check) = source.get("healthcheck").filter(|c| !c.is_null()) {
        let check = health::rewrite(work, name, check);
        out.insert("healthcheck".into(), check);
    } else if monitor(source) == Some(Monitor::Cadvisor) {
        out.insert("healthcheck".into(), health::of_image(work));
        work.change(
            &["services", name, "healthcheck"],
            "contrôle de santé de l'image resserré : même test, plus souvent",
        );
    }
    if let Some(networks) = links::networks(work, name, source) {
        out.insert("networks".into(), networks);
    }
    if let Some(ports) = ports(work, name, source) {
        out.insert("ports".into(), ports);
    }
    limits::apply(work, name, source, &mut out);
    for key in TRANSLATED {
        let Some(value) = out.get_mut(*key) else { continue };
        if translate::value(value, &work.moves) {
            work.change(
                &["services", name, key],
                "les adresses fixes qui y sont écrites suivent leur déplacement",
            );
        }
    }
    // What was forced must not be touched by a translation of labels.
    if let Some(labels) = out.get_mut("labels").and_then(Value::as_object_mut) {
        for (key, value) in &work.plan.labels {
            labels.insert(key.clone(), value.replace('$', "$$").into());
        }
    }
    Value::Object(out)
}

fn without_unset(variables: &mut Value) {
    match variables {
        Value::Object(variables) => {
            variables.retain(|_, value| !value.is_null() && value.as_str() != Some(NOWHERE));
        }
        Value::Array(lines) => lines.retain(|line| line.as_str().is_some_and(|l| l.contains('='))),
        _ => {}
    }
}

/// The mounts: those that something stands in for replaced, the others by the path that the
/// policy judged, without `..`.
fn volumes(work: &mut Work<'_>, name: &str, source: &Value) -> Option<Value> {
    let mounts = source.get("volumes")?.as_array()?;
    let (mut out, mut binds): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for mount in mounts {
        if let Some(grant) = grant(work.approved.model(), source, mount) {
            let new = engine::stand_in(work, name, grant, mount);
            let free = |m: &Value| !out.iter().any(|o| o["target"] == m["target"]);
            let new: Vec<Value> = new.into_iter().filter(free).collect();
            out.extend(new);
            continue;
        }
        let mut kept = mount.clone();
        if mount.get("type").and_then(Value::as_str) == Some("bind") {
            let Some(path) = mount.get("source").and_then(Value::as_str) else { continue };
            let path = clean(Path::new(path));
            // The policy has refused these; nothing of the machine must depend on it alone.
            if !path.starts_with(work.approved.model().root()) {
                work.change(&["services", name, "volumes"], format!("{} n'est pas monté", path.display()));
                continue;
            }
            kept["source"] = pins::source(work, &path.to_string_lossy(), files::mounted).into();
            binds.push(mount.clone());
        }
        out.push(kept);
    }
    pins::hold(work, name, &binds, &mut out);
    Some(Value::Array(out))
}

/// The local image to run; as written when the plan has none.
fn image(work: &mut Work<'_>, name: &str, source: &Value) -> String {
    let written = text(source, "image");
    let builder = match source.get("build") {
        Some(_) => Some(name),
        None => written.as_ref().and_then(|w| work.approved.model().builder_of(w)),
    };
    let local = match builder {
        Some(builder) => {
            let local = work.plan.built.get(builder).cloned();
            Some(local.unwrap_or_else(|| format!("{}-{builder}", work.plan.project)))
        }
        None => written.as_ref().and_then(|w| work.plan.images.get(w)).cloned(),
    };
    let image = local.or_else(|| written.clone()).unwrap_or_default();
    if written.as_ref().is_some_and(|w| *w != image) {
        let written = written.unwrap_or_default();
        work.change(
            &["services", name, "image"],
            format!("« {written} » est lancée sous une référence locale"),
        );
    }
    image.replace('$', "$$")
}

/// Published ports become ephemeral ones of the loopback interface.
fn ports(work: &mut Work<'_>, name: &str, source: &Value) -> Option<Value> {
    let ports = source.get("ports")?.as_array()?;
    let mut out: Vec<Value> = Vec::new();
    for port in ports {
        let mode = port.get("mode").and_then(Value::as_str).unwrap_or("ingress");
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("tcp");
        let new = json!({
            "mode": mode,
            "host_ip": "127.0.0.1",
            "target": port.get("target").cloned().unwrap_or_default(),
            "protocol": protocol,
        });
        if !out.contains(&new) {
            out.push(new);
        }
    }
    if !out.is_empty() {
        work.change(
            &["services", name, "ports"],
            "publiés sur des ports libres de 127.0.0.1 ; le numéro demandé est vérifié dans le fichier",
        );
    }
    Some(Value::Array(out))
}
