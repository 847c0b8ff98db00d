//! `answer`: a closed question of the answers file, compared with an observed or declared truth.
//! No message ever shows the right answer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

mod read;

use read::{Mark, accepted, mark_gateway, mark_subnet, normal, wrong, yes_no};

use super::network::shared;
use super::{Check, Cx, Experiments, Stage, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A closed question.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Answer {
    /// Key of the answers file.
    pub key: String,
    /// What the right answer is.
    pub truth: Truth,
    /// The answers file, relative to the submission (`reponses.yaml` by default).
    #[serde(default = "default_file")]
    pub file: String,
}

fn default_file() -> String {
    "reponses.yaml".to_owned()
}

/// Where the right answer comes from: exactly one of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Truth {
    /// Any of these texts; case, accents, spaces and hyphens do not matter. When all of them are numbers,
    /// words around the number do not matter either.
    #[serde(default)]
    pub accept: Vec<String>,
    /// The declared subnet of a network that these services share.
    #[serde(default)]
    pub subnet_shared_by: Vec<String>,
    /// The declared gateway of a network that these services share.
    #[serde(default)]
    pub gateway_shared_by: Vec<String>,
    /// Whether the engine's default bridge resolves names, as observed on this engine.
    #[serde(default)]
    pub default_bridge_resolves_names: bool,
}

impl Truth {
    fn sources(&self) -> usize {
        usize::from(!self.accept.is_empty())
            + usize::from(!self.subnet_shared_by.is_empty())
            + usize::from(!self.gateway_shared_by.is_empty())
            + usize::from(self.default_bridge_resolves_names)
    }
}

impl Answer {
    fn expected(&self) -> String {
        format!("une réponse juste à « {} » dans {}", self.key, self.file)
    }

    /// The student's answer, or why there is none.
    fn given(&self, cx: &Cx<'_>) -> Result<String, Box<Miss>> {
        let base = Miss { expected: self.expected(), ..Miss::default() };
        let Some(text) = cx.world.read(&self.file) else {
            return Err(Box::new(Miss {
                headline: format!("le fichier {} manque", self.file),
                observed: format!("pas de fichier {} dans le dossier rendu", self.file),
                hint: "ce fichier est fourni avec l'énoncé ; il se remplit et se rend avec le reste"
                    .to_owned(),
                try_it: "ls".to_owned(),
                ..base
            }));
        };
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let parsed: Result<Option<BTreeMap<String, serde_json::Value>>, _> = serde_saphyr::from_str(&text);
        let map = match parsed {
            Ok(map) => map.unwrap_or_default(),
            Err(error) => {
                let at =
                    error.location().map(|l| format!(" à la ligne {}, colonne {}", l.line(), l.column()));
                let line = error.location().and_then(|l| usize::try_from(l.line()).ok());
                let shown = line.and_then(|l| text.lines().nth(l.saturating_sub(1))).map(str::trim);
                return Err(Box::new(Miss {
                    headline: format!("le fichier {} n'est pas du YAML lisible", self.file),
                    observed: format!("erreur de syntaxe{}", at.unwrap_or_default()),
                    place: shown
                        .filter(|s| !s.is_empty())
                        .and_then(|s| cx.world.place_in(&self.file, s, "la lecture s'arrête ici")),
                    hint: "une réponse par ligne : la clé, deux-points, une espace, la réponse".to_owned(),
                    try_it: format!("docker run --rm -i mikefarah/yq < {}", self.file),
                    ..base
                }));
            }
        };
        let found = map.get(&self.key).and_then(|value| match value {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => Some(value.to_string()),
            _ => None,
        });
        match found.filter(|text| !normal(text).is_empty()) {
            Some(text) => Ok(text),
            None => Err(Box::new(Miss {
                headline: format!("pas de réponse à « {} »", self.key),
                observed: if let Some(value) = map.get(&self.key) {
                    let many = value.is_array() || value.is_object();
                    let what = if many {
                        "plusieurs réponses : une seule est attendue"
                    } else {
                        "la réponse est vide"
                    };
                    what.to_owned()
                } else {
                    let near = map.keys().find(|k| tell::distance(k, &self.key) <= 2);
                    match near {
                        Some(near) => format!("la clé « {} » manque ; « {near} » lui ressemble", self.key),
                        None => format!("la clé « {} » manque", self.key),
                    }
                },
                place: cx.world.place_in(&self.file, &self.key, "réponse attendue ici"),
                hint: "gardez les clés telles qu'elles sont dans le fichier fourni".to_owned(),
                ..base
            })),
        }
    }

