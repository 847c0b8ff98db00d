//! The scenarios that there are.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Times;

/// How long a peak lasts.
pub(in super::super) const PEAK: Duration = Duration::from_secs(60);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
pub enum Scenario {
    /// The target of the service stops answering, then comes back.
    #[serde(rename = "target-down")]
    TargetDown,
    /// Every other target stops answering, the service does not.
    #[serde(rename = "other-down")]
    OtherDown,
    /// The target of the service goes down a second time, together with that of a second service.
    #[serde(rename = "down-again")]
    DownAgain,
    /// One scrape of the service fails, the next one succeeds.
    #[serde(rename = "one-miss")]
    OneMiss,
    /// 60 % of the requests are fast, 35.5 % nearly reach the limit, 4.5 % are slow: the 95th
    /// percentile stays below.
    #[serde(rename = "latency-low")]
    LatencyLow,
    /// 10 % of the requests are slow: the 95th percentile is above, the median is not.
    #[serde(rename = "latency-high")]
    LatencyHigh,
    /// The 95th percentile is a little above the limit.
    #[serde(rename = "latency-edge")]
    LatencyEdge,
    /// 10 % of the requests are slow, for a minute only.
    #[serde(rename = "latency-peak")]
    LatencyPeak,
    /// The service answers Prometheus and receives no other request.
    #[serde(rename = "latency-idle")]
    LatencyIdle,
    /// Memory at 70 % of the limit.
    #[serde(rename = "memory-70")]
    Memory70,
    /// Memory at 79 % of the limit.
    #[serde(rename = "memory-79")]
    Memory79,
    /// Memory at 81 % of the limit.
    #[serde(rename = "memory-81")]
    Memory81,
    /// Memory at 95 % of the limit.
    #[serde(rename = "memory-95")]
    Memory95,
    /// Memory at 95 % of the limit, for a minute only.
    #[serde(rename = "memory-peak")]
    MemoryPeak,
    /// Memory at 95 % of the limit, in the containers of all other services at once.
    #[serde(rename = "memory-other")]
    MemoryOther,
    /// A container without a limit uses nearly all the memory of the machine.
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
        !matches!(
            self,
            Self::OtherDown
                | Self::OneMiss
                | Self::LatencyLow
                | Self::LatencyPeak
                | Self::LatencyIdle
                | Self::Memory70
                | Self::Memory79
                | Self::MemoryPeak
                | Self::MemoryNoLimit
        )
    }

    /// Family.
    pub fn family(self) -> Family {
        match self {
            Self::TargetDown | Self::DownAgain | Self::OtherDown | Self::OneMiss => Family::Target,
            Self::LatencyLow
            | Self::LatencyHigh
            | Self::LatencyEdge
            | Self::LatencyPeak
            | Self::LatencyIdle
            | Self::LatencyMedian => Family::Latency,
            _ => Family::Memory,
        }
    }

    /// Its name in `lab.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TargetDown => "target-down",
            Self::OtherDown => "other-down",
            Self::DownAgain => "down-again",
            Self::OneMiss => "one-miss",
            Self::LatencyLow => "latency-low",
            Self::LatencyHigh => "latency-high",
            Self::LatencyEdge => "latency-edge",
            Self::LatencyPeak => "latency-peak",
            Self::LatencyIdle => "latency-idle",
            Self::Memory70 => "memory-70",
            Self::Memory79 => "memory-79",
            Self::Memory81 => "memory-81",
            Self::Memory95 => "memory-95",
            Self::MemoryPeak => "memory-peak",
            Self::MemoryOther => "memory-other",
            Self::MemoryNoLimit => "memory-no-limit",
            Self::LatencyMedian => "latency-median",
            Self::Memory150 => "memory-150",
        }
    }

    /// Share of the limit that is used.
    pub(super) fn share(self) -> f64 {
        match self {
            Self::Memory70 => 0.70,
            Self::Memory79 => 0.79,
            Self::Memory81 => 0.81,
            Self::Memory150 => 1.50,
            _ => 0.95,
        }
    }

    /// Whom it happens to.
    pub fn concerns(self, whose: Whose) -> bool {
        match self {
            Self::OtherDown => whose != Whose::Target,
            Self::MemoryOther => whose == Whose::Second,
            _ => whose == Whose::Target,
        }
    }

    /// How its trouble is laid out in time.
    pub(in super::super) fn times(self, times: Times) -> Times {
        match self {
            Self::OneMiss => times.lasting(times.interval),
            Self::LatencyPeak | Self::MemoryPeak => times.lasting(PEAK),
            Self::DownAgain => times.again(),
            _ => times,
        }
    }
}

/// Who a series is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The service of the scenario.
    Target,
    /// The target, or the containers, of other services to which the same may happen.
    Second,
    /// Another one.
    Other,
}
