//! Compressed time: every duration of a Prometheus configuration divided by one factor.

use std::time::Duration;

use super::super::prom::span;
use super::super::promql;
use super::super::rules::files::Files;
use super::super::yaml::{self, Node};

/// Largest factor used.
pub const FACTOR: u32 = 10;
/// No interval is made shorter than this.
const SHORTEST: Duration = Duration::from_secs(1);

/// Prometheus's own defaults.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_LOOKBACK: Duration = Duration::from_secs(300);

/// Parts that would make a copy speak to others.
const DROPPED: &[&str] = &["alerting", "remote_write", "remote_read", "tracing"];

fn length(node: &Node, key: &str) -> Option<Duration> {
    span::parse(node.get(key)?.text()?)
}

fn shorten(node: &mut Node, key: &str, factor: u32) {
    if let Some(length) = length(node, key) {
        node.set(key, written(length, factor));
    }
}

fn written(length: Duration, factor: u32) -> Node {
    Node::string(span::write(promql::divide(length, factor)))
}

/// Every interval written in the files, and the defaults in force where none is.
fn intervals(files: &Files) -> Vec<Duration> {
    let mut found = Vec::new();
    let tree = |text: &str| yaml::parse(text).unwrap_or(Node::Map(vec![]));
    let config = tree(files.text.as_deref().unwrap_or_default());
    let global = config.get("global");
    for key in ["scrape_interval", "evaluation_interval"] {
        found.push(global.and_then(|g| length(g, key)).unwrap_or(DEFAULT_INTERVAL));
    }
    let more = files.scrapes.iter().flat_map(|n| &n.paths).filter_map(|p| files.texts.get(p));
    for source in std::iter::once(config.clone()).chain(more.map(|t| tree(t))) {
        let jobs = source.get("scrape_configs").map(Node::items).unwrap_or_default();
        found.extend(jobs.iter().filter_map(|job| length(job, "scrape_interval")));
    }
    for text in files.rule_paths().filter_map(|p| files.texts.get(p)) {
        let rules = tree(text);
        let groups = rules.get("groups").map(Node::items).unwrap_or_default();
        found.extend(groups.iter().filter_map(|group| length(group, "interval")));
    }
    found
}

/// The factor for these files: as large as may be without an interval under one second.
pub fn factor(files: &Files) -> u32 {
    let shortest = intervals(files).into_iter().min().unwrap_or(DEFAULT_INTERVAL);
    u32::try_from(shortest.as_millis() / SHORTEST.as_millis()).unwrap_or(FACTOR).clamp(1, FACTOR)
}

/// A configuration with its durations divided, the defaults that count written out.
pub fn config(text: &str, factor: u32) -> Result<String, yaml::Broken> {
    let mut tree = yaml::parse(text)?;
    for key in DROPPED {
        tree.remove(key);
    }
    let mut global = tree.get("global").cloned().unwrap_or(Node::Map(vec![]));
    if global.text().is_some() || !global.items().is_empty() {
        return Err(yaml::Broken { line: global.line(), reason: "global is not a mapping".into() });
    }
    let scrape = length(&global, "scrape_interval").unwrap_or(DEFAULT_INTERVAL);
    let timeout = length(&global, "scrape_timeout").unwrap_or(DEFAULT_TIMEOUT.min(scrape));
    let evaluation = length(&global, "evaluation_interval").unwrap_or(DEFAULT_INTERVAL);
    for (key, value) in
        [("scrape_interval", scrape), ("scrape_timeout", timeout), ("evaluation_interval", evaluation)]
    {
        global.set(key, written(value, factor));
    }
    shorten(&mut global, "rule_query_offset", factor);
    tree.set("global", global);
    jobs(&mut tree, factor);
    Ok(tree.write())
}

fn jobs(tree: &mut Node, factor: u32) {
    let Some(jobs) = tree.get_mut("scrape_configs") else { return };
    for job in jobs.items_mut() {
        for key in ["scrape_interval", "scrape_timeout"] {
            shorten(job, key, factor);
        }
    }
}

/// A file of `scrape_config_files`.
pub fn scrapes(text: &str, factor: u32) -> Result<String, yaml::Broken> {
    let mut tree = yaml::parse(text)?;
    jobs(&mut tree, factor);
    Ok(tree.write())
}

