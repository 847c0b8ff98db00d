//! Whose answer it is: the service's own counter moves by what was sent through the proxy, and by
//! nothing when something else answers in its place.

use std::net::IpAddr;

use serde_json::Value;

use super::{Fact, Gate, Miss, Route, kit, metrics, tell, wire};
use crate::error::Fault;

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Proof {
    /// So many requests were sent through the proxy and had the right status, out of so many, and
    /// the service's counter moved by that much.
    Counted { sent: u64, right: u64, moved: f64, others: Vec<String> },
    /// The service has no such counter, but its direct answer looks the same.
    Alike,
    /// The service has no such counter and its direct answer is another one (French).
    Unlike(String),
}

/// The most time for the requests of one measure, milliseconds.
const BURST_MS: u64 = 20_000;

impl Route {
    /// The counter now, over all copies of the service; `None` when a copy has none.
    async fn count(&self, gate: &Gate<'_>) -> Result<Option<f64>, Fault> {
        let mut total = 0.0;
        let path = self.path.split('?').next().unwrap_or_default();
        for ip in self.copies(gate).await? {
            let mut ask = wire::Http::get(ip.to_string(), self.to_port, &self.metrics);
            ask.max_body = 4 * 1024 * 1024;
            let seen = kit::http(gate.world, &kit::inside(&self.to), ask).await?.0;
            let Some(answer) = seen.ok().filter(|a| a.status == 200) else { return Ok(None) };
            let page = metrics::parse::parse(&answer.body);
            total += page
                .of(&self.counter)
                .filter(|s| s.labels.values().any(|v| v == path))
                .map(|s| s.value)
                .sum::<f64>();
        }
        Ok(Some(total))
    }

    /// One address of each copy of the service.
    async fn copies(&self, gate: &Gate<'_>) -> Result<Vec<IpAddr>, Fault> {
        let found = kit::running(gate.world, &self.to).await?;
        Ok(found.iter().filter_map(|i| kit::own_ip(std::slice::from_ref(i))).collect())
    }

    /// The same request, sent to the service itself.
    async fn directly(&self, gate: &Gate<'_>) -> Result<Option<wire::HttpAnswer>, Fault> {
        let Some(ip) = self.copies(gate).await?.into_iter().next() else { return Ok(None) };
        let mut ask = wire::Http::get(ip.to_string(), self.to_port, &self.path);
        ask.headers = vec![("Host".to_owned(), self.host.clone())];
        Ok(kit::http(gate.world, &kit::inside(&self.to), ask).await?.0.ok())
    }

    pub(super) async fn prove(&self, gate: &Gate<'_>, answer: &wire::HttpAnswer) -> Result<Proof, Fault> {
        // The control: the counter moves each time that the service itself is asked.
        let mut counts = vec![self.count(gate).await?];
        let mut direct = None;
        for _ in 0..2 {
            direct = self.directly(gate).await?;
            counts.push(self.count(gate).await?);
        }
        let now = match counts.as_slice() {
            [Some(first), Some(second), Some(third)] if first < second && second < third => *third,
            _ => return Ok(alike(answer, direct.as_ref())),
        };
        let mut last = self.measure(gate, "route-1", now).await?;
        if matches!(&last, Some(Proof::Counted { sent, moved, .. }) if *moved >= float(*sent)) {
            return last.ok_or_else(|| restarts(&self.to));
        }
        // Seen again, with another number, before it costs anything.
        if let Some(now) = self.count(gate).await? {
            last = self.measure(gate, "route-2", now).await?;
        }
        last.ok_or_else(|| restarts(&self.to))
    }

    async fn measure(&self, gate: &Gate<'_>, salt: &str, before: f64) -> Result<Option<Proof>, Fault> {
        // Enough for a server that is given one request in ten to be among those that answer.
        let count =
            12 + u32::try_from(kit::draw(gate.world, &format!("{salt}{}", self.path)) % 9).unwrap_or(0);
        let ask = wire::HttpMany {
            request: gate.secure(self.port, &self.host, &self.path),
            count,
            concurrency: 1,
            spacing_ms: 0,
            keep_bodies: false,
            keep_headers: vec![],
            timeout_ms: BURST_MS,
        };
        let seen = match kit::http_many(gate.world, &gate.from, ask).await?.0 {
            Ok(seen) => seen,
            Err(failure) => {
                return Err(kit::noise(format!("les appels n'ont pas pu partir : {}", tell::why(&failure))));
            }
        };
        let Some(now) = self.count(gate).await?.filter(|now| *now >= before) else { return Ok(None) };
        let mut others: Vec<String> = seen
            .by_status
            .iter()
            .filter(|(status, _)| **status != self.status)
            .map(|(status, n)| format!("{n} × {status}"))
            .collect();
        others.extend(seen.by_failure.iter().map(|(kind, n)| {
            let failure = wire::Failure::new(*kind, wire::Stage::Head, "");
            format!("{n} × {}", tell::why(&failure))
        }));
        let right = seen.by_status.get(&self.status).copied().unwrap_or_default();
        Ok(Some(Proof::Counted { sent: u64::from(count), right, moved: now - before, others }))
    }

