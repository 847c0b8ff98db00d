//! `outage`: what the application answers while a store is broken.

mod judge;
mod rounds;
mod run;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::experiment::Outage;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

pub use rounds::all as together;
pub use run::{Run, revive};

/// Requests while these services are broken, one after the other, get no lie.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OutageCheck {
    /// Services, each with its `[[experiment.outage]]`.
    pub services: Vec<String>,
}

/// The declared outage of a service.
pub fn of<'a>(experiments: &'a Experiments, service: &str) -> Option<&'a Outage> {
    experiments.outage.iter().find(|o| o.service == service)
}

/// The stage at which the outage of a service is made.
pub fn stage(experiments: &Experiments, service: &str) -> Stage {
    if of(experiments, service).is_some_and(|o| o.second) { Stage::Second } else { Stage::Break }
}

fn key(outage: &Outage) -> String {
    format!("outage:{}", outage.service)
}

/// The outage of a service on its own copy, made once.
pub async fn shared(cx: &Cx<'_>, outage: &Outage) -> Result<std::sync::Arc<Run>, Fault> {
    if outage.together {
        let seen = rounds::all(cx).await?;
        return seen
            .get(&outage.service)
            .cloned()
            .ok_or_else(|| kit::lab_fault("une panne qui n'a pas eu lieu"));
    }
    let here = if outage.second { cx.on_second()? } else { *cx };
    here.memo
        .once(&key(outage), async {
            let _alone = here.memo.alone().await;
            run::run(here.world, outage, cx.experiments.cache.as_ref()).await
        })
        .await
}

#[async_trait]
impl Check for OutageCheck {
    fn stage(&self, experiments: &Experiments) -> Stage {
        let second = self.services.iter().any(|s| stage(experiments, s) == Stage::Second);
        if second { Stage::Second } else { Stage::Break }
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        self.services.clone()
    }

    fn on_first(&self, experiments: &Experiments) -> Vec<String> {
        let outages = self.services.iter().filter_map(|s| of(experiments, s));
        outages.filter(|o| !o.second).map(key).collect()
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        for service in &self.services {
            let Some(outage) = of(experiments, service) else {
                return Err(format!("outage veut [[experiment.outage]] pour « {service} »"));
            };
            if outage.request.is_none() {
                return Err(format!("experiment.outage de « {service} » n'a pas de request"));
            }
            if !outage.lies.is_empty() && experiments.cache.is_none() {
                return Err("experiment.outage.lies veut [experiment.cache]".into());
            }
        }
        if self.services.is_empty() { Err("outage.services est vide".into()) } else { Ok(()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        // Each on its own copy: made together, judged one after the other.
        let present = self.services.iter().filter(|s| tell::absent(cx.world.declared(), s).is_none());
        let outages = present.filter_map(|s| of(cx.experiments, s));
        futures_util::future::try_join_all(outages.map(|outage| shared(cx, outage))).await?;
        let mut facts: Vec<Fact> = Vec::new();
        let mut unsure = None;
        for service in &self.services {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
            let Some(outage) = of(cx.experiments, service) else {
                return Err(kit::lab_fault("outage sans experiment.outage"));
            };
            let run = shared(cx, outage).await?;
            facts.extend(judge::facts(&run, service));
            match judge::honest(&run, outage, cx) {
                Ok(()) => {}
                Err(judge::Stop::Miss(miss)) => return tell::fail(Miss { facts, ..*miss }),
                Err(judge::Stop::Unsure(what)) => unsure = Some(what),
            }
        }
        match unsure {
            None => tell::pass(facts),
            Some(what) => Ok(Verdict::Inconclusive { fault: kit::noise(what), facts }),
        }
    }
}
