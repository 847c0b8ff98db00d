//! Scenarios as series: what Prometheus would have seen, made from what it really sees.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::promtool::{Input, Labels, Value};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
pub enum Scenario {
    /// The target of the service stops answering, then comes back.
    #[serde(rename = "target-down")]
    TargetDown,
    /// 60 % of the requests are fast, 37 % nearly reach the limit, 3 % are slow: the 95th
    /// percentile stays below.
    #[serde(rename = "latency-low")]
    LatencyLow,
    /// 10 % of the requests are slow: the 95th percentile is above, the median is not.
    #[serde(rename = "latency-high")]
    LatencyHigh,
    /// Memory at 70 % of the limit.
    #[serde(rename = "memory-70")]
    Memory70,
    /// Memory at 81 % of the limit.
    #[serde(rename = "memory-81")]
    Memory81,
    /// Memory at 95 % of the limit.
    #[serde(rename = "memory-95")]
    Memory95,
    /// A container without a limit uses a lot of memory.
    #[serde(rename = "memory-no-limit")]
    MemoryNoLimit,
    /// For a diagnosis: most requests are slow.
    #[serde(skip)]
    LatencyMedian,
    /// For a diagnosis: memory above the limit itself.
    #[serde(skip)]
    Memory150,
}

/// Family of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A target.
    Target,
    /// A histogram.
    Latency,
    /// Containers.
    Memory,
}

impl Scenario {
    /// Whether the alert must fire.
    pub fn fires(self) -> bool {
        !matches!(self, Self::LatencyLow | Self::Memory70 | Self::MemoryNoLimit)
    }

    /// Family.
    pub fn family(self) -> Family {
        match self {
            Self::TargetDown => Family::Target,
            Self::LatencyLow | Self::LatencyHigh | Self::LatencyMedian => Family::Latency,
            _ => Family::Memory,
        }
    }

    /// Its name in `lab.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TargetDown => "target-down",
            Self::LatencyLow => "latency-low",
            Self::LatencyHigh => "latency-high",
            Self::Memory70 => "memory-70",
            Self::Memory81 => "memory-81",
            Self::Memory95 => "memory-95",
            Self::MemoryNoLimit => "memory-no-limit",
            Self::LatencyMedian => "latency-median",
            Self::Memory150 => "memory-150",
        }
    }

    /// Share of the limit that is used.
    fn share(self) -> f64 {
        match self {
            Self::Memory70 => 0.70,
            Self::Memory81 => 0.81,
            Self::Memory150 => 1.50,
            _ => 0.95,
        }
    }
}

/// Who a series is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The service of the scenario.
    Target,
    /// Another one.
    Other,
}

/// A series that Prometheus really has.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    /// Labels, `__name__` included.
    pub labels: Labels,
    /// Its value now.
    pub value: f64,
    /// Who it is about.
    pub whose: Whose,
}

impl Base {
    /// Name of the metric.
    pub fn name(&self) -> &str {
        self.labels.get("__name__").map_or("", String::as_str)
    }
}

