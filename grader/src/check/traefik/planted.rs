//! `planted`: what the grader has just written in a store comes out of the application, through the
//! reverse proxy. A random value cannot be written in advance, and a store that only looks like the
//! right one does not hold it. The misses tell what is seen and never why: finding that is the work.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::gate::Gate;
use super::world::wire;
use super::{Check, Cx, Experiments, Stage, check_host, check_path, kit, port_https, tell};
use crate::check::cache::access::{Store, cmd, text};
use crate::check::database::{Database, PORT};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A value written in a store is served by an application. `{ref}` and `{text}` stand for what is drawn.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Planted {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached; what is asked is the container port behind it.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host asked for.
    pub host: String,
    /// Path, with `{ref}`.
    pub path: String,
    /// Service that must answer.
    pub to: String,
    /// JSON field of the answer that holds the text.
    pub field: String,
    /// Where the application reads it first.
    pub database: Row,
    /// Where it keeps what it has read.
    pub cache: Entry,
}

/// A row of a PostgreSQL service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Row {
    /// Service.
    pub service: String,
    /// Its port in the container.
    #[serde(default = "postgres_port")]
    pub port: u16,
    /// Database.
    pub name: String,
    /// Role of the application, which must be connected under it from its own container.
    pub role: String,
    /// What writes the row, with `{ref}` and `{text}`.
    pub sql: String,
}

/// A key of a Redis service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// Service.
    pub service: String,
    /// Its port in the container.
    #[serde(default = "redis_port")]
    pub port: u16,
    /// Key, with `{ref}`.
    pub key: String,
}

fn postgres_port() -> u16 {
    PORT
}

fn redis_port() -> u16 {
    6379
}

/// What came back.
type Seen = Result<wire::HttpAnswer, wire::Failure>;

/// The proxy may still be reading what the engine tells it, the application connecting to its stores.
const PATIENCE: Duration = Duration::from_secs(8);
/// The longest answer: a proxy that waits for an application says so in the end.
const ANSWER_MS: u64 = 8_000;
/// Rows asked for once each.
const TURNS: usize = 6;
/// Life of a planted key, seconds.
const LIFE: &str = "60";

/// A witness: its reference, its text, and where it was written.
struct Witness {
    reference: String,
    text: String,
    store: String,
}

impl Planted {
    fn url(&self, witness: &Witness) -> String {
        format!("https://{}{}", self.host, self.path.replace("{ref}", &witness.reference))
    }

    fn witness(&self, cx: &Cx<'_>, store: &str) -> Witness {
        let draw = |what: &str| kit::draw(cx.world, &format!("planted {} {store} {what}", self.to));
        Witness {
            reference: format!("t{:08x}", draw("ref") & 0xffff_ffff),
            text: format!("fiche {:012x}", draw("text") & 0xffff_ffff_ffff),
            store: store.to_owned(),
        }
    }

    /// Asks for several new rows, each once: a second copy of the application that is still broken answers now and
    /// then.
    async fn each_time(
        &self,
        cx: &Cx<'_>,
        gate: &Gate<'_>,
        database: &Database,
        salt: &str,
    ) -> Result<Option<Miss>, Fault> {
        let mut wrong = Vec::new();
        for turn in 0..TURNS {
            let store = &self.database.service;
            let witness =
                Witness { store: store.clone(), ..self.witness(cx, &format!("{store} {salt}{turn}")) };
            if let Some(miss) = self.plant(cx, database, &witness).await? {
                return Ok(Some(miss));
            }
            match self.ask(gate, &witness).await? {
                Ok(answer) if answer.status == 200 && answer.body.contains(&witness.text) => {}
                Ok(answer) => wrong.push(format!("{} {}", answer.status, tell::cut(&answer.reason, 40))),
                Err(failure) => wrong.push(tell::why(&failure)),
            }
        }
        let Some(first) = wrong.first() else { return Ok(None) };
        Ok(Some(Miss {
            headline: format!("https://{} ne répond bien que de temps en temps", self.host),
            expected: format!("la fiche demandée, à chacune de {TURNS} demandes"),
            observed: format!("{} demandes sur {TURNS} sans elle, dont : {first}", wrong.len()),
            control: "une autre fiche a bien été rendue, au même nom".to_owned(),
            hint: "Traefik répartit les demandes entre tous les conteneurs qu'il trouve pour ce service : chacun est-il réparé ?".to_owned(),
            try_it: format!("for i in 1 2 3 4; do curl -ksI https://{}{} | head -1; done", self.host, self.path.replace("{ref}", "1")),
            ..Miss::default()
        }))
    }

    async fn ask(&self, gate: &Gate<'_>, witness: &Witness) -> Result<Seen, Fault> {
        let path = self.path.replace("{ref}", &witness.reference);
        gate.send(wire::Http { timeout_ms: ANSWER_MS, ..gate.secure(self.port, &self.host, &path) }).await
    }

