//! The grader's own way into the student's PostgreSQL.

use std::collections::BTreeSet;

use super::kit;
use super::world::{Instance, Vantage, World, wire};
use crate::error::{Fault, FaultKind};

/// Where PostgreSQL listens.
pub const PORT: u16 = 5432;

/// A way to log in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Login {
    /// Role.
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

/// A server and a way into it.
#[derive(Clone, Debug)]
pub struct Database {
    /// Who asks.
    pub from: Vantage,
    /// Address or name, as seen from there.
    pub host: String,
    /// Port.
    pub port: u16,
    /// As whom.
    pub login: Login,
}

impl Database {
    /// Finds a way in, from the server's own container.
    pub async fn enter(world: &dyn World, service: &str, port: u16) -> Result<Self, Fault> {
        let found =
            Self::sought(world, service, (kit::inside(service), "127.0.0.1".to_owned(), port)).await?;
        found.map_err(|last| {
            Fault::new(
                FaultKind::Engine,
                format!("le correcteur n'a pas pu entrer dans « {service} » pour y écrire une donnée témoin"),
                "donnez l'utilisateur et le mot de passe par POSTGRES_USER et POSTGRES_PASSWORD",
            )
            .detail(last)
        })
    }

    /// Finds a way in from somewhere; otherwise why the last one was refused (English).
    pub async fn sought(
        world: &dyn World,
        service: &str,
        (from, host, port): (Vantage, String, u16),
    ) -> Result<Result<Self, String>, Fault> {
        let (own, _) = kit::needed(world, service).await?;
        let mut all = Vec::new();
        for name in world.declared().services.keys() {
            all.extend(world.instances(name).await?);
        }
        let mut last = String::new();
        for login in logins(&own, &all) {
            let way = Self { from: from.clone(), host: host.clone(), port, login };
            match way.run(world, "SELECT 1").await? {
                Ok(_) => return Ok(Ok(way)),
                Err(failure) => last = format!("{:?} {}", failure.kind, failure.message),
            }
        }
        Ok(Err(last))
    }

    /// Runs SQL.
    pub async fn run(&self, world: &dyn World, sql: &str) -> kit::Asked<Vec<wire::PostgresResult>> {
        let ask = wire::Postgres {
            host: self.host.clone(),
            port: self.port,
            user: self.login.user.clone(),
            password: self.login.password.clone(),
            dbname: self.login.dbname.clone(),
            sql: sql.to_owned(),
            max_rows: 20,
            timeout_ms: 5_000,
        };
        kit::postgres(world, &self.from, ask).await
    }
}

/// The first value of the last statement that gives one.
pub fn cell(results: &[wire::PostgresResult]) -> Option<String> {
    results.iter().rev().find_map(|r| r.rows.first()?.first()?.clone())
}
