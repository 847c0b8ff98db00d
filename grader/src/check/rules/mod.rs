//! `rules-loaded`: the alerts asked for are in the running Prometheus, and can be evaluated.

mod explain;
pub mod expr;
pub mod files;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::alert::{port, prometheus};
use super::prom::{Prom, RuleKind};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Verdict};

/// Alerts are loaded.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RulesLoaded {
    /// Service of Prometheus.
    #[serde(default = "prometheus")]
    pub service: String,
    /// Port of Prometheus in its container.
    #[serde(default = "port")]
    pub port: u16,
    /// Names of the alerts.
    pub alerts: Vec<String>,
}

#[async_trait]
impl Check for RulesLoaded {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.alerts.is_empty() { Err("rules-loaded.alerts est vide".into()) } else { Ok(()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = tell::absent(cx.world.declared(), &self.service) {
            return tell::fail(miss);
        }
        if kit::settled(cx.world, &self.service, Duration::from_secs(3)).await?.is_empty() {
            return tell::fail(explain::not_running(self, cx).await?);
        }
        let Some(prom) = Prom::of(cx.world, &self.service, self.port, Duration::from_secs(3)).await? else {
            return tell::fail(tell::stopped(cx.world, &self.service).await?);
        };
        if let Err(trouble) = prom.ready(Duration::from_secs(20)).await? {
            return tell::fail(explain::silent(self, cx, &trouble.told()).await?);
        }
        let groups = match prom.rules().await? {
            Ok(groups) => groups,
            Err(trouble) => return tell::fail(explain::silent(self, cx, &trouble.told()).await?),
        };
        let loaded: Vec<_> =
            groups.iter().flat_map(|g| &g.rules).filter(|r| r.kind == RuleKind::Alerting).collect();
        let names: Vec<String> = loaded.iter().map(|r| r.name.clone()).collect();
        let facts = vec![Fact::new(
            "alerts",
            json!(names),
            format!(
                "alertes chargées : {}",
                if names.is_empty() { "aucune".to_owned() } else { tell::cut(&tell::names(&names), 200) }
            ),
        )];
        let missing: Vec<&String> = self.alerts.iter().filter(|a| !names.contains(a)).collect();
        if !missing.is_empty() {
            let mut miss = explain::missing(self, cx, &missing, &names).await?;
            miss.facts = facts;
            return tell::fail(miss);
        }
        for rule in loaded.iter().filter(|r| self.alerts.contains(&r.name)) {
            // A rule that has not been evaluated yet is tried by hand.
            let error = match rule.health.as_str() {
                "ok" => None,
                "err" => Some(tell::cut(&rule.last_error, 160)),
                _ => prom.query(&rule.query, None).await?.err().map(|t| t.told()),
            };
            if let Some(error) = error {
                let mut miss = explain::sick(self, cx, &rule.name, &error).await?;
                miss.facts = facts;
                return tell::fail(miss);
            }
        }
        tell::pass(facts)
    }
}

#[cfg(test)]
mod tests;
