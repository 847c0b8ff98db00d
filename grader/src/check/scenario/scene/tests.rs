use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn base(name: &str, labels: &[(&str, &str)], value: f64, whose: Whose) -> Base {
    let mut all: Labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    all.insert("__name__".into(), name.into());
    Base { labels: all, value, whose }
}

const H: &str = "app_request_latency_seconds";
const STAGE: Stage<'_> = Stage { histogram: H, threshold: 1.0, limit: 150e6 };

fn histogram(bounds: &[&str]) -> Vec<Base> {
    bounds
        .iter()
        .chain(&["+Inf"])
        .map(|le| base(&format!("{H}_bucket"), &[("le", le), ("job", "express-api")], 3.0, Whose::Target))
        .collect()
}

/// The quantile as Prometheus computes it, on the increases between two samples.
fn quantile(q: f64, bases: &[Base], inputs: &[Input], step: usize) -> f64 {
    let mut buckets: Vec<(f64, f64)> = bases
        .iter()
        .zip(inputs)
        .map(|(b, i)| {
            let le = crate::check::metrics::parse::number(&b.labels["le"]).expect("a bound");
            let (Value::Is(now), Value::Is(before)) = (i.values[step], i.values[step - 1]) else {
                return (le, 0.0);
            };
            (le, now - before)
        })
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = buckets.last().map_or(0.0, |b| b.1);
    if total <= 0.0 {
        return f64::NAN;
    }
    let rank = q * total;
    let at = buckets.iter().position(|b| b.1 >= rank).unwrap_or(buckets.len() - 1);
    if at == buckets.len() - 1 {
        return buckets[at.saturating_sub(1)].0;
    }
    let (start, below) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    let (end, count) = buckets[at];
    start + (end - start) * (rank - below) / (count - below)
}

fn at_trouble(scenario: Scenario, bounds: &[&str]) -> (f64, f64, f64, f64) {
    let bases = histogram(bounds);
    let times = Times::plan(s(15), s(15), s(300), s(120), s(0));
    let inputs = play(scenario, &times, &bases, STAGE);
    let step = usize::try_from(times.recovery.as_secs() / 15).expect("small") - 1;
    let q = |q| quantile(q, &bases, &inputs, step);
    (q(0.5), q(0.95), q(0.99), quantile(0.95, &bases, &inputs, 2))
}

#[test]
fn latencies_tell_quantiles_apart() {
    let default = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"];
    for bounds in [&default[..], &["0.1", "0.3", "0.5", "0.7", "1", "3", "5", "7", "10"], &["0.5", "2", "4"]]
    {
        let (p50, p95, _, calm) = at_trouble(Scenario::LatencyHigh, bounds);
        assert!(p50 < 1.0 && p95 > 1.0 && calm < 1.0, "{bounds:?} {p50} {p95} {calm}");
        let (_, p95, p99, _) = at_trouble(Scenario::LatencyLow, bounds);
        assert!(p95 <= 1.0 && p99 > 1.0, "{bounds:?} {p95} {p99}");
        let (_, p95, ..) = at_trouble(Scenario::LatencyEdge, bounds);
        assert!(p95 > 1.1 && p95 < 1.2, "{bounds:?} {p95}");
        let (_, p95, ..) = at_trouble(Scenario::LatencyIdle, bounds);
        assert!(p95.is_nan(), "{bounds:?} {p95}");
        let (p50, ..) = at_trouble(Scenario::LatencyMedian, bounds);
        assert!(p50 > 1.0, "{bounds:?} {p50}");
    }
    // A histogram that ends at the limit cannot tell.
    let short = Latency::of(&histogram(&["0.1", "0.5", "1"]), H, 1.0);
    assert!(short.last <= 1.0);
    assert_eq!(at_trouble(Scenario::LatencyHigh, &["0.1", "0.5", "1"]).1.to_string(), "1");
}

proptest! {
    /// Wherever the bounds are, the edge is above the limit and told from 1.4 times it.
    #[test]
    fn the_edge_is_a_little_above_the_limit(lower in 0.05f64..=1.0, upper in 1.01f64..60.0) {
        let (low, high) = (lower.to_string(), upper.to_string());
        let bounds = ["0.01", low.as_str(), high.as_str(), "100"];
        let bases = histogram(&bounds);
        prop_assume!(Latency::of(&bases, H, 1.0).edge.is_some());
        let (_, p95, ..) = at_trouble(Scenario::LatencyEdge, &bounds);
        prop_assert!(p95 > 1.0 && p95 < 1.3, "{:?} {}", bounds, p95);
    }
}