    /// The fact of a pass, or the miss.
    pub(super) fn judged(&self, proof: &Proof) -> Result<Fact, Box<Miss>> {
        let to = &self.to;
        match proof {
            Proof::Counted { sent, right, moved, others } if right < sent => Err(Box::new(Miss {
                headline: format!("{} ne répond pas toujours", self.url()),
                observed: format!("sur {sent} requêtes, bonnes réponses : {right} ; autres : {}", others.join(", ")),
                noted: vec![format!("« {to} » en a compté {moved:.0}")],
                hint: "Traefik répartit les requêtes entre tous les serveurs qu'il connaît : chacun doit convenir"
                    .to_owned(),
                ..self.base()
            })),
            Proof::Counted { sent, moved, .. } if *moved < float(*sent) => Err(Box::new(Miss {
                headline: format!("ce n'est pas « {to} » qui répond à {}", self.url()),
                observed: format!(
                    "{sent} requêtes envoyées par Traefik, {moved:.0} comptées par « {to} » ({})",
                    self.counter
                ),
                control: format!("une requête directe à « {to} » fait bien avancer {}", self.counter),
                hint: "à quel service ce routeur mène-t-il vraiment ?".to_owned(),
                ..self.base()
            })),
            Proof::Counted { sent, moved, .. } => Ok(Fact::new(
                "counted",
                *sent,
                format!("{sent} requêtes par Traefik : « {to} » en compte {moved:.0} de plus"),
            )),
            Proof::Alike => {
                Ok(Fact::new("alike", true, format!("même réponse que « {to} » interrogé directement")))
            }
            Proof::Unlike(difference) => Err(Box::new(Miss {
                headline: format!("la réponse de {} n'est pas celle de « {to} »", self.url()),
                observed: difference.clone(),
                hint: "à quel service ce routeur mène-t-il vraiment ?".to_owned(),
                ..self.base()
            })),
        }
    }
}

fn restarts(service: &str) -> Fault {
    kit::noise(format!("les compteurs de « {service} » ont reculé pendant la mesure"))
}

#[expect(clippy::cast_precision_loss, reason = "a few requests")]
fn float(n: u64) -> f64 {
    n as f64
}

/// Compares two answers of a path whose values may move: status, and the shape of the JSON.
fn alike(through: &wire::HttpAnswer, direct: Option<&wire::HttpAnswer>) -> Proof {
    let Some(direct) = direct else {
        return Proof::Unlike("le service lui-même ne répond pas à cette requête".to_owned());
    };
    if through.status != direct.status {
        return Proof::Unlike(format!("par Traefik {}, directement {}", through.status, direct.status));
    }
    let json = |answer: &wire::HttpAnswer| serde_json::from_str::<Value>(&answer.body).ok();
    let same = match (json(through), json(direct)) {
        (Some(a), Some(b)) => shape(&a) == shape(&b),
        (None, None) => through.body == direct.body,
        _ => false,
    };
    if same {
        return Proof::Alike;
    }
    Proof::Unlike(format!(
        "par Traefik : {} ; directement : {}",
        tell::cut(&through.body, 80),
        tell::cut(&direct.body, 80)
    ))
}

/// A JSON without its values: keys and kinds.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<_> = members.iter().map(|(k, v)| (k.clone(), shape(v))).collect();
            keys.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(keys.into_iter().collect())
        }
        Value::Array(items) => items.first().map_or(Value::Array(vec![]), |i| Value::Array(vec![shape(i)])),
        Value::String(_) => "texte".into(),
        Value::Number(_) => 0.into(),
        other => other.clone(),
    }
}
