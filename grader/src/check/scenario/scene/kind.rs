//! The scenarios that there are.

use schemars::JsonSchema;
use serde::Deserialize;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
pub enum Scenario {
    /// The target of the service stops answering, then comes back.
    #[serde(rename = "target-down")]
    TargetDown,
    /// Every other target stops answering, the service does not.
    #[serde(rename = "other-down")]
    OtherDown,
    /// One scrape of the service fails, the next one succeeds.
    #[serde(rename = "one-miss")]
    OneMiss,
    /// 60 % of the requests are fast, 37 % nearly reach the limit, 3 % are slow: the 95th
    /// percentile stays below.
    #[serde(rename = "latency-low")]
    LatencyLow,
    /// 10 % of the requests are slow: the 95th percentile is above, the median is not.
    #[serde(rename = "latency-high")]
    LatencyHigh,
    /// The 95th percentile is a little above the limit.
    #[serde(rename = "latency-edge")]
    LatencyEdge,
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
    /// Memory at 95 % of the limit, in a container of another service.
    #[serde(rename = "memory-other")]
    MemoryOther,
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
        !matches!(
            self,
            Self::OtherDown
                | Self::OneMiss
                | Self::LatencyLow
                | Self::LatencyIdle
                | Self::Memory70
                | Self::Memory79
                | Self::MemoryNoLimit
        )
    }

    /// Family.
    pub fn family(self) -> Family {
        match self {
            Self::TargetDown | Self::OtherDown | Self::OneMiss => Family::Target,
            Self::LatencyLow
            | Self::LatencyHigh
            | Self::LatencyEdge
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
            Self::OneMiss => "one-miss",
            Self::LatencyLow => "latency-low",
            Self::LatencyHigh => "latency-high",
            Self::LatencyEdge => "latency-edge",
            Self::LatencyIdle => "latency-idle",
            Self::Memory70 => "memory-70",
            Self::Memory79 => "memory-79",
            Self::Memory81 => "memory-81",
            Self::Memory95 => "memory-95",
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
}

/// Who a series is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The service of the scenario.
    Target,
    /// The container of another service, to which the same may happen.
    Second,
    /// Another one.
    Other,
}
