//! `allow-list`: a path is served to the addresses of one network only. A negative check: it always
//! carries its positive controls, and the source address of every question is a real one.

mod attempts;
mod misses;
mod range;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::gate::Gate;
use super::world::wire;
use super::{Check, Cx, Experiments, Stage, api, kit, metrics, said, tell};
use super::{check_host, check_path, counter, dashboard_host, is_unrouted, port_http, port_https};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use attempts::Attempt;

/// A path of a host is answered to one network and refused (403) to everybody else.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AllowList {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Port of the host by which it is reached in clear.
    #[serde(default = "port_http")]
    pub plain_port: u16,
    /// Host asked for.
    pub host: String,
    /// Path of the metrics.
    pub path: String,
    /// Network (key of the student's file) whose addresses are allowed.
    pub inside: String,
    /// Network from which the path must be refused.
    pub outside: String,
    /// Subnet that this network must have; the list in force must not let in more than that.
    #[serde(default)]
    pub range: Option<String>,
    /// Path that is open to everybody: the positive control.
    pub alive: String,
    /// A counter of those metrics, by which they are recognised.
    #[serde(default = "counter")]
    pub counter: String,
    /// Other spellings of the path that must not give the metrics away either; by default a final
    /// slash, a query, a doubled slash and an encoded letter. Upper case is tried and told in any case.
    #[serde(default)]
    pub spellings: Option<Vec<String>>,
    /// Host of Traefik's dashboard, asked to explain a miss.
    #[serde(default = "dashboard_host")]
    pub dashboard: String,
}

/// Traefik may still be reading what the engine tells it.
const PATIENCE: Duration = Duration::from_secs(8);

/// What an HTTP exchange gave.
type Seen = Result<wire::HttpAnswer, wire::Failure>;

