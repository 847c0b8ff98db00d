//! Evaluating expressions with `promtool test rules`: every test expects nothing, so that what it
//! reports as wrong is what it got.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::scenario::{self, Live};
use super::{Panels, kit};
use crate::check::metrics::parse::number;
use crate::check::prom::{Labels, Rule, span};
use crate::check::world::{ToolRun, World};
use crate::error::{Fault, FaultKind};

/// Longest run of the tool.
const DEADLINE: Duration = Duration::from_secs(40);

/// What an expression gave, or why it could not be evaluated (English, from the tool).
pub type Outcome = Result<Vec<(Labels, f64)>, String>;

/// Values of each expression in each scenario, and what is recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    each: BTreeMap<(String, usize), Outcome>,
    /// Names and expressions of the recording rules.
    recorded: Vec<(String, String)>,
}

impl Values {
    /// The same, with the recording rules that panels may read.
    pub fn recording(mut self, rules: &[Rule]) -> Self {
        self.recorded = rules.iter().map(|rule| (rule.name.clone(), rule.query.clone())).collect();
        self
    }

    /// Whether an expression reads a metric, by itself or through recorded series.
    pub fn reads(&self, expr: &str, metric: &str) -> bool {
        let mut texts = vec![expr];
        let mut known = 0;
        while let Some(text) = texts.get(known).copied() {
            if text.contains(metric) {
                return true;
            }
            let more = self.recorded.iter().filter(|(name, _)| text.contains(name.as_str()));
            let more: Vec<&str> =
                more.map(|(_, query)| query.as_str()).filter(|q| !texts.contains(q)).collect();
            texts.extend(more);
            known += 1;
        }
        false
    }

    /// What an expression gave in a scenario; nothing when it gave no sample.
    pub fn of(&self, expr: &str, scenario: usize) -> Outcome {
        self.each.get(&(expr.to_owned(), scenario)).cloned().unwrap_or_else(|| Ok(Vec::new()))
    }

    #[cfg(test)]
    pub fn put(&mut self, expr: &str, scenario: usize, outcome: Outcome) {
        self.each.insert((expr.to_owned(), scenario), outcome);
    }
}

/// A known answer: without it, the tool's output is not what we think.
fn control(scenario: usize) -> String {
    format!("vector({}.25)", 40 + scenario)
}

/// Evaluates expressions in every scenario, with the recording rules of the live Prometheus.
pub async fn evaluate(
    world: &dyn World,
    spec: &Panels,
    live: &Live,
    recorded: &[Rule],
    exprs: &[String],
) -> Result<Values, Fault> {
    let seed = kit::draw(world, "panels");
    // A rule that the tool refuses must not take the panels with it.
    if !recorded.is_empty()
        && let Ok(values) = once(world, spec, live, recorded, exprs, seed).await
    {
        return Ok(values);
    }
    once(world, spec, live, &[], exprs, seed).await
}

async fn once(
    world: &dyn World,
    spec: &Panels,
    live: &Live,
    recorded: &[Rule],
    exprs: &[String],
    seed: u64,
) -> Result<Values, Fault> {
    let mut files =
        BTreeMap::from([("tests.yml".to_owned(), tests(spec, live, !recorded.is_empty(), exprs, seed))]);
    if !recorded.is_empty() {
        let rules: Vec<Value> =
            recorded.iter().map(|r| json!({"record": r.name, "expr": r.query, "labels": r.labels})).collect();
        files.insert(
            "rules.yml".into(),
            json!({"groups": [{"name": "recorded", "rules": rules}]}).to_string(),
        );
    }
    let command = ["promtool", "test", "rules", "tests.yml"].map(str::to_owned).to_vec();
    let run = ToolRun { image: spec.image.clone(), command, files, deadline: DEADLINE };
    let outcome = world.tool(run).await?;
    let values = read(&outcome.output);
    for scenario in 0..scenario::ALL {
        let wanted = f64::from(u32::try_from(40 + scenario).unwrap_or(0)) + 0.25;
        let told = values.of(&control(scenario), scenario);
        if !matches!(&told, Ok(samples) if samples.len() == 1 && (samples[0].1 - wanted).abs() < 1e-9) {
            return Err(Fault::new(
                FaultKind::Bug,
                "promtool n'a pas évalué les expressions comme attendu",
                "relancez ; si cela recommence, signalez ce défaut du correcteur",
            )
            .detail(crate::check::tell::cut(&outcome.output, 400)));
        }
    }
    Ok(values)
}

/// The test file. JSON is YAML: nothing of the student's can change its structure.
fn tests(spec: &Panels, live: &Live, rules: bool, exprs: &[String], seed: u64) -> String {
    let groups: Vec<Value> = (0..scenario::ALL)
        .map(|scenario| {
            let (at, _) = scenario::instant(scenario);
            let control = control(scenario);
            let all = std::iter::once(&control).chain(exprs);
            let tests: Vec<Value> =
                all.map(|expr| json!({"expr": expr, "eval_time": at, "exp_samples": []})).collect();
            json!({"interval": "15s", "input_series": spec.input(live, scenario, seed), "promql_expr_test": tests})
        })
        .collect();
    let rule_files: &[&str] = if rules { &["rules.yml"] } else { &[] };
    json!({"evaluation_interval": "1h", "rule_files": rule_files, "tests": groups}).to_string()
}

