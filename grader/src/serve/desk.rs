//! What the site asks of the rest of the program: to check, to remember, to open a terminal. The command line
//! answers with the engine; tests answer without one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::watch;

use crate::error::Fault;
use crate::event::Event;
use crate::lab::Lab;

/// Receives the events of a run, in order.
pub type Sink = Arc<dyn Fn(Event) + Send + Sync>;

/// Asks a run to end early.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A request that is not made yet, and the way to make it.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (ask, asked) = watch::channel(false);
        (ask, Self(asked))
    }

    /// Resolves once it is asked.
    pub async fn asked(mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // Nobody is left to ask.
            std::future::pending::<()>().await;
        }
    }
}

/// A running container of the student's own project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Service of the Compose file.
    pub service: String,
    /// Folder of the project.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// Columns and lines of a terminal.
pub type Size = (u16, u16);

/// A shell with a terminal, in a container. Dropped without [`Shell::close`], it may go on running there.
#[async_trait]
pub trait Shell: Send {
    /// What it writes; `None` once it has ended. Dropping the future loses nothing.
    async fn read(&mut self) -> Option<Bytes>;
    /// What is typed.
    async fn write(&mut self, typed: &[u8]) -> std::io::Result<()>;
    /// The window changed.
    async fn resize(&mut self, size: Size);
    /// Ends the shell.
    async fn close(self: Box<Self>);
}

/// The rest of the program.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Folder in which the student works on a lab, as far as it is known.
    fn folder(&self, lab: &str) -> Option<PathBuf>;

    /// Highest level of hint already read, by check.
    fn hints(&self, lab: &str, dir: &Path) -> BTreeMap<String, usize>;

    /// Notes that a hint was read.
    fn note_hint(&self, lab: &str, check: &str, level: usize, dir: &Path);

    /// Checks a folder: everything that it says goes to `sink`, everything that it made is removed when it
    /// returns. Gives the report, as `--format json` does.
    async fn check(&self, lab: &Lab, dir: &Path, stop: Stop, sink: Sink) -> serde_json::Value;

    /// Running containers of the Compose projects of exactly these folders.
    async fn containers(&self, folders: &[PathBuf]) -> Result<Vec<Container>, Fault>;

    /// Opens a shell in one of them.
    async fn shell(&self, container: &str, size: Size) -> Result<Box<dyn Shell>, Fault>;
}
