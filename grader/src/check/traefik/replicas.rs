//! The replicas of a service behind the proxy, and what each of them counts.

use std::net::IpAddr;
use std::time::Duration;

use super::world::{Instance, State, World, wire};
use super::{kit, metrics, tell};
use crate::error::Fault;

/// A running replica.
#[derive(Clone, Debug)]
pub struct Replica {
    /// How it is told: the service, with its rank when the service has several containers.
    pub name: String,
    /// Container.
    pub id: String,
    /// Address on a network of the proxy.
    pub ip: IpAddr,
    /// Networks (keys of the student's file).
    pub networks: Vec<String>,
}

/// The running replicas that the proxy shares a network with, in the order of their services.
pub async fn replicas(world: &dyn World, via: &str, services: &[String]) -> Result<Vec<Replica>, Fault> {
    let front: Vec<String> = kit::running(world, via)
        .await?
        .iter()
        .flat_map(|i| &i.attachments)
        .map(|a| a.network.clone())
        .collect();
    let mut found = Vec::new();
    for service in services.iter().filter(|s| world.declared().services.contains_key(*s)) {
        let all: Vec<Instance> =
            world.instances(service).await?.into_iter().filter(|i| i.state == State::Running).collect();
        let several = all.len() > 1;
        for (rank, instance) in all.into_iter().enumerate() {
            let ip = instance.attachments.iter().find(|a| front.contains(&a.network)).and_then(|a| a.ip);
            let Some(ip) = ip else { continue };
            found.push(Replica {
                name: if several { format!("{service} (n° {})", rank + 1) } else { service.clone() },
                networks: instance.attachments.iter().map(|a| a.network.clone()).collect(),
                id: instance.id,
                ip,
            });
        }
    }
    Ok(found)
}

/// Where the replicas count what they are asked.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Service from which they are asked.
    pub via: &'a str,
    /// Port of the replicas.
    pub port: u16,
    /// Path of their metrics.
    pub metrics: &'a str,
    /// Counter.
    pub counter: &'a str,
    /// Path that is counted, in any label.
    pub path: &'a str,
}

impl Counted<'_> {
    /// What one replica has counted so far; `Err` says in French why it cannot be read.
    pub async fn of(&self, world: &dyn World, replica: &Replica) -> Result<Result<u64, String>, Fault> {
        let mut ask = wire::Http::get(replica.ip.to_string(), self.port, self.metrics);
        ask.max_body = 4 << 20;
        let what = format!("GET {} sur « {} »", self.metrics, replica.name);
        Ok(match kit::http(world, &kit::inside(self.via), ask).await?.0 {
            Ok(answer) if answer.status == 200 => {
                let page = metrics::parse::parse(&answer.body);
                let all = page.of(self.counter).filter(|s| s.labels.values().any(|v| v == self.path));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a count of requests"
                )]
                Ok(all.map(|s| s.value).sum::<f64>().round() as u64)
            }
            Ok(answer) => Err(format!("{what} : {}", answer.status)),
            Err(failure) => Err(format!("{what} : {}", tell::why(&failure))),
        })
    }

    /// The same of all of them.
    pub async fn all(
        &self,
        world: &dyn World,
        replicas: &[Replica],
    ) -> Result<Result<Vec<u64>, String>, Fault> {
        let mut counts = Vec::new();
        for replica in replicas {
            match self.of(world, replica).await? {
                Ok(count) => counts.push(count),
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(counts))
    }
}

/// Traefik may still be reading what the engine tells it.
pub const PATIENCE: Duration = Duration::from_secs(15);
