//! Traefik's own API, as the statement has it served: through the dashboard's router.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::gate::Gate;
use super::world::wire;
use super::{rule, tell};
use crate::error::Fault;

/// Most bytes of an answer of the API.
const MOST: u64 = 4 * 1024 * 1024;

/// A router.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Router {
    /// `entryPoints`.
    pub entry_points: Vec<String>,
    /// Rule.
    pub rule: String,
    /// Service, perhaps with its provider (`api@docker`).
    pub service: String,
    /// Middlewares.
    pub middlewares: Vec<String>,
    /// TLS options, when it has any.
    pub tls: Option<Value>,
    /// `enabled`, `disabled` or `warning`.
    pub status: String,
    /// Why it is disabled.
    pub error: Vec<String>,
}

impl Router {
    /// Whether it is in force.
    pub fn is_on(&self) -> bool {
        self.status != "disabled"
    }
}

/// A server of a service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Server {
    /// HTTP.
    pub url: String,
    /// TCP and UDP.
    pub address: String,
}

/// A health check of a load balancer. Durations are written as Go does (`1m0s`, `500ms`), or as a
/// number of nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// Path.
    pub path: String,
    /// Between two checks.
    pub interval: Value,
    /// Longest wait for an answer.
    pub timeout: Value,
}

/// A duration of Traefik's API; `None` when it is not one.
pub fn duration(value: &Value) -> Option<Duration> {
    if let Some(nanos) = value.as_u64() {
        return Some(Duration::from_nanos(nanos));
    }
    let mut rest = value.as_str()?.trim();
    if let Ok(seconds) = rest.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number * unit).ok()?;
        rest = &rest[end..];
    }
    Some(total)
}

/// A load balancer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Balancer {
    /// Where it sends.
    pub servers: Vec<Server>,
    /// How it looks after them.
    pub health_check: Option<HealthCheck>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    /// Its servers.
    pub load_balancer: Option<Balancer>,
    /// `enabled`, `disabled` or `warning`.
    pub status: String,
    /// Routers that use it.
    pub used_by: Vec<String>,
}

impl Service {
    /// Where it sends.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        let all = self.load_balancer.iter().flat_map(|b| &b.servers);
        all.map(|s| if s.url.is_empty() { s.address.as_str() } else { s.url.as_str() })
    }
}

/// The configuration in force: `/api/rawdata`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// HTTP routers, by name.
    pub routers: BTreeMap<String, Router>,
    /// HTTP services.
    pub services: BTreeMap<String, Service>,
    /// Middlewares; their content differs by kind.
    pub middlewares: BTreeMap<String, Value>,
    /// TCP services.
    pub tcp_services: BTreeMap<String, Service>,
    /// UDP services.
    pub udp_services: BTreeMap<String, Service>,
}

impl View {
    /// Routers that may serve a host, in force or not.
    pub fn routers_of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = (&'a str, &'a Router)> {
        self.routers
            .iter()
            .filter(move |(_, r)| rule::speaks_of(&r.rule, host))
            .map(|(name, r)| (name.as_str(), r))
    }

    /// Every service that has servers: name and servers.
    pub fn all_services(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.services
            .iter()
            .chain(&self.tcp_services)
            .chain(&self.udp_services)
            .map(|(name, service)| (name.as_str(), service))
    }

    /// Allow-lists in force.
    pub fn allow_lists(&self) -> Vec<InForce> {
        let mut found = Vec::new();
        for (name, middleware) in &self.middlewares {
            for key in ["ipAllowList", "ipWhiteList"] {
                let Some(list) = middleware.get(key) else { continue };
                let texts = |value: Option<&Value>| -> Vec<String> {
                    let all = value.and_then(Value::as_array).into_iter().flatten();
                    all.filter_map(Value::as_str).map(|r| tell::cut(r, 50)).collect()
                };
                let strategy = list.get("ipStrategy").and_then(Value::as_object);
                found.push(InForce {
                    name: tell::cut(name, 60),
                    ranges: texts(list.get("sourceRange")),
                    by_header: strategy.is_some_and(|s| !s.is_empty()),
                    used_by: texts(middleware.get("usedBy")),
                });
            }
        }
        found
    }
}

/// An allow-list in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// Name.
    pub name: String,
    /// Ranges.
    pub ranges: Vec<String>,
    /// It reads the client's address in a header.
    pub by_header: bool,
    /// Routers that use it.
    pub used_by: Vec<String>,
}

