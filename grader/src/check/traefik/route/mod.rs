//! `route`: a host is served by a service, through the reverse proxy, over TLS.

mod misses;
mod proof;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::gate::Gate;
use super::world::wire;
use super::{Check, Cx, Experiments, Stage, api, http, kit, metrics, rule, said, servers, tell, world};
use super::{check_host, check_path, counter, dashboard_host, is_unrouted, metrics_path, port_https};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A request through the proxy is answered by that service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Route {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached; what is asked is the container port behind it.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host asked for, also as server name (SNI).
    pub host: String,
    /// Path.
    pub path: String,
    /// Status code.
    pub status: u16,
    /// JSON that the body must contain (other keys are allowed).
    #[serde(default)]
    pub json: Option<Value>,
    /// Service that must answer.
    pub to: String,
    /// Its container port.
    pub to_port: u16,
    /// Path of that service's own metrics, asked directly, by which its share is counted.
    #[serde(default = "metrics_path")]
    pub metrics: String,
    /// Counter of requests: its samples that carry the path in a label are summed.
    #[serde(default = "counter")]
    pub counter: String,
    /// Host of Traefik's dashboard, asked to explain a miss.
    #[serde(default = "dashboard_host")]
    pub dashboard: String,
}

/// What came back.
type Seen = Result<wire::HttpAnswer, wire::Failure>;

/// Traefik may still be reading what the engine tells it.
const PATIENCE: Duration = Duration::from_secs(8);

impl Route {
    fn url(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }

    fn base(&self) -> Miss {
        Miss {
            expected: match &self.json {
                Some(json) => {
                    format!("GET {} : {} avec {json}, par « {} »", self.url(), self.status, self.to)
                }
                None => format!("GET {} : {}, par « {} »", self.url(), self.status, self.to),
            },
            try_it: format!("curl -ki {}", self.url()),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Route {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        check_host("route.host", &self.host)?;
        check_path("route.path", &self.path)?;
        check_path("route.metrics", &self.metrics)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        if kit::settled(world, &self.to, Duration::from_secs(3)).await?.is_empty() {
            return tell::fail(tell::stopped(world, &self.to).await?);
        }
        let _alone = cx.memo.alone().await;
        let good = |seen: &Seen| seen.as_ref().is_ok_and(|a| a.status == self.status);
        let ask = || gate.send(gate.secure(self.port, &self.host, &self.path));
        let seen = kit::patiently(PATIENCE, good, ask).await?;
        let answer = match seen {
            Ok(answer) if answer.status == self.status => answer,
            seen => return tell::fail(self.unserved(&gate, &seen).await?),
        };
        let mut facts = vec![Fact::new(
            "status",
            answer.status,
            format!("GET {} : {} (réseau « {} »)", self.url(), answer.status, gate.network),
        )];
        if let Some(miss) = self.wrong_body(&answer) {
            return tell::fail(Miss { facts, ..miss });
        }
        let proof = self.prove(&gate, &answer).await?;
        match self.judged(&proof) {
            Ok(fact) => {
                facts.push(fact);
                tell::pass(facts)
            }
            Err(miss) => tell::fail(Miss { facts, ..*miss }),
        }
    }
}

impl Route {
    fn wrong_body(&self, answer: &wire::HttpAnswer) -> Option<Miss> {
        let wanted = self.json.as_ref()?;
        let observed = match serde_json::from_str::<Value>(&answer.body) {
            Ok(json) => http::lacks(wanted, &json, "")?,
            Err(_) => "le corps n'est pas du JSON".to_owned(),
        };
        Some(Miss {
            headline: format!("{} répond, mais pas ce qui est demandé", self.url()),
            observed,
            noted: vec![format!("corps : {}", tell::cut(&answer.body, 160))],
            hint: "un chemin réécrit en route, ou un autre service, répondent autrement que l'API".to_owned(),
            ..self.base()
        })
    }
}
