//! The latencies that a scenario plays, between the bounds of the student's own histogram.

use super::{Base, REQUESTS, Scenario};

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
    /// A little above the limit, and the share of requests that take so long for the 95th percentile to be
    /// that, interpolated; `None` when the bounds cannot tell it.
    pub edge: Option<(f64, f64)>,
}

/// The 95th percentile of [`Scenario::LatencyEdge`], in limits, when the bounds leave room for it.
const EDGE: f64 = 1.15;
/// Farthest into its bucket that it may be: beyond, hardly any request could be fast.
const DEEPEST: f64 = 0.9;

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
        let last = bounds.last().copied().unwrap_or(f64::INFINITY);
        Self { fast: fast.min(middle), middle, slow, last, edge: Self::edge(&bounds, threshold) }
    }

    /// Prometheus supposes that requests are spread evenly in a bucket: 95 % of all must then be reached at
    /// the wanted part of the one that holds the limit or begins there.
    fn edge(bounds: &[f64], threshold: f64) -> Option<(f64, f64)> {
        let upper = bounds.iter().find(|le| **le > threshold).copied()?;
        let lower = bounds.iter().rev().find(|le| **le <= threshold).copied()?;
        let edge = (threshold * EDGE).min(f64::midpoint(threshold, upper));
        let part = (edge - lower) / (upper - lower);
        (part <= DEEPEST).then(|| (edge, 0.05 / (1.0 - part)))
    }

    /// How long the slow requests of a scenario take.
    pub fn slow_in(&self, scenario: Scenario) -> f64 {
        self.edge.filter(|_| scenario == Scenario::LatencyEdge).map_or(self.slow, |(edge, _)| edge)
    }

    /// Shares of fast, middle and slow requests.
    fn shares(&self, scenario: Scenario, troubled: bool) -> [f64; 3] {
        match scenario {
            Scenario::LatencyEdge if troubled => {
                let share = self.edge.map_or(0.10, |(_, share)| share);
                [1.0 - share, 0.0, share]
            }
            Scenario::LatencyIdle if troubled => [0.0; 3],
            Scenario::LatencyLow if troubled => [0.60, 0.355, 0.045],
            Scenario::LatencyHigh | Scenario::LatencyPeak if troubled => [0.90, 0.0, 0.10],
            Scenario::LatencyMedian if troubled => [0.30, 0.0, 0.70],
            _ => [1.0, 0.0, 0.0],
        }
    }

    /// Requests that a bucket receives between two samples.
    pub(super) fn below(&self, scenario: Scenario, troubled: bool, le: f64) -> f64 {
        let shares = self.shares(scenario, troubled);
        let parts = shares.iter().zip([self.fast, self.middle, self.slow_in(scenario)]);
        let all: f64 = parts.map(|(share, latency)| if latency <= le { share * REQUESTS } else { 0.0 }).sum();
        // Thousandths of a request: a wide bucket takes few more than 5 %.
        (all * 1000.0).round() / 1000.0
    }

    pub(super) fn seconds(&self, scenario: Scenario, troubled: bool) -> f64 {
        let shares = self.shares(scenario, troubled);
        let latencies = [self.fast, self.middle, self.slow_in(scenario)];
        shares.iter().zip(latencies).map(|(share, l)| share * REQUESTS * l).sum()
    }
}
