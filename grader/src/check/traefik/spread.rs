//! `spread`: requests are spread over all the replicas, by the replicas' own counters.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::gate::Gate;
use super::replicas::{Counted, PATIENCE, Replica, replicas};
use super::world::wire;
use super::{
    Check, Cx, Experiments, Stage, check_host, check_path, counter, kit, metrics_path, port_https, tell,
};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Requests are spread over all the replicas.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spread {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host asked for.
    pub host: String,
    /// Path.
    pub path: String,
    /// Services that may hold replicas.
    pub services: Vec<String>,
    /// Container port of the replicas.
    pub to_port: u16,
    /// Replicas asked for, in all.
    pub replicas: usize,
    /// Smallest share of each, in percent.
    pub at_least: u64,
    /// Path of the metrics of the replicas.
    #[serde(default = "metrics_path")]
    pub metrics: String,
    /// Their counter of requests.
    #[serde(default = "counter")]
    pub counter: String,
}

/// Series of requests at most, until one is spread.
const MEASURES: usize = 3;
/// Between two of them: a health check takes place meanwhile.
const BETWEEN: Duration = Duration::from_secs(5);

/// What the requests gave.
struct Sent {
    count: u64,
    failed: u64,
    cookie: Option<String>,
}

impl Spread {
    fn base(&self, cx: &Cx<'_>) -> Miss {
        Miss {
            expected: format!(
                "{} répliques, dont chacune reçoit au moins {} % des appels à https://{}{}",
                self.replicas, self.at_least, self.host, self.path
            ),
            place: self
                .services
                .first()
                .and_then(|service| tell::at(cx.world, service, "deploy", "les répliques sont décrites ici")),
            try_it: format!(
                "for i in $(seq 30); do curl -sk -o /dev/null https://{}{}; done ; docker compose exec {} wget -qO- http://localhost:{}{}",
                self.host,
                self.path,
                self.services.first().map_or("api", String::as_str),
                self.to_port,
                self.metrics
            ),
            ..Miss::default()
        }
    }

    fn too_few(&self, cx: &Cx<'_>, found: &[Replica]) -> Miss {
        let names: Vec<&str> = found.iter().map(|r| r.name.as_str()).collect();
        Miss {
            headline: match found.len() {
                0 | 1 => "défi non fait : l'API n'a qu'une réplique".to_owned(),
                n => format!("l'API a {n} répliques au lieu de {}", self.replicas),
            },
            observed: format!("en marche, sur un réseau de « {} » : {}", self.via, tell::names(&names)),
            hint: "plusieurs services construits sur le même dossier, ou un seul en plusieurs copies : les deux se valent".to_owned(),
            try_it: "docker compose ps".to_owned(),
            ..self.base(cx)
        }
    }

