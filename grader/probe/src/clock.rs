//! Instants and deadlines.

use crate::wire::{Failure, FailureKind, Instant2, Stage};
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// The longest time limit that is granted: 10 minutes.
pub const MAX_TIMEOUT: Duration = Duration::from_mins(10);

/// Microseconds of a duration.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Now, on both clocks.
#[must_use]
pub fn now() -> Instant2 {
    let at_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros);
    Instant2 { at_us, boot_us: boot_us() }
}

/// Microseconds since the boot of the kernel, suspensions included.
fn boot_us() -> u64 {
    let mut spec = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local of the right type.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut spec) };
    if status != 0 {
        return 0;
    }
    let seconds = u64::try_from(spec.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(spec.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanos / 1_000
}

/// An instant after which nothing is waited for, and where the waiting began.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    start: Instant,
    end: Instant,
}

impl Deadline {
    /// A deadline `timeout_ms` milliseconds from now, at most [`MAX_TIMEOUT`].
    #[must_use]
    pub fn after_ms(timeout_ms: u64) -> Self {
        let start = Instant::now();
        Self { start, end: start + Duration::from_millis(timeout_ms).min(MAX_TIMEOUT) }
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Microseconds since the beginning.
    #[must_use]
    pub fn elapsed_us(&self) -> u64 {
        micros(self.start.elapsed())
    }

    /// A nearer deadline: that share of what is left, `1/parts`.
    #[must_use]
    pub fn share(&self, parts: usize) -> Self {
        let parts = u32::try_from(parts.max(1)).unwrap_or(u32::MAX);
        let start = Instant::now();
        Self { start, end: start + self.left() / parts }
    }

    /// Waits for `work` no longer than this deadline.
    ///
    /// # Errors
    /// A `timeout` failure at that stage.
    pub async fn run<F: Future>(&self, stage: Stage, work: F) -> Result<F::Output, Failure> {
        tokio::time::timeout_at(self.end, work).await.map_err(|_| {
            Failure::new(FailureKind::Timeout, stage, format!("nothing after {} ms", self.elapsed_us() / 1_000))
        })
    }
}
