//! `delivered`: what Alertmanager sends to the receiver of the run. A replica is suspended, then
//! resumed; then alerts of the same kind are given to Alertmanager all at once.

mod judge;
mod run;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::prom::told::Endpoint;
use super::{Check, Cx, Experiments, Stage, deep, kit, tell, world};
use crate::error::Fault;
use crate::event::{Miss, Verdict};
use crate::time::Span;

/// Which of the proofs is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// The alert arrives.
    Firing,
    /// So does its end.
    Resolved,
    /// Alerts of the same kind come together.
    Grouped,
}

/// What the receiver of the run is sent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Delivered {
    /// Which of the proofs is judged.
    pub message: Message,
    /// Prometheus.
    pub prometheus: Endpoint,
    /// Alertmanager.
    pub alertmanager: Endpoint,
    /// Name of the alert.
    pub alert: String,
    /// Services of which one container is suspended.
    pub services: Vec<String>,
    /// Longest time until the alert arrives, once the container is suspended.
    pub by: Span,
    /// Longest time until its end arrives, once the container is resumed.
    pub resolved_by: Span,
    /// Longest time until alerts given to Alertmanager arrive.
    pub grouped_by: Span,
}

#[async_trait]
impl Check for Delivered {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Break
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        experiments
            .receiver
            .as_ref()
            .map(drop)
            .ok_or_else(|| "delivered veut [experiment.receiver]".to_owned())
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        self.services.clone()
    }

    fn deadline(&self) -> Duration {
        // Patience is stretched on a busy machine, up to four times.
        (self.by.0 + self.resolved_by.0 + self.grouped_by.0) * 4 + Duration::from_secs(420)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let Some(receiver) = &cx.experiments.receiver else {
            return Err(kit::lab_fault("il manque [experiment.receiver]"));
        };
        for service in [&self.prometheus.service, &self.alertmanager.service, &receiver.service] {
            if let Some(miss) = tell::absent(world.declared(), service) {
                return tell::fail(Miss {
                    headline: format!("défi non fait : pas de service « {service} »"),
                    hint: "ce défi demande Prometheus, Alertmanager et un récepteur, sous ces noms"
                        .to_owned(),
                    ..miss
                });
            }
        }
        for service in [&self.prometheus.service, &self.alertmanager.service] {
            if kit::settled(world, service, Duration::from_secs(5)).await?.is_empty() {
                return tell::fail(tell::stopped(world, service).await?);
            }
        }
        if world.deliveries().await?.is_none() {
            return tell::fail(judge::unreplaced(cx, &receiver.service));
        }
        let seen = cx
            .memo
            .once(&format!("delivered:{}", self.alert), async {
                let _alone = cx.memo.alone().await;
                run::observe(cx, self).await
            })
            .await?;
        Ok(match self.message {
            Message::Firing => judge::firing(self, cx, &receiver.service, &seen),
            Message::Resolved => judge::resolved(self, cx, &receiver.service, &seen),
            Message::Grouped => judge::grouped(self, cx, &receiver.service, &seen),
        })
    }
}
