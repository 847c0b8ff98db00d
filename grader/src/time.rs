//! Durations as written in `lab.toml`, observed intervals and their judgement.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// A duration written `500ms`, `60s`, `2m`, `1h` or `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

impl Span {
    /// Parses `500ms`, `60s`, `2m`, `1h`, `30d`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: u64 =
            number.parse().map_err(|_| format!("« {text} » : durée attendue, par exemple 60s"))?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(format!("« {text} » : unité attendue parmi ms, s, m, h, d")),
        };
        number
            .checked_mul(millis)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| format!("« {text} » : durée trop longue"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"})
    }
}

/// When something happened, as far as observation can tell: after `after`, at or before `until`.
/// Both count from the stimulus (time zero is its acknowledgement by the engine).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Last moment at which it was seen not to have happened yet.
    pub after: Duration,
    /// First moment at which it was seen; `None` when the observation ended without it.
    pub until: Option<Duration>,
}

/// The words `not-before` and `by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Not earlier than this.
    pub not_before: Duration,
    /// At the latest.
    pub by: Duration,
}

/// Judgement of an observed interval against a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Wholly inside.
    Inside,
    /// Certainly too early.
    Early,
    /// Certainly too late, or never.
    Late,
    /// The observation was too coarse to tell.
    Straddles,
}

impl Window {
    /// Judges what was seen. Bounds belong to the window.
    pub fn judge(&self, seen: Seen) -> Judgement {
        let Some(until) = seen.until else {
            return if seen.after >= self.by { Judgement::Late } else { Judgement::Straddles };
        };
        if until < self.not_before {
            Judgement::Early
        } else if seen.after > self.by {
            Judgement::Late
        } else if seen.after >= self.not_before && until <= self.by {
            Judgement::Inside
        } else {
            Judgement::Straddles
        }
    }
}

/// French wording of a duration: « 0,8 ms », « 1,2 s », « 2 min 5 s ».
pub fn french(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 10.0 {
        format!("{ms:.1} ms").replace('.', ",")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else if ms < 120_000.0 {
        format!("{:.1} s", ms / 1000.0).replace('.', ",")
    } else {
        let seconds = duration.as_secs();
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

/// The most that a wait is stretched.
const MOST: f64 = 4.0;
/// Processes ready to run, for each processor, from which waits are stretched.
const BUSY: f64 = 1.5;

/// How much longer than on a quiet machine a wait may last before what did not come is said never to
/// come: from 1 to 4, by the load average of the last minute. 1 where the system does not tell it (with
/// Docker Desktop, containers run in a virtual machine of their own).
pub fn strain() -> f64 {
    let told = std::fs::read_to_string("/proc/loadavg").ok().filter(|_| !cfg!(test));
    let load: Option<f64> = told.and_then(|t| t.split(' ').next()?.parse().ok());
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    stretch(load.unwrap_or(0.0), processors)
}

#[expect(clippy::cast_precision_loss, reason = "a number of processors")]
fn stretch(load: f64, processors: usize) -> f64 {
    (load / processors as f64 / BUSY).clamp(1.0, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn spans() {
        assert_eq!(Span::parse("60s"), Ok(Span(ms(60_000))));
        assert_eq!(Span::parse("200ms"), Ok(Span(ms(200))));
        assert_eq!(Span::parse("30d"), Ok(Span(ms(30 * 86_400_000))));
        assert!(Span::parse("60").is_err());
        assert!(Span::parse("-1s").is_err());
    }

    proptest! {
        /// Whatever the true instant inside the observed interval, a firm judgement is right.
        #[test]
        fn firm_judgements_hold_for_every_instant(
            a in 0u64..200, width in 0u64..60, lo in 0u64..150, len in 0u64..80, at in 0.0f64..1.0
        ) {
            let window = Window { not_before: ms(lo), by: ms(lo + len) };
            let seen = Seen { after: ms(a), until: Some(ms(a + width)) };
            #[expect(clippy::cast_precision_loss, reason = "small test values")]
            let instant = a as f64 + at * width as f64;
            #[expect(clippy::cast_precision_loss, reason = "small test values")]
            let (low, high) = (lo as f64, (lo + len) as f64);
            match window.judge(seen) {
                Judgement::Inside => prop_assert!(instant >= low && instant <= high),
                Judgement::Early => prop_assert!(instant < low),
                Judgement::Late => prop_assert!(instant > high),
                Judgement::Straddles => {}
            }
        }

        /// A sharper observation never contradicts a firm judgement.
        #[test]
        fn sharper_observation_agrees(
            a in 0u64..200, width in 2u64..60, lo in 0u64..150, len in 0u64..80
        ) {
            let window = Window { not_before: ms(lo), by: ms(lo + len) };
            let coarse = window.judge(Seen { after: ms(a), until: Some(ms(a + width)) });
            let sharp = window.judge(Seen { after: ms(a + 1), until: Some(ms(a + width - 1)) });
            if coarse != Judgement::Straddles {
                prop_assert_eq!(coarse, sharp);
            }
        }
    }

    #[test]
    fn waits_stretch_on_a_busy_machine_only() {
        for (load, processors, by) in [(0.0, 1, 1.0), (3.0, 2, 1.0), (6.0, 2, 2.0), (90.0, 8, 4.0)] {
            assert!((stretch(load, processors) - by).abs() < 1e-9, "{load}/{processors}");
        }
    }
}
