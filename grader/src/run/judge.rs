//! Judging the checks of a lab as soon as what they need is known.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use tokio::sync::watch;

use super::Ctx;
use crate::check::{Cx, Stage};
use crate::error::{Fault, FaultKind};
use crate::event::{Checked, Event, Verdict};
use crate::lab::CheckSpec;
use crate::time::strain;

/// Verdicts so far.
pub(super) struct Board {
    passed: Mutex<HashMap<String, bool>>,
    changed: watch::Sender<u64>,
}

impl Board {
    pub fn new() -> Self {
        Self::knowing(HashMap::new())
    }

    /// A board on which these verdicts are known already: whether each check passed.
    pub fn knowing(passed: HashMap<String, bool>) -> Self {
        Self { passed: Mutex::new(passed), changed: watch::channel(0).0 }
    }

    /// Every verdict: whether each check passed.
    pub fn verdicts(&self) -> HashMap<String, bool> {
        self.passed().clone()
    }

    fn passed(&self) -> std::sync::MutexGuard<'_, HashMap<String, bool>> {
        self.passed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// True when every check of `ids` has a verdict.
    pub fn all_known(&self, ids: &[&str]) -> bool {
        let passed = self.passed();
        ids.iter().all(|id| passed.contains_key(*id))
    }

    /// Waits until every check of `ids` has a verdict.
    pub async fn wait(&self, ids: &[&str]) {
        let mut changed = self.changed.subscribe();
        while !self.all_known(ids) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    fn settle(&self, id: &str, pass: bool) {
        self.passed().insert(id.to_owned(), pass);
        self.changed.send_modify(|n| *n += 1);
    }

    /// Of `ids`, those that did not pass.
    fn missing(&self, ids: &[String]) -> Vec<String> {
        let passed = self.passed();
        ids.iter().filter(|id| passed.get(*id) != Some(&true)).cloned().collect()
    }
}

/// Waits for what `spec` needs, judges it and says so.
pub(super) async fn judge(run: &Ctx<'_>, board: &Board, spec: &CheckSpec, cx: &Cx<'_>) {
    let needs: Vec<&str> = spec.needs.iter().map(String::as_str).collect();
    let start = Instant::now();
    let early = if spec.check.is_early() { Some(observe(spec, cx).await) } else { None };
    board.wait(&needs).await;
    let start = if early.is_some() { start } else { Instant::now() };
    let by = board.missing(&spec.needs);
    let verdict = match early {
        _ if !by.is_empty() => Verdict::Blocked { by },
        Some(verdict) => verdict,
        None => observe(spec, cx).await,
    };
    let pass = matches!(verdict, Verdict::Pass { .. });
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    run.emit(Event::Checked(Checked { id: spec.card.id.clone(), verdict, elapsed_ms, at_ms: run.at_ms() }));
    board.settle(&spec.card.id, pass);
}

/// Judges within the time limit; a fault is an inconclusive verdict.
///
/// The limit is stretched as the waits inside are, by the worst load seen since the beginning: a check that waits
/// longer because the machine is busy must be left the time to say what it did not see.
async fn observe(spec: &CheckSpec, cx: &Cx<'_>) -> Verdict {
    let (start, mut worst) = (tokio::time::Instant::now(), strain());
    let mut judged = spec.check.judge(cx);
    let limit = loop {
        let limit = spec.check.deadline().mul_f64(worst);
        match tokio::time::timeout_at(start + limit, &mut judged).await {
            Ok(Ok(verdict)) => return verdict,
            Ok(Err(fault)) => return Verdict::Inconclusive { fault, facts: Vec::new() },
            Err(_) if strain() <= worst => break limit,
            Err(_) => worst = strain(),
        }
    };
    Verdict::Inconclusive {
        fault: Fault::new(
            FaultKind::Deadline,
            format!("ce contrôle n'a pas abouti en {} s", limit.as_secs()),
            "relancez quand la machine est moins chargée",
        ),
        facts: Vec::new(),
    }
}

/// The checks of `all` that run at `stage`.
pub(super) fn at_stage<'a>(run: &Ctx<'_>, all: &'a [CheckSpec], stage: Stage) -> Vec<&'a CheckSpec> {
    all.iter().filter(|spec| spec.check.stage(&run.lab.experiments) == stage).collect()
}