/// Reads what the tool got. The first mention of an expression at an instant counts.
pub fn read(output: &str) -> Values {
    let mut values = Values::default();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix("    expr: ") else { continue };
        let Some((expr, rest)) = unquote(rest) else { continue };
        let Some(rest) = rest.strip_prefix(", time: ") else { continue };
        let (time, rest) = rest.split_once(',').unwrap_or((rest, ""));
        let at = span::parse(time).unwrap_or_default().as_secs();
        let Some(scenario) = (0..scenario::ALL).find(|s| scenario::instant(*s).1 == at) else { continue };
        let outcome = match rest.trim_start().strip_prefix("err: ") {
            Some(error) => Err(error.to_owned()),
            None => {
                let expected = lines.next().unwrap_or_default().trim_start();
                let got = lines.next().unwrap_or_default().trim_start();
                match got.strip_prefix("got: ").filter(|_| expected.starts_with("exp:")).and_then(samples) {
                    Some(samples) => Ok(samples),
                    None => continue,
                }
            }
        };
        values.each.entry((expr, scenario)).or_insert(outcome);
    }
    values
}

/// `{a="b"} 1E+00, {} NaN`, or `nil`.
fn samples(text: &str) -> Option<Vec<(Labels, f64)>> {
    let mut rest = text.trim();
    let mut found = Vec::new();
    if rest == "nil" {
        return Some(found);
    }
    loop {
        let open = rest.find('{')?;
        let mut labels = Labels::new();
        if open > 0 {
            labels.insert("__name__".into(), rest[..open].to_owned());
        }
        rest = &rest[open + 1..];
        while !rest.starts_with('}') {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = unquote(after)?;
            labels.insert(name.trim_matches(['"', ' ']).to_owned(), value);
            rest = after.strip_prefix(", ").unwrap_or(after);
        }
        rest = rest[1..].trim_start();
        let end = rest.find(", ").unwrap_or(rest.len());
        found.push((labels, number(rest[..end].trim())?));
        rest = &rest[end..];
        match rest.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return Some(found),
        }
    }
}

/// Reads a string quoted as Go does, at the beginning of a text; gives it and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut out: Vec<u8> = Vec::new();
    let mut rest = inner;
    loop {
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => return Some((String::from_utf8_lossy(&out).into_owned(), rest)),
            '\\' => {
                let kind = rest.chars().next()?;
                rest = &rest[kind.len_utf8()..];
                let digits = match kind {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                if digits > 0 {
                    let code = u32::from_str_radix(rest.get(..digits)?, 16).ok()?;
                    rest = &rest[digits..];
                    match u8::try_from(code) {
                        Ok(byte) if kind == 'x' => out.push(byte),
                        _ => push(&mut out, char::from_u32(code)?),
                    }
                    continue;
                }
                push(
                    &mut out,
                    match kind {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'a' => '\u{7}',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'v' => '\u{b}',
                        other => other,
                    },
                );
            }
            other => push(&mut out, other),
        }
    }
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Written by promtool 2.53.3.
    const SAID: &str = r#"Unit Testing:  t.yml
  FAILED:
    expr: "vector(42.5)", time: 1d2h7s,
        exp: nil
        got: {} 4.25E+01

    expr: "rate(a[5m])\n/ 2 # \"c\"", time: 1d2h8s,
        exp: nil
        got: {endpoint="/nou\"v, elle", job="a"} 4.110000000001552E+00, {endpoint="/x"} NaN

    expr: "app", time: 1d2h7s,
        exp: nil
        got: {__name__="app", le="+Inf"} +Inf

    expr: "foo(", time: 1d2h7s, err: 1:5: parse error: unclosed left parenthesis

    expr: "vector(42.5)", time: 1d2h7s,
        exp: nil
        got: {} 1E+00
"#;

    #[test]
    fn the_words_of_the_tool() {
        let values = read(SAID);
        assert_eq!(values.of("vector(42.5)", 0), Ok(vec![(Labels::new(), 42.5)]));
        let rates = values.of("rate(a[5m])\n/ 2 # \"c\"", 1).expect("values");
        assert_eq!(rates[0].0["endpoint"], "/nou\"v, elle");
        assert!(rates[1].1.is_nan());
        assert!(values.of("app", 0).expect("values")[0].1.is_infinite());
        assert!(values.of("foo(", 0).is_err_and(|e| e.contains("unclosed")));
        assert_eq!(values.of("never asked", 0), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(    expr: \"[a\\\\\"n,x]{0,6}\", time: 1d2h7s,\n exp: nil\n got: .{0,30}\n)?.{0,60}") {
            let _ = read(&text);
        }
    }
}
