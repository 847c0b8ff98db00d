//! The reverse proxy of the fake stack, honest or devious.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use serde_json::{Value, json};

use super::super::world::{DeclaredPort, HostAnswer, Vantage, wire};
use super::FakeWorld;

/// What a router leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Behind {
    /// The API, as it is.
    Api,
    /// The API, every other time; else a gateway error.
    Sometimes,
    /// Always this body.
    Fixed(String),
    /// Always this status.
    Status(u16),
    /// A redirection to the same address.
    Loop,
    /// Nothing comes.
    Silence,
    /// Traefik's own API and dashboard.
    Own,
    /// Only the dashboard's page.
    OnlyPage,
}

/// How the secure port behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secure {
    /// TLS.
    Tls,
    /// Plain HTTP.
    Clear,
    /// TLS, refused for every name.
    Strict,
}

/// What a request in clear gets: status and Location, from host and path.
pub type Clear = fn(&str, &str) -> (u16, String);

/// The proxy.
#[derive(Clone, Debug)]
pub struct Traefik {
    /// Container ports: clear, secure.
    pub ports: (u16, u16),
    /// How the secure one behaves.
    pub secure: Secure,
    /// Requests in clear; `None` serves them without any list.
    pub clear: Option<Clear>,
    /// Certificates by server name, in base64; the one under "" for every other name.
    pub shown: BTreeMap<String, String>,
    /// Routers, by host.
    pub routes: BTreeMap<String, Behind>,
    /// Ranges that may read the protected path; `None`: everybody.
    pub allowed: Option<Vec<ipnet::IpNet>>,
    /// Whether the rule of the protected path takes this path.
    pub protects: fn(&str) -> bool,
    /// What the refused get.
    pub refusal: u16,
    /// It believes X-Forwarded-For.
    pub believes: bool,
    /// The address of the machine, as it sees it.
    pub machine: IpAddr,
    /// The configuration in force.
    pub raw: Value,
    /// What the API tells before it has read all that the engine says, and until when.
    pub early: Option<(std::time::Duration, Value)>,
    /// That of a twin; `None`: a twin cannot be started.
    pub twin: Option<Value>,
}

/// A self-signed certificate in base64: subject, names, validity in days from now.
pub fn certificate(subject: &str, names: &[&str], days: (i64, i64)) -> String {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).expect("parameters");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, subject);
    let at = |days: i64| {
        let day = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        let day = day.to_zoned(jiff::tz::TimeZone::UTC);
        let small = |n: i8| u8::try_from(n).expect("a day");
        rcgen::date_time_ymd(i32::from(day.year()), small(day.month()), small(day.day()))
    };
    params.not_before = at(days.0);
    params.not_after = at(days.1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let made = params.self_signed(&key).expect("a certificate");
    base64::engine::general_purpose::STANDARD.encode(made.der())
}

/// A configuration in force: routers (host, service) and services (name, servers).
pub fn raw(routers: &[(&str, &str)], services: &[(&str, &[&str])]) -> Value {
    let routers: serde_json::Map<String, Value> = routers
        .iter()
        .map(|(host, service)| {
            let rule = format!("Host(`{host}`)");
            let router = json!({"entryPoints": ["websecure"], "rule": rule, "service": service, "tls": {}, "status": "enabled"});
            (format!("{}@docker", host.split('.').next().unwrap_or_default()), router)
        })
        .collect();
    let services: serde_json::Map<String, Value> = services
        .iter()
        .map(|(name, servers)| {
            let servers: Vec<Value> = servers.iter().map(|url| json!({"url": url})).collect();
            (
                (*name).to_owned(),
                json!({"loadBalancer": {"servers": servers}, "status": "enabled", "usedBy": ["r@docker"]}),
            )
        })
        .collect();
    json!({"routers": routers, "services": services, "middlewares": {
        "interne@docker": {"ipWhiteList": {"sourceRange": ["10.3.0.0/24"]}, "usedBy": ["m@docker"], "status": "enabled"}
    }})
}

fn is_metrics(path: &str) -> bool {
    path.split('?').next().unwrap_or_default().starts_with("/metrics") || path.starts_with("/%6detrics")
}

impl Traefik {
    /// As the statement asks.
    pub fn honest() -> Self {
        let shown = certificate("tp-docker", &["api.localhost", "traefik.localhost"], (-1, 365));
        let default = certificate("TRAEFIK DEFAULT CERT", &["x.traefik.default"], (-1, 365));
        let names = ["api.localhost", "traefik.localhost"];
        let all = names.iter().map(|n| ((*n).to_owned(), shown.clone()));
        let raw = raw(
            &[("api.localhost", "api"), ("traefik.localhost", "api@internal")],
            &[("api@docker", &["http://10.1.0.2:5000"])],
        );
        Self {
            ports: (80, 443),
            secure: Secure::Tls,
            clear: Some(|host, path| (301, format!("https://{host}{path}"))),
            shown: all.chain([(String::new(), default)]).collect(),
            routes: [
                ("api.localhost".to_owned(), Behind::Api),
                ("traefik.localhost".to_owned(), Behind::Own),
            ]
            .into(),
            allowed: Some(vec!["10.3.0.0/24".parse().expect("a range")]),
            protects: is_metrics,
            refusal: 403,
            believes: false,
            machine: IpAddr::from([10, 1, 0, 1]),
            twin: Some(raw.clone()),
            raw,
            early: None,
        }
    }
}

