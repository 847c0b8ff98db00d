//! Removing what a session made, and proving that nothing is left.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    RemoveVolumeOptionsBuilder,
};
use futures_util::future::join_all;
use tokio::sync::watch;

use super::connect::Engine;
use super::fault::{engine_fault, is_gone};
use super::labels::PROJECT;
use super::pool;
use super::session::{INSTALL, SESSION, base, is_alive};
use crate::error::Fault;
use crate::event::Inventory;

/// Objects found under one label.
#[derive(Default)]
struct Found {
    containers: Vec<ContainerSummary>,
    networks: Vec<Object>,
    volumes: Vec<Object>,
    images: Vec<Object>,
}

/// A network, a volume or an image.
struct Object {
    id: String,
    /// Empty for an image.
    name: String,
    session: String,
}

impl Found {
    fn count(&self) -> Inventory {
        Inventory {
            containers: self.containers.len(),
            networks: self.networks.len(),
            volumes: self.volumes.len(),
            images: self.images.len(),
            dirs: 0,
        }
    }
}

fn filter(label: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![label.to_owned()])])
}

/// Objects of this session.
pub(super) fn of_session(id: &str) -> HashMap<String, Vec<String>> {
    filter(&format!("{SESSION}={id}"))
}

fn session_of(labels: Option<&HashMap<String, String>>) -> String {
    labels.and_then(|l| l.get(SESSION)).cloned().unwrap_or_default()
}

/// Lists everything that carries `label`.
async fn find(engine: &Engine, label: &str) -> Result<Found, Fault> {
    let docker = &engine.docker;
    let filters = filter(label);
    let containers =
        docker.list_containers(Some(ListContainersOptionsBuilder::new().all(true).filters(&filters).build()));
    let networks = docker.list_networks(Some(ListNetworksOptionsBuilder::new().filters(&filters).build()));
    let volumes = docker.list_volumes(Some(ListVolumesOptionsBuilder::new().filters(&filters).build()));
    let images =
        docker.list_images(Some(ListImagesOptionsBuilder::new().all(false).filters(&filters).build()));
    let (containers, networks, volumes, images) = tokio::join!(containers, networks, volumes, images);
    let doing = |what| move |e| engine_fault(what, &e);
    Ok(Found {
        containers: containers.map_err(doing("la liste des conteneurs"))?,
        networks: networks
            .map_err(doing("la liste des réseaux"))?
            .into_iter()
            .filter_map(|n| Some(Object { id: n.id?, name: n.name?, session: session_of(n.labels.as_ref()) }))
            .collect(),
        volumes: volumes
            .map_err(doing("la liste des volumes"))?
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(|v| Object { id: v.name.clone(), name: v.name, session: session_of(Some(&v.labels)) })
            .collect(),
        images: images
            .map_err(doing("la liste des images"))?
            .into_iter()
            .map(|i| Object { id: i.id, name: String::new(), session: session_of(Some(&i.labels)) })
            .collect(),
    })
}

/// Removes everything of a session, until two listings in a row are empty; with `keep_images`, what it
/// built stays.
pub(super) async fn session(engine: &Engine, id: &str, keep_images: bool) -> Result<Inventory, Fault> {
    let label = format!("{SESSION}={id}");
    let mut anonymous: BTreeSet<String> = BTreeSet::new();
    let mut empty_listings = 0;
    let mut last = Inventory::default();
    for round in 0..40u32 {
        let mut found = find(engine, &label).await?;
        if keep_images {
            found.images.clear();
        }
        last = found.count();
        if last.is_empty() && anonymous.is_empty() {
            empty_listings += 1;
            if empty_listings == 2 {
                return Ok(last);
            }
            continue;
        }
        empty_listings = 0;
        if round > 0 {
            // Objects in use a moment ago: leave the engine the time to let go, a little more each round.
            tokio::time::sleep(std::time::Duration::from_millis(u64::from(round.min(10)) * 20)).await;
        }
        // Anonymous volumes carry no label: note them before their containers go.
        anonymous.extend(found.containers.iter().flat_map(|c| c.mounts.iter().flatten()).filter_map(|m| {
            let name = m.name.clone()?;
            (name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit())).then_some(name)
        }));
        remove(engine, &found, &mut anonymous).await;
    }
    last.volumes += anonymous.len();
    Ok(last)
}

