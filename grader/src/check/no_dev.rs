//! `no-dev`: no development dependency is in the image.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::build::{at_install, project};
use super::world::World;
use super::{Check, Cx, Experiments, Stage, installed, tell};
use crate::error::{Fault, FaultKind};
use crate::event::{Fact, Miss, Verdict};

/// No development dependency is in the image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NoDev {
    /// Service that is built.
    pub service: String,
}

/// Paths under `node_modules` that only development needs: direct ones first.
pub fn dev_only(package: &Value, lock: Option<&Value>) -> Vec<String> {
    let section = |name: &str| -> Vec<String> {
        package.get(name).and_then(Value::as_object).map(|m| m.keys().cloned().collect()).unwrap_or_default()
    };
    let runtime: Vec<String> = ["dependencies", "optionalDependencies", "peerDependencies"]
        .iter()
        .flat_map(|n| section(n))
        .collect();
    let direct: Vec<String> =
        section("devDependencies").into_iter().filter(|n| !runtime.contains(n)).collect();
    let entries = lock.and_then(|l| l.get("packages")).and_then(Value::as_object);
    let Some(entries) = entries else {
        return direct.into_iter().map(|n| format!("node_modules/{n}")).collect();
    };
    let is_dev = |path: &str| entries.get(path).is_some_and(|e| e.get("dev") == Some(&Value::Bool(true)));
    let mut found: Vec<String> = direct
        .iter()
        .map(|n| format!("node_modules/{n}"))
        .filter(|p| is_dev(p) || !entries.contains_key(p))
        .collect();
    let rest: Vec<String> = entries
        .keys()
        .filter(|p| p.starts_with("node_modules/") && is_dev(p) && !found.contains(p))
        .take(40)
        .cloned()
        .collect();
    found.extend(rest);
    found
}

/// Folders in which `node_modules` is looked for: the working directory and its parents.
pub(super) fn roots(working_dir: &str) -> Vec<String> {
    let mut dir = working_dir.trim_end_matches('/').to_owned();
    let mut found = Vec::new();
    while !dir.is_empty() {
        found.push(dir.clone());
        dir = dir.rsplit_once('/').map(|(parent, _)| parent.to_owned()).unwrap_or_default();
    }
    found.push(String::new());
    found
}

/// What is installed for the whole machine.
async fn for_all(world: &dyn World, service: &str, unwanted: &[String]) -> Result<Vec<String>, Fault> {
    // npm itself is there, whatever a lock file says.
    let own = ["node_modules/npm", "node_modules/corepack"];
    let mut present = Vec::new();
    for root in installed::GLOBAL {
        for path in unwanted.iter().filter(|path| !own.contains(&path.as_str())) {
            if world.exists(service, &format!("{root}/{path}")).await? {
                present.push(path.clone());
            }
        }
    }
    Ok(present)
}

/// The unwanted packages that are there, and the path of one that must be.
async fn found_in(
    world: &dyn World,
    service: &str,
    working_dir: &str,
    package: &Value,
    unwanted: &[String],
) -> Result<(Vec<String>, Option<String>), Fault> {
    let names = |section: &str| -> Vec<String> {
        let of = package.get(section).and_then(Value::as_object);
        of.map(|of| of.keys().cloned().collect()).unwrap_or_default()
    };
    let (needed, own, near) = (names("dependencies"), names("devDependencies"), roots(working_dir));
    let direct = |path: &str| own.iter().any(|name| path.strip_prefix("node_modules/") == Some(name));
    let mut present = Vec::new();
    let mut control = None;
    for root in installed::folders(world, service, working_dir).await? {
        if !world.exists(service, &format!("{root}/node_modules")).await? {
            continue;
        }
        for name in &needed {
            let path = format!("{root}/node_modules/{name}");
            if control.is_none() && world.exists(service, &path).await? {
                control = Some(path);
            }
        }
        // Elsewhere, another program's own packages may well be some of those that come with ours.
        for path in unwanted.iter().filter(|path| near.contains(&root) || direct(path)) {
            if world.exists(service, &format!("{root}/{path}")).await? {
                present.push(path.clone());
            }
        }
    }
    Ok((present, control))
}

