//! `lockfile`: how the image installs its packages.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::join;
use super::world::{Alteration, World};
use super::{Check, Cx, Experiments, Stage, advice, installed, tell};
use crate::error::{Fault, FaultKind};
use crate::event::{Fact, Miss, Verdict};

/// The image installs from the lock file: built without one that holds, the build must fail.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lockfile {
    /// Service that is built.
    pub service: String,
}

/// Where the package files of a built service are.
pub(super) struct Project {
    /// Build context, relative to the submission.
    context: String,
    /// Folder of `package.json`, relative to the context (empty for the context itself).
    folder: String,
    dockerfile: Option<String>,
}

impl Project {
    pub(super) fn path(&self, file: &str) -> String {
        join(&self.context, &join(&self.folder, file))
    }
}

pub(super) fn project(world: &dyn World, service: &str) -> Result<Project, Box<Miss>> {
    let declared = world.declared();
    if let Some(miss) = tell::absent(declared, service) {
        return Err(Box::new(miss));
    }
    let found = declared.services.get(service);
    let Some(context) = found.and_then(|s| s.build_context.clone()) else {
        return Err(Box::new(Miss {
            headline: format!("l'image de « {service} » n'est pas construite ici"),
            expected: format!("« {service} » est construit à partir d'un Dockerfile rendu avec le TP"),
            observed: match found.and_then(|s| s.image.clone()) {
                Some(image) => format!("image toute faite : {image}"),
                None => "pas de clé build:".to_owned(),
            },
            place: tell::at(world, service, "image", "image toute faite"),
            hint: "la clé build: dit à Compose de construire l'image".to_owned(),
            try_it: "docker compose build".to_owned(),
            ..Miss::default()
        }));
    };
    let dockerfile = found.and_then(|s| s.dockerfile.clone());
    let mut folders = vec![String::new()];
    if let Some(dir) = dockerfile.as_ref().and_then(|d| d.rsplit_once('/')).map(|(dir, _)| dir) {
        let root = join(&context, "");
        let inner = dir.trim_start_matches("./");
        folders.extend(inner.strip_prefix(root.as_str()).map(|f| f.trim_matches('/').to_owned()));
    }
    folders.extend(["app".to_owned(), "api".to_owned(), service.to_owned()]);
    let has = |folder: &String| world.read(&join(&context, &join(folder, "package.json"))).is_some();
    let folder = folders.into_iter().find(has).unwrap_or_default();
    Ok(Project { context, folder, dockerfile })
}

pub(super) fn at_install(world: &dyn World, project: &Project, label: &str) -> Option<crate::event::Place> {
    let file = project.dockerfile.as_ref()?;
    ["npm install", "npm i ", "npm ci", "yarn", "pnpm", "RUN npm", "FROM"]
        .iter()
        .find_map(|n| world.place_in(file, n, label))
}

/// The lock file without one direct dependency that needs no other, and that dependency's name.
///
/// `npm ci` refuses it (`EUSAGE`) after asking for that package alone, where an empty lock makes it
/// ask for all of them. `None` when the file has no such package.
fn without_a_leaf(lock: &str) -> Option<(String, String)> {
    let mut lock: Value = serde_json::from_str(lock.trim_start_matches('\u{feff}')).ok()?;
    let packages = lock.get_mut("packages")?.as_object_mut()?;
    let direct: Vec<String> = packages
        .get("")?
        .get("dependencies")?
        .as_object()?
        .keys()
        .map(|n| format!("node_modules/{n}"))
        .collect();
    let weight = |entry: &Value| {
        let fetched = entry.get("resolved").and_then(Value::as_str).is_none_or(|r| r.starts_with("https://"));
        let linked = ["link", "dev", "optional", "peer", "inBundle"];
        let plain = linked.iter().all(|k| entry.get(k).and_then(Value::as_bool) != Some(true));
        let needs = ["dependencies", "optionalDependencies", "peerDependencies"];
        let count: usize =
            needs.iter().filter_map(|k| entry.get(k)?.as_object()).map(serde_json::Map::len).sum();
        (fetched && plain).then_some(count)
    };
    let (_, path) =
        direct.into_iter().filter_map(|path| Some((weight(packages.get(&path)?)?, path))).min()?;
    packages.remove(&path);
    let name = path.strip_prefix("node_modules/")?.to_owned();
    Some((serde_json::to_string_pretty(&lock).ok()?, name))
}

/// True when the log shows that the lock file was read and refused.
fn lock_refused(log: &str) -> bool {
    let log = log.to_lowercase();
    log.contains("eusage") || (log.contains("npm ci") && log.contains("can only install"))
}

