//! Services of a running copy that make place for their next version.

use std::collections::{BTreeSet, HashSet};

use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    RemoveVolumeOptionsBuilder,
};
use futures_util::future::join_all;

use super::connect::Engine;
use super::fault::{engine_fault, is_gone};
use super::labels;
use super::stack::Stack;
use super::sweep::of_session;
use crate::compose::SandboxedModel;
use crate::error::Fault;

impl Stack {
    /// Removes the containers of these services and all that they leave: probes that sit in them,
    /// events, volumes of their own. Twins go too, whoever they resemble.
    pub async fn remove_services(&self, services: &BTreeSet<String>) -> Result<(), Fault> {
        let mut gone: Vec<String> = Vec::new();
        let mut twins: Vec<String> = Vec::new();
        let prefix = format!("/{}-twin-", self.project());
        let all = self.containers().await?;
        for container in &all {
            let Some(id) = container.id.clone() else { continue };
            let label = |key: &str| container.labels.as_ref().and_then(|l| l.get(key));
            let own = label(labels::PROJECT).is_some_and(|p| p == self.project());
            if own && label(labels::SERVICE).is_some_and(|s| services.contains(s)) {
                gone.push(id);
            } else if container.names.iter().flatten().any(|name| name.starts_with(&prefix)) {
                twins.push(id);
            }
        }
        self.watch.forget(&gone);
        let lost: HashSet<&str> = gone.iter().chain(&twins).map(String::as_str).collect();
        let seated = all.iter().filter(|container| {
            let mode = container.host_config.as_ref().and_then(|h| h.network_mode.as_deref());
            mode.and_then(|m| m.strip_prefix("container:")).is_some_and(|id| lost.contains(id))
        });
        let seated: Vec<String> = seated.filter_map(|c| c.id.clone()).collect();
        self.probes.lock().await.retain(|key, _| !lost.iter().any(|id| key.contains(id)));
        let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let lost = gone.iter().chain(&twins).chain(&seated);
        let removed = join_all(lost.map(|id| self.engine.docker.remove_container(id, Some(force.clone()))));
        for one in removed.await {
            match one {
                Ok(()) => {}
                Err(e) if is_gone(&e) => {}
                Err(e) => return Err(engine_fault("la suppression d'un conteneur", &e)),
            }
        }
        self.clear_twins();
        let volumes = self.plan.model.volumes_of(services);
        let force = RemoveVolumeOptionsBuilder::new().force(true).build();
        let removed =
            join_all(volumes.iter().map(|v| self.engine.docker.remove_volume(v, Some(force.clone()))));
        for one in removed.await {
            match one {
                Ok(()) => {}
                Err(e) if is_gone(&e) => {}
                Err(e) => return Err(engine_fault("la suppression d'un volume", &e)),
            }
        }
        Ok(())
    }

    /// Files laid over what twins see: read-only, so they are not written twice.
    fn clear_twins(&self) {
        let prefix = format!("{}-twin-", self.project());
        for entry in std::fs::read_dir(self.session.dir()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Every container of the session.
    async fn containers(&self) -> Result<Vec<ContainerSummary>, Fault> {
        let filters = of_session(&self.session.id);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let list = self.engine.docker.list_containers(Some(options)).await;
        list.map_err(|e| engine_fault("la liste des conteneurs", &e))
    }

    /// What is run and imposed on this copy.
    pub fn model(&self) -> &SandboxedModel {
        &self.plan.model
    }
}

impl Engine {
    /// The id of the image of this name, if there is one.
    pub async fn image_id(&self, name: &str) -> Option<String> {
        self.docker.inspect_image(name).await.ok()?.id
    }

    /// Removes an image that nothing needs any more, as far as it can.
    pub async fn drop_image(&self, id: &str) {
        let options = RemoveImageOptionsBuilder::new().build();
        let _ = self.docker.remove_image(id, Some(options), None).await;
    }
}