    fn base(&self, witness: &Witness) -> Miss {
        Miss {
            headline: format!("{} ne rend pas la fiche demandée", self.url(witness)),
            expected: format!(
                "200, et dans « {} » le texte que le correcteur vient d'écrire dans « {} »",
                self.field, witness.store
            ),
            control: format!("la fiche est bien dans « {} »", witness.store),
            hint: "le code et le corps disent qui a répondu : la recherche commence à cet endroit-là"
                .to_owned(),
            try_it: format!("curl -ki https://{}{}", self.host, self.path.replace("{ref}", "1")),
            ..Miss::default()
        }
    }

    /// Asks until the text comes, or says what came instead.
    async fn served(&self, gate: &Gate<'_>, witness: &Witness) -> Result<Result<Fact, Miss>, Fault> {
        let shown = |answer: &wire::HttpAnswer| -> Option<Value> {
            serde_json::from_str::<Value>(&answer.body).ok()?.get(&self.field).cloned()
        };
        let right = |seen: &Seen| {
            seen.as_ref()
                .is_ok_and(|a| a.status == 200 && shown(a).is_some_and(|v| v == witness.text.as_str()))
        };
        let seen = kit::patiently(PATIENCE, right, || self.ask(gate, witness)).await?;
        if right(&seen) {
            return Ok(Ok(Fact::new(
                &format!("served:{}", witness.store),
                witness.text.as_str(),
                format!("écrit dans « {} », rendu par {}", witness.store, self.url(witness)),
            )));
        }
        let base = self.base(witness);
        Ok(Err(match &seen {
            Err(failure) => Miss { observed: tell::why(failure), ..base },
            Ok(answer) => {
                let body = tell::cut(&answer.body, 120);
                let observed = match (answer.status, shown(answer)) {
                    (200, Some(other)) => {
                        format!("200, mais « {} » vaut {}", self.field, tell::cut(&other.to_string(), 60))
                    }
                    (200, None) => format!("200, mais pas de « {} » dans la réponse", self.field),
                    (status, _) => format!("{status} {}", tell::cut(&answer.reason, 40)),
                };
                Miss {
                    observed,
                    noted: if body.is_empty() { vec![] } else { vec![format!("corps : {body}")] },
                    ..base
                }
            }
        }))
    }

    /// The row is in the database, or the miss that says why it cannot be.
    async fn plant(
        &self,
        cx: &Cx<'_>,
        database: &Database,
        witness: &Witness,
    ) -> Result<Option<Miss>, Fault> {
        let row = &self.database;
        let sql = row.sql.replace("{ref}", &witness.reference).replace("{text}", &witness.text);
        let Err(failure) = database.run(cx.world, &sql).await? else { return Ok(None) };
        let observed = match failure.sqlstate.as_deref() {
            Some("3D000") => format!("la base « {} » n'existe pas", row.name),
            Some("42P01" | "3F000" | "42703") => {
                "la table attendue n'y est pas, ou n'est plus la même".to_owned()
            }
            Some(_) => format!("le serveur refuse : {}", tell::cut(&failure.message, 100)),
            None => {
                return Err(
                    kit::noise("la donnée témoin n'a pas pu être écrite").detail(format!("{failure:?}"))
                );
            }
        };
        Ok(Some(Miss {
            headline: format!("« {} » n'a plus les tables du départ", row.service),
            expected: format!("la base « {} » et ses tables, telles que le départ les crée", row.name),
            observed,
            place: tell::at(cx.world, &row.service, "environment", "réglages de ce serveur"),
            hint: "la base, ses tables et ses rôles sont ceux de votre tirage ; les scripts d'initialisation ne servent que sur un volume vide"
                .to_owned(),
            try_it: format!("docker compose logs {}", row.service),
            ..Miss::default()
        }))
    }

