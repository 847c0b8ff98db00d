//! A fake Prometheus and a fake Grafana, honest or devious.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::world::wire;
use super::FakeWorld;

/// What the fake Prometheus says.
#[derive(Clone)]
pub struct FakeProm {
    /// `activeTargets`.
    pub targets: Vec<Value>,
    /// `status/config`.
    pub config: String,
    /// `storageRetention`.
    pub retention: &'static str,
    /// `status/flags`.
    pub flags: Value,
    /// Times that the API is collected.
    pub copies: u32,
    /// Whether it is collected at all.
    pub collects: bool,
    /// Does not say when it started.
    pub hides_start: bool,
    /// Answers 503 to everything.
    pub unready: bool,
    /// Groups of `rules`.
    pub groups: Vec<Value>,
    /// Names of the containers that cAdvisor measures.
    pub containers: Vec<&'static str>,
    /// Instants of its scrapes, which no other server has.
    pub beat: f64,
}

/// A target as Prometheus tells it.
pub fn target(url: &str, job: &str, health: &str, error: &str) -> Value {
    json!({
        "discoveredLabels": {"__address__": url}, "labels": {"job": job, "instance": url}, "scrapePool": job,
        "scrapeUrl": url, "lastError": error, "lastScrape": "2026-11-21T05:00:00Z", "health": health,
        "scrapeInterval": "15s", "scrapeTimeout": "10s",
    })
}

impl Default for FakeProm {
    fn default() -> Self {
        Self {
            targets: vec![
                target("http://api:5000/metrics", "express-api", "up", ""),
                target("http://localhost:9090/metrics", "prometheus", "up", ""),
            ],
            config: "global:\n  scrape_interval: 15s\n  evaluation_interval: 15s\n".into(),
            retention: "15d",
            flags: json!({"storage.tsdb.retention.time": "15d"}),
            copies: 1,
            collects: true,
            hides_start: false,
            unready: false,
            groups: vec![],
            containers: vec![],
            beat: 1_795_225_755.125,
        }
    }
}

/// The parameters of a path.
pub fn params(path: &str) -> BTreeMap<String, String> {
    let query = path.split_once('?').map_or("", |(_, q)| q);
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            match (first, tail.get(..2)) {
                (b'%', Some(hex)) => {
                    let hex = std::str::from_utf8(hex).expect("hex");
                    bytes.push(u8::from_str_radix(hex, 16).expect("hex"));
                    rest = &tail[2..];
                }
                _ => {
                    bytes.push(*first);
                    rest = tail;
                }
            }
        }
        String::from_utf8(bytes).expect("text")
    };
    query.split('&').filter_map(|p| p.split_once('=')).map(|(k, v)| (decode(k), decode(v))).collect()
}

/// A successful answer of the API.
pub fn good(data: &Value) -> (u16, String) {
    (200, json!({"status": "success", "data": data}).to_string())
}

/// An instant vector: labels, instant, value.
pub fn vector(samples: Vec<(Value, f64, f64)>) -> (u16, String) {
    let result: Vec<Value> = samples
        .into_iter()
        .map(|(metric, at, value)| json!({"metric": metric, "value": [at, value.to_string()]}))
        .collect();
    good(&json!({"resultType": "vector", "result": result}))
}

impl FakeProm {
    /// The API of this Prometheus; the counter it stores is that of its last scrape.
    pub fn serve(self) -> super::FakePage {
        let stored: Arc<Mutex<Option<(Instant, u64)>>> = Arc::default();
        Box::new(move |world, ask| self.answer(world, ask, &stored))
    }

    fn answer(
        &self,
        world: &FakeWorld,
        ask: &wire::Http,
        stored: &Mutex<Option<(Instant, u64)>>,
    ) -> (u16, String) {
        if self.unready {
            return (503, "Service Unavailable".into());
        }
        let path = ask.path.split('?').next().unwrap_or_default();
        let params = params(&ask.path);
        let text = |key: &str| params.get(key).map_or("", String::as_str);
        match path {
            "/metrics" => (200, "up 1\n".into()),
            "/api/v1/status/runtimeinfo" => {
                let start = if self.hides_start { String::new() } else { format!("start {}", self.beat) };
                good(&json!({"storageRetention": self.retention, "startTime": start}))
            }
            "/api/v1/status/flags" => good(&self.flags),
            "/api/v1/status/config" => good(&json!({"yaml": self.config})),
            "/api/v1/targets" => good(&json!({"activeTargets": self.targets, "droppedTargets": []})),
            "/api/v1/rules" => good(&json!({"groups": self.groups})),
            "/api/v1/series" => {
                let series = |extra: Value| {
                    let mut labels =
                        json!({"endpoint": "/api/data", "job": "express-api", "instance": "api:5000"});
                    labels
                        .as_object_mut()
                        .expect("object")
                        .extend(extra.as_object().expect("object").clone());
                    labels
                };
                good(&match text("match[]") {
                    "app_requests_total" => json!([series(json!({"method": "GET"}))]),
                    "app_request_latency_seconds_bucket" => {
                        let les = [
                            "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10",
                            "+Inf",
                        ];
                        Value::from(les.map(|le| series(json!({"le": le}))).to_vec())
                    }
                    name if name.starts_with("container_") => {
                        self.containers.iter().map(|n| json!({"__name__": name, "name": n})).collect()
                    }
                    _ => json!([]),
                })
            }
            "/api/v1/query" if text("query") == "timestamp(up)" => {
                let at = text("time").parse().unwrap_or(self.beat + 3.0);
                vector(vec![(json!({"job": "express-api"}), at, self.beat)])
            }
            "/api/v1/query" => {
                let now = world.lock().counted.get("/api/data").copied().unwrap_or(0);
                let mut last = stored.lock().expect("lock");
                let (at, value) = last.get_or_insert((Instant::now(), now));
                if at.elapsed() >= Duration::from_secs(15) {
                    (*at, *value) = (Instant::now(), now);
                }
                let value = f64::from(u32::try_from(*value).expect("small"));
                if !self.collects {
                    return vector(vec![]);
                }
                if text("query").starts_with("sum(rate(") {
                    return vector(vec![(json!({}), 1.0, value / 120.0)]);
                }
                let one = |n: u32| (json!({"instance": "api:5000", "job": format!("job{n}")}), 1.0, value);
                vector((0..self.copies).map(one).collect())
            }
            _ => (404, "404 page not found".into()),
        }
    }
}

