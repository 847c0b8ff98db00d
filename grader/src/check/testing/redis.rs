//! The stores of the fake stack.

use tokio::time::Instant;

use super::super::world::wire::{self, RedisValue};
use super::FakeWorld;

fn bulk(text: impl Into<String>) -> RedisValue {
    RedisValue::Bulk(text.into())
}

impl FakeWorld {
    /// Answers Redis commands.
    pub(super) fn redis(&self, ask: &wire::Redis) -> wire::Outcome {
        if self.lock().frozen.contains_key("redis") {
            let failure = wire::Failure::new(wire::FailureKind::Timeout, wire::Stage::Connect, "frozen");
            return wire::Outcome::Failed(failure);
        }
        let replies = ask.commands.iter().map(|c| self.command(c)).collect();
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 6379));
        wire::Outcome::Redis(wire::RedisAnswer { replies, peer, fault: None })
    }

    fn command(&self, words: &[String]) -> RedisValue {
        let mut memory = self.lock();
        let now = Instant::now();
        memory.redis.retain(|_, (_, end)| end.is_none_or(|e| e > now));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["PING"] => RedisValue::Status("PONG".into()),
            ["SELECT", _] => RedisValue::Status("OK".into()),
            ["FLUSHALL"] => {
                memory.redis.clear();
                RedisValue::Status("OK".into())
            }
            ["INFO", _] => bulk(if memory.redis.is_empty() {
                "# Keyspace\r\n".to_owned()
            } else {
                format!("# Keyspace\r\ndb0:keys={},expires=0\r\n", memory.redis.len())
            }),
            ["CLIENT", "LIST"] => bulk("id=1 addr=10.2.0.2:4000 name=\n"),
            ["SCAN", ..] => RedisValue::Array(vec![
                bulk("0"),
                RedisValue::Array(memory.redis.keys().map(|k| bulk(k.clone())).collect()),
            ]),
            ["PTTL", key] => RedisValue::Int(match memory.redis.get(*key) {
                None => -2,
                Some((_, None)) => -1,
                Some((_, Some(end))) => {
                    i64::try_from(end.saturating_duration_since(now).as_millis()).unwrap_or(0)
                }
            }),
            ["TYPE", _] => RedisValue::Status("string".into()),
            ["GET", key] => memory.redis.get(*key).map_or(RedisValue::Nil, |(v, _)| bulk(v.clone())),
            ["SET", key, value, "KEEPTTL"] => {
                if let Some(held) = memory.redis.get_mut(*key) {
                    (*value).clone_into(&mut held.0);
                }
                RedisValue::Status("OK".into())
            }
            ["PEXPIRE", key, ms] => {
                let end = now + std::time::Duration::from_millis(ms.parse().unwrap_or(0));
                if let Some(held) = memory.redis.get_mut(*key) {
                    held.1 = Some(end);
                }
                RedisValue::Int(1)
            }
            ["EXISTS", key] => RedisValue::Int(i64::from(memory.redis.contains_key(*key))),
            _ => RedisValue::Error { code: "ERR".into(), message: format!("unknown {words:?}") },
        }
    }

    /// Answers the SQL that `persists` uses.
    pub(super) fn postgres(&self, sql: &str) -> wire::Outcome {
        let mut memory = self.lock();
        let mut results = Vec::new();
        for statement in sql.split(';') {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let row = match words.as_slice() {
                ["SHOW", _] => Some("/var/lib/postgresql/data".to_owned()),
                ["INSERT", "INTO", table, "VALUES", value] => {
                    memory.tables.insert((*table).into(), value.trim_matches(['(', ')', '\'']).into());
                    None
                }
                ["SELECT", "v", "FROM", table] => match memory.tables.get(*table) {
                    Some(value) => Some(value.clone()),
                    None => {
                        let mut failure =
                            wire::Failure::new(wire::FailureKind::Server, wire::Stage::Command, "no table");
                        failure.sqlstate = Some("42P01".into());
                        return wire::Outcome::Failed(failure);
                    }
                },
                _ => None,
            };
            let rows = row.map(|r| vec![vec![Some(r)]]).unwrap_or_default();
            results.push(wire::PostgresResult { columns: vec![], rows, affected: 1 });
        }
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 5432));
        wire::Outcome::Postgres(wire::PostgresAnswer { results, truncated: false, peer })
    }
}
