//! Judgement of what an alert did in virtual time: a pure function of the states seen.

use std::time::Duration;

use super::promtool::{Got, Labels};
use super::scene::Times;

/// State of an alert for the service of the scenario, at one evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not active.
    #[default]
    Inactive,
    /// Pending.
    Pending,
    /// Firing.
    Firing,
}

/// One evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tick {
    /// Virtual time.
    pub at: Duration,
    /// For the service of the scenario.
    pub state: State,
    /// Labels of an alert that is active for somebody else, if there is one.
    pub other: Option<Labels>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// It must fire during the trouble; otherwise it must be silent all along.
    pub fires: bool,
    /// Whether all is well before the trouble: then it must not even be pending.
    pub calm_before: bool,
    /// How long the expression must hold before it fires.
    pub hold: Duration,
    /// Sum of the expression's ranges: that much later, at most, it must have understood.
    pub ranges: Duration,
    /// All that the expression looks back, offsets included.
    pub back: Duration,
    /// How long it may go on once the expression no longer holds.
    pub keeps: Duration,
}

/// What is wrong. Instants are counted from the beginning of the trouble, or of the recovery.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrong {
    /// Active while all is well.
    Before(State),
    /// It fires although nothing asks for it, after having been pending that long.
    Fired(Duration),
    /// Never active, although watched that long.
    Never(Duration),
    /// Active at last, but too late to be an effect of the trouble.
    Slow(Duration),
    /// Pending after `pending`, firing after it has held for `held` only.
    Hasty {
        /// Active since.
        pending: Duration,
        /// Held.
        held: Duration,
    },
    /// Pending after `pending`, firing after `held`, or still pending after it.
    Patient {
        /// Active since.
        pending: Duration,
        /// Held.
        held: Duration,
        /// It did fire.
        fired: bool,
    },
    /// It stops although the trouble lasts.
    Interrupted(Duration),
    /// Active for somebody else.
    Other {
        /// When, from the beginning of the trouble when it is after it.
        at: Duration,
        /// Labels.
        labels: Labels,
    },
    /// Still active this long after the recovery.
    Endless(Duration),
}

/// When things were seen, counted from the beginning of the trouble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// First active.
    pub active: Option<Duration>,
    /// First firing.
    pub firing: Option<Duration>,
    /// First inactive after the recovery, counted from the recovery.
    pub resolved: Option<Duration>,
}

/// What was seen of the trouble.
pub fn seen(ticks: &[Tick], times: &Times) -> Seen {
    let from = |at: Duration, zero: Duration| at.saturating_sub(zero);
    let first = |state: State| {
        let during = |t: &&Tick| t.at >= times.fault && t.at < times.recovery && t.state >= state;
        ticks.iter().find(during).map(|t| from(t.at, times.fault))
    };
    let last_active = ticks.iter().rposition(|t| t.state != State::Inactive);
    let resolved = last_active
        .and_then(|last| ticks.get(last + 1))
        .filter(|t| t.at >= times.recovery)
        .map(|t| from(t.at, times.recovery));
    Seen { active: first(State::Pending), firing: first(State::Firing), resolved }
}

/// Judges everything up to the end of the trouble.
pub fn judge(ticks: &[Tick], times: &Times, wanted: &Wanted) -> Result<(), Wrong> {
    let during = |t: &&Tick| t.at >= times.fault && t.at < times.recovery;
    if !wanted.fires && !wanted.calm_before {
        silent(ticks)?;
    }
    // Before two samples a rate has no value: what an expression says then is no fault of its author.
    let ticks = &ticks[ticks.iter().position(|t| t.at >= times.warm()).unwrap_or(0)..];
    if let Some(tick) = ticks.iter().find(|t| t.at < times.fault && t.state != State::Inactive)
        && wanted.calm_before
    {
        return Err(Wrong::Before(tick.state));
    }
    if let Some(tick) = ticks.iter().find(|t| t.other.is_some()) {
        let labels = tick.other.clone().unwrap_or_default();
        return Err(Wrong::Other { at: tick.at.saturating_sub(times.fault), labels });
    }
    let Seen { active, firing, .. } = seen(ticks, times);
    if !wanted.fires {
        return silent(ticks);
    }
    let lasted = times.recovery.saturating_sub(times.fault);
    let Some(active) = active else { return Err(Wrong::Never(lasted)) };
    let slack = times.evaluation * 2;
    let phase = if times.is_aligned() { Duration::ZERO } else { times.interval };
    if active > wanted.ranges + phase + slack {
        return Err(Wrong::Slow(active));
    }
    let held = firing.map(|at| at.saturating_sub(active));
    match held {
        Some(held) if held < wanted.hold => return Err(Wrong::Hasty { pending: active, held }),
        Some(held) if held > wanted.hold + slack => {
            return Err(Wrong::Patient { pending: active, held, fired: true });
        }
        None => {
            let held = lasted.saturating_sub(active);
            return Err(Wrong::Patient { pending: active, held, fired: false });
        }
        Some(_) => {}
    }
    let from = times.fault + firing.unwrap_or_default();
    match ticks.iter().filter(during).find(|t| t.at >= from && t.state != State::Firing) {
        Some(tick) => Err(Wrong::Interrupted(tick.at.saturating_sub(times.fault))),
        None => Ok(()),
    }
}

