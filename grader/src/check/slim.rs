//! `slim`: images that hold what runs and nothing of what made them.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::deep::{Exec, Weight};
use super::world::World;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Place, Verdict};

/// Images that are built here, and what must not be in them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Slim {
    /// Services.
    pub services: Vec<String>,
    /// What is proven.
    pub proof: SlimProof,
    /// Most megabytes (10⁶ bytes) added to the image that each starts from.
    #[serde(default)]
    pub beyond: u32,
    /// Most megabytes of each whole image.
    #[serde(default)]
    pub whole: u32,
}

/// What [`Slim`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SlimProof {
    /// Each image weighs no more than asked.
    Weight,
    /// No compiler, no cache of pip, no leftover of the installation.
    Bare,
}

/// Compilers, wherever packages put them.
const COMPILERS: &[&str] = &["gcc", "cc", "g++", "c++", "clang", "make", "rustc", "cargo"];
const BINARIES: &[&str] = &["/usr/bin", "/usr/local/bin", "/bin"];
/// Wheels of the image that Python comes with, which no student put there.
const OWN_WHEELS: &[&str] = &["/ensurepip/", "/usr/share/python-wheels/"];
const MB: u64 = 1_000_000;

/// Whether a program is one of [`COMPILERS`], perhaps of a target or with a version: `x86_64-linux-gnu-gcc-12`.
fn is_compiler(program: &str) -> bool {
    let is_version = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let name = program.rsplit_once('-').filter(|(_, end)| is_version(end)).map_or(program, |(name, _)| name);
    let is_target = |start: &str| start.is_empty() || start.ends_with("-gnu-") || start.ends_with("-musl-");
    COMPILERS.iter().any(|one| name.strip_suffix(one).is_some_and(is_target))
}

fn mb(bytes: u64) -> String {
    format!("{},{} Mo", bytes / MB, bytes % MB / (MB / 10))
}

/// The Dockerfile of a service, at the first line that holds one of these texts.
fn at_dockerfile(world: &dyn World, service: &str, needles: &[&str], label: &str) -> Option<Place> {
    let file = world.declared().services.get(service)?.dockerfile.clone()?;
    needles.iter().find_map(|needle| world.place_in(&file, needle, label))
}

impl Slim {
    fn weighed(&self, cx: &Cx<'_>, service: &str, weight: &Weight) -> Result<Fact, Box<Miss>> {
        let beyond = weight.bytes.saturating_sub(weight.base_bytes);
        let told =
            format!("{service} : {} en plus de {}, {} en tout", mb(beyond), weight.base, mb(weight.bytes));
        let too_much = beyond > u64::from(self.beyond) * MB;
        if !too_much && weight.bytes <= u64::from(self.whole) * MB {
            return Ok(Fact::new(service, beyond, told));
        }
        let miss = |headline: String, hint: &str| Miss {
            headline,
            expected: format!(
                "au plus {} Mo de plus que l'image de départ, et {} Mo en tout",
                self.beyond, self.whole
            ),
            observed: told.clone(),
            place: at_dockerfile(cx.world, service, &["RUN ", "FROM "], "l'image est construite ici"),
            hint: hint.to_owned(),
            try_it: format!("docker history $(docker compose images -q {service} | head -n 1)"),
            ..Miss::default()
        };
        Err(Box::new(if too_much {
            miss(
                format!("l'image de « {service} » est trop lourde pour ce qu'elle fait"),
                "ce qu'une couche ajoute, une couche suivante ne peut que le cacher : que reste-t-il dans l'image qui n'a servi qu'à la construire ?",
            )
        } else {
            miss(
                format!("l'image de « {service} » part d'une base trop lourde"),
                "une même version de Python existe en variantes ; laquelle contient le moins ?",
            )
        }))
    }