impl AllowList {
    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host)
    }

    /// Whether these are the metrics, whatever path gave them.
    fn has_metrics(&self, body: &str) -> bool {
        let page = metrics::parse::parse(body);
        // A counter that has counted nothing yet is only announced.
        page.types.contains_key(&self.counter) || page.of(&self.counter).next().is_some()
    }

    fn gives_metrics(&self, seen: &Seen) -> bool {
        seen.as_ref().is_ok_and(|a| a.status == 200 && self.has_metrics(&a.body))
    }

    fn ask(&self, gate: &Gate<'_>, path: &str) -> wire::Http {
        let mut ask = gate.secure(self.port, &self.host, path);
        ask.max_body = 1024 * 1024;
        ask
    }

    /// Counts by the metrics how often the open path was asked for.
    fn counted(&self, body: &str) -> f64 {
        let page = metrics::parse::parse(body);
        let about = |s: &&metrics::parse::Sample| s.labels.values().any(|v| *v == self.alive);
        page.of(&self.counter).filter(about).map(|s| s.value).sum()
    }

    fn base(&self) -> Miss {
        Miss {
            expected: format!(
                "GET {} : les métriques depuis « {} », 403 d'ailleurs ; GET {} : 200 de partout",
                self.url(&self.path),
                self.inside,
                self.alive
            ),
            try_it: format!("curl -ki {}", self.url(&self.path)),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for AllowList {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        check_host("allow-list.host", &self.host)?;
        check_path("allow-list.path", &self.path)?;
        check_path("allow-list.alive", &self.alive)?;
        if self.inside == self.outside {
            return Err("allow-list : inside et outside sont le même réseau".into());
        }
        if let Some(range) = self.range.as_ref().filter(|range| range.parse::<Ipv4Net>().is_err()) {
            return Err(format!("allow-list.range : « {range} » n'est pas un réseau IPv4"));
        }
        self.spellings.iter().flatten().try_for_each(|p| check_path("allow-list.spellings", p))
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = self.other_range(cx.world) {
            return tell::fail(miss);
        }
        let mut gates = Vec::new();
        for network in [&self.inside, &self.outside] {
            match Gate::open(cx.world, &self.via, Some(network)).await? {
                Ok(gate) => gates.push(gate),
                Err(miss) => {
                    let Miss { expected, .. } = self.base();
                    return tell::fail(Miss { expected, ..*miss });
                }
            }
        }
        let [inside, outside] = gates.as_slice() else { return Err(kit::lab_fault("allow-list")) };
        let _alone = cx.memo.alone().await;
        let mut facts = Vec::new();
        let allowed = match self.allowed(inside, &mut facts).await? {
            Ok(address) => address,
            Err(miss) => return tell::fail(Miss { facts, ..*miss }),
        };
        if let Some(miss) = self.whole(inside, &mut facts).await? {
            return tell::fail(Miss { facts, ..miss });
        }
        if let Err(miss) = self.open_to_all(outside).await? {
            return tell::fail(Miss { facts, ..*miss });
        }
        facts.push(Fact::new(
            "alive",
            200,
            format!("témoin : GET {} répond depuis « {} »", self.alive, self.outside),
        ));
        let attempts = self.attempts(outside, allowed).await?;
        for attempt in &attempts {
            facts.push(attempt.fact());
        }
        if let Some(bad) = attempts.iter().find(|a| a.leaks && !a.only_told) {
            return tell::fail(Miss { facts, ..self.leak(outside, bad).await? });
        }
        if let Some(odd) = attempts.iter().find(|a| a.must_be_403 && a.status != Some(403)) {
            return tell::fail(Miss { facts, ..self.not_403(outside, odd).await? });
        }
        if let Some(miss) = self.too_wide(outside, allowed).await? {
            return tell::fail(Miss { facts, ..miss });
        }
        tell::pass(facts)
    }
}

impl AllowList {
    /// From the allowed network: the metrics, live. Gives the address that was allowed.
    async fn allowed(
        &self,
        gate: &Gate<'_>,
        facts: &mut Vec<Fact>,
    ) -> Result<Result<IpAddr, Box<Miss>>, Fault> {
        let good = |seen: &Seen| self.gives_metrics(seen);
        let seen = kit::patiently(PATIENCE, good, || gate.send(self.ask(gate, &self.path))).await?;
        let answer = match seen {
            Ok(answer) if answer.status == 200 && self.has_metrics(&answer.body) => answer,
            seen => return Ok(Err(Box::new(self.shut_out(gate, &seen).await?))),
        };
        let before = self.counted(&answer.body);
        let count = 3 + kit::draw(gate.world, "allow-list") % 5;
        for _ in 0..count {
            let _ = gate.send(self.ask(gate, &self.alive)).await?;
        }
        let after = gate.send(self.ask(gate, &self.path)).await?;
        let now = after.as_ref().map(|a| self.counted(&a.body)).unwrap_or_default();
        let moved = now - before;
        // Copies of the API take turns: the same number twice is what a fixed page shows.
        let still =
            |body: &str| metrics::parse::parse(body).samples == metrics::parse::parse(&answer.body).samples;
        if after.as_ref().is_ok_and(|a| still(&a.body)) {
            return Ok(Err(Box::new(self.canned(count))));
        }
        facts.push(Fact::new(
            "inside",
            json!({"sent": count, "moved": moved}),
            format!(
                "depuis « {} » : les métriques, qui avancent de {moved:.0} pour {count} requêtes",
                self.inside
            ),
        ));
        Ok(Ok(answer.local.ip()))
    }

    /// From the other end of the allowed network: half of it is not the network.
    async fn whole(&self, gate: &Gate<'_>, facts: &mut Vec<Fact>) -> Result<Option<Miss>, Fault> {
        let Some((end, ip)) = gate.at_its_end().await? else { return Ok(None) };
        let good = |seen: &Seen| self.gives_metrics(seen);
        // An address that cannot be had proves nothing.
        let Ok(seen) = kit::patiently(PATIENCE, good, || end.send(self.ask(&end, &self.path))).await else {
            return Ok(None);
        };
        let Ok(answer) = &seen else { return Ok(None) };
        if good(&seen) {
            let ip = ip.to_string();
            facts.push(Fact::new(
                "inside-end",
                ip.as_str(),
                format!("depuis {ip}, à l'autre bout : les métriques"),
            ));
            return Ok(None);
        }
        Ok(Some(Miss {
            headline: format!("{} est refusé à une partie de « {} »", self.path, self.inside),
            observed: format!("depuis {ip}, une de ses dernières adresses : {}", answer.status),
            control: "depuis une de ses premières adresses, les métriques répondent".to_owned(),
            hint: "combien d'adresses ce réseau a-t-il, et combien la liste en contient-elle ?".to_owned(),
            ..self.shut_out(&end, &seen).await?
        }))
    }

    /// The control: the open path answers from the outside, in the same way.
    async fn open_to_all(&self, gate: &Gate<'_>) -> Result<Result<(), Box<Miss>>, Fault> {
        let good = |seen: &Seen| seen.as_ref().is_ok_and(|a| a.status == 200);
        let seen = kit::patiently(PATIENCE, good, || gate.send(self.ask(gate, &self.alive))).await?;
        if good(&seen) {
            return Ok(Ok(()));
        }
        Ok(Err(Box::new(self.not_alive(gate, &seen).await?)))
    }
}
