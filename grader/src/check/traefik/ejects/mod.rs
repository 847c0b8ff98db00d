//! `ejects`: a replica that has lost its database leaves the proxy's pool, and comes back.

mod judge;
mod run;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::gate::Gate;
use super::replicas::{Counted, PATIENCE, Replica, replicas};
use super::{
    Check, Cx, Experiments, Stage, api, check_host, check_path, counter, dashboard_host, kit, metrics_path,
    port_https, tell,
};
use super::{servers, world};
use crate::error::Fault;
use crate::event::{Miss, Verdict};
use crate::time::{Span, french, strain};

/// A replica made sick leaves the pool.
#[expect(clippy::unsafe_derive_deserialize, reason = "within a macro of tokio: no value is built by it")]
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ejects {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host asked for.
    pub host: String,
    /// Path that a sick replica cannot serve.
    pub path: String,
    /// Services that may hold replicas.
    pub services: Vec<String>,
    /// Container port of the replicas.
    pub to_port: u16,
    /// Service whose networks the sick replica is taken off.
    pub cut: String,
    /// Longest interval between two health checks of Traefik.
    pub interval: Span,
    /// Longest time-out of one.
    pub timeout: Span,
    /// Added to interval and time-out for the replica to be out.
    pub margin: Span,
    /// How long no request may fail once it is out.
    pub hold: Span,
    /// Host of Traefik's dashboard, where the health check in force is read.
    #[serde(default = "dashboard_host")]
    pub dashboard: String,
    /// Path of the metrics of the replicas.
    #[serde(default = "metrics_path")]
    pub metrics: String,
    /// Their counter of requests.
    #[serde(default = "counter")]
    pub counter: String,
}

/// Traefik's own interval and time-out of a health check.
const DEFAULTS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5));

/// The health check of Traefik in force.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rhythm {
    path: String,
    interval: Duration,
    timeout: Duration,
}

impl Rhythm {
    fn of(check: &api::HealthCheck) -> Self {
        Self {
            path: check.path.clone(),
            interval: api::duration(&check.interval).unwrap_or(DEFAULTS.0),
            timeout: api::duration(&check.timeout).unwrap_or(DEFAULTS.1),
        }
    }

    fn told(&self) -> String {
        format!(
            "contrôle de santé de Traefik : {}, intervalle {}, délai {}",
            tell::cut(&self.path, 60),
            french(self.interval),
            french(self.timeout)
        )
    }
}

impl Ejects {
    fn counted(&self) -> Counted<'_> {
        Counted {
            via: &self.via,
            port: self.to_port,
            metrics: &self.metrics,
            counter: &self.counter,
            path: &self.path,
        }
    }

    fn window(&self, rhythm: &Rhythm) -> Duration {
        rhythm.interval + rhythm.timeout + self.margin.0
    }

    fn base(&self, cx: &Cx<'_>) -> Miss {
        Miss {
            expected: format!(
                "une réplique coupée de « {} » ne reçoit plus de visiteur au bout de l'intervalle, du délai et de {} de marge ; plus aucun appel n'échoue alors, et elle revient une fois guérie",
                self.cut,
                french(self.margin.0)
            ),
            place: super::said::place_of(
                cx.world,
                (&self.via, self.services.first().map_or("api", String::as_str)),
                &["healthcheck.path", "healthCheck:", "healthcheck."],
                "contrôle de santé demandé à Traefik ici",
            ),
            try_it: format!(
                "docker network disconnect <réseau de {}> <un conteneur de l'API>, puis des appels à https://{}{}",
                self.cut, self.host, self.path
            ),
            ..Miss::default()
        }
    }

    /// Whether a service of Traefik leads to one of these replicas, by its address or by a name.
    async fn leads(&self, gate: &Gate<'_>, service: &api::Service, found: &[Replica]) -> Result<bool, Fault> {
        for server in service.servers() {
            let port = servers::target(server).and_then(|target| target.port).unwrap_or(80);
            let ips = servers::resolve(gate.world, &self.via, server).await?;
            if port == self.to_port && found.iter().any(|replica| ips.contains(&replica.ip)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The health check in force for the servers of these replicas; `Err` when there is none.
    async fn rhythm(&self, gate: &Gate<'_>, found: &[Replica]) -> Result<Result<Rhythm, String>, Fault> {
        let view = match api::view(gate, &self.dashboard).await? {
            Ok(view) => view,
            Err(silence) => return Ok(Err(silence.told(api::RAW))),
        };
        let mut slowest: Option<Rhythm> = None;
        for service in view.services.values() {
            let Some(check) = service.load_balancer.as_ref().and_then(|b| b.health_check.as_ref()) else {
                continue;
            };
            if self.leads(gate, service, found).await? {
                let rhythm = Rhythm::of(check);
                let pace = |rhythm: &Rhythm| rhythm.interval + rhythm.timeout;
                if slowest.as_ref().is_none_or(|known| pace(&rhythm) > pace(known)) {
                    slowest = Some(rhythm);
                }
            }
        }
        Ok(slowest.ok_or_else(|| "aucun contrôle de santé pour les serveurs de l'API".to_owned()))
    }
}

impl Ejects {
    /// The networks by which the replica reaches its database, and by which the proxy does not reach
    /// the replica.
    async fn links(&self, cx: &Cx<'_>, victim: &Replica) -> Result<Result<Vec<String>, Box<Miss>>, Fault> {
        let theirs = kit::networks(&kit::running(cx.world, &self.cut).await?);
        let proxy = kit::networks(&kit::running(cx.world, &self.via).await?);
        let links: Vec<String> =
            victim.networks.iter().filter(|n| theirs.contains(n.as_str())).cloned().collect();
        let shared: Vec<&String> = links.iter().filter(|n| proxy.contains(n.as_str())).collect();
        if let (false, Some(network)) = (links.is_empty(), shared.first()) {
            return Ok(Err(Box::new(Miss {
                headline: format!("« {} » partage un réseau avec « {} »", self.via, self.cut),
                expected: format!(
                    "« {} » joignable par l'API seulement, hors de portée du mandataire, comme au TP 03",
                    self.cut
                ),
                observed: format!(
                    "« {network} » relie aussi « {} » : une réplique ne peut pas y perdre sa base sans perdre le mandataire",
                    self.via
                ),
                place: tell::at_networks(cx.world, &self.via, network),
                hint: "le mandataire n'a besoin que du réseau des API".to_owned(),
                ..Miss::default()
            })));
        }
        if links.is_empty() {
            return Ok(Err(Box::new(Miss {
                headline: format!("l'API n'a pas de réseau commun avec « {} »", self.cut),
                observed: format!("« {} » est sur {}", victim.name, tell::names(&victim.networks)),
                ..self.base(cx)
            })));
        }
        Ok(Ok(links))
    }

    /// The replica that is made sick: drawn, so that none is the one that is never looked at, among those that
    /// serve. One that never does is the business of another check. The error says why the first one does not.
    async fn victim<'a>(
        &self,
        cx: &Cx<'_>,
        gate: &Gate<'_>,
        found: &'a [Replica],
    ) -> Result<Result<&'a Replica, String>, Fault> {
        let rank = usize::try_from(kit::draw(cx.world, "ejects") % found.len() as u64).unwrap_or(0);
        let (before, from) = found.split_at(rank);
        let mut first = None;
        for one in from.iter().chain(before) {
            let serves = || self.serves(gate, one);
            match kit::patiently(PATIENCE, Result::is_ok, serves).await? {
                Ok(()) => return Ok(Ok(one)),
                Err(why) => first = first.or(Some(why)),
            }
        }
        Ok(Err(first.unwrap_or_default()))
    }
}

