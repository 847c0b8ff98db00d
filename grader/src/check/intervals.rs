//! `intervals`: how often Prometheus scrapes and evaluates, by the configuration in force.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::prom::{Prom, RuleGroup, Target, span, told};
use super::targets::locate::{Locator, all};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Prometheus scrapes and evaluates at these intervals.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Intervals {
    /// Service.
    pub service: String,
    /// Port of its API.
    pub port: u16,
    /// Time between two scrapes of each target, `15s`.
    pub scrape: String,
    /// Time between two evaluations of the rules, `15s`.
    pub evaluation: String,
    /// The groups of rules keep that rhythm too; else each may have its own.
    #[serde(default)]
    pub groups: bool,
    /// Services whose targets are looked at; all targets when it is left out.
    #[serde(default)]
    pub services: Vec<String>,
}

/// Prometheus hands its targets out some seconds after its start.
const APPEARS: Duration = Duration::from_secs(12);

impl Intervals {
    /// The targets that are judged.
    async fn watched(
        &self,
        cx: &Cx<'_>,
        prom: &Prom<'_>,
        targets: Vec<Target>,
    ) -> Result<Vec<Target>, Fault> {
        if self.services.is_empty() {
            return Ok(targets);
        }
        let mut homes = Vec::new();
        for service in &self.services {
            homes.extend(kit::addresses(&kit::running(cx.world, service).await?));
        }
        let own = self.services.contains(&self.service);
        let located = all(cx.world, prom, &mut Locator::default(), targets).await?;
        let kept = located.into_iter().filter(|l| l.reached.is_at(&homes) || own && l.reached.is_loopback());
        Ok(kept.map(|l| l.target).collect())
    }

    /// The first group of rules that is evaluated at another rhythm.
    fn own_pace<'a>(&self, groups: &'a [RuleGroup]) -> Option<&'a RuleGroup> {
        let wanted = span::parse(&self.evaluation)?.as_secs_f64();
        groups.iter().find(|g| g.interval > 0.0 && (g.interval - wanted).abs() > 1e-3)
    }

    fn base(&self, cx: &Cx<'_>, needles: &[&str]) -> Miss {
        Miss {
            expected: format!(
                "intervalle de collecte : {} ; d'évaluation : {}",
                self.scrape, self.evaluation
            ),
            place: told::in_config(cx.world, needles, "intervalle en cause"),
            try_it: "curl -s http://localhost:9090/api/v1/status/config".to_owned(),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Intervals {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        match [&self.scrape, &self.evaluation].into_iter().find(|t| span::parse(t).is_none()) {
            Some(text) => Err(format!("intervals : « {text} » n'est pas une durée de Prometheus")),
            None => Ok(()),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let prom = match told::reach(cx, &self.service, self.port).await? {
            Ok(prom) => prom,
            Err(miss) => return tell::fail(miss),
        };
        let config = match prom.config().await? {
            Ok(config) => config,
            Err(trouble) => {
                return tell::fail(told::silent(cx.world, &self.service, self.port, &trouble).await?);
            }
        };
        let some =
            |seen: &Result<Vec<Target>, super::prom::Trouble>| seen.as_ref().is_ok_and(|t| !t.is_empty());
        let targets = kit::patiently(APPEARS, some, || prom.targets()).await?.unwrap_or_default();
        let targets = self.watched(cx, &prom, targets).await?;
        let global = &config.global;
        let evaluation = tell::cut(&global.evaluation_interval, 20);
        let mut facts = vec![
            Fact::new("evaluation", evaluation.clone(), format!("évaluation : {evaluation}")),
            Fact::new(
                "scrape",
                tell::cut(&global.scrape_interval, 20),
                format!("collecte, par défaut : {}", tell::cut(&global.scrape_interval, 20)),
            ),
        ];
        if span::parse(&global.evaluation_interval) != span::parse(&self.evaluation) {
            return tell::fail(Miss {
                headline: "l'intervalle d'évaluation n'est pas celui demandé".to_owned(),
                observed: format!("intervalle d'évaluation : {evaluation}"),
                hint: "sans réglage, Prometheus n'évalue ses règles qu'une fois par minute".to_owned(),
                facts,
                ..self.base(cx, &["evaluation_interval", "global"])
            });
        }
        if self.groups
            && let Some(group) = self.own_pace(&prom.rules().await?.unwrap_or_default())
        {
            let (name, every) = (tell::cut(&group.name, 40), group.interval);
            return tell::fail(Miss {
                headline: "un groupe de règles a son propre intervalle d'évaluation".to_owned(),
                observed: format!("groupe « {name} » : évalué toutes les {every} s"),
                noted: vec![format!("valeur commune (global) : {evaluation}")],
                hint: "l'intervalle d'un groupe l'emporte sur la valeur commune".to_owned(),
                try_it: "curl -s http://localhost:9090/api/v1/rules".to_owned(),
                facts,
                ..self.base(cx, &["rule_files"])
            });
        }
        // What a target really uses wins over what is written for all.
        let used: Vec<(String, String)> = targets
            .iter()
            .map(|t| {
                let own =
                    if t.scrape_interval.is_empty() { &global.scrape_interval } else { &t.scrape_interval };
                (tell::cut(&t.scrape_pool, 40), tell::cut(own, 20))
            })
            .collect();
        facts.extend(used.iter().map(|(job, every)| {
            Fact::new(&format!("job:{job}"), every.clone(), format!("« {job} » : collecte à {every}"))
        }));
        let wrong: Vec<&(String, String)> =
            used.iter().filter(|(_, every)| span::parse(every) != span::parse(&self.scrape)).collect();
        let global_wrong =
            used.is_empty() && span::parse(&global.scrape_interval) != span::parse(&self.scrape);
        if wrong.is_empty() && !global_wrong {
            return tell::pass(facts);
        }
        let own = wrong
            .first()
            .is_some_and(|(_, every)| span::parse(every) != span::parse(&global.scrape_interval));
        let job = wrong.first().map_or("", |(job, _)| job.as_str());
        let written =
            [format!("job_name: {job}"), format!("job_name: \"{job}\""), format!("job_name: '{job}'")];
        let mut needles: Vec<&str> =
            if own { written.iter().map(String::as_str).collect() } else { Vec::new() };
        needles.extend(["scrape_interval", "global"]);
        tell::fail(Miss {
            headline: "l'intervalle de collecte n'est pas celui demandé".to_owned(),
            observed: match wrong.first() {
                Some((job, every)) => format!("intervalle de collecte du job « {job} » : {every}"),
                None => format!("intervalle de collecte : {}", tell::cut(&global.scrape_interval, 20)),
            },
            noted: vec![format!("valeur commune (global) : {}", tell::cut(&global.scrape_interval, 20))],
            hint: if own {
                "un job peut avoir son propre intervalle, qui l'emporte sur la valeur commune".to_owned()
            } else {
                "la valeur commune à tous les jobs s'écrit une seule fois".to_owned()
            },
            facts,
            ..self.base(cx, &needles)
        })
    }
}
