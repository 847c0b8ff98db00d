//! One copy of a student's stack, running. Only a [`SandboxedModel`] can be brought up.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::EndpointSettings;
use futures_util::StreamExt;
use tokio::sync::{Mutex, OnceCell};

use super::blame::{Blame, of_start};
use super::build::BuildRequest;
use super::connect::Engine;
use super::door;
use super::events::Watch;
use super::fault::from_text;
use super::probe::{Probe, Seat};
use super::session::Session;
use crate::check::world::{BringUp, Happening, Health, State};
use crate::compose::{EngineAccess, SandboxedModel};
use crate::error::{Fault, FaultKind};

/// Longest bring-up of a stack whose images are ready.
const UP_DEADLINE: Duration = Duration::from_secs(240);

/// Longest time without looking at a stack that is still on its way.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Shortest time between two looks: events come by dozens while a stack starts.
const LOOKS_APART: Duration = Duration::from_millis(50);

/// What a stack needs besides its model.
pub struct StackPlan {
    /// The rewritten model.
    pub model: SandboxedModel,
    /// How each built service is built, for the proofs that build again.
    pub builds: BTreeMap<String, BuildRequest>,
    /// Id of the probe's image.
    pub probe_image: String,
    /// Services that a check will break: their probes get the right to.
    pub breakable: Vec<String>,
}

/// A probe, started by the first who asks.
type Cell = Arc<OnceCell<Arc<Probe>>>;

/// A running copy.
pub struct Stack {
    pub(super) engine: Engine,
    pub(super) session: Arc<Session>,
    pub(super) plan: StackPlan,
    pub(super) watch: Arc<Watch>,
    file: PathBuf,
    pub(super) probes: Arc<Mutex<HashMap<String, Cell>>>,
    /// Twins: name to container.
    pub(super) twins: Mutex<HashMap<String, String>>,
    /// Links of containers that were taken off a network: container and network.
    pub(super) unplugged: Arc<Mutex<HashMap<(String, String), EndpointSettings>>>,
    doors: Arc<Mutex<HashMap<String, Arc<OnceCell<()>>>>>,
    /// The container of each service that was last found running.
    pub(super) seats: std::sync::Mutex<HashMap<String, String>>,
    /// Services that a check froze or stopped: true until it gave them back.
    pub(super) disturbed: std::sync::Mutex<BTreeMap<String, bool>>,
}

impl Stack {
    /// Writes the model down and starts to follow the engine's events. Starts nothing.
    pub fn new(engine: &Engine, session: &Arc<Session>, plan: StackPlan) -> Result<Self, Fault> {
        let file = write(session, &plan.model)?;
        Ok(Self {
            engine: engine.clone(),
            session: Arc::clone(session),
            plan,
            watch: Arc::new(Watch::start(engine, &session.id)),
            file,
            probes: Arc::default(),
            twins: Mutex::new(HashMap::new()),
            unplugged: Arc::default(),
            doors: Arc::default(),
            seats: std::sync::Mutex::default(),
            disturbed: std::sync::Mutex::default(),
        })
    }

    /// The same copy under its next model: the containers, the probes and the events stay.
    pub fn succeed(&self, plan: StackPlan) -> Result<Self, Fault> {
        let file = write(&self.session, &plan.model)?;
        Ok(Self {
            engine: self.engine.clone(),
            session: Arc::clone(&self.session),
            plan,
            watch: Arc::clone(&self.watch),
            file,
            probes: Arc::clone(&self.probes),
            twins: Mutex::new(HashMap::new()),
            unplugged: Arc::clone(&self.unplugged),
            doors: Arc::clone(&self.doors),
            seats: std::sync::Mutex::default(),
            disturbed: std::sync::Mutex::default(),
        })
    }

    /// Project name of this copy.
    pub fn project(&self) -> &str {
        self.plan.model.project()
    }

