//! `ejects`: a replica that has lost its database leaves the proxy's pool, and comes back.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::gate::Gate;
use super::replicas::{Counted, Replica, replicas};
use super::world::wire;
use super::{
    Check, Cx, Experiments, Stage, api, check_host, check_path, counter, dashboard_host, kit, metrics_path,
    port_https, tell,
};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::{Span, french, strain};

/// A replica made sick leaves the pool.
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

/// Between two requests of the traffic, milliseconds.
const SPACING_MS: u64 = 80;
/// The traffic goes on for that long before the replica is made sick.
const LEAD: Duration = Duration::from_millis(1_500);
/// Requests of the controls.
const SAMPLE: u32 = 24;
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

/// What the traffic showed.
struct Seen {
    /// Requests begun after the window.
    late: u64,
    /// Of those, the failed ones: how long after the cut, what came.
    failed: Vec<(Duration, String)>,
    /// Requests that failed within the window.
    tolerated: u64,
    /// What the sick replica itself answered to the path, asked directly.
    sick: Result<u16, String>,
    /// Whether it was given requests again once healed.
    back: bool,
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

    /// The health check in force for the servers of these replicas; `Err` when there is none.
    async fn rhythm(&self, gate: &Gate<'_>, found: &[Replica]) -> Result<Result<Rhythm, String>, Fault> {
        let view = match api::view(gate, &self.dashboard).await? {
            Ok(view) => view,
            Err(silence) => return Ok(Err(silence.told(api::RAW))),
        };
        let ours = |service: &api::Service| {
            let hosts: Vec<String> = found.iter().map(|r| format!("//{}:{}", r.ip, self.to_port)).collect();
            service.servers().any(|url| hosts.iter().any(|host| url.contains(host)))
        };
        let checks = view
            .services
            .values()
            .filter(|s| ours(s))
            .filter_map(|s| s.load_balancer.as_ref()?.health_check.as_ref())
            .map(Rhythm::of);
        let slowest = checks.max_by_key(|rhythm| rhythm.interval + rhythm.timeout);
        Ok(slowest.ok_or_else(|| "aucun contrôle de santé pour les serveurs de l'API".to_owned()))
    }

    fn many(&self, gate: &Gate<'_>, count: u32, spacing_ms: u64) -> wire::HttpMany {
        let mut request = gate.secure(self.port, &self.host, &self.path);
        request.timeout_ms = 6_000;
        wire::HttpMany {
            request,
            count,
            concurrency: 128,
            spacing_ms,
            keep_bodies: false,
            keep_headers: Vec::new(),
            timeout_ms: spacing_ms * u64::from(count) + 20_000,
        }
    }

    /// Requests that are all served, of which this replica has its part.
    async fn serves(&self, gate: &Gate<'_>, replica: &Replica) -> Result<Result<(), String>, Fault> {
        let world = gate.world;
        let before = self.counted().of(world, replica).await?;
        let (seen, _) = kit::http_many(world, &gate.from, self.many(gate, SAMPLE, 10)).await?;
        let seen = seen.map_err(|failure| kit::probe_fault(&failure))?;
        let served = seen.by_status.get(&200).copied().unwrap_or(0);
        if served < u64::from(SAMPLE) {
            return Ok(Err(format!("{} appels sur {SAMPLE} n'ont pas eu de réponse 200", u64::from(SAMPLE) - served)));
        }
        let after = self.counted().of(world, replica).await?;
        Ok(match (before, after) {
            (Ok(before), Ok(after)) if after > before => Ok(()),
            (Ok(_), Ok(_)) => Err(format!("« {} » ne reçoit aucun appel", replica.name)),
            (Err(why), _) | (_, Err(why)) => Err(why),
        })
    }

    /// Traffic, cut, traffic, repair.
    async fn observe(
        &self,
        gate: &Gate<'_>,
        victim: &Replica,
        links: &[String],
        window: Duration,
    ) -> Result<Seen, Fault> {
        let world = gate.world;
        let length = LEAD + window + self.hold.0;
        let count = u32::try_from(length.as_millis() / u128::from(SPACING_MS)).unwrap_or(u32::MAX);
        let traffic = async {
            let (seen, _) = kit::http_many(world, &gate.from, self.many(gate, count, SPACING_MS)).await?;
            seen.map_err(|failure| kit::probe_fault(&failure))
        };
        let break_it = async {
            tokio::time::sleep(LEAD).await;
            let mut at = 0;
            for network in links {
                at = world.unplug(&victim.id, network).await?;
            }
            // Asked directly once the proxy should know: it must be sick, or nothing is proven.
            tokio::time::sleep(window).await;
            let mut ask = wire::Http::get(victim.ip.to_string(), self.to_port, &self.path);
            ask.timeout_ms = 5_000;
            let sick = match kit::http(world, &kit::inside(&self.via), ask).await?.0 {
                Ok(answer) => Ok(answer.status),
                Err(failure) => Err(tell::why(&failure)),
            };
            Ok::<_, Fault>((at, sick))
        };
        let (traffic, broken) = tokio::join!(traffic, break_it);
        for network in links {
            world.plug(&victim.id, network).await?;
        }
        let (traffic, (cut_us, sick)) = (traffic?, broken?);
        if traffic.not_begun > 0 {
            return Err(kit::noise("les appels n'ont pas tous pu être envoyés à temps"));
        }
        let mut seen = Seen { late: 0, failed: Vec::new(), tolerated: 0, sick, back: false };
        for one in &traffic.each {
            let since = i64::try_from(one.at_us).unwrap_or(i64::MAX) - cut_us;
            let since = Duration::from_micros(u64::try_from(since).unwrap_or(0));
            let bad = match (one.status, &one.failure) {
                (Some(status), _) if (200..300).contains(&status) => None,
                (Some(status), _) => Some(format!("code {status}")),
                (None, Some(failure)) => Some(tell::why(failure)),
                (None, None) => None,
            };
            match bad {
                _ if since > window => {
                    seen.late += 1;
                    seen.failed.extend(bad.map(|what| (since, what)));
                }
                Some(_) => seen.tolerated += 1,
                None => {}
            }
        }
        let again = kit::patiently(
            window + Duration::from_secs(5),
            |done: &Result<(), String>| done.is_ok(),
            || self.serves(gate, victim),
        );
        seen.back = again.await?.is_ok();
        Ok(seen)
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
                        "lu dans https://{}{}, que le contrôle interroge", self.dashboard, api::RAW
                    )],
                    hint: "le contrôle de santé se demande au service de Traefik, par des étiquettes de l'API".to_owned(),
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
        // Drawn: no replica is the one that is never looked at.
        let rank = usize::try_from(kit::draw(world, "ejects") % found.len() as u64).unwrap_or(0);
        let victim = &found[rank];
        let links = match self.links(cx, victim).await? {
            Ok(links) => links,
            Err(miss) => return tell::fail(*miss),
        };
        let ready = kit::patiently(
            Duration::from_secs(15),
            |done: &Result<(), String>| done.is_ok(),
            || self.serves(&gate, victim),
        );
        if let Err(why) = ready.await? {
            return tell::fail(Miss {
                headline: "avant toute panne, les répliques ne servent pas toutes".to_owned(),
                observed: why,
                noted: vec![rhythm.told()],
                hint: "une réplique saine que Traefik croit malade ne reçoit rien : que répond le chemin contrôlé ?".to_owned(),
                ..self.base(cx)
            });
        }
        let window = self.window(&rhythm).mul_f64(strain());
        let seen = self.observe(&gate, victim, &links, window).await?;
        Ok(self.verdict(cx, victim, &rhythm, window, &seen))
    }
}

