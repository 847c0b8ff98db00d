//! The [`World`] of a running copy: engine and probes behind the trait that checks know.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
    StopContainerOptionsBuilder,
};
use futures_util::future::try_join_all;
use grader_probe::wire;

use super::build::{BuildRequest, build};
use super::fault::{engine_fault, is_gone};
use super::probe::Seat;
use super::stack::Stack;
use super::tool::{self, Toolbox};
use super::tree::{alter, list_tree};
use crate::check::deep::{Dotenv, Drawn};
use crate::check::world::{
    Alteration, BringUp, BuildOutcome, Declared, HealthRun, HostAnswer, Instance, RelaySeen, StackEvent,
    State, ToolOutcome, ToolRun, TwinPlan, Vantage, World,
};
use crate::compose::{SourceMap, Staged};
use crate::error::{Fault, FaultKind};
use crate::event::Place;

/// A running copy as checks see it.
pub struct StackWorld {
    /// The copy.
    pub stack: Arc<Stack>,
    /// What the student declared.
    pub declared: Arc<Declared>,
    /// Positions in the student's files.
    pub sources: Arc<SourceMap>,
    /// The staged submission.
    pub staged: Arc<Staged>,
    /// How the copy came up.
    pub bring_up: BringUp,
    /// Secret of the run.
    pub seed: u64,
    /// Times are measured as they are.
    pub real_time: bool,
    /// Where the images of tools come from.
    pub toolbox: Arc<Toolbox>,
    /// Official images that the submission's Dockerfiles start from.
    pub starts: Vec<String>,
    /// The secret drawn for this run.
    pub drawn: Option<Arc<Drawn>>,
    /// The `.env` of this run.
    pub dotenv: Option<Arc<Dotenv>>,
}

impl StackWorld {
    /// Puts the probes of these vantage points in place, all at once; faults show when they are used.
    pub async fn warm(&self, seats: &[Vantage]) {
        futures_util::future::join_all(seats.iter().map(|seat| self.seat(seat))).await;
    }

    async fn seat(&self, from: &Vantage) -> Result<Arc<super::probe::Probe>, Fault> {
        match from {
            Vantage::Service(service) => self.stack.probe_inside(service).await,
            Vantage::Network(key) | Vantage::Address(key, _) => {
                let Some(network) = self.stack.plan.model.networks().get(key) else {
                    return Err(Fault::new(
                        FaultKind::Probe,
                        format!("le réseau « {key} » n'est pas déclaré"),
                        "corrigez le fichier Compose",
                    ));
                };
                let name = network.name.clone();
                match from {
                    Vantage::Address(_, ip) => {
                        self.stack.probe(&format!("net:{key}:{ip}"), Seat::Address(name, *ip)).await
                    }
                    _ => self.stack.probe(&format!("net:{key}"), Seat::Network(name)).await,
                }
            }
            Vantage::DefaultBridge => {
                let name = format!("tp-{}-b", self.stack.project());
                self.stack.probe("bridge:b", Seat::DefaultBridge(name)).await
            }
            Vantage::Twin(name) => self.stack.probe_twin(name).await,
        }
    }

    async fn running(&self, service: &str) -> Result<Instance, Fault> {
        self.stack.running(service).await?.ok_or_else(|| {
            Fault::new(FaultKind::Engine, format!("le service « {service} » n'est pas en marche"), "relancez")
        })
    }

    async fn kill(&self, id: &str, signal: &str) -> Result<(), Fault> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        self.stack
            .engine
            .docker
            .kill_container(id, Some(options))
            .await
            .map_err(|e| engine_fault("l'envoi d'un signal", &e))
    }

    /// Suspends or resumes every process of a service and its loopback interface.
    async fn set_frozen(&self, service: &str, frozen: bool) -> Result<i64, Fault> {
        let instance = self.running(service).await?;
        let probe = self.stack.probe_inside(service).await?;
        let signal = if frozen { wire::SignalName::Stop } else { wire::SignalName::Cont };
        let signal_all = wire::Ask::SignalAll(wire::SignalAll { signal, timeout_ms: 5_000 });
        let link = wire::Ask::Link(wire::Link { name: "lo".into(), up: !frozen, timeout_ms: 5_000 });
        let pid1 = if frozen { "SIGSTOP" } else { "SIGCONT" };
        let sockets = wire::Ask::Sockets(wire::Sockets { hidden: frozen, timeout_ms: 5_000 });
        let (a, b, c, d) = tokio::join!(
            probe.ask(signal_all),
            self.kill(&instance.id, pid1),
            probe.ask(link),
            probe.ask(sockets)
        );
        b?;
        acknowledged(service, &[a?, c?, d?])
    }

    /// Suspends every process of a service, and nothing else.
    pub(super) async fn set_stopped(&self, service: &str) -> Result<i64, Fault> {
        let instance = self.running(service).await?;
        let probe = self.stack.probe_inside(service).await?;
        let stop =
            wire::Ask::SignalAll(wire::SignalAll { signal: wire::SignalName::Stop, timeout_ms: 5_000 });
        let (signalled, first) = tokio::join!(probe.ask(stop), self.kill(&instance.id, "SIGSTOP"));
        first?;
        acknowledged(service, &[signalled?])
    }
}

