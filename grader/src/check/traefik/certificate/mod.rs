//! `certificate`: the certificate that the reverse proxy presents for a host, as presented.

mod leaf;
mod misses;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::gate::Gate;
use super::world::wire;
use super::{Check, Cx, Experiments, Stage, check_host, kit, port_https, said, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::Span;
pub use leaf::Leaf;

/// The certificate presented for each of the names asked.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Certificate {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host asked for first.
    pub host: String,
    /// Common name that its subject must have.
    pub subject: String,
    /// DNS names that it must carry; it is asked for under each of them.
    pub names: Vec<String>,
    /// How long it must still be valid.
    pub valid: Span,
}

/// Traefik may still be reading its certificates, or a job may be making them.
const PATIENCE: Duration = Duration::from_secs(8);

/// What was presented for one name.
#[derive(Clone, Debug)]
struct Shown {
    name: String,
    seen: wire::TlsSeen,
    leaf: Leaf,
}

impl Certificate {
    /// Host first, then the other names, each once.
    fn asked(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let all = std::iter::once(&self.host).chain(&self.names).map(String::as_str);
        all.filter(|n| seen.insert(*n)).collect()
    }

    /// True when nothing can be said against it.
    fn is_right(&self, leaf: &Leaf, now: i64) -> bool {
        self.flaw(leaf, now).is_none()
    }
}

#[async_trait]
impl Check for Certificate {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.names.is_empty() || self.subject.is_empty() {
            return Err("certificate veut subject et names".into());
        }
        self.asked().into_iter().try_for_each(|n| check_host("certificate.names", n))
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let gate = match Gate::open(cx.world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let mut facts = Vec::new();
        let mut shown: Vec<Shown> = Vec::new();
        for name in self.asked() {
            let now = jiff::Timestamp::now().as_second();
            let good = |seen: &Result<wire::TlsAnswer, wire::Failure>| {
                let first = seen.as_ref().ok().and_then(|a| a.seen.chain.first());
                first.and_then(|c| Leaf::read(c).ok()).is_some_and(|l| self.is_right(&l, now))
            };
            let answer = match kit::patiently(PATIENCE, good, || gate.shake(self.port, Some(name))).await? {
                Ok(answer) => answer,
                Err(failure) => {
                    return tell::fail(Miss { facts, ..self.unshaken(&gate, name, &failure).await? });
                }
            };
            let read = answer.seen.chain.first().map(|c| Leaf::read(c));
            let Some(Ok(leaf)) = read else {
                return tell::fail(Miss { facts, ..self.unreadable(&gate, name) });
            };
            shown.push(Shown { name: name.to_owned(), seen: answer.seen, leaf });
            let now = jiff::Timestamp::now().as_second();
            let Some(last) = shown.last() else { break };
            facts.extend(self.told(last));
            if self.flaw(&last.leaf, now).is_some() {
                return tell::fail(Miss { facts, ..self.wrong(&gate, &shown, now).await? });
            }
        }
        tell::pass(facts)
    }
}

impl Certificate {
    fn told(&self, shown: &Shown) -> Vec<Fact> {
        let Shown { name, seen, leaf } = shown;
        if *name != self.host {
            return vec![Fact::new(
                &format!("served:{name}"),
                leaf.print.clone(),
                format!("pour {name} : sujet {}", leaf.subject.as_deref().unwrap_or("(aucun)")),
            )];
        }
        let day = |second: i64| {
            jiff::Timestamp::from_second(second)
                .map(|t| t.to_zoned(jiff::tz::TimeZone::UTC).strftime("%d/%m/%Y").to_string())
                .unwrap_or_default()
        };
        vec![
            Fact::new(
                "subject",
                json!(leaf.subject),
                format!(
                    "certificat : sujet {}, noms {}",
                    leaf.subject.as_deref().unwrap_or("(aucun)"),
                    if leaf.names.is_empty() { "(aucun)".to_owned() } else { leaf.names.join(", ") }
                ),
            ),
            Fact::new(
                "issuer",
                leaf.issuer.clone(),
                if leaf.self_signed {
                    "signé par sa propre clé".to_owned()
                } else {
                    format!("émis par « {} », {} certificat(s) présenté(s)", leaf.issuer, seen.chain.len())
                },
            ),
            Fact::new(
                "validity",
                json!({"from": leaf.from, "until": leaf.until}),
                format!("valable du {} au {}", day(leaf.from), day(leaf.until)),
            ),
            Fact::new("tls", seen.version.clone(), format!("négociation TLS {}", seen.version)),
        ]
    }
}
