//! A fake Prometheus with one alert on its API target: scrapes, evaluations and `for`, in virtual
//! time, at its own pace or divided.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::world::{ToolOutcome, ToolRun, wire};
use super::supervision::{good, params, vector};
use super::{FakePage, FakeTool, FakeWorld};

/// Behaviour of the alert.
#[derive(Clone, Debug)]
pub struct FakeAlert {
    /// Seconds between two scrapes.
    pub scrape: u64,
    /// Seconds between two evaluations.
    pub evaluation: u64,
    /// `for`, seconds.
    pub hold: u64,
    /// `for` of a second rule of the same name, in a group of its own, seconds.
    pub again: Option<u64>,
    /// Expression, as written.
    pub expr: &'static str,
    /// Whether the expression ever sees the target.
    pub sees: bool,
    /// Whether the alert ends.
    pub ends: bool,
    /// The alert is active from the beginning.
    pub early: bool,
    /// Evaluations become this much slower than they should.
    pub lags: u64,
    /// Health of the target before anything is stopped.
    pub up: bool,
    /// Target that the alert names; `None` when it has no label of a target.
    pub about: Option<(&'static str, &'static str)>,
    /// Another target falls at the same time.
    pub shaken: bool,
    /// Name of the alert that is loaded.
    pub name: &'static str,
}

impl Default for FakeAlert {
    fn default() -> Self {
        Self {
            scrape: 15,
            evaluation: 15,
            hold: 60,
            again: None,
            expr: "up{job=\"express-api\"} == 0",
            sees: true,
            ends: true,
            early: false,
            lags: 1,
            up: true,
            about: Some(("express-api", "api:5000")),
            shaken: false,
            name: "APIDown",
        }
    }
}

fn stamp(world: &FakeWorld, at: Duration) -> String {
    let zero = world.unix_us() - i64::try_from(world.since_birth().as_micros()).unwrap_or(0);
    let us = zero + i64::try_from(at.as_micros()).unwrap_or(0);
    jiff::Timestamp::from_microsecond(us).expect("an instant").to_string()
}

/// State at one instant.
struct Now {
    down: bool,
    scraped: Duration,
    evaluated: Duration,
    fresh: bool,
    /// Since when the expression holds, as the last evaluation knows.
    since: Option<Duration>,
    /// That evaluation.
    at: Duration,
}

impl FakeAlert {
    /// The rule file and the configuration that a student would have written.
    pub fn files(&self) -> (String, String) {
        let hold = if self.hold > 0 { format!("        for: {}s\n", self.hold) } else { String::new() };
        let mut rules = format!(
            "groups:\n  - name: tp\n    rules:\n      - alert: {}\n        expr: {}\n{hold}",
            self.name, self.expr
        );
        if let Some(again) = self.again {
            rules += &format!(
                "  - name: urgent\n    rules:\n      - alert: {}\n        expr: {}\n        for: {again}s\n",
                self.name, self.expr
            );
        }
        let evaluation = if self.evaluation == 60 {
            String::new()
        } else {
            format!("  evaluation_interval: {}s\n", self.evaluation)
        };
        let config = format!(
            "global:\n  scrape_interval: {}s\n{evaluation}rule_files:\n  - alert.rules.yml\n",
            self.scrape
        );
        (config, rules)
    }

    fn now(&self, world: &FakeWorld, factor: u64) -> Now {
        let ms = |seconds: u64| Duration::from_millis(seconds * 1000 / factor);
        let now = world.since_birth();
        let ended = world.lock().ended.clone();
        let is_down = |at: Duration| {
            !self.up
                || ended
                    .iter()
                    .any(|(s, from, until)| s == "api" && *from <= at && until.is_none_or(|u| at < u))
        };
        let last = |step: Duration, phase: Duration, at: Duration| {
            let count = at.saturating_sub(phase).as_millis() / step.as_millis().max(1);
            phase + step * u32::try_from(count).expect("small")
        };
        // Phases of their own, so that nothing falls together.
        let (scrape, phase) = (ms(self.scrape), Duration::from_millis(700 / factor));
        let evaluation = ms(self.evaluation) * u32::try_from(self.lags).expect("small");
        let first = Duration::from_millis(1300 / factor);
        let mut since: Option<Duration> = None;
        let (mut at, mut evaluated_at) = (first, first);
        while at <= now {
            let seen_down = is_down(last(scrape, phase, at)) && self.sees;
            let ever = since.is_some() && !self.ends;
            since = if seen_down || ever || self.early { since.or(Some(at)) } else { None };
            evaluated_at = at;
            at += evaluation;
        }
        let scraped = last(scrape, phase, now);
        let evaluated = last(evaluation, first, now);
        Now { down: is_down(scraped), scraped, evaluated, fresh: now < first, since, at: evaluated_at }
    }