/// When the last of these was done, unix microseconds.
fn acknowledged(service: &str, answers: &[wire::Answer]) -> Result<i64, Fault> {
    let mut at = 0;
    for answer in answers {
        if let wire::Outcome::Failed(failure) = &answer.outcome {
            return Err(Fault::new(
                FaultKind::Probe,
                format!("la sonde n'a pas pu suspendre « {service} »"),
                "relancez ; si cela recommence, signalez ce défaut du correcteur",
            )
            .detail(&failure.message));
        }
        at = at.max(answer.at_us + answer.elapsed_us);
    }
    Ok(i64::try_from(at).unwrap_or(i64::MAX))
}

#[async_trait]
impl World for StackWorld {
    fn declared(&self) -> &Declared {
        &self.declared
    }

    fn place(&self, path: &[&str], label: &str) -> Option<Place> {
        self.sources.place(path, label)
    }

    fn place_alone(&self, path: &[&str], label: &str) -> Option<Place> {
        self.sources.place_alone(path, label)
    }

    fn place_in(&self, file: &str, needle: &str, label: &str) -> Option<Place> {
        self.sources.place_in(file, needle, label)
    }

    fn read(&self, file: &str) -> Option<String> {
        let path = self.staged.root.join(file);
        let meta = std::fs::metadata(&path).ok()?;
        if !meta.is_file() || meta.len() > 1 << 20 {
            return None;
        }
        std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        list_tree(&self.staged.root, "", 6, &mut found);
        found
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn shift_years(&self) -> Option<i32> {
        self.stack.plan.model.relay().map(|relay| relay.shift_years)
    }

    async fn relay_seen(&self) -> Result<Option<RelaySeen>, Fault> {
        let Some(relay) = self.stack.plan.model.relay() else { return Ok(None) };
        let log = self.stack.tail(&relay.service, 50).await?;
        Ok(log.lines().rev().find_map(|line| {
            let said: serde_json::Value = serde_json::from_str(line).ok()?;
            let said = said.get("relay")?;
            let number = |key: &str| said.get(key).and_then(serde_json::Value::as_u64).unwrap_or_default();
            Some(RelaySeen {
                connections: number("connections"),
                rows: number("rows"),
                shifted: number("shifted"),
            })
        }))
    }

    fn bring_up(&self) -> &BringUp {
        &self.bring_up
    }

    async fn instances(&self, service: &str) -> Result<Vec<Instance>, Fault> {
        self.stack.instances(service).await
    }

    async fn ask(&self, from: &Vantage, ask: wire::Ask) -> Result<wire::Answer, Fault> {
        let answer = self.seat(from).await?.ask(ask).await?;
        if let (Vantage::Twin(name), wire::Outcome::Failed(_)) = (from, &answer.outcome) {
            // A twin that has ended is our fault, whatever the answer says.
            self.stack.twin_alive(name).await?;
        }
        Ok(answer)
    }

    async fn ask_host(&self, address: SocketAddr, path: &str) -> Result<HostAnswer, Fault> {
        Ok(super::host::plain(address, path).await)
    }

    async fn ask_host_tls(&self, address: SocketAddr, host: &str, path: &str) -> Result<HostAnswer, Fault> {
        super::host::secure(address, host, path).await
    }

    fn project(&self) -> String {
        self.stack.project().to_owned()
    }

    async fn timeline(&self) -> Result<Vec<StackEvent>, Fault> {
        if let Some(broken) = self.stack.watch.broken() {
            return Err(super::fault::from_text("le suivi des événements", &broken));
        }
        let events = self.stack.watch.of_project(self.stack.project());
        Ok(events
            .into_iter()
            .filter(|e| !e.service.is_empty())
            .map(|e| StackEvent { at_us: e.at_us, service: e.service, what: e.what })
            .collect())
    }

    async fn health_log(&self, service: &str) -> Result<Vec<HealthRun>, Fault> {
        let Some(instance) = self.stack.instances(service).await?.into_iter().next() else {
            return Ok(Vec::new());
        };
        let seen = self
            .stack
            .engine
            .docker
            .inspect_container(&instance.id, None::<InspectContainerOptions>)
            .await
            .map_err(|e| engine_fault("la lecture de la santé", &e))?;
        let log = seen.state.and_then(|s| s.health).and_then(|h| h.log).unwrap_or_default();
        Ok(log
            .into_iter()
            .map(|run| HealthRun {
                started_us: run.start.as_ref().map_or(0, unix_us),
                ended_us: run.end.as_ref().map_or(0, unix_us),
                exit_code: run.exit_code.unwrap_or(-1),
                output: run.output.unwrap_or_default(),
            })
            .collect())
    }

    async fn freeze(&self, service: &str) -> Result<i64, Fault> {
        self.stack.note_disturbed(service, true);
        self.set_frozen(service, true).await
    }

    async fn thaw(&self, service: &str) -> Result<(), Fault> {
        self.set_frozen(service, false).await?;
        self.stack.note_disturbed(service, false);
        Ok(())
    }

    async fn stop(&self, service: &str) -> Result<Option<i64>, Fault> {
        self.stack.note_disturbed(service, true);
        let docker = &self.stack.engine.docker;
        let instances = self.stack.instances(service).await?;
        let ended = try_join_all(instances.iter().map(|instance| async move {
            let now = StopContainerOptionsBuilder::new().t(0).build();
            docker.stop_container(&instance.id, Some(now)).await?;
            let seen = docker.inspect_container(&instance.id, None::<InspectContainerOptions>).await?;
            // One that had ended before was not ended now.
            Ok((instance.state != State::Exited).then_some(seen))
        }))
        .await
        .map_err(|e| engine_fault("l'arrêt d'un conteneur", &e))?;
        let ended = ended.into_iter().flatten().filter_map(|seen| seen.state?.finished_at?.parse().ok());
        Ok(ended.map(jiff::Timestamp::as_microsecond).filter(|at| *at > 0).min())
    }

    async fn start(&self, service: &str) -> Result<(), Fault> {
        for instance in self.stack.instances(service).await? {
            let started = self.stack.engine.docker.start_container(&instance.id, None).await;
            started.map_err(|e| engine_fault("le démarrage d'un conteneur", &e))?;
        }
        self.stack.note_disturbed(service, false);
        Ok(())
    }

    async fn recreate(&self, service: &str) -> Result<bool, Fault> {
        self.stack.remove_service(service).await?;
        let error = self.stack.up(&[service.to_owned()], true).await?;
        if error.is_some() {
            return Ok(false);
        }
        let up = self.stack.settle(&[service.to_owned()], None, Duration::from_secs(60)).await?;
        Ok(!up.not_ready.contains_key(service))
    }

    async fn exists(&self, service: &str, path: &str) -> Result<bool, Fault> {
        let Some(instance) = self.stack.instances(service).await?.into_iter().next() else {
            return Ok(false);
        };
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        match self.stack.engine.docker.get_container_archive_info(&instance.id, Some(options)).await {
            Ok(_) => Ok(true),
            Err(e) if is_gone(&e) => Ok(false),
            Err(e) => Err(engine_fault("la recherche d'un fichier dans l'image", &e)),
        }
    }

    async fn read_inside(&self, service: &str, path: &str) -> Result<Option<String>, Fault> {
        let instance = self.running(service).await?;
        super::files::read(&self.stack.engine, &instance.id, path).await
    }

    async fn list_inside(&self, service: &str, dir: &str) -> Result<Option<Vec<String>>, Fault> {
        let instance = self.running(service).await?;
        super::files::list(&self.stack.engine, &instance.id, dir).await
    }

    async fn twin(&self, plan: TwinPlan) -> Result<(), Fault> {
        self.stack.twin(&plan).await
    }

    fn real_time(&self) -> bool {
        self.real_time
    }

    async fn rebuild(&self, service: &str, change: Alteration) -> Result<BuildOutcome, Fault> {
        let Some(request) = self.stack.plan.builds.get(service) else {
            return Err(Fault::new(
                FaultKind::Bug,
                "service sans construction",
                "signalez ce défaut du correcteur",
            ));
        };
        let scratch = tempfile::Builder::new()
            .prefix("rebuild-")
            .tempdir_in(self.stack.session.dir())
            .map_err(|e| super::fault::from_text("la copie du contexte", &e.to_string()))?;
        let (context, dockerfile) = alter(request, scratch.path(), &change)
            .map_err(|e| super::fault::from_text("la copie du contexte", &e.to_string()))?;
        let request = BuildRequest { context, dockerfile, tag: None, ..request.clone() };
        build(&self.stack.engine, &self.stack.session, &request).await
    }

    async fn logs(&self, service: &str, lines: usize) -> Result<String, Fault> {
        self.stack.tail(service, lines).await
    }

    async fn quiet(&self, calm: Duration, patience: Duration) -> Result<bool, Fault> {
        Ok(self.stack.watch.quiet(calm, patience).await)
    }

    async fn default_bridge_resolves(&self) -> Result<bool, Fault> {
        let name = format!("tp-{}-a", self.stack.project());
        let (a, b) = tokio::join!(
            self.stack.probe("bridge:a", Seat::DefaultBridge(name.clone())),
            self.seat(&Vantage::DefaultBridge)
        );
        a?;
        let answer =
            b?.ask(wire::Ask::Dns(wire::Dns { tries: 1, timeout_ms: 2_000, ..wire::Dns::a(name) })).await?;
        Ok(matches!(answer.outcome, wire::Outcome::Dns(dns) if dns.status == wire::DnsStatus::Records))
    }

    async fn tool(&self, run: ToolRun) -> Result<ToolOutcome, Fault> {
        tool::run(&self.stack.engine, &self.stack.session, &self.toolbox, &run).await
    }
}

/// The engine's date as unix microseconds; its text form keeps nanoseconds.
fn unix_us(date: &bollard::models::BollardDate) -> i64 {
    date.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_microsecond)
}