    /// Sends them as one visitor does: with the cookies of the first answer.
    async fn send(&self, gate: &Gate<'_>, count: u32) -> Result<Result<Sent, Box<Miss>>, Fault> {
        let ask = || gate.send(gate.secure(self.port, &self.host, &self.path));
        let good =
            |seen: &Result<wire::HttpAnswer, wire::Failure>| seen.as_ref().is_ok_and(|a| a.status == 200);
        let first = kit::patiently(PATIENCE, good, ask).await?;
        let answer = match first {
            Ok(answer) if answer.status == 200 => answer,
            Ok(answer) => {
                return Ok(Err(Box::new(Miss {
                    headline: format!("https://{}{} ne répond pas 200", self.host, self.path),
                    observed: format!("code {}", answer.status),
                    hint: "404 : aucun routeur ; 502 et 504 : la route existe, mais ne mène pas au bon port ou au bon réseau".to_owned(),
                    ..Miss::default()
                })));
            }
            Err(failure) => {
                return Ok(Err(Box::new(gate.unreached(self.port, &self.host, &failure).await?)));
            }
        };
        let cookies: Vec<String> = answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .filter_map(|(_, value)| value.split(';').next().map(str::to_owned))
            .collect();
        let mut request = gate.secure(self.port, &self.host, &self.path);
        if !cookies.is_empty() {
            request.headers.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        let many = wire::HttpMany {
            request,
            count,
            concurrency: 3,
            spacing_ms: 5,
            keep_bodies: false,
            keep_headers: Vec::new(),
            timeout_ms: 45_000,
        };
        let (seen, _) = kit::http_many(gate.world, &gate.from, many).await?;
        let seen = seen.map_err(|failure| kit::probe_fault(&failure))?;
        if seen.not_begun > 0 {
            return Err(kit::noise("les appels n'ont pas tous pu être envoyés à temps"));
        }
        let served = seen.by_status.get(&200).copied().unwrap_or(0);
        let cookie = cookies.first().and_then(|c| c.split('=').next()).map(|name| tell::cut(name, 40));
        Ok(Ok(Sent { count: u64::from(count), failed: u64::from(count) - served, cookie }))
    }
}

#[async_trait]
impl Check for Spread {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        check_host("spread.host", &self.host)?;
        check_path("spread.path", &self.path)?;
        if self.services.is_empty() || self.replicas < 2 {
            return Err("spread veut des services et au moins deux répliques".into());
        }
        if self.at_least * self.replicas as u64 > 100 {
            return Err("spread.at-least : les parts dépassent 100 %".into());
        }
        Ok(())
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let found = replicas(world, &self.via, &self.services).await?;
        if found.len() != self.replicas {
            return tell::fail(self.too_few(cx, &found));
        }
        let _alone = cx.memo.alone().await;
        if let Some(miss) = self.shares_its_count(cx, &found).await? {
            return tell::fail(miss);
        }
        // A replica that a busy machine made late for one health check is left out for a moment, rightly.
        let mut seen = self.measure(cx, &gate, &found).await?;
        for _ in 1..MEASURES {
            if !matches!(seen, Verdict::Fail(_)) {
                break;
            }
            tokio::time::sleep(BETWEEN).await;
            seen = self.measure(cx, &gate, &found).await?;
        }
        Ok(seen)
    }
}

impl Spread {
    /// One replica, drawn, is asked directly: it alone must count these requests, and all of them.
    async fn shares_its_count(&self, cx: &Cx<'_>, found: &[Replica]) -> Result<Option<Miss>, Fault> {
        let world = cx.world;
        let drawn = kit::draw(world, "spread-direct");
        let Some(one) = found.get(usize::try_from(drawn % found.len().max(1) as u64).unwrap_or(0)) else {
            return Ok(None);
        };
        let asked = 9 + (drawn >> 8) % 7;
        let counted = self.counted();
        let Ok(before) = counted.all(world, found).await? else { return Ok(None) };
        let mut served = 0;
        for _ in 0..asked {
            let mut ask = wire::Http::get(one.ip.to_string(), self.to_port, &self.path);
            ask.headers = vec![("Host".to_owned(), self.host.clone())];
            let seen = kit::http(world, &kit::inside(&self.via), ask).await?.0;
            served += u64::from(seen.is_ok_and(|answer| answer.status == 200));
        }
        // What cannot be asked directly, or read, is seen below.
        let Ok(after) = counted.all(world, found).await? else { return Ok(None) };
        if served < asked {
            return Ok(None);
        }
        let moved = growth(&before, &after);
        let others = found.iter().zip(&moved).filter(|(replica, _)| replica.id != one.id);
        let own = found.iter().zip(&moved).find(|(replica, _)| replica.id == one.id).map_or(0, |(_, n)| *n);
        if own >= asked && others.clone().all(|(_, n)| *n * 4 < asked) {
            return Ok(None);
        }
        Ok(Some(Miss {
            headline: "une réplique ne compte pas ses propres appels".to_owned(),
            observed: format!("{asked} appels à « {} » seule ; comptés : {}", one.name, shares(found, &moved)),
            hint: "chaque réplique tient son compte dans sa propre mémoire : un compte partagé ne dit pas qui a servi"
                .to_owned(),
            ..self.base(cx)
        }))
    }

