//! `alert`: an alert goes pending then firing, in its window, after a service is stopped; measured
//! live, in compressed time unless `--real-time` asks for the truth.

mod compress;
mod judge;
mod live;
mod look;
mod show;
pub mod twin;
mod window;
mod zero;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Cx, Experiments, Stage, tell};
use crate::error::Fault;
use crate::event::Verdict;
use crate::time::{Span, Window};

pub use live::concerns;
pub use window::told;

/// The stimulus.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct After {
    /// Service that is stopped; the engine's acknowledgement is time zero.
    pub stop: String,
}

/// An alert fires in its window after a service is stopped.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Alert {
    /// Service of Prometheus.
    #[serde(default = "prometheus")]
    pub service: String,
    /// Port of Prometheus in its container.
    #[serde(default = "port")]
    pub port: u16,
    /// Name of the alert.
    pub name: String,
    /// The stimulus.
    pub after: After,
    /// It must not fire earlier, counted in real time.
    pub not_before: Span,
    /// It must fire at the latest.
    pub by: Span,
    /// Points kept when it fires after the stimulus, but not in the window.
    #[serde(default)]
    pub partial: f64,
}

/// The usual name of the service.
pub fn prometheus() -> String {
    "prometheus".to_owned()
}

/// The usual port.
pub fn port() -> u16 {
    9090
}

impl Alert {
    /// What the lab asks for.
    fn asked(&self) -> Window {
        Window { not_before: self.not_before.0, by: self.by.0 }
    }

    /// The experiment, made once; a second time when the first left a doubt.
    async fn run(&self, cx: &Cx<'_>, attempt: u32) -> Result<std::sync::Arc<live::Outcome>, Fault> {
        let key = format!("alert:{}:{}:{attempt}", self.name, self.after.stop);
        cx.memo.once(&key, Box::pin(live::run(cx, self))).await
    }
}

#[async_trait]
impl Check for Alert {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Break
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.not_before > self.by {
            return Err("alert.not-before vient après alert.by".into());
        }
        if self.after.stop == self.service {
            return Err("alert.after.stop arrête Prometheus lui-même".into());
        }
        Ok(())
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        vec![self.after.stop.clone()]
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(300) + self.by.0 * 2
    }

    async fn prepare(&self, cx: &Cx<'_>) {
        if tell::absent(cx.world.declared(), &self.service).is_some() {
            return;
        }
        // A fault shows again when it is judged.
        let _ = tokio::join!(twin::shared(cx, &self.service, self.port), live::delay(cx, self));
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        for service in [&self.service, &self.after.stop] {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
        }
        let first = self.run(cx, 0).await?;
        let doubtful = match first.as_ref() {
            live::Outcome::Ran(run) => run.leaves_a_doubt(self),
            live::Outcome::Stopped(_) => false,
        };
        let outcome = if doubtful { self.run(cx, 1).await? } else { first };
        judge::verdict(self, cx, &outcome).await
    }
}

#[cfg(test)]
mod tests;
