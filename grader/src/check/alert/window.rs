//! When an alert may fire: computed from the student's own durations, compared with what the lab
//! asks and with what was measured. All durations are in real time, whatever the factor.

use std::time::Duration;

use crate::time::{Judgement, Seen, Window};

/// A duration of an alert as one says it: « 90 s », « 74,9 s », « 10 min ».
pub fn told(duration: Duration) -> String {
    let ms = duration.as_millis();
    // Rounds to a tenth of a second before choosing how to say it.
    let tenths = u64::try_from((ms + 50) / 100).unwrap_or(u64::MAX);
    let (seconds, rest) = (tenths / 10, tenths % 10);
    if seconds > 180 {
        let whole = seconds + u64::from(rest >= 5);
        return match whole % 60 {
            0 => format!("{} min", whole / 60),
            more => format!("{} min {more} s", whole / 60),
        };
    }
    if rest == 0 { format!("{seconds} s") } else { format!("{seconds},{rest} s") }
}

/// The durations that decide when an alert fires after its cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Between two scrapes of the target.
    pub scrape: Duration,
    /// Longest scrape.
    pub timeout: Duration,
    /// Between two evaluations of the rule.
    pub evaluation: Duration,
    /// `for`.
    pub hold: Duration,
    /// What the expression itself waits for before it holds (a range that must fill), at most.
    pub expression: Duration,
}

impl Pace {
    /// From the first evaluation at which the expression holds to the one at which the alert fires:
    /// evaluations come at whole intervals, `for` is rounded up to one.
    pub fn waits(&self) -> Duration {
        let step = self.evaluation.as_millis().max(1);
        let steps = self.hold.as_millis().div_ceil(step);
        Duration::from_millis(u64::try_from(steps * step).unwrap_or(u64::MAX))
    }

    /// The window that this configuration promises. A scrape that gets no answer at all lasts up to
    /// its time-out (`dropped`), one that is refused fails at once.
    pub fn promise(&self, dropped: bool) -> Window {
        let waits = self.waits();
        let timeout = if dropped { self.timeout } else { Duration::ZERO };
        Window { not_before: waits, by: waits + self.scrape + timeout + self.evaluation + self.expression }
    }

    /// The sum, as one would write it on the board.
    pub fn sum(&self) -> String {
        let waits = self.waits();
        let mut parts = vec![if self.hold.is_zero() {
            "sans for".to_owned()
        } else if waits == self.hold {
            format!("for {}", told(self.hold))
        } else {
            format!("for {}, soit {} en évaluations entières", told(self.hold), told(waits))
        }];
        if !self.expression.is_zero() {
            parts.push(format!("expression {}", told(self.expression)));
        }
        parts.push(format!("collecte {}", told(self.scrape)));
        parts.push(format!("évaluation {}", told(self.evaluation)));
        parts.join(" + ")
    }
}

/// What is wrong with a promise, seen from the window that the lab asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It may fire too early.
    Early,
    /// It may fire too late.
    Late,
    /// Both.
    Both,
}

/// Whether a promise lies inside what is asked, bounds included.
pub fn keeps(promise: Window, asked: Window) -> Result<(), Broken> {
    match (promise.not_before < asked.not_before, promise.by > asked.by) {
        (false, false) => Ok(()),
        (true, false) => Err(Broken::Early),
        (false, true) => Err(Broken::Late),
        (true, true) => Err(Broken::Both),
    }
}

/// What the machine may add to a measure, in the time of the measure: scheduling of two loaded
/// cores, one request to the engine. Said in the report.
pub const SLACK: Duration = Duration::from_millis(400);

/// A measured interval in real time: what was measured in divided time is multiplied again.
pub fn scaled(seen: Seen, factor: u32) -> Seen {
    Seen { after: seen.after * factor, until: seen.until.map(|u| u * factor) }
}

