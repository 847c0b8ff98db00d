//! Whether a verdict may be the machine's doing rather than the submission's. Pure.
//!
//! The rule. What could not be judged is always worth another attempt, alone. A miss is, when two things
//! hold: the machine was saturated at some moment of the run (waits were being stretched, see
//! [`crate::time::strain`]), and the missed check is of a kind that says « it did not come »
//! ([`Check::can_be_late`](crate::check::Check::can_be_late)): a connection that is seen where there must
//! be none, a declared subnet, an answer to a question are as true on a busy machine as on another.
//! A run that had the machine for itself is not doubted again: that of others is not ours to wait for.

use super::pace::Sample;
use crate::error::{Fault, FaultKind};
use crate::event::Verdict;
use crate::french;
use crate::lab::Lab;
use crate::report::{Outcome, Report, Standing};

/// French: why this verdict is worth another attempt, alone; `None` when it stands. `worst` is the machine
/// at its busiest during the run.
pub fn doubt(lab: &Lab, report: &Report, worst: &Sample, alone: bool) -> Option<String> {
    match &report.outcome {
        Outcome::Refused(_) | Outcome::Invalid(_) => None,
        Outcome::NotGraded(fault) => again(fault, worst).then(|| format!("non noté ({})", fault.what)),
        Outcome::Graded => {
            let unclear: Vec<String> = report
                .standing(Standing::Ungraded)
                .filter(|c| matches!(&c.verdict, Some(Verdict::Inconclusive { fault, .. }) if again(fault, worst)))
                .map(|c| format!("« {} »", c.card.id))
                .collect();
            if !unclear.is_empty() {
                return Some(format!("pas de verdict pour {}", french::list(&unclear)));
            }
            if alone || !worst.is_saturated() {
                return None;
            }
            let late = |id: &str| lab.checks.iter().any(|c| c.card.id == id && c.check.can_be_late());
            let missed: Vec<String> = report
                .standing(Standing::Missed)
                .filter(|c| late(&c.card.id))
                .map(|c| format!("« {} »", c.card.id))
                .collect();
            (!missed.is_empty()).then(|| format!("{} : {}", saturated(worst), french::list(&missed)))
        }
    }
}

/// True when another attempt may do better than this fault.
fn again(fault: &Fault, worst: &Sample) -> bool {
    match fault.kind {
        // On a quiet machine, what takes too long takes too long again.
        FaultKind::Deadline => worst.is_saturated(),
        FaultKind::Lab | FaultKind::Permission | FaultKind::Interrupted => false,
        FaultKind::NoEngine
        | FaultKind::Disk
        | FaultKind::Image
        | FaultKind::Engine
        | FaultKind::Noise
        | FaultKind::Probe
        | FaultKind::Bug => true,
    }
}

/// « la machine était saturée (charge 7,9 sur 2 cœurs) ».
pub fn saturated(sample: &Sample) -> String {
    let load = sample.load.map_or_else(String::new, |load| {
        format!(" (charge {} sur {})", french::decimal(load, 1), french::count(sample.cores, "cœur", "cœurs"))
    });
    format!("la machine était saturée{load}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::report::sample;

    fn sample_of(strain: f64) -> Sample {
        Sample { strain, load: Some(7.9), cores: 2, free: None }
    }

    fn lab() -> Lab {
        let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../labs");
        crate::lab::load(&labs, "01").expect("lab 01")
    }

    fn report(verdicts: &[(&str, Verdict)]) -> Report {
        let cards = lab().checks.into_iter().map(|c| c.card).collect();
        let ids: Vec<String> = lab().checks.into_iter().map(|c| c.card.id).collect();
        let mut events = vec![sample::started(cards)];
        for id in ids {
            let found = verdicts.iter().find(|(one, _)| *one == id).map(|(_, v)| v.clone());
            events.push(sample::checked(&id, found.unwrap_or(Verdict::Pass { facts: vec![] })));
        }
        events.extend(sample::finished());
        Report::fold(events)
    }

    fn miss() -> Verdict {
        Verdict::Fail(Box::default())
    }

    #[test]
    fn a_miss_by_absence_on_a_saturated_machine_is_doubtful() {
        let (calm, busy) = (sample_of(1.0), sample_of(2.6));
        let late = report(&[("http-serveur", miss())]);
        assert_eq!(doubt(&lab(), &late, &calm, false), None);
        let said = doubt(&lab(), &late, &busy, false).expect("a doubt");
        assert!(said.contains("charge 7,9 sur 2") && said.contains("« http-serveur »"), "{said}");
        assert_eq!(doubt(&lab(), &late, &busy, true), None, "it was alone");
        // Declared, or seen where it must not be: true whatever the load.
        for id in ["adressage", "muet-boucle", "reponse-bridge"] {
            assert_eq!(doubt(&lab(), &report(&[(id, miss())]), &busy, false), None, "{id}");
        }
        assert_eq!(doubt(&lab(), &report(&[]), &busy, false), None, "all is passed");
    }

    #[test]
    fn what_could_not_be_judged_is_tried_again() {
        let fault = Fault::new(FaultKind::Noise, "trop de bruit", "");
        let unclear = report(&[("demarrage", Verdict::Inconclusive { fault, facts: vec![] })]);
        assert!(doubt(&lab(), &unclear, &sample_of(1.0), false).is_some());
        let stuck = Fault::new(FaultKind::Deadline, "trop long", "");
        let stuck = Report::fold(vec![sample::started(vec![]), Event::Faulted(stuck)]);
        let refused = Report { outcome: Outcome::Refused(vec![]), ..stuck.clone() };
        assert!(doubt(&lab(), &refused, &sample_of(3.0), false).is_none());
        let stuck =
            Report { outcome: Outcome::NotGraded(Fault::new(FaultKind::Deadline, "trop long", "")), ..stuck };
        assert!(doubt(&lab(), &stuck, &sample_of(1.0), false).is_none());
        assert!(doubt(&lab(), &stuck, &sample_of(3.0), false).is_some());
    }
}
