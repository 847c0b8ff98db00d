//! What must be looked at again after a save.

use std::collections::{HashMap, HashSet};

use crate::check::{Experiments, Stage};
use crate::lab::CheckSpec;

/// What a save changed, as far as verdicts depend on it. Something did change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The stack began again from nothing.
    pub fresh: bool,
    /// Services run anew.
    pub recreated: bool,
    /// Something that an image is built from.
    pub rebuilt: bool,
}

/// What the choice depends on in a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Nature {
    stage: Stage,
    /// It only builds again.
    early: bool,
    /// It judges how the stack came up.
    looks_back: bool,
    /// Its last verdict, where there is one: passed or not.
    passed: Option<bool>,
}

impl Change {
    /// Whether the verdict of a check may not be the last one any more. What was not passed is always
    /// looked at again: its places move with the text, and what it needs may be there now.
    fn concerns(self, nature: Nature) -> bool {
        if nature.looks_back && !self.fresh {
            return false;
        }
        match nature.stage {
            // The ordinary run does these, in copies of its own.
            Stage::Break | Stage::Recreate | Stage::Second => false,
            // Cheap, and they may read any file.
            Stage::Static | Stage::Observe => true,
            _ if self.fresh || nature.passed != Some(true) => true,
            Stage::Image if nature.early => self.rebuilt,
            Stage::Image => self.rebuilt || self.recreated,
            Stage::Drive => self.recreated,
        }
    }
}

/// The checks to judge again. One that needs a verdict that nobody gave is left out too.
pub(super) fn again(
    all: &[CheckSpec],
    experiments: &Experiments,
    change: Change,
    known: &HashMap<String, bool>,
) -> Vec<CheckSpec> {
    let nature = |spec: &CheckSpec| Nature {
        stage: spec.check.stage(experiments),
        early: spec.check.is_early(),
        looks_back: spec.check.looks_back(),
        passed: known.get(&spec.card.id).copied(),
    };
    // Every need names an earlier check.
    let mut chosen: HashSet<&str> = HashSet::new();
    let mut out = Vec::new();
    for spec in all {
        let answered = |id: &String| chosen.contains(id.as_str()) || known.contains_key(id);
        if change.concerns(nature(spec)) && spec.needs.iter().all(answered) {
            chosen.insert(&spec.card.id);
            out.push(spec.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 7] = [
        Stage::Static,
        Stage::Image,
        Stage::Observe,
        Stage::Drive,
        Stage::Break,
        Stage::Recreate,
        Stage::Second,
    ];

    fn passed(stage: Stage) -> Nature {
        Nature { stage, early: false, looks_back: false, passed: Some(true) }
    }

    fn chosen(change: Change) -> Vec<Stage> {
        STAGES.into_iter().filter(|stage| change.concerns(passed(*stage))).collect()
    }

    #[test]
    fn each_change_concerns_its_stages() {
        use Stage::{Drive, Image, Observe, Static};
        let change = Change::default();
        assert_eq!(chosen(change), [Static, Observe]);
        assert_eq!(chosen(Change { recreated: true, ..change }), [Static, Image, Observe, Drive]);
        assert_eq!(chosen(Change { rebuilt: true, ..change }), [Static, Image, Observe]);
        assert_eq!(chosen(Change { fresh: true, ..change }), [Static, Image, Observe, Drive]);
    }

    #[test]
    fn what_only_builds_again_waits_for_a_build() {
        let early = Nature { early: true, ..passed(Stage::Image) };
        assert!(!Change { recreated: true, ..Change::default() }.concerns(early));
        assert!(Change { rebuilt: true, ..Change::default() }.concerns(early));
    }

    #[test]
    fn what_was_missed_is_always_looked_at_again_but_for_what_breaks() {
        for stage in STAGES {
            let missed = Nature { passed: Some(false), ..passed(stage) };
            let breaks = matches!(stage, Stage::Break | Stage::Recreate | Stage::Second);
            assert_eq!(Change::default().concerns(missed), !breaks, "{stage:?}");
            assert_eq!(Change::default().concerns(Nature { passed: None, ..missed }), !breaks, "{stage:?}");
        }
    }

    #[test]
    fn how_it_came_up_is_judged_when_it_comes_up() {
        let back = Nature { looks_back: true, passed: None, ..passed(Stage::Observe) };
        assert!(!Change { recreated: true, rebuilt: true, ..Change::default() }.concerns(back));
        assert!(Change { fresh: true, ..Change::default() }.concerns(back));
    }

    #[test]
    fn lab_02_after_each_kind_of_save() {
        let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../labs");
        let lab = crate::lab::load(&labs, "02").expect("lab 02");
        let known: HashMap<String, bool> =
            lab.checks.iter().map(|spec| (spec.card.id.clone(), true)).collect();
        let ids = |change, known| -> Vec<String> {
            again(&lab.checks, &lab.experiments, change, known).into_iter().map(|s| s.card.id).collect()
        };
        let recreated = Change { recreated: true, ..Change::default() };
        let label = ids(recreated, &known);
        assert!(label.contains(&"cache-ttl".to_owned()) && !label.contains(&"npm-ci".to_owned()));
        let code = ids(Change { rebuilt: true, ..recreated }, &known);
        assert!(code.contains(&"npm-ci".to_owned()));
        for breaks in ["sante-redis", "sante-postgres", "persistance", "ordre-demarrage", "donnees-postgres"]
        {
            assert!(!code.contains(&breaks.to_owned()), "{breaks}");
        }
        let first = ids(Change { fresh: true, ..Change::default() }, &HashMap::new());
        assert_eq!(first, code);
    }
}
