//! `doors`: each service opens to the secret that the run has drawn for it, and to no other.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::world::{World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

mod s3;

/// Services that open to their secret only.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Doors {
    /// Services, each with its secret.
    pub to: Vec<Door>,
}

/// A service that asks for a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Door {
    /// Service.
    pub service: String,
    /// One of `experiment.dotenv.secrets`.
    pub secret: String,
    /// How it is asked.
    pub by: By,
    /// Port in the container.
    pub port: u16,
    /// User, where there is one.
    #[serde(default)]
    pub user: String,
    /// Database (PostgreSQL).
    #[serde(default)]
    pub database: String,
    /// Path that only the secret opens (HTTP).
    #[serde(default)]
    pub path: String,
}

/// How a secret is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// A role of PostgreSQL.
    Postgres,
    /// `AUTH` of Redis.
    Redis,
    /// HTTP, `Authorization: Basic`.
    Basic,
    /// HTTP, `Authorization: Token`.
    Token,
    /// The signature of S3, version 4.
    S3,
}

/// What a service said to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Opened,
    Refused,
    /// Neither: why, in French.
    Neither(String),
}

/// How long a service that is healthy may take to open.
const PATIENCE: Duration = Duration::from_secs(8);

impl Door {
    async fn http(
        &self,
        world: &dyn World,
        headers: Vec<(String, String)>,
        ip: String,
    ) -> Result<Said, Fault> {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        let ask = wire::Http { headers, ..wire::Http::get(ip, self.port, path) };
        Ok(match kit::http(world, &kit::inside(&self.service), ask).await?.0 {
            Ok(answer) if (200..300).contains(&answer.status) => Said::Opened,
            Ok(answer) if matches!(answer.status, 401 | 403) => Said::Refused,
            Ok(answer) => Said::Neither(format!("GET {path} : {}", answer.status)),
            Err(failure) => Said::Neither(tell::why(&failure)),
        })
    }

    /// What the service says to a secret, or to none.
    async fn knock(&self, world: &dyn World, secret: Option<&str>) -> Result<Said, Fault> {
        let (_, ip) = kit::needed(world, &self.service).await?;
        // Its own address: the loopback of some servers asks for nothing.
        let host = ip.to_string();
        let from = kit::inside(&self.service);
        match self.by {
            By::Postgres => {
                let ask = wire::Postgres {
                    host,
                    port: self.port,
                    user: self.user.clone(),
                    dbname: if self.database.is_empty() { self.user.clone() } else { self.database.clone() },
                    password: secret.map(str::to_owned),
                    sql: "SELECT 1".to_owned(),
                    max_rows: 1,
                    timeout_ms: 5_000,
                };
                Ok(match kit::postgres(world, &from, ask).await? {
                    Ok(_) => Said::Opened,
                    Err(failure) if failure.kind == wire::FailureKind::Auth => Said::Refused,
                    Err(failure) if matches!(failure.sqlstate.as_deref(), Some("28000" | "28P01")) => {
                        Said::Refused
                    }
                    Err(failure) => Said::Neither(tell::why(&failure)),
                })
            }
            By::Redis => {
                let commands = vec![vec!["PING".to_owned()]];
                let (port, password) = (self.port, secret.map(str::to_owned));
                let ask = wire::Redis { host, port, user: None, password, commands, timeout_ms: 5_000 };
                Ok(match kit::redis(world, &from, ask).await?.0 {
                    Ok(replies) => match replies.first() {
                        Some(wire::RedisValue::Status(text)) if text == "PONG" => Said::Opened,
                        Some(wire::RedisValue::Error { .. }) => Said::Refused,
                        _ => Said::Neither("pas de réponse à PING".to_owned()),
                    },
                    Err(failure) if failure.kind == wire::FailureKind::Auth => Said::Refused,
                    Err(failure) => Said::Neither(tell::why(&failure)),
                })
            }
            By::Basic | By::Token => {
                let header = |secret: &str| match self.by {
                    By::Basic => kit::basic(&format!("{}:{secret}", self.user)),
                    _ => format!("Token {secret}"),
                };
                let headers = secret.map(|s| ("Authorization".to_owned(), header(s))).into_iter().collect();
                self.http(world, headers, host).await
            }
            By::S3 => {
                let now = jiff::Timestamp::now();
                let headers = secret.map(|s| s3::headers(&host, self.port, &self.user, s, now));
                self.http(world, headers.unwrap_or_default(), host).await
            }
        }
    }

