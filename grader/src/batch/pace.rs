//! How many submissions are graded at a time. Pure: [`super::machine`] looks, this decides.

use std::time::Duration;

/// What one submission is taken to need, when its lab does not say: bytes.
pub const NEED: u64 = 512 << 20;
/// Memory left to the rest of the machine: bytes.
const SPARE: u64 = 768 << 20;
/// How long a change is given to show in the load, which is an average of one minute.
const LOWER: Duration = Duration::from_secs(20);
const RAISE: Duration = Duration::from_secs(45);
/// Processes ready to run, for each processor, beneath which there is room for one more submission.
const IDLE: f64 = 1.0;

/// What `--jobs` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// From the processors and the memory, fewer while the machine is saturated.
    Auto,
    /// So many, whatever the load.
    Fixed(usize),
}

/// The machine at some instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How much waits are stretched by the load ([`crate::time::strain`]); 1 on a machine that is not
    /// saturated.
    pub strain: f64,
    /// Processes ready to run, mean of the last minute; absent where the system does not tell.
    pub load: Option<f64>,
    /// Processors.
    pub cores: usize,
    /// Memory that can be had: bytes; absent where the system does not tell.
    pub free: Option<u64>,
}

impl Sample {
    /// True when the load may be the cause of what did not come in time.
    pub fn is_saturated(&self) -> bool {
        self.strain > 1.0
    }
}

/// The number of submissions at a time.
#[derive(Clone, Debug)]
pub struct Pace {
    jobs: Jobs,
    need: u64,
    most: usize,
    now: usize,
    changed: Duration,
}

impl Pace {
    /// For a batch on this machine; `need` is the memory that one submission takes, bytes.
    pub fn new(jobs: Jobs, need: Option<u64>, machine: &Sample) -> Self {
        let need = need.unwrap_or(NEED).max(1);
        let most = match jobs {
            Jobs::Fixed(n) => n.max(1),
            // A submission waits more than it computes.
            Jobs::Auto => (machine.cores + machine.cores.div_ceil(2)).min(room(need, machine.free)).max(1),
        };
        let now = if jobs == Jobs::Auto && machine.is_saturated() { 1 } else { most };
        Self { jobs, need, most, now, changed: Duration::ZERO }
    }

    /// How many at most.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many now.
    pub fn now(&self) -> usize {
        self.now
    }

    /// Looks at the machine `at` this time since the beginning; gives true when the number changed.
    pub fn look(&mut self, at: Duration, machine: &Sample) -> bool {
        if self.jobs != Jobs::Auto {
            return false;
        }
        let since = at.saturating_sub(self.changed);
        let calm = machine.load.is_none_or(|load| load <= IDLE * to_f64(machine.cores));
        let next = if machine.is_saturated() && since >= LOWER {
            self.now - usize::from(self.now > 1)
        } else if calm && since >= RAISE {
            (self.now + 1).min(self.most)
        } else {
            self.now
        };
        let changes = next != self.now;
        if changes {
            self.now = next;
            self.changed = at;
        }
        changes
    }

    /// True when one more may start beside `running` others. One always may: a batch never stops.
    pub fn admits(&self, running: usize, machine: &Sample) -> bool {
        running == 0
            || running < self.now
                && (self.jobs != Jobs::Auto || machine.free.is_none_or(|free| free >= self.need + SPARE / 2))
    }
}

/// Submissions for which there is memory.
fn room(need: u64, free: Option<u64>) -> usize {
    let fits = |free: u64| usize::try_from(free.saturating_sub(SPARE) / need).unwrap_or(usize::MAX);
    free.map_or(usize::MAX, fits)
}

#[expect(clippy::cast_precision_loss, reason = "a number of processors")]
fn to_f64(cores: usize) -> f64 {
    cores as f64
}

