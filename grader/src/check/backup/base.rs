//! What proofs about dumps share: rows whose values only this run knows, and the empty server that a dump is
//! restored into.

use std::time::Duration;

use super::super::database::{Login, cell, logins};
use super::super::deep::Exec;
use super::super::world::{TWIN_SCRATCH, TwinPlan, Vantage, World, wire};
use super::super::{kit, tell};
use crate::error::{Fault, FaultKind};
use crate::event::Miss;

/// Rows of the table that is written first.
const ROWS: usize = 600;
/// Rows of the table of another schema.
const OTHER_ROWS: usize = 40;
/// The empty server must be ready by then.
const READY: Duration = Duration::from_secs(60);

/// A table, row by row, each value as text.
pub type Rows = Vec<Vec<Option<String>>>;

/// What both tables held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// The table of the schema `public`.
    pub main: Rows,
    /// The table of another schema.
    pub other: Rows,
}

/// What a dump gave back.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Length of the file in bytes; `None` when it could not be read.
    pub length: Option<usize>,
    /// What kind of dump it is.
    pub kind: &'static str,
    /// Tables of the empty server before.
    pub tables_before: usize,
    /// End of what the restoring program said.
    pub said: String,
    /// What the tables hold; `None` when a table is not there.
    pub main: Option<Rows>,
    /// The same of the other.
    pub other: Option<Rows>,
}

/// What is missing for any proof: the service that does the work, or one of both that does not run.
pub async fn absent(world: &dyn World, service: &str, store: &str) -> Result<Option<Miss>, Fault> {
    if let Some(miss) = tell::absent(world.declared(), service) {
        // The challenge was left aside.
        return Ok(Some(Miss {
            headline: format!("défi non fait : pas de service « {service} »"),
            hint: "ce défi demande un service de plus, qui sauvegarde la base à la demande".to_owned(),
            ..miss
        }));
    }
    for service in [service, store] {
        if kit::settled(world, service, Duration::from_secs(5)).await?.is_empty() {
            return Ok(Some(tell::stopped(world, service).await?));
        }
    }
    Ok(None)
}

/// A command that could not even be run.
pub fn unrunnable(command: &str) -> String {
    format!("la commande « {command} » n'existe pas dans le conteneur, ou n'est pas exécutable")
}

/// Names of both tables: one of `public`, one of another schema.
pub fn names(seed: u64) -> (String, String) {
    let drawn = format!("{:08x}", seed & 0xffff_ffff);
    (format!("public.tp_lignes_{drawn}"), format!("tp_autre_{drawn}.lignes"))
}

/// Runs SQL as the application would; the error is what the server says.
pub async fn sql(
    world: &dyn World,
    at: &Vantage,
    login: &Login,
    sql: &str,
    max_rows: u64,
) -> kit::Asked<Vec<wire::PostgresResult>> {
    let ask = wire::Postgres {
        host: "127.0.0.1".to_owned(),
        port: 5432,
        user: login.user.clone(),
        password: login.password.clone(),
        dbname: login.dbname.clone(),
        sql: sql.to_owned(),
        max_rows,
        timeout_ms: 15_000,
    };
    kit::postgres(world, at, ask).await
}

/// The rows of a table, in order; `None` when the server says that it cannot.
pub async fn rows(
    world: &dyn World,
    at: &Vantage,
    login: &Login,
    table: &str,
) -> Result<Option<Rows>, Fault> {
    let ask = format!("SELECT * FROM {table} ORDER BY id");
    Ok(sql(world, at, login, &ask, 5_000)
        .await?
        .ok()
        .and_then(|results| results.into_iter().next_back())
        .map(|result| result.rows))
}

/// The grader could not do what the proof needs.
pub fn refused(doing: &str, why: &str) -> Fault {
    Fault::new(
        FaultKind::Engine,
        format!("le correcteur n'a pas pu {doing}"),
        "donnez l'utilisateur et la base par POSTGRES_USER et POSTGRES_DB",
    )
    .detail(why)
}

/// A way into the database that the application uses.
pub async fn enter(world: &dyn World, store: &str) -> Result<Login, Fault> {
    let (own, _) = kit::needed(world, store).await?;
    let mut all = Vec::new();
    for name in world.declared().services.keys() {
        all.extend(world.instances(name).await?);
    }
    let mut ways = logins(&own, &all);
    if let Some(drawn) = world.drawn() {
        let with = ways.iter().map(|way| Login { password: Some(drawn.value.clone()), ..way.clone() });
        ways = with.chain(ways.clone()).collect();
    }
    let mut last = String::new();
    for way in ways {
        match sql(world, &kit::inside(store), &way, "SELECT 1", 1).await? {
            Ok(_) => return Ok(way),
            Err(failure) => last = failure.message,
        }
    }
    Err(refused("entrer dans la base pour y écrire des lignes", &last))
}

/// What both tables hold now; nothing for a table that is not there.
pub async fn truth(
    world: &dyn World,
    at: &Vantage,
    login: &Login,
    tables: &(String, String),
) -> Result<Truth, Fault> {
    Ok(Truth {
        main: rows(world, at, login, &tables.0).await?.unwrap_or_default(),
        other: rows(world, at, login, &tables.1).await?.unwrap_or_default(),
    })
}

