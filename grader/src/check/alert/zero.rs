//! Instants of the live experiment, counted from the end of the service that is stopped.

use std::time::Duration;

use tokio::time::Instant;

use super::look::Look;
use crate::time::Seen;

/// One instant of the experiment, in the time of the measure, from time zero: when the service ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mark {
    /// Last look that had not seen it yet.
    pub after: Duration,
    /// First look that saw it.
    pub until: Option<Duration>,
    /// What Prometheus says, microseconds from time zero.
    pub said_us: Option<i64>,
}

/// Time zero: when the service ended, as the engine dates it. Its acknowledgement may come seconds
/// later on a busy machine, and what is counted from there would seem early.
pub(super) struct Zero {
    /// Before the engine was asked.
    asked: Instant,
    /// Once it had acknowledged; looks are counted from here until [`Zero::put`].
    pub(super) acked: Instant,
    /// End of the service on the engine's clock, unix microseconds.
    ended_us: Option<i64>,
    /// What the engine's clock said at `acked`, at least and at most: each look narrows it.
    clock_us: (i64, i64),
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Zero {
    pub(super) fn new(asked: Instant, ended_us: Option<i64>) -> Self {
        Self { asked, acked: Instant::now(), ended_us, clock_us: (i64::MIN, i64::MAX) }
    }

    /// A look knows what the engine's clock said between its sending and its return.
    pub(super) fn look(&mut self, look: &Look) {
        let (least, most) = &mut self.clock_us;
        *least = (*least).max(look.unix_us - micros(look.got - self.acked));
        *most = (*most).min(look.unix_us - micros(look.sent - self.acked));
    }

    /// How long before the acknowledgement the service ended, at least and at most.
    pub(super) fn before(&self) -> (Duration, Duration) {
        let whole = self.acked - self.asked;
        let (least, most) = self.clock_us;
        let Some(ended) = self.ended_us.filter(|_| least <= most && least != i64::MIN) else {
            return (Duration::ZERO, whole);
        };
        let since = |now: i64| Duration::from_micros(u64::try_from(now - ended).unwrap_or(0)).min(whole);
        (since(least), since(most))
    }

    /// Counts a mark from the end of the service.
    pub(super) fn put(&self, mark: &mut Mark) {
        let (least, most) = self.before();
        mark.after += least;
        mark.until = mark.until.map(|until| until + most);
        // What Prometheus says is told by the clock that dated the end.
        let (ended, clock) = (self.ended_us, self.clock_us.0);
        mark.said_us = mark.said_us.map(|at| at - ended.unwrap_or(clock));
    }
}

impl Mark {
    /// As an observed interval.
    pub fn seen(&self) -> Seen {
        Seen { after: self.after, until: self.until }
    }

    /// Counted from the acknowledgement, `said_us` on the engine's clock, until [`Zero::put`].
    pub(super) fn look(&mut self, look: &Look, zero: &Zero, seen: bool, said_us: Option<i64>) {
        if self.until.is_some() {
            return;
        }
        if seen {
            self.until = Some(look.got - zero.acked);
            self.said_us = said_us;
        } else {
            self.after = look.sent - zero.acked;
        }
    }
}
