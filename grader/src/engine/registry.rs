//! Images of a run weighed, and published on a throwaway registry of ours, that the machine alone reaches.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, InspectContainerOptions, PushImageOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use futures_util::StreamExt;

use super::connect::Engine;
use super::fault::{engine_fault, from_text};
use super::world::StackWorld;
use crate::check::deep::{Back, Parcel, Weight};
use crate::error::Fault;

/// Port of the registry in its container.
const PORT: &str = "5000/tcp";
/// Longest wait for the registry to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Layers and bytes of an image.
async fn layers(engine: &Engine, image: &str) -> Result<(Vec<String>, u64), Fault> {
    let seen = engine.docker.inspect_image(image).await;
    let seen = seen.map_err(|e| engine_fault("l'examen d'une image", &e))?;
    let bytes = u64::try_from(seen.size.unwrap_or_default()).unwrap_or_default();
    Ok((seen.root_fs.and_then(|fs| fs.layers).unwrap_or_default(), bytes))
}

/// What an image weighs, beside the one of `starts` that it is built on.
pub(super) async fn weight(engine: &Engine, image: &str, starts: &[String]) -> Result<Weight, Fault> {
    let (own, bytes) = layers(engine, image).await?;
    let mut found = Weight { bytes, base: "rien".to_owned(), base_bytes: 0 };
    for start in starts {
        // A stage or an image that is not here: nothing is built on it.
        let Ok((below, base_bytes)) = layers(engine, start).await else { continue };
        if !below.is_empty() && own.starts_with(&below) && base_bytes > found.base_bytes {
            found = Weight { bytes, base: start.clone(), base_bytes };
        }
    }
    Ok(found)
}

/// Publishes images and pulls them back; the registry and the names are removed whatever happens.
pub(super) async fn publish(world: &StackWorld, image: &str, parcels: &[Parcel]) -> Result<Vec<Back>, Fault> {
    let stack = &world.stack;
    let docker = &stack.engine.docker;
    let id = world.toolbox.image(&stack.engine, &stack.session, image).await?;
    let created = docker.create_container(None, body(world, &id)).await;
    let created = created.map_err(|e| engine_fault("la création d'un registre", &e))?;
    let mut names: Vec<String> = Vec::new();
    let done = exchange(world, &created.id, parcels, &mut names).await;
    for name in &names {
        // One that is gone already is no trouble.
        let _ = docker.remove_image(name, Some(untag()), None).await;
    }
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    // Should this fail, the container is labelled: the sweep of the session removes it.
    let _ = docker.remove_container(&created.id, Some(force)).await;
    done
}

fn untag() -> bollard::query_parameters::RemoveImageOptions {
    RemoveImageOptionsBuilder::new().noprune(true).build()
}

/// The registry: on the default bridge, published on the loopback alone.
fn body(world: &StackWorld, image: &str) -> ContainerCreateBody {
    let mut labels: HashMap<String, String> = world.stack.session.labels().clone().into_iter().collect();
    labels.insert("tp-docker.role".into(), "registry".into());
    let binding = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(String::new()) };
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(labels),
        host_config: Some(HostConfig {
            port_bindings: Some(HashMap::from([(PORT.to_owned(), Some(vec![binding]))])),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            memory: Some(256 << 20),
            pids_limit: Some(128),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// Starts the registry and waits until it answers; gives its address.
async fn open(world: &StackWorld, container: &str) -> Result<SocketAddr, Fault> {
    let docker = &world.stack.engine.docker;
    docker
        .start_container(container, None)
        .await
        .map_err(|e| engine_fault("le démarrage d'un registre", &e))?;
    let seen = docker.inspect_container(container, None::<InspectContainerOptions>).await;
    let seen = seen.map_err(|e| engine_fault("l'inspection d'un registre", &e))?;
    let ports = seen.network_settings.and_then(|n| n.ports).unwrap_or_default();
    let bound = ports.get(PORT).cloned().flatten().and_then(|all| all.into_iter().next());
    let port: Option<u16> = bound.and_then(|b| b.host_port?.parse().ok());
    let Some(port) = port else { return Err(from_text("le démarrage d'un registre", "no published port")) };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let until = Instant::now() + PATIENCE;
    while super::host::plain(address, "/v2/").await.status != Some(200) {
        if Instant::now() >= until {
            return Err(from_text("le démarrage d'un registre", "no answer on /v2/"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(address)
}

/// Three tries: a busy engine loses a transfer now and then, and takes it up where it was.
async fn again<F, Fut>(make: F) -> Result<(), Fault>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<(), Fault>>,
{
    for _ in 0..2 {
        if make().await.is_ok() {
            return Ok(());
        }
    }
    make().await
}

/// Pushes all, forgets their names, pulls all back. `names` are those to be removed in the end.
async fn exchange(
    world: &StackWorld,
    container: &str,
    parcels: &[Parcel],
    names: &mut Vec<String>,
) -> Result<Vec<Back>, Fault> {
    let docker = &world.stack.engine.docker;
    let address = open(world, container).await?;
    let repo = |parcel: &Parcel| format!("{address}/{}", parcel.path);
    let mut sent = Vec::new();
    for parcel in parcels {
        let tag = world.stack.plan.builds.get(&parcel.service).and_then(|build| build.tag.clone());
        let Some(own) = tag else { return Err(from_text("la publication d'une image", "not built")) };
        let seen = docker.inspect_image(&own).await;
        sent.push(seen.map_err(|e| engine_fault("l'examen d'une image", &e))?.id);
        let options = TagImageOptionsBuilder::new().repo(&repo(parcel)).tag(&parcel.tag).build();
        let tagged = docker.tag_image(&own, Some(options)).await;
        tagged.map_err(|e| engine_fault("la pose d'un nom", &e))?;
        names.push(format!("{}:{}", repo(parcel), parcel.tag));
        let push = || async {
            let options = PushImageOptionsBuilder::new().tag(&parcel.tag).build();
            let mut pushing = docker.push_image(&repo(parcel), Some(options), None);
            while let Some(step) = pushing.next().await {
                step.map_err(|e| engine_fault("la publication d'une image", &e))?;
            }
            Ok(())
        };
        again(push).await?;
    }
    for name in names.iter() {
        let _ = docker.remove_image(name, Some(untag()), None).await;
    }
    let mut back = Vec::new();
    for (parcel, own) in parcels.iter().zip(sent) {
        let pull = || async {
            let options = CreateImageOptionsBuilder::new().from_image(&repo(parcel)).tag(&parcel.tag).build();
            let mut pulling = docker.create_image(Some(options), None, None);
            while let Some(step) = pulling.next().await {
                step.map_err(|e| engine_fault("la reprise d'une image", &e))?;
            }
            Ok(())
        };
        again(pull).await?;
        let seen = docker.inspect_image(&format!("{}:{}", repo(parcel), parcel.tag)).await;
        let seen = seen.map_err(|e| engine_fault("l'examen d'une image", &e))?;
        let mine = format!("{}@", repo(parcel));
        let digest = seen.repo_digests.iter().flatten().find_map(|d| d.strip_prefix(mine.as_str()));
        back.push(Back { same: seen.id == own, digest: digest.unwrap_or_default().to_owned() });
    }
    Ok(back)
}