    fn counted(&self) -> Counted<'_> {
        Counted {
            via: &self.via,
            port: self.to_port,
            metrics: &self.metrics,
            counter: &self.counter,
            path: &self.path,
        }
    }

    /// One series of requests, and who counted them.
    async fn measure(&self, cx: &Cx<'_>, gate: &Gate<'_>, found: &[Replica]) -> Result<Verdict, Fault> {
        let world = cx.world;
        // One visitor more or less must not change a share by luck of rounding.
        let count = 60 + u32::try_from(kit::draw(world, "spread") % 31).unwrap_or(0);
        let counted = self.counted();
        // The first request is only there to see that the way is open, and to be given cookies.
        if let Err(miss) = self.send(gate, 1).await? {
            return tell::fail(merged(*miss, self.base(cx)));
        }
        let before = counted.all(world, found).await?;
        let sent = match self.send(gate, count).await? {
            Ok(sent) => sent,
            Err(miss) => return tell::fail(merged(*miss, self.base(cx))),
        };
        let after = counted.all(world, found).await?;
        let (before, after) = match (before, after) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(why), _) | (_, Err(why)) => {
                return tell::fail(Miss {
                    headline: "les compteurs d'une réplique ne se lisent pas".to_owned(),
                    observed: why,
                    hint: "chaque réplique tient ses propres métriques, comme au TP 02".to_owned(),
                    ..self.base(cx)
                });
            }
        };
        Ok(self.verdict(cx, found, &growth(&before, &after), &sent))
    }
}

/// How much each counter has grown.
fn growth(before: &[u64], after: &[u64]) -> Vec<u64> {
    before.iter().zip(after).map(|(b, a)| a.saturating_sub(*b)).collect()
}

/// « api : 20, api2 : 21 ».
fn shares(found: &[Replica], counts: &[u64]) -> String {
    let each: Vec<String> = found.iter().zip(counts).map(|(r, n)| format!("{} : {n}", r.name)).collect();
    each.join(", ")
}

/// What a part of the check says, with what is common to all its misses.
fn merged(miss: Miss, base: Miss) -> Miss {
    let kept = |own: String, other: String| if own.is_empty() { other } else { own };
    Miss {
        expected: kept(miss.expected, base.expected),
        try_it: kept(miss.try_it, base.try_it),
        place: miss.place.or(base.place),
        ..miss
    }
}

impl Spread {
    fn verdict(&self, cx: &Cx<'_>, found: &[Replica], moved: &[u64], sent: &Sent) -> Verdict {
        // The first request of a series is counted too.
        let total = sent.count + 1;
        let told = shares(found, moved);
        let facts = vec![
            Fact::new("sent", total, format!("{total} appels envoyés par un même visiteur")),
            Fact::new("counted", json!(moved), format!("comptés par les répliques : {told}")),
        ];
        let miss = |headline: &str, observed: String, hint: &str| {
            Verdict::Fail(Box::new(Miss {
                headline: headline.to_owned(),
                observed,
                noted: match &sent.cookie {
                    Some(name) => {
                        vec![format!("la première réponse pose le cookie « {name} », renvoyé ensuite")]
                    }
                    None => Vec::new(),
                },
                hint: hint.to_owned(),
                facts: facts.clone(),
                ..self.base(cx)
            }))
        };
        if sent.failed > 0 {
            return miss(
                "des appels échouent alors que toutes les répliques sont en marche",
                format!("{} appels sur {total} n'ont pas eu de réponse 200", sent.failed),
                "une réplique répond mal : laquelle ? Ses journaux le disent",
            );
        }
        if moved.iter().sum::<u64>() != total {
            return miss(
                "les compteurs des répliques ne suivent pas les appels",
                format!("{total} appels envoyés, {} comptés ({})", moved.iter().sum::<u64>(), told),
                "chaque réplique compte ce qu'elle sert elle-même, une fois ; qui d'autre répond, ou qui compte deux fois ?",
            );
        }
        let poor = found.iter().zip(moved).find(|(_, n)| **n * 100 < total * self.at_least);
        let Some((replica, n)) = poor else { return Verdict::Pass { facts } };
        let hint = if sent.cookie.is_some() {
            "un cookie d'affinité renvoie un visiteur toujours au même endroit : est-ce ce qui est demandé ?"
        } else {
            "les répliques doivent être les serveurs d'un seul service de Traefik, à parts égales"
        };
        miss(
            &if *n == 0 {
                format!("« {} » ne reçoit rien", replica.name)
            } else {
                format!("« {} » reçoit trop peu", replica.name)
            },
            format!("sur {total} appels, {told}"),
            hint,
        )
    }
}