/// It must not fire; pending for a while may be honest hesitation.
fn silent(ticks: &[Tick]) -> Result<(), Wrong> {
    let Some(fired) = ticks.iter().position(|t| t.state == State::Firing) else { return Ok(()) };
    let idle = ticks[..fired].iter().rposition(|t| t.state == State::Inactive);
    let since = ticks[idle.map_or(0, |i| i + 1)].at;
    Err(Wrong::Fired(ticks[fired].at.saturating_sub(since)))
}

/// Judges the end: it must be over once the expression has had time to forget.
pub fn judge_recovery(ticks: &[Tick], times: &Times, wanted: &Wanted) -> Result<(), Wrong> {
    let slack = times.evaluation * 2 + times.interval;
    let allowed = wanted.back + wanted.keeps + slack;
    match seen(ticks, times).resolved {
        Some(after) if after <= allowed => Ok(()),
        Some(after) => Err(Wrong::Endless(after)),
        None => Err(Wrong::Endless(times.end.saturating_sub(times.recovery))),
    }
}

/// Labels by which a series is known: those of the service of the scenario, those of each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parties {
    /// Label sets of the series of the service.
    pub target: Vec<Labels>,
    /// Label sets of the others.
    pub others: Vec<Labels>,
}

impl Parties {
    /// True when none of these labels says something else than one of the sets does.
    fn fits(labels: &Labels, sets: &[Labels]) -> bool {
        sets.iter().any(|set| labels.iter().all(|(key, value)| set.get(key).is_none_or(|v| v == value)))
    }

    /// Whether an alert is somebody else's: it agrees with another and not with the target.
    pub fn is_other(&self, labels: &Labels, own: &[String]) -> bool {
        let told: Labels = labels
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "__name__" | "alertname" | "alertstate"))
            .filter(|(key, _)| !own.contains(*key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let says_so = |set: &Labels| told.iter().any(|(key, value)| set.get(key) == Some(value));
        let like: Vec<Labels> = self.others.iter().filter(|set| says_so(set)).cloned().collect();
        !Self::fits(&told, &self.target) && Self::fits(&told, &like)
    }
}

/// Reads states out of what promtool got. `own` are labels that the rule itself adds.
pub fn ticks(got: &[Got], parties: &Parties, own: &[String]) -> Vec<Tick> {
    ticks_of(got, parties, None, own)
}

