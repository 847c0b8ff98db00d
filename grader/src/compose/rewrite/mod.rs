//! The rewrite of an approved model for a throwaway run: same meaning, other names,
//! addresses and ports, and limits.

mod engine;
mod files;
mod health;
mod limits;
mod links;
mod memory;
mod nets;
mod objects;
mod pins;
mod ranges;
mod receiver;
mod relay;
mod replace;
mod service;
mod translate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde_json::{Map, Value, json};

use super::model::{entries, plain, scalar};
use super::policy::ApprovedModel;
use crate::event::Change;

use ranges::Moves;

pub use engine::EngineAccess;
pub use files::Copy;
pub(super) use limits::bytes;
use objects::{granted, labels, named, new_names};
pub use receiver::Receiver;
pub use relay::{Relay, RelayTruth};

/// Databases ask for it and do without: it would give them the machine's processors first.
pub(super) const PRIORITY: &str = "SYS_NICE";

/// Most copies of a service that are run.
pub(super) const REPLICAS: u64 = 5;

/// What the run imposes on the model.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Project name of the run; every object's name begins with it.
    pub project: String,
    /// Labels forced on services, networks and volumes.
    pub labels: BTreeMap<String, String>,
    /// Free subnets, taken in order. [`ApprovedModel::subnets_needed`] says how many.
    pub subnets: Vec<Ipv4Net>,
    /// Local image of each built service.
    pub built: BTreeMap<String, String>,
    /// Local image of each image as written.
    pub images: BTreeMap<String, String>,
    /// Whether the engine knows `start_interval` (API 1.44).
    pub start_interval: bool,
    /// Whether a volume can be mounted by a path within it (API 1.45).
    pub subpath: bool,
    /// Whether the counters of every container can be shown read only, down to the last one.
    pub cgroups: bool,
    /// Services whose first health check waits this long (second copy).
    pub late: Option<(Vec<String>, Duration)>,
    /// A relay in front of a service (second copy).
    pub relay: Option<Relay>,
    /// A receiver in the place of a service.
    pub receiver: Option<Receiver>,
    /// Services that a check of this copy will break.
    pub brittle: Vec<String>,
    /// Those of them that are broken side by side with others.
    pub crowded: Vec<String>,
    /// Folder for the copies of mounted files that name an address that moved; `None` mounts the
    /// originals.
    pub copies: Option<PathBuf>,
    /// What containers may write to in the submission is copied too: another copy of the stack is up (second copy).
    pub apart: bool,
    /// Files and folders of the submission that have not changed since an earlier copy of it: path in
    /// this one to where they are mounted from since then.
    pub kept: BTreeMap<PathBuf, PathBuf>,
    /// Memory of a container without a smaller limit; `None` adds no limit.
    pub memory: Option<u64>,
    /// Processes of a container without a smaller limit.
    pub pids: u64,
    /// Processors of the machine of the engine: more are not asked for.
    pub cpus: f64,
    /// Has a filtered engine even when no service asks for the engine's socket.
    pub engine: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            project: "tp".to_owned(),
            labels: BTreeMap::new(),
            subnets: Vec::new(),
            built: BTreeMap::new(),
            images: BTreeMap::new(),
            start_interval: true,
            subpath: true,
            cgroups: true,
            late: None,
            relay: None,
            receiver: None,
            brittle: Vec::new(),
            crowded: Vec::new(),
            copies: None,
            apart: false,
            kept: BTreeMap::new(),
            memory: Some(1 << 30),
            pids: 512,
            cpus: std::thread::available_parallelism()
                .map_or(1.0, |n| f64::from(u32::try_from(n.get()).unwrap_or(u32::MAX))),
            engine: false,
        }
    }
}

/// A network of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxedNetwork {
    /// Name on the engine.
    pub name: String,
    /// As the student declared them.
    pub declared_subnets: Vec<IpNet>,
    /// In force; `None` when the pool was exhausted and Docker chooses.
    pub subnet: Option<Ipv4Net>,
}

