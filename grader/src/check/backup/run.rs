//! The experiment: rows are written and change between the calls; then one of the dumps is restored.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::base::{self, Restored, Truth, refused, sql};
use super::database::Login;
use super::deep::{Exec, Executed};
use super::world::World;
use super::{Backup, kit};
use crate::error::Fault;

/// Between the beginnings of two calls: names are often made of the second.
const SPACING: Duration = Duration::from_millis(2_100);
/// Between two looks at the processes of a call.
const LOOK: Duration = Duration::from_millis(20);
/// Command lines that are kept.
const MOST_LINES: usize = 400;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// What the command did.
    pub done: Executed,
    /// Files that were not there before.
    pub new: Vec<String>,
    /// What the tables held just before.
    pub truth: Truth,
}

/// All the calls.
#[derive(Clone, Debug)]
pub struct Calls {
    /// Dumps to keep.
    pub keep: usize,
    /// The calls, in order.
    pub each: Vec<Call>,
    /// Files that are there in the end.
    pub left: Vec<String>,
    /// Files that were there before the first call.
    pub before: Vec<String>,
    /// Command lines of the service's processes during the calls, each once.
    pub lines: BTreeSet<String>,
    /// Names of the tables.
    pub tables: (String, String),
    /// How the database is entered.
    pub login: Login,
}

impl Calls {
    /// The call whose dump is restored, and that dump: the oldest that is left of those of our calls.
    pub fn chosen(&self) -> Option<(&Call, &str)> {
        self.each.iter().find_map(|call| {
            let file = call.new.iter().find(|file| self.left.contains(file))?;
            Some((call, file.as_str()))
        })
    }
}

async fn listing(world: &dyn World, check: &Backup) -> Result<Vec<String>, Fault> {
    let mut found = world.list_inside(&check.service, &check.dir).await?.unwrap_or_default();
    // What is being written is not a dump yet.
    found.retain(|name| !name.starts_with('.') && name != "lost+found");
    Ok(found)
}

/// Awaits `call` while the command lines of the service's processes are gathered: those of a dump
/// live for an instant.
async fn watched<T>(
    world: &dyn World,
    service: &str,
    lines: &mut BTreeSet<String>,
    call: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let watch = async {
        loop {
            let seen = match world.processes(service).await {
                Ok(seen) => seen,
                Err(fault) => break fault,
            };
            lines.extend(seen.into_iter().take(MOST_LINES.saturating_sub(lines.len())));
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        fault = watch => Err(fault),
        done = call => done,
    }
}

/// Calls the command as often as needed to see files go.
pub async fn calls(world: &dyn World, check: &Backup) -> Result<Calls, Fault> {
    let login = base::enter(world, &check.store).await?;
    let seed = kit::draw(world, "backup");
    let tables = base::names(seed);
    // Never three: it is what the statement shows.
    let keep = [2, 4, 5][usize::try_from((seed >> 33) % 3).unwrap_or(0)];
    let at = kit::inside(&check.store);
    if let Err(failure) = sql(world, &at, &login, &base::create(&tables, seed), 1).await? {
        return Err(refused("écrire des lignes dans la base", &failure.message));
    }
    let before = listing(world, check).await?;
    let mut known: BTreeSet<String> = before.iter().cloned().collect();
    let mut each = Vec::new();
    let mut lines = BTreeSet::new();
    let mut left = before.clone();
    for call in 0..keep + 2 {
        let start = Instant::now();
        if let Err(failure) = sql(world, &at, &login, &base::change(&tables, call, seed), 1).await? {
            return Err(refused("changer des lignes de la base", &failure.message));
        }
        let truth = base::truth(world, &at, &login, &tables).await?;
        let run = Exec { env: vec![(check.keep.clone(), keep.to_string())], ..Exec::new(&[&check.command]) };
        let at = kit::inside(&check.service);
        let done = watched(world, &check.service, &mut lines, world.exec(&at, run)).await?;
        left = listing(world, check).await?;
        let new: Vec<String> = left.iter().filter(|name| !known.contains(*name)).cloned().collect();
        known.extend(left.iter().cloned());
        let worked = done.ok();
        each.push(Call { done, new, truth });
        if !worked {
            break;
        }
        tokio::time::sleep_until(start + SPACING).await;
    }
    Ok(Calls { keep, each, left, before, lines, tables, login })
}

/// Restores the oldest dump that is left into an empty server.
pub async fn restore(world: &dyn World, check: &Backup, calls: &Calls) -> Result<Restored, Fault> {
    let Some((_, file)) = calls.chosen() else { return Ok(Restored::default()) };
    let path = format!("{}/{file}", check.dir.trim_end_matches('/'));
    let got = world.exec(&kit::inside(&check.service), Exec::new(&["cat", &path])).await?;
    if !got.ok() {
        return Ok(Restored { said: got.err, ..Restored::default() });
    }
    base::into_empty(world, &check.store, "restauration", &calls.login, &calls.tables, got.out).await
}
