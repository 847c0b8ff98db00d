//! Paths of the machine that a service may ask for because something harmless stands in for
//! them. The policy lets exactly these through, and the rewrite replaces exactly these.

use std::path::Path;

use serde_json::Value;

use super::gate::clean;
use super::model::{ComposeModel, plain, scalar, texts};

/// Repositories of cAdvisor.
const CADVISOR: &[&str] = &["gcr.io/cadvisor/cadvisor", "ghcr.io/google/cadvisor", "google/cadvisor"];
/// Repositories of the node exporter.
const NODE_EXPORTER: &[&str] =
    &["prom/node-exporter", "quay.io/prometheus/node-exporter", "bitnami/node-exporter"];

/// A program that is known to look at the machine it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Monitor {
    Cadvisor,
    NodeExporter,
}

/// What stands in for a path of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// The engine's socket: a filtered one.
    Socket,
    /// A folder where the engine's socket is: one that holds the filtered one alone.
    SocketFolder,
    /// The kernel's counters of every container, read only; the rest of `/sys` is the
    /// container's own.
    Cgroups {
        /// Below the target, where they belong.
        below: &'static str,
    },
    /// The engine's own files: those that cAdvisor reads, for the run's containers.
    EngineFiles,
    /// The machine's root: the counters of the run's interfaces.
    Root,
    /// The same path of the container itself, which tells the same of the machine.
    Own(&'static str),
    /// Nothing: it is not missed.
    Nothing,
    /// Nothing: the container keeps its own time zone.
    Clock,
}

/// The known program that a service runs: its image as it is, and no other program in it.
pub(super) fn monitor(service: &Value) -> Option<Monitor> {
    if service.get("build").is_some_and(|b| !b.is_null()) {
        return None;
    }
    let image = service.get("image").and_then(scalar)?;
    let image = image.split('@').next().unwrap_or_default();
    let name = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    };
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let (monitor, program) = if CADVISOR.contains(&name) {
        (Monitor::Cadvisor, "cadvisor")
    } else if NODE_EXPORTER.contains(&name) {
        (Monitor::NodeExporter, "node_exporter")
    } else {
        return None;
    };
    let own = texts(service.get("entrypoint"));
    let same = own.first().is_none_or(|first| first.rsplit('/').next() == Some(program));
    same.then_some(monitor)
}

/// What stands in for a mount; `None` when it is judged and kept as any other.
pub(super) fn grant(model: &ComposeModel, service: &Value, mount: &Value) -> Option<Grant> {
    if mount.get("type").and_then(Value::as_str) != Some("bind") {
        return None;
    }
    let source = clean(Path::new(&plain(mount.get("source").and_then(Value::as_str)?)));
    if !source.is_absolute() || source.starts_with(&model.root) {
        return None;
    }
    if source.file_name().is_some_and(|name| name == "docker.sock") {
        return Some(Grant::Socket);
    }
    let source = source.to_str()?;
    if matches!(source, "/run" | "/var/run") {
        return Some(Grant::SocketFolder);
    }
    if matches!(source, "/etc/localtime" | "/etc/timezone" | "/usr/share/zoneinfo") {
        return Some(Grant::Clock);
    }
    match (monitor(service)?, source) {
        (Monitor::Cadvisor, "/") => Some(Grant::Root),
        (Monitor::Cadvisor, "/sys") => Some(Grant::Cgroups { below: "/fs/cgroup" }),
        (Monitor::Cadvisor, "/sys/fs/cgroup" | "/cgroup") => Some(Grant::Cgroups { below: "" }),
        (Monitor::Cadvisor, "/var/lib/docker") => Some(Grant::EngineFiles),
        (
            Monitor::Cadvisor,
            "/dev/disk"
            | "/dev/kmsg"
            | "/etc/machine-id"
            | "/var/lib/dbus/machine-id"
            | "/var/lib/containerd"
            | "/run/containerd"
            | "/var/lib/containers",
        ) => Some(Grant::Nothing),
        (Monitor::NodeExporter, "/proc") => Some(Grant::Own("/proc")),
        (Monitor::NodeExporter, "/sys") => Some(Grant::Own("/sys")),
        (Monitor::NodeExporter, "/") => Some(Grant::Own("/")),
        _ => None,
    }
}

/// True for a service that is shown the counters of every container of the machine.
pub(super) fn is_lent_counters(model: &ComposeModel, service: &Value) -> bool {
    let mounts = service.get("volumes").and_then(Value::as_array);
    mounts.into_iter().flatten().any(|m| matches!(grant(model, service, m), Some(Grant::Cgroups { .. })))
}

/// Keys of a service that are dropped because its program does without, each with the reason.
pub(super) fn dropped(service: &Value) -> Vec<(&'static str, &'static str)> {
    let Some(monitor) = monitor(service) else { return Vec::new() };
    let asks = |key: &str| service.get(key).is_some_and(|v| !v.is_null() && *v != Value::Bool(false));
    let host = |key: &str| service.get(key).and_then(Value::as_str) == Some("host");
    let mut out = Vec::new();
    if monitor == Monitor::Cadvisor {
        if asks("privileged") {
            out.push((
                "privileged",
                "cAdvisor mesure les conteneurs sans le mode privilégié : il est retiré",
            ));
        }
        if host("cgroup") {
            out.push((
                "cgroup",
                "cAdvisor reçoit les compteurs des conteneurs en lecture seule, sans ce réglage",
            ));
        }
        let devices = service.get("devices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !devices.is_empty() && devices.iter().all(is_kmsg) {
            out.push((
                "devices",
                "/dev/kmsg ne sert qu'à signaler les arrêts par manque de mémoire : il est retiré",
            ));
        }
    }
    if host("pid") {
        out.push((
            "pid",
            "les processus de la machine ne sont pas montrés ; les mesures demandées n'en dépendent pas",
        ));
    }
    if host("userns_mode") {
        out.push(("userns_mode", "le conteneur garde les droits que lui donne le correcteur"));
    }
    out
}

fn is_kmsg(device: &Value) -> bool {
    let source = device.get("source").and_then(scalar).or_else(|| scalar(device));
    source.is_some_and(|source| source.split(':').next() == Some("/dev/kmsg"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_programs_are_known_by_their_image_alone() {
        let of = |service: Value| monitor(&service);
        assert_eq!(of(json!({"image": "gcr.io/cadvisor/cadvisor:v0.49.1"})), Some(Monitor::Cadvisor));
        assert_eq!(of(json!({"image": "google/cadvisor"})), Some(Monitor::Cadvisor));
        assert_eq!(
            of(json!({"image": "docker.io/prom/node-exporter@sha256:0"})),
            Some(Monitor::NodeExporter)
        );
        for image in
            ["cadvisor", "x/gcr.io/cadvisor/cadvisor", "localhost:5000/google/cadvisor:1", "evil/cadvisor"]
        {
            assert_eq!(of(json!({"image": image})), None, "{image}");
        }
        assert_eq!(of(json!({"image": "google/cadvisor", "build": {"context": "."}})), None);
        assert_eq!(of(json!({"image": "google/cadvisor", "entrypoint": ["sh", "-c", "x"]})), None);
        let own = json!({"image": "google/cadvisor", "entrypoint": ["/usr/bin/cadvisor", "-logtostderr"]});
        assert_eq!(of(own), Some(Monitor::Cadvisor));
    }
}