/// When things happen, in virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Between two samples.
    pub interval: Duration,
    /// Between two evaluations.
    pub evaluation: Duration,
    /// First sample of the trouble.
    pub fault: Duration,
    /// First sample after it.
    pub recovery: Duration,
    /// End.
    pub end: Duration,
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Rounds up to a multiple of `unit`.
fn up(duration: Duration, unit: Duration) -> Duration {
    let unit = ms(unit).max(1);
    Duration::from_millis(ms(duration).div_ceil(unit).saturating_mul(unit))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Longest look-back that is followed: beyond, a scenario would last for ever.
pub const LONGEST: Duration = Duration::from_secs(3600);

impl Times {
    /// Leaves room for what the expression looks back (`back`), for `hold` while the trouble lasts
    /// and for `keeps` after it.
    pub fn plan(
        interval: Duration,
        evaluation: Duration,
        back: Duration,
        hold: Duration,
        keeps: Duration,
    ) -> Self {
        let interval = interval.max(Duration::from_secs(1));
        let evaluation = evaluation.max(Duration::from_secs(1));
        // Trouble begins at a sample that is also an evaluation, when that comes often enough.
        let (a, b) = (ms(interval), ms(evaluation));
        let common = a / gcd(a, b).max(1) * b;
        let unit = Duration::from_millis(if common <= 600_000 { common } else { a.max(b) });
        let back = back.min(LONGEST);
        let slack = evaluation * 6 + interval * 2;
        let fault = up(back + slack.max(Duration::from_secs(120)), unit);
        let recovery = fault + up(hold.min(LONGEST) + back + slack, unit);
        let end = recovery + up(back + keeps.min(LONGEST) + slack, unit);
        Self { interval, evaluation, fault, recovery, end }
    }

    /// Number of samples.
    fn steps(&self) -> usize {
        usize::try_from(ms(self.end) / ms(self.interval).max(1)).unwrap_or(0) + 1
    }

    /// Instants of the evaluations.
    pub fn evaluations(&self) -> Vec<Duration> {
        let count = ms(self.end) / ms(self.evaluation).max(1);
        (0..=count).map(|n| Duration::from_millis(n * ms(self.evaluation))).collect()
    }

    /// Whether there is trouble at this sample.
    fn troubled(&self, step: usize) -> bool {
        let at = self.interval * u32::try_from(step).unwrap_or(u32::MAX);
        at >= self.fault && at < self.recovery
    }
}

/// Requests between two samples.
const REQUESTS: f64 = 100.0;
/// Bytes of the limit of the container that is in trouble.
const LIMIT: f64 = 256.0 * 1024.0 * 1024.0;
/// Bytes of the limit of the other containers: little, so that a threshold in bytes does not wake
/// for them.
const OTHERS: f64 = 64.0 * 1024.0 * 1024.0;
/// Share of the limit used when all is well.
const CALM: f64 = 0.30;

/// Makes the series of a scenario. `histogram` is the name of the latency metric, `threshold` its
/// limit in seconds.
pub fn play(
    scenario: Scenario,
    times: &Times,
    bases: &[Base],
    histogram: &str,
    threshold: f64,
) -> Vec<Input> {
    let latency = Latency::of(bases, histogram, threshold);
    let made = bases.iter().map(|base| {
        let series = Series { scenario, base, histogram, latency: &latency };
        let mut total = 0.0;
        let values = (0..times.steps())
            .map(|step| {
                let troubled = times.troubled(step);
                match series.at(troubled) {
                    At::Level(value) => Value::Is(value),
                    At::Grows(by) => {
                        total += if step == 0 { 0.0 } else { by };
                        Value::Is(total)
                    }
                    At::Gone => {
                        let first = step == 0 || !times.troubled(step - 1);
                        if first { Value::Stale } else { Value::Missing }
                    }
                }
            })
            .collect();
        Input { labels: base.labels.clone(), values }
    });
    made.collect()
}

/// A series at one step.
enum At {
    Level(f64),
    Grows(f64),
    Gone,
}

/// The latencies of a scenario, chosen between the bounds of the student's own histogram, so that
/// what is asked can be told from what is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Far below the limit.
    pub fast: f64,
    /// In the last bucket that ends at or below the limit.
    pub middle: f64,
    /// In the first bucket that begins at or above the limit.
    pub slow: f64,
    /// Largest finite bound.
    pub last: f64,
}

impl Latency {
    /// From the `le` labels of the histogram.
    pub fn of(bases: &[Base], histogram: &str, threshold: f64) -> Self {
        let bucket = format!("{histogram}_bucket");
        let mut bounds: Vec<f64> = bases
            .iter()
            .filter(|b| b.name() == bucket)
            .filter_map(|b| b.labels.get("le")?.parse::<f64>().ok())
            .filter(|le| le.is_finite())
            .collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let fast = bounds.first().copied().unwrap_or(0.05);
        let middle = bounds.iter().rev().find(|le| **le <= threshold).copied().unwrap_or(threshold / 2.0);
        let at = bounds.iter().find(|le| **le >= threshold).copied();
        let next = at.and_then(|at| bounds.iter().find(|le| **le > at).copied());
        // In the middle of the bucket above the limit; beyond the last bound when there is none.
        let slow = match (at, next) {
            (Some(at), Some(next)) => f64::midpoint(at, next),
            (Some(at), None) => at * 2.0,
            (None, _) => threshold * 2.0,
        };
        Self { fast: fast.min(middle), middle, slow, last: bounds.last().copied().unwrap_or(f64::INFINITY) }
    }

