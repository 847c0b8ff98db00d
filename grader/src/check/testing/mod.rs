//! A fake stack for unit tests: an API with a cache, Redis and PostgreSQL, in virtual time, that can
//! be made honest or devious.

pub mod alerts;
mod app;
pub mod deep;
mod memory;
mod net;
mod redis;
pub mod supervision;
mod traefik;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

pub use app::App;
pub use memory::Memory;
pub use net::{attachment, instance};
pub use traefik::{Behind, Secure, Traefik, certificate, raw};

use super::world::*;
use crate::error::Fault;
use crate::event::{Mark, Place};

/// Plays an HTTP server of a fake stack: status and body.
pub type FakePage = Box<dyn Fn(&FakeWorld, &wire::Http) -> (u16, String) + Send + Sync>;

/// Headers of an HTTP server of a fake stack.
pub type FakeHead = Box<dyn Fn(&wire::Http) -> Vec<(String, String)> + Send + Sync>;

/// Plays the tools of a fake stack.
pub type FakeTool = Box<dyn Fn(&ToolRun) -> ToolOutcome + Send + Sync>;

/// The fake stack.
pub struct FakeWorld {
    /// What is declared.
    pub declared: Declared,
    /// Files of the submission.
    pub files: BTreeMap<String, String>,
    /// Behaviour of the API.
    pub app: App,
    /// Containers.
    pub instances: BTreeMap<String, Vec<Instance>>,
    /// Open ports: service, port.
    pub open: BTreeSet<(String, u16)>,
    /// Names that resolve to something else than the service of that name.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// Interfaces, by service.
    pub interfaces: BTreeMap<String, Vec<wire::Interface>>,
    /// Exit code that the health check of a frozen service gives; `None`: it never runs.
    pub health_code: Option<i64>,
    /// Failed runs after which it turns unhealthy.
    pub retries: usize,
    /// Whether data survive `recreate`.
    pub durable: bool,
    /// Events.
    pub events: Vec<StackEvent>,
    /// Whether the engine is ever quiet.
    pub calm: bool,
    /// Years that the relay adds.
    pub shift: Option<i32>,
    /// What the relay counts at each call.
    pub relay: Option<RelaySeen>,
    /// Outcome of a rebuild.
    pub rebuilt: BuildOutcome,
    /// Paths that exist in the container.
    pub paths: BTreeSet<String>,
    /// Text files inside containers: service, path.
    pub inside: BTreeMap<(String, String), String>,
    /// How the stack came up.
    pub came_up: BringUp,
    /// What the default bridge does.
    pub bridge_resolves: bool,
    /// What the host gets from a published port.
    pub host: HostAnswer,
    /// The reverse proxy.
    pub traefik: Option<Traefik>,
    /// Whether the probe itself is broken.
    pub probe_broken: bool,
    /// Time between the end of a container and its acknowledgement.
    pub slow_stop: Duration,
    /// What every service logs.
    pub log: String,
    /// Whether times are measured as they are.
    pub real_time: bool,
    /// What tools do; without it, running one is a fault.
    pub tools: Option<FakeTool>,
    /// Servers that are not the API, by service and port.
    pub pages: BTreeMap<(String, u16), FakePage>,
    /// Their headers.
    pub heads: BTreeMap<(String, u16), FakeHead>,
    /// What the rarer things show.
    pub deep: deep::Depths,
    /// Memory.
    pub memory: Mutex<Memory>,
    born: Instant,
}

impl FakeWorld {
    /// The stack of lab 02: `api` on both networks, the stores on `backend`.
    pub fn lab02() -> Self {
        let mut world = Self::empty();
        for (service, ips, port) in [
            ("api", vec![("frontend", "10.1.0.2"), ("backend", "10.2.0.2")], 5000),
            ("postgres", vec![("backend", "10.2.0.3")], 5432),
            ("redis", vec![("backend", "10.2.0.4")], 6379),
        ] {
            world.add(service, &ips, &[port]);
        }
        for store in ["postgres", "redis"] {
            if let Some(s) = world.declared.services.get_mut(store) {
                s.healthcheck = Some(vec!["CMD-SHELL".into(), "test".into()]);
            }
            for i in world.instances.get_mut(store).into_iter().flatten() {
                i.health = Some(Health::Healthy);
            }
        }
        world
    }

    /// The stack of lab 01.
    pub fn lab01() -> Self {
        let mut world = Self::empty();
        world.add("serveur", &[("tp", "172.30.0.2")], &[80]);
        world.add("client", &[("tp", "172.30.0.3")], &[]);
        world.add("isole", &[("autre", "172.31.0.2")], &[]);
        world.add("muet", &[], &[]);
        if let Some(tp) = world.declared.networks.get_mut("tp") {
            tp.subnets = vec!["172.30.0.0/24".parse().expect("a subnet")];
            tp.gateways = vec!["172.30.0.1".parse().expect("an address")];
        }
        world
    }

