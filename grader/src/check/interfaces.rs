//! `interfaces`: the network interfaces of a container.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::world::wire;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A container has these interfaces and no other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interfaces {
    /// Service.
    pub service: String,
    /// Names of the interfaces that it may have.
    pub only: Vec<String>,
}

/// A device that the kernel makes by itself in every namespace (`tunl0`, `sit0`, `gre0`…): down
/// and without an address, it leads nowhere.
fn is_idle(interface: &wire::Interface) -> bool {
    !interface.up && interface.addrs.is_empty()
}

fn told(interface: &wire::Interface) -> String {
    let addrs: Vec<String> = interface.addrs.iter().map(|a| format!("{}/{}", a.ip, a.prefix)).collect();
    if addrs.is_empty() {
        interface.name.clone()
    } else {
        format!("{} ({})", interface.name, addrs.join(", "))
    }
}

#[async_trait]
impl Check for Interfaces {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn can_be_late(&self) -> bool {
        false
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let service = &self.service;
        let found = kit::running(cx.world, service).await?;
        let Some(instance) = found.first() else {
            return tell::fail(tell::stopped(cx.world, service).await?);
        };
        let seen = kit::interfaces(cx.world, &kit::inside(service)).await?;
        let all: Vec<&str> = seen.iter().map(|i| i.name.as_str()).collect();
        let extra: Vec<&wire::Interface> =
            seen.iter().filter(|i| !self.only.contains(&i.name) && !is_idle(i)).collect();
        if extra.is_empty() {
            return tell::pass(vec![Fact::new(
                "interfaces",
                json!(all),
                format!("interfaces vues : {}", all.join(", ")),
            )]);
        }
        let on: Vec<&str> = instance.attachments.iter().map(|a| a.network.as_str()).collect();
        let declared = cx.world.declared().services.get(service);
        let has_mode = declared.is_some_and(|d| d.network_mode.is_some());
        let place = if has_mode {
            tell::at(cx.world, service, "network_mode", "ce mode réseau branche encore quelque chose")
        } else {
            tell::at_networks(cx.world, service, on.first().copied().unwrap_or("default"))
        };
        tell::fail(Miss {
            headline: format!("« {service} » a d'autres interfaces que {}", self.only.join(", ")),
            expected: format!("{} et rien d'autre", self.only.join(", ")),
            observed: extra.iter().map(|i| told(i)).collect::<Vec<_>>().join(", "),
            noted: if on.is_empty() {
                vec![]
            } else {
                vec![format!("« {service} » est branché sur {}", tell::names(&on))]
            },
            place,
            hint: "être seul sur un réseau n'est pas être sans réseau".to_owned(),
            try_it: format!("docker compose exec {service} ip addr"),
            facts: vec![Fact::new("interfaces", json!(all), format!("interfaces vues : {}", all.join(", ")))],
            ..Miss::default()
        })
    }
}
