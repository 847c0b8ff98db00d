//! What several checks of one copy share.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard, OnceCell, watch};

use crate::error::{Fault, FaultKind};

/// Runs an experiment once and lets several checks judge it.
#[derive(Default)]
pub struct Memo {
    cells: Mutex<HashMap<String, Cell>>,
    alone: Mutex<()>,
    made: watch::Sender<()>,
}

/// One shared result.
type Cell = Arc<OnceCell<Arc<dyn Any + Send + Sync>>>;

impl Memo {
    /// Held by whatever drives or breaks the copy, so that two of them never overlap.
    pub async fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().await
    }

    /// Waits until there is a result under each of `keys`.
    pub async fn wait(&self, keys: &[String]) {
        let mut made = self.made.subscribe();
        loop {
            let known = {
                let cells = self.cells.lock().await;
                keys.iter().all(|key| cells.get(key).is_some_and(|cell| cell.initialized()))
            };
            if known || made.changed().await.is_err() {
                return;
            }
        }
    }

    /// The result under `key`, made by `make` the first time. Concurrent callers wait.
    pub async fn once<T, F>(&self, key: &str, make: F) -> Result<Arc<T>, Fault>
    where
        T: Any + Send + Sync,
        F: Future<Output = Result<T, Fault>>,
    {
        let cell = self.cells.lock().await.entry(key.to_owned()).or_default().clone();
        let any = cell
            .get_or_try_init(|| async { make.await.map(|v| Arc::new(v) as Arc<dyn Any + Send + Sync>) })
            .await?
            .clone();
        self.made.send_modify(|()| ());
        any.downcast::<T>().map_err(|_| {
            Fault::new(
                FaultKind::Bug,
                format!("l'expérience « {key} » a deux types"),
                "signalez ce défaut du correcteur",
            )
        })
    }
}
