//! The API of the fake stack, honest or devious.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::super::world::{Vantage, wire};
use super::{FakeWorld, Memory};

/// Behaviours of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// As the statement asks.
    Honest,
    /// Dates are stored as ISO and shown as `Date.toString()`, with one second of resolution.
    Reserialises,
    /// Serves the fresh source when Redis is away.
    FallsBack,
    /// A variable of the process plays the cache; Redis is never used.
    InProcess,
    /// The word alternates; nothing is cached.
    Alternates,
    /// Writes to Redis, serves its own memory, and forgets it when the key is gone.
    NeverReads,
    /// Each read renews the key.
    Renews,
    /// The key never expires.
    NoTtl,
    /// The key lives 120 s.
    TooLong,
    /// The key lives 59 s.
    Shorter,
    /// The value is made at start-up.
    Frozen,
    /// Redis is never reached.
    Unconnected,
    /// Says « cache » with a value of its own when Redis is away.
    LiesWithoutRedis,
    /// Invents data when PostgreSQL is away.
    LiesWithoutPostgres,
    /// Its clock plays the database.
    OwnClock,
    /// The metrics never move.
    CannedMetrics,
    /// Each request counts twice.
    DoubleCount,
    /// Milliseconds in a metric in seconds.
    Milliseconds,
    /// Reading the metrics moves the counters.
    SelfCount,
}

const BASE_MS: i64 = 1_795_225_755_000;

