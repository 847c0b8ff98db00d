//! `order`: a service starts only after others are healthy, by the engine's own events.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::world::{Declared, Happening, StackEvent};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::french;

/// A service starts only after others are healthy.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Order {
    /// Service that must wait.
    pub service: String,
    /// Services that must be healthy first.
    pub after_healthy: Vec<String>,
}

/// Place of the first such event in the engine's order.
fn first(timeline: &[StackEvent], service: &str, what: &Happening) -> Option<usize> {
    timeline.iter().position(|e| e.service == service && e.what == *what)
}

/// True when a chain of `depends_on` leads from `service` to the health of `store`: whatever the
/// chain goes through starts, and so lets the rest start, only once `store` is healthy.
fn waits_for(declared: &Declared, service: &str, store: &str) -> bool {
    let mut seen = vec![service];
    let mut next = 0;
    while let Some(name) = seen.get(next).copied() {
        next += 1;
        for (on, condition) in declared.services.get(name).into_iter().flat_map(|s| &s.depends_on) {
            if on == store && condition == "service_healthy" {
                return true;
            }
            if !seen.contains(&on.as_str()) {
                seen.push(on);
            }
        }
    }
    false
}

/// What `depends_on` says of `store`.
fn told(declared: &Declared, service: &str, store: &str) -> String {
    match declared.services.get(service).and_then(|s| s.depends_on.get(store)) {
        None => format!("depends_on ne cite pas « {store} »"),
        Some(condition) => format!("depends_on attend seulement {condition} pour « {store} »"),
    }
}

impl Order {
    fn facts(&self, timeline: &[StackEvent]) -> Vec<Fact> {
        let zero = timeline.first().map_or(0, |e| e.at_us);
        let about = |e: &&StackEvent| e.service == self.service || self.after_healthy.contains(&e.service);
        let lines: Vec<_> = timeline
            .iter()
            .filter(about)
            .take(40)
            .map(|e| json!({"at-us": e.at_us, "after-us": e.at_us - zero, "service": e.service, "what": format!("{:?}", e.what)}))
            .collect();
        vec![Fact::new(
            "timeline",
            json!(lines),
            format!("événements du moteur, dans leur ordre : {}", lines.len()),
        )]
    }

    fn base(&self, cx: &Cx<'_>) -> Miss {
        Miss {
            expected: format!(
                "{} en bonne santé, puis seulement le démarrage de « {} »",
                tell::names(&self.after_healthy),
                self.service
            ),
            place: tell::at(cx.world, &self.service, "depends_on", "ce qui est attendu avant le démarrage"),
            hint: "attendre le démarrage d'un service n'est pas attendre sa bonne santé".to_owned(),
            try_it: "docker compose up -d && docker events --since 1m --until 0s".to_owned(),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Order {
    fn stage(&self, experiments: &Experiments) -> Stage {
        if experiments.second.is_some() { Stage::Second } else { Stage::Observe }
    }

    fn looks_back(&self) -> bool {
        true
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.after_healthy.is_empty() { Err("order.after-healthy est vide".into()) } else { Ok(()) }
    }

    #[expect(clippy::too_many_lines, reason = "one story, told in the order of its events")]
    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let declared = cx.world.declared();
        for service in self.after_healthy.iter().chain([&self.service]) {
            if let Some(miss) = tell::absent(declared, service) {
                return tell::fail(miss);
            }
        }
        for service in &self.after_healthy {
            if declared.services.get(service).is_none_or(|s| s.healthcheck.is_none()) {
                return tell::fail(Miss {
                    headline: format!(
                        "« {service} » n'a pas de healthcheck : sa santé ne peut pas être attendue"
                    ),
                    observed: "aucun test de santé dans le fichier".to_owned(),
                    place: tell::at(
                        cx.world,
                        service,
                        "healthcheck",
                        "pas de clé healthcheck: pour ce service",
                    ),
                    ..self.base(cx)
                });
            }
        }
        let here = if cx.experiments.second.is_some() { cx.on_second()? } else { *cx };
        let timeline = here.world.timeline().await?;
        let facts = self.facts(&timeline);
        let Some(started) = first(&timeline, &self.service, &Happening::Started) else {
            let sick: Vec<&String> = self
                .after_healthy
                .iter()
                .filter(|s| first(&timeline, s, &Happening::Healthy).is_none())
                .collect();
            let what = if sick.is_empty() {
                format!("« {} » n'a jamais démarré", self.service)
            } else {
                format!(
                    "« {} » n'a pas démarré : {} pas encore en bonne santé",
                    self.service,
                    tell::names(&sick)
                )
            };
            return Ok(Verdict::Inconclusive { fault: kit::noise(what), facts });
        };
        let at = timeline[started].at_us;
        let mut noted = Vec::new();
        let mut early = Vec::new();
        for service in &self.after_healthy {
            match first(&timeline, service, &Happening::Healthy) {
                None => {
                    early.push(service);
                    noted.push(format!("« {service} » n'est jamais devenu sain sur cette copie"));
                }
                Some(healthy) if healthy > started => {
                    early.push(service);
                    let late = u64::try_from(timeline[healthy].at_us - at).unwrap_or(0);
                    noted.push(format!(
                        "« {service} » en bonne santé {} après",
                        french(std::time::Duration::from_micros(late))
                    ));
                }
                Some(_) => {}
            }
        }
        if early.is_empty() {
            // One bring-up shows one order; only the file can make it hold every time.
            let loose: Vec<&String> =
                self.after_healthy.iter().filter(|s| !waits_for(declared, &self.service, s)).collect();
            if loose.is_empty() {
                return tell::pass(facts);
            }
            return tell::fail(Miss {
                headline: format!(
                    "rien n'oblige « {} » à attendre la bonne santé de {}",
                    self.service,
                    tell::names(&loose)
                ),
                observed: format!(
                    "cette fois-ci, {} {} en bonne santé à temps, par chance",
                    tell::names(&loose),
                    if loose.len() > 1 { "étaient" } else { "était" }
                ),
                noted: loose.iter().map(|s| told(declared, &self.service, s)).collect(),
                facts,
                ..self.base(cx)
            });
        }
        let loose = early.iter().filter(|s| !waits_for(declared, &self.service, s));
        noted.extend(loose.map(|s| told(declared, &self.service, s)));
        tell::fail(Miss {
            headline: format!(
                "« {} » démarre sans attendre la bonne santé de {}",
                self.service,
                tell::names(&early)
            ),
            observed: format!(
                "« {} » démarre avant que {} ne soit en bonne santé",
                self.service,
                tell::names(&early)
            ),
            control: if cx.experiments.second.is_some() {
                "bases ralenties exprès : un ordre dû à la chance ne suffit pas".to_owned()
            } else {
                String::new()
            },
            noted,
            facts,
            ..self.base(cx)
        })
    }
}
