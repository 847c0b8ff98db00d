//! Expressions of the rules, recorded series followed.

use super::super::promql;
use super::super::yaml::{self, Node};
use super::files::Files;

/// Expressions of an alert and of all the recorded series that it uses, directly or not.
pub fn expressions(files: &Files, alert: &str) -> Vec<String> {
    let mut all: Vec<(bool, String, String)> = Vec::new();
    for text in files.rule_paths().filter_map(|p| files.texts.get(p)) {
        let Ok(tree) = yaml::parse(text) else { continue };
        for group in tree.get("groups").map(Node::items).unwrap_or_default() {
            for rule in group.get("rules").map(Node::items).unwrap_or_default() {
                let get = |key: &str| rule.get(key).and_then(Node::text).map(str::to_owned);
                let Some(expr) = get("expr") else { continue };
                all.extend(get("alert").map(|name| (true, name, expr.clone())));
                all.extend(get("record").map(|name| (false, name, expr)));
            }
        }
    }
    let mut found: Vec<String> = Vec::new();
    let mut wanted = vec![(true, alert.to_owned())];
    let mut next = 0;
    while let Some((is_alert, name)) = wanted.get(next).cloned() {
        next += 1;
        for (_, _, expr) in all.iter().filter(|(a, n, _)| *a == is_alert && *n == name) {
            found.push(expr.clone());
            for selector in promql::selectors(expr) {
                let used = selector.metric.map(|metric| (false, metric));
                wanted.extend(used.filter(|u| !wanted.contains(u)));
            }
        }
    }
    found
}

/// Names of the recorded series.
pub fn recorded(files: &Files) -> Vec<String> {
    let mut names = Vec::new();
    for text in files.rule_paths().filter_map(|p| files.texts.get(p)) {
        let Ok(tree) = yaml::parse(text) else { continue };
        for group in tree.get("groups").map(Node::items).unwrap_or_default() {
            let rules = group.get("rules").map(Node::items).unwrap_or_default();
            names
                .extend(rules.iter().filter_map(|r| r.get("record").and_then(Node::text)).map(str::to_owned));
        }
    }
    names
}

/// What keeps an alert from meaning the same in compressed time, if anything does.
pub fn unfaithful(files: &Files, alert: &str) -> Option<String> {
    expressions(files, alert).iter().find_map(|expr| promql::absolute(expr))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::files::Named;
    use super::*;

    #[test]
    fn recorded_series_are_followed() {
        let text = "groups:\n- name: g\n  rules:\n  - record: a:b\n    expr: rate(x[5m])\n  - record: other\n    expr: time()\n  - alert: A\n    expr: a:b > 1\n  - alert: B\n    expr: time() - x > 60\n";
        let files = {
            let path = "/etc/prometheus/alert.rules.yml".to_owned();
            Files {
                rules: vec![Named { pattern: "alert.rules.yml".into(), paths: vec![path.clone()] }],
                texts: BTreeMap::from([(path, text.into())]),
                ..Files::default()
            }
        };
        assert_eq!(expressions(&files, "A"), ["a:b > 1", "rate(x[5m])"]);
        assert_eq!(unfaithful(&files, "A"), None);
        assert_eq!(unfaithful(&files, "B").as_deref(), Some("time()"));
    }
}
