//! The grader's own way into the student's Redis.

use std::collections::BTreeSet;

use super::super::kit::{self, When};
use super::super::world::wire::{self, RedisValue};
use super::super::world::{Instance, Vantage, World};
use crate::error::{Fault, FaultKind};

/// An open way into a Redis server.
#[derive(Clone, Debug)]
pub struct Store {
    from: Vantage,
    host: String,
    port: u16,
    password: Option<String>,
}

/// Passwords that the stack shows: the server's command line, and the environment of all services.
pub fn passwords(instances: &[Instance]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for instance in instances {
        let words: Vec<&str> = instance.command.iter().flat_map(|c| c.split_whitespace()).collect();
        for (i, word) in words.iter().enumerate() {
            let bare = word.trim_matches(|c| c == '"' || c == '\'');
            if let Some(value) = bare.strip_prefix("--requirepass=") {
                found.insert(value.to_owned());
            } else if bare == "--requirepass"
                && let Some(value) = words.get(i + 1)
            {
                found.insert(value.trim_matches(|c| c == '"' || c == '\'').to_owned());
            }
        }
        for (name, value) in &instance.env {
            let name = name.to_uppercase();
            if (name.contains("PASS") || name.contains("AUTH"))
                && !name.ends_with("_FILE")
                && !value.is_empty()
            {
                found.insert(value.clone());
            }
            if let Some((_, rest)) = value.split_once("://")
                && let Some((login, _)) = rest.split_once('@')
                && let Some((_, password)) = login.split_once(':')
                && !password.is_empty()
            {
                found.insert(password.to_owned());
            }
        }
    }
    found.into_iter().filter(|p| !p.starts_with('$')).collect()
}

fn pong(seen: &Result<Vec<RedisValue>, wire::Failure>) -> bool {
    matches!(seen, Ok(replies) if matches!(replies.first(), Some(RedisValue::Status(s)) if s == "PONG"))
}

impl Store {
    /// Finds a way in, as the server itself would be asked from its own container.
    pub async fn open(world: &dyn World, service: &str, port: u16) -> Result<Self, Fault> {
        let (_, ip) = kit::needed(world, service).await?;
        let mut all = Vec::new();
        for name in world.declared().services.keys() {
            all.extend(world.instances(name).await?);
        }
        let mut tries = vec![None];
        tries.extend(passwords(&all).into_iter().map(Some));
        let mut last = String::new();
        for host in ["127.0.0.1".to_owned(), ip.to_string()] {
            for password in &tries {
                let store =
                    Self { from: kit::inside(service), host: host.clone(), port, password: password.clone() };
                let (seen, _) = kit::redis(world, &store.from, store.ask(vec![vec!["PING".into()]])).await?;
                if pong(&seen) {
                    return Ok(store);
                }
                last = format!("{seen:?}");
            }
        }
        Err(Fault::new(
            FaultKind::Engine,
            format!("le correcteur n'a pas pu entrer dans « {service} » pour regarder ce qu'il contient"),
            "si Redis a un mot de passe, donnez-le par la commande ou par une variable d'environnement",
        )
        .detail(last))
    }

    fn ask(&self, commands: Vec<Vec<String>>) -> wire::Redis {
        wire::Redis {
            host: self.host.clone(),
            port: self.port,
            user: None,
            password: self.password.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing;

    #[test]
    fn passwords_are_found_where_students_put_them() {
        let mut redis = testing::instance("redis", "10.0.0.3");
        redis.command = vec!["sh".into(), "-c".into(), "redis-server --requirepass 'tres secret'".into()];
        let mut api = testing::instance("api", "10.0.0.4");
        api.env.insert("REDIS_URL".into(), "redis://:parurl@redis:6379/0".into());
        api.env.insert("REDIS_PASSWORD".into(), "parenv".into());
        api.env.insert("DB_PASSWORD_FILE".into(), "/run/secrets/x".into());
        let found = passwords(&[redis, api]);
        assert!(found.contains(&"parurl".to_owned()) && found.contains(&"parenv".to_owned()));
        assert!(!found.iter().any(|p| p.starts_with('/')));
    }
}