    async fn bare(&self, cx: &Cx<'_>, service: &str) -> Result<Result<Fact, Box<Miss>>, Fault> {
        let world = cx.world;
        let miss = |headline: String, observed: String, place: Option<Place>, hint: &str| {
            Ok(Err(Box::new(Miss {
                headline,
                expected: "ni compilateur, ni cache de pip, ni archives d'installation dans l'image"
                    .to_owned(),
                observed,
                place,
                hint: hint.to_owned(),
                try_it: format!(
                    "docker compose exec {service} sh -c 'command -v gcc make; find / -xdev -name \"*.whl\" 2>/dev/null'"
                ),
                ..Miss::default()
            })))
        };
        let find = [
            "find", "/", "-xdev", "-name", "*.whl", "-o", "-name", "*gcc*", "-o", "-name", "*g++*", "-o",
            "-name", "*clang*",
        ];
        let said = world.exec(&kit::inside(service), Exec::new(&find)).await?;
        let said = String::from_utf8_lossy(&said.out).into_owned();
        let paths = BINARIES.iter().flat_map(|dir| COMPILERS.iter().map(move |name| format!("{dir}/{name}")));
        let looked = paths.map(|path| async move {
            let there = world.exists(service, &path).await?;
            Ok::<_, Fault>(there.then_some(path))
        });
        let found = try_join_all(looked).await?.into_iter().flatten().next();
        let is_program = |path: &&str| {
            path.rsplit_once('/').is_some_and(|(dir, name)| BINARIES.contains(&dir) && is_compiler(name))
        };
        let found = found.or_else(|| said.lines().find(is_program).map(str::to_owned));
        if let Some(path) = found {
            return miss(
                format!("l'image de « {service} » contient un compilateur"),
                format!("{path} est dans l'image"),
                at_dockerfile(
                    world,
                    service,
                    &["gcc", "build-base", "build-essential", "RUN "],
                    "installé ici",
                ),
                "ce qui sert à construire reste dans l'étape qui construit",
            );
        }
        let (instance, _) = kit::needed(world, service).await?;
        let homes: Vec<String> = world
            .list_inside(service, "/home")
            .await?
            .unwrap_or_default()
            .into_iter()
            .map(|name| format!("/home/{name}"))
            .chain(["/root".to_owned(), instance.working_dir.clone()])
            .map(|home| format!("{}/.cache/pip", home.trim_end_matches('/')))
            .chain(["/var/cache/pip", "/tmp/pip", "/.cache/pip"].map(str::to_owned))
            .chain(instance.env.get("PIP_CACHE_DIR").cloned())
            .collect();
        for cache in &homes {
            if world.exists(service, cache).await? {
                return miss(
                    format!("l'image de « {service} » contient le cache de pip"),
                    format!("{cache} est dans l'image"),
                    at_dockerfile(world, service, &["pip install", "pip "], "pip garde ce qu'il télécharge"),
                    "pip garde une copie de tout ce qu'il télécharge, sauf si on le lui défend",
                );
            }
        }
        let mine = |path: &&str| {
            path.strip_suffix(".whl").is_some() && !OWN_WHEELS.iter().any(|own| path.contains(own))
        };
        if let Some(path) = said.lines().find(mine) {
            return miss(
                format!("l'image de « {service} » contient encore les archives de ses paquets"),
                format!("{} est dans l'image", tell::cut(path, 100)),
                at_dockerfile(world, service, &["COPY --from", "wheel", "RUN "], "archives copiées ici"),
                "copier les archives, puis les installer : chaque paquet est deux fois dans l'image",
            );
        }
        Ok(Ok(Fact::new(service, 0, format!("{service} : ni compilateur, ni cache, ni archive"))))
    }
}

#[async_trait]
impl Check for Slim {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        let weighs = self.proof == SlimProof::Weight;
        if self.services.is_empty() || weighs != (self.beyond > 0 && self.whole > 0) {
            return Err("slim : des services, et beyond et whole avec « weight »".into());
        }
        Ok(())
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let mut facts = Vec::new();
        for service in &self.services {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
            let seen = match self.proof {
                SlimProof::Weight => match cx.world.weight(service).await? {
                    Some(weight) => self.weighed(cx, service, &weight),
                    None => Err(Box::new(not_built(cx, service))),
                },
                SlimProof::Bare => self.bare(cx, service).await?,
            };
            match seen {
                Ok(fact) => facts.push(fact),
                Err(miss) => return tell::fail(Miss { facts, ..*miss }),
            }
        }
        tell::pass(facts)
    }
}

/// The image of a service is not built here.
pub(super) fn not_built(cx: &Cx<'_>, service: &str) -> Miss {
    Miss {
        headline: format!("l'image de « {service} » n'est pas construite ici"),
        expected: format!("« {service} » est construit à partir d'un Dockerfile rendu avec le TP"),
        observed: "pas de clé build:".to_owned(),
        place: tell::at(cx.world, service, "image", "image toute faite"),
        hint: "la clé build: dit à Compose de construire l'image".to_owned(),
        try_it: "docker compose build".to_owned(),
        ..Miss::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megabytes() {
        assert_eq!(mb(42_350_000), "42,3 Mo");
    }
}
