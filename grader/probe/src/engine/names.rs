//! From the names in force to those of the student's own machine.

use crate::wire::EngineView;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Compose's label for the project.
pub const PROJECT: &str = "com.docker.compose.project";
/// Compose's label for the service.
pub const SERVICE: &str = "com.docker.compose.service";
/// Compose's label for the rank of a container in its service.
const NUMBER: &str = "com.docker.compose.container-number";

/// The members of an object that are shown.
#[must_use]
pub fn pick(value: &Value, keys: &[&str]) -> Map<String, Value> {
    keys.iter().filter_map(|key| Some(((*key).to_owned(), value.get(*key)?.clone()))).collect()
}

/// What is known of a container from its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Compose service.
    pub service: String,
    /// Name shown, without `/`.
    pub name: String,
}

/// Translates for one run.
#[derive(Clone, Debug)]
pub struct Names {
    /// What is shown.
    pub view: EngineView,
}

impl Names {
    /// Who these labels belong to; nothing when it is not shown.
    #[must_use]
    pub fn who(&self, labels: &Value) -> Option<Who> {
        let get = |key: &str| labels.get(key).and_then(Value::as_str);
        let service = get(SERVICE)?;
        let view = &self.view;
        if get(PROJECT) != Some(view.project.as_str()) || view.hidden_services.contains(service) {
            return None;
        }
        let number = get(NUMBER).unwrap_or("1");
        let name = match view.containers.get(service) {
            Some(own) => own.clone(),
            None => format!("{}-{service}-{number}", view.shown_project),
        };
        Some(Who { service: service.to_owned(), name })
    }

    /// Labels (or attributes of an event) as shown.
    #[must_use]
    pub fn labels(&self, labels: &Value) -> Value {
        let members = labels.as_object().into_iter().flatten();
        let shown = members.filter(|(key, _)| {
            !key.starts_with("com.docker.compose.project.")
                && !self.view.hidden_labels.iter().any(|hidden| key.starts_with(hidden.as_str()))
        });
        let shown = shown.map(|(key, value)| match key.as_str() {
            PROJECT => (key.clone(), self.view.shown_project.clone().into()),
            _ => (key.clone(), value.clone()),
        });
        Value::Object(shown.collect())
    }

    /// A network's name; nothing for one that is not shown. What Docker itself names stays.
    #[must_use]
    pub fn network(&self, name: &str) -> Option<String> {
        if matches!(name, "bridge" | "host" | "none" | "default") {
            return Some(name.to_owned());
        }
        self.view.networks.get(name).cloned()
    }