/// Removes the objects of one Compose project of a session, and what is attached to them, as far as
/// it can: the end of the session does the rest and proves it.
pub(super) async fn project(engine: &Engine, session: &str, project: &str) {
    let Ok(mut found) = find(engine, &format!("{SESSION}={session}")).await else { return };
    let prefix = format!("{project}_");
    let own = |c: &ContainerSummary| {
        c.labels.as_ref().and_then(|l| l.get(PROJECT)).is_some_and(|name| name == project)
    };
    let members: BTreeSet<String> =
        found.containers.iter().filter(|c| own(c)).filter_map(|c| c.id.clone()).collect();
    let there: BTreeSet<String> = found.containers.iter().filter_map(|c| c.id.clone()).collect();
    found.containers.retain(|c| {
        let mode = c.host_config.as_ref().and_then(|h| h.network_mode.as_deref());
        // Also what sits in a container that is there no more.
        let seated = mode
            .and_then(|m| m.strip_prefix("container:"))
            .is_some_and(|id| members.contains(id) || !there.contains(id));
        let networks = c.network_settings.as_ref().and_then(|n| n.networks.as_ref());
        own(c) || seated || networks.is_some_and(|n| n.keys().any(|name| name.starts_with(&prefix)))
    });
    found.networks.retain(|n| n.name.starts_with(&prefix));
    found.volumes.retain(|v| v.name.starts_with(&prefix));
    found.images.clear();
    remove(engine, &found, &mut BTreeSet::new()).await;
}

/// One round of removals. Errors show in the next listing.
///
/// A volume goes as soon as the containers that hold it are gone, beside the other removals (a
/// database's takes an engine up to a second); networks and images once every container is.
async fn remove(engine: &Engine, found: &Found, anonymous: &mut BTreeSet<String>) {
    let docker = &engine.docker;
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let force_volume = || Some(RemoveVolumeOptionsBuilder::new().force(true).build());
    let ids: BTreeSet<&str> = found.containers.iter().filter_map(|c| c.id.as_deref()).collect();
    let (say, gone) = watch::channel(BTreeSet::new());
    let containers = join_all(ids.iter().map(|id| {
        let (force, say) = (force.clone(), &say);
        async move {
            let _ = docker.remove_container(id, Some(force)).await;
            say.send_modify(|gone| {
                gone.insert(*id);
            });
        }
    }));
    let volumes = join_all(found.volumes.iter().map(|volume| {
        let holds =
            |c: &&ContainerSummary| c.mounts.iter().flatten().any(|m| m.name.as_ref() == Some(&volume.name));
        let holders: BTreeSet<&str> =
            found.containers.iter().filter(holds).filter_map(|c| c.id.as_deref()).collect();
        let released = after(gone.clone(), holders);
        async move {
            released.await;
            let _ = docker.remove_volume(&volume.id, force_volume()).await;
        }
    }));
    let networks = join_all(found.networks.iter().map(|network| {
        let released = after(gone.clone(), ids.clone());
        async move {
            released.await;
            let _ = docker.remove_network(&network.id).await;
        }
    }));
    let images = join_all(found.images.iter().map(|image| {
        let released = after(gone.clone(), ids.clone());
        async move {
            released.await;
            let force = RemoveImageOptionsBuilder::new().force(true).build();
            let _ = docker.remove_image(&image.id, Some(force), None).await;
        }
    }));
    let names: Vec<String> = anonymous.iter().cloned().collect();
    let orphans = join_all(names.iter().map(|name| {
        let released = after(gone.clone(), ids.clone());
        async move {
            released.await;
            let _ = docker.remove_volume(name, force_volume()).await;
            match docker.inspect_volume(name).await {
                Err(e) if is_gone(&e) => Some(name.clone()),
                _ => None,
            }
        }
    }));
    let (_, _, _, _, gone) = tokio::join!(containers, volumes, networks, images, orphans);
    for name in gone.into_iter().flatten() {
        anonymous.remove(&name);
    }
}