    /// Shares of fast, middle and slow requests.
    fn shares(scenario: Scenario, troubled: bool) -> [f64; 3] {
        match scenario {
            Scenario::LatencyLow if troubled => [0.60, 0.37, 0.03],
            Scenario::LatencyHigh if troubled => [0.90, 0.0, 0.10],
            Scenario::LatencyMedian if troubled => [0.30, 0.0, 0.70],
            _ => [1.0, 0.0, 0.0],
        }
    }

    /// Requests that a bucket receives between two samples.
    fn below(&self, scenario: Scenario, troubled: bool, le: f64) -> f64 {
        let shares = Self::shares(scenario, troubled);
        let parts = shares.iter().zip([self.fast, self.middle, self.slow]);
        parts.map(|(share, latency)| if latency <= le { share * REQUESTS } else { 0.0 }).sum::<f64>().round()
    }

    fn seconds(&self, scenario: Scenario, troubled: bool) -> f64 {
        let shares = Self::shares(scenario, troubled);
        shares.iter().zip([self.fast, self.middle, self.slow]).map(|(share, l)| share * REQUESTS * l).sum()
    }
}

struct Series<'a> {
    scenario: Scenario,
    base: &'a Base,
    histogram: &'a str,
    latency: &'a Latency,
}

impl Series<'_> {
    fn at(&self, troubled: bool) -> At {
        let name = self.base.name();
        let target = self.base.whose == Whose::Target;
        if self.scenario == Scenario::TargetDown && troubled && target {
            return if name == "up" { At::Level(0.0) } else { At::Gone };
        }
        if name == "up" {
            return At::Level(1.0);
        }
        if let Some(part) = name.strip_prefix(self.histogram) {
            // Only the target's requests change.
            let troubled = troubled && target;
            match part {
                "_bucket" => {
                    let le =
                        self.base.labels.get("le").and_then(|le| crate::check::metrics::parse::number(le));
                    return At::Grows(self.latency.below(
                        self.scenario,
                        troubled,
                        le.unwrap_or(f64::INFINITY),
                    ));
                }
                "_count" => return At::Grows(REQUESTS),
                "_sum" => return At::Grows(self.latency.seconds(self.scenario, troubled)),
                _ => {}
            }
        }
        if self.scenario.family() == Family::Memory
            && let Some(level) = self.memory(name, troubled)
        {
            return At::Level(level);
        }
        let counter = ["_total", "_count", "_bucket", "_sum"].iter().any(|end| name.ends_with(end));
        if counter { At::Grows(10.0) } else { At::Level(self.base.value) }
    }

    fn memory(&self, name: &str, troubled: bool) -> Option<f64> {
        let target = self.base.whose == Whose::Target;
        let unlimited = self.scenario == Scenario::MemoryNoLimit;
        match name {
            "container_spec_memory_limit_bytes" | "container_spec_memory_swap_limit_bytes" => {
                Some(match (target, unlimited) {
                    (true, true) => 0.0,
                    (true, false) => LIMIT,
                    // Who has no limit really has none here; elsewhere that is not what is judged.
                    (false, true) if self.base.value <= 0.0 => 0.0,
                    (false, _) => OTHERS,
                })
            }
            "container_spec_memory_reservation_limit_bytes"
            | "container_memory_cache"
            | "container_memory_swap"
            | "container_memory_mapped_file"
            | "container_memory_failcnt"
            | "container_memory_failures_total" => Some(0.0),
            "container_memory_usage_bytes"
            | "container_memory_working_set_bytes"
            | "container_memory_max_usage_bytes"
            | "container_memory_rss" => {
                let share = if target && troubled { self.scenario.share() } else { CALM };
                Some((if target { LIMIT } else { OTHERS } * share).round())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
