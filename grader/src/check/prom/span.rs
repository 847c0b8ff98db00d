//! Durations as Prometheus writes them: `15s`, `1m30s`, `15d`, `1y2w`.

use std::fmt::Write;
use std::time::Duration;

/// Units, largest first, with their milliseconds: the order in which Prometheus wants them.
const UNITS: &[(&str, u64)] = &[
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration; `0` needs no unit. `None` when Prometheus would not read it.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let at = units.iter().position(|(name, _)| *name == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(units[at].1)?)?;
        units = &units[at + 1..];
        rest = &rest[letters..];
    }
    (!text.is_empty()).then_some(Duration::from_millis(total))
}

/// Writes a duration as Prometheus does (whole milliseconds; weeks and years only when they fit
/// exactly, as in its own flags).
pub fn write(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, ms) in UNITS {
        let exact = matches!(*unit, "y" | "w");
        if (exact && left % ms != 0) || left < *ms {
            continue;
        }
        let _ = write!(out, "{}{unit}", left / ms);
        left %= ms;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_ones() {
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(parse("15d"), Some(day * 15));
        assert_eq!(parse("360h"), Some(day * 15));
        assert_eq!(parse("2w1d"), Some(day * 15));
        assert_eq!(parse("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(write(day * 15), "15d");
        assert_eq!(write(day * 14), "2w");
        for wrong in ["", "15", "d", "1s1m", "1s1s", "1.5h", "-1s", "15 d", "1M", "é", "99999999999y"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }

        /// What is written is read back as the same duration, whatever its form.
        #[test]
        fn round_trip(ms in 0u64..400 * 24 * 3_600_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&write(duration)), Some(duration));
        }

        /// Two spellings of one duration are equal, and unequal durations never are.
        #[test]
        fn spellings(hours in 1u64..2000, more in 1u64..3_600_000) {
            let total = Duration::from_millis(hours * 3_600_000);
            let days = format!("{}d{}h", hours / 24, hours % 24);
            prop_assert_eq!(parse(&days), Some(total));
            prop_assert_eq!(parse(&format!("{hours}h")), Some(total));
            prop_assert_eq!(parse(&format!("{}m", hours * 60)), Some(total));
            let longer = format!("{hours}h{more}ms");
            prop_assert!(parse(&longer) > Some(total));
        }
    }
}
