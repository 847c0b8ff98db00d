//! `restarts`: the restart policy in force, and what it does when a process is killed.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::world::Instance;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::french;

/// The engine starts these services again when they end by themselves.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Restarts {
    /// Services whose containers must have the policy.
    pub services: Vec<String>,
    /// The policy, as the engine names it.
    pub policy: String,
    /// Services among which those whose process is killed are drawn.
    pub among: Vec<String>,
    /// How many are killed.
    pub kills: usize,
}

/// Longest wait for a killed service to be well again.
const BACK: Duration = Duration::from_secs(60);

/// What became of a service whose process was killed.
struct Killed {
    service: String,
    /// Whether the engine started it again.
    again: bool,
    /// Whether it was then ready.
    ready: bool,
}

/// The policy in force.
fn policy(inspection: &Value) -> &str {
    match inspection["HostConfig"]["RestartPolicy"]["Name"].as_str() {
        None | Some("") => "no",
        Some(name) => name,
    }
}

impl Restarts {
    fn base(&self) -> Miss {
        Miss {
            expected: format!(
                "restart: {} pour les {} services, et un processus tué revient",
                self.policy,
                self.services.len()
            ),
            hint: "qu'arrive-t-il à ce service si son processus meurt pendant la nuit, et après un docker compose stop voulu ?"
                .to_owned(),
            ..Miss::default()
        }
    }

    /// Those to kill, drawn for the run.
    fn drawn(&self, cx: &Cx<'_>) -> Vec<String> {
        let mut left: Vec<String> =
            self.among.iter().filter(|s| cx.world.declared().services.contains_key(*s)).cloned().collect();
        left.sort_by_key(|service| kit::draw(cx.world, &format!("killed:{service}")));
        left.truncate(self.kills);
        left
    }

    async fn kill(&self, cx: &Cx<'_>, service: &str) -> Result<Killed, Fault> {
        let world = cx.world;
        let seen = world.inspections(service).await?;
        let running = |i: &&Value| i["State"]["Running"].as_bool() == Some(true);
        let mut killed = Killed { service: service.to_owned(), again: false, ready: false };
        let Some(before) = seen.iter().find(running) else { return Ok(killed) };
        let (id, since) = (before["Id"].as_str().unwrap_or_default(), before["State"]["StartedAt"].clone());
        world.crash(id).await?;
        let back = |seen: &Vec<Value>| {
            let same = seen.iter().find(|i| i["Id"].as_str() == Some(id));
            same.is_some_and(|i| running(&i) && i["State"]["StartedAt"] != since)
        };
        let seen = kit::patiently(BACK, back, || world.inspections(service)).await?;
        killed.again = back(&seen);
        if killed.again {
            let ready = |found: &Vec<Instance>| found.iter().any(Instance::is_well);
            let seen = kit::patiently(BACK, ready, || world.instances(service)).await?;
            killed.ready = ready(&seen);
        }
        Ok(killed)
    }
}

#[async_trait]
impl Check for Restarts {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Break
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        self.among.clone()
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        let known = self.among.iter().all(|s| self.services.contains(s));
        if self.services.is_empty() || !known || self.kills == 0 || self.kills > self.among.len() {
            return Err("restarts : des services, et kills parmi among, qui en font partie".into());
        }
        Ok(())
    }

    fn deadline(&self) -> Duration {
        BACK * 3
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        // Taken first: what is suspended by others in between would not be started again.
        let _alone = cx.memo.alone().await;
        let mut facts = Vec::new();
        for service in &self.services {
            if let Some(miss) = tell::absent(world.declared(), service) {
                return tell::fail(miss);
            }
            let seen = world.inspections(service).await?;
            let Some(first) = seen.first() else { return tell::fail(tell::stopped(world, service).await?) };
            let other = seen.iter().map(policy).find(|name| *name != self.policy);
            if let Some(other) = other {
                return tell::fail(Miss {
                    headline: format!("« {service} » n'a pas la politique de redémarrage demandée"),
                    observed: format!("restart: {} sur son conteneur", tell::cut(other, 40)),
                    place: world
                        .place_alone(
                            &["services", service, "deploy", "restart_policy"],
                            "cette politique l'emporte",
                        )
                        .or_else(|| tell::at(world, service, "restart", "politique de ce service")),
                    try_it: format!(
                        "docker inspect --format '{{{{.HostConfig.RestartPolicy.Name}}}}' $(docker compose ps -q {service})"
                    ),
                    facts,
                    ..self.base()
                });
            }
            facts.push(Fact::new(service, policy(first), format!("{service} : restart: {}", policy(first))));
        }
        let drawn = self.drawn(cx);
        let killed = try_join_all(drawn.iter().map(|service| self.kill(cx, service))).await?;
        for one in killed {
            let service = &one.service;
            facts.push(Fact::new(
                &format!("killed:{service}"),
                one.again && one.ready,
                format!(
                    "processus de « {service} » tué : {}",
                    match (one.again, one.ready) {
                        (true, true) => "relancé par le moteur, prêt de nouveau",
                        (true, false) => "relancé par le moteur, mais pas prêt",
                        (false, _) => "jamais relancé",
                    }
                ),
            ));
            if one.again && one.ready {
                continue;
            }
            let observed = if one.again {
                format!("relancé par le moteur, mais toujours pas en bonne santé {} plus tard", french(BACK))
            } else {
                format!("arrêté, et toujours pas relancé {} plus tard", french(BACK))
            };
            return tell::fail(Miss {
                headline: format!("« {service} », dont le processus est tué, ne revient pas"),
                observed,
                noted: tell::tail(&world.logs(service, 20).await?, 6),
                place: tell::at(world, service, "restart", "politique de ce service"),
                try_it: format!("docker compose logs --tail 20 {service}"),
                facts,
                ..self.base()
            });
        }
        tell::pass(facts)
    }
}
