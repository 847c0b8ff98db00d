//! The engine's events: those of our containers, and every change of a network on the engine.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connect::Engine;
use super::labels;
use super::session::SESSION;
use crate::check::world::Happening;

/// An event about a container of the session.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub at_us: i64,
    pub container: String,
    pub project: String,
    pub service: String,
    pub what: Happening,
}

#[derive(Default)]
struct Log {
    events: Vec<Seen>,
    /// Containers of which nothing is told any more.
    forgotten: HashSet<String>,
    last_network_change: Option<Instant>,
    broken: Option<String>,
}

/// Follows the engine's events from its creation to its drop.
pub(super) struct Watch {
    log: Arc<Mutex<Log>>,
    changed: watch::Receiver<u64>,
    tasks: Vec<JoinHandle<()>>,
    started: Instant,
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Watch {
    /// Subscribes for one session.
    pub fn start(engine: &Engine, session: &str) -> Self {
        let log = Arc::new(Mutex::new(Log::default()));
        let (tx, changed) = watch::channel(0);
        let tx = Arc::new(tx);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let list = |items: &[&str]| items.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let containers = HashMap::from([
            ("type".to_owned(), list(&["container"])),
            ("label".to_owned(), vec![format!("{SESSION}={session}")]),
            ("event".to_owned(), list(&["create", "start", "die", "health_status"])),
        ]);
        let networks = HashMap::from([
            ("type".to_owned(), list(&["network"])),
            ("event".to_owned(), list(&["create", "destroy", "remove"])),
        ]);
        let tasks = [containers, networks]
            .into_iter()
            .map(|filters| {
                let docker = engine.docker.clone();
                let (log, tx, since) = (Arc::clone(&log), Arc::clone(&tx), since.clone());
                tokio::spawn(async move {
                    let options = EventsOptionsBuilder::new().since(&since).filters(&filters).build();
                    let mut stream = docker.events(Some(options));
                    while let Some(message) = stream.next().await {
                        match message {
                            Ok(message) => record(&log, message),
                            Err(e) => {
                                lock(&log).broken = Some(e.to_string());
                                break;
                            }
                        }
                        tx.send_modify(|n| *n += 1);
                    }
                    tx.send_modify(|n| *n += 1);
                })
            })
            .collect();
        Self { log, changed, tasks, started: Instant::now() }
    }

    /// Events of one Compose project, in the engine's order.
    pub fn of_project(&self, project: &str) -> Vec<Seen> {
        lock(&self.log).events.iter().filter(|e| e.project == project).cloned().collect()
    }

    /// Tells nothing more of these containers, past or to come: others take their place.
    pub fn forget(&self, containers: &[String]) {
        let mut log = lock(&self.log);
        log.forgotten.extend(containers.iter().cloned());
        let Log { events, forgotten, .. } = &mut *log;
        events.retain(|e| !forgotten.contains(&e.container));
    }

    /// Why the stream of events broke, if it did.
    pub fn broken(&self) -> Option<String> {
        lock(&self.log).broken.clone()
    }

    /// Waits for the next event of any kind, at most `patience`.
    pub async fn next(&self, patience: Duration) {
        let mut changed = self.changed.clone();
        changed.borrow_and_update();
        let _ = tokio::time::timeout(patience, changed.changed()).await;
    }

    /// Waits for a moment without any network change for at least `calm`; false when there was
    /// none within `patience`.
    pub async fn quiet(&self, calm: Duration, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let last = lock(&self.log).last_network_change.unwrap_or(self.started);
            let since = last.elapsed();
            if since >= calm {
                return self.broken().is_none();
            }
            let rest = calm.saturating_sub(since);
            if Instant::now() + rest > deadline {
                return false;
            }
            self.next(rest).await;
        }
    }
}

fn record(log: &Mutex<Log>, message: EventMessage) {
    let action = message.action.unwrap_or_default();
    let actor = message.actor.unwrap_or_default();
    let is_network = matches!(message.typ, Some(bollard::models::EventMessageTypeEnum::NETWORK));
    let mut log = lock(log);
    if is_network {
        log.last_network_change = Some(Instant::now());
        return;
    }
    let attributes = actor.attributes.unwrap_or_default();
    let get = |key: &str| attributes.get(key).cloned().unwrap_or_default();
    let what = match action.as_str() {
        "create" => Happening::Created,
        "start" => Happening::Started,
        "die" => Happening::Died(get("exitCode").parse().unwrap_or(-1)),
        "health_status: healthy" => Happening::Healthy,
        "health_status: unhealthy" => Happening::Unhealthy,
        _ => return,
    };
    let seen = Seen {
        at_us: message.time_nano.unwrap_or_default() / 1000,
        container: actor.id.unwrap_or_default(),
        project: get(labels::PROJECT),
        service: get(labels::SERVICE),
        what,
    };
    if log.forgotten.contains(&seen.container) {
        return;
    }
    // The engine may deliver two events of one instant out of order.
    let at = log.events.partition_point(|e| e.at_us <= seen.at_us);
    log.events.insert(at, seen);
}
