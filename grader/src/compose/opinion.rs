//! What the policy says of a folder, and the model that would run: no engine is asked.

use std::path::Path;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::canonical::{ConfigError, canonical};
use super::model::ComposeModel;
use super::rewrite::{Plan, sandbox};
use super::stage::{Limits, stage_for};
use super::tool::ComposeTool;
use super::wishes::Wishes;
use crate::error::Fault;
use crate::event::{Decision, OPINION_FORMAT, Opinion, Problem, Refusal};

/// Judges the folder `dir`, copied beneath `into` (an empty folder of the caller) as a lab wishes
/// it.
pub async fn opinion(dir: &Path, into: &Path, wishes: &Wishes) -> Result<Opinion, Fault> {
    let mut opinion = match stage_for(dir, into, &Limits::default(), wishes) {
        Err(problems) => invalid(problems),
        Ok(staged) => match canonical(&staged, &ComposeTool::find()?).await {
            Ok(model) => judged(model),
            Err(ConfigError::Student(problems)) => Opinion { notices: staged.notices, ..invalid(problems) },
            Err(ConfigError::Refused(refusals)) => Opinion { notices: staged.notices, ..refused(refusals) },
            Err(ConfigError::Machine(fault)) => return Err(fault),
        },
    };
    opinion.submission = dir.display().to_string();
    Ok(opinion)
}

/// Judges and rewrites a canonical model.
pub(super) fn judged(model: ComposeModel) -> Opinion {
    let notices = model.notices().to_vec();
    let root = model.root().to_string_lossy().into_owned();
    let approved = match super::policy::approve(model) {
        Ok(approved) => approved,
        Err(refusals) => return Opinion { notices, ..refused(refusals) },
    };
    let subnets = (0..=u8::MAX).take(approved.subnets_needed());
    let plan = Plan {
        subnets: subnets
            .filter_map(|n| Ipv4Net::new(std::net::Ipv4Addr::new(198, 18, n, 0), 24).ok())
            .collect(),
        ..Plan::default()
    };
    let sandboxed = sandbox(&approved, &plan);
    let mut model = sandboxed.file().clone();
    relative(&mut model, &root);
    Opinion { notices, changes: sandboxed.changes().to_vec(), model: Some(model), ..blank() }
}

/// What the gate stops.
#[cfg(test)]
pub(super) fn stopped(stop: super::gate::Stop) -> Opinion {
    if stop.refusals.is_empty() { invalid(stop.problems) } else { refused(stop.refusals) }
}

fn blank() -> Opinion {
    Opinion { format: OPINION_FORMAT, grader: env!("CARGO_PKG_VERSION").to_owned(), ..Opinion::default() }
}

fn invalid(problems: Vec<Problem>) -> Opinion {
    Opinion { decision: Decision::Invalid, problems, ..blank() }
}

fn refused(refusals: Vec<Refusal>) -> Opinion {
    Opinion { decision: Decision::Refused, refusals, ..blank() }
}

/// Paths of the copy become paths of the folder.
fn relative(value: &mut Value, root: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix(root).filter(|r| r.is_empty() || r.starts_with('/')) {
                *text = format!(".{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relative(item, root)),
        Value::Object(members) => members.values_mut().for_each(|member| relative(member, root)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
