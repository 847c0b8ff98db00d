//! What stands in for the engine's socket and for the few files of the machine that a known
//! program reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use grader_probe::wire::EngineView;
use serde_json::{Map, Value, json};

use super::{Work, text};
use crate::compose::grants::{Grant, Monitor, grant, monitor};
use crate::compose::model::{entries, plain, scalar, texts};

/// Key of the volume that holds the filtered socket.
const SOCKET: &str = "tp-engine";
/// Key of the volume of stand-ins for the engine's own files.
const FILES: &str = "tp-engine-files";
/// Key of the volume of stand-ins for the machine's root.
const ROOT: &str = "tp-engine-root";

/// The filtered engine that a model needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineAccess {
    /// What it shows.
    pub view: EngineView,
    /// Volume where it listens, as `docker.sock`.
    pub socket: String,
    /// Volumes of the stand-ins that cAdvisor reads: the engine's files, and the machine's root.
    pub stand_ins: Option<(String, String)>,
}

/// What the services of a model turned out to need.
#[derive(Debug, Default)]
pub(super) struct Used {
    socket: bool,
    files: bool,
    root: bool,
    also: BTreeSet<String>,
}

impl Used {
    /// A check has the socket shown to a container of ours.
    pub(super) fn asked(&mut self, socket: bool) {
        self.socket |= socket;
    }
}

/// The mounts that stand in for one of the student's; none when nothing is needed.
pub(super) fn stand_in(work: &mut Work<'_>, service: &str, grant: Grant, mount: &Value) -> Vec<Value> {
    let target = text(mount, "target").unwrap_or_default();
    let source = text(mount, "source").unwrap_or_default();
    let (mounts, said): (Vec<Value>, String) = match grant {
        Grant::Socket => {
            work.used.socket = true;
            (
                socket(work, &target, mount),
                "la socket de Docker est remplacée par un accès filtré : lecture seule, et cette pile seule"
                    .into(),
            )
        }
        Grant::SocketFolder => {
            work.used.socket = true;
            (
                vec![volume(SOCKET, &target)],
                format!(
                    "{source} est remplacé par un dossier qui ne contient que la socket filtrée de Docker"
                ),
            )
        }
        Grant::Cgroups { below } if work.plan.cgroups => {
            let target = format!("{}{below}", target.trim_end_matches('/'));
            let bind = json!({
                "type": "bind", "source": "/sys/fs/cgroup", "target": escaped(&target), "read_only": true,
                "bind": { "create_host_path": false },
            });
            (
                vec![bind],
                format!("de {source}, seuls les compteurs des conteneurs sont montrés, en lecture seule"),
            )
        }
        Grant::Cgroups { .. } => (
            Vec::new(),
            format!("{source} n'est pas monté : le noyau de cette machine ne le permet pas sans risque"),
        ),
        Grant::EngineFiles => {
            work.used.files = true;
            (
                vec![volume(FILES, &target)],
                format!(
                    "{source} est remplacé par ce que cAdvisor y lit, pour les conteneurs de cette pile seule"
                ),
            )
        }
        Grant::Root => {
            work.used.root = true;
            (
                vec![volume(ROOT, &target)],
                format!(
                    "« {source} » est remplacé par ce que cAdvisor y lit, pour les conteneurs de cette pile seule"
                ),
            )
        }
        Grant::Own(path) => (
            Vec::new(),
            format!(
                "« {path} » de la machine n'est pas monté : le conteneur lit le sien, qui dit la même chose"
            ),
        ),
        Grant::Clock => (
            Vec::new(),
            format!("{source} n'est pas monté : le conteneur garde son heure, en UTC sauf réglage TZ"),
        ),
        Grant::Nothing => {
            (Vec::new(), format!("{source} n'est pas monté : les mesures demandées n'en dépendent pas"))
        }
    };
    work.change(&["services", service, "volumes"], said);
    mounts
}

fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn volume(key: &str, target: &str) -> Value {
    json!({
        "type": "volume", "source": key, "target": escaped(target), "read_only": true,
        "volume": { "nocopy": true },
    })
}

/// The socket at the path asked for; without subpaths (before API 1.45), the folder that holds
/// it over the folder of that path.
fn socket(work: &mut Work<'_>, target: &str, mount: &Value) -> Vec<Value> {
    if work.plan.subpath {
        let read_only = mount.get("read_only").and_then(Value::as_bool).unwrap_or(false);
        return vec![json!({
            "type": "volume", "source": SOCKET, "target": escaped(target), "read_only": read_only,
            "volume": { "nocopy": true, "subpath": "docker.sock" },
        })];
    }
    let path = Path::new(target);
    let (Some(parent), Some(name)) = (path.parent().filter(|p| p.parent().is_some()), path.file_name())
    else {
        return Vec::new();
    };
    work.used.also.insert(name.to_string_lossy().into_owned());
    vec![volume(SOCKET, &parent.to_string_lossy())]
}

