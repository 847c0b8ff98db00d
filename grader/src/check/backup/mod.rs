//! `backup`: a service that dumps a database on demand, keeps the latest dumps only, and whose dumps
//! restore into an empty server.

pub(super) mod base;
pub(super) mod judge;
mod run;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use self::run::Calls;
use super::world;
use super::{Check, Cx, Experiments, Stage, database, deep, kit, tell};
use crate::error::Fault;
use crate::event::Verdict;

/// Which of the proofs is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Each call makes one file.
    Dump,
    /// The latest files only are kept.
    Rotation,
    /// A file restores into an empty server.
    Restore,
}

/// Dumps of a database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Backup {
    /// Which of the proofs is judged.
    pub proof: Proof,
    /// Service that dumps.
    pub service: String,
    /// Command that makes a dump, run in that service.
    pub command: String,
    /// Folder of the dumps, in that service.
    pub dir: String,
    /// Variable that says how many dumps are kept.
    pub keep: String,
    /// PostgreSQL service.
    pub store: String,
}

impl Backup {
    /// The experiment, made once whoever asks.
    async fn calls(&self, cx: &Cx<'_>) -> Result<Arc<Calls>, Fault> {
        cx.memo
            .once(&format!("backup:{}", self.service), async {
                let _alone = cx.memo.alone().await;
                run::calls(cx.world, self).await
            })
            .await
    }

    /// Command lines of the service's processes while it dumps; none when there is no such service.
    pub(super) async fn lines(&self, cx: &Cx<'_>) -> Result<Vec<String>, Fault> {
        if base::absent(cx.world, &self.service, &self.store).await?.is_some() {
            return Ok(Vec::new());
        }
        Ok(self.calls(cx).await?.lines.iter().cloned().collect())
    }
}

#[async_trait]
impl Check for Backup {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(420)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = base::absent(cx.world, &self.service, &self.store).await? {
            return tell::fail(miss);
        }
        let seen = self.calls(cx).await?;
        match self.proof {
            Proof::Dump => Ok(judge::dumps(self, cx.world, &seen)),
            Proof::Rotation => Ok(judge::rotation(self, cx.world, &seen)),
            Proof::Restore => {
                let restored = run::restore(cx.world, self, &seen).await?;
                Ok(judge::restored(self, cx.world, &seen, &restored))
            }
        }
    }
}
