//! Comparing what an expression gives with what it should: values, not labels, not spelling.

use super::promtool::{Outcome, Values};
use super::scenario::{DECIDING, EVERY, KNOWN};

/// Relative difference that rounding and extrapolation may make.
const TOLERANCE: f64 = 0.006;

/// Numbers of an answer, in order; zeros and what is no number left out, for a series that stands
/// still may be shown or not.
fn numbers(outcome: &Outcome) -> Vec<f64> {
    let mut found: Vec<f64> = match outcome {
        Ok(samples) => samples.iter().map(|(_, v)| *v).filter(|v| v.is_finite() && v.abs() > 1e-9).collect(),
        Err(_) => Vec::new(),
    };
    found.sort_by(f64::total_cmp);
    found
}

/// The same as parts of their sum.
fn parts(values: &[f64]) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    if sum.abs() < 1e-9 { values.to_vec() } else { values.iter().map(|v| v / sum).collect() }
}

/// The one factor by which all values differ, when there is one.
fn factor(seen: &[f64], wanted: &[f64]) -> Option<f64> {
    if seen.is_empty() || seen.len() != wanted.len() {
        return None;
    }
    let ratios: Vec<f64> = seen.iter().zip(wanted).map(|(s, w)| s / w).collect();
    let first = ratios[0];
    ratios.iter().all(|r| ((r - first) / first).abs() < TOLERANCE).then_some(first)
}

/// How the values of an expression relate to those of a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Match {
    /// The same.
    Same,
    /// All of them, in all scenarios, times this.
    Scaled(f64),
    /// Something else.
    Other,
}

/// How two expressions are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// By the parts of their sum only.
    pub share: bool,
    /// Also where the values that may be left out count.
    pub every: bool,
}

/// Compares two expressions over the scenarios that decide.
pub fn compare(values: &Values, seen: &[&str], reference: &str, way: Way) -> Match {
    let mut factors = Vec::new();
    for scenario in (0..DECIDING).chain(way.every.then_some(EVERY)) {
        let Some(one) = factor_in(values, seen, reference, way.share, (scenario, scenario)) else {
            return Match::Other;
        };
        factors.push(one);
    }
    let first = factors[0];
    if factors.iter().any(|f| ((f - first) / first).abs() > TOLERANCE) {
        return Match::Other;
    }
    if (first - 1.0).abs() < TOLERANCE { Match::Same } else { Match::Scaled(first) }
}

/// The factor in one scenario (that of the reference may be another one). The values of several
/// queries are taken together.
fn factor_in(
    values: &Values,
    seen: &[&str],
    reference: &str,
    share: bool,
    at: (usize, usize),
) -> Option<f64> {
    let mut mine: Vec<f64> = seen.iter().flat_map(|expr| numbers(&values.of(expr, at.0))).collect();
    mine.sort_by(f64::total_cmp);
    let wanted = numbers(&values.of(reference, at.1));
    if share { factor(&parts(&mine), &parts(&wanted)) } else { factor(&mine, &wanted) }
}

/// True when an expression gives the right values for what exists today and misses what is new.
pub fn only_known(values: &Values, seen: &str, reference: &str, share: bool) -> bool {
    let today = factor_in(values, &[seen], reference, share, (KNOWN, KNOWN));
    let later = factor_in(values, &[seen], reference, share, (0, KNOWN));
    let is_one = |f: Option<f64>| f.is_some_and(|f| (f - 1.0).abs() < TOLERANCE);
    is_one(today) && is_one(later)
}

/// What an expression gives in the first scenario, in French.
pub fn told(values: &Values, expr: &str) -> String {
    match values.of(expr, 0) {
        Err(error) => format!("requête refusée : {}", crate::check::tell::cut(&error, 120)),
        Ok(samples) if samples.is_empty() => "aucune valeur".to_owned(),
        Ok(_) => {
            let all = numbers(&values.of(expr, 0));
            let shown: Vec<String> = all.iter().take(4).map(|v| french(*v)).collect();
            match all.len() {
                0 => "aucune valeur utile".to_owned(),
                1 => format!("une série : {}", shown[0]),
                n => format!("{n} séries : {}{}", shown.join(" ; "), if n > 4 { " ; …" } else { "" }),
            }
        }
    }
}

