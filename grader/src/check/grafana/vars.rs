//! Variables of a dashboard, and the ones that Grafana makes itself, replaced in an expression.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::DataSource;
use super::dashboard::{Source, by_name};
use crate::check::prom::span;

/// The time range that panels are asked for.
pub const RANGE: Duration = Duration::from_secs(15 * 60);
/// The step between their points.
pub const STEP: Duration = Duration::from_secs(15);
/// What Grafana calls `$__rate_interval`: four scrapes, at least.
const RATE: Duration = Duration::from_secs(60);
/// Any value that is not empty.
const ANY: &str = ".+";

/// A variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Var {
    /// `query`, `datasource`, `interval`, `custom`, `constant`, `textbox`…
    pub kind: String,
    /// What fills its list: `label_values(…)`, `1m,5m`, `prometheus`…
    pub query: String,
    /// Values chosen when the dashboard was saved.
    pub current: Vec<String>,
    /// What « All » stands for, when it is written.
    pub all_value: String,
    /// Whether « All » is offered.
    pub include_all: bool,
}

/// The variables of a dashboard by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vars(pub BTreeMap<String, Var>);

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => vec![text.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        Some(Value::Number(number)) => vec![number.to_string()],
        _ => Vec::new(),
    }
}

impl Vars {
    /// Reads `templating.list`.
    pub fn read(dashboard: &Value) -> Self {
        let list = dashboard.pointer("/templating/list").and_then(Value::as_array).into_iter().flatten();
        let read = |one: &Value| {
            let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let query = match one.get("query") {
                Some(Value::String(query)) => query.clone(),
                Some(object) => object.get("query").and_then(Value::as_str).unwrap_or_default().to_owned(),
                None => String::new(),
            };
            let var = Var {
                kind: text("type"),
                query: if query.is_empty() { text("definition") } else { query },
                current: strings(one.pointer("/current/value")),
                all_value: text("allValue"),
                include_all: one.get("includeAll") == Some(&Value::Bool(true)),
            };
            (text("name"), var)
        };
        Self(list.map(read).filter(|(name, _)| !name.is_empty()).collect())
    }

    /// Names of the variables whose list comes from `label_values(…)`, with the selector (empty
    /// for all series) and the label.
    pub fn label_queries(&self) -> Vec<(String, String, String)> {
        let query = |(name, var): (&String, &Var)| {
            let inner = var.query.trim().strip_prefix("label_values(")?.strip_suffix(')')?;
            let (selector, label) = match inner.rfind(',') {
                Some(at) if inner[at..].find(['}', '"']).is_none() => (&inner[..at], &inner[at + 1..]),
                _ => ("", inner),
            };
            (var.kind == "query").then(|| (name.clone(), selector.trim().to_owned(), label.trim().to_owned()))
        };
        self.0.iter().filter_map(query).collect()
    }

    /// As Grafana does when a dashboard opens: a choice that is no longer in the list becomes
    /// « All » when that is offered, else the first of the list.
    pub fn refresh(&mut self, name: &str, values: &[String]) {
        let Some(var) = self.0.get_mut(name) else { return };
        let kept = var.current.iter().any(|c| c == "$__all" || values.contains(c));
        if !kept {
            var.current = if var.include_all {
                vec!["$__all".into()]
            } else {
                values.first().cloned().into_iter().collect()
            };
        }
    }

    /// The uid of the data source that a text such as `${ds}` stands for.
    pub fn data_source(&self, written: &str, sources: &[DataSource]) -> Option<String> {
        let name = written.trim_start_matches("${").trim_start_matches('$').trim_end_matches('}');
        let name = name.trim_start_matches("[[").trim_end_matches("]]").split(':').next()?;
        let var = self.0.get(name)?;
        if let Some(Source::Known(uid)) = var.current.first().map(|c| by_name(c, sources)) {
            return Some(uid);
        }
        if var.kind != "datasource" {
            return None;
        }
        let of_kind = sources.iter().filter(|s| s.kind == var.query);
        let best = of_kind.clone().find(|s| s.is_default).or_else(|| of_kind.clone().next());
        best.map(|s| s.uid.clone())
    }

    /// The text of a variable in an expression; `format` is what follows the colon.
    fn value(&self, name: &str, format: &str, depth: usize) -> Option<String> {
        let millis = |d: Duration| d.as_millis().to_string();
        let own = match name {
            "__interval" => Some(span::write(STEP)),
            "__interval_ms" => Some(millis(STEP)),
            "__range" => Some(format!("{}s", RANGE.as_secs())),
            "__range_s" => Some(RANGE.as_secs().to_string()),
            "__range_ms" => Some(millis(RANGE)),
            "__rate_interval" => Some(span::write(RATE)),
            "__rate_interval_ms" => Some(millis(RATE)),
            _ => None,
        };
        if own.is_some() {
            return own;
        }
        let var = self.0.get(name)?;
        let all = |var: &Var| if var.all_value.is_empty() { ANY.to_owned() } else { var.all_value.clone() };
        let chosen: Vec<String> = match var.current.as_slice() {
            [] => match var.kind.as_str() {
                "interval" | "custom" | "constant" | "textbox" => {
                    let first = var.query.split(',').next().unwrap_or_default().trim();
                    let first = first.rsplit(" : ").next().unwrap_or(first);
                    vec![first.trim().to_owned()]
                }
                _ => return Some(all(var)),
            },
            some if some.iter().any(|c| c == "$__all") => return Some(all(var)),
            some => some
                .iter()
                .map(|c| if c.starts_with("$__auto_interval") { span::write(RATE) } else { c.clone() })
                .collect(),
        };
        let chosen: Vec<String> =
            if depth > 3 { chosen } else { chosen.iter().map(|c| self.fill_in(c, depth + 1)).collect() };
        Some(match (chosen.as_slice(), format) {
            ([one], "regex") => escape(one),
            ([one], _) => one.clone(),
            (many, "csv") => many.join(","),
            (many, "pipe") => many.join("|"),
            (many, _) => format!("({})", many.iter().map(|v| escape(v)).collect::<Vec<_>>().join("|")),
        })
    }

