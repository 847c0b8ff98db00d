//! `script`: a script of the student's that tells, service by service, whether the stack is well. What it says is
//! compared with what is true: of the healthy stack, and of one that was broken where nobody could guess.

mod read;
mod run;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::french;
use read::Word;
use run::{Played, Truth};

/// What is proven of `experiment.script`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Script {
    /// What is proven.
    pub proof: ScriptProof,
    /// Image in which it runs.
    pub image: String,
}

/// What [`Script`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptProof {
    /// Of a healthy stack it says so, and ends with code 0.
    Healthy,
    /// Of a broken one it names what is broken, and nothing else.
    Broken,
    /// Then it ends with another code than 0.
    Code,
}

/// What is asked of it once, for the messages.
const FORM: &str = "une ligne par service, dont les deux premiers mots sont son nom et OK ou ECHEC";

impl Script {
    fn base(cx: &Cx<'_>, played: &Played) -> Miss {
        let file = cx.experiments.script.as_ref().map(|s| s.file.clone()).unwrap_or_default();
        let mut noted: Vec<String> =
            tell::tail(&played.out, 14).into_iter().map(|line| format!("dit : {line}")).collect();
        noted.extend(tell::tail(&played.err, 4).into_iter().map(|line| format!("erreur : {line}")));
        Miss {
            noted,
            place: cx.world.place_in(&file, "", "ce script"),
            try_it: format!("bash {file}; echo $?"),
            ..Miss::default()
        }
    }

    /// The miss of a stack whose health checks see nothing.
    fn blind(script: &super::experiment::Script) -> Miss {
        Miss {
            headline: "trop peu de healthchecks voient leur panne pour éprouver le script".to_owned(),
            expected: format!(
                "un healthcheck qui échoue, pour deux au moins de {}",
                tell::names(&script.breakable)
            ),
            observed: "un seul au plus échoue quand son service est suspendu".to_owned(),
            hint: "corrigez d'abord les contrôles de santé : ceux qui sont manqués plus haut disent lesquels"
                .to_owned(),
            try_it: "docker compose ps".to_owned(),
            ..Miss::default()
        }
    }

    /// The miss of a script that did not come to its end.
    fn unended(cx: &Cx<'_>, played: &Played) -> Option<Miss> {
        let deadline = cx.experiments.script.as_ref().map(|s| s.deadline.0).unwrap_or_default();
        let (headline, observed, hint) = match played.code {
            None => (
                "le script ne finit pas à temps",
                format!("toujours en marche après {}", french(deadline)),
                "une question posée à un service suspendu peut n'avoir jamais de réponse : donnez une limite à chacune",
            ),
            Some(126 | 127) if played.out.trim().is_empty() => (
                "le script ne peut pas être lancé",
                format!("code {}", played.code.unwrap_or_default()),
                "il est lancé par bash, dans une image qui n'a que les outils dits dans l'énoncé",
            ),
            Some(_) => return None,
        };
        Some(Miss {
            headline: headline.to_owned(),
            expected: format!("un verdict en {} au plus, panne comprise", french(deadline)),
            observed,
            hint: hint.to_owned(),
            ..Self::base(cx, played)
        })
    }

    /// What it says of a service is not what is true of it.
    fn wrong(cx: &Cx<'_>, played: &Played, healthy: bool) -> Option<Miss> {
        let expected = if healthy {
            format!("pile en bonne santé : {FORM} ; OK pour tous, et le code 0")
        } else {
            format!(
                "{} en panne : ECHEC pour ces services, OK pour les autres",
                tell::names(&played.broken())
            )
        };
        let control = if healthy {
            "le moteur dit tous les services en bonne santé, avant et après".to_owned()
        } else {
            played.told_broken()
        };
        let miss = |headline: String, observed: String, hint: &str| {
            Some(Miss {
                headline,
                expected: expected.clone(),
                observed,
                control: control.clone(),
                hint: hint.to_owned(),
                ..Self::base(cx, played)
            })
        };
        for (service, truth) in &played.truth {
            let said = played.said.get(service);
            match (said, truth) {
                (None, Truth::Either) => {}
                (None, _) => {
                    return miss(
                        format!("le script ne dit rien de « {service} »"),
                        format!("aucune ligne qui commence par « {service} » et un verdict"),
                        "chaque service a sa ligne, même quand un autre, avant lui, a manqué",
                    );
                }
                (Some(Word::Both), _) => {
                    return miss(
                        format!("le script dit deux choses de « {service} »"),
                        format!("une ligne OK et une ligne ECHEC pour « {service} »"),
                        "un service n'a qu'un verdict : réunissez ses tests avant d'écrire sa ligne",
                    );
                }
                (Some(Word::Ok), Truth::Broken(how)) => {
                    return miss(
                        format!("le script dit OK de « {service} », qui est en panne"),
                        format!("« {service} » : OK, alors qu'il est {how}"),
                        "être en marche n'est pas être en bonne santé : qui le sait, et comment le lui demander ?",
                    );
                }
                (Some(Word::Failed), Truth::Well) => {
                    return miss(
                        format!("le script dit ECHEC de « {service} », qui va bien"),
                        format!("« {service} » : ECHEC, alors que le moteur le dit en bonne santé"),
                        "d'où le script regarde-t-il ? Dans un conteneur, localhost est ce conteneur",
                    );
                }
                _ => {}
            }
        }
        None
    }
}

