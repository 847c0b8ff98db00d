//! `persists`: data survives `down` then `up`.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::database::{Database, PORT, cell};
use super::mount::mounts;
use super::world::{Instance, State, World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// What is written in a PostgreSQL service survives the removal of its container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Persists {
    /// PostgreSQL service.
    pub service: String,
    /// Its port in the container.
    #[serde(default = "default_port")]
    pub port: u16,
    /// What it writes must be in a named volume.
    #[serde(default)]
    pub named_volume: bool,
}

/// The mount of a container that holds a path: its type and its name, if it has one.
fn holder(inspection: &Value, path: &str) -> Option<(String, String)> {
    let text =
        |mount: &Value, key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let holds = |mount: &&Value| {
        let at = text(mount, "Destination");
        let at = at.trim_end_matches('/');
        path == at || path.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'))
    };
    let deepest = mounts(inspection).filter(holds).max_by_key(|mount| text(mount, "Destination").len())?;
    Some((text(deepest, "Type"), text(deepest, "Name")))
}

/// How long a job may take once more.
const JOB: Duration = Duration::from_secs(20);

fn default_port() -> u16 {
    PORT
}

impl Persists {
    /// Logs in and gives the data directory.
    async fn enter(&self, world: &dyn World) -> Result<(Database, String), Fault> {
        let database = Database::enter(world, &self.service, self.port).await?;
        let seen = database.run(world, "SHOW data_directory").await?;
        Ok((database, seen.ok().and_then(|results| cell(&results)).unwrap_or_default()))
    }

    /// The mount that holds the data directory, if any does.
    async fn held(&self, world: &dyn World, directory: &str) -> Result<Option<(String, String)>, Fault> {
        Ok(world.inspections(&self.service).await?.iter().find_map(|one| holder(one, directory)))
    }

    /// `kept`: the same storage was mounted before and after, so something emptied it.
    fn lost(&self, cx: &Cx<'_>, directory: &str, kept: bool, observed: String, facts: Vec<Fact>) -> Miss {
        let written =
            tell::at(cx.world, &self.service, "volumes", "").is_some_and(|p| p.mark.text.contains("volumes"));
        let (label, hint) = if kept {
            (
                "ce montage couvre bien les données, et il a été retrouvé",
                "le même volume est là, son contenu non : où le garde-t-il, et qu'est-ce qui s'exécute à chaque « up » ?",
            )
        } else {
            let label = if written {
                "ce montage ne couvre pas les données"
            } else {
                "pas de clé volumes: pour ce service"
            };
            (label, "un conteneur supprimé emporte sa couche d'écriture et ses volumes anonymes")
        };
        Miss {
            headline: format!(
                "les données de « {} » ne survivent pas à la suppression du conteneur",
                self.service
            ),
            expected: "une donnée écrite avant « down » est encore là après « up »".to_owned(),
            observed,
            control: "la même donnée se relisait bien avant la suppression".to_owned(),
            noted: vec![format!("ce serveur range ses données dans {directory}")],
            place: tell::at(cx.world, &self.service, "volumes", label),
            hint: hint.to_owned(),
            try_it: format!(
                "docker compose down && docker compose up -d && docker compose exec {} ls {directory}",
                self.service
            ),
            facts,
            ..Miss::default()
        }
    }
}

impl Persists {
    /// Runs the jobs that had ended well once more, as `up` does: what prepares a database may also empty it.
    async fn jobs_again(&self, cx: &Cx<'_>) -> Result<(), Fault> {
        let world = cx.world;
        for job in world.declared().services.keys().filter(|name| **name != self.service) {
            let is_over = |found: &Vec<Instance>| {
                !found.is_empty() && found.iter().all(|one| one.state == State::Exited)
            };
            let found = world.instances(job).await?;
            if is_over(&found) && found.iter().all(|one| one.exit_code == Some(0)) {
                // Whether it ends well this time is not what is asked.
                world.recreate(job).await?;
                kit::patiently(JOB, is_over, || world.instances(job)).await?;
            }
        }
        Ok(())
    }

    /// Data that survives is where it must be.
    async fn where_kept(&self, cx: &Cx<'_>, directory: &str, facts: Vec<Fact>) -> Result<Verdict, Fault> {
        let inspections = if self.named_volume { cx.world.inspections(&self.service).await? } else { vec![] };
        let bound =
            inspections.iter().filter_map(|one| holder(one, directory)).any(|(kind, _)| kind == "bind");
        if !bound {
            return tell::pass(facts);
        }
        tell::fail(Miss {
            headline: format!("les données de « {} » ne sont pas dans un volume nommé", self.service),
            expected: "un volume nommé, déclaré sous volumes: en tête du fichier".to_owned(),
            observed: format!("{directory} est un dossier de la machine"),
            control: "les données survivent bien à « down » puis « up »".to_owned(),
            place: tell::at(cx.world, &self.service, "volumes", "montage d'un dossier"),
            hint: "devant les deux-points, un nom désigne un volume ; un chemin, un dossier".to_owned(),
            try_it: "docker volume ls".to_owned(),
            facts,
            ..Miss::default()
        })
    }
}