/// A service of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxedService {
    /// Image to run.
    pub image: String,
    /// Copies asked for.
    pub replicas: u64,
    /// True when a health check is declared and not disabled.
    pub healthcheck: bool,
    /// True for a service that is ours (the relay).
    pub ours: bool,
}

/// A model that may be started. Only [`sandbox`] makes one.
#[derive(Clone, Debug)]
pub struct SandboxedModel {
    file: Value,
    project: String,
    networks: BTreeMap<String, SandboxedNetwork>,
    services: BTreeMap<String, SandboxedService>,
    environment: BTreeMap<String, String>,
    moved: BTreeMap<String, String>,
    moves: Moves,
    copies: Vec<Copy>,
    mounts: BTreeMap<PathBuf, PathBuf>,
    relay: Option<RelayTruth>,
    receiver: Option<String>,
    engine: Option<EngineAccess>,
    changes: Vec<Change>,
}

impl SandboxedModel {
    /// The Compose file, as JSON, `$` doubled as Compose wants it.
    pub fn file(&self) -> &Value {
        &self.file
    }

    /// Project name of the run.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Networks by key of the student's file (and `tp_relay` when there is a relay).
    pub fn networks(&self) -> &BTreeMap<String, SandboxedNetwork> {
        &self.networks
    }

    /// Services by name, the relay included.
    pub fn services(&self) -> &BTreeMap<String, SandboxedService> {
        &self.services
    }

    /// Variables that `up` needs: values of secrets and configs taken from the environment.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Addresses and subnets moved: written to in force.
    pub fn moved(&self) -> &BTreeMap<String, String> {
        &self.moved
    }

    /// `text` with every moved address and range replaced, lists of ranges with their meaning
    /// kept; `None` when nothing changes.
    pub fn translate(&self, text: &str) -> Option<String> {
        translate::text(text, &self.moves)
    }

    /// Copies that must be made before anything is started: mounted files of the submission that
    /// name an address that moved.
    pub fn copies(&self) -> &[Copy] {
        &self.copies
    }

    /// The files and folders of the submission that services get as they run: path in the staged copy
    /// to where it is mounted from.
    pub fn mounts(&self) -> &BTreeMap<PathBuf, PathBuf> {
        &self.mounts
    }

    /// The relay, when one was asked for and is possible.
    pub fn relay(&self) -> Option<&RelayTruth> {
        self.relay.as_ref()
    }

    /// The service whose place the receiver of the run has taken.
    pub fn receiver(&self) -> Option<&str> {
        self.receiver.as_deref()
    }

    /// The filtered engine that must listen before anything is started, when a service asks
    /// for the engine's socket.
    pub fn engine(&self) -> Option<&EngineAccess> {
        self.engine.as_ref()
    }

    /// What the rewrite changed, in French.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

/// What is built up during a rewrite.
struct Work<'a> {
    plan: &'a Plan,
    approved: &'a ApprovedModel,
    networks: BTreeMap<String, SandboxedNetwork>,
    moved: BTreeMap<String, String>,
    moves: Moves,
    copies: Vec<Copy>,
    pins: BTreeSet<PathBuf>,
    changes: Vec<Change>,
    used: engine::Used,
    pool: std::collections::VecDeque<Ipv4Net>,
}

impl Work<'_> {
    fn change(&mut self, path: &[&str], text: impl Into<String>) {
        self.changes.push(Change { path: path.join("."), text: text.into() });
    }
}

/// Copies asked for, at most [`REPLICAS`] in a run.
pub(super) fn replicas(service: &Value) -> u64 {
    let deploy = service.get("deploy").and_then(|d| d.get("replicas"));
    service.get("scale").or(deploy).and_then(Value::as_u64).unwrap_or(1)
}

