//! Probes: one long-lived container per vantage point, driven over its attached stdio.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, NetworkingConfig,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures_util::StreamExt;
use grader_probe::wire;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::JoinHandle;

use super::connect::Engine;
use super::fault::engine_fault;
use super::session::Session;
use crate::error::{Fault, FaultKind};

/// Where a probe is put.
#[derive(Clone, Debug)]
pub(super) enum Seat {
    /// In the network namespace of a container.
    Inside(String),
    /// In the network and pid namespaces of a container, with the right to break it.
    Breaker(String),
    /// On a network, by its real name.
    Network(String),
    /// The same, at this address.
    Address(String, Ipv4Addr),
    /// On the default bridge, under this container name.
    DefaultBridge(String),
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<wire::Answer>>>>;

/// A running probe.
pub(super) struct Probe {
    input: AsyncMutex<Pin<Box<dyn AsyncWrite + Send>>>,
    waiting: Waiting,
    next: AtomicU64,
    reader: JoinHandle<()>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn fault(what: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Probe, what, "relancez ; si cela recommence, signalez ce défaut du correcteur")
}

impl Probe {
    /// Starts a probe and waits for its first line.
    pub async fn start(engine: &Engine, session: &Session, image: &str, seat: &Seat) -> Result<Self, Fault> {
        let docker = &engine.docker;
        let mut host = HostConfig {
            cap_drop: Some(vec!["ALL".into()]),
            memory: Some(128 * 1024 * 1024),
            pids_limit: Some(64),
            readonly_rootfs: Some(true),
            security_opt: Some(vec!["no-new-privileges".into()]),
            ..HostConfig::default()
        };
        let (mut name, mut place) = (None, None);
        match seat {
            Seat::Inside(id) => host.network_mode = Some(format!("container:{id}")),
            Seat::Breaker(id) => {
                host.network_mode = Some(format!("container:{id}"));
                host.pid_mode = Some(format!("container:{id}"));
                // To reach the files of a service that runs as another user.
                let rights = ["NET_ADMIN", "KILL", "SYS_PTRACE", "DAC_OVERRIDE"];
                host.cap_add = Some(rights.map(str::to_owned).to_vec());
            }
            Seat::Network(network) => host.network_mode = Some(network.clone()),
            Seat::Address(network, ip) => {
                host.network_mode = Some(network.clone());
                let ipam = EndpointIpamConfig {
                    ipv4_address: Some(ip.to_string()),
                    ..EndpointIpamConfig::default()
                };
                let endpoint = EndpointSettings { ipam_config: Some(ipam), ..EndpointSettings::default() };
                let endpoints = HashMap::from([(network.clone(), endpoint)]);
                place = Some(NetworkingConfig { endpoints_config: Some(endpoints) });
            }
            Seat::DefaultBridge(own) => {
                host.network_mode = Some("bridge".into());
                name = Some(own.clone());
            }
        }
        let mut labels: HashMap<String, String> = session.labels().clone().into_iter().collect();
        labels.insert("tp-docker.role".into(), "probe".into());
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(vec!["serve".into()]),
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            labels: Some(labels),
            host_config: Some(host),
            networking_config: place,
            ..ContainerCreateBody::default()
        };
        let mut options = CreateContainerOptionsBuilder::new();
        if let Some(name) = &name {
            options = options.name(name);
        }
        let created = docker
            .create_container(Some(options.build()), body)
            .await
            .map_err(|e| engine_fault("la création d'une sonde", &e))?;
        let attach =
            AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
        let attached = docker
            .attach_container(&created.id, Some(attach))
            .await
            .map_err(|e| engine_fault("l'attache à une sonde", &e))?;
        docker
            .start_container(&created.id, None)
            .await
            .map_err(|e| engine_fault("le démarrage d'une sonde", &e))?;
        let waiting: Waiting = Arc::default();
        let (hello_tx, hello_rx) = oneshot::channel();
        let reader = tokio::spawn(read(attached.output, Arc::clone(&waiting), hello_tx));
        let probe = Self { input: AsyncMutex::new(attached.input), waiting, next: AtomicU64::new(1), reader };
        match tokio::time::timeout(Duration::from_secs(20), hello_rx).await {
            Ok(Ok(hello)) if hello.version == wire::VERSION => Ok(probe),
            Ok(Ok(hello)) => Err(fault(format!("la sonde parle la version {} du protocole", hello.version))),
            Ok(Err(_)) => Err(fault("la sonde s'est arrêtée avant sa première ligne")),
            Err(_) => Err(fault("la sonde n'a pas donné signe de vie en 20 s")),
        }
    }

