//! A small typed client of the Prometheus HTTP API, over the probe's HTTP: it asks from inside the
//! stack, so that nothing depends on a published port.

pub mod answer;
pub mod span;
pub mod told;

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::world::{Vantage, World, wire};
use super::{kit, tell};
use crate::error::Fault;
pub use answer::{
    ActiveAlert, AlertState, Data, Flags, Health, Labels, Rule, RuleGroup, RuleKind, Rules, RuntimeInfo,
    Sample, Target, Targets,
};

/// The largest answer read, bytes.
const MAX_BODY: u64 = 4 * 1024 * 1024;

/// What came back, or why nothing usable did; a fault of ours is the outer error.
pub type Reply<T> = Result<Result<T, Trouble>, Fault>;

/// Why a question got no usable answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// No HTTP answer at all.
    Silent(wire::Failure),
    /// Prometheus understood and said no.
    Refused {
        /// Status code.
        status: u16,
        /// `errorType`, for instance `bad_data`.
        kind: String,
        /// `error` (English, cut).
        error: String,
    },
    /// An answer that is not one of Prometheus's API.
    Foreign {
        /// Status code.
        status: u16,
        /// Body, cut.
        body: String,
    },
    /// The answer came cut or larger than what is read.
    Cut,
}

impl Trouble {
    /// In French.
    pub fn told(&self) -> String {
        match self {
            Self::Silent(failure) => tell::why(failure),
            Self::Refused { status, error, .. } => format!("Prometheus répond {status} : {error}"),
            Self::Foreign { status, body } if body.is_empty() => {
                format!("une réponse {status} qui n'est pas celle de l'API de Prometheus")
            }
            Self::Foreign { status, body } => {
                format!("une réponse {status} qui n'est pas celle de l'API de Prometheus : {body}")
            }
            Self::Cut => "une réponse coupée".to_owned(),
        }
    }

    /// True when waiting a little may help: not listening yet, or not ready.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Silent(_) | Self::Foreign { status: 502..=504, .. } | Self::Refused { status: 503, .. }
        )
    }
}

/// The envelope of every answer.
#[derive(Deserialize)]
struct Envelope {
    status: String,
    #[serde(default)]
    data: serde_json::Value,
    #[serde(default, rename = "errorType")]
    kind: String,
    #[serde(default)]
    error: String,
}

/// Reads one answer of the API.
pub fn read<T: DeserializeOwned>(answer: &wire::HttpAnswer) -> Result<T, Trouble> {
    if !answer.is_whole() {
        return Err(Trouble::Cut);
    }
    let foreign = || Trouble::Foreign { status: answer.status, body: tell::cut(&answer.body, 120) };
    let envelope: Envelope = serde_json::from_str(&answer.body).map_err(|_| foreign())?;
    if envelope.status != "success" {
        return Err(Trouble::Refused {
            status: answer.status,
            kind: tell::cut(&envelope.kind, 40),
            error: tell::cut(&envelope.error, 200),
        });
    }
    serde_json::from_value(envelope.data).map_err(|_| foreign())
}

/// Percent-encodes what a query string or a form cannot hold.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `path?a=b&c=d`.
pub fn with_params(path: &str, params: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = params.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// One Prometheus server, seen from one place.
#[derive(Clone)]
pub struct Prom<'a> {
    world: &'a dyn World,
    from: Vantage,
    host: String,
    port: u16,
}

impl<'a> Prom<'a> {
    /// A server at an address, asked from `from`.
    pub fn at(world: &'a dyn World, from: Vantage, host: impl Into<String>, port: u16) -> Self {
        Self { world, from, host: host.into(), port }
    }

    /// The server of a service, asked from inside its own network namespace on its own address;
    /// `None` when it is not running within `patience`.
    pub async fn of(
        world: &'a dyn World,
        service: &str,
        port: u16,
        patience: Duration,
    ) -> Result<Option<Self>, Fault> {
        let found = kit::settled(world, service, patience).await?;
        let ip: Option<IpAddr> = kit::own_ip(&found);
        Ok(ip.map(|ip| Self::at(world, kit::inside(service), ip.to_string(), port)))
    }

    /// From where it is asked.
    pub fn vantage(&self) -> &Vantage {
        &self.from
    }