/// Why the API gave nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Silence {
    /// Another status.
    Status(u16, String),
    /// Something else than the JSON of Traefik's API.
    Odd(String),
    /// Nothing came.
    Failed(wire::Failure),
}

impl Silence {
    /// In French.
    pub fn told(&self, path: &str) -> String {
        match self {
            Self::Status(status, body) if body.is_empty() => format!("GET {path} : {status}"),
            Self::Status(status, body) => format!("GET {path} : {status} ({})", tell::cut(body, 60)),
            Self::Odd(body) => {
                format!("GET {path} : autre chose que le JSON de l'API de Traefik ({})", tell::cut(body, 60))
            }
            Self::Failed(failure) => format!("GET {path} : {}", tell::why(failure)),
        }
    }
}

/// The path that gives the whole configuration in force, since version 2.0.
pub const RAW: &str = "/api/rawdata";

/// The configuration in force, asked by this way of the host that serves the dashboard.
pub async fn view(gate: &Gate<'_>, host: &str) -> Result<Result<View, Silence>, Fault> {
    let mut ask = gate.secure(443, host, RAW);
    ask.max_body = MOST;
    Ok(match gate.send(ask).await? {
        Err(failure) => Err(Silence::Failed(failure)),
        Ok(answer) if answer.status != 200 => Err(Silence::Status(answer.status, answer.body)),
        Ok(answer) => read(&answer.body).ok_or(Silence::Odd(answer.body)),
    })
}

/// Reads it; `None` when it is not what Traefik's API says.
fn read(body: &str) -> Option<View> {
    let raw: Value = serde_json::from_str(body).ok()?;
    let known = ["routers", "services", "middlewares"];
    if !raw.as_object()?.keys().any(|k| known.contains(&k.as_str())) {
        return None;
    }
    Some(View {
        routers: members(&raw, "routers"),
        services: members(&raw, "services"),
        middlewares: members(&raw, "middlewares"),
        tcp_services: members(&raw, "tcpServices"),
        udp_services: members(&raw, "udpServices"),
    })
}

/// The members of a family. One that a later version writes otherwise is there all the same, empty.
fn members<T: DeserializeOwned + Default>(raw: &Value, family: &str) -> BTreeMap<String, T> {
    let all = raw.get(family).and_then(Value::as_object).into_iter().flatten();
    all.map(|(name, value)| (name.clone(), T::deserialize(value).unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_of_version_2() {
        let view = read(
            r#"{"routers":{"api@docker":{"entryPoints":["websecure"],"service":"api","rule":"Host(`api.localhost`)",
                "tls":{},"status":"enabled","using":["websecure"]},
              "dash@docker":{"entryPoints":["websecure"],"service":"api@internal","rule":"Host(`traefik.localhost`)",
                "status":"disabled","error":["no"]}},
              "middlewares":{"prive@docker":{"ipWhiteList":{"sourceRange":["172.29.0.0/24"]},"usedBy":["m@docker"]}},
              "services":{"api@docker":{"loadBalancer":{"servers":[{"url":"http://10.0.0.2:5000"}],"passHostHeader":true},
                "status":"enabled","usedBy":["api@docker"],"serverStatus":{"http://10.0.0.2:5000":"UP"}},
                "api@internal":{"status":"enabled"}},
              "tcpServices":{"t@file":{"loadBalancer":{"servers":[{"address":"10.0.0.3:5432"}]}}}}"#,
        )
        .expect("a view");
        assert_eq!(view.routers_of("api.localhost").map(|(n, _)| n).collect::<Vec<_>>(), ["api@docker"]);
        assert!(!view.routers["dash@docker"].is_on());
        let all: Vec<String> = view
            .all_services()
            .flat_map(|(_, s)| s.servers().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        assert_eq!(all, ["http://10.0.0.2:5000", "10.0.0.3:5432"]);
        let list = InForce {
            name: "prive@docker".into(),
            ranges: vec!["172.29.0.0/24".into()],
            used_by: vec!["m@docker".into()],
            ..InForce::default()
        };
        assert_eq!(view.allow_lists(), [list]);
        assert_eq!(read("{\"status\":\"healthy\"}"), None);
        assert_eq!(read("[]"), None);
    }
}