    fn page(self, factor: u64) -> FakePage {
        Box::new(move |world, ask| self.answer(world, ask, factor))
    }

    fn answer(&self, world: &FakeWorld, ask: &wire::Http, factor: u64) -> (u16, String) {
        let now = self.now(world, factor);
        #[expect(clippy::cast_precision_loss, reason = "small test values")]
        let seconds = |s: u64| s as f64 / factor as f64;
        let path = ask.path.split('?').next().unwrap_or_default();
        match path {
            "/api/v1/status/runtimeinfo" => good(&json!({"reloadConfigSuccess": true})),
            "/api/v1/status/flags" => good(&json!({"config.file": "/etc/prometheus/prometheus.yml"})),
            "/api/v1/status/config" => good(&json!({"yaml": self.files().0})),
            "/api/v1/targets" => {
                let health = if now.down { "down" } else { "up" };
                let target = |url: &str, job: &str, instance: &str, health: &str| {
                    json!({"labels": {"job": job, "instance": instance}, "scrapeUrl": url, "health": health,
                        "lastError": if health == "down" { "connection refused" } else { "" },
                        "lastScrape": stamp(world, now.scraped), "lastScrapeDuration": 0.002,
                        "scrapeInterval": format!("{}ms", self.scrape * 1000 / factor),
                        "scrapeTimeout": format!("{}ms", 10_000 / factor)})
                };
                good(&json!({"activeTargets": [
                    target("http://api:5000/metrics", "express-api", "api:5000", health),
                    target(
                        "http://localhost:9090/metrics",
                        "prometheus",
                        "localhost:9090",
                        if self.shaken { health } else { "up" },
                    ),
                ]}))
            }
            "/api/v1/rules" => {
                let alerts = |hold: u64| -> Vec<Value> {
                    let told = now.since.iter().map(|since| {
                        let firing = now.at >= *since + Duration::from_millis(hold * 1000 / factor);
                        let mut labels = json!({"alertname": self.name});
                        if let Some((job, instance)) = self.about {
                            labels["job"] = job.into();
                            labels["instance"] = instance.into();
                        }
                        json!({"labels": labels, "activeAt": stamp(world, *since),
                            "state": if firing { "firing" } else { "pending" }, "value": "0"})
                    });
                    told.collect()
                };
                let group = |name: &str, hold: u64| {
                    json!({"name": name, "file": "/etc/prometheus/alert.rules.yml",
                    "interval": seconds(self.evaluation), "rules": [{
                        "type": "alerting", "name": self.name, "query": self.expr, "duration": seconds(hold),
                        "health": if now.fresh { "unknown" } else { "ok" }, "alerts": alerts(hold),
                        "lastEvaluation": stamp(world, now.evaluated),
                        "labels": {"severity": "critical"}, "annotations": {"summary": "x"},
                    }]})
                };
                let again = self.again.map(|hold| group("urgent", hold));
                let groups: Vec<Value> = std::iter::once(group("tp", self.hold)).chain(again).collect();
                good(&json!({"groups": groups}))
            }
            "/api/v1/query" => {
                let query = params(&ask.path).get("query").cloned().unwrap_or_default();
                let up = |job: &str, instance: &str| {
                    (json!({"__name__": "up", "job": job, "instance": instance}), 1_795_225_755.0, 1.0)
                };
                let mut samples = vec![up("express-api", "api:5000"), up("prometheus", "localhost:9090")];
                samples.extend(others().into_iter().filter(|(labels, ..)| {
                    labels["__name__"].as_str().is_some_and(|name| query.contains(name))
                }));
                vector(samples)
            }
            _ => (404, "404 page not found\n".to_owned()),
        }
    }

