//! `rule-scenario`: what an alert does in a scenario, in virtual time, by `promtool test rules`. The
//! student's rule files are taken as they are; the series carry the labels really seen live.

mod attribute;
mod cause;
mod explain;
mod judge;
mod live;
mod promtool;
mod scene;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::alert::{port, prometheus, told};
use super::experiment::Request;
use super::{Check, Cx, Experiments, Stage, kit, tell, world::wire};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::Span;

pub use live::expression_delay;
pub use scene::Scenario;
use scene::Whose;

/// What an alert does in virtual time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleScenario {
    /// Service of Prometheus.
    #[serde(default = "prometheus")]
    pub service: String,
    /// Port of Prometheus in its container.
    #[serde(default = "port")]
    pub port: u16,
    /// Name of the alert.
    pub alert: String,
    /// What happens; each scenario is played on its own.
    pub scenarios: Vec<Scenario>,
    /// Service that it happens to.
    pub target: String,
    /// Another service, whose target goes down too in `down-again`.
    #[serde(default)]
    pub second: Option<String>,
    /// How long the expression must hold before the alert fires.
    #[serde(rename = "for")]
    pub hold: Span,
    /// Judge the end of the alert, after the end of the scenario, instead of its beginning.
    #[serde(default)]
    pub recovery: bool,
    /// Latency histogram, without its suffix.
    #[serde(default = "histogram")]
    pub histogram: String,
    /// Latency limit, seconds.
    #[serde(default = "second")]
    pub threshold: f64,
    /// A request that makes the latency series exist; sent once, as soon as the stack is up.
    #[serde(default)]
    pub traffic: Option<Request>,
    /// Labels that the rule must add.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations that the rule must have, whatever they say.
    #[serde(default)]
    pub annotations: Vec<String>,
}

/// Longest wait for the application to answer its one request.
const TRAFFIC: Duration = Duration::from_secs(10);

fn histogram() -> String {
    "app_request_latency_seconds".to_owned()
}

fn second() -> f64 {
    1.0
}

impl RuleScenario {
    /// The scenario of a target that goes down, for who only wants to know when the alert wakes.
    pub fn down(service: &str, port: u16, alert: &str, target: &str) -> Self {
        Self {
            service: service.to_owned(),
            port,
            alert: alert.to_owned(),
            scenarios: vec![Scenario::TargetDown],
            target: target.to_owned(),
            second: None,
            hold: Span(Duration::from_secs(60)),
            recovery: false,
            histogram: histogram(),
            threshold: second(),
            traffic: None,
            labels: BTreeMap::new(),
            annotations: Vec::new(),
        }
    }

    /// What is asked of a scenario.
    fn wanted(&self, scenario: Scenario, play: &live::Play) -> judge::Wanted {
        judge::Wanted {
            fires: scenario.fires(),
            calm_before: scenario != Scenario::MemoryNoLimit,
            hold: self.hold.0,
            ranges: play.ranges,
            back: play.back,
            keeps: play.keeps,
        }
    }

    /// Whether what Prometheus has lets a scenario be told from the others.
    fn can_play(&self, scenario: Scenario, scenery: &live::Scenery) -> bool {
        let has = |whose: Whose| scenery.bases.iter().any(|b| b.whose == whose);
        match scenario {
            Scenario::OtherDown => has(Whose::Other),
            Scenario::MemoryOther => !scenery.seconds.is_empty(),
            // Scraped more rarely than the alert waits, one failure is a long one.
            Scenario::OneMiss => scenery.interval <= self.hold.0,
            Scenario::LatencyPeak | Scenario::MemoryPeak => scenery.interval + scene::PEAK <= self.hold.0,
            Scenario::LatencyEdge => scenery.latency.edge.is_some(),
            _ => true,
        }
    }