    async fn judge(&self, cx: &Cx<'_>, value: &str) -> Result<Result<Fact, Box<Miss>>, Fault> {
        let (world, service, secret) = (cx.world, &self.service, &self.secret);
        let base = || Miss {
            expected: format!("« {service} » s'ouvre à la valeur de {secret}, et à aucune autre"),
            place: tell::at(world, service, "environment", "réglages de ce service"),
            try_it: format!("docker compose config {service}"),
            ..Miss::default()
        };
        let good =
            kit::patiently(PATIENCE, |said: &Said| *said == Said::Opened, || self.knock(world, Some(value)))
                .await?;
        if good != Said::Opened {
            return Ok(Err(Box::new(Miss {
                headline: format!("« {service} » n'a pas pour secret la valeur de {secret}"),
                observed: match good {
                    Said::Neither(why) => format!("avec la valeur tirée pour {secret} : {why}"),
                    _ => format!("la valeur tirée pour {secret} est refusée"),
                },
                hint: "le .env de cette correction ne contient que des valeurs tirées au sort : où ce service prend-il la sienne ?"
                    .to_owned(),
                ..base()
            })));
        }
        let wrong = format!("f{:016x}", kit::draw(world, &format!("wrong:{secret}")));
        for (shown, told) in [(Some(wrong.as_str()), "une valeur inventée"), (None, "aucune valeur")] {
            match self.knock(world, shown).await? {
                Said::Refused => {}
                Said::Opened => {
                    return Ok(Err(Box::new(Miss {
                        headline: format!("« {service} » s'ouvre sans la valeur de {secret}"),
                        observed: format!("accepté avec {told}"),
                        control: format!("avec la valeur tirée pour {secret} : accepté aussi"),
                        hint: "un secret que le service ne demande pas ne protège rien".to_owned(),
                        ..base()
                    })));
                }
                Said::Neither(why) => return Err(kit::noise(format!("« {service} », avec {told} : {why}"))),
            }
        }
        let told = format!(
            "{service} : la valeur tirée pour {secret} est acceptée, une autre et aucune sont refusées"
        );
        Ok(Ok(Fact::new(service, true, told)))
    }
}

#[async_trait]
impl Check for Doors {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        let drawn = experiments.dotenv.as_ref().map(|dotenv| dotenv.secrets.clone()).unwrap_or_default();
        match self.to.iter().find(|door| !drawn.contains(&door.secret)) {
            Some(door) => {
                Err(format!("doors : « {} » n'est pas dans experiment.dotenv.secrets", door.secret))
            }
            None if self.to.is_empty() => Err("doors.to est vide".into()),
            None => Ok(()),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let Some(made) = cx.world.dotenv() else {
            return Err(kit::lab_fault("doors sans experiment.dotenv"));
        };
        for door in &self.to {
            if let Some(miss) = tell::absent(cx.world.declared(), &door.service) {
                return tell::fail(miss);
            }
            if kit::settled(cx.world, &door.service, Duration::from_secs(3)).await?.is_empty() {
                return tell::fail(tell::stopped(cx.world, &door.service).await?);
            }
        }
        let judged = try_join_all(self.to.iter().map(|door| {
            let value = made.drawn.get(&door.secret).cloned().unwrap_or_default();
            async move { door.judge(cx, &value).await }
        }))
        .await?;
        let mut facts = Vec::new();
        for one in judged {
            match one {
                Ok(fact) => facts.push(fact),
                Err(miss) => return tell::fail(Miss { facts, ..*miss }),
            }
        }
        tell::pass(facts)
    }
}
