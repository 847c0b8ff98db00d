//! A series of requests to the replicas of a service, and who answered.

use std::collections::BTreeMap;

use super::replicas::Replicas;
use super::{Card, Gate, HOST, kit, tell, token, who};
use crate::check::world::wire;
use crate::error::Fault;

/// What a series of requests gave.
pub(super) struct Round {
    /// Requests sent.
    pub sent: u32,
    /// What went wrong: told, how many times.
    pub failed: BTreeMap<String, u32>,
    /// Answers by host name of who gave them.
    pub by: BTreeMap<String, u32>,
    /// Answers that are no card of the service with the token of the round.
    pub odd: u32,
}

impl Round {
    /// Requests that got no answer of an application.
    pub fn failures(&self) -> u32 {
        self.failed.values().sum()
    }

    /// Requests to which no answer came in time.
    pub fn late(&self) -> u32 {
        let is_late = |what: &&String| what.contains("temps imparti") || what.contains("504");
        self.failed.keys().filter(is_late).filter_map(|what| self.failed.get(what)).sum()
    }

    /// What went wrong, and how often.
    pub fn told(&self) -> String {
        let parts: Vec<String> = self.failed.iter().map(|(what, n)| format!("{what} × {n}")).collect();
        parts.join(", ")
    }

    /// Of `names`, those that answered nothing.
    pub fn silent<'a>(&self, names: &'a [String]) -> Vec<&'a str> {
        names.iter().filter(|n| !self.by.contains_key(*n)).map(String::as_str).collect()
    }

    /// Who answered without being one of `names`.
    pub fn strangers(&self, names: &[String]) -> Vec<&str> {
        self.by.keys().filter(|n| !names.contains(n)).map(String::as_str).collect()
    }
}

impl Replicas {
    /// Sends so many requests with a token of their own.
    pub(super) async fn send(
        &self,
        gate: &Gate<'_>,
        salt: &str,
        count: u32,
        spacing_ms: u64,
    ) -> Result<Round, Fault> {
        let token = token(gate.world, salt);
        let mut request = gate.plain(self.port, HOST, &who(&format!("/{}", self.service), &token));
        request.timeout_ms = 10_000;
        let many = wire::HttpMany {
            request,
            count,
            concurrency: 6,
            spacing_ms,
            keep_bodies: true,
            keep_headers: Vec::new(),
            timeout_ms: 75_000,
        };
        let (seen, _) = kit::http_many(gate.world, &gate.from, many).await?;
        let seen = seen.map_err(|failure| kit::probe_fault(&failure))?;
        if seen.not_begun > 0 && seen.by_failure.is_empty() {
            return Err(kit::noise("les appels n'ont pas tous pu être envoyés à temps"));
        }
        let count = count.saturating_sub(u32::try_from(seen.not_begun).unwrap_or(count));
        let mut round = Round { sent: count, failed: BTreeMap::new(), by: BTreeMap::new(), odd: 0 };
        for one in &seen.each {
            let card = one.body.as_deref().and_then(Card::read);
            match (one.status, &one.failure, card) {
                (Some(200), None, Some(card)) if card.application == self.service && card.jeton == token => {
                    *round.by.entry(card.instance).or_default() += 1;
                }
                (Some(200), None, _) => round.odd += 1,
                (Some(200) | None, Some(failure), _) => {
                    *round.failed.entry(tell::why(failure)).or_default() += 1;
                }
                (status, _, _) => {
                    let told = format!("code {}", status.unwrap_or_default());
                    *round.failed.entry(told).or_default() += 1;
                }
            }
        }
        Ok(round)
    }
}