/// SQL that makes both tables, with values that only this run knows: quotes, line ends, accents,
/// missing values, bytes.
pub fn create(tables: &(String, String), seed: u64) -> String {
    let (main, other) = tables;
    let schema = other.split('.').next().unwrap_or_default();
    let seed = format!("{seed:016x}");
    format!(
        "CREATE TABLE {main} (id int PRIMARY KEY, texte text NOT NULL, montant numeric(14,4), quand timestamptz, \
         vide text, octets bytea); \
         INSERT INTO {main} SELECT i, md5('{seed}' || i) || E' d\\'été\\n\\t\"œuf\" \\\\ ; -- ' || md5(i || '{seed}'), \
         round((random() * 1000000)::numeric, 4), now() - random() * interval '900 days', \
         CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 THEN '' ELSE md5(random()::text) END, \
         decode(md5('o{seed}' || i), 'hex') FROM generate_series(1, {ROWS}) AS i; \
         CREATE SCHEMA {schema}; CREATE TABLE {other} (id int PRIMARY KEY, texte text); \
         INSERT INTO {other} SELECT i, md5('{seed}-' || i) FROM generate_series(1, {OTHER_ROWS}) AS i"
    )
}

/// SQL that makes the tables after each step different from what they were.
pub fn change(tables: &(String, String), call: usize, seed: u64) -> String {
    let (main, other) = tables;
    let id = 10_000 + call;
    let (gone, changed) = (2 * call + 1, 2 * call + 2);
    format!(
        "INSERT INTO {main} (id, texte) VALUES ({id}, 'appel {call} {seed:016x}'); \
         DELETE FROM {main} WHERE id = {gone}; \
         UPDATE {main} SET texte = 'changé {call} {seed:016x}' WHERE id = {changed}; \
         INSERT INTO {other} VALUES ({id}, 'appel {call}')"
    )
}

/// What kind of dump begins with these bytes, and what restores it from standard input.
fn kind(bytes: &[u8]) -> (&'static str, &'static str) {
    match bytes {
        [b'P', b'G', b'D', b'M', b'P', ..] => ("archive de pg_dump", "pg_restore"),
        [0x1f, 0x8b, ..] => ("comprimé par gzip", "gzip"),
        _ if bytes.get(257..262) == Some(b"ustar") => ("archive tar de pg_dump", "pg_restore"),
        _ => ("texte SQL", "psql"),
    }
}

/// The commands that restore a file of that kind.
fn command(kind: &str, login: &Login, file: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let (user, db) = (quoted(&login.user), quoted(&login.dbname));
    let psql = format!("psql -q -o /dev/null -U {user} -d {db}");
    let restore = format!("pg_restore -U {user} -d {db}");
    match kind {
        "pg_restore" => format!("{restore} {file}"),
        // What is inside may be of either kind.
        "gzip" => format!(
            "gunzip -c {file} > {file}.x; if [ \"$(head -c 5 {file}.x)\" = PGDMP ]; then {restore} {file}.x; else {psql} -f {file}.x; fi"
        ),
        _ => format!("{psql} -f {file}"),
    }
}

/// Restores a dump into an empty server of the same image as `store`, which is known as `name`.
///
/// # Errors
/// When that server does not start.
pub async fn into_empty(
    world: &dyn World,
    store: &str,
    name: &str,
    login: &Login,
    tables: &(String, String),
    dump: Vec<u8>,
) -> Result<Restored, Fault> {
    world.twin(TwinPlan { name: name.to_owned(), service: store.to_owned(), ..TwinPlan::default() }).await?;
    let twin = Vantage::Twin(name.to_owned());
    let count = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let ready = kit::patiently(READY, Result::is_ok, || sql(world, &twin, login, count, 1)).await?;
    let tables_before = match ready {
        Ok(results) => cell(&results).and_then(|n| n.parse().ok()).unwrap_or(0),
        Err(failure) => {
            return Err(refused("démarrer un serveur vide", &failure.message));
        }
    };
    let (what, tool) = kind(&dump);
    let length = dump.len();
    let inside = format!("{TWIN_SCRATCH}/sauvegarde");
    let script = format!("cat > {inside}; {}", command(tool, login, &inside));
    let run = Exec { input: dump, deadline: Duration::from_secs(60), ..Exec::new(&["sh", "-c", &script]) };
    let run = match &login.password {
        Some(password) => Exec { env: vec![("PGPASSWORD".to_owned(), password.clone())], ..run },
        None => run,
    };
    let done = world.exec(&twin, run).await?;
    Ok(Restored {
        length: Some(length),
        kind: what,
        tables_before,
        said: done.err,
        main: rows(world, &twin, login, &tables.0).await?,
        other: rows(world, &twin, login, &tables.1).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_of_all_kinds() {
        let login = Login { user: "l'eau".into(), password: None, dbname: "tp".into() };
        assert_eq!(kind(b"PGDMP\x01\x0e").1, "pg_restore");
        assert_eq!(kind(&[0x1f, 0x8b, 8]).1, "gzip");
        assert_eq!(kind(b"--\n-- PostgreSQL database dump\n").1, "psql");
        assert_eq!(kind(b"").1, "psql");
        assert!(command("pg_restore", &login, "/x").contains("-U 'l'\\''eau' -d 'tp' /x"));
    }
}
