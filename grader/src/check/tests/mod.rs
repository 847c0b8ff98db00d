//! Honest and devious stacks, kind by kind.

mod bonus;
mod cache;
mod fraud;
mod front;
mod grafana;
mod labs;
mod metrics;
mod net;
mod panels;
mod production;
mod prom;
mod stores;
mod traefik;
mod workflow;

use super::testing::FakeWorld;
use super::{Cx, Memo};
use crate::event::Verdict;
use crate::lab::{self, Lab};

/// A committed lab.
pub fn lab(id: &str) -> Lab {
    let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../labs");
    lab::load(&labs, id).unwrap_or_else(|e| panic!("{e}"))
}

/// Judges a check of a committed lab on a world (and a second copy).
pub async fn judge_on(id: &str, check: &str, world: &FakeWorld, second: Option<&FakeWorld>) -> Verdict {
    let lab = lab(id);
    let memos = (Memo::default(), Memo::default());
    judge_with(&lab, check, world, second, (&memos.0, &memos.1)).await
}

/// The same with given memos.
pub async fn judge_with(
    lab: &Lab,
    check: &str,
    world: &FakeWorld,
    second: Option<&FakeWorld>,
    memos: (&Memo, &Memo),
) -> Verdict {
    let spec = lab.checks.iter().find(|c| c.card.id == check).unwrap_or_else(|| panic!("no check {check}"));
    let second = second.map(|w| (w as &dyn super::World, memos.1));
    let cx = Cx { world, experiments: &lab.experiments, memo: memos.0, second };
    match spec.check.judge(&cx).await {
        Ok(verdict) => verdict,
        Err(fault) => Verdict::Inconclusive { fault, facts: vec![] },
    }
}

/// Judges a check of lab 01 or 02 on one world.
pub async fn judge(id: &str, check: &str, world: &FakeWorld) -> Verdict {
    judge_on(id, check, world, None).await
}

/// Panics unless it passes.
pub fn passes(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:#?}");
}

/// Panics unless it fails with a complete miss whose text holds `word`.
pub fn fails(verdict: &Verdict, word: &str) {
    let Verdict::Fail(miss) = verdict else { panic!("expected a miss with « {word} »: {verdict:#?}") };
    assert!(!miss.headline.is_empty() && !miss.expected.is_empty() && !miss.observed.is_empty(), "{miss:#?}");
    assert!(!miss.hint.is_empty(), "{miss:#?}");
    let all = format!("{} {} {} {:?}", miss.headline, miss.observed, miss.control, miss.noted);
    assert!(all.contains(word), "« {word} » is not in {miss:#?}");
    assert!(!all.contains('!'), "no exclamation mark: {all}");
}

/// Panics unless it is inconclusive.
pub fn unsure(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Inconclusive { .. }), "{verdict:#?}");
}
