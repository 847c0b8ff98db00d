//! Scenarios as series: what Prometheus would have seen, made from what it really sees.

use std::time::Duration;

use super::promtool::{Input, Labels, Value};

mod kind;
mod latency;

pub(super) use kind::PEAK;
pub use kind::{Family, Scenario, Whose};
pub use latency::Latency;

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
    /// Beginning and end of an earlier trouble, and the instant from which it is forgotten.
    pub earlier: Option<(Duration, Duration, Duration)>,
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
        Self { interval, evaluation, fault, recovery, end, earlier: None }
    }

    /// The same, when the trouble lasts no longer than that, one sample at least.
    pub fn lasting(self, short: Duration) -> Self {
        Self { recovery: self.fault + up(short.max(self.interval), self.interval), ..self }
    }

    /// The same trouble a second time, once the first one is forgotten.
    pub fn again(self) -> Self {
        // Both ends of the trouble and of all are on samples and on evaluations.
        let fault = self.end + self.fault;
        let recovery = self.end + self.recovery;
        let end = self.end + self.end;
        Self { fault, recovery, end, earlier: Some((self.fault, self.recovery, self.end)), ..self }
    }

    /// From here on every range has its two samples, recorded series have been recorded, and an earlier trouble is
    /// forgotten.
    pub fn warm(&self) -> Duration {
        self.earlier.map_or((self.interval + self.evaluation) * 2, |(_, _, forgotten)| forgotten)
    }

    /// Whether trouble begins at an evaluation and at a sample.
    pub fn is_aligned(&self) -> bool {
        let whole = |unit: Duration| ms(self.fault).is_multiple_of(ms(unit).max(1));
        whole(self.interval) && whole(self.evaluation)
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

    /// The trouble that there is at this sample.
    fn trouble(&self, step: usize) -> Trouble {
        let at = self.interval * u32::try_from(step).unwrap_or(u32::MAX);
        if (self.fault..self.recovery).contains(&at) {
            return Trouble::Judged;
        }
        match self.earlier {
            Some((from, to, _)) if (from..to).contains(&at) => Trouble::Earlier,
            _ => Trouble::None,
        }
    }
}

/// Whether there is trouble, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Earlier,
    Judged,
}

/// Requests between two samples: fewer than one a second.
const REQUESTS: f64 = 12.0;
/// Bytes of a machine that does not tell its memory.
const MACHINE: f64 = 32.0 * 1024.0 * 1024.0 * 1024.0;
/// Bytes of the limit of the other containers: little, so that a threshold in bytes does not wake
/// for them.
const OTHERS: f64 = 64.0 * 1024.0 * 1024.0;
/// Share of the limit used when all is well.
const CALM: f64 = 0.30;

/// What a scenario is played with.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Name of the latency metric.
    pub histogram: &'a str,
    /// Its limit, seconds.
    pub threshold: f64,
    /// Limit of the containers that are in trouble, bytes.
    pub limit: f64,
}

/// Makes the series of a scenario.
pub fn play(scenario: Scenario, times: &Times, bases: &[Base], stage: Stage<'_>) -> Vec<Input> {
    let latency = Latency::of(bases, stage.histogram, stage.threshold);
    let told = bases.iter().filter(|b| MEMORY_OF_MACHINES.contains(&b.name())).map(|b| b.value);
    let machine = Some(told.fold(0.0, f64::max)).filter(|bytes| *bytes > 0.0).unwrap_or(MACHINE);
    let made = bases.iter().map(|base| {
        let series = Series { scenario, base, stage, machine, latency: &latency };
        let mut total = 0.0;
        let values = (0..times.steps())
            .map(|step| match series.at(times.trouble(step)) {
                At::Level(value) => Value::Is(value),
                At::Grows(by) => {
                    total += if step == 0 { 0.0 } else { by };
                    Value::Is(total)
                }
                At::Gone => {
                    let first = step == 0 || times.trouble(step - 1) == Trouble::None;
                    if first { Value::Stale } else { Value::Missing }
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

/// Metrics that tell the memory of the whole machine.
const MEMORY_OF_MACHINES: [&str; 2] = ["machine_memory_bytes", "node_memory_MemTotal_bytes"];
/// What Prometheus itself counts at each scrape: nothing when it fails.
const OF_A_SCRAPE: [&str; 3] =
    ["scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"];

struct Series<'a> {
    scenario: Scenario,
    base: &'a Base,
    stage: Stage<'a>,
    /// Memory of the machine, bytes.
    machine: f64,
    latency: &'a Latency,
}

impl Series<'_> {
    fn at(&self, trouble: Trouble) -> At {
        let name = self.base.name();
        let with_it = self.scenario == Scenario::DownAgain && self.base.whose == Whose::Second;
        let troubled = match trouble {
            Trouble::None => false,
            Trouble::Earlier => self.scenario.concerns(self.base.whose),
            Trouble::Judged => self.scenario.concerns(self.base.whose) || with_it,
        };
        if self.scenario.family() == Family::Target && troubled {
            return match name {
                "up" => At::Level(0.0),
                name if OF_A_SCRAPE.contains(&name) => At::Level(0.0),
                "scrape_duration_seconds" => At::Level(self.base.value),
                _ => At::Gone,
            };
        }
        if name == "up" {
            return At::Level(1.0);
        }
        if let Some(part) = name.strip_prefix(self.stage.histogram) {
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
                "_count" => return At::Grows(self.latency.below(self.scenario, troubled, f64::INFINITY)),
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
        match counter {
            // Whatever else counts the requests counts none either.
            true if troubled && self.scenario == Scenario::LatencyIdle => At::Grows(0.0),
            true => At::Grows(10.0),
            false => At::Level(self.base.value),
        }
    }

    fn memory(&self, name: &str, troubled: bool) -> Option<f64> {
        // In calm times too, the limit is that of the container to which it will happen.
        let target = self.scenario.concerns(self.base.whose);
        let unlimited = self.scenario == Scenario::MemoryNoLimit;
        match name {
            "container_spec_memory_limit_bytes" | "container_spec_memory_swap_limit_bytes" => {
                Some(match (target, unlimited) {
                    (true, true) => 0.0,
                    (true, false) => self.stage.limit,
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
                let share = if troubled { self.scenario.share() } else { CALM };
                let whole = match (target, unlimited) {
                    (true, true) => self.machine,
                    (true, false) => self.stage.limit,
                    (false, _) => OTHERS,
                };
                Some((whole * share).round())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
