//! The grader's own way into the student's Redis.

use super::super::kit::{self, When};
use super::super::world::wire::{self, RedisValue};
use super::super::world::{Vantage, World};
use super::logins::{self, Login};
use crate::error::{Fault, FaultKind};

/// An open way into a Redis server.
#[derive(Clone, Debug)]
pub struct Store {
    from: Vantage,
    host: String,
    port: u16,
    login: Login,
}

fn pong(seen: &Result<Vec<RedisValue>, wire::Failure>) -> bool {
    matches!(seen, Ok(replies) if matches!(replies.first(), Some(RedisValue::Status(s)) if s == "PONG"))
}

/// True when the account may not list what the server holds.
fn is_limited(seen: &Result<Vec<RedisValue>, wire::Failure>) -> bool {
    matches!(seen, Ok(replies) if replies.iter().skip(1).any(|r| matches!(r, RedisValue::Error { .. })))
}

impl Store {
    /// Finds a way in, as the server itself would be asked from its own container.
    pub async fn open(world: &dyn World, service: &str, port: u16) -> Result<Self, Fault> {
        let (own, ip) = kit::needed(world, service).await?;
        let mut all = Vec::new();
        for name in world.declared().services.keys() {
            all.extend(world.instances(name).await?);
        }
        let hosts = ["127.0.0.1".to_owned(), ip.to_string()];
        let (mut tried, mut poor, mut last) = (Vec::new(), None, String::new());
        // Looked for further away only when what is in plain sight does not do.
        for further in [false, true] {
            let texts = if further { logins::texts(world, &own).await? } else { Vec::new() };
            for login in logins::logins(&all, &texts) {
                if tried.contains(&login) {
                    continue;
                }
                tried.push(login.clone());
                for host in &hosts {
                    let store =
                        Self { from: kit::inside(service), host: host.clone(), port, login: login.clone() };
                    let ask =
                        store.ask(vec![cmd(&["PING"]), cmd(&["INFO", "keyspace"]), cmd(&["SCAN", "0"])]);
                    let (seen, _) = kit::redis(world, &store.from, ask).await?;
                    if pong(&seen) && !is_limited(&seen) {
                        return Ok(store);
                    }
                    if pong(&seen) {
                        // An account that may not look around; another one may.
                        poor.get_or_insert(store);
                    }
                    last = format!("{seen:?}");
                }
            }
        }
        poor.ok_or_else(|| {
            Fault::new(
                FaultKind::Engine,
                format!("le correcteur n'a pas pu entrer dans « {service} » pour regarder ce qu'il contient"),
                "si Redis a un mot de passe, donnez-le par la commande, une variable, un secret ou son fichier de configuration",
            )
            .detail(last)
        })
    }

    fn ask(&self, commands: Vec<Vec<String>>) -> wire::Redis {
        wire::Redis {
            host: self.host.clone(),
            port: self.port,
            user: self.login.user.clone(),
            password: self.login.password.clone(),
            commands,
            timeout_ms: 5_000,
        }
    }

    /// Runs commands; a server that does not answer is a fault here, for it did a moment before.
    pub async fn run(
        &self,
        world: &dyn World,
        commands: Vec<Vec<String>>,
    ) -> Result<(Vec<RedisValue>, When), Fault> {
        let (seen, when) = kit::redis(world, &self.from, self.ask(commands)).await?;
        match seen {
            Ok(replies) => Ok((replies, when)),
            Err(failure) => {
                Err(kit::noise("Redis a cessé de répondre au correcteur").detail(format!("{failure:?}")))
            }
        }
    }

    /// Empties every database; key by key when the command is not allowed.
    pub async fn flush(&self, world: &dyn World) -> Result<(), Fault> {
        let (replies, _) = self.run(world, vec![cmd(&["FLUSHALL"])]).await?;
        if !matches!(replies.first(), Some(RedisValue::Error { .. })) {
            return Ok(());
        }
        for (db, key) in self.keys(world).await? {
            self.run(world, vec![cmd(&["SELECT", &db.to_string()]), cmd(&["DEL", &key])]).await?;
        }
        Ok(())
    }

    /// All keys, with their database; at most 500 a database.
    pub async fn keys(&self, world: &dyn World) -> Result<Vec<(u32, String)>, Fault> {
        let (replies, _) = self.run(world, vec![cmd(&["INFO", "keyspace"])]).await?;
        let info = replies.first().and_then(text).unwrap_or_default();
        let mut dbs: Vec<u32> =
            info.lines().filter_map(|l| l.strip_prefix("db")?.split_once(':')?.0.parse().ok()).collect();
        if dbs.is_empty() && !info.contains("# Keyspace") {
            dbs.push(0);
        }
        let mut found = Vec::new();
        for db in dbs {
            let mut cursor = "0".to_owned();
            for _ in 0..20 {
                let (replies, _) = self
                    .run(
                        world,
                        vec![cmd(&["SELECT", &db.to_string()]), cmd(&["SCAN", &cursor, "COUNT", "500"])],
                    )
                    .await?;
                let Some(RedisValue::Array(parts)) = replies.get(1) else { break };
                if let Some(RedisValue::Array(keys)) = parts.get(1) {
                    found.extend(keys.iter().filter_map(text).map(|k| (db, k)));
                }
                cursor = parts.first().and_then(text).unwrap_or_else(|| "0".to_owned());
                if cursor == "0" || found.len() > 500 {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Connections that come from these addresses; `None` when the server does not list them.
    pub async fn clients_from(
        &self,
        world: &dyn World,
        ips: &[std::net::IpAddr],
    ) -> Result<Option<usize>, Fault> {
        let (replies, _) = self.run(world, vec![cmd(&["CLIENT", "LIST"])]).await?;
        let Some(list) = replies.first().and_then(text) else { return Ok(None) };
        let from = |line: &&str| {
            let addr = line.split(' ').find_map(|w| w.strip_prefix("addr=")).unwrap_or_default();
            addr.rsplit_once(':').is_some_and(|(ip, _)| ips.iter().any(|i| i.to_string() == ip))
        };
        Ok(Some(list.lines().filter(from).count()))
    }
}

/// A command.
pub fn cmd(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// A reply as text.
pub fn text(value: &RedisValue) -> Option<String> {
    match value {
        RedisValue::Bulk(s) | RedisValue::Status(s) | RedisValue::Other(s) => Some(s.clone()),
        RedisValue::Int(n) => Some(n.to_string()),
        RedisValue::Nil | RedisValue::BulkBase64(_) | RedisValue::Array(_) | RedisValue::Error { .. } => None,
    }
}

/// A reply as an integer.
pub fn int(value: &RedisValue) -> Option<i64> {
    match value {
        RedisValue::Int(n) => Some(*n),
        other => text(other)?.parse().ok(),
    }
}
