//! What Redis holds, with the life left to each key.

use super::super::kit::When;
use super::super::world::World;
use super::super::world::wire::RedisValue;
use super::access::{Store, cmd, int, text};
use super::value::{self, Tampered};
use crate::error::Fault;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A string.
    Text(String),
    /// Field and value.
    Hash(Vec<(String, String)>),
    /// Items.
    List(Vec<String>),
    /// A document of the JSON module.
    Json(String),
    /// Another type, by its name.
    Other(String),
}

impl Held {
    /// All its text.
    pub fn text(&self) -> String {
        match self {
            Self::Text(t) | Self::Json(t) => t.clone(),
            Self::Hash(fields) => fields.iter().map(|(_, v)| v.as_str()).collect::<Vec<_>>().join("\n"),
            Self::List(items) => items.join("\n"),
            Self::Other(_) => String::new(),
        }
    }
}

/// A key, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Database.
    pub db: u32,
    /// Key.
    pub key: String,
    /// Value.
    pub held: Held,
    /// Life left in milliseconds; -1 without expiry.
    pub pttl_ms: i64,
    /// When that life was read.
    pub when: When,
}

impl Entry {
    fn select(&self) -> Vec<String> {
        cmd(&["SELECT", &self.db.to_string()])
    }

    /// Life left now; -1 without expiry, -2 when the key is gone.
    pub async fn pttl(&self, world: &dyn World, store: &Store) -> Result<i64, Fault> {
        let (replies, _) = store.run(world, vec![self.select(), cmd(&["PTTL", &self.key])]).await?;
        Ok(replies.get(1).and_then(int).unwrap_or(-2))
    }

    /// Shortens its life.
    pub async fn shorten(&self, world: &dyn World, store: &Store, ms: i64) -> Result<(), Fault> {
        store.run(world, vec![self.select(), cmd(&["PEXPIRE", &self.key, &ms.to_string()])]).await?;
        Ok(())
    }

    /// Changes what it holds, its life kept. `None` when its type cannot be changed in place.
    pub async fn tamper(
        &self,
        world: &dyn World,
        store: &Store,
        seen: &serde_json::Value,
        year: i32,
    ) -> Result<Option<Tampered>, Fault> {
        let mut commands = vec![self.select()];
        let mut made: Option<Tampered> = None;
        let mut note = |tampered: Tampered| match &mut made {
            Some(all) => all.marks.extend(tampered.marks),
            None => made = Some(tampered),
        };
        match &self.held {
            Held::Text(old) => {
                let Some(t) = value::tamper(old, seen, year) else { return Ok(None) };
                commands.push(cmd(&["SET", &self.key, &t.stored, "KEEPTTL"]));
                note(t);
            }
            Held::Json(old) => {
                let Some(t) = value::tamper(old, seen, year) else { return Ok(None) };
                commands.push(cmd(&["JSON.SET", &self.key, "$", &t.stored]));
                note(t);
            }
            Held::Hash(fields) => {
                for (field, old) in fields {
                    if let Some(t) = value::tamper(old, seen, year) {
                        commands.push(cmd(&["HSET", &self.key, field, &t.stored]));
                        note(t);
                    }
                }
            }
            Held::List(items) => {
                for (i, old) in items.iter().enumerate() {
                    if let Some(t) = value::tamper(old, seen, year) {
                        commands.push(cmd(&["LSET", &self.key, &i.to_string(), &t.stored]));
                        note(t);
                    }
                }
            }
            Held::Other(_) => return Ok(None),
        }
        if made.is_none() {
            return Ok(None);
        }
        let (replies, _) = store.run(world, commands).await?;
        let refused = replies.iter().any(|r| matches!(r, RedisValue::Error { .. }));
        Ok(if refused { None } else { made })
    }
}

/// Reads every key: first all the lives, as early as can be, then the values.
pub async fn scan(world: &dyn World, store: &Store) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::new();
    for (db, key) in store.keys(world).await? {
        let select = cmd(&["SELECT", &db.to_string()]);
        let (replies, when) =
            store.run(world, vec![select.clone(), cmd(&["PTTL", &key]), cmd(&["TYPE", &key])]).await?;
        let pttl_ms = replies.get(1).and_then(int).unwrap_or(-2);
        let kind = replies.get(2).and_then(text).unwrap_or_default();
        let ask = match kind.as_str() {
            "string" => cmd(&["GET", &key]),
            "hash" => cmd(&["HGETALL", &key]),
            "list" => cmd(&["LRANGE", &key, "0", "99"]),
            "ReJSON-RL" => cmd(&["JSON.GET", &key]),
            _ => {
                entries.push(Entry { db, key, held: Held::Other(kind), pttl_ms, when });
                continue;
            }
        };
        let (replies, _) = store.run(world, vec![select, ask]).await?;
        let items = |value: &RedisValue| match value {
            RedisValue::Array(all) => all.iter().map(|v| text(v).unwrap_or_default()).collect(),
            _ => Vec::new(),
        };
        let held = match (kind.as_str(), replies.get(1)) {
            ("string", Some(v)) => text(v).map_or(Held::Other("binaire".into()), Held::Text),
            ("ReJSON-RL", Some(v)) => text(v).map_or(Held::Other(kind.clone()), Held::Json),
            ("list", Some(v)) => Held::List(items(v)),
            ("hash", Some(v)) => {
                Held::Hash(items(v).chunks_exact(2).map(|p| (p[0].clone(), p[1].clone())).collect())
            }
            _ => Held::Other(kind),
        };
        entries.push(Entry { db, key, held, pttl_ms, when });
    }
    Ok(entries)
}

/// The key that holds `seen`; failing that, the only key that holds a date (the change made to it
/// will tell whether it is the right one).
pub fn holder<'a>(entries: &'a [Entry], seen: &serde_json::Value) -> Option<&'a Entry> {
    entries.iter().find(|e| value::contains(&e.held.text(), seen)).or_else(|| {
        let mut dated = entries.iter().filter(|e| !value::years(&e.held.text()).is_empty());
        dated.next().filter(|_| dated.next().is_none())
    })
}
