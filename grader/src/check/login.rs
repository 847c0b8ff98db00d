//! `login`: a PostgreSQL server asks for a password. A negative check: a wrong password, or none, is
//! refused to each role, while a right one is accepted from the very same place.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::database::{Database, Login as As, PORT};
use super::world::{Vantage, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A wrong password is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Login {
    /// PostgreSQL service.
    pub service: String,
    /// Its port in the container.
    #[serde(default = "port")]
    pub port: u16,
    /// Network (key of the student's file) from which it is asked; another one of the service's when it is not there.
    pub network: String,
    /// Database.
    pub database: String,
    /// Roles that must need a password.
    pub roles: Vec<String>,
}

fn port() -> u16 {
    PORT
}

impl Login {
    fn base(&self, cx: &Cx<'_>, role: &str) -> Miss {
        Miss {
            expected: format!(
                "« {} » refuse un mot de passe inventé, et l'absence de mot de passe",
                self.service
            ),
            place: tell::at(cx.world, &self.service, "environment", "réglages de ce serveur"),
            try_it: format!(
                "docker compose run --rm --no-deps -e PGPASSWORD=nimporte --entrypoint psql {} -h {} -U {} -d {} -c 'select 1'",
                self.service, self.service, role, self.database
            ),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Login {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.roles.is_empty() { Err("login.roles est vide".into()) } else { Ok(()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        if let Some(miss) = tell::absent(world.declared(), &self.service) {
            return tell::fail(miss);
        }
        let found = kit::settled(world, &self.service, Duration::from_secs(3)).await?;
        let links = || found.iter().flat_map(|i| &i.attachments).filter(|a| a.ip.is_some());
        // Whatever its network is called, the question is the same; its name is for another check to judge.
        let here = links().find(|a| a.network == self.network).or_else(|| links().next());
        let Some((network, ip)) = here.and_then(|a| Some((a.network.clone(), a.ip?))) else {
            return tell::fail(tell::stopped(world, &self.service).await?);
        };
        let from = Vantage::Network(network);
        let way = Database::sought(world, &self.service, (from, ip.to_string(), self.port)).await?;
        let way = match way {
            Ok(way) => way,
            Err(last) => {
                return Err(kit::noise(format!(
                    "aucun des mots de passe que montre la pile n'ouvre « {} » : rien ne prouve qu'un bon serait accepté",
                    self.service
                ))
                .detail(last));
            }
        };
        let control =
            format!("un bon mot de passe est accepté, du même endroit (rôle « {} »)", way.login.user);
        let mut facts = vec![Fact::new("control", way.login.user.as_str(), format!("témoin : {control}"))];
        let wrong = format!("{:016x}", kit::draw(world, "wrong-password"));
        // The owner of all has most to lose, and the other databases of the server have the same doors.
        let owner = found.iter().find_map(|one| one.env.get("POSTGRES_USER")).filter(|name| !name.is_empty());
        let owner = owner.map_or("postgres", String::as_str).to_owned();
        let others = (!self.roles.contains(&owner)).then_some(&owner);
        for role in self.roles.iter().chain(others) {
            let bases = [self.database.as_str(), "postgres"];
            for (dbname, password) in
                bases.into_iter().flat_map(|base| [(base, Some(wrong.clone())), (base, None)])
            {
                let how =
                    if password.is_some() { "avec un mot de passe inventé" } else { "sans mot de passe" };
                let login = As { user: role.clone(), password, dbname: dbname.to_owned() };
                let seen = Database { login, ..way.clone() }.run(world, "SELECT 1").await?;
                match seen {
                    Err(failure) if failure.kind == wire::FailureKind::Auth => {}
                    // Let in, then stopped by something else, or refused by the list of hosts.
                    Err(failure) if matches!(failure.sqlstate.as_deref(), Some("28000" | "28P01")) => {}
                    Err(failure) if failure.kind != wire::FailureKind::Server => {
                        return Err(kit::noise(format!(
                            "« {} » n'a pas répondu à un essai : {}",
                            self.service,
                            tell::why(&failure)
                        )));
                    }
                    _ => {
                        return tell::fail(Miss {
                            headline: format!("« {} » n'exige pas de mot de passe", self.service),
                            observed: format!("le rôle « {role} » entre {how} (base « {dbname} »)"),
                            control,
                            hint: "un mot de passe que la base ne demande pas ne protège rien : quel réglage décide de ce qu'elle demande ?"
                                .to_owned(),
                            facts,
                            ..self.base(cx, role)
                        });
                    }
                }
            }
            facts.push(Fact::new(
                &format!("refused:{role}"),
                json!(true),
                format!("« {role} » : mot de passe inventé refusé, absence de mot de passe refusée"),
            ));
        }
        tell::pass(facts)
    }
}