#[async_trait]
impl Check for NoDev {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Image
    }

    fn can_be_late(&self) -> bool {
        false
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let service = &self.service;
        let project = match project(world, service) {
            Ok(project) => project,
            Err(miss) => return Ok(Verdict::Fail(miss)),
        };
        let parse = |file: &str| {
            world
                .read(&project.path(file))
                .and_then(|t| serde_json::from_str::<Value>(t.trim_start_matches('\u{feff}')).ok())
        };
        let Some(package) = parse("package.json") else {
            return tell::fail(Miss {
                headline: "package.json manque ou n'est pas du JSON".to_owned(),
                expected: "un package.json lisible dans le dossier de construction".to_owned(),
                observed: format!("{} illisible", project.path("package.json")),
                hint: "npm lit ce fichier pour savoir quoi installer".to_owned(),
                ..Miss::default()
            });
        };
        let lock = parse("package-lock.json").or_else(|| parse("npm-shrinkwrap.json"));
        let unwanted = dev_only(&package, lock.as_ref());
        if unwanted.is_empty() {
            return tell::pass(vec![Fact::new(
                "dev",
                0,
                "package.json ne déclare aucune dépendance de développement",
            )]);
        }
        let found = world.instances(service).await?;
        let Some(instance) = found.first() else {
            return tell::fail(tell::stopped(world, service).await?);
        };
        let (mut present, control) =
            found_in(world, service, &instance.working_dir, &package, &unwanted).await?;
        present.extend(for_all(world, service, &unwanted).await?);
        let mut facts = vec![
            Fact::new(
                "looked-for",
                unwanted.len(),
                format!("{} paquets de développement cherchés dans l'image", unwanted.len()),
            ),
            Fact::new("present", json!(present), format!("{} présent(s)", present.len())),
        ];
        if !present.is_empty() {
            let shown: Vec<&str> =
                present.iter().take(5).map(|p| p.trim_start_matches("node_modules/")).collect();
            return tell::fail(Miss {
                headline: "l'image contient des dépendances de développement".to_owned(),
                expected: "aucun paquet de devDependencies dans l'image".to_owned(),
                observed: format!("{} paquet(s), dont {}", present.len(), tell::names(&shown)),
                place: at_install(world, &project, "installation des paquets"),
                hint: "npm installe aussi devDependencies, sauf si on lui dit le contraire ; COPY peut aussi apporter votre node_modules".to_owned(),
                try_it: format!("docker compose exec {service} ls node_modules"),
                facts,
                ..Miss::default()
            });
        }
        match control {
            Some(path) => {
                facts.push(Fact::new(
                    "control",
                    path.as_str(),
                    format!("témoin : {path} est bien dans l'image"),
                ));
                tell::pass(facts)
            }
            None if package
                .get("dependencies")
                .and_then(Value::as_object)
                .is_none_or(serde_json::Map::is_empty) =>
            {
                tell::pass(facts)
            }
            None => Ok(Verdict::Inconclusive {
                fault: Fault::new(
                    FaultKind::Engine,
                    "les paquets de l'application n'ont pas été trouvés dans l'image : leur absence ne prouve rien",
                    "gardez node_modules dans le répertoire de travail (WORKDIR) de l'image",
                ),
                facts,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_development_alone_needs() {
        let package = json!({"dependencies": {"express": "4", "both": "1"}, "devDependencies": {"nodemon": "3", "both": "1", "shared": "1"}});
        let lock = json!({"packages": {
            "": {}, "node_modules/express": {}, "node_modules/nodemon": {"dev": true},
            "node_modules/chokidar": {"dev": true}, "node_modules/shared": {},
            "node_modules/x/node_modules/y": {"dev": true}
        }});
        assert_eq!(
            dev_only(&package, Some(&lock)),
            ["node_modules/nodemon", "node_modules/chokidar", "node_modules/x/node_modules/y"]
        );
        assert_eq!(dev_only(&package, None), ["node_modules/nodemon", "node_modules/shared"]);
        assert_eq!(roots("/usr/src/app"), ["/usr/src/app", "/usr/src", "/usr", ""]);
    }
}