impl FakeWorld {
    fn date(&self, years: i32) -> String {
        let ms = BASE_MS + i64::try_from(self.since_birth().as_millis()).unwrap_or(0);
        let at = jiff::Timestamp::from_millisecond(ms).expect("a date").to_zoned(jiff::tz::TimeZone::UTC);
        let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let year = i16::try_from(i32::from(now.year()) + years).expect("a year");
        let at = at.with().year(year).day(at.day().min(28)).build().expect("a date");
        at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    #[expect(clippy::wrong_self_convention, reason = "where the value comes from")]
    fn from_database(&self) -> String {
        match self.app {
            App::Frozen => "2026-01-01T00:00:00.000Z".to_owned(),
            App::OwnClock => self.date(0),
            _ => self.date(self.shift.unwrap_or(0)),
        }
    }

    /// What `/api/data` answers: status, source, value.
    fn data(&self, memory: &mut Memory) -> (u16, &'static str, String) {
        memory.calls += 1;
        let (redis_away, pg_away) =
            (memory.frozen.contains_key("redis"), memory.frozen.contains_key("postgres"));
        let now = Instant::now();
        memory.redis.retain(|_, (_, end)| end.is_none_or(|e| e > now));
        let held = memory.redis.get("api:data").map(|(v, _)| v.trim_matches('"').to_owned());
        let fresh = self.from_database();
        match self.app {
            App::InProcess => {
                let cached = memory.own.is_some();
                let value = memory.own.get_or_insert(fresh).clone();
                return (200, if cached { "cache" } else { "database" }, value);
            }
            App::Alternates => {
                let word = if memory.calls % 2 == 1 { "database" } else { "cache" };
                return (200, word, fresh);
            }
            App::Unconnected => return (200, "database", fresh),
            App::LiesWithoutRedis if redis_away => {
                return (200, "cache", memory.own.clone().unwrap_or_default());
            }
            App::FallsBack if redis_away && !pg_away => return (200, "database", fresh),
            App::LiesWithoutPostgres if pg_away && held.is_none() => return (200, "database", self.date(0)),
            _ => {}
        }
        if redis_away {
            return (500, "", String::new());
        }
        if let Some(held) = held {
            if self.app == App::Renews {
                let end = Some(now + Duration::from_secs(60));
                memory.redis.entry("api:data".into()).and_modify(|e| e.1 = end);
            }
            let own = memory.own.clone().filter(|_| self.app == App::NeverReads);
            return (200, "cache", own.unwrap_or(held));
        }
        if pg_away {
            return (503, "", String::new());
        }
        let life = match self.app {
            App::NoTtl => None,
            App::TooLong => Some(120),
            App::Shorter => Some(59),
            _ => Some(60),
        };
        memory.own = Some(fresh.clone());
        let end = life.map(|s| now + Duration::from_secs(s));
        memory.redis.insert("api:data".into(), (format!("\"{fresh}\""), end));
        (200, "database", fresh)
    }

    fn shown(&self, value: &str) -> String {
        if self.app != App::Reserialises {
            return value.to_owned();
        }
        let Ok(at) = value.parse::<jiff::Timestamp>() else { return "Invalid Date".to_owned() };
        at.to_zoned(jiff::tz::TimeZone::UTC)
            .strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")
            .to_string()
    }

    fn page(&self, memory: &Memory) -> String {
        let mut text =
            String::from("# TYPE app_requests_total counter\n# TYPE app_request_latency_seconds histogram\n");
        for (path, n) in &memory.counted {
            let n = match self.app {
                App::CannedMetrics => 7,
                App::DoubleCount => n * 2,
                _ => *n,
            };
            let sum = memory.seconds.get(path).copied().unwrap_or(0.0);
            let sum = if self.app == App::Milliseconds { sum * 1000.0 } else { sum };
            let h = "app_request_latency_seconds";
            text += &format!("app_requests_total{{endpoint=\"{path}\",method=\"GET\",status=\"200\"}} {n}\n");
            text += &format!("{h}_bucket{{le=\"0.1\",endpoint=\"{path}\"}} {n}\n");
            text += &format!("{h}_bucket{{le=\"+Inf\",endpoint=\"{path}\"}} {n}\n");
            text += &format!("{h}_sum{{endpoint=\"{path}\"}} {sum}\n{h}_count{{endpoint=\"{path}\"}} {n}\n");
        }
        text
    }

    pub(super) fn respond(&self, path: &str) -> (u16, String) {
        let mut memory = self.lock();
        if path == "/metrics" {
            if self.app == App::SelfCount {
                *memory.counted.entry("/api/data".into()).or_default() += 1;
            }
            return (200, self.page(&memory));
        }
        *memory.counted.entry(path.into()).or_default() += 1;
        *memory.seconds.entry(path.into()).or_default() += 0.001;
        match path {
            "/health" => (200, json!({"status": "healthy", "uptime": 3}).to_string()),
            "/" => (200, "<h1>nginx</h1>".into()),
            "/api/data" => match self.data(&mut memory) {
                (200, source, value) => {
                    (200, json!({"source": source, "data": self.shown(&value)}).to_string())
                }
                (status, ..) => (status, json!({"error": "indisponible"}).to_string()),
            },
            _ => (404, String::new()),
        }
    }

    /// One exchange.
    pub(super) async fn http(
        &self,
        from: &Vantage,
        ask: &wire::Http,
    ) -> Result<Box<wire::HttpAnswer>, wire::Failure> {
        let to = ask.connect_to.as_deref().unwrap_or(&ask.host);
        if let Some(traefik) = self.proxy(from, to, ask.port) {
            return self.proxied(traefik, from, ask);
        }
        let ip = self
            .connect(from, to, ask.port)
            .map_err(|kind| wire::Failure::new(kind, wire::Stage::Connect, "fake"))?;
        tokio::time::sleep(Duration::from_millis(3)).await;
        let owner = match from {
            Vantage::Service(service) if ip.is_loopback() => Some(service.clone()),
            Vantage::Twin(name) if ip.is_loopback() => Some(format!("twin:{name}")),
            _ => self.owner(ip),
        };
        let key = owner.map(|service| (service, ask.port));
        let page = key.as_ref().and_then(|key| self.pages.get(key));
        let headers = key.as_ref().and_then(|key| self.heads.get(key)).map_or(vec![], |head| head(ask));
        let (status, body) = page.map_or_else(|| self.respond(&ask.path), |page| page(self, ask));
        let peer = SocketAddr::new(ip, ask.port);
        // A page that is no text says so.
        let body_base64 = body.strip_prefix("base64:").map(str::to_owned);
        Ok(Box::new(wire::HttpAnswer {
            status,
            reason: "fake".into(),
            minor: 1,
            headers,
            body_len: u64::try_from(body.len()).unwrap_or(0),
            body,
            body_base64,
            truncated: false,
            body_fault: None,
            peer,
            local: peer,
            tls: None,
            timings: wire::HttpTimings::default(),
        }))
    }

    pub(super) async fn hold(&self, from: &Vantage, ask: &wire::Http) -> wire::Outcome {
        let instant = || wire::Instant2 { at_us: 0, boot_us: 0 };
        let outcome = match self.http(from, ask).await {
            Ok(answer) => wire::HttpOutcome::Answered(answer),
            Err(failure) => wire::HttpOutcome::Failed(failure),
        };
        wire::Outcome::HoldHttp(wire::HoldHttpAnswer { started: instant(), finished: instant(), outcome })
    }

    pub(super) async fn many(&self, from: &Vantage, ask: &wire::HttpMany) -> wire::Outcome {
        let mut answer = wire::HttpManyAnswer {
            sent: 0,
            maybe_sent: 0,
            not_begun: 0,
            by_status: std::collections::BTreeMap::default(),
            by_failure: std::collections::BTreeMap::default(),
            each: vec![],
        };
        for _ in 0..ask.count {
            let at_us = u64::try_from(self.unix_us()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(ask.spacing_ms)).await;
            let Ok(one) = self.http(from, &ask.request).await else { continue };
            answer.sent += 1;
            *answer.by_status.entry(one.status).or_default() += 1;
            answer.each.push(wire::HttpManyOne {
                at_us,
                elapsed_us: 3_000,
                status: Some(one.status),
                failure: None,
                peer: Some(one.peer),
                body: ask.keep_bodies.then_some(one.body),
                headers: vec![],
            });
        }
        wire::Outcome::HttpMany(answer)
    }
}