/// Time left, from what was done: `done` submissions took `spent` in all, `left` are due, `at_once` at a
/// time; those under way have run for `under_way` in all. `None` until one is done.
pub fn time_left(
    done: usize,
    spent: Duration,
    left: usize,
    under_way: Duration,
    at_once: usize,
) -> Option<Duration> {
    let mean = spent.checked_div(u32::try_from(done).ok()?)?;
    let work = mean.checked_mul(u32::try_from(left).ok()?)?.saturating_sub(under_way);
    work.checked_div(u32::try_from(at_once.clamp(1, left.max(1))).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn machine(load: f64, free_mib: u64) -> Sample {
        let strain = (load / 2.0 / 1.5).clamp(1.0, 4.0);
        Sample { strain, load: Some(load), cores: 2, free: Some(free_mib << 20) }
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn from_the_processors_and_the_memory() {
        assert_eq!(Pace::new(Jobs::Auto, None, &machine(0.0, 16_000)).now(), 3);
        assert_eq!(Pace::new(Jobs::Auto, None, &machine(0.0, 1_900)).now(), 2);
        assert_eq!(Pace::new(Jobs::Auto, Some(1 << 30), &machine(0.0, 2_000)).now(), 1);
        assert_eq!(Pace::new(Jobs::Auto, None, &machine(0.0, 100)).now(), 1);
        assert_eq!(Pace::new(Jobs::Auto, None, &machine(8.0, 16_000)).now(), 1);
        assert_eq!(Pace::new(Jobs::Fixed(5), None, &machine(8.0, 100)).now(), 5);
        let unknown = Sample { strain: 1.0, load: None, cores: 8, free: None };
        assert_eq!(Pace::new(Jobs::Auto, None, &unknown).now(), 12);
    }

    #[test]
    fn fewer_while_saturated_and_more_once_calm() {
        let mut pace = Pace::new(Jobs::Auto, None, &machine(0.0, 16_000));
        assert!(!pace.look(secs(5), &machine(9.0, 16_000)), "a burst");
        assert!(pace.look(secs(21), &machine(9.0, 16_000)));
        assert_eq!(pace.now(), 2);
        assert!(!pace.look(secs(25), &machine(9.0, 16_000)), "the load still tells of before");
        assert!(pace.look(secs(42), &machine(9.0, 16_000)));
        assert!(!pace.look(secs(90), &machine(9.0, 16_000)), "never fewer than one");
        assert!(!pace.look(secs(180), &machine(2.8, 16_000)), "busy, not saturated");
        assert!(pace.look(secs(190), &machine(1.5, 16_000)));
        assert!(!Pace::new(Jobs::Fixed(3), None, &machine(0.0, 1)).look(secs(60), &machine(9.0, 1)));
    }

    #[test]
    fn memory_holds_the_next_one_back() {
        let pace = Pace::new(Jobs::Auto, None, &machine(0.0, 16_000));
        assert!(pace.admits(2, &machine(0.0, 2_000)));
        assert!(!pace.admits(1, &machine(0.0, 600)));
        assert!(pace.admits(0, &machine(9.0, 10)));
        assert!(!pace.admits(3, &machine(0.0, 16_000)));
    }

    #[test]
    fn what_is_left() {
        assert_eq!(time_left(0, secs(0), 10, secs(3), 2), None);
        assert_eq!(time_left(4, secs(40), 10, secs(0), 2), Some(secs(50)));
        assert_eq!(time_left(4, secs(40), 1, secs(30), 3), Some(secs(0)));
    }

    proptest! {
        #[test]
        fn always_between_one_and_the_most(
            looks in prop::collection::vec((0u64..60, 0.0f64..20.0, 0u64..32_000), 0..50), free in 0u64..32_000,
        ) {
            let mut pace = Pace::new(Jobs::Auto, None, &machine(0.0, free));
            let mut at = Duration::ZERO;
            for (wait, load, free) in looks {
                at += secs(wait);
                let before = pace.now();
                pace.look(at, &machine(load, free));
                prop_assert!(pace.now() >= 1 && pace.now() <= pace.most());
                prop_assert!(pace.now().abs_diff(before) <= 1);
                prop_assert!(pace.admits(0, &machine(load, free)));
            }
        }
    }
}
