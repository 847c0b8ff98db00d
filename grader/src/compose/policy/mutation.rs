//! One rule changed, to see who notices. Tests only.

use std::cell::RefCell;

use super::Verdict;

/// What is changed.
#[derive(Clone, Debug)]
pub(in crate::compose) enum Mutant {
    /// The key of a section is allowed, whatever it says.
    Allow(&'static str, &'static str),
    /// The key of a section is no longer known.
    Forget(&'static str, &'static str),
    /// A refusal is never given.
    Mute(String),
}

thread_local! {
    static CHANGED: RefCell<Option<Mutant>> = const { RefCell::new(None) };
}

/// Runs with a rule changed.
pub(in crate::compose) fn with<T>(mutant: Mutant, run: impl FnOnce() -> T) -> T {
    CHANGED.with_borrow_mut(|changed| *changed = Some(mutant));
    let out = run();
    CHANGED.with_borrow_mut(|changed| *changed = None);
    out
}

/// Whether the key of a section is allowed, or no longer known; `None` when it is not changed.
pub(super) fn verdict(section: &str, key: &str) -> Option<&'static [Verdict]> {
    CHANGED.with_borrow(|changed| match changed {
        Some(Mutant::Allow(s, k)) if *s == section && *k == key => Some(&[Verdict::Allow][..]),
        Some(Mutant::Forget(s, k)) if *s == section && *k == key => Some(&[][..]),
        _ => None,
    })
}

/// Whether a refusal is muted.
pub(in crate::compose) fn mutes(id: &str) -> bool {
    CHANGED.with_borrow(|changed| matches!(changed, Some(Mutant::Mute(muted)) if muted == id))
}
