//! A crash: the main process of a container is killed from outside. `docker kill` would not do: the engine takes it
//! for a wish of its user, and `unless-stopped` then leaves the container as it is.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{InspectContainerOptions, RemoveContainerOptionsBuilder};

use super::fault::engine_fault;
use super::stack::Stack;
use super::tool;
use crate::error::{Fault, FaultKind};

/// Ends the main process of a container.
pub(super) async fn end(stack: &Stack, container: &str) -> Result<(), Fault> {
    let docker = &stack.engine.docker;
    let seen = docker
        .inspect_container(container, None::<InspectContainerOptions>)
        .await
        .map_err(|e| engine_fault("l'inspection d'un conteneur", &e))?;
    let pid = seen.state.and_then(|state| state.pid).filter(|pid| *pid > 1);
    let pid = pid.ok_or_else(|| fault("le conteneur n'est pas en marche"))?;
    let info = docker.info().await.map_err(|e| engine_fault("la lecture de ses réglages", &e))?;
    let remapped = info.security_options.iter().flatten().any(|option| option.contains("name=userns"));
    let mut labels: HashMap<String, String> = stack.session.labels().clone().into_iter().collect();
    labels.insert("tp-docker.role".into(), "crash".into());
    let body = ContainerCreateBody {
        image: Some(stack.plan.probe_image.clone()),
        cmd: Some(["kill", "--pid", &pid.to_string(), "--container", container].map(str::to_owned).to_vec()),
        labels: Some(labels),
        host_config: Some(HostConfig {
            // The numbers of processes that the engine tells are those of its own machine.
            pid_mode: Some("host".into()),
            userns_mode: remapped.then(|| "host".into()),
            network_mode: Some("none".into()),
            cap_drop: Some(vec!["ALL".into()]),
            cap_add: Some(vec!["KILL".into()]),
            readonly_rootfs: Some(true),
            memory: Some(32 << 20),
            pids_limit: Some(16),
            security_opt: Some(vec!["no-new-privileges".into()]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let made = docker.create_container(None, body).await;
    let id = made.map_err(|e| engine_fault("la création d'un outil", &e))?.id;
    let done = async {
        docker.start_container(&id, None).await.map_err(|e| engine_fault("le démarrage d'un outil", &e))?;
        let code = tool::ended(&stack.engine, &id).await?;
        let (_, err) = tool::said(&stack.engine, &id).await?;
        match code {
            0 => Ok(()),
            _ => Err(fault(String::from_utf8_lossy(&err).trim())),
        }
    }
    .await;
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    // Should this fail, the container is labelled: the sweep of the session removes it.
    let _ = docker.remove_container(&id, Some(force)).await;
    done
}

fn fault(detail: &str) -> Fault {
    Fault::new(FaultKind::Probe, "le processus d'un conteneur n'a pas pu être tué", "relancez").detail(detail)
}