/// A rule file: intervals, `for`, ranges inside the expressions.
pub fn rules(text: &str, factor: u32) -> Result<String, yaml::Broken> {
    let mut tree = yaml::parse(text)?;
    if let Some(groups) = tree.get_mut("groups") {
        for group in groups.items_mut() {
            shorten(group, "interval", factor);
            shorten(group, "query_offset", factor);
            let Some(rules) = group.get_mut("rules") else { continue };
            for rule in rules.items_mut() {
                shorten(rule, "for", factor);
                shorten(rule, "keep_firing_for", factor);
                if let Some(expr) = rule.get("expr").and_then(Node::text) {
                    let expr = promql::compress(expr, factor);
                    rule.set("expr", Node::string(expr));
                }
            }
        }
    }
    Ok(tree.write())
}

/// The look-back of queries, divided; `flag` is the value in force.
pub fn lookback(flag: Option<&str>, factor: u32) -> String {
    let length = flag.and_then(span::parse).unwrap_or(DEFAULT_LOOKBACK);
    span::write(promql::divide(length, factor))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::rules::files::Named;
    use super::*;
    use proptest::prelude::*;

    fn files(config: &str, rules: &str) -> Files {
        let path = "/etc/prometheus/alert.rules.yml".to_owned();
        Files {
            path: "/etc/prometheus/prometheus.yml".into(),
            text: Some(config.into()),
            rules: vec![Named { pattern: "alert.rules.yml".into(), paths: vec![path.clone()] }],
            scrapes: vec![],
            texts: BTreeMap::from([(path, rules.into())]),
        }
    }

    #[test]
    fn defaults_are_written_out_and_divided() {
        let out = config("scrape_configs:\n  - job_name: a\n    scrape_interval: 15s # quinze\n", 10)
            .expect("yaml");
        let tree = yaml::parse(&out).expect("yaml");
        let global = tree.get("global").expect("global");
        for (key, value) in
            [("scrape_interval", "6s"), ("scrape_timeout", "1s"), ("evaluation_interval", "6s")]
        {
            assert_eq!(global.get(key).and_then(Node::text), Some(value), "{key}");
        }
        assert!(out.contains("\"1s500ms\""), "{out}");
        let out = config("global: {scrape_interval: 5s}\nalerting: {}\nremote_write: []\n", 5).expect("yaml");
        assert!(
            out.contains("scrape_interval: \"1s\"") && out.contains("\"scrape_timeout\": \"1s\""),
            "{out}"
        );
        assert!(!out.contains("alerting") && !out.contains("remote"), "{out}");
        assert!(config("global: 3\n", 10).is_err());
        assert!(config("global:\n", 10).is_ok());
    }

    #[test]
    fn rules_are_divided() {
        let text = "groups:\n- name: g\n  interval: 30s\n  rules:\n  - alert: A\n    expr: |\n      rate(x[5m]) > 5\n    for: 1m\n    keep_firing_for: 5m\n    labels: {severity: critical}\n    annotations: {summary: 'for 1m [5m]'}\n";
        let out = rules(text, 10).expect("yaml");
        for part in
            ["interval: \"3s\"", "rate(x[30s]) > 5", "for: \"6s\"", "keep_firing_for: \"30s\"", "for 1m [5m]"]
        {
            assert!(out.contains(part), "{part} not in {out}");
        }
    }

    #[test]
    fn the_factor_keeps_intervals_above_a_second() {
        let of = |c: &str, r: &str| factor(&files(c, r));
        let usual = "global:\n  scrape_interval: 15s\n  evaluation_interval: 15s\n";
        assert_eq!(of(usual, ""), 10);
        assert_eq!(of("global: {scrape_interval: 5s}\n", ""), 5);
        assert_eq!(of("", ""), 10);
        assert_eq!(of(usual, "groups: [{name: g, interval: 2s}]"), 2);
        assert_eq!(of("global: {scrape_interval: 200ms}\n", ""), 1);
    }

    proptest! {
        /// Dividing by one changes no duration, and twice by 2 is once by 4.
        #[test]
        fn factors_compose(seconds in 4u64..10_000, hold in 1u64..10_000) {
            let text = format!("groups: [{{name: g, interval: {}s, rules: [{{alert: A, expr: 'x[{}s]', for: {}s}}]}}]", seconds * 4, seconds * 4, hold * 4);
            let once = rules(&text, 4).expect("yaml");
            let twice = rules(&rules(&text, 2).expect("yaml"), 2).expect("yaml");
            prop_assert_eq!(&once, &twice);
            let same = rules(&text, 1).expect("yaml");
            let whole = span::write(Duration::from_secs(hold * 4));
            prop_assert!(same.contains(&whole), "{} not in {}", whole, same);
        }
    }
}
