//! The answers of the Prometheus API, as far as the labs look at them. Instants are unix seconds or
//! RFC 3339 texts, as Prometheus writes them; unknown fields are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::check::metrics::parse::number;

/// Labels of a series.
pub type Labels = BTreeMap<String, String>;

/// Flags and their values.
pub type Flags = BTreeMap<String, String>;

/// An instant (unix seconds) and a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Unix seconds.
    pub at: f64,
    /// Value; may be infinite or not a number.
    pub value: f64,
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (at, text) = <(f64, String)>::deserialize(deserializer)?;
        let value = number(&text).ok_or_else(|| serde::de::Error::custom("not a number"))?;
        Ok(Self { at, value })
    }
}

/// One series of a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Labels, `__name__` included when there is one.
    pub labels: Labels,
    /// Unix seconds.
    pub at: f64,
    /// Value.
    pub value: f64,
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            #[serde(default)]
            metric: Labels,
            value: Point,
        }
        let raw = Raw::deserialize(deserializer)?;
        Ok(Self { labels: raw.metric, at: raw.value.at, value: raw.value.value })
    }
}

/// One series of a matrix.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Series {
    /// Labels.
    #[serde(default, rename = "metric")]
    pub labels: Labels,
    /// Points, oldest first.
    #[serde(default, rename = "values")]
    pub points: Vec<Point>,
}

/// What a query gives.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub enum Data {
    /// Instant vector.
    Vector(Vec<Sample>),
    /// Range vector.
    Matrix(Vec<Series>),
    /// A number.
    Scalar(Point),
    /// A text.
    String((f64, String)),
}

impl Data {
    /// As samples: a scalar is one without labels, a matrix gives the last point of each series.
    pub fn into_samples(self) -> Vec<Sample> {
        match self {
            Self::Vector(samples) => samples,
            Self::Scalar(point) => {
                vec![Sample { labels: Labels::new(), at: point.at, value: point.value }]
            }
            Self::Matrix(series) => series
                .into_iter()
                .filter_map(|s| {
                    let last = *s.points.last()?;
                    Some(Sample { labels: s.labels, at: last.at, value: last.value })
                })
                .collect(),
            Self::String(_) => Vec::new(),
        }
    }
}

/// Health of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// The last scrape succeeded.
    Up,
    /// It failed.
    Down,
    /// Not scraped yet.
    #[default]
    #[serde(other)]
    Unknown,
}

/// An active target.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Target {
    /// Labels before relabelling (`__address__`, `__metrics_path__`, …).
    pub discovered_labels: Labels,
    /// Labels that its series carry.
    pub labels: Labels,
    /// Name of the scrape configuration.
    pub scrape_pool: String,
    /// URL that is scraped.
    pub scrape_url: String,
    /// English; empty when the last scrape succeeded. Untrusted: cut before it is shown.
    pub last_error: String,
    /// RFC 3339; year 1 when there was none.
    pub last_scrape: String,
    /// Seconds.
    pub last_scrape_duration: f64,
    /// Health.
    pub health: Health,
    /// Duration, `15s`; empty with an old server.
    pub scrape_interval: String,
    /// Duration, `10s`; empty with an old server.
    pub scrape_timeout: String,
}

/// `data` of `/api/v1/targets`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Targets {
    /// Targets that are scraped.
    pub active_targets: Vec<Target>,
}

/// State of an alert or of an alerting rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Not active.
    #[default]
    Inactive,
    /// Active, for less long than `for`.
    Pending,
    /// Firing.
    Firing,
    /// Not evaluated yet, or a word that we do not know.
    #[serde(other)]
    Unknown,
}

/// An active alert.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActiveAlert {
    /// Labels, `alertname` included.
    pub labels: Labels,
    /// Annotations, templates expanded.
    pub annotations: Labels,
    /// State.
    pub state: AlertState,
    /// RFC 3339: first evaluation at which the expression held.
    pub active_at: Option<String>,
    /// Value of the expression.
    pub value: String,
}

/// Kind of rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    /// Alert.
    #[default]
    Alerting,
    /// Recording rule.
    Recording,
}

/// A loaded rule.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// Kind.
    #[serde(rename = "type")]
    pub kind: RuleKind,
    /// Alert or recorded series.
    pub name: String,
    /// Expression, as Prometheus writes it.
    pub query: String,
    /// `for`, seconds.
    pub duration: f64,
    /// `keep_firing_for`, seconds.
    pub keep_firing_for: f64,
    /// Labels added.
    pub labels: Labels,
    /// Annotations, as written.
    pub annotations: Labels,
    /// Active alerts of this rule.
    pub alerts: Vec<ActiveAlert>,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// English; untrusted.
    pub last_error: String,
    /// State of an alerting rule.
    pub state: AlertState,
    /// RFC 3339.
    pub last_evaluation: String,
    /// Seconds.
    pub evaluation_time: f64,
}

/// A group of rules.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleGroup {
    /// Name.
    pub name: String,
    /// File, as Prometheus sees it.
    pub file: String,
    /// Seconds between two evaluations.
    pub interval: f64,
    /// Rules, in order.
    pub rules: Vec<Rule>,
    /// RFC 3339.
    pub last_evaluation: String,
}

/// `data` of `/api/v1/rules`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Groups.
    pub groups: Vec<RuleGroup>,
}

/// `data` of `/api/v1/status/runtimeinfo`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeInfo {
    /// RFC 3339.
    pub start_time: String,
    /// Whether the configuration in force is the one last read.
    pub reload_config_success: bool,
    /// RFC 3339.
    pub last_config_time: String,
    /// For instance `15d`, or `15d or 1GiB`.
    pub storage_retention: String,
}

/// `data` of `/api/v1/status/config`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Config {
    /// YAML.
    pub yaml: String,
}

/// The configuration in force, as far as the labs look at it. Durations are Prometheus's
/// (see [`super::span`]).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Configuration {
    /// `global`.
    pub global: Global,
    /// `rule_files`.
    pub rule_files: Vec<String>,
    /// `scrape_configs`.
    pub scrape_configs: Vec<ScrapeConfig>,
}

/// `global`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Global {
    /// Time between two scrapes.
    pub scrape_interval: String,
    /// Time that a scrape may take.
    pub scrape_timeout: String,
    /// Time between two evaluations of the rules.
    pub evaluation_interval: String,
}

/// One of `scrape_configs`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ScrapeConfig {
    /// Name.
    pub job_name: String,
    /// Time between two scrapes.
    pub scrape_interval: String,
    /// Time that a scrape may take.
    pub scrape_timeout: String,
    /// Path.
    pub metrics_path: String,
    /// Addresses written down.
    pub static_configs: Vec<StaticConfig>,
}

/// One of `static_configs`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct StaticConfig {
    /// `host:port`.
    pub targets: Vec<String>,
}
