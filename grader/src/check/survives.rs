//! `survives`: what is written by HTTP is still there once the container that holds it was removed and created
//! anew, and while it is away, who depends on it says so. One experiment, judged by several checks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use self::run::{Look, Run, Seen, is_good, run, told};
use super::experiment::Survival;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

mod run;
#[cfg(test)]
mod tests;

/// What is written survives the removal of a container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Survives {
    /// Service, with its `[[experiment.survival]]`.
    pub service: String,
    /// What is proven.
    pub proof: SurvivalProof,
}

/// What [`Survives`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SurvivalProof {
    /// What was written before is read after.
    Data,
    /// While the service is away, the one that depends on it does not say that all is well.
    Health,
}

impl Survives {
    /// The experiment of a service.
    fn of<'a>(&self, experiments: &'a Experiments) -> Option<&'a Survival> {
        experiments.survival.iter().find(|s| s.service == self.service)
    }

    fn base(&self, cx: &Cx<'_>) -> Miss {
        let service = &self.service;
        Miss {
            expected: "ce qui est écrit avant « down » est encore là après « up »".to_owned(),
            place: tell::at(cx.world, service, "volumes", "stockage de ce service"),
            hint: "un conteneur supprimé emporte sa couche d'écriture et ses volumes anonymes".to_owned(),
            try_it: format!("docker compose rm -sf {service} && docker compose up -d {service}"),
            ..Miss::default()
        }
    }

    /// Nothing could be written, or read at once. Whoever writes for the student is theirs; a server that
    /// refuses to store may lack a disk.
    fn unwritten(&self, cx: &Cx<'_>, survival: &Survival, seen: &Seen) -> Result<Verdict, Fault> {
        let (write, own) = (&survival.write, survival.write.service != self.service);
        if !own {
            let fault =
                kit::noise(format!("la donnée témoin n'a pas pu être écrite et relue : {}", told(seen)));
            return Ok(Verdict::Inconclusive { fault, facts: vec![] });
        }
        tell::fail(Miss {
            headline: format!("« {} » n'écrit rien dans « {} » qui se relise", write.service, self.service),
            expected: format!(
                "{} {}, puis GET {} : 2xx, et la donnée",
                write.method, write.path, survival.read.path
            ),
            observed: told(seen),
            hint: "le journal de l'application dit ce que la base lui a répondu".to_owned(),
            try_it: format!("docker compose logs --tail 30 {}", write.service),
            ..self.base(cx)
        })
    }

    fn data(&self, cx: &Cx<'_>, run: &Run, survival: &Survival, facts: Vec<Fact>) -> Result<Verdict, Fault> {
        let service = &self.service;
        let held = |seen: &Seen| matches!(seen, Ok((200..=299, body)) if body.contains(&run.token));
        let emptied = survival.emptied.as_deref().unwrap_or_default();
        match run.emptied.as_ref().filter(|seen| !held(seen)).or(run.after.as_ref()) {
            Some(seen) if held(seen) => tell::pass(facts),
            Some(Ok((status @ (200..=299 | 404), body))) if run.emptied.is_some() => tell::fail(Miss {
                headline: format!("ce qui est écrit n'est pas dans « {service} »"),
                expected: format!("la donnée se relit encore quand « {emptied} » est vidé"),
                observed: format!(
                    "« {emptied} » vidé, la donnée n'est plus là : {status} {}",
                    tell::cut(body, 100)
                ),
                control: format!("juste avant, « {} » se relisait bien", run.token),
                place: tell::in_app(
                    cx.world,
                    &survival.write.service,
                    &[survival.write.path.trim_matches('/')],
                    "cette route écrit",
                ),
                hint: "un cache peut être vidé à tout moment : il ne garde que ce qui se retrouve ailleurs"
                    .to_owned(),
                try_it: format!("docker compose exec {emptied} redis-cli flushall"),
                facts,
                ..Miss::default()
            }),
            Some(Ok((status @ (200..=299 | 404), body))) => tell::fail(Miss {
                headline: format!(
                    "les données de « {service} » ne survivent pas à la suppression du conteneur"
                ),
                observed: format!(
                    "après « up », la donnée n'est plus là : {status} {}",
                    tell::cut(body, 100)
                ),
                control: format!("avant « down », « {} » se relisait bien", run.token),
                facts,
                ..self.base(cx)
            }),
            Some(seen) => Ok(Verdict::Inconclusive {
                fault: kit::noise(format!(
                    "après « up », « {} » n'a pas répondu à temps : {}",
                    survival.read.service,
                    told(seen)
                )),
                facts,
            }),
            None => Err(kit::lab_fault("survives sans relecture")),
        }
    }

    fn health(
        &self,
        cx: &Cx<'_>,
        run: &Run,
        survival: &Survival,
        facts: Vec<Fact>,
    ) -> Result<Verdict, Fault> {
        let Some(health) = &survival.health else { return Err(kit::lab_fault("survives sans health")) };
        let (service, who) = (&self.service, &health.service);
        let away: Vec<&Look> = run.looks.iter().filter(|look| look.away).collect();
        if let Some(lie) = away.iter().find(|look| is_good(&look.health)) {
            return tell::fail(Miss {
                headline: format!("« {service} » n'est plus là, et « {who} » dit que tout va bien"),
                expected: format!("GET {} sans succès tant que « {service} » ne répond pas", health.path),
                observed: told(&lie.health),
                control: format!("juste avant et juste après, « {service} » ne répondait pas à « {who} »"),
                place: tell::in_app(cx.world, who, &["health"], "cette réponse est faite ici"),
                hint: "une santé qui ne demande rien à personne ne renseigne personne : qui est interrogé, et que fait-on de son échec ?"
                    .to_owned(),
                try_it: format!("docker compose stop {service} ; docker compose exec {who} python -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{}{}').status)\"", health.port, health.path),
                facts,
                ..Miss::default()
            });
        }
        if away.is_empty() {
            let fault = kit::noise(format!(
                "« {service} » est revenu trop vite pour qu'on voie ce qu'en dit « {who} »"
            ));
            return Ok(Verdict::Inconclusive { fault, facts });
        }
        tell::pass(facts)
    }
}

