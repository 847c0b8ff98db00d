//! The `filters` of a query: the student's own, in the names in force, and ours on top.

use super::answer::Refusal;
use super::names::{PROJECT, SERVICE};
use crate::wire::EngineView;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is asked of the engine, and what is left to do here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// For the engine: each key with its values.
    pub forced: BTreeMap<String, Vec<String>>,
    /// Patterns of names, matched here against the names shown.
    pub names: Vec<String>,
    /// Whether nothing can match.
    pub nothing: bool,
}

/// Which list is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// `/containers/json`
    Containers,
    /// `/events`
    Events,
    /// `/networks`
    Networks,
    /// `/images/json`
    Images,
}

impl Of {
    /// Keys that mean the same on names in force.
    fn kept(self) -> &'static [&'static str] {
        match self {
            Self::Containers => &["id", "status", "health", "exited", "expose", "publish", "is-task"],
            Self::Events => &["event", "type", "scope", "daemon", "network", "volume"],
            Self::Networks => &["id", "driver", "scope", "type", "dangling"],
            Self::Images => &["dangling"],
        }
    }
}

impl Filters {
    /// Reads the student's filters and adds ours.
    ///
    /// # Errors
    /// 400 for what is not filters, and for filters that have no safe meaning here.
    pub fn read(of: Of, text: Option<&String>, view: &EngineView) -> Result<Self, Refusal> {
        let mut out = Self::default();
        for (key, values) in parse(text.map_or("", String::as_str))? {
            match key.as_str() {
                "label" => out.labels(values, view),
                "name" if of != Of::Events => {
                    if values.iter().any(|value| pattern(value).is_none()) {
                        let message = "this filtered engine knows no regular expression in the filter « name »";
                        return Err(Refusal::new(400, message));
                    }
                    out.names = values;
                }
                "network" | "volume" if of == Of::Containers => {
                    let table = if key == "network" { &view.networks } else { &view.volumes };
                    out.forced.insert(key, values.iter().map(|value| in_force(table, value)).collect());
                }
                "ancestor" | "image" if matches!(of, Of::Containers | Of::Events) => {
                    out.forced.insert(key, values.iter().map(|value| in_force(&view.images, value)).collect());
                }
                // Resolved by the caller, who knows the containers.
                "container" if of == Of::Events => {
                    out.forced.insert(key, values);
                }
                _ if of.kept().contains(&key.as_str()) => {
                    out.forced.insert(key, values);
                }
                _ => return Err(Refusal::new(400, &format!("invalid filter '{key}' on this filtered engine"))),
            }
        }
        if of != Of::Images {
            let label = format!("{PROJECT}={}", view.project);
            out.forced.entry("label".to_owned()).or_default().push(label);
        }
        Ok(out)
    }

    fn labels(&mut self, values: Vec<String>, view: &EngineView) {
        let mut kept = Vec::new();
        for value in values {
            let (key, wanted) = value.split_once('=').map_or((value.as_str(), None), |(key, value)| (key, Some(value)));
            if key == PROJECT {
                // Ours is forced anyway; another project has nothing here.
                self.nothing |= wanted.is_some_and(|wanted| wanted != view.shown_project);
            } else if view.hidden_labels.iter().any(|hidden| key.starts_with(hidden.as_str()))
                || key.starts_with("com.docker.compose.project.")
                || (key == SERVICE && wanted.is_some_and(|service| view.hidden_services.contains(service)))
            {
                self.nothing = true;
            } else {
                kept.push(value);
            }
        }
        self.forced.entry("label".to_owned()).or_default().extend(kept);
    }

    /// As a value of a query.
    #[must_use]
    pub fn query(&self) -> String {
        super::request::encode(&json!(self.forced).to_string())
    }

    /// Whether an object with these names, as shown, passes.
    #[must_use]
    pub fn passes(&self, names: &[String]) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|filter| pattern(filter).is_some_and(|pattern| names.iter().any(|name| pattern.matches(name))))
    }
}

fn in_force(table: &BTreeMap<String, String>, shown: &str) -> String {
    let found = table.iter().find(|(_, name)| name.as_str() == shown);
    found.map_or_else(|| shown.to_owned(), |(real, _)| real.clone())
}