    /// What was seen, in words.
    fn fact(&self, scenario: Scenario, play: &live::Play) -> Fact {
        let seen = judge::seen(&play.ticks, &play.times);
        let ms = |d: Option<Duration>| d.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let at = |d: Option<Duration>| d.map_or_else(|| "jamais".to_owned(), |d| format!("à {}", told(d)));
        Fact::new(
            &format!("scenario:{}", scenario.name()),
            json!({
                "pending-ms": ms(seen.active),
                "firing-ms": ms(seen.firing),
                "resolved-ms": ms(seen.resolved),
                "lasts-ms": ms(Some(play.times.recovery.saturating_sub(play.times.fault))),
                "evaluation-ms": ms(Some(play.times.evaluation)),
                "series": play.series,
            }),
            format!(
                "temps virtuel, {} : active {}, « firing » {}{}",
                explain::story(self, scenario, play),
                at(seen.active),
                at(seen.firing),
                match seen.resolved {
                    Some(after) => format!(", terminée {} après la fin", told(after)),
                    None => String::new(),
                }
            ),
        )
    }
}

#[async_trait]
impl Check for RuleScenario {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.scenarios.is_empty() {
            return Err("rule-scenario.scenarios est vide".into());
        }
        if self.recovery && self.scenarios.iter().any(|s| !s.fires()) {
            return Err("rule-scenario.recovery veut des scénarios qui déclenchent l'alerte".into());
        }
        if self.second.is_none() && self.scenarios.contains(&Scenario::DownAgain) {
            return Err("rule-scenario.second manque : une autre cible tombe aussi dans down-again".into());
        }
        if !self.threshold.is_finite() || self.threshold <= 0.0 {
            return Err("rule-scenario.threshold doit être positif".into());
        }
        Ok(())
    }

    async fn prepare(&self, cx: &Cx<'_>) {
        let Some(Request { service, port, path }) = &self.traffic else { return };
        let key = format!("scenario-traffic:{service}:{port}:{path}");
        let send = async {
            let _alone = cx.memo.alone().await;
            let (_, ip) = kit::needed(cx.world, service).await?;
            let ask = || wire::Http::get(ip.to_string(), *port, path);
            let from = kit::inside(service);
            let answered = |seen: &(Result<wire::HttpAnswer, wire::Failure>, kit::When)| seen.0.is_ok();
            // Whatever the answer, it was counted.
            kit::patiently(TRAFFIC, answered, || kit::http(cx.world, &from, ask())).await.map(|_| ())
        };
        let _ = cx.memo.once(&key, Box::pin(send)).await;
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        for service in [&self.service, &self.target] {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
        }
        self.prepare(cx).await;
        let scenery = live::scenery(cx, self).await?;
        let scenery = match scenery.as_ref() {
            Ok(scenery) => scenery,
            Err(hurdle) => return tell::fail(explain::hindered(self, cx, hurdle)),
        };
        let scenarios: Vec<Scenario> =
            self.scenarios.iter().copied().filter(|s| self.can_play(*s, scenery)).collect();
        let plays = scenarios.iter().map(|scenario| live::play(cx, self, scenery, *scenario));
        let plays = futures_util::future::try_join_all(plays).await?;
        let facts: Vec<Fact> = scenarios.iter().zip(&plays).map(|(s, p)| self.fact(*s, p)).collect();
        for (scenario, play) in scenarios.iter().zip(&plays) {
            let wanted = self.wanted(*scenario, play);
            let judge = |ticks: &[judge::Tick]| {
                if self.recovery {
                    judge::judge_recovery(ticks, &play.times, &wanted)
                } else {
                    judge::judge(ticks, &play.times, &wanted)
                }
            };
            if let Some(why) = &play.broken {
                let miss = explain::broken(self, cx, scenery, *scenario, play, why);
                return tell::fail(Miss { facts, ..miss });
            }
            let alone = [(String::new(), play.ticks.clone())];
            let each = if play.each.is_empty() { &alone[..] } else { &play.each };
            let found = each.iter().find_map(|(whom, ticks)| Some((whom, judge(ticks).err()?)));
            if let Some((whom, wrong)) = found {
                let mut miss = explain::wrong(self, cx, scenery, *scenario, play, &wrong).await?;
                if !whom.is_empty() {
                    miss.noted.insert(0, format!("il s'agit du conteneur de « {whom} »"));
                }
                miss.facts = facts;
                return tell::fail(miss);
            }
        }
        match explain::words(self, cx, scenery) {
            Some(mut miss) => {
                miss.facts = facts;
                tell::fail(miss)
            }
            None => tell::pass(facts),
        }
    }
}

#[cfg(test)]
mod tests;
