//! The site without an engine: a desk that answers at once, or when it is told to.

mod http;
mod runs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Bytes;
use tokio::sync::Semaphore;

use super::desk::{Container, Desk, Shell, Sink, Size, Stop};
use crate::error::Fault;
use crate::event::{Event, Inventory, RunFinished, Step, StepState};
use crate::lab::{self, Lab};

/// A desk whose runs say one line a permit, and end when told or cancelled.
#[derive(Default)]
pub struct Fake {
    /// One permit, one event; the tenth ends the run.
    pub go: Option<Arc<Semaphore>>,
    /// Panics in the run.
    pub is_broken: bool,
    /// What was noted.
    pub noted: Mutex<Vec<String>>,
    /// Runs that went through their clean-up.
    pub cleaned: Mutex<usize>,
}

/// Events of a run that nobody stops, its ending included.
pub const EVENTS: usize = 5;

impl Fake {
    fn note(&self, what: String) {
        self.noted.lock().expect("not poisoned").push(what);
    }
}

fn step(at: usize) -> Event {
    let name = format!("pas {at}");
    Event::Step(Step { text: name.clone(), name, state: StepState::Started, at_ms: 0 })
}

#[async_trait]
impl Desk for Fake {
    fn folder(&self, _lab: &str) -> Option<PathBuf> {
        None
    }

    fn hints(&self, _lab: &str, _dir: &Path) -> BTreeMap<String, usize> {
        BTreeMap::from([("dns-serveur".to_owned(), 1)])
    }

    fn note_hint(&self, lab: &str, check: &str, level: usize, _dir: &Path) {
        self.note(format!("{lab} {check} {level}"));
    }

    async fn check(&self, _lab: &Lab, dir: &Path, stop: Stop, sink: Sink) -> serde_json::Value {
        self.note(format!("check {}", dir.file_name().unwrap_or_default().to_string_lossy()));
        assert!(!self.is_broken, "broken on purpose");
        let work = async {
            for at in 0..EVENTS - 2 {
                if let Some(go) = &self.go {
                    go.acquire().await.expect("open").forget();
                }
                sink(step(at));
            }
        };
        let cancelled = tokio::select! {
            () = work => false,
            () = stop.asked() => true,
        };
        // The clean-up happens however it ends.
        tokio::task::yield_now().await;
        *self.cleaned.lock().expect("not poisoned") += 1;
        sink(Event::Cleaned(Inventory::default()));
        sink(Event::RunFinished(RunFinished { elapsed_ms: 1 }));
        serde_json::json!({"outcome": if cancelled { "cancelled" } else { "graded" }})
    }

    async fn containers(&self, folders: &[PathBuf]) -> Result<Vec<Container>, Fault> {
        let own = |folder: &PathBuf| Container {
            id: "c1".into(),
            name: "tp-1".into(),
            service: "api".into(),
            folder: folder.clone(),
        };
        Ok(folders.iter().map(own).collect())
    }

    async fn shell(&self, _container: &str, _size: Size) -> Result<Box<dyn Shell>, Fault> {
        Ok(Box::new(Echo(None)))
    }
}

/// A shell that says again what is typed, and ends at `q`.
struct Echo(Option<Bytes>);

#[async_trait]
impl Shell for Echo {
    async fn read(&mut self) -> Option<Bytes> {
        match self.0.take() {
            Some(said) if said.starts_with(b"q") => None,
            Some(said) => Some(said),
            None => std::future::pending().await,
        }
    }

    async fn write(&mut self, typed: &[u8]) -> std::io::Result<()> {
        self.0 = Some(Bytes::copy_from_slice(typed));
        Ok(())
    }

    async fn resize(&mut self, (columns, lines): Size) {
        self.0 = Some(format!("{columns}x{lines}").into());
    }

    async fn close(self: Box<Self>) {}
}

/// A real lab of the project.
pub fn lab(id: &str) -> Lab {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../labs");
    lab::load(&labs, id).expect("a lab of ours")
}
