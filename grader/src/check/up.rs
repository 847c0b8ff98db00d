//! `up`: the stack builds, starts and gets ready.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::world::{Happening, Health, Instance, StackEvent, State};
use super::{Check, Cx, Experiments, Stage, advice, kit, lacks, lasting, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::{Span, strain};

/// The stack builds, starts and gets ready.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Up {
    /// Services that must run at the end.
    pub services: Vec<String>,
    /// They must have run for that long without ending; longer on a busy machine when no health test says more.
    #[serde(default)]
    pub hold: Option<Span>,
    /// Services that need no health test, and the port on which they listen once they are up: one that does not
    /// listen yet must have run for 2 s, longer on a busy machine.
    #[serde(default)]
    pub listens: BTreeMap<String, u16>,
}

/// One that does not listen yet must have run for that long: what ends at once has ended by then.
const ALIVE: Duration = Duration::from_secs(2);
/// To listen, asked from within.
const LISTEN_MS: u64 = 1_000;

/// A service that has ended once must then run for that long to be believed.
const STEADY: Duration = Duration::from_secs(6);
/// Longest wait for a service that keeps ending.
const STEADY_PATIENCE: Duration = Duration::from_secs(20);

/// A command that says that it ends sooner than that is waited for.
const SOON: Duration = Duration::from_secs(60);

/// How long a service that was ready may take to be ready again when it is looked at.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the engine's events say of a service's life so far.
struct Life {
    ends: usize,
    last_code: i64,
    /// Since its last start, by this machine's clock; `None` when it is not running.
    running_for: Option<Duration>,
}

impl Life {
    fn of(timeline: &[StackEvent], service: &str) -> Self {
        let mut life = Self { ends: 0, last_code: 0, running_for: None };
        for event in timeline.iter().filter(|e| e.service == service) {
            match event.what {
                Happening::Started => {
                    let now = std::time::SystemTime::now()
                        .duration_since(std::time::UNIX_EPOCH)
                        .unwrap_or_default();
                    let at = Duration::from_micros(u64::try_from(event.at_us).unwrap_or(0));
                    life.running_for = Some(now.saturating_sub(at));
                }
                Happening::Died(code) => {
                    life.ends += 1;
                    life.last_code = code;
                    life.running_for = None;
                }
                Happening::Created | Happening::Healthy | Happening::Unhealthy => {}
            }
        }
        life
    }

    /// True when it has run for as long as asked.
    fn is_steady(&self, hold: Duration) -> bool {
        let asked = if self.ends > 0 { hold.max(STEADY) } else { hold };
        self.running_for.is_some_and(|since| since >= asked)
    }
}

impl Up {
    /// Waits until the service is seen to stay up; `Some` says how it does not.
    async fn unsteady(
        &self,
        cx: &Cx<'_>,
        service: &str,
        found: &[Instance],
        checked: bool,
    ) -> Result<Option<String>, Fault> {
        let end = found.iter().filter_map(|i| lasting::ends_after(&i.command)).min();
        let end = end.filter(|end| *end <= SOON).unwrap_or_default();
        let port = self.listens.get(service).filter(|_| !checked);
        // A program that fails as it starts takes longer to do so on a busy machine.
        let slow = if checked { 1.0 } else { strain() };
        let asked = self.hold.map(|hold| hold.0).or(port.map(|_| ALIVE));
        let hold = asked.map_or(Duration::ZERO, |hold| hold.mul_f64(slow).max(end + Duration::from_secs(1)));
        let (life, _) = kit::patiently(
            STEADY_PATIENCE + end,
            |(life, listens): &(Life, bool)| life.is_steady(hold) || *listens,
            || async {
                let life = Life::of(&cx.world.timeline().await?, service);
                let young = life.ends == 0 && life.running_for.is_some() && !life.is_steady(hold);
                let listens = match port.filter(|_| young) {
                    Some(port) => listens(cx, service, found, *port).await,
                    None => false,
                };
                Ok((life, listens))
            },
        )
        .await?;
        Ok((!life.is_steady(hold) && life.ends > 0).then(|| match life.ends {
            1 => format!("s'arrête (code {})", life.last_code),
            n => format!("s'arrête et redémarre sans cesse : {n} arrêts, dernier code {}", life.last_code),
        }))
    }

