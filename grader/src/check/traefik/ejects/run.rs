//! The traffic, the cut, the repair.

use std::time::Duration;

use super::super::gate::Gate;
use super::world::wire;
use super::{Ejects, Replica, kit, tell};
use crate::error::Fault;

/// Between two requests of the traffic, milliseconds.
const SPACING_MS: u64 = 80;
/// The traffic goes on for that long before the replica is made sick.
const LEAD: Duration = Duration::from_millis(1_500);
/// Requests of the controls.
const SAMPLE: u32 = 24;
/// What the traffic showed.
pub(super) struct Seen {
    /// Requests begun after the window.
    pub late: u64,
    /// Of those, the failed ones: how long after the cut, what came.
    pub failed: Vec<(Duration, String)>,
    /// Requests that failed within the window.
    pub tolerated: u64,
    /// What the sick replica itself answered to the path, asked directly.
    pub sick: Result<u16, String>,
    /// Whether it was given requests again once healed.
    pub back: bool,
}

impl Ejects {
    fn many(&self, gate: &Gate<'_>, count: u32, spacing_ms: u64) -> wire::HttpMany {
        let mut request = gate.secure(self.port, &self.host, &self.path);
        request.timeout_ms = 6_000;
        wire::HttpMany {
            request,
            count,
            concurrency: 128,
            spacing_ms,
            keep_bodies: false,
            keep_headers: Vec::new(),
            timeout_ms: spacing_ms * u64::from(count) + 20_000,
        }
    }

    /// Requests that are all served, of which this replica has its part.
    pub(super) async fn serves(
        &self,
        gate: &Gate<'_>,
        replica: &Replica,
    ) -> Result<Result<(), String>, Fault> {
        let world = gate.world;
        let before = self.counted().of(world, replica).await?;
        let (seen, _) = kit::http_many(world, &gate.from, self.many(gate, SAMPLE, 10)).await?;
        let seen = seen.map_err(|failure| kit::probe_fault(&failure))?;
        let served = seen.by_status.get(&200).copied().unwrap_or(0);
        if served < u64::from(SAMPLE) {
            return Ok(Err(format!(
                "{} appels sur {SAMPLE} n'ont pas eu de réponse 200",
                u64::from(SAMPLE) - served
            )));
        }
        let after = self.counted().of(world, replica).await?;
        Ok(match (before, after) {
            (Ok(before), Ok(after)) if after > before => Ok(()),
            (Ok(_), Ok(_)) => Err(format!("« {} » ne reçoit aucun appel", replica.name)),
            (Err(why), _) | (_, Err(why)) => Err(why),
        })
    }

    /// Traffic, cut, traffic, repair.
    pub(super) async fn observe(
        &self,
        gate: &Gate<'_>,
        victim: &Replica,
        links: &[String],
        window: Duration,
    ) -> Result<Seen, Fault> {
        let world = gate.world;
        let during = self.send(gate, LEAD + window);
        let cut = async {
            tokio::time::sleep(LEAD).await;
            let mut at = 0;
            for network in links {
                at = world.unplug(&victim.id, network).await?;
            }
            tokio::time::sleep(window).await;
            Ok::<_, Fault>(at)
        };
        let (during, cut) = tokio::join!(during, cut);
        // Whatever the machine made of the first ones, these all begin after the window.
        let mut ask = wire::Http::get(victim.ip.to_string(), self.to_port, &self.path);
        ask.timeout_ms = 5_000;
        let via = kit::inside(&self.via);
        let (after, sick) = tokio::join!(self.send(gate, self.hold.0), kit::http(world, &via, ask));
        for network in links {
            world.plug(&victim.id, network).await?;
        }
        let (during, after, cut_us) = (during?, after?, cut?);
        // It must be sick, or nothing is proven.
        let sick = match sick?.0 {
            Ok(answer) => Ok(answer.status),
            Err(failure) => Err(tell::why(&failure)),
        };
        let mut seen = Seen { late: 0, failed: Vec::new(), tolerated: 0, sick, back: false };
        for one in during.iter().chain(&after) {
            seen.count(one, cut_us, window);
        }
        let again = kit::patiently(
            window + Duration::from_secs(5),
            |done: &Result<(), String>| done.is_ok(),
            || self.serves(gate, victim),
        );
        seen.back = again.await?.is_ok();
        Ok(seen)
    }

    /// Requests at a steady rhythm, for about that long.
    async fn send(&self, gate: &Gate<'_>, length: Duration) -> Result<Vec<wire::HttpManyOne>, Fault> {
        let count = u32::try_from(length.as_millis() / u128::from(SPACING_MS)).unwrap_or(u32::MAX);
        let (seen, _) = kit::http_many(gate.world, &gate.from, self.many(gate, count, SPACING_MS)).await?;
        let seen = seen.map_err(|failure| kit::probe_fault(&failure))?;
        if seen.not_begun > 0 {
            return Err(kit::noise("les appels n'ont pas tous pu être envoyés à temps"));
        }
        Ok(seen.each)
    }
}

impl Seen {
    /// Counts one request.
    fn count(&mut self, one: &wire::HttpManyOne, cut_us: i64, window: Duration) {
        let since = i64::try_from(one.at_us).unwrap_or(i64::MAX) - cut_us;
        let since = Duration::from_micros(u64::try_from(since).unwrap_or(0));
        let bad = match (one.status, &one.failure) {
            (Some(status), _) if (200..300).contains(&status) => None,
            (Some(status), _) => Some(format!("code {status}")),
            (None, Some(failure)) => Some(tell::why(failure)),
            (None, None) => None,
        };
        if since > window {
            self.late += 1;
            self.failed.extend(bad.map(|what| (since, what)));
        } else if bad.is_some() {
            self.tolerated += 1;
        }
    }
}
