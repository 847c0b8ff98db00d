//! `chosen-network`: Traefik reaches a service by one network, chosen and not drawn by lot. With two
//! networks and no choice it takes one at random, anew at each container event: one right answer
//! proves nothing. A twin of Traefik is shown the same stack with that service's entries multiplied;
//! a choice is the same for all of them, a draw is not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::api::{self, Silence, View};
use super::gate::{Gate, behind};
use super::servers::{Atlas, resolve};
use super::world::{TwinPlan, Vantage};
use super::{Check, Cx, Experiments, Stage, check_host, kit, said, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Every server of a service is its address on one network.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ChosenNetwork {
    /// Service of Traefik.
    pub via: String,
    /// Host of the dashboard, whose API tells the configuration in force.
    pub host: String,
    /// Service with several networks.
    #[serde(default)]
    pub service: Option<String>,
    /// Several of them.
    #[serde(default)]
    pub services: Vec<String>,
    /// The network by which each must be reached (key of the student's file).
    pub network: String,
}

/// Traefik may still be reading what the engine tells it.
const PATIENCE: Duration = Duration::from_secs(8);
/// Its twin has only just been started.
const TWIN_PATIENCE: Duration = Duration::from_secs(20);

/// Addresses by which Traefik reaches a service.
type Reached = BTreeSet<IpAddr>;
/// The same, for each service.
type All = BTreeMap<String, Reached>;

impl ChosenNetwork {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.service.iter().chain(&self.services)
    }

    fn base(&self, gate: &Gate<'_>, service: &str) -> Miss {
        // With several services the first line that speaks of a network may be another's.
        let written: &[&str] = if self.services.is_empty() {
            &["traefik.docker.network", "providers.docker.network", "network:"]
        } else {
            &[]
        };
        Miss {
            expected: format!(
                "Traefik s'adresse toujours à « {service} » par le réseau « {} »",
                self.network
            ),
            place: said::place_of(
                gate.world,
                (&self.via, service),
                written,
                "réseau que Traefik doit prendre",
            ),
            try_it: format!("curl -ks https://{}{}", self.host, api::RAW),
            ..Miss::default()
        }
    }

    /// The addresses of the services among all servers in force.
    async fn reached(&self, gate: &Gate<'_>, atlas: &Atlas, view: &View) -> Result<All, Fault> {
        let mut found: All = self.all().map(|service| (service.clone(), Reached::new())).collect();
        for (_, service) in view.all_services() {
            for server in service.servers() {
                for ip in resolve(gate.world, &self.via, server).await? {
                    if let Some(reached) = atlas.at(ip).and_then(|(service, _)| found.get_mut(service)) {
                        reached.insert(ip);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Waits until the configuration in force leads to the services, and says by which addresses.
    async fn settled(
        &self,
        gate: &Gate<'_>,
        atlas: &Atlas,
        patience: Duration,
    ) -> Result<Result<All, Silence>, Fault> {
        let some = |seen: &Result<All, Silence>| seen.as_ref().is_ok_and(|all| missing(all).is_none());
        kit::patiently(patience, some, || async {
            match api::view(gate, &self.host).await? {
                Ok(view) => Ok(Ok(self.reached(gate, atlas, &view).await?)),
                Err(silence) => Ok(Err(silence)),
            }
        })
        .await
    }

    /// « frontend », « backend ».
    fn networks(atlas: &Atlas, reached: &Reached) -> Vec<String> {
        let mut all: Vec<String> =
            reached.iter().filter_map(|ip| atlas.at(*ip)).map(|(_, network)| network.to_owned()).collect();
        all.sort();
        all.dedup();
        all
    }

    fn elsewhere(&self, (gate, service): (&Gate<'_>, &str), networks: &[String], noted: Vec<String>) -> Miss {
        Miss {
            headline: format!("Traefik s'adresse à « {service} » par un autre réseau"),
            observed: format!("par {}", tell::names(networks)),
            noted,
            hint: "quand un conteneur a deux réseaux, Traefik doit savoir lequel est le leur ; sous quel nom Docker le connaît-il ?"
                .to_owned(),
            ..self.base(gate, service)
        }
    }

    fn lucky(
        &self,
        (gate, service): (&Gate<'_>, &str),
        networks: &[String],
        first: &[String],
        noted: Vec<String>,
    ) -> Miss {
        Miss {
            headline: format!("le réseau que prend Traefik pour « {service} » est laissé au hasard"),
            observed: format!("les mêmes réglages donnent tantôt {}", tell::names(networks).replace(" et ", ", tantôt ")),
            control: format!("cette fois, votre Traefik est tombé sur {}", tell::names(first)),
            noted,
            hint: "une bonne réponse aujourd'hui n'en promet pas une demain : Traefik retire au sort à chaque évènement de conteneur"
                .to_owned(),
            ..self.base(gate, service)
        }
    }
}

#[async_trait]
impl Check for ChosenNetwork {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.all().next().is_none() {
            return Err("chosen-network veut service ou services".into());
        }
        check_host("chosen-network.host", &self.host)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        for service in self.all() {
            if kit::settled(world, service, Duration::from_secs(3)).await?.is_empty() {
                return tell::fail(tell::stopped(world, service).await?);
            }
        }
        let atlas = Atlas::draw(world).await?;
        let right = |service: &str| -> Reached {
            atlas.of(service).filter(|(_, n)| *n == self.network).map(|(ip, _)| ip).collect()
        };
        if let Some(service) = self.all().find(|service| right(service).is_empty()) {
            return tell::fail(self.unattached((&gate, service), &atlas));
        }
        let reached = match self.settled(&gate, &atlas, PATIENCE).await? {
            Ok(all) => all,
            Err(silence) => {
                let service = self.all().next().map_or("", String::as_str);
                return tell::fail(self.unknown((&gate, service), Some(&silence)).await?);
            }
        };
        if let Some(service) = missing(&reached) {
            return tell::fail(self.unknown((&gate, service), None).await?);
        }

        let name = format!("double-{}", self.via);
        let plan = TwinPlan {
            name: name.clone(),
            service: self.via.clone(),
            amplify: self.all().cloned().collect(),
            ..TwinPlan::default()
        };
        world.twin(plan).await?;
        let twin = Gate {
            from: Vantage::Twin(name),
            ip: IpAddr::from([127, 0, 0, 1]),
            network: String::new(),
            ..gate.clone()
        };
        let seen = match self.settled(&twin, &atlas, TWIN_PATIENCE).await? {
            Ok(seen) if missing(&seen).is_none() => seen,
            // The student's own Traefik did it with the same settings.
            _ => return Err(kit::noise("le double de Traefik n'a pas pu lire sa configuration")),
        };
        let mut facts = Vec::new();
        for (service, now) in &reached {
            let drawn: Reached = seen.get(service).into_iter().flatten().chain(now).copied().collect();
            let (first, networks) = (Self::networks(&atlas, now), Self::networks(&atlas, &drawn));
            facts.push(Fact::new(
                &format!("now:{service}"),
                json!(first),
                format!("Traefik joint « {service} » par {}", tell::names(&first)),
            ));
            facts.push(Fact::new(
                &format!("drawn:{service}"),
                json!(networks),
                format!(
                    "un double de Traefik, devant de nombreuses copies de « {service} » : {}",
                    tell::names(&networks)
                ),
            ));
            if drawn.is_subset(&right(service)) {
                continue;
            }
            let noted = said::errors(world, &self.via).await?;
            let miss = if networks.len() > 1 {
                self.lucky((&gate, service), &networks, &first, noted)
            } else {
                self.elsewhere((&gate, service), &networks, noted)
            };
            return tell::fail(Miss { facts, ..miss });
        }
        tell::pass(facts)
    }
}

/// A service that nothing leads to.
fn missing(all: &All) -> Option<&str> {
    all.iter().find(|(_, reached)| reached.is_empty()).map(|(service, _)| service.as_str())
}

impl ChosenNetwork {
    /// The service is not even on that network.
    fn unattached(&self, (gate, service): (&Gate<'_>, &str), atlas: &Atlas) -> Miss {
        let on: Vec<&str> = atlas.of(service).map(|(_, network)| network).collect();
        Miss {
            headline: format!("« {service} » n'est pas sur le réseau « {} »", self.network),
            observed: format!("« {service} » est sur {}", tell::names(&on)),
            place: tell::at_networks(gate.world, service, on.first().copied().unwrap_or("default")),
            hint: "Traefik et le service doivent partager ce réseau".to_owned(),
            ..self.base(gate, service)
        }
    }

    /// Nothing leads to the service.
    async fn unknown(
        &self,
        (gate, service): (&Gate<'_>, &str),
        silence: Option<&Silence>,
    ) -> Result<Miss, Fault> {
        Ok(Miss {
            headline: match silence {
                None => format!("rien, dans Traefik, ne mène à « {service} »"),
                Some(_) => "l'API de Traefik ne dit pas par où il passe".to_owned(),
            },
            observed: match silence {
                None => format!(
                    "aucun serveur en vigueur n'est une adresse de « {service} » (port {} de Traefik)",
                    behind(gate.world.declared(), &self.via, 443)
                ),
                Some(silence) => silence.told(api::RAW),
            },
            noted: said::errors(gate.world, &self.via).await?,
            hint: "réparez d'abord la route et le tableau de bord".to_owned(),
            ..self.base(gate, service)
        })
    }
}
