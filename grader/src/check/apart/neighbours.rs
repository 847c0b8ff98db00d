//! Services of the network from which nothing must be reached: they may reach a target by another network that both
//! are on, which the network itself does not show.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::json;

use super::{Apart, CALM, CALM_PATIENCE, Targets, Way};
use crate::check::world::{Vantage, World};
use crate::check::{Cx, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A way that a neighbour has.
struct Door {
    /// The neighbour.
    from: String,
    /// The network by which it goes.
    network: String,
    way: Way,
}

impl Apart {
    /// The ways of the neighbours that do not go by a network where the control is: what the control may do, a
    /// service that was put beside it may do too.
    async fn doors(&self, world: &dyn World, all: &Targets) -> Result<Vec<Door>, Fault> {
        let (Some(network), Some(control)) = (&self.from_network, &self.control.to) else {
            return Ok(vec![]);
        };
        let allowed: BTreeSet<String> = kit::networks(&world.instances(&control.service).await?);
        let spare: Vec<(&str, &str, IpAddr)> = all
            .instances
            .iter()
            .flat_map(|(service, found)| found.iter().map(move |i| (service, i)))
            .flat_map(|(service, i)| i.attachments.iter().map(move |a| (service, a)))
            .filter(|(_, a)| !allowed.contains(&a.network) && a.network != *network)
            .filter_map(|(service, a)| Some((service.as_str(), a.network.as_str(), a.ip?)))
            .collect();
        let mut doors = Vec::new();
        if spare.is_empty() {
            return Ok(doors);
        }
        for (name, declared) in &world.declared().services {
            let is_target = self.to.iter().any(|port| port.service == *name);
            if is_target || *name == control.service || !declared.networks.contains(network) {
                continue;
            }
            let on = kit::networks(&world.instances(name).await?);
            for (service, by, ip) in spare.iter().filter(|(_, by, _)| on.contains(*by)) {
                for port in self.to.iter().filter(|port| port.service == *service) {
                    let way = Way { service: port.service.clone(), port: port.port, host: ip.to_string() };
                    doors.push(Door { from: name.clone(), network: (*by).to_owned(), way });
                }
            }
        }
        Ok(doors)
    }

    /// Judges the ways of the neighbours, once nothing goes through from the network itself.
    pub(super) async fn neighbours(
        &self,
        cx: &Cx<'_>,
        all: &Targets,
        mut facts: Vec<Fact>,
    ) -> Result<Verdict, Fault> {
        let doors = if self.closed { Vec::new() } else { self.doors(cx.world, all).await? };
        for door in &doors {
            let from = Vantage::Service(door.from.clone());
            let mut through = false;
            // Seen three times, the engine being quiet: it opens every bridge for an instant when a network comes.
            for round in 0..3 {
                if round == 1 && !cx.world.quiet(CALM, CALM_PATIENCE).await? {
                    let what =
                        "des réseaux ont été créés ou retirés sans cesse sur ce moteur pendant le contrôle";
                    return Ok(Verdict::Inconclusive { fault: kit::noise(what), facts });
                }
                through =
                    !self.leaks(cx.world, &from, all, std::slice::from_ref(&door.way)).await?.is_empty();
                if !through {
                    break;
                }
            }
            let told =
                format!("{} → {}:{} par « {} »", door.from, door.way.service, door.way.port, door.network);
            facts.push(Fact::new(
                &format!("neighbour:{}", door.from),
                json!(through),
                format!("{told} : {}", if through { "passe" } else { "ne passe pas" }),
            ));
            if through {
                return tell::fail(Miss { facts, ..self.by_neighbour(cx.world, door, told) });
            }
        }
        tell::pass(facts)
    }

    fn by_neighbour(&self, world: &dyn World, door: &Door, told: String) -> Miss {
        let (target, network) = (&door.way.service, &door.network);
        let side = self.from_network.as_deref().unwrap_or_default();
        Miss {
            headline: format!(
                "« {} », qui est sur « {side} », atteint « {target} » par « {network} »",
                door.from
            ),
            expected: self.expected(),
            observed: told,
            noted: vec!["vu trois fois, aucun réseau n'étant créé ni retiré".to_owned()],
            place: tell::at_networks(world, target, network),
            hint: format!("sur combien de réseaux « {target} » doit-il être ?"),
            try_it: crate::check::inside::inside(
                world,
                &door.from,
                &format!("nc -zv {target} {}", door.way.port),
            ),
            ..Miss::default()
        }
    }
}
