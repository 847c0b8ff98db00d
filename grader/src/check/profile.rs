//! `profile`: what a profile that is not run brings up, and how much memory its services may take together.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A profile holds together, has these services, and fits in that much memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Its name; one of `experiment.profiles`.
    pub name: String,
    /// Services that it must have.
    pub services: Vec<String>,
    /// Fewest services.
    #[serde(default)]
    pub fewest: usize,
    /// Services that it must not have.
    #[serde(default)]
    pub without: Vec<String>,
    /// Most mebibytes of all memory limits together.
    pub mebibytes: u64,
}

impl Profile {
    fn base(&self) -> Miss {
        Miss {
            expected: format!(
                "docker compose --profile {} up : {} services au moins, dont {}, et {} Mio de limites de mémoire en tout au plus",
                self.name,
                self.fewest.max(self.services.len()),
                tell::names(&self.services),
                self.mebibytes
            ),
            try_it: format!("docker compose --profile {} config --services", self.name),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Profile {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Static
    }

    fn is_static(&self) -> bool {
        true
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        if experiments.profiles.contains(&self.name) && self.mebibytes > 0 {
            return Ok(());
        }
        Err(format!("profile veut « {} » dans experiment.profiles, et mebibytes", self.name))
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let Some(profile) = cx.world.declared().profiles.get(&self.name) else {
            return Err(kit::lab_fault("profile sans experiment.profiles"));
        };
        let name = &self.name;
        if let Some(why) = &profile.refused {
            return tell::fail(Miss {
                headline: format!("le profil « {name} » ne tient pas tout seul"),
                observed: format!("Compose le refuse : {}", tell::cut(why, 200)),
                hint: "un service d'un profil ne peut dépendre que de services de ce profil, ou sans profil"
                    .to_owned(),
                ..self.base()
            });
        }
        let found: Vec<&String> = profile.services.keys().collect();
        let observed = format!("{} services : {}", found.len(), tell::names(&found));
        let missing: Vec<&String> =
            self.services.iter().filter(|s| !profile.services.contains_key(*s)).collect();
        let extra: Vec<&String> = self.without.iter().filter(|s| profile.services.contains_key(*s)).collect();
        let blamed = missing.first().or(extra.first()).copied();
        if !missing.is_empty() || !extra.is_empty() || found.len() < self.fewest {
            return tell::fail(Miss {
                headline: match (missing.first(), extra.first()) {
                    (Some(service), _) => format!("« {service} » n'est pas dans le profil « {name} »"),
                    (None, Some(service)) => format!("« {service} » n'a rien à faire dans le profil « {name} »"),
                    _ => format!("le profil « {name} » a trop peu de services"),
                },
                observed,
                place: blamed.and_then(|s| tell::at(cx.world, s, "profiles", "profils de ce service")),
                hint: "un service sans clé profiles: est de tous les profils ; un service peut en avoir plusieurs"
                    .to_owned(),
                ..self.base()
            });
        }
        let unlimited: Vec<&String> =
            profile.services.iter().filter(|(_, memory)| memory.is_none()).map(|(name, _)| name).collect();
        if let Some(service) = unlimited.first() {
            return tell::fail(Miss {
                headline: format!("« {service} », du profil « {name} », n'a pas de limite de mémoire"),
                observed: format!("sans limite : {}", tell::names(&unlimited)),
                place: cx.world.place(&["services", service], "aucune limite de mémoire en vigueur ici"),
                hint: "sans limite, la somme n'est bornée par rien".to_owned(),
                ..self.base()
            });
        }
        let total = profile.services.values().flatten().sum::<u64>().div_ceil(1 << 20);
        let told = format!("{} services, {total} Mio de limites de mémoire en tout", found.len());
        let fact = Fact::new(name, total, told.clone());
        if total > self.mebibytes {
            let most = profile.services.iter().max_by_key(|(_, memory)| **memory).map(|(name, _)| name);
            return tell::fail(Miss {
                headline: format!("le profil « {name} » demande trop de mémoire"),
                observed: told,
                place: most.and_then(|s| cx.world.place(&["services", s], "la plus grande limite du profil")),
                hint: "qui peut vivre avec moins, et qui peut ne pas être de ce profil ?".to_owned(),
                facts: vec![fact],
                ..self.base()
            });
        }
        tell::pass(vec![fact])
    }
}
