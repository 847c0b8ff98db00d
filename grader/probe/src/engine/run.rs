//! What is answered about one run: documents of the engine, filtered and shown under the student's names.

use super::amplify;
use super::answer::Refusal;
use super::filters::{Filters, Of};
use super::names::{Names, PROJECT, Who, pick};
use super::request::{Request, encode};
use super::upstream::Upstream;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One run on one engine.
pub struct Run {
    /// The engine.
    pub upstream: Upstream,
    /// What is shown, and how.
    pub names: Names,
}

impl Run {
    /// The containers of the run, as the engine says them.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn all(&self, version: Option<&str>) -> Result<Vec<Value>, Refusal> {
        let label = format!("{PROJECT}={}", self.names.view.project);
        let filters = encode(&json!({ "label": [label] }).to_string());
        let list = self.upstream.get(version, &format!("/containers/json?all=1&filters={filters}")).await?;
        let Value::Array(items) = list else { return Ok(Vec::new()) };
        Ok(items.into_iter().filter(|item| self.names.who(&item["Labels"]).is_some()).collect())
    }

    /// Who is in the run, by id.
    async fn members(&self, version: Option<&str>) -> Result<BTreeMap<String, Who>, Refusal> {
        let all = self.all(version).await?;
        let known = |item: &Value| Some((item["Id"].as_str()?.to_owned(), self.names.who(&item["Labels"])?));
        Ok(all.iter().filter_map(known).collect())
    }

    /// `/version`
    pub(super) async fn version(&self, asked: &Request) -> Result<Value, Refusal> {
        let seen = self.upstream.get(asked.version.as_deref(), "/version").await?;
        let keys = [
            "Platform",
            "Components",
            "Version",
            "ApiVersion",
            "MinAPIVersion",
            "GitCommit",
            "GoVersion",
            "Os",
            "Arch",
            "KernelVersion",
            "BuildTime",
        ];
        Ok(Value::Object(pick(&seen, &keys)))
    }

    /// `/info`: what is harmless, with the counts of the run. The storage is said to be the usual one, at the usual
    /// place: there is nothing behind it but the stand-ins.
    pub(super) async fn info(&self, asked: &Request) -> Result<Value, Refusal> {
        let seen = self.upstream.get(asked.version.as_deref(), "/info").await?;
        let all = self.all(asked.version.as_deref()).await?;
        let count = |state: &str| all.iter().filter(|one| one["State"] == state).count();
        let images: BTreeSet<&str> = all.iter().filter_map(|one| one["ImageID"].as_str()).collect();
        let keys = [
            "MemoryLimit",
            "SwapLimit",
            "CpuCfsPeriod",
            "CpuCfsQuota",
            "CPUShares",
            "CPUSet",
            "PidsLimit",
            "IPv4Forwarding",
            "OomKillDisable",
            "SystemTime",
            "CgroupDriver",
            "CgroupVersion",
            "KernelVersion",
            "OperatingSystem",
            "OSVersion",
            "OSType",
            "Architecture",
            "NCPU",
            "MemTotal",
            "ServerVersion",
            "DefaultRuntime",
        ];
        let mut out = pick(&seen, &keys);
        let own = json!({
            "ID": "",
            "Name": "docker",
            "Containers": all.len(),
            "ContainersRunning": count("running"),
            "ContainersPaused": count("paused"),
            "ContainersStopped": all.len() - count("running") - count("paused"),
            "Images": images.len(),
            "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", "extfs"]],
            "LoggingDriver": "json-file",
            "DockerRootDir": "/var/lib/docker",
            "Labels": [],
            "Swarm": { "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false },
        });
        out.extend(own.as_object().cloned().unwrap_or_default());
        Ok(Value::Object(out))
    }

    /// `/containers/json`
    pub(super) async fn containers(&self, asked: &Request) -> Result<Value, Refusal> {
        let view = &self.names.view;
        let filters = Filters::read(Of::Containers, asked.query.get("filters"), view)?;
        if filters.nothing {
            return Ok(json!([]));
        }
        let all = if asked.flag("all") { "all=1&" } else { "" };
        let target = format!("/containers/json?{all}filters={}", filters.query());
        let seen = self.upstream.get(asked.version.as_deref(), &target).await?;
        let mut out: Vec<Value> = Vec::new();
        for item in seen.as_array().into_iter().flatten() {
            let Some((who, shown)) = self.names.summary(item) else { continue };
            if filters.passes(&[format!("/{}", who.name)]) {
                let more = view.amplify.get(&who.service).copied().unwrap_or(0);
                out.push(shown.clone());
                out.extend((1..=more).map(|rank| amplify::summary(&shown, &who.name, rank)));
            }
        }
        if let Some(limit) = asked.query.get("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0) {
            out.truncate(limit);
        }
        Ok(out.into())
    }

    /// `/containers/{id}/json`: what the engine says, and what is shown of it.
    pub(super) async fn container(&self, asked: &Request, name: &str) -> Result<(Value, Value), Refusal> {
        let version = asked.version.as_deref();
        let missing = || Refusal::missing("container", name);
        let mut rank = 0;
        let id = if is_id(name) { self.look(version, name).await? } else { None };
        let seen = if let Some(seen) = id {
            seen
        } else {
            let members = self.members(version).await?;
            let (id, of) = amplify::find(&members, &self.names.view.amplify, name).ok_or_else(missing)?;
            rank = of;
            self.look(version, id).await?.ok_or_else(missing)?
        };
        let (who, mut shown) = self.names.container(&seen).ok_or_else(missing)?;
        if rank > 0 {
            shown = amplify::container(&shown, &who.name, rank);
        }
        Ok((seen, shown))
    }

    /// A container by its whole id, when it is one of the run.
    async fn look(&self, version: Option<&str>, id: &str) -> Result<Option<Value>, Refusal> {
        match self.upstream.get(version, &format!("/containers/{id}/json")).await {
            Ok(seen) => Ok(self.names.who(&seen["Config"]["Labels"]).map(|_| seen)),
            Err(refusal) if refusal.status == 404 => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// `/networks`
    pub(super) async fn networks(&self, asked: &Request) -> Result<Value, Refusal> {
        let filters = Filters::read(Of::Networks, asked.query.get("filters"), &self.names.view)?;
        if filters.nothing {
            return Ok(json!([]));
        }
        let target = format!("/networks?filters={}", filters.query());
        let seen = self.upstream.get(asked.version.as_deref(), &target).await?;
        let none = BTreeMap::new();
        let shown = seen.as_array().into_iter().flatten().filter_map(|item| self.names.whole_network(item, &none));
        let name = |item: &Value| vec![item["Name"].as_str().unwrap_or_default().to_owned()];
        Ok(shown.filter(|item| filters.passes(&name(item))).collect())
    }

    /// `/networks/{id}`
    pub(super) async fn network(&self, asked: &Request, name: &str) -> Result<Value, Refusal> {
        let version = asked.version.as_deref();
        let own = Filters::read(Of::Networks, None, &self.names.view)?;
        let list = self.upstream.get(version, &format!("/networks?filters={}", own.query())).await?;
        let missing = || Refusal::missing("network", name);
        let found = list.as_array().into_iter().flatten().find(|item| {
            let shown = item["Name"].as_str().and_then(|real| self.names.view.networks.get(real));
            let id = item["Id"].as_str().unwrap_or_default();
            shown.is_some_and(|shown| shown == name) || (name.len() >= 8 && id.starts_with(name) && shown.is_some())
        });
        let id = found.and_then(|item| item["Id"].as_str()).filter(|id| is_id(id)).ok_or_else(missing)?;
        let seen = self.upstream.get(version, &format!("/networks/{id}")).await?;
        self.names.whole_network(&seen, &self.members(version).await?).ok_or_else(missing)
    }

    /// Ids of the images that the containers of the run use.
    async fn image_ids(&self, version: Option<&str>) -> Result<BTreeSet<String>, Refusal> {
        let all = self.all(version).await?;
        Ok(all.iter().filter_map(|item| Some(item["ImageID"].as_str()?.to_owned())).collect())
    }

    /// `/images/json`
    pub(super) async fn images(&self, asked: &Request) -> Result<Value, Refusal> {
        let version = asked.version.as_deref();
        let filters = Filters::read(Of::Images, asked.query.get("filters"), &self.names.view)?;
        if filters.nothing {
            return Ok(json!([]));
        }
        let ids = self.image_ids(version).await?;
        let seen = self.upstream.get(version, &format!("/images/json?filters={}", filters.query())).await?;
        let items = seen.as_array().into_iter().flatten();
        Ok(items
            .filter(|item| item["Id"].as_str().is_some_and(|id| ids.contains(id)))
            .map(|item| self.names.whole_image(item))
            .collect())
    }

    /// `/images/{name}/json`
    pub(super) async fn image(&self, asked: &Request, name: &str) -> Result<Value, Refusal> {
        let version = asked.version.as_deref();
        for id in self.image_ids(version).await? {
            if !id.strip_prefix("sha256:").is_some_and(is_id) {
                continue;
            }
            let Ok(seen) = self.upstream.get(version, &format!("/images/{id}/json")).await else { continue };
            let shown = self.names.whole_image(&seen);
            let short = id.trim_start_matches("sha256:");
            let wanted = name.trim_start_matches("sha256:");
            let tagged = if name.rsplit('/').next().is_some_and(|last| last.contains(':')) {
                name.to_owned()
            } else {
                format!("{name}:latest")
            };
            let tags = shown["RepoTags"].as_array();
            let by_tag = tags.is_some_and(|tags| tags.iter().any(|tag| *tag == tagged));
            let digests = shown["RepoDigests"].as_array();
            let by_digest = digests.is_some_and(|digests| digests.iter().any(|digest| *digest == name));
            if by_tag || by_digest || (wanted.len() >= 8 && short.starts_with(wanted)) {
                return Ok(shown);
            }
        }
        Err(Refusal::missing("image", name))
    }

    /// The whole id of a container by the name shown or an id, for the filters of events.
    pub(super) async fn id_of(&self, version: Option<&str>, name: &str) -> Result<Option<String>, Refusal> {
        let members = self.members(version).await?;
        Ok(amplify::find(&members, &BTreeMap::new(), name).map(|(id, _)| id.to_owned()))
    }
}

/// 64 hexadecimal digits.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
