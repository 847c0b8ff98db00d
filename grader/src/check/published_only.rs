//! `published-only`: of the whole stack, these ports of the host and no other.

use std::collections::BTreeSet;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ports::told;
use super::world::DeclaredPort;
use super::{Check, Cx, Experiments, Stage, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// The only ports of the host that the stack publishes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PublishedOnly {
    /// Ports, each with the service that publishes it.
    pub ports: Vec<Owner>,
}

/// A port of the host and its service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Owner {
    /// Port on the host.
    pub host: u16,
    /// Service.
    pub service: String,
}

impl PublishedOnly {
    fn miss(&self, cx: &Cx<'_>, headline: String, observed: String, at: (&str, &str), hint: &str) -> Miss {
        let wanted: Vec<String> =
            self.ports.iter().map(|p| format!("{} par « {} »", p.host, p.service)).collect();
        Miss {
            headline,
            expected: format!("sur la machine : {}, et rien d'autre", wanted.join(", ")),
            observed,
            place: tell::at(cx.world, at.0, at.1, "publication demandée ici"),
            hint: hint.to_owned(),
            try_it: "docker compose ps --format '{{.Service}} {{.Ports}}'".to_owned(),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for PublishedOnly {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Static
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn is_static(&self) -> bool {
        true
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let declared = cx.world.declared();
        let mut seen: BTreeSet<(u16, &str)> = BTreeSet::new();
        for (name, service) in &declared.services {
            if service.network_mode.as_deref() == Some("host") {
                return tell::fail(self.miss(
                    cx,
                    format!("« {name} » publie tous ses ports"),
                    "network_mode: host".to_owned(),
                    (name, "network_mode"),
                    "avec le réseau de la machine, chaque port écouté est un port publié",
                ));
            }
            for port in &service.ports {
                let owner = self.ports.iter().find(|o| Some(o.host) == port.host() && o.service == *name);
                match owner.filter(|_| port.protocol != "udp" && port.is_open_here()) {
                    Some(owner) => drop(seen.insert((owner.host, name))),
                    None => {
                        let own = self.ports.iter().filter(|owner| owner.service == *name);
                        let published: Vec<u16> =
                            service.ports.iter().filter_map(DeclaredPort::host).collect();
                        let has_one = own.clone().any(|owner| published.contains(&owner.host));
                        let wanted: Vec<String> = own.map(|owner| owner.host.to_string()).collect();
                        if !wanted.is_empty() && !has_one {
                            return tell::fail(self.miss(
                                cx,
                                format!("« {name} » ne publie pas le port demandé"),
                                format!("port publié : {} ; demandé : {}", told(port), wanted.join(", ")),
                                (name, "ports"),
                                "la forme courte est HÔTE:CONTENEUR, dans cet ordre",
                            ));
                        }
                        return tell::fail(self.miss(
                            cx,
                            format!("« {name} » publie un port de trop"),
                            format!("port publié : {}", told(port)),
                            (name, "ports"),
                            "ce qui n'est joint que par d'autres conteneurs n'a besoin d'aucun port sur la machine : expose suffit, et encore",
                        ));
                    }
                }
            }
        }
        let missing = self.ports.iter().find(|o| !seen.contains(&(o.host, o.service.as_str())));
        match missing {
            Some(owner) => tell::fail(self.miss(
                cx,
                format!("le port {} de la machine ne mène à rien", owner.host),
                format!("« {} » ne publie pas le port {}", owner.service, owner.host),
                (&owner.service, "ports"),
                "la forme courte est HÔTE:CONTENEUR, dans cet ordre",
            )),
            None => tell::pass(vec![Fact::new(
                "published",
                seen.len(),
                format!("{} ports publiés, ceux de l'énoncé", seen.len()),
            )]),
        }
    }
}
