//! `persists`: data survives `down` then `up`.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::world::{Instance, World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::{Fault, FaultKind};
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
}

fn default_port() -> u16 {
    5432
}

/// A way to log in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Login {
    /// User.
    pub user: String,
    /// Password.
    pub password: Option<String>,
    /// Database.
    pub dbname: String,
}

/// Ways to log in that the stack shows, the likeliest first.
pub fn logins(own: &Instance, all: &[Instance]) -> Vec<Login> {
    let value = |name: &str| own.env.get(name).filter(|v| !v.is_empty()).cloned();
    let mut users: Vec<String> = value("POSTGRES_USER").into_iter().collect();
    let mut dbs: Vec<String> = value("POSTGRES_DB").into_iter().collect();
    let mut passwords: Vec<Option<String>> = value("POSTGRES_PASSWORD").map(Some).into_iter().collect();
    for instance in all {
        for (name, text) in &instance.env {
            match name.to_uppercase().as_str() {
                "PGUSER" | "DB_USER" | "POSTGRES_USER" | "DATABASE_USER" | "DB_USERNAME" => {
                    users.push(text.clone());
                }
                "PGDATABASE" | "DB_NAME" | "POSTGRES_DB" | "DB_DATABASE" | "DATABASE_NAME" => {
                    dbs.push(text.clone());
                }
                upper if upper.contains("PASS") && !upper.ends_with("_FILE") => {
                    passwords.push(Some(text.clone()));
                }
                _ => {}
            }
            // postgres://user:password@host:port/db
            if let Some(rest) =
                text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
                && let Some((login, place)) = rest.split_once('@')
            {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                users.push(user.to_owned());
                passwords.push((!password.is_empty()).then(|| password.to_owned()));
                dbs.extend(
                    place.split_once('/').map(|(_, db)| db.split('?').next().unwrap_or(db).to_owned()),
                );
            }
        }
    }
    users.push("postgres".to_owned());
    passwords.push(None);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for user in &users {
        for password in &passwords {
            for dbname in dbs.iter().chain([user, &"postgres".to_owned()]) {
                let login = Login { user: user.clone(), password: password.clone(), dbname: dbname.clone() };
                if !user.is_empty() && !dbname.is_empty() && seen.insert(login.clone()) {
                    found.push(login);
                }
            }
        }
    }
    found.truncate(60);
    found
}

async fn sql(
    world: &dyn World,
    check: &Persists,
    login: &Login,
    sql: &str,
) -> kit::Asked<Vec<wire::PostgresResult>> {
    let ask = wire::Postgres {
        host: "127.0.0.1".to_owned(),
        port: check.port,
        user: login.user.clone(),
        password: login.password.clone(),
        dbname: login.dbname.clone(),
        sql: sql.to_owned(),
        max_rows: 10,
        timeout_ms: 5_000,
    };
    kit::postgres(world, &kit::inside(&check.service), ask).await
}

fn cell(results: &[wire::PostgresResult]) -> Option<String> {
    results.iter().rev().find_map(|r| r.rows.first()?.first()?.clone())
}

impl Persists {
    /// Logs in and gives the data directory.
    async fn enter(&self, world: &dyn World) -> Result<(Login, String), Fault> {
        let (own, _) = kit::needed(world, &self.service).await?;
        let mut all = Vec::new();
        for name in world.declared().services.keys() {
            all.extend(world.instances(name).await?);
        }
        let mut last = String::new();
        for login in logins(&own, &all) {
            match sql(world, self, &login, "SHOW data_directory").await? {
                Ok(results) => return Ok((login, cell(&results).unwrap_or_default())),
                Err(failure) => last = format!("{:?} {}", failure.kind, failure.message),
            }
        }
        Err(Fault::new(
            FaultKind::Engine,
            format!(
                "le correcteur n'a pas pu entrer dans « {} » pour y écrire une donnée témoin",
                self.service
            ),
            "donnez l'utilisateur et le mot de passe par POSTGRES_USER et POSTGRES_PASSWORD",
        )
        .detail(last))
    }

    fn lost(&self, cx: &Cx<'_>, directory: &str, observed: String, facts: Vec<Fact>) -> Miss {
        let written =
            tell::at(cx.world, &self.service, "volumes", "").is_some_and(|p| p.mark.text.contains("volumes"));
        Miss {
            headline: format!(
                "les données de « {} » ne survivent pas à la suppression du conteneur",
                self.service
            ),
            expected: "une donnée écrite avant « down » est encore là après « up »".to_owned(),
            observed,
            control: "la même donnée se relisait bien avant la suppression".to_owned(),
            noted: vec![format!("ce serveur range ses données dans {directory}")],
            place: tell::at(
                cx.world,
                &self.service,
                "volumes",
                if written {
                    "ce montage ne couvre pas les données"
                } else {
                    "pas de clé volumes: pour ce service"
                },
            ),
            hint: "un conteneur supprimé emporte sa couche d'écriture et ses volumes anonymes".to_owned(),
            try_it: format!(
                "docker compose down && docker compose up -d && docker compose exec {} ls {directory}",
                self.service
            ),
            facts,
            ..Miss::default()
        }
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
        let (login, directory) = self.enter(world).await?;
        let table = format!("tp_temoin_{:08x}", kit::draw(world, "persists-table") & 0xffff_ffff);
        let value = format!("{:016x}", kit::draw(world, "persists-value"));
        let write = format!(
            "CREATE TABLE {table} (v text); INSERT INTO {table} VALUES ('{value}'); SELECT v FROM {table}"
        );
        match sql(world, self, &login, &write).await? {
            Ok(results) if cell(&results).as_ref() == Some(&value) => {}
            other => {
                return Err(
                    kit::noise("la donnée témoin n'a pas pu être écrite").detail(format!("{other:?}"))
                );
            }
        }
        let before: Vec<String> = world.instances(service).await?.into_iter().map(|i| i.id).collect();
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
        let read = format!("SELECT v FROM {table}");
        let seen = kit::patiently(
            Duration::from_secs(15),
            |seen: &Result<Vec<wire::PostgresResult>, wire::Failure>| match seen {
                Ok(_) => true,
                // The server answers and knows no such table or database: waiting changes nothing.
                Err(f) => matches!(f.sqlstate.as_deref(), Some("42P01" | "3D000" | "28000" | "28P01")),
            },
            || sql(world, self, &login, &read),
        )
        .await?;
        match seen {
            Ok(results) if cell(&results).as_ref() == Some(&value) => {
                // Nothing of ours stays; a failure here costs nothing, the volume is thrown away.
                let _ = sql(world, self, &login, &format!("DROP TABLE {table}")).await?;
                tell::pass(facts)
            }
            Ok(_) => tell::fail(self.lost(cx, &directory, "la table est là, mais vide".to_owned(), facts)),
            Err(failure) => match failure.sqlstate.as_deref() {
                Some("42P01") => {
                    tell::fail(self.lost(cx, &directory, "la table témoin a disparu".to_owned(), facts))
                }
                Some("3D000" | "28000" | "28P01") => {
                    let observed =
                        format!("le serveur repart de zéro : {}", tell::cut(&failure.message, 100));
                    tell::fail(self.lost(cx, &directory, observed, facts))
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