#[async_trait]
impl Check for Ejects {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Break
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        check_host("ejects.host", &self.host)?;
        check_host("ejects.dashboard", &self.dashboard)?;
        check_path("ejects.path", &self.path)
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        self.services.clone()
    }

    fn deadline(&self) -> Duration {
        // It may have to wait for another experiment of this copy.
        Duration::from_secs(420)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let _alone = cx.memo.alone().await;
        let found = replicas(world, &self.via, &self.services).await?;
        if found.len() < 2 {
            return tell::fail(Miss {
                headline: "défi non fait : il faut au moins deux répliques de l'API".to_owned(),
                observed: format!("{} en marche", found.len()),
                hint: "une réplique malade ne peut être remplacée que par une autre".to_owned(),
                ..self.base(cx)
            });
        }
        let rhythm = match self.rhythm(&gate, &found).await? {
            Ok(rhythm) => rhythm,
            Err(why) => {
                return tell::fail(Miss {
                    headline: "défi non fait : Traefik ne contrôle pas la santé de l'API".to_owned(),
                    observed: why,
                    noted: vec![format!(
                        "lu dans https://{}{}, que le contrôle interroge",
                        self.dashboard,
                        api::RAW
                    )],
                    hint:
                        "le contrôle de santé se demande au service de Traefik, par des étiquettes de l'API"
                            .to_owned(),
                    ..self.base(cx)
                });
            }
        };
        if rhythm.interval > self.interval.0 || rhythm.timeout > self.timeout.0 {
            return tell::fail(Miss {
                headline: "Traefik regarde trop rarement la santé de l'API".to_owned(),
                expected: format!(
                    "un contrôle toutes les {} au plus, dont le délai est de {} au plus",
                    french(self.interval.0),
                    french(self.timeout.0)
                ),
                observed: rhythm.told(),
                hint: "l'intervalle et le délai ont des valeurs par défaut ; celles en vigueur se lisent dans l'API de Traefik".to_owned(),
                ..self.base(cx)
            });
        }
        let victim = match self.victim(cx, &gate, &found).await? {
            Ok(victim) => victim,
            Err(why) => {
                return tell::fail(Miss {
                    headline: "avant toute panne, aucune réplique ne sert".to_owned(),
                    observed: why,
                    noted: vec![rhythm.told()],
                    hint: "une réplique saine que Traefik croit malade ne reçoit rien : que répond le chemin contrôlé ?".to_owned(),
                    ..self.base(cx)
                });
            }
        };
        let links = match self.links(cx, victim).await? {
            Ok(links) => links,
            Err(miss) => return tell::fail(*miss),
        };
        let window = self.window(&rhythm).mul_f64(strain());
        let seen = self.observe(&gate, victim, &links, window).await?;
        Ok(self.verdict(cx, victim, &rhythm, window, &seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_traefik() {
        let check = |text: &str| serde_json::from_str::<api::HealthCheck>(text).expect("a health check");
        let rhythm = Rhythm::of(&check(r#"{"path": "/ready", "interval": "2s", "followRedirects": true}"#));
        assert_eq!((rhythm.interval.as_secs(), rhythm.timeout.as_secs()), (2, 5));
        let rhythm = Rhythm::of(&check(r#"{"path": "/ready", "timeout": "500ms"}"#));
        assert_eq!((rhythm.interval.as_secs(), rhythm.timeout.as_millis()), (30, 500));
        let rhythm = Rhythm::of(&check(r#"{"interval": "1m30s", "timeout": 2000000000}"#));
        assert_eq!((rhythm.interval.as_secs(), rhythm.timeout.as_secs()), (90, 2));
    }
}