impl Ejects {
    /// The networks by which the replica reaches its database, and by which the proxy does not reach
    /// the replica.
    async fn links(&self, cx: &Cx<'_>, victim: &Replica) -> Result<Result<Vec<String>, Box<Miss>>, Fault> {
        let of = |found: Vec<super::world::Instance>| -> Vec<String> {
            found.iter().flat_map(|i| &i.attachments).map(|a| a.network.clone()).collect()
        };
        let theirs = of(kit::running(cx.world, &self.cut).await?);
        let proxy = of(kit::running(cx.world, &self.via).await?);
        let links: Vec<String> = victim.networks.iter().filter(|n| theirs.contains(n)).cloned().collect();
        let shared: Vec<&String> = links.iter().filter(|n| proxy.contains(n)).collect();
        if let (false, Some(network)) = (links.is_empty(), shared.first()) {
            return Ok(Err(Box::new(Miss {
                headline: format!("« {} » partage un réseau avec « {} »", self.via, self.cut),
                expected: format!("« {} » joignable par l'API seulement, hors de portée du mandataire, comme au TP 03", self.cut),
                observed: format!("« {network} » relie aussi « {} » : une réplique ne peut pas y perdre sa base sans perdre le mandataire", self.via),
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

    fn verdict(&self, cx: &Cx<'_>, victim: &Replica, rhythm: &Rhythm, window: Duration, seen: &Seen) -> Verdict {
        let sick = match &seen.sick {
            Ok(status) => format!("elle-même répond {status} à {}", self.path),
            Err(why) => format!("elle-même ne répond pas à {} ({why})", self.path),
        };
        let facts = vec![
            Fact::new("health-check", json!({"path": rhythm.path}), rhythm.told()),
            Fact::new("victim", victim.name.clone(), format!("réplique coupée de « {} » : {} ; {sick}", self.cut, victim.name)),
            Fact::new(
                "tolerated",
                seen.tolerated,
                format!("{} appels manqués dans les {} permises", seen.tolerated, french(window)),
            ),
            Fact::new("late", seen.late, format!("{} appels après, dont {} manqués", seen.late, seen.failed.len())),
        ];
        let miss = |headline: &str, observed: String, control: String, hint: &str| {
            Verdict::Fail(Box::new(Miss {
                headline: headline.to_owned(),
                observed,
                control,
                noted: vec![rhythm.told()],
                hint: hint.to_owned(),
                facts: facts.clone(),
                ..self.base(cx)
            }))
        };
        if matches!(seen.sick, Ok(status) if (200..300).contains(&status)) {
            return miss(
                "une réplique coupée de sa base répond encore comme si de rien n'était",
                format!("« {} », hors des réseaux de « {} », répond 200 à {}", victim.name, self.cut, self.path),
                String::new(),
                "d'où vient cette réponse, si la base est hors d'atteinte ?",
            );
        }
        if let Some((last, what)) = seen.failed.last() {
            return miss(
                "une réplique malade reçoit toujours des visiteurs",
                format!(
                    "{} appels manqués sur {} envoyés plus de {} après la panne ; le dernier à {} ({what})",
                    seen.failed.len(),
                    seen.late,
                    french(window),
                    french(*last)
                ),
                format!("avant la panne, tous les appels étaient servis ; la réplique coupée : {sick}"),
                "le chemin contrôlé dit-il que la réplique est utile, ou seulement qu'elle est vivante ?",
            );
        }
        if !seen.back {
            return miss(
                "une fois guérie, la réplique ne revient pas",
                format!("« {} » ne reçoit toujours rien {} après son retour sur le réseau", victim.name, french(window + Duration::from_secs(5))),
                "pendant la panne, aucun appel n'a échoué une fois la réplique écartée".to_owned(),
                "que répond le chemin contrôlé quand la base revient ?",
            );
        }
        Verdict::Pass { facts }
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