    fn build_failed(cx: &Cx<'_>, service: &str, log: &str) -> Miss {
        let dockerfile = cx.world.declared().services.get(service).and_then(|s| s.dockerfile.clone());
        let step = advice::failed_step(log);
        let place = dockerfile.as_ref().and_then(|file| {
            let step = step.as_ref()?;
            cx.world.place_in(file, step, "cette étape échoue").or_else(|| {
                let words: Vec<&str> = step.split_whitespace().take(3).collect();
                cx.world.place_in(file, &words.join(" "), "cette étape échoue")
            })
        });
        let known = advice::of(log);
        Miss {
            headline: format!("l'image de « {service} » ne se construit pas"),
            expected: "docker compose build se termine sans erreur".to_owned(),
            observed: match (&known, &step) {
                (Some(known), _) => known.what.to_owned(),
                (None, Some(step)) => format!("échec à l'étape {}", tell::cut(step, 100)),
                (None, None) => "la construction s'arrête sur une erreur".to_owned(),
            },
            noted: advice::failed_lines(log, 8),
            place: place.or_else(|| tell::at(cx.world, service, "build", "construction demandée ici")),
            hint: known.as_ref().map_or_else(
                || "la première ligne d'erreur du journal compte plus que la dernière".to_owned(),
                |k| k.hint.to_owned(),
            ),
            try_it: known
                .and_then(|k| k.try_it)
                .map_or_else(|| format!("docker compose build {service}"), str::to_owned),
            ..Miss::default()
        }
    }

    async fn not_ready(
        cx: &Cx<'_>,
        service: &str,
        instance: Option<&Instance>,
        said: Option<&String>,
    ) -> Result<Miss, Fault> {
        let log = if instance.is_some() { cx.world.logs(service, 30).await? } else { String::new() };
        let sick = instance.is_some_and(|i| i.state == State::Running && i.health.is_some());
        let runs = if sick { cx.world.health_log(service).await? } else { vec![] };
        let last = runs.iter().rev().find(|r| r.exit_code != 0);
        let mut noted = Vec::new();
        if let Some(run) = last {
            let code = if run.exit_code == -1 {
                "délai dépassé".to_owned()
            } else {
                format!("code {}", run.exit_code)
            };
            let output = tell::cut(&run.output, 200);
            noted.push(format!(
                "healthcheck : {code}{}",
                if output.is_empty() { String::new() } else { format!(", {output}") }
            ));
        }
        noted.extend(tell::tail(&log, 8));
        let evidence =
            format!("{}\n{log}\n{}", said.map_or("", String::as_str), last.map_or("", |r| r.output.as_str()));
        lacks::of(cx.world, service, &evidence).await?;
        let known = advice::of(&evidence);
        let observed = said.cloned().unwrap_or_else(|| match instance {
            None => "aucun conteneur".to_owned(),
            Some(i) if sick => match i.health {
                Some(Health::Unhealthy) => "en marche mais jamais en bonne santé (unhealthy)".to_owned(),
                Some(Health::Starting) => "en marche, santé pas encore établie".to_owned(),
                _ => "en marche".to_owned(),
            },
            Some(i) => tell::state(i),
        });
        Ok(Miss {
            headline: format!(
                "« {service} » {}",
                if sick { "n'est pas en bonne santé" } else { "ne reste pas en marche" }
            ),
            expected: format!(
                "« {service} » en marche{}",
                if sick { " et en bonne santé (healthy)" } else { "" }
            ),
            observed,
            noted,
            place: if sick {
                tell::at(cx.world, service, "healthcheck", "ce test ne réussit pas")
            } else {
                cx.world.place(&["services", service], &format!("« {service} » ne démarre pas comme il faut"))
            },
            hint: known.as_ref().map_or_else(
                || {
                    if instance.is_some_and(|i| i.exit_code == Some(0) && i.state != State::Running) {
                        "un conteneur vit tant que son processus principal vit ; celui-ci a fini son travail"
                            .to_owned()
                    } else if sick {
                        "le serveur tourne, c'est son test de santé qui échoue : que répond ce test, lancé à la main ?"
                            .to_owned()
                    } else {
                        "lisez le journal du service depuis le début".to_owned()
                    }
                },
                |k| k.hint.to_owned(),
            ),
            try_it: known
                .and_then(|k| k.try_it)
                .map_or_else(
                    || {
                        if sick {
                            format!(
                                "docker inspect --format '{{{{json .State.Health}}}}' \"$(docker compose ps -q {service})\""
                            )
                        } else {
                            format!("docker compose logs {service}")
                        }
                    },
                    str::to_owned,
                ),
            ..Miss::default()
        })
    }
}