/// Compares what was measured (real time) with what the configuration promises. `took` is how long the first
/// failed scrape lasted (real time): what it lasted, the alert may be late.
pub fn measured(promise: Window, seen: Seen, took: Duration, factor: u32) -> Judgement {
    let slack = SLACK * factor.max(1);
    let window =
        Window { not_before: promise.not_before.saturating_sub(slack), by: promise.by + took + slack };
    window.judge(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn pace(scrape: u64, evaluation: u64, hold: u64) -> Pace {
        Pace { scrape: s(scrape), timeout: s(10), evaluation: s(evaluation), hold: s(hold), expression: s(0) }
    }

    #[test]
    fn durations_are_told() {
        let told_ms = |ms: u64| told(Duration::from_millis(ms));
        for (ms, text) in [
            (0, "0 s"),
            (74_949, "74,9 s"),
            (89_960, "90 s"),
            (150, "0,2 s"),
            (180_000, "180 s"),
            (600_000, "10 min"),
            (630_000, "10 min 30 s"),
            (239_970, "4 min"),
        ] {
            assert_eq!(told_ms(ms), text);
        }
    }

    #[test]
    fn the_window_of_the_lab() {
        let asked = Window { not_before: s(60), by: s(90) };
        assert_eq!(pace(15, 15, 60).promise(false), asked);
        assert_eq!(pace(15, 15, 60).promise(true).by, s(100));
        assert_eq!(keeps(pace(15, 15, 60).promise(false), asked), Ok(()));
        // The default evaluation interval: one minute.
        assert_eq!(pace(15, 60, 60).promise(false).by, s(135));
        assert_eq!(keeps(pace(15, 60, 60).promise(false), asked), Err(Broken::Late));
        assert_eq!(keeps(pace(15, 15, 0).promise(false), asked), Err(Broken::Early));
        assert_eq!(keeps(pace(15, 15, 600).promise(false), asked), Err(Broken::Late));
        assert_eq!(
            keeps(pace(30, 30, 50).promise(false), Window { not_before: s(70), by: s(80) }),
            Err(Broken::Both)
        );
        assert_eq!(pace(15, 45, 60).waits(), s(90));
        assert_eq!(pace(15, 60, 60).sum(), "for 60 s + collecte 15 s + évaluation 60 s");
    }

    /// Plays scrapes and evaluations at their own rhythm; gives the instant of firing (ms).
    fn play(pace: &Pace, scrape_phase: u64, evaluation_phase: u64, took: u64) -> u64 {
        let ms = |d: Duration| u64::try_from(d.as_millis()).expect("small");
        let (scrape, evaluation) = (ms(pace.scrape), ms(pace.evaluation));
        // The cause is at 0; the first scrape after it fails and is stored when it ends.
        let failed = scrape_phase % scrape + took;
        let mut at = evaluation_phase % evaluation;
        let mut pending = None;
        loop {
            if at >= failed {
                let since = *pending.get_or_insert(at);
                if at - since >= ms(pace.hold) {
                    return at;
                }
            }
            at += evaluation;
        }
    }

    proptest! {
        /// Whatever the phases, firing falls in the promised window, and the window is tight enough
        /// to be reached within one step at both ends.
        #[test]
        fn the_promise_holds(
            scrape in 1u64..90, evaluation in 1u64..90, hold in 0u64..300,
            a in 0u64..90_000, b in 0u64..90_000, took in 0u64..9_000
        ) {
            let pace = pace(scrape, evaluation, hold);
            let at = Duration::from_millis(play(&pace, a, b, 0));
            let promise = pace.promise(false);
            prop_assert!(promise.not_before <= at && at <= promise.by, "{:?} {:?}", promise, at);
            let late = Duration::from_millis(play(&pace, a, b, took));
            prop_assert!(late <= pace.promise(true).by);
            let seen = Seen { after: late, until: Some(late) };
            prop_assert_eq!(measured(promise, seen, Duration::from_millis(took), 1), Judgement::Inside);
            let earliest = Duration::from_millis(play(&pace, 0, 0, 0));
            prop_assert_eq!(earliest, promise.not_before);
        }

        /// Compressed time tells the same instant, up to the rounding of the interval.
        #[test]
        fn scaling(a in 0u64..100_000, width in 0u64..1_000, factor in 1u32..11) {
            let seen = Seen { after: Duration::from_millis(a), until: Some(Duration::from_millis(a + width)) };
            let real = scaled(seen, factor);
            prop_assert_eq!(real.after / factor, seen.after);
            prop_assert_eq!(real.until.map(|u| u / factor), seen.until);
        }
    }
}
