//! How much a project may ask for at all, and the names that the grader keeps for itself.

use super::Judge;
use crate::compose::model::entries;
use crate::compose::rewrite::{REPLICAS, replicas};

/// Containers of all services together.
const CONTAINERS: u64 = 100;
/// Networks.
const NETWORKS: usize = 50;

/// False when there is too much to look at the rest.
pub(super) fn judge(judge: &mut Judge<'_>) -> bool {
    let tree = judge.tree;
    let containers: u64 = entries(tree, "services").map(|(_, s)| replicas(s).clamp(1, REPLICAS)).sum();
    if containers > CONTAINERS {
        judge.refuse("services-many", &["services"], &containers.to_string());
        return false;
    }
    let networks = entries(tree, "networks").count();
    if networks > NETWORKS {
        judge.refuse("networks-many", &["networks"], &networks.to_string());
        return false;
    }
    for (family, ours) in [("services", "tp-relay"), ("networks", "tp_relay"), ("volumes", "tp-engine")] {
        for (name, _) in entries(tree, family).filter(|(name, _)| name.starts_with(ours)) {
            judge.refuse("name-reserved", &[family, name], name);
        }
    }
    true
}