    /// An image's name.
    #[must_use]
    pub fn image(&self, name: &str) -> String {
        self.view.images.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// A network mode: a network's name, or `container:<id>` and the like, which stay.
    fn mode(&self, mode: &str) -> String {
        self.network(mode).unwrap_or_else(|| mode.to_owned())
    }

    /// A container of a list, as shown.
    #[must_use]
    pub fn summary(&self, seen: &Value) -> Option<(Who, Value)> {
        let who = self.who(seen.get("Labels")?)?;
        let keys = ["Id", "Image", "ImageID", "Command", "Created", "Ports", "State", "Status"];
        let mut out = pick(seen, &keys);
        out.insert("Names".into(), vec![format!("/{}", who.name)].into());
        self.member(&mut out, seen, "Labels", Self::labels);
        self.common(&mut out, seen, &who);
        if let Some(mode) = seen.pointer("/HostConfig/NetworkMode").and_then(Value::as_str) {
            out.insert("HostConfig".into(), serde_json::json!({ "NetworkMode": self.mode(mode) }));
        }
        Some((who, Value::Object(out)))
    }

    /// A container looked at alone, as shown: no environment, no path of the machine.
    #[must_use]
    pub fn container(&self, seen: &Value) -> Option<(Who, Value)> {
        let who = self.who(seen.pointer("/Config/Labels")?)?;
        let keys = ["Id", "Created", "Path", "Args", "State", "Image", "RestartCount", "Driver", "Platform"];
        let mut out = pick(seen, &keys);
        out.insert("Name".into(), format!("/{}", who.name).into());
        self.common(&mut out, seen, &who);
        self.member(&mut out, seen, "Config", Self::config);
        self.member(&mut out, seen, "HostConfig", Self::host_config);
        Some((who, Value::Object(out)))
    }

    fn member(&self, out: &mut Map<String, Value>, seen: &Value, key: &str, show: impl Fn(&Self, &Value) -> Value) {
        if let Some(value) = seen.get(key).filter(|value| !value.is_null()) {
            out.insert(key.to_owned(), show(self, value));
        }
    }

    fn common(&self, out: &mut Map<String, Value>, seen: &Value, who: &Who) {
        if let Some(image) = out.get("Image").and_then(Value::as_str).map(|image| self.image(image)) {
            out.insert("Image".into(), image.into());
        }
        self.member(out, seen, "Mounts", Self::mounts);
        self.member(out, seen, "NetworkSettings", |names, settings| names.settings(settings, who));
    }

    fn settings(&self, settings: &Value, who: &Who) -> Value {
        let keys = [
            "Ports",
            "IPAddress",
            "IPPrefixLen",
            "Gateway",
            "MacAddress",
            "GlobalIPv6Address",
            "GlobalIPv6PrefixLen",
            "IPv6Gateway",
        ];
        let mut out = pick(settings, &keys);
        let ends = settings.get("Networks").and_then(Value::as_object).into_iter().flatten();
        let ends = ends.filter_map(|(name, end)| Some((self.network(name)?, self.end(end, who))));
        out.insert("Networks".into(), Value::Object(ends.collect()));
        Value::Object(out)
    }

    /// What joins a container to a network.
    fn end(&self, end: &Value, who: &Who) -> Value {
        let Value::Object(mut out) = end.clone() else { return end.clone() };
        out.remove("Links");
        out.remove("DriverOpts");
        for key in ["Aliases", "DNSNames"] {
            let Some(Value::Array(names)) = out.get_mut(key) else { continue };
            for name in names.iter_mut() {
                // The only name that carries the run's project is the container's own.
                if name.as_str().is_some_and(|name| name.starts_with(&format!("{}-", self.view.project))) {
                    *name = who.name.clone().into();
                }
            }
            let mut seen: Vec<Value> = Vec::new();
            names.retain(|name| {
                let new = !seen.contains(name);
                seen.extend(new.then(|| name.clone()));
                new
            });
        }
        Value::Object(out)
    }

    fn mounts(&self, mounts: &Value) -> Value {
        let items = mounts.as_array().into_iter().flatten();
        let shown = items.map(|mount| {
            let mut out = pick(mount, &["Type", "Name", "Destination", "Driver", "Mode", "RW", "Propagation"]);
            if let Some(name) = mount.get("Name").and_then(Value::as_str) {
                if self.view.hidden_volumes.contains(name) {
                    out.remove("Name");
                    out.remove("Driver");
                    out.insert("Type".into(), "bind".into());
                } else if let Some(shown) = self.view.volumes.get(name) {
                    out.insert("Name".into(), shown.clone().into());
                }
            }
            out.insert("Source".into(), "".into());
            Value::Object(out)
        });
        shown.collect()
    }

    fn config(&self, config: &Value) -> Value {
        let keys = [
            "Hostname",
            "Domainname",
            "User",
            "ExposedPorts",
            "Tty",
            "OpenStdin",
            "Cmd",
            "Healthcheck",
            "Image",
            "Volumes",
            "WorkingDir",
            "Entrypoint",
            "Labels",
            "StopSignal",
        ];
        let mut out = pick(config, &keys);
        if let Some(image) = out.get("Image").and_then(Value::as_str).map(|image| self.image(image)) {
            out.insert("Image".into(), image.into());
        }
        self.member(&mut out, config, "Labels", Self::labels);
        Value::Object(out)
    }

    fn host_config(&self, config: &Value) -> Value {
        let keys = [
            "PortBindings",
            "RestartPolicy",
            "AutoRemove",
            "CapAdd",
            "CapDrop",
            "Privileged",
            "ReadonlyRootfs",
            "Memory",
            "MemoryReservation",
            "MemorySwap",
            "NanoCpus",
            "CpuShares",
            "CpuQuota",
            "CpuPeriod",
            "PidsLimit",
            "ShmSize",
            "Init",
        ];
        let mut out = pick(config, &keys);
        if let Some(mode) = config.get("NetworkMode").and_then(Value::as_str) {
            out.insert("NetworkMode".into(), self.mode(mode).into());
        }
        Value::Object(out)
    }

    /// A network, as shown; `members` are the containers of the run by id.
    #[must_use]
    pub fn whole_network(&self, seen: &Value, members: &BTreeMap<String, Who>) -> Option<Value> {
        let name = self.view.networks.get(seen.get("Name")?.as_str()?)?;
        let keys = [
            "Id",
            "Created",
            "Scope",
            "Driver",
            "EnableIPv4",
            "EnableIPv6",
            "IPAM",
            "Internal",
            "Attachable",
            "Ingress",
            "ConfigFrom",
            "ConfigOnly",
            "Options",
        ];
        let mut out = pick(seen, &keys);
        out.insert("Name".into(), name.clone().into());
        self.member(&mut out, seen, "Labels", Self::labels);
        let ends = seen.get("Containers").and_then(Value::as_object).into_iter().flatten();
        let ends = ends.filter_map(|(id, end)| {
            let who = members.get(id)?;
            let mut end = end.clone();
            end["Name"] = who.name.clone().into();
            Some((id.clone(), end))
        });
        out.insert("Containers".into(), Value::Object(ends.collect()));
        Some(Value::Object(out))
    }

    /// An image, of a list or alone, as shown.
    #[must_use]
    pub fn whole_image(&self, seen: &Value) -> Value {
        let keys = [
            "Id",
            "ParentId",
            "Parent",
            "RepoDigests",
            "Created",
            "Size",
            "SharedSize",
            "VirtualSize",
            "Containers",
            "Comment",
            "Author",
            "Architecture",
            "Variant",
            "Os",
            "RootFS",
        ];
        let mut out = pick(seen, &keys);
        let tags = seen.get("RepoTags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        // Our own names are not shown, but when they stand for another one.
        let tags = tags.filter_map(|tag| match self.view.images.get(tag) {
            Some(shown) if shown.rsplit('/').next().is_some_and(|last| last.contains(':')) => Some(shown.clone()),
            Some(shown) => Some(format!("{shown}:latest")),
            None => (!tag.starts_with("tp-docker-") && !tag.starts_with("tp-run-")).then(|| tag.to_owned()),
        });
        out.insert("RepoTags".into(), tags.collect::<Vec<_>>().into());
        self.member(&mut out, seen, "Labels", Self::labels);
        self.member(&mut out, seen, "Config", Self::config);
        Value::Object(out)
    }

    /// An event about a container, as shown.
    #[must_use]
    pub fn event(&self, seen: &Value) -> Option<Value> {
        let attributes = seen.pointer("/Actor/Attributes")?;
        let who = self.who(attributes)?;
        let mut out = pick(seen, &["status", "id", "from", "Type", "Action", "scope", "time", "timeNano"]);
        if let Some(image) = out.get("from").and_then(Value::as_str).map(|image| self.image(image)) {
            out.insert("from".into(), image.into());
        }
        let mut shown = self.labels(attributes);
        if let Some(image) = shown.get("image").and_then(Value::as_str).map(|image| self.image(image)) {
            shown["image"] = image.into();
        }
        shown["name"] = who.name.into();
        let id = seen.pointer("/Actor/ID").cloned().unwrap_or_default();
        out.insert("Actor".into(), serde_json::json!({ "ID": id, "Attributes": shown }));
        Some(Value::Object(out))
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