/// Adapts the command of a known program to what stands in for its mounts.
pub(super) fn adapt(work: &mut Work<'_>, name: &str, source: &Value, out: &mut Map<String, Value>) {
    let Some(monitor) = monitor(source) else { return };
    let mounts = source.get("volumes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let grants: Vec<(Grant, String)> = mounts
        .iter()
        .filter_map(|mount| {
            let grant = grant(work.approved.model(), source, mount)?;
            Some((grant, text(mount, "target")?.trim_end_matches('/').to_owned()))
        })
        .collect();
    let mut command = texts(out.get("command"));
    match monitor {
        Monitor::Cadvisor => {
            let counts = grants.iter().any(|(grant, _)| matches!(grant, Grant::Cgroups { .. }));
            let told = |arg: &String| arg.trim_start_matches('-').starts_with("docker_only");
            if !counts || command.iter().chain(&texts(out.get("entrypoint"))).any(told) {
                return;
            }
            command.push("--docker_only=true".to_owned());
            work.change(
                &["services", name, "command"],
                "cAdvisor ne montre que les conteneurs de cette pile (--docker_only=true)",
            );
        }
        Monitor::NodeExporter => {
            let before = command.clone();
            for arg in &mut command {
                *arg = own_path(arg, &grants);
            }
            if command == before {
                return;
            }
            work.change(
                &["services", name, "command"],
                "les chemins de la machine y sont remplacés par ceux du conteneur, qui disent la même chose",
            );
        }
    }
    let escaped: Vec<String> = command.iter().map(|arg| escaped(arg)).collect();
    out.insert("command".into(), json!(escaped));
}

/// An argument (or its value after `=`) that names a mount, with the container's own path.
fn own_path(arg: &str, grants: &[(Grant, String)]) -> String {
    let (head, value) = match arg.split_once('=') {
        Some((flag, value)) if flag.starts_with('-') => (format!("{flag}="), value),
        _ => (String::new(), arg),
    };
    let inside =
        |target: &str| value.strip_prefix(target).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let best = grants
        .iter()
        .filter_map(|(grant, target)| match grant {
            Grant::Own(own) if !target.is_empty() => Some((own, target, inside(target)?)),
            _ => None,
        })
        .max_by_key(|(_, target, _)| target.len());
    let Some((own, _, rest)) = best else { return arg.to_owned() };
    let path = format!("{}{rest}", own.trim_end_matches('/'));
    format!("{head}{}", if path.is_empty() { "/" } else { &path })
}

/// Declares the volumes, and says what the filtered engine shows.
pub(super) fn access(work: &Work<'_>, source: &Value, file: &mut Value) -> Option<EngineAccess> {
    let used = &work.used;
    if !used.socket && !used.files && !used.root {
        return None;
    }
    let name = |key: &str| format!("{}_{key}", work.plan.project);
    let stand_ins = used.files || used.root;
    let mut volumes: Vec<&str> = Vec::new();
    volumes.extend(used.socket.then_some(SOCKET));
    volumes.extend(used.files.then_some(FILES));
    volumes.extend(used.root.then_some(ROOT));
    for key in volumes {
        // Made, with its labels, before Compose starts anything.
        file["volumes"][key] = json!({ "name": name(key), "external": true });
    }
    Some(EngineAccess {
        view: view(work, source, file),
        socket: name(SOCKET),
        stand_ins: stand_ins.then(|| (name(FILES), name(ROOT))),
    })
}

fn view(work: &Work<'_>, source: &Value, file: &Value) -> EngineView {
    let project = work.approved.model().project();
    let shown = |family: &str| -> BTreeMap<String, String> {
        let real = |key: &str| file[family][key]["name"].as_str().map(plain);
        entries(source, family)
            .filter_map(|(key, value)| {
                Some((real(key)?, text(value, "name").unwrap_or_else(|| format!("{project}_{key}"))))
            })
            .collect()
    };
    let services = || entries(source, "services");
    EngineView {
        project: work.plan.project.clone(),
        shown_project: project.to_owned(),
        networks: shown("networks"),
        volumes: shown("volumes"),
        images: services()
            .filter_map(|(name, value)| {
                let real = file["services"][name]["image"].as_str().map(plain)?;
                let shown =
                    value.get("image").and_then(scalar).unwrap_or_else(|| format!("{project}-{name}"));
                (real != shown).then_some((real, shown))
            })
            .collect(),
        containers: services()
            .filter_map(|(name, value)| Some((name.clone(), text(value, "container_name")?)))
            .collect(),
        hidden_services: BTreeSet::new(),
        hidden_labels: hidden_labels(work),
        hidden_volumes: [SOCKET, FILES, ROOT].map(|key| format!("{}_{key}", work.plan.project)).into(),
        amplify: BTreeMap::new(),
        also: work.used.also.clone(),
    }
}

/// The name spaces of our labels.
fn hidden_labels(work: &Work<'_>) -> Vec<String> {
    let mut spaces: Vec<String> =
        work.plan.labels.keys().filter_map(|key| Some(format!("{}.", key.rsplit_once('.')?.0))).collect();
    spaces.push("tp-docker.".to_owned());
    spaces.sort_unstable();
    spaces.dedup();
    spaces
}

#[cfg(test)]
mod tests {
    use super::own_path;
    use crate::compose::grants::Grant;

    #[test]
    fn paths_of_the_machine_become_the_containers_own() {
        let grants = [
            (Grant::Own("/"), "/host".to_owned()),
            (Grant::Own("/proc"), "/host/proc".to_owned()),
            (Grant::Nothing, "/x".to_owned()),
        ];
        let own = |arg: &str| own_path(arg, &grants);
        assert_eq!(own("--path.procfs=/host/proc"), "--path.procfs=/proc");
        assert_eq!(own("--path.sysfs=/host/sys"), "--path.sysfs=/sys");
        assert_eq!(own("--path.rootfs=/host"), "--path.rootfs=/");
        assert_eq!(own("/host/proc"), "/proc");
        assert_eq!(own("--path.rootfs=/hosting"), "--path.rootfs=/hosting");
        assert_eq!(own("--x=^/(sys|proc)($|/)"), "--x=^/(sys|proc)($|/)");
        assert_eq!(own("/x"), "/x");
    }
}