    fn empty() -> Self {
        Self {
            declared: Declared { file: "compose.yaml".into(), ..Declared::default() },
            files: BTreeMap::new(),
            app: App::Honest,
            instances: BTreeMap::new(),
            open: BTreeSet::new(),
            names: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            health_code: Some(1),
            retries: 3,
            durable: true,
            events: vec![],
            calm: true,
            shift: None,
            relay: None,
            rebuilt: BuildOutcome { ok: false, log: "npm error code EUSAGE".into() },
            paths: BTreeSet::new(),
            inside: BTreeMap::new(),
            came_up: BringUp::default(),
            bridge_resolves: false,
            host: HostAnswer { status: Some(200), ..HostAnswer::default() },
            traefik: None,
            probe_broken: false,
            slow_stop: Duration::ZERO,
            log: "journal".into(),
            real_time: false,
            tools: None,
            pages: BTreeMap::new(),
            heads: BTreeMap::new(),
            deep: deep::Depths::default(),
            memory: Mutex::default(),
            born: Instant::now(),
        }
    }

    /// Adds a service and its networks.
    pub fn add(&mut self, service: &str, on: &[(&str, &str)], ports: &[u16]) {
        let mut made = instance(service, "10.9.9.9");
        made.attachments = on.iter().map(|(n, ip)| attachment(n, ip)).collect();
        self.instances.insert(service.into(), vec![made]);
        let networks: Vec<String> = on.iter().map(|(n, _)| (*n).to_owned()).collect();
        for network in &networks {
            self.declared.networks.entry(network.clone()).or_default();
        }
        let network_mode = on.is_empty().then(|| "none".to_owned());
        let declared = DeclaredService { networks, network_mode, ..DeclaredService::default() };
        self.declared.services.insert(service.into(), declared);
        self.open.extend(ports.iter().map(|p| (service.to_owned(), *p)));
    }

    /// Virtual time since the world was made.
    pub fn since_birth(&self) -> Duration {
        self.born.elapsed()
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.since_birth().as_micros()).unwrap_or(0)
    }

    /// Engine's clock, unix microseconds.
    pub fn unix_us(&self) -> i64 {
        1_795_225_755_000_000 + i64::try_from(self.micros()).unwrap_or(0)
    }

    /// What it remembers.
    pub fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().expect("no test panics while holding it")
    }

    fn frozen_runs(&self, service: &str) -> Vec<HealthRun> {
        let frozen = self.lock().frozen.get(service).copied();
        let (Some(at), Some(code)) = (frozen, self.health_code) else { return vec![] };
        let lasted = i64::try_from(at.elapsed().as_millis()).unwrap_or(0);
        let from = self.unix_us() - lasted * 1000;
        (0..lasted / 500)
            .map(|n| HealthRun {
                started_us: from + n * 500_000 + 100_000,
                ended_us: from + n * 500_000 + 200_000,
                exit_code: code,
                output: "sortie".into(),
            })
            .collect()
    }
}