    /// The expression that Prometheus is asked: `$name`, `${name}`, `${name:format}`, `[[name]]`
    /// replaced. What names no variable is left as it is, as Grafana does.
    pub fn fill(&self, expr: &str) -> String {
        self.fill_in(expr, 0)
    }

    fn fill_in(&self, expr: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = expr;
        while let Some(at) = rest.find(['$', '[']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let (name, format, length) = written(rest);
            match self.value(name, format, depth) {
                Some(value) if length > 0 => {
                    out.push_str(&value);
                    rest = &rest[length..];
                }
                _ => {
                    out.push_str(&rest[..1]);
                    rest = &rest[1..];
                }
            }
        }
        out + rest
    }
}

/// Reads a variable at the beginning of a text: name, format, bytes; zero bytes when there is none.
fn written(text: &str) -> (&str, &str, usize) {
    let braced = [("${", "}"), ("[[", "]]")].into_iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(open)?;
        let end = inner.find(close)?;
        let (name, format) = inner[..end].split_once(':').unwrap_or((&inner[..end], ""));
        let name = name.split('.').next().unwrap_or(name);
        Some((name, format, open.len() + end + close.len()))
    });
    if let Some(found) = braced {
        return found;
    }
    let Some(inner) = text.strip_prefix('$') else { return ("", "", 0) };
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    (&inner[..end], "", if end == 0 { 0 } else { end + 1 })
}

/// Escapes what a regular expression would read otherwise, twice: it stands inside a string.
fn escape(text: &str) -> String {
    let special = |c: char| "\\^$.*+?()[]{}|".contains(c);
    text.chars().flat_map(|c| if special(c) { vec!['\\', '\\', c] } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn vars() -> Vars {
        Vars::read(&json!({"templating": {"list": [
            {"name": "job", "type": "query", "query": {"query": "label_values(up, job)"}, "current": {"value": "express-api"}},
            {"name": "ep", "type": "query", "query": "label_values(app_requests_total{job=\"a\"}, endpoint)",
             "includeAll": true, "current": {"value": ["$__all"]}},
            {"name": "many", "type": "query", "query": "label_values(endpoint)", "current": {"value": ["/a.b", "/c"]}},
            {"name": "empty", "type": "query", "query": "label_values(instance)", "current": {}},
            {"name": "win", "type": "interval", "query": "5m,10m", "current": {}},
            {"name": "q", "type": "custom", "query": "p95 : 0.95, p99 : 0.99"},
            {"name": "indirect", "type": "custom", "current": {"value": "$win"}}
        ]}}))
    }

    #[test]
    fn every_form() {
        let vars = vars();
        let cases = [
            ("rate(a[$__rate_interval])", "rate(a[1m])"),
            ("increase(a[${__range}]) / $__range_s", "increase(a[900s]) / 900"),
            ("a{job=\"$job\"}[$__interval]", "a{job=\"express-api\"}[15s]"),
            ("a{e=~\"$ep\",i=~\"${empty:regex}\"}", "a{e=~\".+\",i=~\".+\"}"),
            ("a{e=~\"[[many]]\"}", "a{e=~\"(/a\\\\.b|/c)\"}"),
            ("a{e=~\"${many:pipe}\"}", "a{e=~\"/a.b|/c\"}"),
            ("rate(a[$win]) > $q", "rate(a[5m]) > 0.95"),
            ("rate(a[$indirect])", "rate(a[5m])"),
            ("a{b=\"$\",c=\"$nope\"}[5m]", "a{b=\"$\",c=\"$nope\"}[5m]"),
        ];
        for (written, wanted) in cases {
            assert_eq!(vars.fill(written), wanted);
        }
    }

    #[test]
    fn lists_are_read_again() {
        let mut vars = vars();
        let queries = vars.label_queries();
        let one = |name: &str| queries.iter().find(|q| q.0 == name).cloned().expect(name);
        assert_eq!(one("ep"), ("ep".into(), "app_requests_total{job=\"a\"}".into(), "endpoint".into()));
        assert_eq!(one("empty"), ("empty".into(), String::new(), "instance".into()));
        vars.refresh("job", &["api".into(), "web".into()]);
        assert_eq!(vars.fill("$job"), "api", "the saved choice is not in the list any more");
        vars.refresh("ep", &["/x".into()]);
        assert_eq!(vars.fill("$ep"), ".+");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,80}") {
            let _ = vars().fill(&text);
        }

        /// An expression without variables is left alone.
        #[test]
        fn plain_text_is_kept(text in "[^$\\[]{0,80}") {
            prop_assert_eq!(vars().fill(&text), text);
        }
    }
}
