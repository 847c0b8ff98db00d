//! What the kinds that look at Prometheus share: reaching it, and the misses when it does not answer.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Prom, Trouble};
use crate::check::experiment::Request;
use crate::check::world::{World, wire};
use crate::check::{Cx, kit, tell};
use crate::error::Fault;
use crate::event::{Miss, Place};

/// Prometheus reads its write-ahead log before it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service and one of its ports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Endpoint {
    /// Service.
    pub service: String,
    /// Container port.
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.service, self.port)
    }
}

/// Prometheus, once its API answers; else the miss that says why not.
pub async fn reach<'a>(cx: &Cx<'a>, service: &str, port: u16) -> Result<Result<Prom<'a>, Miss>, Fault> {
    if let Some(miss) = tell::absent(cx.world.declared(), service) {
        return Ok(Err(miss));
    }
    let Some(prom) = Prom::of(cx.world, service, port, Duration::from_secs(5)).await? else {
        return Ok(Err(tell::stopped(cx.world, service).await?));
    };
    Ok(match prom.ready(PATIENCE).await? {
        Ok(_) => Ok(prom),
        Err(trouble) => Err(silent(cx.world, service, port, &trouble).await?),
    })
}

/// The miss of a Prometheus whose API does not answer as it should.
pub async fn silent(world: &dyn World, service: &str, port: u16, trouble: &Trouble) -> Result<Miss, Fault> {
    Ok(Miss {
        headline: "l'API de Prometheus ne répond pas".to_owned(),
        expected: format!("« {service} » répond à /api/v1/status/runtimeinfo sur le port {port}"),
        observed: trouble.told(),
        noted: tell::tail(&world.logs(service, 20).await?, 6),
        place: world.place(&["services", service], "service attendu ici"),
        hint: "le journal de Prometheus nomme la ligne de configuration ou l'option qu'il refuse".to_owned(),
        try_it: format!("docker compose logs {service}"),
        ..Miss::default()
    })
}

/// Where Prometheus is usually configured.
const FILES: &[&str] = &[
    "prometheus/prometheus.yml",
    "prometheus/prometheus.yaml",
    "prometheus.yml",
    "prometheus.yaml",
    "config/prometheus.yml",
    "monitoring/prometheus.yml",
    "prometheus/config/prometheus.yml",
];

/// Position of the first of these texts in the configuration of Prometheus.
pub fn in_config(world: &dyn World, needles: &[&str], label: &str) -> Option<Place> {
    needles
        .iter()
        .filter(|n| !n.is_empty())
        .find_map(|needle| FILES.iter().find_map(|file| world.place_in(file, needle, label)))
}

/// Sends the same few requests once for all the checks of a copy, so that every series exists and
/// is scraped early. Waits for whoever drives the copy: never call it while holding `alone`.
pub async fn prime(cx: &Cx<'_>, traffic: &Request) -> Result<(), Fault> {
    let key = format!("prime:{}:{}{}", traffic.service, traffic.port, traffic.path);
    let make = async {
        let _alone = cx.memo.alone().await;
        send(cx.world, traffic, 3).await
    };
    cx.memo.once(&key, make).await.map(|_| ())
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Requests certainly received.
    pub sure: u64,
    /// Requests that may have been received besides.
    pub maybe: u64,
}

/// Sends `count` requests, one after the other, to a service on its own address.
pub async fn send(world: &dyn World, traffic: &Request, count: u32) -> Result<Sent, Fault> {
    let (_, ip) = kit::needed(world, &traffic.service).await?;
    let ask = wire::HttpMany {
        request: wire::Http::get(ip.to_string(), traffic.port, &traffic.path),
        count,
        concurrency: 1,
        spacing_ms: 0,
        keep_bodies: false,
        keep_headers: vec![],
        timeout_ms: 20_000,
    };
    match kit::http_many(world, &kit::inside(&traffic.service), ask).await?.0 {
        Ok(seen) if seen.not_begun > 0 => Err(kit::noise("l'API est trop lente pour les appels de mesure")),
        Ok(seen) => Ok(Sent { sure: seen.sent, maybe: seen.maybe_sent }),
        Err(failure) => {
            let why = tell::why(&failure);
            Err(kit::noise(format!("les appels de mesure n'ont pas pu partir : {why}")))
        }
    }
}