    /// The address that is asked.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// One GET of the API; `path` begins with `/api/v1/`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, params: &[(&str, &str)]) -> Reply<T> {
        let mut ask = wire::Http::get(self.host.clone(), self.port, with_params(path, params));
        ask.max_body = MAX_BODY;
        ask.timeout_ms = 10_000;
        Ok(match kit::http(self.world, &self.from, ask).await?.0 {
            Ok(answer) => read(&answer),
            Err(failure) => Err(Trouble::Silent(failure)),
        })
    }

    /// Waits (bounded) until the API answers.
    pub async fn ready(&self, patience: Duration) -> Reply<RuntimeInfo> {
        let good = |seen: &Result<RuntimeInfo, Trouble>| !seen.as_ref().is_err_and(Trouble::is_passing);
        kit::patiently(patience, good, || self.runtime_info()).await
    }

    /// `GET /api/v1/targets?state=active`.
    pub async fn targets(&self) -> Reply<Vec<Target>> {
        let found: Result<Targets, Trouble> = self.get("/api/v1/targets", &[("state", "active")]).await?;
        Ok(found.map(|f| f.active_targets))
    }

    /// An instant query, now or at a unix time (seconds).
    pub async fn query(&self, expr: &str, at: Option<f64>) -> Reply<Data> {
        let time = at.map(|t| format!("{t:.3}"));
        let mut params = vec![("query", expr)];
        params.extend(time.as_deref().map(|t| ("time", t)));
        self.get("/api/v1/query", &params).await
    }

    /// An instant query whose answer is a vector (a scalar is a sample without labels).
    pub async fn vector(&self, expr: &str, at: Option<f64>) -> Reply<Vec<Sample>> {
        Ok(self.query(expr, at).await?.map(Data::into_samples))
    }

    /// `GET /api/v1/rules`.
    pub async fn rules(&self) -> Reply<Vec<RuleGroup>> {
        let found: Result<Rules, Trouble> = self.get("/api/v1/rules", &[]).await?;
        Ok(found.map(|f| f.groups))
    }

    /// The YAML of the configuration in force, defaults written out (`GET /api/v1/status/config`).
    pub async fn config_yaml(&self) -> Reply<String> {
        let found: Result<answer::Config, Trouble> = self.get("/api/v1/status/config", &[]).await?;
        Ok(found.map(|f| f.yaml))
    }

    /// The configuration in force, typed as far as the labs look at it.
    pub async fn config(&self) -> Reply<answer::Configuration> {
        Ok(match self.config_yaml().await? {
            Ok(yaml) => serde_saphyr::from_str(&yaml)
                .map_err(|_| Trouble::Foreign { status: 200, body: tell::cut(&yaml, 120) }),
            Err(trouble) => Err(trouble),
        })
    }

    /// Command-line flags and their values (`GET /api/v1/status/flags`).
    pub async fn flags(&self) -> Reply<Flags> {
        self.get("/api/v1/status/flags", &[]).await
    }

    /// `GET /api/v1/status/runtimeinfo`.
    pub async fn runtime_info(&self) -> Reply<RuntimeInfo> {
        self.get("/api/v1/status/runtimeinfo", &[]).await
    }

    /// Label sets of the series that match a selector, among those of the last minutes.
    pub async fn series(&self, selector: &str) -> Reply<Vec<Labels>> {
        self.get("/api/v1/series", &[("match[]", selector)]).await
    }

    /// Values of a label, among the series of a selector (all series when it is empty), in order.
    pub async fn label_values(&self, label: &str, selector: &str) -> Reply<Vec<String>> {
        let params: &[(&str, &str)] = if selector.is_empty() { &[] } else { &[("match[]", selector)] };
        self.get(&format!("/api/v1/label/{}/values", encode(label)), params).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> wire::HttpAnswer {
        let here = "127.0.0.1:9090".parse().expect("address");
        wire::HttpAnswer {
            tls: None,
            status,
            reason: String::new(),
            minor: 1,
            headers: vec![],
            body: body.to_owned(),
            body_base64: None,
            truncated: false,
            body_len: 0,
            body_fault: None,
            peer: here,
            local: here,
            timings: wire::HttpTimings::default(),
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let good = answer(
            200,
            r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"job":"a"},"value":[1435781451.781,"+Inf"]},{"metric":{},"value":[1435781451,"1.5"]}]}}"#,
        );
        let samples = read::<Data>(&good).expect("data").into_samples();
        assert!(samples[0].value.is_infinite());
        assert!((samples[1].value - 1.5).abs() < 1e-9);
        let bad = answer(400, r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#);
        assert!(matches!(read::<Data>(&bad), Err(Trouble::Refused { status: 400, .. })));
        let foreign = answer(404, "404 page not found\n");
        assert!(matches!(read::<Data>(&foreign), Err(Trouble::Foreign { status: 404, .. })));
        let mut short = good;
        short.truncated = true;
        assert_eq!(read::<Data>(&short), Err(Trouble::Cut));
    }

    #[test]
    fn encoding() {
        assert_eq!(encode("rate(a{b=~\"é+\"}[1m])"), "rate%28a%7Bb%3D~%22%C3%A9%2B%22%7D%5B1m%5D%29");
        assert_eq!(with_params("/p", &[("match[]", "up")]), "/p?match%5B%5D=up");
    }
}