fn level(inputs: &[Input], index: usize, times: &Times, at: Duration) -> Value {
    inputs[index].values[usize::try_from(at.as_millis() / times.interval.as_millis()).expect("small")]
}

#[test]
fn a_target_goes_down() {
    let bases = [
        base("up", &[("job", "express-api")], 1.0, Whose::Target),
        base("app_requests_total", &[("job", "express-api")], 7.0, Whose::Target),
        base("up", &[("job", "cadvisor")], 1.0, Whose::Other),
        base("scrape_duration_seconds", &[("job", "cadvisor")], 0.25, Whose::Other),
    ];
    let times = Times::plan(s(15), s(15), s(0), s(60), s(0));
    let made = play(Scenario::TargetDown, &times, &bases, STAGE);
    let before = times.fault.saturating_sub(times.interval);
    assert_eq!(level(&made, 0, &times, before), Value::Is(1.0));
    assert_eq!(level(&made, 0, &times, times.fault), Value::Is(0.0));
    assert_eq!(level(&made, 0, &times, times.recovery), Value::Is(1.0));
    assert_eq!(level(&made, 1, &times, times.fault), Value::Stale);
    assert_eq!(level(&made, 1, &times, times.fault + times.interval), Value::Missing);
    assert!(matches!(level(&made, 1, &times, times.recovery), Value::Is(_)));
    assert!(made[2].values.iter().all(|v| *v == Value::Is(1.0)));
    assert!(made[3].values.iter().all(|v| *v == Value::Is(0.25)));
    // The others, then one scrape only.
    let made = play(Scenario::OtherDown, &times, &bases, STAGE);
    assert!(made[0].values.iter().all(|v| *v == Value::Is(1.0)));
    assert_eq!(level(&made, 2, &times, times.fault), Value::Is(0.0));
    let once = Scenario::OneMiss.times(times);
    let made = play(Scenario::OneMiss, &once, &bases, STAGE);
    assert_eq!(made[0].values.iter().filter(|v| **v == Value::Is(0.0)).count(), 1);
    assert_eq!(once.end, times.end);
}

#[test]
fn memory_of_one_container() {
    let series = |name: &str, who: &str, value: f64, whose| base(name, &[("name", who)], value, whose);
    let bases = [
        series("container_memory_usage_bytes", "api", 5.0, Whose::Target),
        series("container_spec_memory_limit_bytes", "api", 9.0, Whose::Target),
        series("container_memory_working_set_bytes", "redis", 5.0, Whose::Other),
        series("container_spec_memory_limit_bytes", "redis", 0.0, Whose::Other),
    ];
    let times = Times::plan(s(15), s(15), s(0), s(300), s(0));
    let ratio = |scenario, a, b, at| {
        let made = play(scenario, &times, &bases, STAGE);
        let (Value::Is(used), Value::Is(limit)) = (level(&made, a, &times, at), level(&made, b, &times, at))
        else {
            panic!("numbers")
        };
        used / limit
    };
    for (scenario, share) in [
        (Scenario::Memory70, 0.70),
        (Scenario::Memory79, 0.79),
        (Scenario::Memory81, 0.81),
        (Scenario::Memory95, 0.95),
    ] {
        assert!((ratio(scenario, 0, 1, times.fault) - share).abs() < 1e-6);
        assert!(ratio(scenario, 0, 1, times.recovery) < 0.5);
        assert!(ratio(scenario, 2, 3, times.fault) < 0.5);
    }
    assert!(ratio(Scenario::MemoryNoLimit, 0, 1, times.fault).is_infinite());
    assert!(ratio(Scenario::MemoryNoLimit, 2, 3, times.fault).is_infinite());
}

proptest! {
    /// Trouble begins and ends on a sample and leaves room for all that was asked.
    #[test]
    fn times_leave_room(a in 1u64..120, b in 1u64..120, back in 0u64..5000, hold in 0u64..5000, keeps in 0u64..1000) {
        let times = Times::plan(s(a), s(b), s(back), s(hold), s(keeps));

        let back = back.min(3600);
        prop_assert!(times.fault >= s(back + 120));
        prop_assert!(times.recovery >= times.fault + s(back + hold.min(3600)) + times.evaluation * 6);
        prop_assert!(times.end >= times.recovery + s(back + keeps) + times.evaluation * 6);
        prop_assert!(times.evaluations().len() < 40_000);
    }
}
