//! `cache`: one experiment on the cache, of which each check judges a part. Everything is proven in
//! Redis itself, by changing what it holds and seeing the answers follow.

pub mod access;
mod judge;
mod logins;
mod run;
mod scan;
pub mod value;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::experiment::CacheExperiment;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::Verdict;

pub use run::{Call, Run, call, read};

/// The experiment `cache`, judged on one of its parts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cache {
    /// Which part.
    pub proof: Proof,
}

/// Parts of the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// A fresh answer, then cached ones.
    Switches,
    /// The cached value is the one in the store.
    InStore,
    /// The life of the key, which a read does not renew.
    Lifetime,
    /// Once the key is gone, a fresh and newer value.
    Expiry,
}

/// The experiment, run once on a copy.
async fn shared(cx: &Cx<'_>, experiment: &CacheExperiment) -> Result<std::sync::Arc<Run>, Fault> {
    cx.memo
        .once("cache", async {
            let _alone = cx.memo.alone().await;
            Box::pin(run::run(cx.world, experiment)).await
        })
        .await
}

/// Whether the store holds this value now.
pub async fn is_stored(
    world: &dyn super::World,
    store: &access::Store,
    value: &serde_json::Value,
) -> Result<bool, Fault> {
    Ok(scan::scan(world, store).await?.iter().any(|e| value::contains(&e.held.text(), value)))
}

#[async_trait]
impl Check for Cache {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        if experiments.cache.is_some() { Ok(()) } else { Err("cache veut [experiment.cache]".into()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let Some(experiment) = &cx.experiments.cache else {
            return Err(kit::lab_fault("il manque [experiment.cache]"));
        };
        for service in [&experiment.request.service, &experiment.store] {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
        }
        let run = shared(cx, experiment).await?;
        Ok(judge::judge(self.proof, &run, experiment, cx.world))
    }
}
