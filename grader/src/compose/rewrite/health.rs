//! Health checks: same test, shorter waits.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Work;

/// Between checks of a service that has started: nobody waits for them, and each is a process more.
const INTERVAL: Duration = Duration::from_secs(4);
/// Longest time between two of them, for a service that asks for few.
const SELDOM: Duration = Duration::from_secs(10);
/// The same where the engine has no `start_interval`: then it is also the wait for the first one.
const INTERVAL_ALONE: Duration = Duration::from_secs(1);
/// Longest run of a test that the image brings.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Time that a student's test has at least, where nobody breaks the service: a program that starts in one second takes
/// four on a busy machine, and how long it takes is not what is judged.
const SHORTEST: Duration = Duration::from_secs(12);
/// Longest run of a student's test: some are programs that take seconds to start.
const LONGEST: Duration = Duration::from_secs(20);
/// The same for a service that a check will break: its health must tell soon, and a test that
/// swallows its own failure must be left the time to lie.
const BRITTLE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// The same for one of the many that are broken side by side: so many tests must leave the machine some room.
const CROWDED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));
/// Longest grace: a server in Java may take two minutes on a busy machine.
const GRACE: Duration = Duration::from_secs(150);
/// Between checks while the service starts.
const FIRST: Duration = Duration::from_millis(200);
/// The same where many are.
const FIRST_CROWDED: Duration = Duration::from_secs(1);

/// Go's `1h2m3.5s`, `200ms`, `1us`… `None` when it is not one.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" | "" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" | "μs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[end..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

fn interval(work: &Work<'_>) -> Duration {
    if work.plan.start_interval { INTERVAL } else { INTERVAL_ALONE }
}

fn written(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// The test that the image brings, more often: it may be checked every 30 s only.
pub(super) fn of_image(work: &Work<'_>) -> Value {
    let mut out = json!({
        "start_period": written(Duration::from_secs(20)),
        "interval": written(interval(work)),
        "timeout": written(TIMEOUT),
        "retries": 2,
    });
    if work.plan.start_interval {
        out["start_interval"] = written(FIRST).into();
    }
    out
}

/// Rewrites `healthcheck`; one that is off stays off, one that is absent is not here.
pub(super) fn rewrite(work: &mut Work<'_>, service: &str, check: &Value) -> Value {
    let off = check.get("disable").and_then(Value::as_bool) == Some(true)
        || check.get("test").and_then(|t| t.get(0)).and_then(Value::as_str) == Some("NONE");
    if off {
        return json!({ "disable": true });
    }
    let own = |key: &str| check.get(key).and_then(Value::as_str).and_then(duration);
    let asked = own("interval").filter(|d| !d.is_zero()).unwrap_or(Duration::from_secs(30));
    let timeout = own("timeout").filter(|d| !d.is_zero()).unwrap_or(Duration::from_secs(30));
    let start = own("start_period").unwrap_or_default();
    let retries = check.get("retries").and_then(Value::as_u64).filter(|n| *n > 0).unwrap_or(3);
    let tries = u32::try_from(retries.min(1000)).unwrap_or(1000);
    let grace = (start + asked.saturating_mul(tries)).clamp(Duration::from_secs(20), GRACE);
    let mut out = Map::new();
    if let Some(test) = check.get("test").filter(|t| !t.is_null()) {
        out.insert("test".into(), test.clone());
    }
    let late = work.plan.late.as_ref().filter(|(names, _)| names.iter().any(|n| n == service));
    // The grace period stands for the tries that the student's interval would have left.
    out.insert("start_period".into(), written(grace).into());
    let brittle = work.plan.brittle.iter().any(|name| name == service);
    let crowded = work.plan.crowded.iter().any(|name| name == service);
    let (interval, longest, forgiven) = match (crowded, brittle) {
        (true, _) => (CROWDED.0, CROWDED.1, retries.min(2)),
        (false, true) => (BRITTLE.0, BRITTLE.1, retries.min(2)),
        (false, false) => {
            // A test may be a whole program: what nobody will break is asked no more often than need be, and
            // forgiven what a busy machine makes late. Without `start_interval`, it is also the wait for the
            // first one.
            let usual = interval(work);
            let seldom = if work.plan.start_interval { asked.clamp(usual, SELDOM) } else { usual };
            (seldom, LONGEST, retries.min(5))
        }
    };
    let soon = if crowded { FIRST_CROWDED } else { FIRST };
    let (first, interval, shown) = match late {
        // Docker checks every 5 s during the grace period when it is not told otherwise.
        Some((_, delay)) => {
            let interval = if work.plan.start_interval { interval } else { *delay };
            (
                *delay,
                interval,
                format!("premier contrôle de santé retardé de {}", crate::time::french(*delay)),
            )
        }
        None => (soon, interval, "contrôle de santé resserré : même test, plus souvent".to_owned()),
    };
    out.insert("interval".into(), written(interval).into());
    if work.plan.start_interval {
        out.insert("start_interval".into(), written(first).into());
    }
    // Where many start together, a test of a second may take five: that is not what is judged.
    let timeout = match (crowded, brittle) {
        (true, _) => longest,
        (false, true) => timeout.min(longest),
        (false, false) => timeout.clamp(SHORTEST, longest),
    };
    out.insert("timeout".into(), written(timeout).into());
    out.insert("retries".into(), forgiven.into());
    work.change(&["services", service, "healthcheck"], shown);
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations() {
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(duration("abc"), None);
    }
}