    /// The application itself is connected to the database, under its role; or the miss.
    async fn connected(&self, cx: &Cx<'_>, database: &Database) -> Result<Result<Fact, Miss>, Fault> {
        let (role, to) = (&self.database.role, &self.to);
        let mine = kit::addresses(&kit::running(cx.world, to).await?);
        let sql = "SELECT usename, host(client_addr) FROM pg_stat_activity WHERE client_addr IS NOT NULL";
        let seen = match database.run(cx.world, sql).await? {
            Ok(results) => results.into_iter().flat_map(|r| r.rows).collect::<Vec<_>>(),
            Err(failure) => {
                return Err(kit::noise("les connexions de la base n'ont pas pu être lues")
                    .detail(format!("{failure:?}")));
            }
        };
        let from_here = |row: &&Vec<Option<String>>| {
            let address = row.get(1).cloned().flatten();
            mine.iter().any(|ip| Some(ip.to_string()) == address)
        };
        let roles: Vec<String> =
            seen.iter().filter(from_here).filter_map(|row| row.first().cloned().flatten()).collect();
        if roles.contains(role) {
            let text = format!("connexion ouverte par « {to} », rôle « {role} »");
            return Ok(Ok(Fact::new("connected", role.as_str(), text)));
        }
        Ok(Err(Miss {
            headline: format!("« {to} » n'a pas de connexion à la base sous son rôle"),
            expected: format!("une connexion de « {to} » à « {} », rôle « {role} »", self.database.service),
            observed: if roles.is_empty() {
                format!("aucune connexion ne vient de « {to} »")
            } else {
                format!("« {to} » y entre sous {}", tell::names(&roles))
            },
            control: "la fiche, elle, est bien rendue".to_owned(),
            hint: "chaque application parle elle-même à la base, avec son propre rôle et son propre mot de passe".to_owned(),
            try_it: format!("docker compose logs {to}"),
            ..Miss::default()
        }))
    }

    /// What was read is now in the cache that all share; or the miss.
    async fn kept(&self, cx: &Cx<'_>, store: &Store, witness: &Witness) -> Result<Result<Fact, Miss>, Fault> {
        let key = self.cache.key.replace("{ref}", &witness.reference);
        let read = || async {
            let (replies, _) = store.run(cx.world, vec![cmd(&["GET", &key])]).await?;
            Ok(replies.first().and_then(text))
        };
        let held =
            kit::patiently(Duration::from_secs(1), |held: &Option<String>| held.is_some(), read).await?;
        if held.is_some_and(|held| held.contains(&witness.text)) {
            return Ok(Ok(Fact::new(
                "kept",
                json!(key),
                format!("gardé dans « {} » sous {key}", self.cache.service),
            )));
        }
        Ok(Err(Miss {
            headline: format!("ce que lit « {} » n'arrive pas dans « {} »", self.to, self.cache.service),
            expected: format!(
                "la fiche qui vient d'être lue, dans « {} » sous la clé {key}",
                self.cache.service
            ),
            observed: "pas de telle clé".to_owned(),
            control: "la fiche, elle, est bien rendue".to_owned(),
            hint: "qui tient le rôle de cache pour cette application ?".to_owned(),
            try_it: format!("docker compose exec {} redis-cli keys '*'", self.cache.service),
            ..Miss::default()
        }))
    }
}

#[async_trait]
impl Check for Planted {
    // Its rows and keys are its own: the checks of other applications see nothing of them.
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        check_host("planted.host", &self.host)?;
        check_path("planted.path", &self.path)?;
        let holes = [&self.path, &self.database.sql, &self.cache.key];
        if holes.iter().all(|text| text.contains("{ref}")) && self.database.sql.contains("{text}") {
            return Ok(());
        }
        Err("planted veut {ref} dans path, sql et key, et {text} dans sql".into())
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        for service in [&self.to, &self.database.service, &self.cache.service] {
            if kit::settled(world, service, Duration::from_secs(3)).await?.is_empty() {
                return tell::fail(tell::stopped(world, service).await?);
            }
        }
        // The ways in are the same for all applications.
        let (data, cache) = (&self.database, &self.cache);
        let enter = Database::enter(world, &data.service, data.port);
        let mut database = (*cx.memo.once(&format!("enter {}", data.service), enter).await?).clone();
        database.login.dbname.clone_from(&data.name);
        let open = Store::open(world, &cache.service, cache.port);
        let store = cx.memo.once(&format!("enter {}", cache.service), open).await?;

        let row = self.witness(cx, &self.database.service);
        if let Some(miss) = self.plant(cx, &database, &row).await? {
            return tell::fail(miss);
        }
        let mut facts = Vec::new();
        let key = self.witness(cx, &self.cache.service);
        let name = self.cache.key.replace("{ref}", &key.reference);
        store.run(world, vec![cmd(&["SET", &name, &key.text, "EX", LIFE])]).await?;
        for step in 0..4 {
            let seen = match step {
                0 => self.served(&gate, &row).await?,
                1 => self.connected(cx, &database).await?,
                2 => self.kept(cx, &store, &row).await?,
                _ => self.served(&gate, &key).await?,
            };
            match seen {
                Ok(fact) => facts.push(fact),
                Err(miss) => return tell::fail(Miss { facts, ..miss }),
            }
        }
        // Seen again, with other rows, before it costs anything.
        let mut missed = self.each_time(cx, &gate, &database, "a").await?;
        if missed.is_some() {
            missed = self.each_time(cx, &gate, &database, "b").await?;
        }
        match missed {
            Some(miss) => tell::fail(Miss { facts, ..miss }),
            None => tell::pass(facts),
        }
    }
}
