//! `chosen-network`: Traefik reaches a service by one network, chosen and not drawn by lot. With two
//! networks and no choice it takes one at random, anew at each container event: one right answer
//! proves nothing. A twin of Traefik is shown the same stack with that service's entries multiplied;
//! a choice is the same for all of them, a draw is not.

use std::collections::BTreeSet;
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
    pub service: String,
    /// The network by which it must be reached (key of the student's file).
    pub network: String,
}

/// Traefik may still be reading what the engine tells it.
const PATIENCE: Duration = Duration::from_secs(8);
/// Its twin has only just been started.
const TWIN_PATIENCE: Duration = Duration::from_secs(20);

/// Addresses by which Traefik reaches the service.
type Reached = BTreeSet<IpAddr>;

impl ChosenNetwork {
    fn base(&self, gate: &Gate<'_>) -> Miss {
        Miss {
            expected: format!(
                "Traefik s'adresse toujours à « {} » par le réseau « {} »",
                self.service, self.network
            ),
            place: said::place_of(
                gate.world,
                (&self.via, &self.service),
                &["traefik.docker.network", "providers.docker.network", "network:"],
                "réseau que Traefik doit prendre",
            ),
            try_it: format!("curl -ks https://{}{}", self.host, api::RAW),
            ..Miss::default()
        }
    }

    /// The addresses of the service among all servers in force.
    async fn reached(&self, gate: &Gate<'_>, atlas: &Atlas, view: &View) -> Result<Reached, Fault> {
        let mut found = Reached::new();
        for (_, service) in view.all_services() {
            for server in service.servers() {
                let all = resolve(gate.world, &self.via, server).await?;
                found.extend(
                    all.into_iter().filter(|ip| atlas.at(*ip).is_some_and(|(s, _)| s == self.service)),
                );
            }
        }
        Ok(found)
    }

    /// Waits until the configuration in force leads to the service, and says by which addresses.
    async fn settled(
        &self,
        gate: &Gate<'_>,
        atlas: &Atlas,
        patience: Duration,
    ) -> Result<Result<Reached, Silence>, Fault> {
        let some = |seen: &Result<Reached, Silence>| seen.as_ref().is_ok_and(|r| !r.is_empty());
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

    fn elsewhere(&self, gate: &Gate<'_>, networks: &[String], noted: Vec<String>) -> Miss {
        Miss {
            headline: format!("Traefik s'adresse à « {} » par un autre réseau", self.service),
            observed: format!("par {}", tell::names(networks)),
            noted,
            hint: "quand un conteneur a deux réseaux, Traefik doit savoir lequel est le leur ; sous quel nom Docker le connaît-il ?"
                .to_owned(),
            ..self.base(gate)
        }
    }

    fn lucky(&self, gate: &Gate<'_>, networks: &[String], first: &[String], noted: Vec<String>) -> Miss {
        Miss {
            headline: "le réseau que prend Traefik est laissé au hasard".to_owned(),
            observed: format!("les mêmes réglages donnent tantôt {}", tell::names(networks).replace(" et ", ", tantôt ")),
            control: format!("cette fois, votre Traefik est tombé sur {}", tell::names(first)),
            noted,
            hint: "une bonne réponse aujourd'hui n'en promet pas une demain : Traefik retire au sort à chaque évènement de conteneur"
                .to_owned(),
            ..self.base(gate)
        }
    }
}

#[async_trait]
impl Check for ChosenNetwork {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        check_host("chosen-network.host", &self.host)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        if kit::settled(world, &self.service, Duration::from_secs(3)).await?.is_empty() {
            return tell::fail(tell::stopped(world, &self.service).await?);
        }
        let atlas = Atlas::draw(world).await?;
        let right: Reached =
            atlas.of(&self.service).filter(|(_, n)| *n == self.network).map(|(ip, _)| ip).collect();
        if right.is_empty() {
            return tell::fail(self.unattached(&gate, &atlas));
        }
        let reached = match self.settled(&gate, &atlas, PATIENCE).await? {
            Ok(reached) if !reached.is_empty() => reached,
            Ok(_) => return tell::fail(self.unknown(&gate, None).await?),
            Err(silence) => return tell::fail(self.unknown(&gate, Some(&silence)).await?),
        };
        let first = Self::networks(&atlas, &reached);
        let mut facts =
            vec![Fact::new("now", json!(first), format!("Traefik passe par {}", tell::names(&first)))];

        let name = format!("double-{}", self.via);
        let plan = TwinPlan {
            name: name.clone(),
            service: self.via.clone(),
            amplify: Some(self.service.clone()),
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
            Ok(seen) if !seen.is_empty() => seen,
            // The student's own Traefik did it with the same settings.
            _ => return Err(kit::noise("le double de Traefik n'a pas pu lire sa configuration")),
        };
        let drawn: Reached = seen.union(&reached).copied().collect();
        let networks = Self::networks(&atlas, &drawn);
        facts.push(Fact::new(
            "drawn",
            json!(networks),
            format!(
                "un double de Traefik, devant de nombreuses copies de « {} » : {}",
                self.service,
                tell::names(&networks)
            ),
        ));
        if drawn.is_subset(&right) {
            return tell::pass(facts);
        }
        let noted = said::errors(world, &self.via).await?;
        let miss = if networks.len() > 1 {
            self.lucky(&gate, &networks, &first, noted)
        } else {
            self.elsewhere(&gate, &networks, noted)
        };
        tell::fail(Miss { facts, ..miss })
    }
}

impl ChosenNetwork {
    /// The service is not even on that network.
    fn unattached(&self, gate: &Gate<'_>, atlas: &Atlas) -> Miss {
        let on: Vec<&str> = atlas.of(&self.service).map(|(_, network)| network).collect();
        Miss {
            headline: format!("« {} » n'est pas sur le réseau « {} »", self.service, self.network),
            observed: format!("« {} » est sur {}", self.service, tell::names(&on)),
            place: tell::at_networks(gate.world, &self.service, on.first().copied().unwrap_or("default")),
            hint: "Traefik et le service doivent partager ce réseau".to_owned(),
            ..self.base(gate)
        }
    }

    /// Nothing leads to the service.
    async fn unknown(&self, gate: &Gate<'_>, silence: Option<&Silence>) -> Result<Miss, Fault> {
        Ok(Miss {
            headline: match silence {
                None => format!("rien, dans Traefik, ne mène à « {} »", self.service),
                Some(_) => "l'API de Traefik ne dit pas par où il passe".to_owned(),
            },
            observed: match silence {
                None => format!(
                    "aucun serveur en vigueur n'est une adresse de « {} » (port {} de Traefik)",
                    self.service,
                    behind(gate.world.declared(), &self.via, 443)
                ),
                Some(silence) => silence.told(api::RAW),
            },
            noted: said::errors(gate.world, &self.via).await?,
            hint: "réparez d'abord la route et le tableau de bord".to_owned(),
            ..self.base(gate)
        })
    }
}
