//! `non-root`: no process of these services belongs to root, by the engine's list of running processes.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::deep::Process;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// No process of these services belongs to root.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NonRoot {
    /// Services.
    pub services: Vec<String>,
}

impl NonRoot {
    fn miss(cx: &Cx<'_>, service: &str, rooted: &[&Process], facts: Vec<Fact>) -> Miss {
        let world = cx.world;
        let dockerfile = world.declared().services.get(service).and_then(|s| s.dockerfile.clone());
        let user = dockerfile.as_ref().and_then(|file| {
            ["USER", "CMD", "ENTRYPOINT", "FROM"]
                .iter()
                .find_map(|word| world.place_in(file, word, "qui exécute ce programme ?"))
        });
        let asked = world.place_alone(&["services", service, "user"], "utilisateur demandé ici");
        Miss {
            headline: format!("« {service} » travaille avec les droits de root"),
            expected: format!("aucun processus de « {service} » n'appartient à root (uid 0)"),
            observed: format!(
                "{} : uid 0, « {} »",
                if rooted.len() > 1 {
                    format!("{} processus", rooted.len())
                } else {
                    "1 processus".to_owned()
                },
                tell::cut(rooted.first().map_or("", |p| p.command.as_str()), 80)
            ),
            hint: if asked.is_some() {
                "la clé user: du fichier Compose l'emporte sur l'instruction USER de l'image"
            } else {
                "sans instruction USER, tout ce qu'un conteneur lance appartient à root"
            }
            .to_owned(),
            place: asked.or(user).or_else(|| tell::at(world, service, "user", "aucun utilisateur demandé")),
            try_it: format!("docker compose exec {service} id ; docker compose top {service}"),
            facts,
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for NonRoot {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.services.is_empty() { Err("non-root.services est vide".into()) } else { Ok(()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let mut facts = Vec::new();
        for service in &self.services {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
            if kit::running(cx.world, service).await?.is_empty() {
                return tell::fail(tell::stopped(cx.world, service).await?);
            }
            let all = cx.world.owners(service).await?;
            let rooted: Vec<&Process> = all.iter().filter(|p| p.uid == 0).collect();
            let mut uids: Vec<u32> = all.iter().map(|p| p.uid).collect();
            uids.sort_unstable();
            uids.dedup();
            let shown: Vec<String> = uids.iter().map(ToString::to_string).collect();
            facts.push(Fact::new(
                &format!("uids-{service}"),
                json!(uids),
                format!("« {service} » : {} processus, uid {}", all.len(), shown.join(", ")),
            ));
            if !rooted.is_empty() {
                return tell::fail(Self::miss(cx, service, &rooted, facts));
            }
            if all.is_empty() {
                let fault = kit::noise(format!("le moteur ne montre aucun processus de « {service} »"));
                return Ok(Verdict::Inconclusive { fault, facts });
            }
        }
        tell::pass(facts)
    }
}