/// Rewrites an approved model. The only way to a [`SandboxedModel`].
pub fn sandbox(approved: &ApprovedModel, plan: &Plan) -> SandboxedModel {
    let source = approved.clean();
    let mut work = Work {
        plan,
        approved,
        networks: BTreeMap::new(),
        moved: BTreeMap::new(),
        moves: Moves::default(),
        copies: Vec::new(),
        pins: BTreeSet::new(),
        changes: approved.changes().to_vec(),
        used: engine::Used::default(),
        pool: plan.subnets.iter().copied().collect(),
    };
    let networks = nets::rewrite(&mut work, source);
    work.copies = files::copies(&work, source);
    work.pins = pins::all(&work, source);
    let said: Vec<String> = work.copies.iter().flat_map(|copy| named_texts(&work, copy)).collect();
    for text in said {
        work.change(&["networks"], text);
    }
    let volumes = named(&mut work, source, "volumes");
    let mut services: Map<String, Value> = Map::new();
    for (name, value) in entries(source, "services") {
        services.insert(name.clone(), service::rewrite(&mut work, name, value));
    }
    let mut file = json!({ "name": plan.project, "services": services, "networks": networks });
    if !volumes.is_empty() {
        file["volumes"] = Value::Object(volumes);
    }
    for family in ["secrets", "configs"] {
        let members = granted(&work, source, family);
        if !members.is_empty() {
            file[family] = Value::Object(members);
        }
    }
    work.used.asked(plan.engine);
    let receiver = plan.receiver.as_ref().filter(|r| receiver::install(&mut work, &mut file, r));
    let mut engine = engine::access(&work, source, &mut file);
    let relay = plan.relay.as_ref().and_then(|relay| relay::install(&mut work, &mut file, relay));
    let mut summary = summary(&file);
    if let Some(service) = relay.as_ref().and_then(|r| summary.get_mut(&r.service)) {
        service.ours = true;
    }
    if let (Some(engine), Some(relay)) = (engine.as_mut(), relay.as_ref()) {
        engine.view.hidden_services.insert(relay.service.clone());
    }
    let mounts = files::mounts(&work, source);
    nets::plain_keys(&mut file);
    for change in &mut work.changes {
        change.text = super::typography::typeset(&change.text);
    }
    SandboxedModel {
        environment: environment(approved, source),
        file,
        project: plan.project.clone(),
        networks: work.networks,
        services: summary,
        moved: work.moved,
        mounts,
        moves: work.moves,
        copies: work.copies,
        relay,
        receiver: receiver.map(|r| r.service.clone()),
        engine,
        changes: work.changes,
    }
}

/// What is said of a copy, file by file.
fn named_texts(work: &Work<'_>, copy: &Copy) -> Vec<String> {
    let model = work.approved.model();
    let name = |below: &PathBuf| {
        let full = if below.as_os_str().is_empty() { copy.from.clone() } else { copy.from.join(below) };
        let shown = model.relative(&full.to_string_lossy()).display().to_string();
        format!("les adresses fixes écrites dans {shown} suivent leur déplacement")
    };
    copy.texts.keys().map(name).collect()
}

fn summary(file: &Value) -> BTreeMap<String, SandboxedService> {
    entries(file, "services")
        .map(|(name, value)| {
            let check = value.get("healthcheck");
            let off = check.and_then(|c| c.get("disable")).and_then(Value::as_bool) == Some(true)
                || check.and_then(|c| c.get("test")).and_then(|t| t.get(0)).and_then(Value::as_str)
                    == Some("NONE");
            let service = SandboxedService {
                image: value.get("image").and_then(scalar).unwrap_or_default(),
                replicas: replicas(value),
                healthcheck: check.is_some() && !off,
                ours: false,
            };
            (name.clone(), service)
        })
        .collect()
}

/// Variables of secrets and configs under names of ours, with the student's own values: those of
/// the process that starts the stack are not theirs.
fn environment(approved: &ApprovedModel, source: &Value) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for family in ["secrets", "configs"] {
        for (index, (_, value)) in entries(source, family).enumerate() {
            let name = value.get("environment").and_then(scalar);
            let value = name.and_then(|name| approved.model().environment.get(&name).cloned());
            out.extend(value.map(|value| (objects::variable(family, index), value)));
        }
    }
    out
}

/// Text of a member, `$` as the student means it.
fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(plain)
}
