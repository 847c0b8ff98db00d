//! What the engine shows of a copy's containers.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures_util::StreamExt;
use futures_util::future::join_all;

use super::fault::{engine_fault, is_gone};
use super::labels::{PROJECT, SERVICE};
use super::stack::Stack;
use crate::check::world::{Attachment, Health, Instance, State};
use crate::error::Fault;

impl Stack {
    /// Containers of a service now.
    pub(super) async fn instances(&self, service: &str) -> Result<Vec<Instance>, Fault> {
        let found = self.labelled(Some(service)).await?;
        Ok(found.into_iter().map(|seen| self.instance(service, seen)).collect())
    }

    /// Containers of every service now, by service.
    pub(super) async fn all_instances(&self) -> Result<BTreeMap<String, Vec<Instance>>, Fault> {
        let mut all: BTreeMap<String, Vec<Instance>> = BTreeMap::new();
        for seen in self.labelled(None).await? {
            let labels = seen.config.as_ref().and_then(|c| c.labels.as_ref());
            let Some(service) = labels.and_then(|l| l.get(SERVICE)).cloned() else { continue };
            let one = self.instance(&service, seen);
            all.entry(service).or_default().push(one);
        }
        Ok(all)
    }

    /// What the engine says of the containers of this copy, or of one of its services, by id.
    async fn labelled(&self, service: Option<&str>) -> Result<Vec<ContainerInspectResponse>, Fault> {
        let mut labels = vec![format!("{PROJECT}={}", self.project())];
        labels.extend(service.map(|service| format!("{SERVICE}={service}")));
        let filters = HashMap::from([("label".to_owned(), labels)]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let docker = &self.engine.docker;
        let list = docker
            .list_containers(Some(options))
            .await
            .map_err(|e| engine_fault("la liste des conteneurs", &e))?;
        let inspected =
            join_all(list.into_iter().filter_map(|c| c.id).map(|id| async move {
                docker.inspect_container(&id, None::<InspectContainerOptions>).await
            }))
            .await;
        let mut found = Vec::new();
        for one in inspected {
            match one {
                Ok(one) => found.push(one),
                Err(e) if is_gone(&e) => {}
                Err(e) => return Err(engine_fault("l'inspection d'un conteneur", &e)),
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    fn instance(&self, service: &str, seen: ContainerInspectResponse) -> Instance {
        let state = seen.state.unwrap_or_default();
        let config = seen.config.unwrap_or_default();
        let networks = seen.network_settings.as_ref().and_then(|n| n.networks.clone()).unwrap_or_default();
        let keys = self.plan.model.networks();
        let attachments = networks
            .into_iter()
            .map(|(name, end)| {
                let known = keys.iter().find(|(_, n)| n.name == name);
                Attachment {
                    network: known.map_or(name, |(key, _)| key.clone()),
                    ip: end.ip_address.and_then(|ip| ip.parse().ok()),
                    gateway: end.gateway.and_then(|ip| ip.parse().ok()),
                    subnet: known.and_then(|(_, n)| n.subnet.map(ipnet::IpNet::V4)),
                }
            })
            .collect();
        let published = seen
            .network_settings
            .and_then(|n| n.ports)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(port, bindings)| {
                let port: u16 = port.strip_suffix("/tcp")?.parse().ok()?;
                let binding = bindings?.into_iter().next()?;
                let host = binding.host_ip.filter(|ip| !ip.is_empty() && ip != "0.0.0.0");
                let address = format!("{}:{}", host.as_deref().unwrap_or("127.0.0.1"), binding.host_port?);
                Some((port, address.parse().ok()?))
            })
            .collect();
        let mut command = config.entrypoint.unwrap_or_default();
        command.extend(config.cmd.unwrap_or_default());
        Instance {
            service: service.to_owned(),
            id: seen.id.unwrap_or_default(),
            state: match state.status {
                Some(ContainerStateStatusEnum::RUNNING) => State::Running,
                Some(ContainerStateStatusEnum::CREATED) => State::Created,
                Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting,
                Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
                _ => State::Exited,
            },
            exit_code: state.exit_code,
            restarts: seen.restart_count.unwrap_or_default(),
            health: match state.health.and_then(|h| h.status) {
                Some(HealthStatusEnum::STARTING) => Some(Health::Starting),
                Some(HealthStatusEnum::HEALTHY) => Some(Health::Healthy),
                Some(HealthStatusEnum::UNHEALTHY) => Some(Health::Unhealthy),
                _ => None,
            },
            attachments,
            published,
            env: config
                .env
                .unwrap_or_default()
                .into_iter()
                .filter_map(|pair| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())))
                .collect(),
            command,
            working_dir: config.working_dir.unwrap_or_default(),
            exposed: config
                .exposed_ports
                .unwrap_or_default()
                .iter()
                .filter_map(|port| port.strip_suffix("/tcp")?.parse().ok())
                .collect(),
            network_mode: seen.host_config.and_then(|h| h.network_mode).unwrap_or_default(),
        }
    }

    /// A running container of a service: the same one again as long as it runs. Every question of a
    /// probe asks for it, and the engine inspects a container at a tenth of the price of a list.
    pub(super) async fn running(&self, service: &str) -> Result<Option<Instance>, Fault> {
        let seats = || self.seats.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = seats().get(service).cloned();
        let docker = &self.engine.docker;
        if let Some(id) = known
            && let Ok(seen) = docker.inspect_container(&id, None::<InspectContainerOptions>).await
        {
            let instance = self.instance(service, seen);
            if instance.state == State::Running {
                return Ok(Some(instance));
            }
        }
        let found = self.instances(service).await?.into_iter().find(|i| i.state == State::Running);
        if let Some(instance) = &found {
            seats().insert(service.to_owned(), instance.id.clone());
        }
        Ok(found)
    }

    /// Last lines of a service's log.
    pub(super) async fn tail(&self, service: &str, lines: usize) -> Result<String, Fault> {
        let mut text = String::new();
        for instance in self.instances(service).await? {
            let options =
                LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
            let mut stream = self.engine.docker.logs(&instance.id, Some(options));
            while let Some(Ok(chunk)) = stream.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk.into_bytes()));
                if text.len() > 64 * 1024 {
                    break;
                }
            }
        }
        Ok(text)
    }

    /// Removes the containers of a service, with their anonymous volumes (as `down` then `up`
    /// would leave them behind), never the named ones.
    pub(super) async fn remove_service(&self, service: &str) -> Result<(), Fault> {
        let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        for instance in self.instances(service).await? {
            match self.engine.docker.remove_container(&instance.id, Some(force.clone())).await {
                Ok(()) => {}
                Err(e) if is_gone(&e) => {}
                Err(e) => return Err(engine_fault("la suppression d'un conteneur", &e)),
            }
        }
        Ok(())
    }
}
