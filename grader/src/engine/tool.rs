//! Running a program of a lab image on texts of ours or of the student's: a throwaway container
//! without network, read-only but for its scratch, killed at its deadline.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions,
};
use bollard::query_parameters::{
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bollard::{body_full, container::LogOutput, errors::Error};
use futures_util::StreamExt;
use tokio::sync::Mutex;

use super::connect::Engine;
use super::fault::{engine_fault, from_text};
use super::images::{ImagePolicy, Resolved, ensure_images};
use super::recipe::recipes;
use super::session::Session;
use crate::check::world::{ToolOutcome, ToolRun};
use crate::error::{Fault, FaultKind};

/// Bytes of output kept of each stream; the rest is dropped.
const KEEP: usize = 512 * 1024;
/// Bytes of memory of a tool, its scratch included.
const MEMORY: i64 = 768 * 1024 * 1024;

/// Where the images of tools come from.
pub struct Toolbox {
    recipes: PathBuf,
    policy: ImagePolicy,
    ids: Mutex<HashMap<String, String>>,
}

impl Toolbox {
    /// Images by the rules of the run: local, else pulled, else made from these recipes.
    pub fn new(recipes: PathBuf, policy: ImagePolicy) -> Self {
        Self { recipes, policy, ids: Mutex::default() }
    }

    /// Id of the local image that stands for an official name.
    pub(super) async fn image(
        &self,
        engine: &Engine,
        session: &Session,
        name: &str,
    ) -> Result<String, Fault> {
        let mut ids = self.ids.lock().await;
        if let Some(id) = ids.get(name) {
            return Ok(id.clone());
        }
        let recipes = recipes(&self.recipes)?;
        let wanted = [name.to_owned()];
        let ready = ensure_images(engine, session, &wanted, &recipes, self.policy, &|_, _| {}).await?;
        match ready.into_iter().next() {
            Some(Resolved::Ready(used)) => {
                ids.insert(name.to_owned(), used.id.clone());
                Ok(used.id)
            }
            Some(Resolved::Unknown { detail, .. } | Resolved::Unavailable { detail, .. }) => Err(Fault::new(
                FaultKind::Image,
                format!("l'image « {name} », dont le correcteur a besoin, ne peut pas être obtenue"),
                "vérifiez la connexion au registre, ou construisez les images hors ligne : grader images build",
            )
            .detail(detail)),
            None => Err(Fault::new(FaultKind::Bug, "aucune image rendue", "signalez ce défaut du correcteur")),
        }
    }
}

/// Runs a tool and removes its container, whatever happens.
pub(super) async fn run(
    engine: &Engine,
    session: &Session,
    toolbox: &Toolbox,
    ask: &ToolRun,
) -> Result<ToolOutcome, Fault> {
    let image = toolbox.image(engine, session, &ask.image).await?;
    let created = engine
        .docker
        .create_container(None, body(session, &image, ask))
        .await
        .map_err(|e| engine_fault("la création d'un outil", &e))?;
    let deadline = tokio::time::timeout(ask.deadline, work(engine, &created.id, ask)).await;
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    // Should this fail, the container is labelled: the sweep of the session removes it.
    let _ = engine.docker.remove_container(&created.id, Some(force)).await;
    deadline.unwrap_or_else(|_| {
        let name = ask.command.first().map_or("", String::as_str);
        Err(Fault::new(
            FaultKind::Deadline,
            format!("« {name} » n'a pas fini en {} s", ask.deadline.as_secs()),
            "relancez quand la machine est moins chargée",
        ))
    })
}

/// The container: no network, no right, read-only; inputs in a volume of its own, filled before the
/// start with files of root that the tool, an ordinary user, cannot change.
fn body(session: &Session, image: &str, ask: &ToolRun) -> ContainerCreateBody {
    let mut labels: HashMap<String, String> = session.labels().clone().into_iter().collect();
    labels.insert("tp-docker.role".into(), "tool".into());
    let work = Mount {
        target: Some("/work".into()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: Some(labels.clone()),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    let log = HostConfigLogConfig {
        typ: Some("local".into()),
        config: Some(HashMap::from([
            ("max-size".into(), "4m".into()),
            ("max-file".into(), "1".into()),
            ("compress".into(), "false".into()),
        ])),
    };
    let host = HostConfig {
        network_mode: Some("none".into()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        memory: Some(MEMORY),
        memory_swap: Some(MEMORY),
        nano_cpus: Some(2_000_000_000),
        pids_limit: Some(128),
        mounts: Some(vec![work]),
        tmpfs: Some(HashMap::from([("/tmp".into(), "rw,noexec,nosuid,nodev,size=256m".into())])),
        log_config: Some(log),
        ..HostConfig::default()
    };
    let mut command = ask.command.iter().cloned();
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(command.next().into_iter().collect()),
        cmd: Some(command.collect()),
        working_dir: Some("/work".into()),
        user: Some("65534:65534".into()),
        labels: Some(labels),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// Fills `/work`, starts, waits and reads what was said.
async fn work(engine: &Engine, id: &str, ask: &ToolRun) -> Result<ToolOutcome, Fault> {
    let docker = &engine.docker;
    let archive =
        archive(&ask.files).map_err(|e| from_text("l'écriture des fichiers d'un outil", &e.to_string()))?;
    let there = UploadToContainerOptionsBuilder::new().path("/work").build();
    docker
        .upload_to_container(id, Some(there), body_full(archive.into()))
        .await
        .map_err(|e| engine_fault("la copie des fichiers d'un outil", &e))?;
    docker.start_container(id, None).await.map_err(|e| engine_fault("le démarrage d'un outil", &e))?;
    let code = ended(engine, id).await?;
    let (out, err) = said(engine, id).await?;
    let mut output = String::from_utf8_lossy(&out).into_owned();
    output.push_str(&String::from_utf8_lossy(&err));
    Ok(ToolOutcome { code, output })
}

/// Waits for the end of a container, and gives its code.
pub(super) async fn ended(engine: &Engine, id: &str) -> Result<i64, Fault> {
    let docker = &engine.docker;
    Ok(match docker.wait_container(id, None).next().await {
        Some(Ok(ended)) => ended.status_code,
        Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
        Some(Err(e)) => return Err(engine_fault("l'attente d'un outil", &e)),
        None => return Err(from_text("l'attente d'un outil", "no answer")),
    })
}

/// What a container has said on its standard output and on its standard error, each cut.
pub(super) async fn said(engine: &Engine, id: &str) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let docker = &engine.docker;
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
    let mut stream = docker.logs(id, Some(options));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(chunk) = stream.next().await {
        match chunk.map_err(|e| engine_fault("la lecture de ce que dit un outil", &e))? {
            LogOutput::StdErr { message } => keep(&mut err, &message),
            other => keep(&mut out, &other.into_bytes()),
        }
    }
    Ok((out, err))
}

fn keep(text: &mut Vec<u8>, more: &[u8]) {
    let room = KEEP.saturating_sub(text.len()).min(more.len());
    text.extend_from_slice(&more[..room]);
}

/// A tar of these files, readable by all, writable by none but root.
fn archive(files: &BTreeMap<String, String>) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o444);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, name, text.as_bytes())?;
    }
    tar.into_inner()
}