/// What the proxy answers.
struct Said {
    status: u16,
    location: Option<String>,
    body: String,
}

fn said(status: u16, body: impl Into<String>) -> Said {
    Said { status, location: None, body: body.into() }
}

impl FakeWorld {
    /// The stack of lab 03: that of lab 02 behind Traefik.
    pub fn lab03() -> Self {
        let mut world = Self::lab02();
        let honest = Traefik::honest();
        world.add("traefik", &[("frontend", "10.1.0.9"), ("supervision", "10.3.0.9")], &[80, 443]);
        world.publish(&honest, [80, 443]);
        world.traefik = Some(honest);
        world
    }

    /// Declares the ports of the proxy.
    pub fn publish(&mut self, traefik: &Traefik, host: [u16; 2]) {
        let targets = [traefik.ports.0, traefik.ports.1];
        self.open.retain(|(service, _)| service != "traefik");
        self.open.extend(targets.map(|port| ("traefik".to_owned(), port)));
        if let Some(service) = self.declared.services.get_mut("traefik") {
            let port = |(host, target): (u16, u16)| DeclaredPort {
                target,
                published: Some(host.to_string()),
                host_ip: None,
                protocol: "tcp".into(),
            };
            service.ports = host.into_iter().zip(targets).map(port).collect();
        }
        for instance in self.instances.get_mut("traefik").into_iter().flatten() {
            let address = |port| (port, SocketAddr::from(([127, 0, 0, 1], 40_000 + port % 1000)));
            instance.published = targets.into_iter().map(address).collect();
        }
    }

    /// The proxy that has this address for whoever asks.
    pub(super) fn proxy(&self, from: &Vantage, host: &str, port: u16) -> Option<&Traefik> {
        let traefik = self.traefik.as_ref()?;
        if matches!(from, Vantage::Twin(_)) {
            return (host == "127.0.0.1" && port == traefik.ports.1).then_some(traefik);
        }
        let ip: IpAddr = host.parse().ok()?;
        let found = self.instances.get("traefik").into_iter().flatten().flat_map(|i| &i.attachments);
        let here = found.into_iter().any(|a| a.ip == Some(ip));
        (here && [traefik.ports.0, traefik.ports.1].contains(&port)).then_some(traefik)
    }

    /// The address of a probe on that network.
    fn address_of(&self, from: &Vantage) -> IpAddr {
        if let Vantage::Address(_, ip) = from {
            return IpAddr::V4(*ip);
        }
        let Vantage::Network(network) = from else { return IpAddr::from([127, 0, 0, 1]) };
        let all = self.instances.values().flatten().flat_map(|i| &i.attachments);
        let subnet = all.filter(|a| a.network == *network).find_map(|a| a.subnet);
        match subnet.map(|s| s.network()) {
            Some(IpAddr::V4(base)) => {
                let [a, b, c, _] = base.octets();
                IpAddr::from([a, b, c, 200])
            }
            _ => IpAddr::from([127, 0, 0, 1]),
        }
    }

    /// A handshake.
    pub(super) fn shake(&self, from: &Vantage, ask: &wire::Tls) -> Result<wire::TlsAnswer, wire::Failure> {
        let failure = |kind, stage| wire::Failure::new(kind, stage, "fake");
        let traefik = match self.proxy(from, &ask.host, ask.port) {
            Some(traefik) if ask.port == traefik.ports.1 => traefik,
            Some(_) => return Err(failure(wire::FailureKind::Protocol, wire::Stage::Tls)),
            None => return Err(failure(wire::FailureKind::Refused, wire::Stage::Connect)),
        };
        match traefik.secure {
            Secure::Clear => return Err(failure(wire::FailureKind::Protocol, wire::Stage::Tls)),
            Secure::Strict => {
                return Err(wire::Failure {
                    alert: Some(112),
                    ..failure(wire::FailureKind::Tls, wire::Stage::Tls)
                });
            }
            Secure::Tls => {}
        }
        let name = ask.sni.clone().unwrap_or_default();
        let shown = traefik.shown.get(&name).or_else(|| traefik.shown.get("")).cloned();
        let seen = wire::TlsSeen { version: "1.3".into(), alpn: None, chain: shown.into_iter().collect() };
        let peer = SocketAddr::from(([10, 1, 0, 9], ask.port));
        Ok(wire::TlsAnswer { seen, peer, local: peer, handshake_us: 1 })
    }

