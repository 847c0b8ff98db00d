//! Whether a query that only has to read a metric really shows it: over two scenarios in which all
//! its series have other values, the answer must move. A number of series does not.

use super::fit::Candidate;
use super::live::{Dead, Why};
use super::promtool::{self, Values};
use super::scenario::{self, Live};
use super::{Panels, is_recorded};
use crate::check::Cx;
use crate::check::prom::{Labels, Prom, Rule};
use crate::error::Fault;

/// Scenarios that play these metrics.
pub(super) const PLAYED: usize = 2;

/// Finite numbers of an answer by their labels.
fn numbers(values: &Values, expr: &str, scenario: usize) -> Vec<(Labels, f64)> {
    let mut found = values.of(expr, scenario).unwrap_or_default();
    found.retain(|(_, v)| v.is_finite());
    found.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    found
}

/// Whether an expression gives something, and the same whatever is measured. Zeros say nothing:
/// they may stand for what the scenarios do not play.
fn is_still(values: &Values, expr: &str) -> bool {
    let (one, other) = (numbers(values, expr, 0), numbers(values, expr, 1));
    let same = |(a, b): (&(Labels, f64), &(Labels, f64))| {
        a.0 == b.0 && (a.1 - b.1).abs() <= 1e-9 * a.1.abs().max(1.0)
    };
    one.len() == other.len() && one.iter().any(|(_, v)| v.abs() > 1e-9) && one.iter().zip(&other).all(same)
}

impl Panels {
    /// Metrics of the wants that only name some.
    pub(super) fn measures(&self) -> Vec<&String> {
        let mut all: Vec<&String> = self.wants.iter().flat_map(|w| &w.uses).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Takes away the queries that do not move with what they read.
    pub(super) async fn still<'a>(
        &'a self,
        cx: &Cx<'_>,
        prom: &Prom<'_>,
        fitting: &mut [Vec<Candidate<'a>>],
    ) -> Result<Found<'a>, Fault> {
        let mut live = Live::default();
        for name in self.measures() {
            let mut sets = prom.series(name).await?.unwrap_or_default();
            // Those of containers, rather than of the groups of the system.
            if sets.iter().any(is_named) {
                sets.retain(is_named);
            }
            live.add(name, sets);
        }
        let mut exprs: Vec<String> = Vec::new();
        for (_, of) in self.wants.iter().zip(&*fitting).filter(|(w, _)| w.means.is_empty()) {
            exprs.extend(of.iter().map(Candidate::expr));
        }
        exprs.retain(|e| e.len() <= 4_000 && scenario::is_plain(e));
        exprs.sort();
        exprs.dedup();
        exprs.truncate(80);
        if exprs.is_empty() || live.is_empty() {
            return Ok(Found::Nothing);
        }
        let rules = prom.rules().await?.unwrap_or_default();
        let recorded: Vec<Rule> =
            rules.into_iter().flat_map(|g| g.rules).filter(is_recorded).take(50).collect();
        let values = promtool::evaluate(cx.world, self, &live, &recorded, &exprs).await?;
        let mut found = Found::Nothing;
        for (want, of) in self.wants.iter().zip(fitting).filter(|(w, _)| w.means.is_empty()) {
            let before: Vec<Candidate<'a>> = of.clone();
            of.retain(|c| !is_still(&values, &c.expr()));
            if let Some(one) = before.first().filter(|_| of.is_empty()) {
                return Ok(Found::Dead(Dead { want, one: *one, why: Why::Still }));
            }
            if of.len() < before.len() {
                found = Found::Some;
            }
        }
        Ok(found)
    }
}

/// What was taken away.
pub(super) enum Found<'a> {
    /// Nothing.
    Nothing,
    /// Some queries, others remain for each want.
    Some,
    /// All those of a want.
    Dead(Dead<'a>),
}

fn is_named(labels: &Labels) -> bool {
    labels.get("name").is_some_and(|n| !n.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_series_is_no_measure() {
        let mut values = Values::default();
        let mut put = |expr: &str, each: [&[f64]; PLAYED]| {
            for (scenario, numbers) in each.into_iter().enumerate() {
                let name = |i: usize| Labels::from([("name".to_owned(), i.to_string())]);
                let samples = numbers.iter().enumerate().map(|(i, v)| (name(i), *v)).collect();
                values.put(expr, scenario, Ok(samples));
            }
        };
        put("count", [&[1.0, 1.0], &[1.0, 1.0]]);
        put("rate", [&[1.0, 2.0], &[3.0, 0.5]]);
        put("share", [&[0.25, 0.75], &[0.75, 0.25]]);
        put("zero", [&[0.0, 0.0], &[0.0, 0.0]]);
        assert!(is_still(&values, "count"));
        for expr in ["rate", "share", "zero", "unknown"] {
            assert!(!is_still(&values, expr), "{expr}");
        }
    }
}
