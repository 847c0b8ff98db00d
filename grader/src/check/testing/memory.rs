//! What the fake stack remembers from one question to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::check::world::TwinPlan;

/// What the fake stack remembers.
#[derive(Default)]
pub struct Memory {
    /// Redis: key to value and end of life.
    pub redis: BTreeMap<String, (String, Option<Instant>)>,
    /// A value that the API keeps in its own memory.
    pub own: Option<String>,
    /// Calls of `/api/data`.
    pub calls: u64,
    /// Requests counted, by path.
    pub counted: BTreeMap<String, u64>,
    /// Seconds observed, by path.
    pub seconds: BTreeMap<String, f64>,
    /// PostgreSQL tables.
    pub tables: BTreeMap<String, String>,
    /// Frozen services, with the instant of the freeze.
    pub frozen: BTreeMap<String, Instant>,
    /// Connections that leak before isolation holds.
    pub leaks: u32,
    /// Generation of each service (raised by `recreate`).
    pub generation: BTreeMap<String, u32>,
    /// Twins started.
    pub twins: Vec<TwinPlan>,
    /// Containers cut off or suspended: since when and until when, unix microseconds.
    pub cut: BTreeMap<String, (i64, Option<i64>)>,
    /// Alerts given to Alertmanager, as it was given them.
    pub given: Vec<serde_json::Value>,
    /// Service, since when and until when it was ended, since the world was made.
    pub ended: Vec<(String, Duration, Option<Duration>)>,
    /// What was sent by TCP.
    pub sent: Vec<String>,
}
