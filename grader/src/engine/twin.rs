//! Twins: a second container like a service's, for experiments that must not touch the first.

mod body;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{CreateContainerOptionsBuilder, InspectContainerOptions, LogsOptionsBuilder};
use futures_util::StreamExt;

use super::fault::{engine_fault, from_text};
use super::probe::{Probe, Seat};
use super::stack::Stack;
use crate::check::world::TwinPlan;
use crate::error::{Fault, FaultKind};

/// How many times more a twin sees a service's container when a choice left to chance must show:
/// two networks drawn 25 times show both but once in sixteen million. With several services they
/// share them, down to a number that is still enough.
const CLONES: usize = 24;
const FEWEST_CLONES: usize = 12;

impl Stack {
    /// Starts a twin, known by its name from then on.
    pub(super) async fn twin(&self, plan: &TwinPlan) -> Result<(), Fault> {
        let id = start(self, plan).await?;
        self.twins.lock().await.insert(plan.name.clone(), id);
        Ok(())
    }

    /// Container of a twin.
    pub(super) async fn twin_id(&self, name: &str) -> Result<String, Fault> {
        self.twins.lock().await.get(name).cloned().ok_or_else(|| {
            Fault::new(
                FaultKind::Bug,
                format!("le jumeau « {name} » n'a jamais été démarré"),
                "signalez ce défaut du correcteur",
            )
        })
    }

    /// Probe inside a twin.
    pub(super) async fn probe_twin(&self, name: &str) -> Result<Arc<Probe>, Fault> {
        let id = self.twin_id(name).await?;
        match self.probe(&format!("twin:{id}"), Seat::Inside(id.clone())).await {
            Ok(probe) => Ok(probe),
            Err(fault) => check_alive(self, name, &id).await.and(Err(fault)),
        }
    }

    /// A fault when a twin is not running.
    pub(super) async fn twin_alive(&self, name: &str) -> Result<(), Fault> {
        let id = self.twins.lock().await.get(name).cloned();
        match id {
            Some(id) => check_alive(self, name, &id).await,
            None => Ok(()),
        }
    }
}

/// Starts a twin and gives its container's id.
async fn start(stack: &Stack, plan: &TwinPlan) -> Result<String, Fault> {
    let Some(instance) = stack.running(&plan.service).await? else {
        return Err(Fault::new(
            FaultKind::Engine,
            format!("« {} » n'est pas en marche : il ne peut pas être doublé", plan.service),
            "voyez pourquoi il ne démarre pas",
        ));
    };
    let docker = &stack.engine.docker;
    let seen = docker
        .inspect_container(&instance.id, None::<InspectContainerOptions>)
        .await
        .map_err(|e| engine_fault("l'inspection d'un conteneur", &e))?;
    let dir = stack.session.dir().join(format!("{}-twin-{}", stack.project(), slug(&plan.name)));
    let files = write_files(&dir, &plan.files)
        .map_err(|e| from_text("l'écriture des fichiers d'un jumeau", &e.to_string()))?;
    let mut labels: HashMap<String, String> = stack.session.labels().clone().into_iter().collect();
    labels.insert("tp-docker.role".into(), "twin".into());
    let name = format!("{}-twin-{}", stack.project(), slug(&plan.name));
    let written = copied(stack, &plan.service, &seen, &plan.files);
    let mut body = body::of(seen, plan, files, labels);
    let times = CLONES.checked_div(plan.amplify.len()).map_or(0, |n| n.max(FEWEST_CLONES));
    if times > 0
        && let Some((shown, multiplied)) =
            stack.amplified_engine(&plan.amplify, u32::try_from(times).unwrap_or(1)).await?
    {
        let mounts = body.host_config.iter_mut().flat_map(|h| h.mounts.iter_mut().flatten());
        for mount in mounts.filter(|m| m.source.as_ref() == Some(&shown)) {
            mount.source = Some(multiplied.clone());
        }
    }
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    let created = docker
        .create_container(Some(options), body)
        .await
        .map_err(|e| engine_fault("la création d'un jumeau", &e))?;
    super::files::carry(&stack.engine, (&instance.id, &created.id), &written).await?;
    docker
        .start_container(&created.id, None)
        .await
        .map_err(|e| engine_fault("le démarrage d'un jumeau", &e))?;
    Ok(created.id)
}

/// Files that Compose copied into the container of a service: configurations and secrets that it does not mount,
/// because their content is in the Compose file or in a variable.
fn copied(
    stack: &Stack,
    service: &str,
    seen: &ContainerInspectResponse,
    given: &BTreeMap<String, String>,
) -> Vec<String> {
    let declared = &stack.plan.model.file()["services"][service];
    let mounted: Vec<&str> = seen.mounts.iter().flatten().filter_map(|m| m.destination.as_deref()).collect();
    let families = [("configs", "/"), ("secrets", "/run/secrets/")];
    let all = families.iter().flat_map(|(family, folder)| {
        declared[*family].as_array().into_iter().flatten().filter_map(move |one| {
            let source = one.as_str().or_else(|| one["source"].as_str())?;
            let target = one["target"].as_str().filter(|target| !target.is_empty()).unwrap_or(source);
            Some(if target.starts_with('/') { target.to_owned() } else { format!("{folder}{target}") })
        })
    });
    all.filter(|path| !mounted.contains(&path.as_str()) && !given.contains_key(path)).collect()
}

/// A fault that says why a twin is not running, with the end of its log.
async fn check_alive(stack: &Stack, name: &str, id: &str) -> Result<(), Fault> {
    let docker = &stack.engine.docker;
    let seen = docker
        .inspect_container(id, None::<InspectContainerOptions>)
        .await
        .map_err(|e| engine_fault("l'inspection d'un jumeau", &e))?;
    if seen.state.and_then(|s| s.running) == Some(true) {
        return Ok(());
    }
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("15").build();
    let mut stream = docker.logs(id, Some(options));
    let mut log = String::new();
    while let Some(Ok(chunk)) = stream.next().await {
        log.push_str(&String::from_utf8_lossy(&chunk.into_bytes()));
        if log.len() > 16 * 1024 {
            break;
        }
    }
    Err(Fault::new(
        FaultKind::Probe,
        format!("le jumeau « {name} » s'est arrêté"),
        "relancez ; si cela recommence, signalez ce défaut du correcteur",
    )
    .detail(log))
}

fn slug(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Writes the files where the engine can bind them; gives path inside to path outside.
fn write_files(dir: &Path, files: &BTreeMap<String, String>) -> std::io::Result<Vec<(String, String)>> {
    std::fs::create_dir_all(dir)?;
    let mut written = Vec::new();
    for (index, (inside, content)) in files.iter().enumerate() {
        let outside = dir.join(index.to_string());
        std::fs::write(&outside, content)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Read by the container's own user.
            std::fs::set_permissions(&outside, std::fs::Permissions::from_mode(0o444))?;
        }
        written.push((inside.clone(), outside.display().to_string()));
    }
    Ok(written)
}
