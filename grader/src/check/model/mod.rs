//! `model`: a linear model that scores what it is given, explains its scores by what each variable
//! adds, and tells when what it is given no longer looks like its baseline. Everything sent is drawn
//! for the run, so that only arithmetic can answer.

mod drift;
mod play;
mod score;
#[cfg(test)]
pub mod testing;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Cx, Experiments, Stage, experiment, kit, tell, world};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use play::Bench;

/// Which of the proofs is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// A score between 0 and 1, the same for the same input, that follows each variable.
    Score,
    /// Contributions whose sum is the score, each of its own variable.
    Explanation,
    /// What cannot be read is refused by a 4xx.
    Refusal,
    /// Low on data like the baseline, high on the variable that moved.
    Drift,
    /// The baseline survives the removal of the container.
    Kept,
}

/// A linear model that scores, explains itself and tells a drift.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    /// Which of the proofs is judged.
    pub proof: Proof,
}

#[async_trait]
impl Check for Model {
    fn stage(&self, _: &Experiments) -> Stage {
        if self.proof == Proof::Kept { Stage::Recreate } else { Stage::Drive }
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        match &experiments.scoring {
            None => Err("model veut [experiment.scoring]".into()),
            Some(scoring) if scoring.variables.len() < 2 => {
                Err("experiment.scoring.variables en veut deux au moins".into())
            }
            Some(scoring) => match scoring.variables.iter().find(|v| v.from >= v.to) {
                Some(v) => Err(format!("experiment.scoring : « {} » : from doit être sous to", v.name)),
                None => Ok(()),
            },
        }
    }

    fn disturbs(&self, experiments: &Experiments) -> Vec<String> {
        let scoring = experiments.scoring.iter().filter(|_| self.proof == Proof::Kept);
        scoring.map(|s| s.service.clone()).collect()
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let Some(scoring) = &cx.experiments.scoring else {
            return Err(kit::lab_fault("il manque [experiment.scoring]"));
        };
        let service = &scoring.service;
        if let Some(miss) = tell::absent(cx.world.declared(), service) {
            return tell::fail(miss);
        }
        if kit::settled(cx.world, service, Duration::from_secs(5)).await?.is_empty() {
            return tell::fail(tell::stopped(cx.world, service).await?);
        }
        let _alone = cx.memo.alone().await;
        let mut bench = Bench::new(cx.world, scoring, &format!("{:?}", self.proof));
        match self.proof {
            Proof::Score => score::score(&mut bench).await,
            Proof::Explanation => score::explanation(&mut bench).await,
            Proof::Refusal => score::refusal(&mut bench).await,
            Proof::Drift => drift::drift(&mut bench).await,
            Proof::Kept => drift::kept(&mut bench).await,
        }
    }
}