    /// Asks one question. The probe has its own time limit; ours comes 10 s later.
    pub async fn ask(&self, ask: wire::Ask) -> Result<wire::Answer, Fault> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let patience = Duration::from_millis(ask.timeout_ms()) + Duration::from_secs(10);
        let line =
            wire::to_line(&wire::Request { id, ask }).map_err(|e| fault("question illisible").detail(e))?;
        let (tx, rx) = oneshot::channel();
        lock(&self.waiting).insert(id, tx);
        {
            let mut input = self.input.lock().await;
            let sent = async {
                input.write_all(line.as_bytes()).await?;
                input.flush().await
            };
            if let Err(e) = sent.await {
                lock(&self.waiting).remove(&id);
                return Err(fault("la sonde ne reçoit plus de questions").detail(e));
            }
        }
        match tokio::time::timeout(patience, rx).await {
            Ok(Ok(answer)) => match &answer.outcome {
                wire::Outcome::Failed(failure) if failure.kind.is_ours() => {
                    Err(fault("la sonde n'a pas pu mesurer").detail(&failure.message))
                }
                _ => Ok(answer),
            },
            Ok(Err(_)) => Err(fault("la sonde s'est arrêtée pendant une question")),
            Err(_) => {
                lock(&self.waiting).remove(&id);
                Err(fault(format!("la sonde n'a pas répondu en {} s", patience.as_secs())))
            }
        }
    }

    /// True while the probe's output is open.
    pub fn is_alive(&self) -> bool {
        !self.reader.is_finished()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Longest line accepted from a probe, in bytes.
const MAX_LINE: usize = 16 * 1024 * 1024;

async fn read(
    mut output: Pin<Box<dyn futures_util::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
    waiting: Waiting,
    hello: oneshot::Sender<wire::Hello>,
) {
    let mut hello = Some(hello);
    let mut buffer: Vec<u8> = Vec::new();
    while let Some(Ok(chunk)) = output.next().await {
        let LogOutput::StdOut { message } = chunk else { continue };
        buffer.extend_from_slice(&message);
        while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            match serde_json::from_slice::<wire::Line>(&line) {
                Ok(wire::Line::Hello(said)) => {
                    if let Some(tx) = hello.take() {
                        let _ = tx.send(said);
                    }
                }
                Ok(wire::Line::Reply(reply)) => {
                    if let Some(tx) = lock(&waiting).remove(&reply.id) {
                        let _ = tx.send(reply.answer);
                    }
                }
                Err(_) => {}
            }
        }
        if buffer.len() > MAX_LINE {
            break;
        }
    }
    lock(&waiting).clear();
}

/// Empties a directory of ours through a container, for files written by another user.
pub(super) async fn wipe(engine: &Engine, dir: &Path) {
    // Only offline or official busybox/alpine images can do this; without one the next sweep retries.
    for image in ["alpine:3", "busybox:latest", "alpine:latest"] {
        let body = ContainerCreateBody {
            image: Some(image.into()),
            cmd: Some(vec![
                "sh".into(),
                "-c".into(),
                "chmod -R a+rwX /sweep; rm -rf /sweep/* /sweep/.[!.]*".into(),
            ]),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}:/sweep", dir.display())]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let Ok(created) = engine.docker.create_container(None, body).await else { continue };
        let _ = engine.docker.start_container(&created.id, None).await;
        let mut wait = engine.docker.wait_container(&created.id, None);
        let _ = tokio::time::timeout(Duration::from_secs(30), wait.next()).await;
        let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let _ = engine.docker.remove_container(&created.id, Some(force)).await;
        return;
    }
}