fn is_ready(instance: &Instance, checked: bool) -> bool {
    instance.is_well() || (!checked && instance.state == State::Running)
}

/// Whether it accepts a connection; one that is just ending cannot be asked.
async fn listens(cx: &Cx<'_>, service: &str, found: &[Instance], port: u16) -> bool {
    let Some(ip) = kit::own_ip(found) else { return false };
    let seen = kit::tcp(cx.world, &kit::inside(service), &ip.to_string(), port, LISTEN_MS).await;
    matches!(seen, Ok(Ok(_)))
}

#[async_trait]
impl Check for Up {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if let Some(name) = self.listens.keys().find(|name| !self.services.contains(name)) {
            return Err(format!("up.listens : « {name} » n'est pas dans up.services"));
        }
        if self.services.is_empty() { Err("up.services est vide".into()) } else { Ok(()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let declared = cx.world.declared();
        for service in &self.services {
            if let Some(miss) = tell::absent(declared, service) {
                return tell::fail(miss);
            }
        }
        let bring_up = cx.world.bring_up();
        if let Some((service, log)) = &bring_up.build_failed {
            return tell::fail(Self::build_failed(cx, service, log));
        }
        let mut facts = Vec::new();
        let mut first_miss = None;
        for service in &self.services {
            let checked = declared.services.get(service).is_some_and(|d| d.healthcheck.is_some());
            let said = bring_up.not_ready.get(service);
            let patience = if said.is_some() { Duration::ZERO } else { PATIENCE };
            let found = kit::patiently(
                patience,
                |seen: &Vec<Instance>| !seen.is_empty() && seen.iter().all(|i| is_ready(i, checked)),
                || cx.world.instances(service),
            )
            .await?;
            let bad = found.iter().find(|i| !is_ready(i, checked));
            if found.is_empty() || bad.is_some() || said.is_some() {
                let miss = Self::not_ready(cx, service, bad.or(found.first()), said).await?;
                // A service that only waits for a sick one is not the cause: show the one that ran.
                let is_cause = !found.is_empty() && found.iter().any(|i| i.state != State::Created);
                if is_cause {
                    return tell::fail(miss);
                }
                first_miss.get_or_insert(miss);
                continue;
            }
            if let Some(how) = self.unsteady(cx, service, &found, checked).await? {
                return tell::fail(Self::not_ready(cx, service, found.first(), Some(&how)).await?);
            }
            let restarts: i64 = found.iter().map(|i| i.restarts).sum();
            let again = if restarts > 0 { format!(", {restarts} redémarrage(s)") } else { String::new() };
            facts.push(Fact::new(
                &format!("ready:{service}"),
                restarts,
                format!("« {service} » en marche{}{again}", if checked { " et en bonne santé" } else { "" }),
            ));
        }
        let Some(mut miss) = first_miss else { return tell::pass(facts) };
        if let Some(error) = &bring_up.compose_error {
            miss.noted.extend(tell::tail(error, 6));
            if let Some(known) = advice::of(error) {
                known.what.clone_into(&mut miss.observed);
                known.hint.clone_into(&mut miss.hint);
            }
        }
        tell::fail(miss)
    }
}
