//! The experiment: rows are written, the server copied, rows change twice, all is dropped; then both instants are
//! asked back.

use std::time::Duration;

use super::backup::base::{self, Restored, Truth, refused, sql};
use super::database::{Login, cell};
use super::deep::{Exec, Executed};
use super::world::{Vantage, World};
use super::{Rewinds, kit};
use crate::error::Fault;

/// Either command must end within it.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// Between what is written before an instant and what is written after it.
const SPACING: Duration = Duration::from_millis(1_200);

/// One instant.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The instant, as PostgreSQL reads it: UTC, to the microsecond.
    pub at: String,
    /// What the tables held then.
    pub truth: Truth,
    /// What the command did; `None` when it was not called.
    pub done: Option<Executed>,
    /// What its output gave back.
    pub restored: Restored,
}

/// The whole experiment.
#[derive(Clone, Debug)]
pub struct Rewound {
    /// What the tables held when the server was copied.
    pub start: Truth,
    /// What the copying command did.
    pub copied: Executed,
    /// Both instants, in the order in which they were asked back.
    pub asked: Vec<Asked>,
    /// Whether the database in service still holds what was written last.
    pub intact: bool,
}

async fn write(world: &dyn World, at: &Vantage, login: &Login, text: &str) -> Result<(), Fault> {
    match sql(world, at, login, text, 1).await? {
        Ok(_) => Ok(()),
        Err(failure) => Err(refused("écrire des lignes dans la base", &failure.message)),
    }
}

/// The clock of the server.
async fn clock(world: &dyn World, at: &Vantage, login: &Login) -> Result<String, Fault> {
    let ask = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'";
    let told = sql(world, at, login, ask, 1).await?;
    let cell = told.as_ref().ok().and_then(|all| cell(all));
    cell.ok_or_else(|| refused("lire l'heure du serveur", &told.err().map(|f| f.message).unwrap_or_default()))
}

/// Whether the table of that name is there and holds a row.
async fn holds(world: &dyn World, at: &Vantage, login: &Login, table: &str) -> Result<bool, Fault> {
    Ok(base::rows(world, at, login, table).await?.is_some_and(|rows| !rows.is_empty()))
}

/// Does it all.
pub async fn rewind(world: &dyn World, check: &Rewinds) -> Result<Rewound, Fault> {
    let login = base::enter(world, &check.store).await?;
    let seed = kit::draw(world, "rewinds");
    let tables = base::names(seed);
    let at = kit::inside(&check.store);
    write(world, &at, &login, &base::create(&tables, seed)).await?;
    let start = base::truth(world, &at, &login, &tables).await?;
    let place = kit::inside(&check.service);
    let copy = Exec { deadline: DEADLINE, ..Exec::new(&[&check.copy]) };
    let copied = world.exec(&place, copy).await?;
    if !copied.ok() {
        return Ok(Rewound { start, copied, asked: vec![], intact: true });
    }
    let mut asked = Vec::new();
    for step in 0..2 {
        write(world, &at, &login, &base::change(&tables, step, seed)).await?;
        let truth = base::truth(world, &at, &login, &tables).await?;
        let instant = clock(world, &at, &login).await?;
        asked.push(Asked { at: instant, truth, done: None, restored: Restored::default() });
        // What is written after the instant must be after it for whoever rounds it to the second.
        tokio::time::sleep(SPACING).await;
    }
    let (main, other) = &tables;
    let schema = other.split('.').next().unwrap_or_default();
    let after = format!("public.tp_apres_{:08x}", seed & 0xffff_ffff);
    let catastrophe = format!(
        "DROP TABLE {main}; DROP SCHEMA {schema} CASCADE; CREATE TABLE {after} (id int); INSERT INTO {after} VALUES (1)"
    );
    write(world, &at, &login, &catastrophe).await?;
    for (rank, one) in asked.iter_mut().enumerate() {
        let run = Exec { deadline: DEADLINE, ..Exec::new(&[&check.rewind, &one.at]) };
        let mut done = world.exec(&place, run).await?;
        let worked = done.ok();
        if worked && !done.out.is_empty() {
            let dump = std::mem::take(&mut done.out);
            let name = format!("instant-{}", rank + 1);
            one.restored = base::into_empty(world, &check.store, &name, &login, &tables, dump).await?;
        }
        one.done = Some(done);
        if !worked {
            break;
        }
    }
    let intact = holds(world, &at, &login, &after).await?;
    Ok(Rewound { start, copied, asked, intact })
}
