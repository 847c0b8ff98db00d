//! Running the script on a healthy stack, and on one that was broken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::deep::ScriptRun;
use super::super::experiment::Script;
use super::super::outage::together;
use super::super::world::{Health, Instance, World};
use super::super::{Cx, kit, tell};
use super::read::{self, Word};
use crate::error::Fault;

/// Longest wait for the whole stack to be well before the script runs.
const WELL: Duration = Duration::from_secs(60);
/// Longest wait for the frozen service to be told sick.
const SICK: Duration = Duration::from_secs(40);
/// Times that a run during which the stack changed by itself is made again.
const TRIES: usize = 2;

/// What is true of a service while the script runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// Healthy before and after.
    Well,
    /// Broken by us: how, in French.
    Broken(&'static str),
    /// It suffers from what was broken, or changed meanwhile: whatever is said is right.
    Either,
}

/// A run of the script.
#[derive(Clone, Debug, Default)]
pub(super) struct Played {
    /// Exit code; `None` when it did not end in time.
    pub code: Option<i64>,
    /// What it said.
    pub out: String,
    /// What it complained of.
    pub err: String,
    /// What its lines say.
    pub said: BTreeMap<String, Word>,
    /// What is true.
    pub truth: BTreeMap<String, Truth>,
}

impl Played {
    /// Those that were broken.
    pub fn broken(&self) -> Vec<&String> {
        let broken = |(_, truth): &(&String, &Truth)| matches!(truth, Truth::Broken(_));
        self.truth.iter().filter(broken).map(|(name, _)| name).collect()
    }

    /// The same, in French.
    pub fn told_broken(&self) -> String {
        let how = |(name, truth): (&String, &Truth)| match truth {
            Truth::Broken(how) => Some(format!("« {name} » {how}")),
            Truth::Well | Truth::Either => None,
        };
        self.truth.iter().filter_map(how).collect::<Vec<_>>().join(", ")
    }

    pub fn facts(&self) -> Value {
        let word = |word: &Word| match word {
            Word::Ok => "ok",
            Word::Failed => "failed",
            Word::Both => "both",
        };
        let said: BTreeMap<&String, &str> = self.said.iter().map(|(name, said)| (name, word(said))).collect();
        json!({"code": self.code, "said": said, "broken": self.broken()})
    }

    pub fn told(&self) -> String {
        let count = |word: Word| self.said.values().filter(|said| **said == word).count();
        let broken = self.told_broken();
        format!(
            "{} : le script dit OK de {} services, ECHEC de {} ; code {}",
            if broken.is_empty() { "pile en bonne santé".to_owned() } else { broken },
            count(Word::Ok),
            count(Word::Failed),
            self.code.map_or_else(|| "inconnu".to_owned(), |code| code.to_string())
        )
    }
}

/// Services that are well now.
async fn well(world: &dyn World, services: &[String]) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    for service in services {
        let instances = world.instances(service).await?;
        if !instances.is_empty() && instances.iter().all(Instance::is_well) {
            found.push(service.clone());
        }
    }
    Ok(found)
}

/// Waits until all of them are well; gives those that are.
async fn all_well(world: &dyn World, services: &[String]) -> Result<Vec<String>, Fault> {
    kit::patiently(WELL, |found: &Vec<String>| found.len() == services.len(), || well(world, services)).await
}

async fn play(
    cx: &Cx<'_>,
    script: &Script,
    image: &str,
    broken: &BTreeMap<String, Truth>,
) -> Result<Played, Fault> {
    let world = cx.world;
    let before = well(world, &script.services).await?;
    let mut env = vec![("LANG".to_owned(), "C.UTF-8".to_owned())];
    env.extend(cx.experiments.profile.iter().map(|p| ("COMPOSE_PROFILES".to_owned(), p.clone())));
    let done = world
        .script(ScriptRun {
            image: image.to_owned(),
            command: vec!["bash".to_owned(), script.file.clone()],
            env,
            deadline: script.deadline.0,
        })
        .await?;
    let after = well(world, &script.services).await?;
    let checked =
        |service: &String| world.declared().services.get(service).is_some_and(|s| s.healthcheck.is_some());
    let truth = |service: &String| match broken.get(service) {
        Some(truth) => truth.clone(),
        // Nobody can say how it is.
        None if !checked(service) => Truth::Either,
        None if before.contains(service) && after.contains(service) => Truth::Well,
        None => Truth::Either,
    };
    let out = String::from_utf8_lossy(&done.out).into_owned();
    Ok(Played {
        code: done.code,
        said: read::report(&out, &script.services),
        out,
        err: done.err,
        truth: script.services.iter().map(|service| (service.clone(), truth(service))).collect(),
    })
}

