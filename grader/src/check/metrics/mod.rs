//! `metrics`: Prometheus metrics that move by exactly what was sent.

mod histogram;
mod judge;
pub mod parse;
mod run;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::Verdict;

/// A metric moves by exactly the requests sent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Metrics {
    /// Name of a counter.
    #[serde(default)]
    pub counter: Option<String>,
    /// Name of a histogram.
    #[serde(default)]
    pub histogram: Option<String>,
    /// Labels that each series must have (others are allowed).
    #[serde(default)]
    pub labels: Vec<String>,
    /// Label that holds the path.
    pub path_label: String,
    /// Label that holds the method.
    #[serde(default)]
    pub method_label: Option<String>,
    /// Paths that are judged; all those of the experiment by default.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
}

impl Metrics {
    /// The metric's name.
    fn name(&self) -> &str {
        self.counter.as_deref().or(self.histogram.as_deref()).unwrap_or_default()
    }
}

#[async_trait]
impl Check for Metrics {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        let Some(traffic) = &experiments.traffic else {
            return Err("metrics veut [experiment.traffic]".into());
        };
        if self.counter.is_some() == self.histogram.is_some() {
            return Err("metrics veut soit counter, soit histogram".into());
        }
        match self.paths.iter().flatten().find(|p| !traffic.paths.contains(p)) {
            Some(path) => Err(format!("metrics.paths cite « {path} », absent de experiment.traffic.paths")),
            None => Ok(()),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let Some(traffic) = &cx.experiments.traffic else {
            return Err(kit::lab_fault("il manque [experiment.traffic]"));
        };
        if let Some(miss) = tell::absent(cx.world.declared(), &traffic.metrics.service) {
            return tell::fail(miss);
        }
        let run = cx
            .memo
            .once("traffic", async {
                let _alone = cx.memo.alone().await;
                run::run(cx.world, traffic).await
            })
            .await?;
        Ok(self.verdict(&run, traffic, cx.world))
    }
}
