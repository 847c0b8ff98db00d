//! `pushed`: images under the names that the file gives them, pushed to a throwaway registry of the run and pulled back.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::deep::Parcel;
use super::slim::not_built;
use super::{Check, Cx, Experiments, Stage, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Images that `docker compose push` would publish.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pushed {
    /// Services that are built.
    pub services: Vec<String>,
    /// Registry that their names begin with; that of the run takes its place.
    pub registry: String,
    /// Image of the registry.
    #[serde(default = "registry_image")]
    pub image: String,
}

fn registry_image() -> String {
    "registry:2".to_owned()
}

/// Path and tag of a name on a registry: `localhost:5000/boutique:1.0` on `localhost:5000` gives
/// `boutique` and `1.0`. `Err` says in French what is missing.
fn parts(registry: &str, name: &str) -> Result<(String, String), &'static str> {
    let Some(rest) = name.strip_prefix(registry).and_then(|r| r.strip_prefix('/')) else {
        return Err("ce nom ne commence pas par l'adresse du registre : l'image partirait ailleurs");
    };
    if rest.contains('@') {
        return Err("un nom qui porte une empreinte ne peut pas être publié");
    }
    let (path, tag) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/');
    if path.is_empty() || !path.chars().all(legal) {
        return Err("ce chemin n'est pas celui d'une image : minuscules, chiffres, tirets");
    }
    match tag {
        "" | "latest" => Err("sans étiquette, ou avec « latest », on ne sait jamais quelle version tourne"),
        tag => Ok((path.to_owned(), tag.to_owned())),
    }
}

impl Pushed {
    fn miss(&self, cx: &Cx<'_>, service: &str, headline: String, observed: String, hint: &str) -> Miss {
        Miss {
            headline,
            expected: format!(
                "chaque application a son nom d'image sur {}, avec un numéro de version ; publiée puis reprise, c'est la même image",
                self.registry
            ),
            observed,
            place: tell::at(cx.world, service, "image", "nom de l'image"),
            hint: hint.to_owned(),
            try_it: "docker compose config --images".to_owned(),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Pushed {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn tools(&self) -> Vec<String> {
        vec![self.image.clone()]
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let declared = cx.world.declared();
        let mut parcels: Vec<Parcel> = Vec::new();
        let mut taken: BTreeMap<(String, String), String> = BTreeMap::new();
        for service in &self.services {
            if let Some(miss) = tell::absent(declared, service) {
                return tell::fail(miss);
            }
            let Some(found) = declared.services.get(service).filter(|s| s.build_context.is_some()) else {
                return tell::fail(not_built(cx, service));
            };
            let Some(name) = &found.image else {
                let headline = format!("l'image de « {service} » n'a pas de nom à publier");
                let hint = "à côté de build:, image: donne son nom à ce qui est construit";
                return tell::fail(self.miss(cx, service, headline, "pas de clé image:".to_owned(), hint));
            };
            match parts(&self.registry, name) {
                Ok((path, tag)) => {
                    taken.entry((path.clone(), tag.clone())).or_insert_with(|| service.clone());
                    parcels.push(Parcel { service: service.clone(), path, tag });
                }
                Err(why) => {
                    let headline = format!("l'image de « {service} » n'est pas publiable sous ce nom");
                    let observed = format!("image: {}", tell::cut(name, 100));
                    return tell::fail(self.miss(cx, service, headline, observed, why));
                }
            }
        }
        let back = cx.world.publish(&self.image, &parcels).await?;
        let mut facts = Vec::new();
        for (parcel, seen) in parcels.iter().zip(&back) {
            if !seen.same {
                let other =
                    taken.get(&(parcel.path.clone(), parcel.tag.clone())).filter(|s| **s != parcel.service);
                let named = parcels
                    .iter()
                    .rfind(|p| p.path == parcel.path && p.tag == parcel.tag && p.service != parcel.service);
                let other = named.map(|p| &p.service).or(other);
                let headline =
                    format!("publiée puis reprise, l'image de « {} » est une autre", parcel.service);
                let observed = match other {
                    Some(other) => format!("« {other} » porte le même nom, {}:{}", parcel.path, parcel.tag),
                    None => format!("{}:{} ne rend pas l'image envoyée", parcel.path, parcel.tag),
                };
                let hint = "dans un registre, le dernier qui prend un nom le garde";
                return tell::fail(Miss {
                    facts,
                    ..self.miss(cx, &parcel.service, headline, observed, hint)
                });
            }
            facts.push(Fact::new(
                &parcel.service,
                seen.digest.clone(),
                format!(
                    "{}:{} publiée et reprise ({})",
                    parcel.path,
                    parcel.tag,
                    tell::cut(&seen.digest, 19)
                ),
            ));
        }
        tell::pass(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names() {
        let ok = |name: &str| parts("localhost:5000", name).ok();
        assert_eq!(ok("localhost:5000/a/b-c:1.0"), Some(("a/b-c".into(), "1.0".into())));
        for bad in [
            "a:1",
            "localhost:5000/a",
            "localhost:5000/a:latest",
            "localhost:50001/a:1",
            "localhost:5000/:1",
            "localhost:5000/A:1",
            "localhost:5000/a@sha256:0",
        ] {
            assert_eq!(ok(bad), None, "{bad}");
        }
    }
}