#[async_trait]
impl Check for Script {
    fn stage(&self, _: &Experiments) -> Stage {
        if self.proof == ScriptProof::Healthy { Stage::Drive } else { Stage::Break }
    }

    fn disturbs(&self, experiments: &Experiments) -> Vec<String> {
        match &experiments.script {
            Some(script) if self.proof != ScriptProof::Healthy => script.breakable.clone(),
            _ => Vec::new(),
        }
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        let Some(script) = &experiments.script else { return Err("script veut [experiment.script]".into()) };
        let froze = |s: &String| experiments.outage.iter().any(|o| o.service == *s && o.together);
        if script.breakable.len() < 3 || !script.breakable.iter().all(froze) {
            return Err("experiment.script.breakable : trois services au moins, chacun avec son [[experiment.outage]] together".into());
        }
        Ok(())
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(480)
    }

    fn tools(&self) -> Vec<String> {
        vec![self.image.clone()]
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let Some(script) = &cx.experiments.script else {
            return Err(kit::lab_fault("script sans experiment.script"));
        };
        if cx.world.read(&script.file).is_none() {
            return tell::fail(Miss {
                headline: format!("{} manque", script.file),
                expected: format!("un script {} dans le dossier rendu", script.file),
                observed: "pas de fichier de ce nom".to_owned(),
                hint: "le nom et le dossier sont imposés".to_owned(),
                try_it: format!("ls -l {}", script.file),
                ..Miss::default()
            });
        }
        for service in &script.services {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
        }
        let healthy = self.proof == ScriptProof::Healthy;
        let seen = if healthy {
            run::healthy(cx, script, &self.image).await?
        } else {
            run::broken(cx, script, &self.image).await?
        };
        let Some(played) = seen.as_ref() else { return tell::fail(Self::blind(script)) };
        let facts = vec![Fact::new("said", played.facts(), played.told())];
        if let Some(miss) = Self::unended(cx, played) {
            return tell::fail(Miss { facts, ..miss });
        }
        let code = played.code.unwrap_or(-1);
        if self.proof == ScriptProof::Code {
            if code != 0 {
                return tell::pass(facts);
            }
            return tell::fail(Miss {
                headline: "le script finit par le code 0, alors que des services sont en panne".to_owned(),
                expected: format!("{} en panne : un code de sortie autre que 0", tell::names(&played.broken())),
                observed: "code 0".to_owned(),
                control: played.told_broken(),
                hint: "le code de sortie d'un script est celui de sa dernière commande, sauf si exit en dit un autre".to_owned(),
                facts,
                ..Self::base(cx, played)
            });
        }
        if let Some(miss) = Self::wrong(cx, played, healthy) {
            return tell::fail(Miss { facts, ..miss });
        }
        if healthy && code != 0 {
            return tell::fail(Miss {
                headline: format!("le script finit par le code {code}, alors que tout va bien"),
                expected: "pile en bonne santé : le code 0".to_owned(),
                observed: format!("code {code}, avec OK pour tous les services"),
                control: "le moteur dit tous les services en bonne santé, avant et après".to_owned(),
                hint: "quelle commande, dans ce script, s'exécute en dernier ?".to_owned(),
                facts,
                ..Self::base(cx, played)
            });
        }
        tell::pass(facts)
    }
}