/// The script on a stack that is well, run once.
pub(super) async fn healthy(cx: &Cx<'_>, script: &Script, image: &str) -> Result<Arc<Option<Played>>, Fault> {
    cx.memo
        .once("script:healthy", async {
            let _alone = cx.memo.alone().await;
            let found = all_well(cx.world, &script.services).await?;
            let sick: Vec<&String> = script.services.iter().filter(|s| !found.contains(s)).collect();
            if !sick.is_empty() {
                return Err(kit::noise(format!(
                    "{} : pas en bonne santé, le script ne peut pas être jugé sur une pile saine",
                    tell::names(&sick)
                )));
            }
            for _ in 0..TRIES {
                let played = play(cx, script, image, &BTreeMap::new()).await?;
                if well(cx.world, &script.services).await?.len() == script.services.len() {
                    return Ok(Some(played));
                }
            }
            Err(kit::noise("la santé des services change d'elle-même pendant que le script regarde"))
        })
        .await
}

/// Waits until the engine says that a frozen service is sick.
async fn turns_sick(world: &dyn World, service: &str) -> Result<bool, Fault> {
    let sick = |found: &Vec<Instance>| found.iter().any(|i| i.health == Some(Health::Unhealthy));
    Ok(sick(&kit::patiently(SICK, sick, || world.instances(service)).await?))
}

/// The script on a stack of which one service, drawn, is frozen, and another one stopped; run once. `None` when no two health
/// checks can fail.
pub(super) async fn broken(cx: &Cx<'_>, script: &Script, image: &str) -> Result<Arc<Option<Played>>, Fault> {
    // Only a health check that can fail tells the truth about a frozen service.
    let outages = together(cx).await?;
    cx.memo
        .once("script:broken", async {
            let _alone = cx.memo.alone().await;
            let world = cx.world;
            let honest = |s: &&String| {
                outages.get(*s).is_some_and(|run| {
                    run.health.unhealthy && run.health.runs.iter().all(|r| r.exit_code != 0)
                })
            };
            let known: Vec<&String> = script.breakable.iter().filter(honest).collect();
            if known.len() < 2 {
                return Ok(None);
            }
            let found = all_well(world, &script.services).await?;
            let mut drawn: Vec<&String> = known.into_iter().filter(|s| found.contains(s)).collect();
            drawn.sort_by_key(|service| kit::draw(world, &format!("broken:{service}")));
            let [sick, dead, ..] = drawn[..] else {
                return Err(kit::noise(
                    "trop peu de services en bonne santé, dont le healthcheck voit une panne",
                ));
            };
            world.freeze(sick).await?;
            let seen = turns_sick(world, sick).await;
            let stopped = world.stop(dead).await;
            let played = match (seen, stopped) {
                (Ok(true), Ok(_)) => {
                    let truth = BTreeMap::from([
                        (sick.clone(), Truth::Broken("en marche mais « unhealthy »")),
                        (dead.clone(), Truth::Broken("arrêté")),
                    ]);
                    play(cx, script, image, &truth).await
                }
                (Ok(false), _) => {
                    Err(kit::noise(format!("« {sick} », suspendu, n'a pas été dit malade à temps")))
                }
                (Err(fault), _) | (_, Err(fault)) => Err(fault),
            };
            // Whatever happened, both are given back.
            world.thaw(sick).await?;
            world.start(dead).await?;
            played.map(Some)
        })
        .await
}
