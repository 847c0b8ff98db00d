//! What `apart` tells a student.

use std::time::Duration;

use super::{Apart, Leak, Port};
use crate::check::inside::inside;
use crate::check::tell;
use crate::check::world::World;
use crate::event::Miss;
use crate::time::french;

impl Apart {
    pub(super) fn expected(&self) -> String {
        let to: Vec<String> = self.to.iter().map(|p| format!("{}:{}", p.service, p.port)).collect();
        format!("aucune connexion depuis {} vers {}", self.vantage_told(), to.join(" ni "))
    }

    /// Nobody listens on the port that must be protected: nothing can be proven.
    pub(super) fn dead(&self, world: &dyn World, port: &Port) -> Miss {
        Miss {
            headline: format!("personne n'écoute sur le port {} de « {} »", port.port, port.service),
            expected: self.expected(),
            observed: format!(
                "même depuis « {} », ni 127.0.0.1 ni ses adresses ne répondent sur le port {}",
                port.service, port.port
            ),
            place: world.place(&["services", &port.service], &format!("port {} attendu ici", port.port)),
            hint: "un service mort est injoignable, mais cela ne prouve pas qu'il est protégé".to_owned(),
            try_it: format!("docker compose logs {}", port.service),
            ..Miss::default()
        }
    }

    /// What must be reachable from the network is not even attached to it.
    pub(super) fn control_away(&self, world: &dyn World, service: &str, network: &str) -> Miss {
        let on = world.declared().services.get(service).map(|s| s.networks.clone()).unwrap_or_default();
        Miss {
            headline: format!("« {service} » n'est pas sur le réseau « {network} »"),
            expected: format!("{}, et « {service} » joignable par ce même réseau", self.expected()),
            observed: format!("« {service} » est sur {}", tell::names(&on)),
            place: tell::at_networks(world, service, on.first().map_or("default", String::as_str)),
            hint: "un réseau où rien ne répond ne prouve aucun isolement".to_owned(),
            try_it: "docker compose config".to_owned(),
            ..Miss::default()
        }
    }

    /// The network of the statement is not in the file.
    pub(super) fn no_network(&self, world: &dyn World, network: &str) -> Miss {
        let known: Vec<&String> = world.declared().networks.keys().collect();
        Miss {
            headline: format!("le réseau « {network} » n'est pas dans le fichier"),
            expected: self.expected(),
            observed: format!("réseaux déclarés : {}", tell::names(&known)),
            place: world.place(&["networks"], &format!("« {network} » n'est pas ici")),
            hint: "le nom du réseau est imposé par l'énoncé".to_owned(),
            try_it: "docker compose config".to_owned(),
            ..Miss::default()
        }
    }

    /// Something listens where nothing must.
    pub(super) fn open(reached: Miss, leak: &Leak) -> Miss {
        let Leak { way, .. } = leak;
        Miss {
            headline: format!("le port {} de « {} » est ouvert", way.port, way.service),
            expected: format!("personne n'écoute sur le port {} de « {} »", way.port, way.service),
            hint: "ne pas publier un port ne le ferme pas aux autres conteneurs : qui l'a ouvert ?"
                .to_owned(),
            ..reached
        }
    }

    /// A forbidden connection went through, three times.
    pub(super) fn reached(
        &self,
        world: &dyn World,
        leak: &Leak,
        network: Option<&str>,
        all: &[Leak],
    ) -> Miss {
        let target = &leak.way.service;
        let from = match &self.from_service {
            Some(service) => format!("« {service} »"),
            None => format!("le réseau « {} »", self.from_network.as_deref().unwrap_or_default()),
        };
        let took = french(Duration::from_micros(leak.connect_us));
        let others: Vec<String> =
            all.iter().skip(1).map(|l| format!("{}:{}", l.way.host, l.way.port)).collect();
        let mut noted = vec!["revu deux fois au calme, aucun réseau n'étant créé ni retiré".to_owned()];
        if !others.is_empty() {
            noted.push(format!("passent aussi : {}", others.join(", ")));
        }
        Miss {
            headline: format!("{from} atteint « {target} », alors que ce doit être impossible"),
            expected: self.expected(),
            observed: format!(
                "connexion à {}:{} établie en {took}{}",
                leak.way.host,
                leak.way.port,
                network.map(|n| format!(" par le réseau « {n} »")).unwrap_or_default()
            ),
            noted,
            place: tell::at_networks(world, target, network.unwrap_or("default")),
            hint: format!("quels services ont vraiment besoin de « {target} » ?"),
            try_it: match &self.from_service {
                // Never an address of this run: the student's own stack has others.
                Some(service) => inside(world, service, &format!("nc -zv {target} {}", leak.way.port)),
                None => "docker compose config".to_owned(),
            },
            ..Miss::default()
        }
    }
}