/// What the fake Grafana says.
pub struct FakeGrafana {
    /// Password of `admin`.
    pub password: &'static str,
    /// `GET /api/datasources`.
    pub sources: Vec<Value>,
    /// Health of each.
    pub healthy: bool,
    /// What the data source leads to.
    pub behind: FakeProm,
    /// Dashboards, each with its uid and title inside.
    pub boards: Vec<Value>,
    /// Frames of a query, by expression; without one, the query gives nothing.
    pub frames: BTreeMap<String, Value>,
}

/// The data source of the statement.
pub fn source() -> Value {
    json!({"uid": "prom", "name": "Prometheus", "type": "prometheus", "access": "proxy",
           "url": "http://prometheus:9090", "isDefault": true, "readOnly": true, "jsonData": {}})
}

impl Default for FakeGrafana {
    fn default() -> Self {
        Self {
            password: "tp-local",
            sources: vec![source()],
            healthy: true,
            behind: FakeProm::default(),
            boards: vec![],
            frames: BTreeMap::new(),
        }
    }
}

/// One frame with one number under these labels.
pub fn frame(labels: &Value) -> Value {
    json!({"schema": {"fields": [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number", "labels": labels}]},
           "data": {"values": [[1], [0.5]]}})
}

impl FakeGrafana {
    /// The API of this Grafana.
    pub fn serve(self) -> super::FakePage {
        let stored: Mutex<Option<(Instant, u64)>> = Mutex::default();
        Box::new(move |world, ask| self.answer(world, ask, &stored))
    }

    fn answer(
        &self,
        world: &FakeWorld,
        ask: &wire::Http,
        stored: &Mutex<Option<(Instant, u64)>>,
    ) -> (u16, String) {
        let path = ask.path.split('?').next().unwrap_or_default();
        if path == "/api/health" {
            return (200, json!({"database": "ok"}).to_string());
        }
        let authorization = ask.headers.iter().find(|(k, _)| k == "Authorization").map(|(_, v)| v.clone());
        let wanted = STANDARD.encode(format!("admin:{}", self.password));
        if authorization != Some(format!("Basic {wanted}")) {
            return (401, json!({"message": "Invalid username or password"}).to_string());
        }
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["api", "user"] => (200, json!({"login": "admin"}).to_string()),
            ["api", "datasources"] => (200, Value::from(self.sources.clone()).to_string()),
            ["api", "datasources", "uid", _, "health"] if self.healthy => (
                200,
                json!({"status": "OK", "message": "Successfully queried the Prometheus API."}).to_string(),
            ),
            ["api", "datasources", "uid", _, "health"] => (
                400,
                json!({"status": "ERROR", "message": "dial tcp: connect: connection refused"}).to_string(),
            ),
            ["api", "datasources", "proxy", "uid", _, rest @ ..] => {
                let query = ask.path.split_once('?').map(|(_, q)| format!("?{q}")).unwrap_or_default();
                let ask = wire::Http::get("prometheus", 9090, format!("/{}{query}", rest.join("/")));
                self.behind.answer(world, &ask, stored)
            }
            ["api", "search"] => {
                let found: Vec<Value> = self
                    .boards
                    .iter()
                    .map(|b| json!({"uid": b["uid"], "title": b["title"], "type": "dash-db"}))
                    .collect();
                (200, Value::from(found).to_string())
            }
            ["api", "dashboards", "uid", uid] => {
                let board = self.boards.iter().find(|b| b["uid"] == *uid).expect("a known dashboard");
                let meta = json!({"provisioned": true, "provisionedExternalId": "api.json"});
                (200, json!({"dashboard": board, "meta": meta}).to_string())
            }
            ["api", "ds", "query"] => {
                let body: Value = serde_json::from_str(ask.body.as_deref().unwrap_or("{}")).expect("json");
                let expr = body["queries"][0]["expr"].as_str().unwrap_or_default();
                let frames: Vec<Value> = self.frames.get(expr).into_iter().cloned().collect();
                (200, json!({"results": {"A": {"status": 200, "frames": frames}}}).to_string())
            }
            _ => (404, json!({"message": "Not found"}).to_string()),
        }
    }
}

impl FakeWorld {
    /// The stack of lab 04: that of lab 02, Prometheus on `backend` and `supervision`, Grafana on
    /// `supervision`.
    pub fn lab04(prom: FakeProm, grafana: FakeGrafana) -> Self {
        let mut world = Self::lab02();
        world.add("prometheus", &[("backend", "10.2.0.9"), ("supervision", "10.3.0.9")], &[9090]);
        world.add("grafana", &[("supervision", "10.3.0.8")], &[3000]);
        world.add("cadvisor", &[("supervision", "10.3.0.7")], &[8080]);
        world.names.insert("localhost".into(), vec!["127.0.0.1".parse().expect("ip")]);
        world.pages.insert(("prometheus".into(), 9090), prom.serve());
        world.pages.insert(("grafana".into(), 3000), grafana.serve());
        world
    }
}