/// `{"label":["a"]}`, or the older `{"label":{"a":true}}`.
fn parse(text: &str) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let bad = || Refusal::new(400, "invalid filter");
    let Ok(Value::Object(members)) = serde_json::from_str(text) else { return Err(bad()) };
    let mut out = BTreeMap::new();
    for (key, value) in members {
        let values: Option<Vec<String>> = match value {
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Value::Object(flags) => {
                Some(flags.iter().filter(|(_, on)| **on == Value::Bool(true)).map(|(key, _)| key.clone()).collect())
            }
            _ => None,
        };
        out.insert(key, values.filter(|values| values.len() <= 64).ok_or_else(bad)?);
    }
    Ok(out)
}

/// A name, whole or in part: what is left of the engine's regular expressions.
struct Pattern {
    begins: bool,
    ends: bool,
    text: String,
}

/// `^/?lab-api-1$`, `api`…; nothing when it is a true regular expression.
fn pattern(filter: &str) -> Option<Pattern> {
    let (begins, rest) = filter.strip_prefix('^').map_or((false, filter), |rest| (true, rest));
    let (ends, rest) = rest.strip_suffix('$').map_or((false, rest), |rest| (true, rest));
    let rest = rest.strip_prefix("/?").or_else(|| rest.strip_prefix('/')).unwrap_or(rest);
    let text = rest.replace("\\.", ".").replace("\\-", "-");
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    plain.then_some(Pattern { begins, ends, text })
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        let name = name.trim_start_matches('/');
        match (self.begins, self.ends) {
            (true, true) => name == self.text,
            (true, false) => name.starts_with(&self.text),
            (false, true) => name.ends_with(&self.text),
            (false, false) => name.contains(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::view;

    fn read(of: Of, text: &str) -> Result<Filters, Refusal> {
        Filters::read(of, Some(&text.to_owned()), &view())
    }

    #[test]
    fn ours_is_always_there() {
        let ours = "com.docker.compose.project=tp0a";
        for of in [Of::Containers, Of::Events, Of::Networks] {
            for text in ["", "{}", r#"{"label":["a=b"]}"#, r#"{"label":{"a=b":true}}"#] {
                let filters = read(of, text).expect(text);
                assert!(filters.forced["label"].contains(&ours.to_owned()), "{of:?} {text}");
                assert!(filters.query().contains("com.docker.compose.project%3Dtp0a"), "{of:?} {text}");
            }
        }
        let own = read(Of::Containers, r#"{"label":["a=b"],"status":["running"]}"#).expect("filters");
        assert_eq!(own.forced["label"], ["a=b", ours]);
        assert_eq!(own.forced["status"], ["running"]);
    }

    #[test]
    fn the_shown_names_become_those_in_force() {
        let text = r#"{"label":["com.docker.compose.project=lab"],"network":["frontal"],"ancestor":["lab-api"],"volume":["lab_pg","x"]}"#;
        let filters = read(Of::Containers, text).expect("filters");
        assert!(!filters.nothing);
        assert_eq!(filters.forced["network"], ["tp0a_frontend"]);
        assert_eq!(filters.forced["ancestor"], ["tp-run-0/s-api:copie"]);
        assert_eq!(filters.forced["volume"], ["tp0a_pg", "x"]);
    }

    #[test]
    fn other_projects_and_our_labels_match_nothing() {
        for label in [
            "com.docker.compose.project=other",
            "com.docker.compose.project=tp0a",
            "tp-docker.session",
            "tp-docker.session=0",
            "com.docker.compose.service=tp-relay-postgres",
            "com.docker.compose.project.working_dir=/x",
        ] {
            let filters = read(Of::Containers, &json!({"label": [label]}).to_string()).expect(label);
            assert!(filters.nothing, "{label}");
        }
    }

    #[test]
    fn what_has_no_safe_meaning_is_an_error() {
        for text in [
            "[]",
            "x",
            r#"{"label":1}"#,
            r#"{"before":["x"]}"#,
            r#"{"since":["x"]}"#,
            r#"{"new":["x"]}"#,
            r#"{"name":["a|b"]}"#,
        ] {
            assert_eq!(read(Of::Containers, text).expect_err(text).status, 400, "{text}");
        }
    }

    #[test]
    fn names_are_those_shown() {
        let passes = |filter: &str, name: &str| {
            read(Of::Containers, &json!({"name": [filter]}).to_string()).expect(filter).passes(&[name.to_owned()])
        };
        assert!(passes("api", "/lab-api-1") && passes("^/lab-api-1$", "/lab-api-1"));
        assert!(passes("^lab", "/lab-api-1") && passes("-1$", "/lab-api-1") && passes("^/?lab-", "/lab-api-1"));
        assert!(!passes("tp0a", "/lab-api-1") && !passes("^api", "/lab-api-1"));
    }
}