    /// `docker compose up -d` of these services (all when empty) and of what they depend on.
    /// `Ok(Some(text))` is what Compose said when it stopped early.
    pub async fn up(&self, services: &[String], no_deps: bool) -> Result<Option<String>, Fault> {
        // What the services find at the socket's path must be there before them.
        if let Some(access) = self.plan.model.engine() {
            self.open_door(access).await?;
        }
        let mut args: Vec<String> = ["--ansi", "never", "--progress", "plain", "-p", self.project(), "-f"]
            .iter()
            .map(|s| (*s).to_owned())
            .collect();
        args.push(self.file.display().to_string());
        args.extend(["up", "-d", "--no-build", "--quiet-pull"].iter().map(|s| (*s).to_owned()));
        if no_deps {
            args.push("--no-deps".into());
        }
        args.extend(services.iter().cloned());
        let tools = &self.engine.tools;
        let variables = self.plan.model.environment();
        let up = || tools.run(&self.session, &tools.compose, &args, variables, UP_DEADLINE);
        let mut said = up().await?;
        // Twice: the first time may meet what the engine was still making when Compose gave up.
        for _ in 0..2 {
            if said.failed() && of_start(&said.text) != Blame::Project {
                said = up().await?;
            }
        }
        if said.ok {
            return Ok(None);
        }
        if said.timed_out {
            return Ok(Some(format!("timeout after {} s", UP_DEADLINE.as_secs())));
        }
        if of_start(&said.text) == Blame::Machine {
            return Err(from_text("le démarrage de la pile", &said.text));
        }
        let lower = said.text.to_lowercase();
        // Compose had accepted the student's file: what it refuses is what we made of it.
        if ["invalid compose project", "validating "].iter().any(|m| lower.contains(m)) {
            let todo = "signalez ce défaut du correcteur, avec votre fichier Compose";
            let fault =
                Fault::new(FaultKind::Bug, "Compose refuse le fichier que le correcteur a réécrit", todo);
            return Err(fault.detail(said.text));
        }
        Ok(Some(said.text))
    }

    /// Starts a filtered engine, once for each volume.
    async fn open_door(&self, access: &EngineAccess) -> Result<(), Fault> {
        let cell = self.doors.lock().await.entry(access.socket.clone()).or_default().clone();
        let open = || door::open(&self.engine, &self.session, &self.plan.probe_image, access);
        cell.get_or_try_init(open).await.copied()
    }

    /// A second filtered engine that shows each container of `services` so many times more: a
    /// program that chooses one of a container's addresses at random then shows all those that
    /// it may choose. Gives the volume of the first and that of the second, which takes its
    /// place in a twin's mounts; `None` when no service asks for the engine's socket.
    pub async fn amplified_engine(
        &self,
        services: &[String],
        times: u32,
    ) -> Result<Option<(String, String)>, Fault> {
        let Some(access) = self.plan.model.engine() else { return Ok(None) };
        let mut second = access.clone();
        second.view.amplify = services.iter().map(|s| (s.clone(), times)).collect();
        second.socket =
            format!("{}-x-{}-{}", access.socket, services.first().map_or("", String::as_str), services.len());
        second.stand_ins = None;
        second.view.hidden_volumes.insert(second.socket.clone());
        self.open_door(&second).await?;
        Ok(Some((access.socket.clone(), second.socket)))
    }

    /// Waits until these services (all of the model when empty) are as they should be, or certainly
    /// will not be.
    pub async fn settle(
        &self,
        only: &[String],
        compose_error: Option<String>,
        deadline: Duration,
    ) -> Result<BringUp, Fault> {
        let start = Instant::now();
        loop {
            let looked = Instant::now();
            let (pending, not_ready) = self.unsettled(only).await?;
            let late = start.elapsed() > deadline;
            if pending.is_empty() || late || compose_error.is_some() {
                let mut not_ready = not_ready;
                for (service, why) in pending {
                    let seconds = deadline.as_secs();
                    let why = if compose_error.is_some() { why } else { format!("{why} après {seconds} s") };
                    not_ready.entry(service).or_insert(why);
                }
                return Ok(BringUp { build_failed: None, not_ready, compose_error });
            }
            if let Some(broken) = self.watch.broken() {
                return Err(from_text("le suivi des événements", &broken));
            }
            // What changes is an event; the other looks only guard against one that is never told.
            self.watch.next(LOOK_AGAIN).await;
            tokio::time::sleep(LOOKS_APART.saturating_sub(looked.elapsed())).await;
        }
    }

