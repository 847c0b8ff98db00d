//! The reachability matrix.

use serde::{Deserialize, Serialize};

/// Who sees whom: rows are vantage points, columns are targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reach {
    /// Vantage services, in order.
    pub from: Vec<String>,
    /// Targets.
    pub to: Vec<ReachTarget>,
    /// `cells[row][column]`.
    pub cells: Vec<Vec<ReachCell>>,
    /// Milliseconds for the whole matrix.
    pub elapsed_ms: u64,
}

/// A column of the matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReachTarget {
    /// Service name.
    pub service: String,
    /// TCP port.
    pub port: u16,
}

/// A cell of the matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReachCell {
    /// Same service.
    Itself,
    /// Reached, by this network.
    Reached {
        /// Network key of the student's file.
        network: String,
    },
    /// The name does not resolve from there and no address answers.
    Apart,
    /// A network is shared, but nothing accepts the connection.
    Closed,
    /// Could not be observed.
    Unknown,
}