#[async_trait]
impl Check for Persists {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Recreate
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        vec![self.service.clone()]
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let service = &self.service;
        if let Some(miss) = tell::absent(world.declared(), service) {
            return tell::fail(miss);
        }
        if kit::settled(world, service, Duration::from_secs(3)).await?.is_empty() {
            return tell::fail(tell::stopped(world, service).await?);
        }
        let _alone = cx.memo.alone().await;
        let (database, directory) = self.enter(world).await?;
        let table = format!("tp_temoin_{:08x}", kit::draw(world, "persists-table") & 0xffff_ffff);
        let value = format!("{:016x}", kit::draw(world, "persists-value"));
        let write = format!(
            "CREATE TABLE {table} (v text); INSERT INTO {table} VALUES ('{value}'); SELECT v FROM {table}"
        );
        match database.run(world, &write).await? {
            Ok(results) if cell(&results).as_ref() == Some(&value) => {}
            other => {
                return Err(
                    kit::noise("la donnée témoin n'a pas pu être écrite").detail(format!("{other:?}"))
                );
            }
        }
        let before: Vec<String> = world.instances(service).await?.into_iter().map(|i| i.id).collect();
        let held = self.held(world, &directory).await?;
        let ready = world.recreate(service).await?;
        let after: Vec<String> = world.instances(service).await?.into_iter().map(|i| i.id).collect();
        if after.iter().any(|id| before.contains(id)) {
            return Err(kit::noise(format!("« {service} » n'a pas été recréé")));
        }
        let facts = vec![
            Fact::new("data-directory", directory.as_str(), format!("données dans {directory}")),
            Fact::new(
                "table",
                table.as_str(),
                format!("donnée témoin écrite dans {table}, conteneur supprimé puis recréé"),
            ),
        ];
        if !ready {
            return tell::fail(Miss {
                headline: format!("« {service} » ne redevient pas prêt après « down » puis « up »"),
                expected: format!("« {service} » recréé, en marche et en bonne santé"),
                observed: "pas prêt à temps".to_owned(),
                noted: tell::tail(&world.logs(service, 20).await?, 8),
                place: tell::at(world, service, "volumes", "stockage de ce service"),
                hint: "le journal dit ce que le serveur a trouvé dans son dossier de données".to_owned(),
                try_it: "docker compose down && docker compose up -d".to_owned(),
                facts,
                ..Miss::default()
            });
        }
        self.jobs_again(cx).await?;
        let read = format!("SELECT v FROM {table}");
        let seen = kit::patiently(
            Duration::from_secs(15),
            |seen: &Result<Vec<wire::PostgresResult>, wire::Failure>| match seen {
                Ok(_) => true,
                // The server answers and knows no such table or database: waiting changes nothing.
                Err(f) => matches!(f.sqlstate.as_deref(), Some("42P01" | "3D000" | "28000" | "28P01")),
            },
            || database.run(world, &read),
        )
        .await?;
        let kept = held.is_some() && held == self.held(world, &directory).await?;
        match seen {
            Ok(results) if cell(&results).as_ref() == Some(&value) => {
                // Nothing of ours stays; a failure here costs nothing, the volume is thrown away.
                let _ = database.run(world, &format!("DROP TABLE {table}")).await?;
                self.where_kept(cx, &directory, facts).await
            }
            Ok(_) => {
                tell::fail(self.lost(cx, &directory, kept, "la table est là, mais vide".to_owned(), facts))
            }
            Err(failure) => match failure.sqlstate.as_deref() {
                Some("42P01") => {
                    tell::fail(self.lost(cx, &directory, kept, "la table témoin a disparu".to_owned(), facts))
                }
                Some("3D000" | "28000" | "28P01") => {
                    let observed =
                        format!("le serveur repart de zéro : {}", tell::cut(&failure.message, 100));
                    tell::fail(self.lost(cx, &directory, kept, observed, facts))
                }
                _ => Ok(Verdict::Inconclusive {
                    fault: kit::noise(format!(
                        "« {service} » recréé n'a pas répondu à temps : {}",
                        tell::why(&failure)
                    )),
                    facts,
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_deepest_mount_holds() {
        let seen = json!({"Mounts": [
            {"Type": "bind", "Destination": "/var/lib/postgresql"},
            {"Type": "volume", "Name": "tp_pg", "Destination": "/var/lib/postgresql/data/"},
        ]});
        let of = |path: &str| holder(&seen, path);
        assert_eq!(of("/var/lib/postgresql/data/pg"), Some(("volume".into(), "tp_pg".into())));
        assert_eq!(of("/var/lib/postgresql/x"), Some(("bind".into(), String::new())));
        assert_eq!(of("/var/lib/postgresql2"), None);
    }
}