    /// Services still on their way, and services that failed, each with the French reason.
    async fn unsettled(
        &self,
        only: &[String],
    ) -> Result<(BTreeMap<String, String>, BTreeMap<String, String>), Fault> {
        let mut pending = BTreeMap::new();
        let mut failed = BTreeMap::new();
        let events = self.watch.of_project(self.project());
        let services = self.plan.model.services().keys();
        let services: Vec<String> =
            services.filter(|s| only.is_empty() || only.contains(s)).cloned().collect();
        let mut all = self.all_instances().await?;
        for service in services {
            let instances = all.remove(&service).unwrap_or_default();
            if instances.is_empty() {
                pending.insert(service.clone(), "jamais créé".to_owned());
                continue;
            }
            for instance in instances {
                let deaths = events
                    .iter()
                    .filter(|e| e.container == instance.id && matches!(e.what, Happening::Died(_)));
                let deaths = deaths.count();
                match (instance.state, instance.health, instance.exit_code) {
                    (State::Exited, _, Some(0)) => {}
                    (State::Exited, _, code) => {
                        let code = code.unwrap_or(-1);
                        failed.insert(service.clone(), format!("sorti avec le code {code}"));
                    }
                    (_, _, code) if deaths >= 3 => {
                        let code = code.unwrap_or(-1);
                        failed.insert(service.clone(), format!("redémarre sans cesse (code {code})"));
                    }
                    (State::Running, Some(Health::Unhealthy), _) => {
                        failed.insert(service.clone(), "en mauvaise santé (unhealthy)".to_owned());
                    }
                    (State::Running, Some(Health::Starting), _) => {
                        pending.insert(service.clone(), "toujours pas en bonne santé".to_owned());
                    }
                    (State::Running, Some(Health::Healthy) | None, _) => {}
                    (State::Created, _, _) => {
                        pending.insert(service.clone(), "créé, mais pas démarré".to_owned());
                    }
                    (State::Restarting, _, code) => {
                        pending.insert(service.clone(), format!("redémarre (code {})", code.unwrap_or(-1)));
                    }
                    (State::Paused, _, _) => {
                        pending.insert(service.clone(), "en pause".to_owned());
                    }
                }
            }
        }
        Ok((pending, failed))
    }

    /// Removes this copy, as far as it can: the end of the session does the rest and proves it.
    pub async fn down(&self) {
        super::sweep::project(&self.engine, &self.session.id, self.project()).await;
    }

    /// The probe of a seat, started the first time. `key` names the seat in this incarnation.
    pub(super) async fn probe(&self, key: &str, seat: Seat) -> Result<Arc<Probe>, Fault> {
        for _ in 0..2 {
            let cell = self.probes.lock().await.entry(key.to_owned()).or_default().clone();
            let probe = cell
                .get_or_try_init(|| async {
                    Probe::start(&self.engine, &self.session, &self.plan.probe_image, &seat)
                        .await
                        .map(Arc::new)
                })
                .await?
                .clone();
            if probe.is_alive() {
                return Ok(probe);
            }
            self.probes.lock().await.remove(key);
        }
        Err(Fault::new(FaultKind::Probe, "la sonde s'arrête aussitôt démarrée", "relancez"))
    }

    /// Probe inside a service, re-attached when its container was restarted or replaced.
    pub(super) async fn probe_inside(&self, service: &str) -> Result<Arc<Probe>, Fault> {
        let Some(instance) = self.running(service).await? else {
            return Err(Fault::new(
                FaultKind::Probe,
                format!("le service « {service} » n'est pas en marche : impossible d'y placer une sonde"),
                "voyez pourquoi il ne démarre pas",
            ));
        };
        let breakable = self.plan.breakable.iter().any(|s| s == service);
        let starts = self
            .watch
            .of_project(self.project())
            .iter()
            .filter(|e| e.container == instance.id && e.what == Happening::Started)
            .count();
        let seat =
            if breakable { Seat::Breaker(instance.id.clone()) } else { Seat::Inside(instance.id.clone()) };
        self.probe(&format!("in:{}:{starts}", instance.id), seat).await
    }

    /// Puts probes inside these services as soon as each starts; returns once `done` says so and
    /// the probes under way are in place. Faults show when a probe is used.
    pub async fn warm_as_started(&self, services: &[String], mut done: tokio::sync::watch::Receiver<bool>) {
        let mut under_way = futures_util::stream::FuturesUnordered::new();
        let mut warmed: Vec<&String> = Vec::new();
        loop {
            let events = self.watch.of_project(self.project());
            for service in services {
                let started = events.iter().any(|e| &e.service == service && e.what == Happening::Started);
                if started && !warmed.contains(&service) {
                    warmed.push(service);
                    under_way.push(self.probe_inside(service));
                }
            }
            if *done.borrow() || warmed.len() == services.len() {
                break;
            }
            tokio::select! {
                _ = under_way.next(), if !under_way.is_empty() => {}
                _ = done.changed() => {}
                () = self.watch.next(Duration::from_millis(100)) => {}
            }
        }
        while under_way.next().await.is_some() {}
    }
}

/// Writes a model down, with the copies that it mounts.
fn write(session: &Session, model: &SandboxedModel) -> Result<PathBuf, Fault> {
    let file = session.dir().join(format!("{}.json", model.project()));
    let text = serde_json::to_vec_pretty(model.file()).map_err(|e| {
        Fault::new(FaultKind::Bug, "le modèle réécrit ne s'écrit pas", "signalez ce défaut du correcteur")
            .detail(e)
    })?;
    std::fs::write(&file, text).map_err(|e| from_text("l'écriture du modèle réécrit", &e.to_string()))?;
    for copy in model.copies() {
        copy.make().map_err(|e| from_text("la copie d'un fichier monté", &e.to_string()))?;
    }
    Ok(file)
}
