//! Waiting until what has started also listens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use super::{Ctx, Stop};
use crate::check::world::{Vantage, World, wire};
use crate::engine::StackWorld;
use crate::time::strain;

/// Waits, within bounds, until the ports that the experiments use are listened to, and at least
/// one exposed port of each other service without a health check.
pub(super) async fn listen(cx: &Ctx<'_>, world: &StackWorld) -> Result<(), Stop> {
    let experiments = &cx.lab.experiments;
    let mut wanted: BTreeMap<String, (BTreeSet<u16>, Duration)> = BTreeMap::new();
    let requests = experiments
        .cache
        .iter()
        .map(|c| &c.request)
        .chain(experiments.traffic.iter().map(|t| &t.metrics))
        .chain(experiments.outage.iter().filter_map(|o| o.request.as_ref()));
    for request in requests {
        wanted
            .entry(request.service.clone())
            .or_insert((BTreeSet::new(), Duration::from_secs(15)))
            .0
            .insert(request.port);
    }
    for (name, declared) in &world.declared.services {
        if declared.healthcheck.is_none() && !wanted.contains_key(name) {
            for instance in world.instances(name).await? {
                if !instance.exposed.is_empty() {
                    let ports = instance.exposed.iter().copied().collect();
                    wanted.insert(name.clone(), (ports, Duration::from_secs(5)));
                }
            }
        }
    }
    join_all(
        wanted.iter().map(|(service, (ports, patience))| wait_listening(world, service, ports, *patience)),
    )
    .await;
    Ok(())
}

/// Polls until one of `ports` accepts a connection; what never does is the checks' business.
async fn wait_listening(world: &StackWorld, service: &str, ports: &BTreeSet<u16>, patience: Duration) {
    let deadline = tokio::time::Instant::now() + patience.mul_f64(strain());
    let mut pause = Duration::from_millis(20);
    while tokio::time::Instant::now() < deadline {
        let targets: Vec<wire::Target> = ports
            .iter()
            .map(|port| wire::Target { label: port.to_string(), host: "127.0.0.1".into(), port: *port })
            .collect();
        let ask = wire::Ask::Matrix(wire::Matrix { targets, timeout_ms: 1_000 });
        let Ok(answer) = world.ask(&Vantage::Service(service.to_owned()), ask).await else { return };
        if let wire::Outcome::Matrix(matrix) = answer.outcome
            && matrix.results.iter().any(|r| matches!(r.outcome, wire::TcpOutcome::Connected(_)))
        {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
