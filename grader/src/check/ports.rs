//! `published` and `unpublished`: ports on the host.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::world::{Declared, DeclaredPort, HostAnswer, World};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A port of a service is published on a given port of the host.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Published {
    /// Service.
    pub service: String,
    /// Port on the host.
    pub host: u16,
    /// Container port.
    pub target: u16,
    /// Path of an HTTP GET sent from the host.
    #[serde(default)]
    pub http: Option<String>,
    /// Without the file that the lab lays over (`experiment.over`): a look at the files.
    #[serde(default)]
    pub alone: bool,
}

/// Services that publish no port.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unpublished {
    /// Services.
    pub services: Vec<String>,
    /// Services that publish nothing either, when they are there.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Services that publish these ports of the host and no other.
    #[serde(default)]
    pub only: BTreeMap<String, Vec<u16>>,
}

impl Unpublished {
    /// A service that publishes more than its ports.
    fn excess<'a>(&'a self, declared: &Declared) -> Option<(&'a String, &'static str, String)> {
        self.only.iter().find_map(|(service, hosts)| {
            let all = &declared.services.get(service)?.ports;
            let own = |port: &&DeclaredPort| port.host().is_some_and(|host| hosts.contains(&host));
            let other: Vec<String> = all.iter().filter(|port| !own(port)).map(told).collect();
            (!other.is_empty()).then(|| (service, "ports", format!("ports de trop : {}", other.join(", "))))
        })
    }

    /// What is asked, in words.
    fn asked(&self) -> String {
        let only = self.only.iter().map(|(service, hosts)| {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!(", rien que {} pour « {service} »", hosts.join(" et "))
        });
        format!("aucun port publié pour {}{}", tell::names(&self.services), only.collect::<String>())
    }
}

/// A published port, as the short form writes it.
pub(super) fn told(port: &DeclaredPort) -> String {
    let ip = port.host_ip.as_ref().map(|ip| format!("{ip}:")).unwrap_or_default();
    let host = port.published.as_deref().filter(|p| !p.is_empty() && *p != "0").unwrap_or("(au hasard)");
    let protocol = if port.protocol == "udp" { "/udp" } else { "" };
    format!("{ip}{host}:{}{protocol}", port.target)
}

impl Published {
    fn is_right(&self, port: &DeclaredPort) -> bool {
        let tcp = port.protocol.is_empty() || port.protocol == "tcp";
        tcp && port.is_open_here()
            && port.target == self.target
            && port.published == Some(self.host.to_string())
    }