/// The same for one of several to whom the trouble happens: what is said of the others of `busy` counts neither way.
pub fn ticks_of(got: &[Got], parties: &Parties, busy: Option<&Parties>, own: &[String]) -> Vec<Tick> {
    let mut ticks = Vec::new();
    for answer in got {
        let mut tick = Tick { at: answer.at, ..Tick::default() };
        for (labels, _) in &answer.samples {
            if busy.is_some_and(|busy| busy.is_other(labels, own)) {
                continue;
            }
            if parties.is_other(labels, own) {
                tick.other.get_or_insert_with(|| labels.clone());
                continue;
            }
            let state = match labels.get("alertstate").map(String::as_str) {
                Some("firing") => State::Firing,
                _ => State::Pending,
            };
            tick.state = tick.state.max(state);
        }
        ticks.push(tick);
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn times() -> Times {
        Times::plan(s(15), s(15), s(0), s(600), s(0))
    }

    fn wanted() -> Wanted {
        Wanted { fires: true, calm_before: true, hold: s(60), ranges: s(0), back: s(0), keeps: s(0) }
    }

    /// An alert that waits `hold` after `delay` and ends `tail` after the recovery.
    fn play(times: &Times, delay: u64, hold: u64, tail: u64) -> Vec<Tick> {
        times
            .evaluations()
            .into_iter()
            .map(|at| {
                let state = if at < times.fault + s(delay) || at >= times.recovery + s(tail) {
                    State::Inactive
                } else if at < times.fault + s(delay + hold) {
                    State::Pending
                } else {
                    State::Firing
                };
                Tick { at, state, other: None }
            })
            .collect()
    }

    #[test]
    fn the_ways_to_be_wrong() {
        let times = times();
        let judged = |delay, hold, tail| judge(&play(&times, delay, hold, tail), &times, &wanted());
        assert_eq!(judged(0, 60, 0), Ok(()));
        assert_eq!(judged(15, 75, 0), Ok(()));
        assert_eq!(judged(0, 0, 0), Err(Wrong::Hasty { pending: s(0), held: s(0) }));
        assert_eq!(judged(0, 45, 0), Err(Wrong::Hasty { pending: s(0), held: s(45) }));
        assert_eq!(judged(0, 600, 0), Err(Wrong::Patient { pending: s(0), held: s(600), fired: true }));
        assert!(matches!(judged(0, 6000, 0), Err(Wrong::Patient { fired: false, .. })));
        assert_eq!(judged(120, 60, 0), Err(Wrong::Slow(s(120))));
        assert!(matches!(judged(100_000, 60, 0), Err(Wrong::Never(_))));
        let silent = Wanted { fires: false, ..wanted() };
        assert_eq!(judge(&play(&times, 0, 60, 0), &times, &silent), Err(Wrong::Fired(s(60))));
        assert_eq!(judge(&play(&times, 100_000, 60, 0), &times, &silent), Ok(()));
        // What never is well: only firing counts, from wherever it began.
        let always: Vec<Tick> = play(&times, 0, 60, 0)
            .into_iter()
            .map(|t| Tick { state: if t.at < s(300) { State::Pending } else { State::Firing }, ..t })
            .collect();
        let unlimited = Wanted { calm_before: false, ..silent };
        assert_eq!(judge(&always, &times, &unlimited), Err(Wrong::Fired(s(300))));
        assert_eq!(judge(&always, &times, &silent), Err(Wrong::Before(State::Pending)));
        let mut early = play(&times, 0, 60, 0);
        early[5].state = State::Pending;
        assert_eq!(judge(&early, &times, &wanted()), Err(Wrong::Before(State::Pending)));
        // Before there are two samples, nothing is judged.
        let mut first = play(&times, 0, 60, 0);
        first[1].state = State::Pending;
        assert_eq!(judge(&first, &times, &wanted()), Ok(()));
        let mut gap = play(&times, 0, 60, 0);
        let at = gap.iter().position(|t| t.at == times.fault + s(90)).expect("a tick");
        gap[at].state = State::Inactive;
        assert_eq!(judge(&gap, &times, &wanted()), Err(Wrong::Interrupted(s(90))));
        let mut other = play(&times, 0, 60, 0);
        other[6].other = Some(Labels::new());
        assert!(matches!(judge(&other, &times, &wanted()), Err(Wrong::Other { .. })));
        let recovery = |tail| judge_recovery(&play(&times, 0, 60, tail), &times, &wanted());
        assert_eq!(recovery(0), Ok(()));
        assert_eq!(recovery(45), Ok(()));
        assert_eq!(recovery(60), Err(Wrong::Endless(s(60))));
        assert!(matches!(recovery(100_000), Err(Wrong::Endless(_))));
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn whose_alert_it_is() {
        let parties = Parties {
            target: vec![labels(&[("id", "/docker/a"), ("name", "api"), ("job", "cadvisor")])],
            others: vec![
                labels(&[("id", "/docker/b"), ("name", "redis"), ("job", "cadvisor")]),
                labels(&[("id", "/"), ("job", "cadvisor")]),
            ],
        };
        let other = |pairs: &[(&str, &str)]| parties.is_other(&labels(pairs), &["severity".to_owned()]);
        assert!(!other(&[("name", "api"), ("alertname", "X"), ("severity", "warning")]));
        assert!(other(&[("name", "redis")]));
        assert!(other(&[("id", "/"), ("job", "cadvisor")]));
        // Labels that tell nothing of anybody are taken as the target's.
        assert!(!other(&[("alertname", "X"), ("severity", "x")]));
        assert!(!other(&[("job", "cadvisor")]));
        assert!(!other(&[("name", "inconnu")]));
    }

    proptest! {
        /// Whatever the rhythm, an honest rule is right and the judge knows by how much it may err.
        #[test]
        fn honest_rules_pass(
            interval in 1u64..60, evaluation in 1u64..60, back in 0u64..600, hold in 0u64..600, delay in 0u64..600
        ) {
            prop_assume!(delay <= back);
            let times = Times::plan(s(interval), s(evaluation), s(back), s(hold), s(0));
            let wanted = Wanted { fires: true, calm_before: true, hold: s(hold), ranges: s(back), back: s(back), keeps: s(0) };
            // Evaluations are discrete: play the rule on them.
            let mut active_since: Option<Duration> = None;
            let ticks: Vec<Tick> = times.evaluations().into_iter().map(|at| {
                let holds = at >= times.fault + s(delay) && at < times.recovery + s(delay);
                active_since = if holds { active_since.or(Some(at)) } else { None };
                let state = match active_since {
                    None => State::Inactive,
                    Some(since) if at >= since + s(hold) => State::Firing,
                    Some(_) => State::Pending,
                };
                Tick { at, state, other: None }
            }).collect();
            prop_assert_eq!(judge(&ticks, &times, &wanted), Ok(()));
            prop_assert_eq!(judge_recovery(&ticks, &times, &wanted), Ok(()));
        }
    }
}
