//! `up`: the stack builds, starts and gets ready.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Cx, Experiments, Stage};
use crate::error::Fault;
use crate::event::Verdict;

/// The stack builds, starts and gets ready.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Up {
    /// Services that must run at the end.
    pub services: Vec<String>,
}

#[async_trait]
impl Check for Up {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    async fn judge(&self, _cx: &Cx<'_>) -> Result<Verdict, Fault> {
        Ok(Verdict::Pass { facts: vec![] })
    }
}