#[async_trait]
impl World for FakeWorld {
    fn declared(&self) -> &Declared {
        &self.declared
    }
    fn place(&self, path: &[&str], label: &str) -> Option<Place> {
        let mark = Mark { line: 1, column: 1, width: 1, text: path.join("."), label: label.into() };
        Some(Place { file: "compose.yaml".into(), mark, also: vec![] })
    }
    fn place_in(&self, file: &str, needle: &str, label: &str) -> Option<Place> {
        let text = self.files.get(file)?;
        let (line, shown) = text.lines().enumerate().find(|(_, l)| l.contains(needle))?;
        let mark = Mark { line: line + 1, column: 1, width: 1, text: shown.into(), label: label.into() };
        Some(Place { file: file.into(), mark, also: vec![] })
    }
    fn read(&self, file: &str) -> Option<String> {
        self.files.get(file).cloned()
    }
    fn files(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }
    fn seed(&self) -> u64 {
        42
    }
    async fn instances(&self, service: &str) -> Result<Vec<Instance>, Fault> {
        let mut found = self.instances.get(service).cloned().unwrap_or_default();
        let failed = self.frozen_runs(service).iter().filter(|r| r.exit_code != 0).count();
        let generation = self.lock().generation.get(service).copied().unwrap_or(0);
        for instance in &mut found {
            instance.id = format!("{service}-{generation}");
            if failed >= self.retries && instance.health.is_some() {
                instance.health = Some(Health::Unhealthy);
            }
        }
        Ok(found)
    }
    async fn ask(&self, from: &Vantage, ask: wire::Ask) -> Result<wire::Answer, Fault> {
        if self.probe_broken {
            return Err(super::kit::noise("sonde en panne"));
        }
        let (at_us, boot_us) = (u64::try_from(self.unix_us()).unwrap_or(0), self.micros());
        let outcome = self.outcome(from, ask).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(wire::Answer { at_us, boot_us, elapsed_us: self.micros() - boot_us, outcome })
    }
    async fn timeline(&self) -> Result<Vec<StackEvent>, Fault> {
        Ok(self.events.clone())
    }
    async fn health_log(&self, service: &str) -> Result<Vec<HealthRun>, Fault> {
        let mut runs = self.frozen_runs(service);
        let from = runs.len().saturating_sub(5);
        Ok(runs.split_off(from))
    }
    async fn freeze(&self, service: &str) -> Result<i64, Fault> {
        self.lock().frozen.insert(service.into(), Instant::now());
        Ok(self.unix_us())
    }
    async fn thaw(&self, service: &str) -> Result<(), Fault> {
        self.lock().frozen.remove(service);
        Ok(())
    }
    async fn stop(&self, service: &str) -> Result<Option<i64>, Fault> {
        let (now, at) = (self.since_birth(), self.unix_us());
        {
            let mut memory = self.lock();
            memory.frozen.entry(service.into()).or_insert_with(Instant::now);
            memory.ended.push((service.into(), now, None));
        }
        tokio::time::sleep(self.slow_stop).await;
        Ok(Some(at))
    }
    async fn start(&self, service: &str) -> Result<(), Fault> {
        let now = self.since_birth();
        let mut memory = self.lock();
        memory.frozen.remove(service);
        for (_, _, until) in memory.ended.iter_mut().filter(|(s, ..)| s == service) {
            until.get_or_insert(now);
        }
        Ok(())
    }
    async fn recreate(&self, service: &str) -> Result<bool, Fault> {
        let mut memory = self.lock();
        *memory.generation.entry(service.into()).or_default() += 1;
        if service == "api" && self.app == App::InProcess {
            memory.own = None;
        }
        if !self.durable {
            memory.tables.clear();
        }
        Ok(true)
    }
    async fn exists(&self, _: &str, path: &str) -> Result<bool, Fault> {
        Ok(self.paths.contains(path))
    }
    async fn read_inside(&self, service: &str, path: &str) -> Result<Option<String>, Fault> {
        Ok(self.inside.get(&(service.to_owned(), path.to_owned())).cloned())
    }
    async fn list_inside(&self, service: &str, dir: &str) -> Result<Option<Vec<String>>, Fault> {
        let prefix = format!("{}/", dir.trim_end_matches('/'));
        let below =
            self.inside.keys().filter(|(s, _)| s == service).filter_map(|(_, p)| p.strip_prefix(&prefix));
        let mut names: Vec<String> = below.filter_map(|p| p.split('/').next()).map(str::to_owned).collect();
        names.dedup();
        Ok((!names.is_empty()).then_some(names))
    }
    async fn twin(&self, plan: TwinPlan) -> Result<(), Fault> {
        if self.traefik.as_ref().is_some_and(|t| t.twin.is_none()) {
            return Err(super::kit::noise("pas de double"));
        }
        self.lock().twins.push(plan);
        Ok(())
    }
    fn real_time(&self) -> bool {
        self.real_time
    }
    async fn rebuild(&self, _: &str, _: Alteration) -> Result<BuildOutcome, Fault> {
        Ok(self.rebuilt.clone())
    }
    async fn logs(&self, _: &str, _: usize) -> Result<String, Fault> {
        Ok(self.log.clone())
    }
    async fn quiet(&self, calm: Duration, _: Duration) -> Result<bool, Fault> {
        tokio::time::sleep(calm).await;
        Ok(self.calm)
    }
    async fn default_bridge_resolves(&self) -> Result<bool, Fault> {
        Ok(self.bridge_resolves)
    }
    async fn ask_host(&self, _: SocketAddr, _: &str) -> Result<HostAnswer, Fault> {
        Ok(self.host.clone())
    }
    async fn ask_host_tls(&self, _: SocketAddr, host: &str, path: &str) -> Result<HostAnswer, Fault> {
        Ok(self.machine(host, path))
    }
    fn project(&self) -> String {
        "tpfake".into()
    }
    fn shift_years(&self) -> Option<i32> {
        self.shift
    }
    async fn relay_seen(&self) -> Result<Option<RelaySeen>, Fault> {
        let calls = self.lock().calls;
        Ok(self.relay.map(|r| RelaySeen { connections: 1, rows: r.rows * calls, shifted: r.shifted * calls }))
    }
    fn bring_up(&self) -> &BringUp {
        &self.came_up
    }
    async fn tool(&self, run: ToolRun) -> Result<ToolOutcome, Fault> {
        match &self.tools {
            Some(tool) => Ok(tool(&run)),
            None => Err(super::kit::noise("aucun outil")),
        }
    }
}
