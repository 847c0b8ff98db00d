//! `rewinds`: a service that copies a database server and, from that copy and the archived write-ahead log, gives
//! the database back as it was at any instant.

mod judge;
mod run;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Cx, Experiments, Stage, backup, database, deep, kit, tell, world};
use crate::error::Fault;
use crate::event::Verdict;

/// A database given back as it was at an instant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rewinds {
    /// Service in which both commands are run.
    pub service: String,
    /// Command that makes a physical copy of the server.
    pub copy: String,
    /// Command that is given an instant and writes a dump to its standard output.
    pub rewind: String,
    /// PostgreSQL service.
    pub store: String,
}

#[async_trait]
impl Check for Rewinds {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(600)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = backup::base::absent(cx.world, &self.service, &self.store).await? {
            return tell::fail(miss);
        }
        let _alone = cx.memo.alone().await;
        let seen = run::rewind(cx.world, self).await?;
        Ok(judge::rewound(self, cx.world, &seen))
    }
}