impl Lockfile {
    /// The lock file is asked for; what is in the image must be what it describes.
    async fn as_locked(
        world: &dyn World,
        service: &str,
        project: &Project,
        written: &str,
        (base, mut facts): (Miss, Vec<Fact>),
    ) -> Result<Verdict, Fault> {
        let lock: Value = serde_json::from_str(written.trim_start_matches('\u{feff}')).unwrap_or_default();
        let installed = installed::lists(world, service).await?;
        let mut other: Vec<String> =
            installed.iter().flat_map(|list| installed::differences(&lock, list)).collect();
        other.sort();
        other.dedup();
        facts.push(Fact::new(
            "other-than-locked",
            json!(other),
            format!("{} paquet(s) autres que ceux du verrou", other.len()),
        ));
        if other.is_empty() {
            return tell::pass(facts);
        }
        let shown: Vec<&String> = other.iter().take(3).collect();
        tell::fail(Miss {
            headline: "l'image ne contient pas ce que décrit le verrou".to_owned(),
            observed: format!("{} paquet(s) : {}", other.len(), tell::names(&shown)),
            place: at_install(world, project, "installation des paquets"),
            hint: "npm ci installe le verrou et rien d'autre ; que fait la suite de la construction ?"
                .to_owned(),
            facts,
            ..base
        })
    }
}

#[async_trait]
impl Check for Lockfile {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Image
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn is_early(&self) -> bool {
        true
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        if world.bring_up().build_failed.is_some() {
            // The check of the build itself says it; this one needs it.
            return Ok(Verdict::Blocked { by: Vec::new() });
        }
        let service = &self.service;
        let project = match project(world, service) {
            Ok(project) => project,
            Err(miss) => return Ok(Verdict::Fail(miss)),
        };
        let base = Miss {
            expected:
                "npm ci installe d'après le fichier de verrouillage, et échoue s'il ne correspond plus à package.json"
                    .to_owned(),
            try_it: format!("docker compose build --no-cache {service}"),
            ..Miss::default()
        };
        let locks = ["npm-shrinkwrap.json", "package-lock.json"];
        let lock = locks.iter().find(|l| world.read(&project.path(l)).is_some());
        let Some(lock) = lock else {
            let other = ["yarn.lock", "pnpm-lock.yaml", "bun.lock"]
                .iter()
                .find(|l| world.read(&project.path(l)).is_some());
            return tell::fail(Miss {
                headline: "pas de package-lock.json dans le dossier rendu".to_owned(),
                observed: match other {
                    Some(other) => format!("{other} est là, mais l'énoncé demande npm ci"),
                    None => format!("{} manque", project.path("package-lock.json")),
                },
                place: at_install(world, &project, "installation des paquets"),
                hint: "ce fichier fixe la version exacte de chaque paquet ; npm sait le créer sans rien installer".to_owned(),
                try_it: "npm install --package-lock-only".to_owned(),
                ..base
            });
        };
        let written = world.read(&project.path(lock)).unwrap_or_default();
        let (content, altered) = match without_a_leaf(&written) {
            Some((content, name)) => (content, format!("un verrou sans « {} »", tell::cut(&name, 60))),
            None => ("{}\n".to_owned(), "un verrou vide".to_owned()),
        };
        let change = Alteration::Replace { file: join(&project.folder, lock), content };
        let outcome = world.rebuild(service, change).await?;
        let facts = vec![
            Fact::new(
                "built-without-lock",
                outcome.ok,
                format!("avec {altered}, la construction {}", if outcome.ok { "réussit" } else { "échoue" }),
            ),
            Fact::new("log", json!(tell::tail(&outcome.log, 12)), "fin du journal de construction"),
        ];
        if outcome.ok {
            return tell::fail(Miss {
                headline: "la construction réussit alors que le verrou ne décrit plus tous les paquets"
                    .to_owned(),
                observed: format!("{lock} remplacé par {altered} : l'image se construit quand même"),
                place: at_install(world, &project, "installation des paquets"),
                hint:
                    "deux commandes npm installent des paquets ; une seule exige le fichier de verrouillage"
                        .to_owned(),
                facts,
                ..base
            });
        }
        if lock_refused(&outcome.log) {
            return Self::as_locked(world, service, &project, &written, (base, facts)).await;
        }
        let what = if advice::is_network_trouble(&outcome.log) {
            "la reconstruction de contrôle a échoué faute de réseau"
        } else {
            "la reconstruction de contrôle a échoué pour une autre raison que le verrou"
        };
        let fault = Fault::new(
            FaultKind::Engine,
            what,
            "vérifiez l'accès au registre npm, puis relancez la correction",
        )
        .detail(tell::tail(&outcome.log, 6).join("\n"));
        Ok(Verdict::Inconclusive { fault, facts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eusage_is_recognised() {
        assert!(lock_refused("npm error code EUSAGE"));
        assert!(!lock_refused("npm error code ERESOLVE"));
    }
}