/// A number with three significant digits and a decimal comma.
pub fn french(value: f64) -> String {
    let size = value.abs();
    let text = if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else if size >= 0.001 {
        format!("{value:.4}")
    } else {
        format!("{value:e}")
    };
    text.replace('.', ",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::panels::scenario::ALL;
    use crate::check::prom::Labels;
    use proptest::prelude::*;

    const WHOLE: Way = Way { share: false, every: false };
    const PARTS: Way = Way { share: true, every: false };
    const EVERYWHERE: Way = Way { share: false, every: true };

    fn put(values: &mut Values, expr: &str, each: [&[f64]; ALL]) {
        for (scenario, numbers) in each.into_iter().enumerate() {
            let samples = numbers.iter().map(|v| (Labels::new(), *v)).collect();
            values.put(expr, scenario, Ok(samples));
        }
    }

    #[test]
    fn relations() {
        let mut values = Values::default();
        put(&mut values, "ref", [&[3.0, 1.0], &[5.0, 2.0], &[7.0, 4.0], &[3.0], &[8.0, 2.0]]);
        put(
            &mut values,
            "same",
            [&[1.0, 3.0, 0.0], &[2.0, 5.001, f64::NAN], &[4.0, 7.0], &[3.0], &[8.0, 2.0]],
        );
        put(
            &mut values,
            "minute",
            [&[60.0, 180.0], &[120.0, 300.0], &[240.0, 420.0], &[180.0], &[480.0, 120.0]],
        );
        put(&mut values, "sum", [&[4.0], &[7.0], &[11.0], &[3.0], &[10.0]]);
        put(&mut values, "today", [&[3.0], &[5.0], &[7.0], &[3.0], &[8.0]]);
        put(&mut values, "turning", [&[3.0, 1.0], &[10.0, 4.0], &[7.0, 4.0], &[3.0], &[8.0, 2.0]]);
        assert_eq!(compare(&values, &["same"], "ref", WHOLE), Match::Same);
        assert!(
            matches!(compare(&values, &["minute"], "ref", WHOLE), Match::Scaled(f) if (f - 60.0).abs() < 0.5)
        );
        assert_eq!(compare(&values, &["minute"], "ref", PARTS), Match::Same);
        assert_eq!(compare(&values, &["sum"], "ref", WHOLE), Match::Other);
        put(&mut values, "usual", [&[3.0, 1.0], &[5.0, 2.0], &[7.0, 4.0], &[3.0], &[8.0]]);
        assert_eq!(compare(&values, &["usual"], "ref", WHOLE), Match::Same);
        assert_eq!(compare(&values, &["usual"], "ref", EVERYWHERE), Match::Other);
        assert_eq!(compare(&values, &["same"], "ref", EVERYWHERE), Match::Same);
        assert_eq!(compare(&values, &["turning"], "ref", WHOLE), Match::Other);
        assert_eq!(compare(&values, &["turning"], "ref", PARTS), Match::Same);
        assert!(only_known(&values, "today", "ref", false));
        assert!(!only_known(&values, "same", "ref", false));
        assert_eq!(told(&values, "sum"), "une série : 4,00");
        assert_eq!(told(&values, "nothing"), "aucune valeur");
    }

    proptest! {
        /// A factor common to all values is found, whatever it is, and order does not matter.
        #[test]
        fn scales(numbers in proptest::collection::vec(0.01f64..1e6, 1..6), by in 0.001f64..1e4) {
            let mut values = Values::default();
            let mut scaled: Vec<f64> = numbers.iter().map(|n| n * by).collect();
            scaled.reverse();
            put(&mut values, "ref", [numbers.as_slice(); ALL]);
            put(&mut values, "mine", [scaled.as_slice(); ALL]);
            match compare(&values, &["mine"], "ref", WHOLE) {
                Match::Same => prop_assert!((by - 1.0).abs() < 0.01),
                Match::Scaled(f) => prop_assert!((f / by - 1.0).abs() < 0.01),
                Match::Other => prop_assert!(false),
            }
            prop_assert_eq!(compare(&values, &["mine"], "ref", PARTS), Match::Same);
        }
    }
}