    /// One exchange with the proxy.
    pub(super) fn proxied(
        &self,
        traefik: &Traefik,
        from: &Vantage,
        ask: &wire::Http,
    ) -> Result<Box<wire::HttpAnswer>, wire::Failure> {
        let to_secure = ask.port == traefik.ports.1;
        let local = self.address_of(from);
        if to_secure && ask.tls.is_some() {
            let tls =
                wire::Tls { sni: ask.tls.clone().and_then(|t| t.sni), ..wire::Tls::to("", ask.port, "") };
            let host = ask.connect_to.clone().unwrap_or_default();
            self.shake(from, &wire::Tls { host, ..tls })?;
        } else if ask.tls.is_some() {
            return Err(wire::Failure::new(wire::FailureKind::Protocol, wire::Stage::Tls, "fake"));
        }
        let host = ask.headers.iter().find(|(n, _)| n == "Host").map_or(&ask.host, |(_, v)| v);
        let claimed =
            ask.headers.iter().find(|(n, _)| n == "X-Forwarded-For").and_then(|(_, v)| v.parse().ok());
        let source = claimed.filter(|_| traefik.believes).unwrap_or(local);
        let said = match (from, traefik.clear) {
            (Vantage::Twin(_), _) => {
                let raw = traefik.twin.clone().unwrap_or(Value::Null);
                said(200, raw.to_string())
            }
            (_, Some(clear)) if !to_secure => {
                let (status, location) = clear(host, &ask.path);
                Said { location: (!location.is_empty()).then_some(location), ..said(status, "") }
            }
            _ if to_secure => self.routed(traefik, host, &ask.path, source)?,
            _ => self.routed(traefik, host, &ask.path, IpAddr::from([10, 3, 0, 250]))?,
        };
        let peer = SocketAddr::new(IpAddr::from([10, 1, 0, 9]), ask.port);
        let mut headers: Vec<(String, String)> =
            said.location.map(|l| ("Location".to_owned(), l)).into_iter().collect();
        if said.body.starts_with('<') {
            headers.push(("Content-Type".into(), "text/html; charset=utf-8".into()));
        }
        Ok(Box::new(wire::HttpAnswer {
            status: said.status,
            reason: "fake".into(),
            minor: 1,
            headers,
            body_len: u64::try_from(said.body.len()).unwrap_or(0),
            body: said.body,
            body_base64: None,
            truncated: false,
            body_fault: None,
            peer,
            local: SocketAddr::new(local, 40_000),
            tls: None,
            timings: wire::HttpTimings::default(),
        }))
    }

    fn routed(
        &self,
        traefik: &Traefik,
        host: &str,
        path: &str,
        source: IpAddr,
    ) -> Result<Said, wire::Failure> {
        let Some(behind) = traefik.routes.get(host) else { return Ok(said(404, "404 page not found\n")) };
        let shut = traefik.allowed.as_ref().is_some_and(|all| !all.iter().any(|net| net.contains(&source)));
        if shut && host == "api.localhost" && (traefik.protects)(path) {
            return Ok(said(
                traefik.refusal,
                if traefik.refusal == 404 { "404 page not found" } else { "Forbidden" },
            ));
        }
        // As Express does: a final slash, the case and the query change nothing.
        let plain = path.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%6d", "m");
        let plain = if plain.len() > 1 { plain.trim_end_matches('/') } else { plain.as_str() };
        let api = || {
            let (status, body) = self.respond(plain);
            said(status, body)
        };
        Ok(match behind {
            Behind::Api => api(),
            Behind::Sometimes => {
                let mut memory = self.lock();
                memory.calls += 1;
                let bad = memory.calls.is_multiple_of(2);
                drop(memory);
                if bad { said(502, "Bad Gateway") } else { api() }
            }
            Behind::Fixed(body) => said(200, body.clone()),
            Behind::Status(status) => said(*status, "fake"),
            Behind::Loop => Said { location: Some(format!("https://{host}{path}")), ..said(301, "") },
            Behind::Silence => {
                return Err(wire::Failure::new(wire::FailureKind::Timeout, wire::Stage::Head, "fake"));
            }
            Behind::Own | Behind::OnlyPage if plain == "/dashboard" && path.ends_with('/') => {
                said(200, "<html><title>Traefik</title></html>")
            }
            Behind::Own if plain == "/api/rawdata" => {
                let early = traefik.early.as_ref().filter(|(until, _)| self.since_birth() < *until);
                said(200, early.map_or(&traefik.raw, |(_, raw)| raw).to_string())
            }
            Behind::Own | Behind::OnlyPage => said(404, "404 page not found"),
        })
    }

    /// What the machine gets by the published port.
    pub(super) fn machine(&self, host: &str, path: &str) -> HostAnswer {
        let Some(traefik) = &self.traefik else { return self.host.clone() };
        match self.routed(traefik, host, path, traefik.machine) {
            Ok(said) => HostAnswer { status: Some(said.status), error: None, body: said.body },
            Err(failure) => HostAnswer { error: Some(failure.message), ..HostAnswer::default() },
        }
    }
}