    fn misdeclared(&self, world: &dyn World, ports: &[DeclaredPort]) -> Miss {
        let swapped =
            ports.iter().any(|p| p.target == self.host && p.published == Some(self.target.to_string()));
        let right_target = ports.iter().find(|p| p.target == self.target);
        // The right numbers, on another address or not in TCP.
        let foreign = |p: &DeclaredPort| p.target == self.target && p.host() == Some(self.host);
        let hint = if ports.iter().any(foreign) {
            "ce port n'est pas ouvert sur l'adresse que « localhost » désigne, ou pas en TCP"
        } else if swapped {
            "le nombre de gauche est celui de la machine, celui de droite celui du conteneur"
        } else if ports.is_empty() {
            "sans publication, aucun port du conteneur n'est joignable depuis votre terminal ; expose ne publie rien"
        } else if right_target.is_some_and(|p| p.published.is_none()) {
            "sans port côté machine, Docker en choisit un au hasard"
        } else {
            "la forme courte est HÔTE:CONTENEUR, dans cet ordre"
        };
        let all: Vec<String> = ports.iter().map(told).collect();
        Miss {
            headline: format!(
                "« {} » n'est pas publié sur le port {} de la machine",
                self.service, self.host
            ),
            expected: format!(
                "le port {} de la machine mène au port {} de « {} »",
                self.host, self.target, self.service
            ),
            observed: if all.is_empty() {
                "aucun port publié".to_owned()
            } else {
                format!("ports publiés : {}", all.join(", "))
            },
            place: tell::at_part(
                world,
                self.alone,
                &self.service,
                "ports",
                if all.is_empty() { "pas de clé ports:" } else { "publication demandée ici" },
            ),
            hint: hint.to_owned(),
            try_it: "docker compose ps".to_owned(),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Published {
    fn stage(&self, _: &Experiments) -> Stage {
        if self.http.is_some() { Stage::Drive } else { Stage::Static }
    }

    fn is_static(&self) -> bool {
        self.http.is_none()
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let declared = match tell::part(cx, self.alone) {
            Ok(declared) => declared,
            Err(miss) => return tell::fail(*miss),
        };
        if let Some(miss) = tell::absent(declared, &self.service) {
            return tell::fail(miss);
        }
        let ports = declared.services.get(&self.service).map(|s| s.ports.clone()).unwrap_or_default();
        if !ports.iter().any(|p| self.is_right(p)) {
            return tell::fail(self.misdeclared(world, &ports));
        }
        let mut facts = vec![Fact::new(
            "declared",
            self.host,
            format!("port {} de la machine → port {} du conteneur", self.host, self.target),
        )];
        let Some(path) = &self.http else { return tell::pass(facts) };
        let found = kit::settled(world, &self.service, Duration::from_secs(3)).await?;
        if found.is_empty() {
            return tell::fail(tell::stopped(world, &self.service).await?);
        }
        let address =
            found.iter().flat_map(|i| &i.published).find(|(port, _)| *port == self.target).map(|(_, a)| *a);
        let Some(address) = address else {
            return Err(kit::noise(format!(
                "le moteur ne montre pas le port publié de « {} »",
                self.service
            )));
        };
        let _alone = cx.memo.alone().await;
        let seen = kit::patiently(
            Duration::from_secs(5),
            |seen: &HostAnswer| seen.status.is_some(),
            || world.ask_host(address, path),
        )
        .await?;
        facts.push(Fact::new(
            "host-status",
            seen.status.map_or(serde_json::Value::Null, Into::into),
            format!(
                "depuis la machine, GET {path} : {}",
                seen.status.map_or("rien".to_owned(), |s| s.to_string())
            ),
        ));
        match seen.status {
            Some(status) if status < 500 => tell::pass(facts),
            _ => tell::fail(Miss {
                headline: format!("le port publié de « {} » ne répond pas", self.service),
                expected: format!("depuis la machine, GET {path} reçoit une réponse"),
                observed: match seen.status {
                    Some(status) => format!("réponse {status}"),
                    None => format!(
                        "connexion sans réponse ({})",
                        tell::cut(seen.error.as_deref().unwrap_or("coupée"), 100)
                    ),
                },
                place: tell::at(world, &self.service, "ports", "publication demandée ici"),
                hint:
                    "un port publié mène à l'adresse du conteneur : qui y écoute, et sur quelle interface ?"
                        .to_owned(),
                try_it: format!("curl -i http://localhost:{}{path}", self.host),
                facts,
                ..Miss::default()
            }),
        }
    }
}

#[async_trait]
impl Check for Unpublished {
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
        let declared = match tell::part(cx, false) {
            Ok(declared) => declared,
            Err(miss) => return tell::fail(*miss),
        };
        for service in &self.services {
            if let Some(miss) = tell::absent(declared, service) {
                return tell::fail(miss);
            }
        }
        let open = self.services.iter().chain(&self.optional).find_map(|service| {
            let found = declared.services.get(service)?;
            let all: Vec<String> = found.ports.iter().map(told).collect();
            if found.network_mode.as_deref() == Some("host") {
                return Some((
                    service,
                    "network_mode",
                    "network_mode: host : tous ses ports sont ceux de la machine".to_owned(),
                ));
            }
            (!all.is_empty()).then(|| (service, "ports", format!("ports publiés : {}", all.join(", "))))
        });
        match open.or_else(|| self.excess(declared)) {
            None => tell::pass(vec![Fact::new(
                "published",
                0,
                format!("{} : aucun port publié", tell::names(&self.services)),
            )]),
            Some((service, key, observed)) => {
                let apart = declared.alone.as_ref().and_then(|alone| alone.services.get(service));
                let inherited = apart.is_some_and(|s| !s.ports.is_empty());
                tell::fail(Miss {
                    headline: if self.only.contains_key(service) {
                        format!("« {service} » publie un port de trop sur la machine")
                    } else {
                        format!("« {service} » publie un port sur la machine")
                    },
                    expected: self.asked(),
                    observed,
                    place: tell::at(
                        cx.world,
                        service,
                        key,
                        if inherited {
                            "cette liste s'ajoute à celle de l'autre fichier"
                        } else {
                            "ouvert à la machine"
                        },
                    ),
                    hint: if inherited {
                        "d'un fichier Compose à l'autre, les listes de ports s'ajoutent : une liste vide n'enlève rien ; l'étiquette !reset efface, !override remplace"
                    } else {
                        "entre conteneurs d'un même réseau, rien n'a besoin d'être publié"
                    }
                    .to_owned(),
                    try_it: if inherited {
                        format!("docker compose{} config", tell::dash_f(cx))
                    } else {
                        "docker compose ps".to_owned()
                    },
                    ..Miss::default()
                })
            }
        }
    }
}