#[async_trait]
impl Check for Survives {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Recreate
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        match self.of(experiments) {
            None => Err(format!("survives veut [[experiment.survival]] pour « {} »", self.service)),
            Some(s) if s.alive.is_some() != s.health.is_some() => {
                Err("experiment.survival : alive et health vont ensemble".into())
            }
            Some(s) if self.proof == SurvivalProof::Health && s.health.is_none() => {
                Err(format!("experiment.survival de « {} » n'a pas de health", self.service))
            }
            Some(_) => Ok(()),
        }
    }

    fn disturbs(&self, experiments: &Experiments) -> Vec<String> {
        let others =
            self.of(experiments).map(|s| s.also.iter().chain(&s.emptied).cloned().collect::<Vec<_>>());
        std::iter::once(self.service.clone()).chain(others.unwrap_or_default()).collect()
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let (world, service) = (cx.world, &self.service);
        let Some(survival) = self.of(cx.experiments) else {
            return Err(kit::lab_fault("survives sans experiment.survival"));
        };
        for name in [service, &survival.write.service, &survival.read.service] {
            if let Some(miss) = tell::absent(world.declared(), name) {
                return tell::fail(miss);
            }
        }
        let run: Arc<Run> = cx
            .memo
            .once(&format!("survives:{service}"), async {
                let _alone = cx.memo.alone().await;
                run(world, survival).await
            })
            .await?;
        if !run.running {
            return tell::fail(tell::stopped(world, service).await?);
        }
        let failed = run.written.iter().chain(&run.control).find(|seen| !is_good(seen));
        // Read, but without what was written: nothing was removed either.
        let other =
            run.control.as_ref().filter(|seen| !matches!(seen, Ok((_, body)) if body.contains(&run.token)));
        if let Some(seen) = failed.or(other) {
            return self.unwritten(cx, survival, seen);
        }
        if !run.renewed {
            return Err(kit::noise(format!("« {service} » n'a pas été recréé")));
        }
        let away = run.looks.iter().filter(|look| look.away).count();
        let mut facts = vec![Fact::new(
            "token",
            run.token.as_str(),
            format!("« {} » écrit, « {service} » supprimé puis recréé", run.token),
        )];
        if !run.looks.is_empty() {
            facts.push(Fact::new("away", away, format!("{away} regards pendant l'absence de « {service} »")));
        }
        if self.proof == SurvivalProof::Health && run.looks.iter().any(|look| look.away) {
            return self.health(cx, &run, survival, facts);
        }
        if !run.ready {
            return tell::fail(Miss {
                headline: format!("« {service} » ne redevient pas prêt après « down » puis « up »"),
                expected: format!("« {service} » recréé, en marche et en bonne santé"),
                observed: "pas prêt à temps".to_owned(),
                noted: tell::tail(&world.logs(service, 20).await?, 8),
                facts,
                ..self.base(cx)
            });
        }
        match self.proof {
            SurvivalProof::Data => self.data(cx, &run, survival, facts),
            SurvivalProof::Health => self.health(cx, &run, survival, facts),
        }
    }
}
