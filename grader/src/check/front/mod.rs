//! What a plain reverse proxy leads to by path: applications that say who they are.
//!
//! Each of them answers, beneath its prefix, to `qui?jeton=…` with [`Card`] in JSON, to `depart?jeton=…` with a
//! redirection to `arrivee?jeton=…` (a [`Card`] too), and at its root with a page that has a style sheet.

mod assets;
mod based;
mod beneath;
mod late;
mod prefixed;
mod relayed;
mod replicas;
mod round;
mod url;

#[cfg(test)]
mod tests;

pub use assets::Assets;
pub use based::Based;
pub use late::Late;
pub use prefixed::Prefixed;
pub use relayed::Relayed;
pub use replicas::Replicas;

use std::time::Duration;

use serde::Deserialize;

use super::traefik::Gate;
use super::world::{World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Miss, Place};

/// Host asked for, as a visitor of the machine itself writes it.
const HOST: &str = "localhost";

fn port_http() -> u16 {
    80
}

fn port_https() -> u16 {
    443
}

/// A server may still be starting.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first answer over TLS whose status is below 500, or the last one.
async fn secure(
    gate: &Gate<'_>,
    port: u16,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> kit::Asked<wire::HttpAnswer> {
    let good = |seen: &Result<wire::HttpAnswer, wire::Failure>| seen.as_ref().is_ok_and(|a| a.status < 500);
    let ask = || async {
        let mut ask = gate.secure(port, host, path);
        ask.headers.extend(headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        ask.max_body = 1 << 20;
        ask.timeout_ms = 10_000;
        gate.send(ask).await
    };
    kit::patiently(PATIENCE, good, ask).await
}

/// What an application says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Card {
    /// Name of the application: that of its service.
    application: String,
    /// Host name of the container that answers.
    instance: String,
    /// What was asked, given back.
    jeton: String,
}

impl Card {
    fn read(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }
}

/// A token that nobody could know before this run.
fn token(world: &dyn World, salt: &str) -> String {
    format!("{:012x}", kit::draw(world, salt) & 0xffff_ffff_ffff)
}

/// Where a card is asked for.
fn who(prefix: &str, token: &str) -> String {
    format!("{prefix}/qui?jeton={token}")
}

/// Host names of the containers of a service, as the engine gave them.
async fn hostnames(world: &dyn World, service: &str) -> Result<Vec<String>, Fault> {
    let seen = world.inspections(service).await?;
    let name = |one: &serde_json::Value| one.pointer("/Config/Hostname")?.as_str().map(str::to_owned);
    Ok(seen.iter().filter_map(name).collect())
}

/// Position of the first of these texts in what configures the proxy.
fn in_conf(world: &dyn World, needles: &[&str], label: &str) -> Option<Place> {
    let files = world.files();
    let conf = |file: &&String| {
        let name = file.to_lowercase();
        name.contains("nginx") || [".conf", ".template"].iter().any(|end| name.ends_with(end))
    };
    let confs: Vec<&String> = files.iter().filter(conf).collect();
    needles.iter().find_map(|needle| confs.iter().find_map(|file| world.place_in(file, needle, label)))
}

/// What the answer of a proxy suggests, by its status.
fn hint_of(status: u16) -> &'static str {
    match status {
        404 => {
            "404 : aucune location pour ce chemin, ou le préfixe est passé tel quel à une application qui ne le connaît pas"
        }
        502 => "502 : Nginx connaît le chemin, mais ne joint personne : nom, port, ou application arrêtée",
        504 => "504 : Nginx attend une réponse qui ne vient pas",
        400 => "400 : l'application refuse l'hôte ou la requête ; que vaut l'en-tête Host qu'elle reçoit ?",
        500..=599 => "le journal de Nginx, puis celui de l'application, disent laquelle des deux se trompe",
        301..=308 => "une redirection ici : vers où ?",
        _ => "que reçoit l'application, exactement : quel chemin, quels en-têtes ?",
    }
}

/// The miss of a proxy that gives no answer.
async fn unreached(gate: &Gate<'_>, port: u16, failure: &wire::Failure) -> Result<Miss, Fault> {
    let log = gate.world.logs(&gate.service, 12).await?;
    Ok(Miss {
        headline: format!("« {} » ne répond pas sur le port {port} de la machine", gate.service),
        observed: tell::why(failure),
        noted: tell::tail(&log, 4),
        place: tell::at(gate.world, &gate.service, "ports", "publication du port"),
        hint: "qui écoute dans le conteneur, sur quel port, et quel port de la machine y mène ?".to_owned(),
        try_it: format!("docker compose logs {}", gate.service),
        ..Miss::default()
    })
}
