//! `promtool test rules`: its input written, its output read. Every question is given an answer
//! that cannot be right, so that promtool tells what it got.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::prom::span;
use crate::check::metrics::parse::number;

/// Labels of a series.
pub type Labels = BTreeMap<String, String>;

/// One value of an input series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Is(f64),
    /// No sample.
    Missing,
    /// The series ends here (the target could not be scraped).
    Stale,
}

/// An input series: labels (`__name__` included), one value for each step.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Labels.
    pub labels: Labels,
    /// Values.
    pub values: Vec<Value>,
}

/// A test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Test {
    /// Rule files, relative to the test.
    pub rule_files: Vec<String>,
    /// Between two samples.
    pub interval: Duration,
    /// Between two evaluations.
    pub evaluation: Duration,
    /// Input.
    pub input: Vec<Input>,
    /// What is asked.
    pub query: String,
    /// When it is asked.
    pub instants: Vec<Duration>,
}

/// A label set as PromQL writes it.
pub fn selector(labels: &Labels) -> String {
    let name = labels.get("__name__").map_or("", String::as_str);
    let rest = labels.iter().filter(|(k, _)| *k != "__name__");
    let pairs: Vec<String> = rest.map(|(k, v)| format!("{k}={}", quoted(v))).collect();
    format!("{name}{{{}}}", pairs.join(","))
}

/// A PromQL string.
pub fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Values in promtool's notation, runs of one value shortened.
fn notation(values: &[Value]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut index = 0;
    while index < values.len() {
        let value = values[index];
        let run = values[index..].iter().take_while(|v| **v == value).count();
        parts.push(match (value, run) {
            (Value::Is(number), 1) => number.to_string(),
            (Value::Is(number), n) => format!("{number}x{}", n - 1),
            (Value::Missing, 1) => "_".to_owned(),
            (Value::Missing, n) => format!("_x{n}"),
            (Value::Stale, n) => vec!["stale"; n].join(" "),
        });
        index += run;
    }
    parts.join(" ")
}

impl Test {
    /// The test file (JSON is YAML).
    pub fn write(&self) -> String {
        let input: Vec<_> = self
            .input
            .iter()
            .map(|i| serde_json::json!({"series": selector(&i.labels), "values": notation(&i.values)}))
            .collect();
        let never = serde_json::json!([{"labels": "tp_docker_never{}", "value": 1}]);
        let asked: Vec<_> = self
            .instants
            .iter()
            .map(|at| serde_json::json!({"expr": self.query, "eval_time": span::write(*at), "exp_samples": never}))
            .collect();
        serde_json::json!({
            "rule_files": self.rule_files,
            "evaluation_interval": span::write(self.evaluation),
            "tests": [{"interval": span::write(self.interval), "input_series": input, "promql_expr_test": asked}],
        })
        .to_string()
    }
}

/// What promtool got at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Got {
    /// Instant.
    pub at: Duration,
    /// Samples: labels and value.
    pub samples: Vec<(Labels, f64)>,
}

/// Reads promtool's output: what it got, in the order asked; or what it complains about.
pub fn read(output: &str) -> Result<Vec<Got>, String> {
    let mut all = Vec::new();
    let mut at: Option<Duration> = None;
    for line in output.lines() {
        let line = line.trim();
        if line.starts_with("expr: ") {
            let (_, after) = line.rsplit_once(", time: ").ok_or_else(|| complaint(output))?;
            if after.contains("err:") {
                return Err(complaint(output));
            }
            at = Some(span::parse(after.trim_end_matches([',', ' '])).ok_or_else(|| complaint(output))?);
        } else if let (Some(rest), Some(instant)) = (line.strip_prefix("got:"), at) {
            let samples = samples(rest.trim()).ok_or_else(|| complaint(output))?;
            all.push(Got { at: instant, samples });
            at = None;
        }
    }
    if all.is_empty() { Err(complaint(output)) } else { Ok(all) }
}

/// Why a rule could no longer be evaluated in a scenario, in Prometheus's words; `None` when that is not what happened.
pub fn broken(output: &str) -> Option<&str> {
    output.lines().find_map(|line| {
        let (_, why) = line.trim().strip_prefix("rule: ")?.split_once(", err: ")?;
        Some(why)
    })
}

/// The lines of an output that say something.
fn complaint(output: &str) -> String {
    let lines = output.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("Unit Testing"));
    lines.filter(|l| *l != "FAILED:").take(4).collect::<Vec<_>>().join(" | ")
}

/// `nil`, or `{a="b"} 1E+00, {…} 2E+00`.
fn samples(text: &str) -> Option<Vec<(Labels, f64)>> {
    if text == "nil" || text.is_empty() {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('{')?;
        let (mut labels, after) = labels(after)?;
        if !name.trim().is_empty() {
            labels.insert("__name__".to_owned(), name.trim().to_owned());
        }
        let (value, after) = match after.split_once(", ") {
            Some((value, after)) => (value, Some(after)),
            None => (after, None),
        };
        found.push((labels, number(value.trim())?));
        match after {
            Some(more) => rest = more,
            None => return Some(found),
        }
    }
}

