//! Instants that were measured, with their bounds, for reports that draw them.

use serde::{Deserialize, Serialize};

/// Measured instants after a stimulus. Every duration is in real time: what was measured in
/// divided time is multiplied again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timeline {
    /// French: what happened at time zero (« arrêt de « api » »).
    pub zero: String,
    /// By what the durations were divided while they were measured; 1 when they were not.
    pub factor: u32,
    /// What the lab asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Stretch>,
    /// What the student's own configuration promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Stretch>,
    /// The instants, in the order in which they are told.
    pub moments: Vec<Moment>,
}

/// A stretch of time, milliseconds from time zero, bounds included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stretch {
    /// Beginning.
    pub from_ms: u64,
    /// End.
    pub to_ms: u64,
}

/// One instant, as far as observation can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Moment {
    /// Stable English key: `stopped`, `scrape-failed`, `pending`, `firing`, `started`, `resolved`.
    pub key: String,
    /// French: what happened then.
    pub text: String,
    /// Last moment at which it was seen not to have happened yet, milliseconds from time zero.
    pub after_ms: u64,
    /// First moment at which it was seen; `None` when it was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// What the observed program itself says of that instant, when it says something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_ms: Option<i64>,
}