/// Waits until all of `wanted` are gone.
async fn after(mut gone: watch::Receiver<BTreeSet<&str>>, wanted: BTreeSet<&str>) {
    let _ = gone.wait_for(|gone| gone.is_superset(&wanted)).await;
}

/// Sweeps a session whose owner died, its directory included.
pub(super) async fn dead_session(engine: &Engine, id: &str) -> Result<Inventory, Fault> {
    let (base, _) = base()?;
    let mut left = session(engine, id, false).await?;
    left.dirs = usize::from(remove_dir(engine, &base.join(id)).await.is_err());
    pool::release(id);
    if left.is_empty() {
        let _ = std::fs::remove_file(base.join("locks").join(format!("{id}.lock")));
    }
    Ok(left)
}

/// Removes a directory of ours. Files that a container wrote as another user are removed through
/// a container when we may not do it ourselves.
pub(super) async fn remove_dir(engine: &Engine, dir: &Path) -> std::io::Result<()> {
    for _ in 0..3 {
        match std::fs::remove_dir_all(dir) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                super::probe::wipe(engine, dir).await;
            }
            Err(_) => {}
        }
    }
    std::fs::remove_dir_all(dir)
}

/// Ids of the sessions of this install that have left something and are no longer alive.
async fn dead_sessions(engine: &Engine) -> Result<Vec<String>, Fault> {
    let (base, install) = base()?;
    let found = find(engine, &format!("{INSTALL}={install}")).await?;
    let mut ids: BTreeSet<String> = BTreeSet::new();
    ids.extend(found.containers.iter().map(|c| session_of(c.labels.as_ref())));
    ids.extend(found.networks.into_iter().map(|o| o.session));
    ids.extend(found.volumes.into_iter().map(|o| o.session));
    ids.extend(found.images.into_iter().map(|o| o.session));
    for entry in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        ids.insert(entry.file_name().to_string_lossy().into_owned());
    }
    for entry in std::fs::read_dir(base.join("locks")).into_iter().flatten().flatten() {
        if let Some(id) = entry.file_name().to_string_lossy().strip_suffix(".lock") {
            ids.insert(id.to_owned());
        }
    }
    ids.retain(|id| id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit()) && !is_alive(&base, id));
    Ok(ids.into_iter().collect())
}

/// Sweeps what dead sessions of this install left; returns what was removed and what resists.
///
/// With `dry_run`, only counts.
pub async fn clean(engine: &Engine, dry_run: bool) -> Result<(Inventory, Inventory), Fault> {
    let mut removed = Inventory::default();
    let mut left = Inventory::default();
    let (base, _) = base()?;
    for id in dead_sessions(engine).await? {
        let mut found = find(engine, &format!("{SESSION}={id}")).await?.count();
        found.dirs = usize::from(base.join(&id).exists());
        add(&mut removed, &found);
        if !dry_run {
            add(&mut left, &dead_session(engine, &id).await?);
        }
    }
    Ok((removed, left))
}

fn add(sum: &mut Inventory, more: &Inventory) {
    sum.containers += more.containers;
    sum.networks += more.networks;
    sum.volumes += more.volumes;
    sum.images += more.images;
    sum.dirs += more.dirs;
}

/// What objects of this install, of living and dead sessions, are there now.
pub async fn inventory(engine: &Engine) -> Result<Inventory, Fault> {
    let (base, install) = base()?;
    let mut found = find(engine, &format!("{INSTALL}={install}")).await?.count();
    found.dirs =
        std::fs::read_dir(&base).into_iter().flatten().flatten().filter(|e| e.file_name().len() == 8).count();
    Ok(found)
}