/// Labels up to the closing brace, and the rest.
fn labels(text: &str) -> Option<(Labels, &str)> {
    let mut found = Labels::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((found, after));
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.strip_prefix('"')?;
        let (value, end) = unquoted(after)?;
        found.insert(name.trim().trim_matches('"').to_owned(), value);
        rest = after[end..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// A Go string without its opening quote: its value and the bytes up to after the closing one.
fn unquoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, at + 1)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                'a' => value.push('\u{7}'),
                'b' => value.push('\u{8}'),
                'f' => value.push('\u{c}'),
                'v' => value.push('\u{b}'),
                kind @ ('u' | 'U' | 'x') => {
                    let count = match kind {
                        'u' => 4,
                        'U' => 8,
                        _ => 2,
                    };
                    let digits: String = chars.by_ref().take(count).map(|(_, c)| c).collect();
                    value.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As promtool 2.53.3 wrote it.
    const SAID: &str = r#"Unit Testing:  t.yml
  FAILED:
    expr: "ALERTS{alertname=\"APIDown\"}", time: 30s,
        exp: {__name__="tp"} 1E+00
        got: nil
    expr: "ALERTS{alertname=\"APIDown\"}", time: 1m15s,
        exp: {__name__="tp"} 1E+00
        got: {__name__="ALERTS", alertname="APIDown", alertstate="pending", x="a\"b,c}d"} 1E+00, {__name__="up", x="é\\"} 0E+00
"#;

    #[test]
    fn what_promtool_says() {
        let got = read(SAID).expect("two answers");
        assert_eq!(got.len(), 2);
        assert_eq!(got[0], Got { at: Duration::from_secs(30), samples: vec![] });
        assert_eq!(got[1].at, Duration::from_secs(75));
        assert_eq!(got[1].samples[0].0["x"], "a\"b,c}d");
        assert_eq!(got[1].samples[0].0["alertstate"], "pending");
        assert_eq!(got[1].samples[1].0["x"], "é\\");
        let error = "Unit Testing:  t.yml\n  FAILED:\n    expr: \"ALERTS{\", time: 2m15s, err: 1:8: parse error: unexpected end\n";
        assert!(read(error).expect_err("an error").contains("parse error"));
        // As promtool 2.53.3 writes it.
        let limited = "Unit Testing:  t.yml\n  FAILED:\n    rule: X, time: 4m30s, err: exceeded limit of 1 with 6 alerts\n";
        assert!(read(limited).is_err());
        assert_eq!((broken(limited), broken(SAID)), (Some("exceeded limit of 1 with 6 alerts"), None));
        let error = "Unit Testing:  t.yml\n  FAILED:\nr.yml: yaml: line 3: found a tab\n";
        assert_eq!(read(error), Err("r.yml: yaml: line 3: found a tab".into()));
    }

    #[test]
    fn notations() {
        use Value::{Is, Missing, Stale};
        let values = [Is(1.0), Is(1.0), Is(0.0), Stale, Missing, Missing, Is(0.5)];
        assert_eq!(notation(&values), "1x1 0 stale _x2 0.5");
        assert_eq!(notation(&[Missing, Is(-3.0)]), "_ -3");
        assert_eq!(notation(&[]), "");
    }

    proptest! {
        /// A label set is read back as it was written.
        #[test]
        fn labels_round_trip(all in proptest::collection::btree_map("[a-z]{1,6}", "\\PC{0,12}", 0..4)) {
            let text = format!("{} 1E+00", selector(&all));
            let back = samples(&text).ok_or_else(|| TestCaseError::fail(text.clone()))?;
            prop_assert_eq!(&back[0].0, &all);
        }

        #[test]
        fn nothing_panics(text in "(  got:|expr: |, time: |[ -~é\n]){0,40}") {
            let _ = read(&text);
        }

        /// A notation stands for as many values as there were.
        #[test]
        fn notations_keep_their_length(values in proptest::collection::vec(0u8..4, 0..60)) {
            let values: Vec<Value> = values.into_iter().map(|v| match v {
                0 => Value::Missing,
                1 => Value::Stale,
                n => Value::Is(f64::from(n)),
            }).collect();
            let mut count = 0;
            for part in notation(&values).split_whitespace() {
                count += match part.split_once('x') {
                    Some(("_", n)) => n.parse::<usize>().expect("a count"),
                    Some((_, n)) => n.parse::<usize>().expect("a count") + 1,
                    None => 1,
                };
            }
            prop_assert_eq!(count, values.len());
        }
    }
}
