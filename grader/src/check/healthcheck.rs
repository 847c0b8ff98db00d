//! `healthcheck`: a health check is proven by breaking its service and seeing `unhealthy`.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::outage::{self, Run};
use super::world::{Health, HealthRun};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::french;

/// The health check of a service sees the service break.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Healthcheck {
    /// Service, with its `[[experiment.outage]]`.
    pub service: String,
}

impl Healthcheck {
    fn facts(run: &Run) -> Vec<Fact> {
        let seen = &run.health;
        let runs: Vec<_> = seen
            .runs
            .iter()
            .map(|r| json!({"after-ms": (r.started_us - run.frozen_us) / 1000, "exit": r.exit_code, "output": tell::cut(&r.output, 120)}))
            .collect();
        let codes: Vec<String> = seen.runs.iter().map(|r| r.exit_code.to_string()).collect();
        vec![
            Fact::new(
                "runs",
                json!(runs),
                format!("tests lancés pendant la panne : {} (codes {})", seen.runs.len(), codes.join(", ")),
            ),
            Fact::new(
                "unhealthy",
                seen.unhealthy,
                if seen.unhealthy {
                    "« unhealthy » pendant la panne"
                } else {
                    "jamais « unhealthy » pendant la panne"
                },
            ),
            Fact::new(
                "watched-ms",
                u64::try_from(seen.watched.as_millis()).unwrap_or(u64::MAX),
                format!("observé pendant {}", french(seen.watched)),
            ),
        ]
    }

    /// The test succeeds although nobody can answer it; what was seen, and why it is wrong, is for the caller to say.
    fn lies(&self, cx: &Cx<'_>, lie: &HealthRun, expected: String, facts: Vec<Fact>) -> Miss {
        let service = &self.service;
        Miss {
            expected,
            noted: vec![
                format!("commande : {}", self.command(cx)),
                format!("sortie : {}", tell::cut(&lie.output, 120)),
            ],
            place: tell::at(cx.world, service, "healthcheck", "test de santé"),
            try_it: format!(
                "docker inspect --format '{{{{json .State.Health}}}}' $(docker compose ps -q {service})"
            ),
            facts,
            ..Miss::default()
        }
    }

    fn command(&self, cx: &Cx<'_>) -> String {
        let test = cx.world.declared().services.get(&self.service).and_then(|s| s.healthcheck.clone());
        let words = test.unwrap_or_default();
        let bare = words.iter().filter(|w| *w != "CMD" && *w != "CMD-SHELL").cloned().collect::<Vec<_>>();
        tell::cut(&bare.join(" "), 100)
    }
}

#[async_trait]
impl Check for Healthcheck {
    fn stage(&self, experiments: &Experiments) -> Stage {
        outage::stage(experiments, &self.service)
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        vec![self.service.clone()]
    }

    // Those that are made together are waited for together, after what else breaks something.
    fn deadline(&self) -> Duration {
        Duration::from_secs(360)
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        match outage::of(experiments, &self.service) {
            Some(outage) if outage.unwatched => {
                Err(format!("experiment.outage de « {} » est unwatched", self.service))
            }
            Some(_) => Ok(()),
            None => Err(format!("healthcheck veut [[experiment.outage]] pour « {} »", self.service)),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let service = &self.service;
        let declared = cx.world.declared();
        if let Some(miss) = tell::absent(declared, service) {
            return tell::fail(miss);
        }
        let expected = format!("« {service} » en panne : son healthcheck échoue et il devient « unhealthy »");
        if declared.services.get(service).is_none_or(|s| s.healthcheck.is_none()) {
            return tell::fail(Miss {
                headline: format!("« {service} » n'a pas de healthcheck"),
                expected,
                observed: "aucun test de santé dans le fichier".to_owned(),
                place: tell::at(cx.world, service, "healthcheck", "pas de clé healthcheck: pour ce service"),
                hint: "sans test, le moteur ne connaît que « en marche » et « arrêté »".to_owned(),
                try_it: "docker compose ps".to_owned(),
                ..Miss::default()
            });
        }
        let Some(outage) = outage::of(cx.experiments, service) else {
            return Err(kit::lab_fault("healthcheck sans experiment.outage"));
        };
        let run = outage::shared(cx, outage).await?;
        let world = if outage.second { cx.on_second()?.world } else { cx.world };
        if !run.was_running {
            return tell::fail(tell::stopped(world, service).await?);
        }
        let facts = Self::facts(&run);
        let seen = &run.health;
        let place = tell::at(cx.world, service, "healthcheck", "test de santé");
        if let Some(lie) = seen.runs.iter().find(|r| r.exit_code == 0) {
            return tell::fail(Miss {
                headline: format!("le healthcheck de « {service} » dit « tout va bien » pendant la panne"),
                observed: format!(
                    "code 0, {} après le début de la panne",
                    french(Duration::from_micros(u64::try_from(lie.started_us - run.frozen_us).unwrap_or(0)))
                ),
                control: format!("« {service} » suspendu : aucun de ses processus ne répondait"),
                hint: "le test interroge-t-il vraiment le serveur, et son échec est-il rendu ?".to_owned(),
                ..self.lies(cx, lie, expected, facts)
            });
        }
        if let Some(lie) = &seen.open_port {
            return tell::fail(Miss {
                headline: format!("le healthcheck de « {service} » réussit quand « {service} » est suspendu"),
                observed: "code 0, tous les processus du service étant suspendus".to_owned(),
                control: "privé aussi de réseau local, le service rendait bien ce test faux".to_owned(),
                hint: "le test interroge-t-il ce service-ci, et attend-il sa réponse ? Un port ouvert ne prouve rien : le noyau accepte la connexion à la place du serveur".to_owned(),
                ..self.lies(cx, lie, expected, facts)
            });
        }
        if seen.before != Some(Health::Healthy) {
            if seen.before == Some(Health::Unhealthy) {
                let last = world.health_log(service).await?.pop();
                return tell::fail(Miss {
                    headline: format!("« {service} » n'est jamais en bonne santé"),
                    expected: format!("« {service} » en bonne santé, puis « unhealthy » pendant la panne"),
                    observed: "« unhealthy » avant même la panne".to_owned(),
                    noted: last
                        .map(|r| format!("sortie du test : {}", tell::cut(&r.output, 120)))
                        .into_iter()
                        .collect(),
                    place,
                    hint: "un test qui échoue toujours ne dit rien de plus qu'un test qui réussit toujours"
                        .to_owned(),
                    facts,
                    ..Miss::default()
                });
            }
            let fault = kit::noise(format!("la santé de « {service} » n'était pas établie avant la panne"));
            return Ok(Verdict::Inconclusive { fault, facts });
        }
        if seen.unhealthy && !seen.runs.is_empty() {
            return tell::pass(facts);
        }
        let what = if seen.runs.is_empty() {
            format!("le healthcheck de « {service} » n'a pas eu le temps d'être lancé pendant la panne")
        } else {
            format!(
                "le healthcheck de « {service} » échoue bien, mais le seuil retries n'est pas atteint en {}",
                french(seen.watched)
            )
        };
        Ok(Verdict::Inconclusive { fault: kit::noise(what), facts })
    }
}
