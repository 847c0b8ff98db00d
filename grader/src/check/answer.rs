//! `answer`: a closed question of the answers file, compared with an observed or declared truth.
//! No message ever shows the right answer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

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

/// What one answer was found to be worth.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    Right,
    /// French: what is wrong with it, and a hint; never the right answer.
    Wrong(String, String),
}

/// Reads `oui`, `non`, `true`…, alone or before a comma and a reason.
fn yes_no(text: &str) -> Option<bool> {
    let text = normal(text);
    let (word, _) = text.split_once([',', '.', ';', ':', '(']).unwrap_or((&text, ""));
    match word.trim_end() {
        "oui" | "yes" | "true" | "vrai" | "o" | "y" | "on" | "1" => Some(true),
        "non" | "no" | "false" | "faux" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Lower case, no surrounding quotes, single spaces.
fn normal(text: &str) -> String {
    let bare =
        text.trim().trim_matches(|c: char| matches!(c, '"' | '\'' | '«' | '»' | '`') || c.is_whitespace());
    bare.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The same without what a hurried hand leaves out or mistakes: accents, hyphens, underscores.
fn loose(text: &str) -> String {
    let plain = |c: char| match c {
        'à' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        '-' | '_' | '‑' => ' ',
        other => other,
    };
    let folded: String = normal(text).chars().map(plain).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The only number of a text: `304` of « 304 Not Modified ».
fn only_number(text: &str) -> Option<&str> {
    let mut runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.next().filter(|_| runs.next().is_none())
}

/// Whether an answer is one of these texts.
fn accepted(accept: &[String], given: &str) -> bool {
    let numbers = accept.iter().all(|text| text.chars().all(|c| c.is_ascii_digit()));
    accept.iter().any(|text| {
        loose(text) == loose(given)
            || yes_no(text).is_some_and(|truth| yes_no(given) == Some(truth))
            || (numbers && only_number(given) == Some(text.as_str()))
    })
}

fn wrong(what: impl Into<String>, hint: impl Into<String>) -> Mark {
    Mark::Wrong(what.into(), hint.into())
}

fn mark_subnet(given: &str, truth: &[IpNet]) -> Mark {
    let text: String = normal(given).chars().filter(|c| !c.is_whitespace()).collect();
    let Some((address, prefix)) = text.split_once('/') else {
        return if text.parse::<IpAddr>().is_ok() {
            wrong(
                format!("« {given} » est une adresse, pas un sous-réseau"),
                "il manque la longueur du préfixe, après une barre oblique",
            )
        } else {
            wrong(
                format!("« {given} » n'est pas un sous-réseau"),
                "notation attendue : adresse, barre oblique, longueur du préfixe",
            )
        };
    };
    let net = prefix
        .parse::<u8>()
        .ok()
        .and_then(|length| IpNet::new(address.parse().ok()?, length).ok())
        .or_else(|| IpNet::with_netmask(address.parse().ok()?, prefix.parse().ok()?).ok());
    let Some(net) = net else {
        return wrong(
            format!("« {given} » n'est pas un sous-réseau"),
            "notation attendue : adresse, barre oblique, longueur du préfixe",
        );
    };
    if net.trunc() != net && truth.contains(&net.trunc()) {
        return wrong(
            format!("« {given} » est une adresse d'hôte avec son préfixe, pas l'adresse du réseau"),
            "dans l'adresse d'un réseau, tous les bits après le préfixe sont nuls",
        );
    }
    if truth.contains(&net) {
        Mark::Right
    } else {
        wrong(format!("« {given} »"), "relisez la plage d'adresses de ce réseau dans votre fichier")
    }
}

fn mark_gateway(given: &str, truth: &[IpAddr]) -> Mark {
    let text = normal(given);
    if text.contains('/') {
        return wrong(
            format!("« {given} » a un préfixe"),
            "une passerelle est une adresse seule, sans barre oblique",
        );
    }
    match text.parse::<IpAddr>() {
        Ok(ip) if truth.contains(&ip) => Mark::Right,
        Ok(_) => {
            wrong(format!("« {given} »"), "« docker network inspect » montre la passerelle de chaque réseau")
        }
        Err(_) => {
            wrong(format!("« {given} » n'est pas une adresse"), "une adresse IPv4 s'écrit en quatre nombres")
        }
    }
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
                observed: if map.contains_key(&self.key) {
                    "la réponse est vide".to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn nets() -> Vec<IpNet> {
        vec!["172.30.0.0/24".parse().expect("net")]
    }

    #[test]
    fn subnets_as_students_write_them() {
        for good in ["172.30.0.0/24", " 172.30.0.0 / 24 ", "'172.30.0.0/24'", "172.30.0.0/255.255.255.0"] {
            assert_eq!(mark_subnet(good, &nets()), Mark::Right, "{good}");
        }
        for bad in ["172.30.0.5/24", "172.30.0.0", "172.30.0.0/16", "n'importe quoi", "172.30.0.0/240"] {
            let Mark::Wrong(what, hint) = mark_subnet(bad, &nets()) else { panic!("{bad}") };
            assert!(!hint.contains("172.30.0.0/24") && !what.replace(bad, "").contains("172.30.0.0/24"));
        }
    }

    #[test]
    fn yes_and_no() {
        assert_eq!(yes_no(" Oui "), Some(true));
        assert_eq!(yes_no("\"NON\""), Some(false));
        assert_eq!(yes_no("false"), Some(false));
        assert_eq!(yes_no("Non, pas tant que dure le délai"), Some(false));
        for unsure in ["peut-être", "oui et non", "non ou oui", ""] {
            assert_eq!(yes_no(unsure), None, "{unsure}");
        }
    }

    #[test]
    fn texts_as_students_write_them() {
        for given in
            ["reseau-manquant", "Réseau manquant", "RESEAU_MANQUANT", " «\u{a0}réseau-manquant\u{a0}» "]
        {
            assert_eq!(loose(given), loose("reseau-manquant"), "{given}");
        }
        assert_ne!(loose("reseau"), loose("reseau-manquant"));
    }

    #[test]
    fn numbers_in_their_words() {
        let code = ["304".to_owned()];
        for given in ["304", "304 Not Modified", "code 304", "HTTP : 304."] {
            assert!(accepted(&code, given), "{given}");
        }
        for given in ["200", "304 ou 200", "3040", "trois cent quatre", "30 4"] {
            assert!(!accepted(&code, given), "{given}");
        }
        // A unit counts as soon as one of the texts has one.
        let length = ["600".to_owned(), "10 min".to_owned()];
        assert!(accepted(&length, "10 min") && !accepted(&length, "600 min") && !accepted(&length, "10 s"));
    }

    #[test]
    fn gateways() {
        let truth = ["172.30.0.1".parse().expect("ip")];
        assert_eq!(mark_gateway(" 172.30.0.1", &truth), Mark::Right);
        assert_ne!(mark_gateway("172.30.0.1/24", &truth), Mark::Right);
        assert_ne!(mark_gateway("172.30.0.254", &truth), Mark::Right);
    }
}
