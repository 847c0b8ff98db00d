//! A judged stack that stays up.

use serde::{Deserialize, Serialize};

/// What one needs to know to look around in a stack that stays up after its verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    /// Compose project.
    pub project: String,
    /// Its services.
    pub services: Vec<KeptService>,
    /// Its networks, by their names on the engine.
    pub networks: Vec<String>,
    /// Since the start of the run, milliseconds.
    pub at_ms: u64,
}

/// A service of a stack that stays up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeptService {
    /// Name.
    pub service: String,
    /// Whether a container of it runs.
    pub running: bool,
    /// Published ports: port in the container, address on this machine.
    pub published: Vec<(u16, String)>,
}