    fn wrong(&self, cx: &Cx<'_>, given: &str, observed: String, hint: String) -> Miss {
        Miss {
            headline: format!("la réponse à « {} » n'est pas la bonne", self.key),
            expected: self.expected(),
            observed,
            place: cx.world.place_in(&self.file, &self.key, "votre réponse"),
            hint,
            facts: vec![Fact::new("given", given, "réponse donnée")],
            ..Miss::default()
        }
    }

    /// The networks that the truth speaks of, or the miss when there is none.
    fn shared_nets<'a>(
        &self,
        cx: &'a Cx<'_>,
        services: &[String],
    ) -> Result<Vec<&'a super::world::DeclaredNetwork>, Box<Miss>> {
        let declared = cx.world.declared();
        if let Some(miss) = services.iter().find_map(|s| tell::absent(declared, s)) {
            return Err(Box::new(miss));
        }
        let nets: Vec<_> = shared(declared, services)
            .into_iter()
            .map(|(_, n)| n)
            .filter(|n| !n.subnets.is_empty())
            .collect();
        if nets.is_empty() {
            return Err(Box::new(Miss {
                headline: "la question porte sur un sous-réseau que votre fichier n'écrit pas".to_owned(),
                expected: self.expected(),
                observed: format!(
                    "aucun réseau commun à {} n'a de plage d'adresses écrite",
                    tell::names(services)
                ),
                place: cx.world.place(&["networks"], "aucune plage écrite ici"),
                hint: "réglez d'abord l'adressage du réseau, la réponse en découle".to_owned(),
                try_it: "docker compose config".to_owned(),
                ..Miss::default()
            }));
        }
        Ok(nets)
    }

    async fn mark(&self, cx: &Cx<'_>, given: &str) -> Result<Result<Mark, Box<Miss>>, Fault> {
        let truth = &self.truth;
        if truth.default_bridge_resolves_names {
            let Some(said) = yes_no(given) else {
                return Ok(Ok(wrong(format!("« {given} »"), "la question se répond par oui ou par non")));
            };
            let really = cx.world.default_bridge_resolves().await?;
            return Ok(Ok(if said == really {
                Mark::Right
            } else {
                wrong(
                    format!("« {given} » ; l'essai sur ce moteur montre le contraire"),
                    "faites l'essai avec deux conteneurs lancés par docker run",
                )
            }));
        }
        if !truth.subnet_shared_by.is_empty() {
            return Ok(self.shared_nets(cx, &truth.subnet_shared_by).map(|nets| {
                let all: Vec<IpNet> = nets.iter().flat_map(|n| n.subnets.iter().map(IpNet::trunc)).collect();
                mark_subnet(given, &all)
            }));
        }
        if !truth.gateway_shared_by.is_empty() {
            return Ok(self.shared_nets(cx, &truth.gateway_shared_by).map(|nets| {
                let all: Vec<IpAddr> = nets.iter().flat_map(|n| n.gateways.iter().copied()).collect();
                mark_gateway(given, &all)
            }));
        }
        Ok(Ok(if accepted(&truth.accept, given) {
            Mark::Right
        } else {
            wrong(format!("« {} »", tell::cut(given, 80)), "relisez la partie du cours citée par ce contrôle")
        }))
    }
}

#[async_trait]
impl Check for Answer {
    fn stage(&self, _: &Experiments) -> Stage {
        if self.truth.default_bridge_resolves_names { Stage::Observe } else { Stage::Static }
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.truth.sources() == 1 { Ok(()) } else { Err("answer.truth veut exactement une source".into()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let given = match self.given(cx) {
            Ok(given) => given,
            Err(miss) => return Ok(Verdict::Fail(miss)),
        };
        match self.mark(cx, &given).await? {
            Ok(Mark::Right) => tell::pass(vec![Fact::new(
                "given",
                given.as_str(),
                format!("réponse donnée : {}", tell::cut(&given, 80)),
            )]),
            Ok(Mark::Wrong(observed, hint)) => tell::fail(self.wrong(cx, &given, observed, hint)),
            Err(miss) => Ok(Verdict::Fail(miss)),
        }
    }
}