    /// A stack whose Prometheus has this alert, and whose twin keeps up with it.
    pub fn world(self) -> FakeWorld {
        let mut world = FakeWorld::lab02();
        world.add("prometheus", &[("backend", "10.2.0.9")], &[9090]);
        let (config, rules) = self.files();
        let inside = |path: &str| ("prometheus".to_owned(), path.to_owned());
        world.inside.insert(inside("/etc/prometheus/prometheus.yml"), config.clone());
        world.inside.insert(inside("/etc/prometheus/alert.rules.yml"), rules.clone());
        world.files.insert("prometheus/prometheus.yml".into(), config);
        world.files.insert("prometheus/alert.rules.yml".into(), rules);
        world.pages.insert(("prometheus".into(), 9090), self.clone().page(1));
        world.pages.insert(("twin:temps-prometheus".into(), 9090), self.page(10));
        world
    }
}

/// Series of other metrics.
fn others() -> Vec<(Value, f64, f64)> {
    let at = 1_795_225_755.0;
    let mut all: Vec<(Value, f64, f64)> = ["0.1", "0.5", "1", "2.5", "5", "+Inf"]
        .iter()
        .map(|le| {
            (
                json!({"__name__": "app_request_latency_seconds_bucket", "job": "express-api",
                "instance": "api:5000", "le": le}),
                at,
                3.0,
            )
        })
        .collect();
    for (name, limit) in [("tp-api-1", 268_435_456.0), ("tp-redis-1", 0.0)] {
        for (metric, value) in
            [("container_memory_usage_bytes", 5e7), ("container_spec_memory_limit_bytes", limit)]
        {
            all.push((
                json!({"__name__": metric, "job": "cadvisor", "instance": "cadvisor:8080", "name": name}),
                at,
                value,
            ));
        }
    }
    all
}

/// Value of an input series at a step, in promtool's notation.
fn value(values: &str, step: usize) -> Option<f64> {
    let mut left = step;
    for part in values.split_whitespace() {
        let (text, count) = part.split_once('x').map_or((part, 1), |(value, n)| {
            let n: usize = n.parse().expect("a count");
            (value, if value == "_" { n } else { n + 1 })
        });
        if left < count {
            return text.parse().ok();
        }
        left -= count;
    }
    None
}

/// What a fake rule sees at a step: the value of a series at that step or a number of steps before.
pub type Look<'a> = dyn Fn(&str, usize) -> Option<f64> + 'a;

/// A fake promtool, whose only alert is active for the series labelled `who` whenever `holds`.
pub fn promtool(
    hold: u64,
    who: Value,
    holds: impl Fn(&Look<'_>, usize) -> bool + Send + Sync + 'static,
) -> FakeTool {
    Box::new(move |run: &ToolRun| {
        let test: Value = serde_json::from_str(&run.files["test.yml"]).expect("a test");
        let span =
            |text: &Value| crate::check::prom::span::parse(text.as_str().expect("text")).expect("a span");
        let interval = span(&test["tests"][0]["interval"]);
        let evaluation = span(&test["evaluation_interval"]);
        let input = test["tests"][0]["input_series"].as_array().expect("input").clone();
        let look = |needle: &str, step: usize| {
            let found = input.iter().find(|s| s["series"].as_str().is_some_and(|s| s.contains(needle)))?;
            value(found["values"].as_str()?, step)
        };
        let mut output = String::from("Unit Testing:  test.yml\n  FAILED:\n");
        for asked in test["tests"][0]["promql_expr_test"].as_array().expect("questions") {
            let at = span(&asked["eval_time"]);
            let step = |at: Duration| usize::try_from(at.as_millis() / interval.as_millis()).expect("small");
            let mut since = None;
            let mut tick = Duration::ZERO;
            while tick <= at {
                since = if holds(&look, step(tick)) { since.or(Some(tick)) } else { None };
                tick += evaluation;
            }
            let got = since.map_or_else(
                || "nil".to_owned(),
                |since| {
                    let state = if at >= since + Duration::from_secs(hold) { "firing" } else { "pending" };
                    let labels: String =
                        who.as_object().expect("labels").iter().map(|(k, v)| format!(", {k}={v}")).collect();
                    format!("{{alertstate=\"{state}\"{labels}}} 1E+00")
                },
            );
            let time = asked["eval_time"].as_str().expect("a time");
            output +=
                &format!("    expr: \"count\", time: {time},\n        exp: {{}} 1E+00\n        got: {got}\n");
        }
        ToolOutcome { code: 1, output }
    })
}
