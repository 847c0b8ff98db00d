//! What the filtered engine shows of a run: the words that the grader gives to `grader-probe engine`.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One copy of a student's stack, and how it is named on the student's own machine.
///
/// Maps go from the name in force to the name shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineView {
    /// Compose project of the run; nothing of another project is ever shown.
    pub project: String,
    /// Compose project of the student.
    pub shown_project: String,
    /// Networks that are shown; others are not.
    pub networks: BTreeMap<String, String>,
    /// Volumes that are shown.
    pub volumes: BTreeMap<String, String>,
    /// Images under another name.
    pub images: BTreeMap<String, String>,
    /// `container_name` of services.
    pub containers: BTreeMap<String, String>,
    /// Services of the grader's own, that are not shown.
    pub hidden_services: BTreeSet<String>,
    /// Labels that begin so are not shown.
    pub hidden_labels: Vec<String>,
    /// Volumes of the grader's own, shown as folders of the machine.
    pub hidden_volumes: BTreeSet<String>,
    /// Services of which each container is shown so many times more, under other ids and names.
    pub amplify: BTreeMap<String, u32>,
    /// Further names of the socket in its folder.
    pub also: BTreeSet<String>,
}
