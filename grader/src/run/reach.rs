//! The reachability matrix: which service sees which, by which network, on which port.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::Ctx;
use crate::check::world::{Instance, State, Vantage, World, wire};
use crate::event::{Event, Reach, ReachCell, ReachTarget};
use crate::time::strain;

/// Longest connection attempt of a cell, on a quiet machine.
const CELL: Duration = Duration::from_millis(500);

/// Observes the matrix and emits it; a probe that fails leaves its row unknown.
pub(super) async fn draw(cx: &Ctx<'_>, world: &dyn World) {
    let start = Instant::now();
    let mut running: Vec<Instance> = Vec::new();
    for service in world.declared().services.keys() {
        if let Ok(instances) = world.instances(service).await {
            running.extend(instances.into_iter().find(|i| i.state == State::Running));
        }
    }
    let to: Vec<(usize, ReachTarget)> = running
        .iter()
        .enumerate()
        .flat_map(|(i, instance)| {
            let ports = ports(cx, instance);
            ports.into_iter().map(move |port| (i, ReachTarget { service: instance.service.clone(), port }))
        })
        .collect();
    let rows = join_all(running.iter().map(|from| row(world, from, &running, &to))).await;
    let reach = Reach {
        from: running.iter().map(|i| i.service.clone()).collect(),
        to: to.into_iter().map(|(_, target)| target).collect(),
        cells: rows,
        elapsed_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    cx.emit(Event::Reach(reach));
}

/// Ports worth asking: those that the image exposes and those that the lab speaks of.
fn ports(cx: &Ctx<'_>, instance: &Instance) -> Vec<u16> {
    let mut ports = instance.exposed.clone();
    let experiments = &cx.lab.experiments;
    let requests =
        experiments.cache.iter().map(|c| &c.request).chain(experiments.traffic.iter().map(|t| &t.metrics));
    ports.extend(requests.filter(|r| r.service == instance.service).map(|r| r.port));
    ports.sort_unstable();
    ports.dedup();
    ports.truncate(4);
    ports
}

/// One vantage point: every address that it may reach, at once.
async fn row(
    world: &dyn World,
    from: &Instance,
    running: &[Instance],
    to: &[(usize, ReachTarget)],
) -> Vec<ReachCell> {
    let mut targets = Vec::new();
    for (column, (index, target)) in to.iter().enumerate() {
        for attachment in &running[*index].attachments {
            // Elsewhere than on a common network, whoever answers may be no container at all (see
            // `check::apart::decoy`). A container without a network of its own is asked everything.
            let mut own = from.attachments.iter();
            if !from.attachments.is_empty() && !own.any(|b| b.network == attachment.network) {
                continue;
            }
            if let Some(ip) = attachment.ip {
                targets.push((
                    column,
                    attachment.network.clone(),
                    wire::Target { label: column.to_string(), host: ip.to_string(), port: target.port },
                ));
            }
        }
    }
    let ask = wire::Ask::Matrix(wire::Matrix {
        targets: targets.iter().map(|(_, _, t)| t.clone()).collect(),
        timeout_ms: u64::try_from(CELL.mul_f64(strain()).as_millis()).unwrap_or(u64::MAX),
    });
    let results = match world.ask(&Vantage::Service(from.service.clone()), ask).await {
        Ok(wire::Answer { outcome: wire::Outcome::Matrix(matrix), .. }) => matrix.results,
        _ => Vec::new(),
    };
    to.iter()
        .enumerate()
        .map(|(column, (index, target))| {
            if target.service == from.service {
                return ReachCell::Itself;
            }
            if results.len() != targets.len() {
                return ReachCell::Unknown;
            }
            let reached = targets
                .iter()
                .zip(&results)
                .find(|((c, _, _), r)| *c == column && matches!(r.outcome, wire::TcpOutcome::Connected(_)));
            if let Some(((_, network, _), _)) = reached {
                return ReachCell::Reached { network: network.clone() };
            }
            let shared = running[*index]
                .attachments
                .iter()
                .any(|a| from.attachments.iter().any(|b| a.network == b.network));
            if shared { ReachCell::Closed } else { ReachCell::Apart }
        })
        .collect()
}
