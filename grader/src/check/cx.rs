//! What a check is given, and when it runs.

use super::{Experiments, Memo, World};
use crate::error::{Fault, FaultKind};

/// When and on which copy of the stack a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Needs only the declared model: judged before anything runs.
    Static,
    /// Looks at the image or builds it again: as soon as it is built.
    Image,
    /// Looks at the first copy without disturbing it; any number at a time.
    Observe,
    /// Drives the application of the first copy: one at a time, in the lab's order.
    Drive,
    /// Breaks a service of the first copy and repairs it, after all that looks at it.
    Break,
    /// Removes and recreates a service of the first copy: last of all on that copy.
    Recreate,
    /// On the second copy (late stores, relay): one at a time, in the lab's order.
    Second,
}

/// What a check is given.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// The first copy of the stack.
    pub world: &'a dyn World,
    /// The lab's experiments.
    pub experiments: &'a Experiments,
    /// Results of experiments, shared by all the checks of the first copy.
    pub memo: &'a Memo,
    /// The second copy and its own memo, when the lab has one and it was brought up.
    pub second: Option<(&'a dyn World, &'a Memo)>,
}

impl<'a> Cx<'a> {
    /// The same, seen from the second copy: `world` and `memo` are that copy's.
    pub fn on_second(&self) -> Result<Cx<'a>, Fault> {
        let Some((world, memo)) = self.second else {
            return Err(Fault::new(
                FaultKind::Engine,
                "la seconde copie de la pile n'est pas là",
                "relancez la correction ; si cela se répète, regardez la place disque et la mémoire",
            ));
        };
        Ok(Cx { world, memo, experiments: self.experiments, second: None })
    }
}
