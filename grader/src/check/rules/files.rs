//! The configuration of a running Prometheus: its file, the rule files that it names, as its own
//! container sees them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::prom::{Flags, Prom, span};
use super::super::world::World;
use super::super::yaml::{self, Node};
use super::super::{Cx, kit};
use crate::error::Fault;
use crate::event::{Mark, Place};

/// Files read in all, at most.
const MAX_FILES: usize = 60;

/// A pattern of `rule_files` or `scrape_config_files` and the files that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As written.
    pub pattern: String,
    /// Absolute paths; none when nothing matches.
    pub paths: Vec<String>,
}

/// The files of a Prometheus.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Files {
    /// Absolute path of the configuration.
    pub path: String,
    /// Its text; `None` when it could not be read.
    pub text: Option<String>,
    /// `rule_files`.
    pub rules: Vec<Named>,
    /// `scrape_config_files`.
    pub scrapes: Vec<Named>,
    /// Text of each file that was found, by absolute path.
    pub texts: BTreeMap<String, String>,
}

impl Files {
    /// Paths of the rule files found.
    pub fn rule_paths(&self) -> impl Iterator<Item = &String> {
        self.rules.iter().flat_map(|n| &n.paths)
    }

    /// Where an alert is declared. Several rules may have its name: the one that waits `hold` is preferred.
    pub fn alert(&self, name: &str, hold: Option<Duration>) -> Option<Declared> {
        let all = self.rule_paths().filter_map(|path| Some(declared(path, self.texts.get(path)?, name)));
        let mut all: Vec<Declared> = all.flatten().collect();
        let at = all.iter().position(|d| Some(d.hold) == hold).unwrap_or(0);
        (at < all.len()).then(|| all.swap_remove(at))
    }
}

/// Names of the alerts that a rule file declares.
pub fn alerts_of(text: &str) -> Vec<String> {
    let Ok(tree) = yaml::parse(text) else { return Vec::new() };
    let groups = tree.get("groups").map(Node::items).unwrap_or_default();
    let rules = groups.iter().flat_map(|g| g.get("rules").map(Node::items).unwrap_or_default());
    rules.filter_map(|r| r.get("alert").and_then(Node::text)).map(str::to_owned).collect()
}

/// Where an alert is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Absolute path in the container.
    pub path: String,
    /// Lines (from 1) of its keys: `alert`, `expr`, `for`, …
    pub lines: BTreeMap<String, usize>,
    /// Its `for`.
    pub hold: Duration,
}

/// Finds the rules of an alert in the text of a rule file.
pub fn declared(path: &str, text: &str, name: &str) -> Vec<Declared> {
    let Ok(tree) = yaml::parse(text) else { return Vec::new() };
    let groups = tree.get("groups").map(Node::items).unwrap_or_default();
    let rules = groups.iter().flat_map(|g| g.get("rules").map(Node::items).unwrap_or_default());
    let named = rules.filter(|r| r.get("alert").and_then(Node::text) == Some(name));
    let told = named.filter_map(|rule| {
        let Node::Map(pairs) = rule else { return None };
        let lines = pairs.iter().filter_map(|(key, _)| Some((key.text()?.to_owned(), key.line()))).collect();
        let hold = rule.get("for").and_then(Node::text).and_then(span::parse).unwrap_or_default();
        Some(Declared { path: path.to_owned(), lines, hold })
    });
    told.collect()
}

/// Flags and files of a service's Prometheus, read once.
pub async fn known(
    cx: &Cx<'_>,
    service: &str,
    port: u16,
) -> Result<Arc<Result<(Files, Flags), String>>, Fault> {
    let read = async {
        let Some(prom) = Prom::of(cx.world, service, port, Duration::from_secs(5)).await? else {
            return Ok(Err(format!("« {service} » n'est pas en marche")));
        };
        if let Err(trouble) = prom.ready(Duration::from_secs(20)).await? {
            return Ok(Err(trouble.told()));
        }
        match prom.flags().await? {
            Ok(flags) => Ok(Ok((read(cx.world, service, &flags).await?, flags))),
            Err(trouble) => Ok(Err(trouble.told())),
        }
    };
    cx.memo.once(&format!("rule-files:{service}:{port}"), Box::pin(read)).await
}

/// Reads the files of the running Prometheus of a service.
pub async fn read(world: &dyn World, service: &str, flags: &Flags) -> Result<Files, Fault> {
    let working_dir = kit::running(world, service).await?.into_iter().next().map(|i| i.working_dir);
    let flag = flags.get("config.file").map_or("prometheus.yml", String::as_str);
    let base = working_dir.filter(|d| !d.is_empty()).unwrap_or_else(|| "/".to_owned());
    read_at(world, service, &absolute(&base, flag)).await
}

/// Reads the configuration at this absolute path and what it names.
pub async fn read_at(world: &dyn World, service: &str, path: &str) -> Result<Files, Fault> {
    let mut files = Files { path: path.to_owned(), ..Files::default() };
    files.text = world.read_inside(service, path).await?;
    let Some(tree) = files.text.as_deref().and_then(|t| yaml::parse(t).ok()) else { return Ok(files) };
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
    for (key, into) in [("rule_files", &mut files.rules), ("scrape_config_files", &mut files.scrapes)] {
        for pattern in tree.get(key).map(Node::items).unwrap_or_default().iter().filter_map(Node::text) {
            let paths = expand(world, service, &absolute(&dir, pattern)).await?;
            into.push(Named { pattern: pattern.to_owned(), paths });
        }
    }
    for path in files.rules.iter().chain(&files.scrapes).flat_map(|n| n.paths.clone()).take(MAX_FILES) {
        if let Some(text) = world.read_inside(service, &path).await? {
            files.texts.insert(path, text);
        }
    }
    // A pattern without a wildcard names a file whether it exists or not.
    let texts = &files.texts;
    for named in files.rules.iter_mut().chain(&mut files.scrapes) {
        named.paths.retain(|p| texts.contains_key(p));
    }
    Ok(files)
}

/// A path taken from a directory, `.` and `..` undone.
pub fn absolute(dir: &str, path: &str) -> String {
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{dir}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Files that a pattern may name, without looking whether a plain name exists.
async fn expand(world: &dyn World, service: &str, pattern: &str) -> Result<Vec<String>, Fault> {
    let mut paths = vec![String::new()];
    for part in pattern.split('/').filter(|p| !p.is_empty()) {
        let mut next = Vec::new();
        for path in paths {
            if !part.contains(['*', '?', '[', '\\']) {
                next.push(format!("{path}/{part}"));
                continue;
            }
            let dir = if path.is_empty() { "/" } else { path.as_str() };
            let names = world.list_inside(service, dir).await?.unwrap_or_default();
            next.extend(names.iter().filter(|n| glob(part, n)).map(|n| format!("{path}/{n}")));
            next.truncate(MAX_FILES);
        }
        paths = next;
    }
    Ok(paths)
}

/// One path element against a pattern of Go's `filepath.Match`.
fn glob(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars();
    let mut name_chars = name.chars();
    loop {
        match pattern.next() {
            None => return name_chars.next().is_none(),
            Some('*') => {
                let rest: String = pattern.collect();
                let tail: String = name_chars.collect();
                let cuts = tail.char_indices().map(|(i, _)| i).chain([tail.len()]);
                return cuts.into_iter().any(|at| glob(&rest, &tail[at..]));
            }
            Some('?') => {
                if name_chars.next().is_none() {
                    return false;
                }
            }
            Some('[') => {
                let Some(c) = name_chars.next() else { return false };
                let set: String = pattern.by_ref().take_while(|c| *c != ']').collect();
                if !in_set(&set, c) {
                    return false;
                }
            }
            Some('\\') => {
                if pattern.next() != name_chars.next() {
                    return false;
                }
            }
            Some(c) => {
                if name_chars.next() != Some(c) {
                    return false;
                }
            }
        }
    }
}

fn in_set(set: &str, c: char) -> bool {
    let (negated, set) = set.strip_prefix('^').map_or((false, set), |rest| (true, rest));
    let chars: Vec<char> = set.chars().collect();
    let mut index = 0;
    let mut found = false;
    while index < chars.len() {
        if chars.get(index + 1) == Some(&'-') && index + 2 < chars.len() {
            found |= (chars[index]..=chars[index + 2]).contains(&c);
            index += 3;
        } else {
            found |= chars[index] == c;
            index += 1;
        }
    }
    found != negated
}

/// The file of the submission that is, in all likelihood, this file of the container: same content,
/// else same name.
pub fn submitted(world: &dyn World, path: &str, text: Option<&str>) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let dirs = ["prometheus", "", "prometheus/rules", "monitoring", "config", "conf", "supervision", "prom"];
    let candidates: Vec<String> = dirs.iter().map(|dir| super::super::http::join(dir, name)).collect();
    let same = text.and_then(|text| candidates.iter().find(|c| world.read(c).as_deref() == Some(text)));
    same.or_else(|| candidates.iter().find(|c| world.read(c).is_some())).cloned()
}

/// Position of a key of an alert in the submission.
pub fn place(world: &dyn World, files: &Files, alert: &str, key: &str, label: &str) -> Option<Place> {
    place_of(world, files, (alert, None), key, label)
}

/// The same, for the rule of that name that waits that long.
pub fn place_of(
    world: &dyn World,
    files: &Files,
    (alert, hold): (&str, Option<Duration>),
    key: &str,
    label: &str,
) -> Option<Place> {
    let declared = files.alert(alert, hold)?;
    let text = files.texts.get(&declared.path)?;
    let line = *declared.lines.get(key).or_else(|| declared.lines.get("alert"))?;
    let shown = text.lines().nth(line.checked_sub(1)?)?.trim_end();
    let file = submitted(world, &declared.path, Some(text))?;
    Some(line_place(file, line, shown, label))
}

/// Position of a whole line, without its indent.
pub fn line_place(file: String, line: usize, shown: &str, label: &str) -> Place {
    let shown: String = shown.trim_end().chars().take(200).collect();
    let start = shown.chars().take_while(|c| c.is_whitespace() || *c == '-').count();
    let width = shown.chars().count().saturating_sub(start).max(1);
    let mark = Mark { line, column: start + 1, width, text: shown, label: label.to_owned() };
    Place { file, mark, also: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths() {
        assert_eq!(absolute("/etc/prometheus", "rules/a.yml"), "/etc/prometheus/rules/a.yml");
        assert_eq!(absolute("/etc/prometheus", "../x/./a.yml"), "/etc/x/a.yml");
        assert_eq!(absolute("/etc/prometheus", "/rules/a.yml"), "/rules/a.yml");
        assert_eq!(absolute("/", "prometheus.yml"), "/prometheus.yml");
    }

    #[test]
    fn patterns() {
        for (pattern, name, good) in [
            ("*.yml", "alert.rules.yml", true),
            ("*.rules.y*ml", "alert.rules.yaml", true),
            ("alert?.yml", "alert1.yml", true),
            ("alert[0-9].yml", "alert7.yml", true),
            ("alert[^0-9].yml", "alert7.yml", false),
            ("*.yml", "a.yaml", false),
            ("*", "", true),
            ("a\\*", "a*", true),
            ("é*", "été", true),
        ] {
            assert_eq!(glob(pattern, name), good, "{pattern} {name}");
        }
    }

    #[test]
    fn alerts_are_found_where_they_are_written() {
        let text = "groups:\n  - name: g\n    rules:\n      - record: x\n        expr: up\n      - alert: A\n        expr: up == 0\n        for: 1m\n";
        let found = declared("/r.yml", text, "A").pop().expect("an alert");
        assert_eq!(found.lines["alert"], 6);
        assert_eq!(found.lines["for"], 8);
        assert_eq!(alerts_of(text), ["A"]);
        assert_eq!(declared("/r.yml", text, "B"), []);
    }

    #[test]
    fn rules_of_one_name_are_told_by_their_wait() {
        let text = "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: up == 0\n        for: 60s\n      - alert: A\n        expr: up == 0\n        for: 15s\n";
        let files = Files {
            rules: vec![Named { pattern: "r.yml".into(), paths: vec!["/r.yml".into()] }],
            texts: BTreeMap::from([("/r.yml".to_owned(), text.to_owned())]),
            ..Files::default()
        };
        let line =
            |hold: Option<u64>| files.alert("A", hold.map(Duration::from_secs)).map(|d| d.lines["for"]);
        assert_eq!(
            [line(None), line(Some(60)), line(Some(15)), line(Some(5))],
            [Some(6), Some(6), Some(9), Some(6)]
        );
        assert_eq!(files.alert("B", None), None);
    }

    proptest! {
        #[test]
        fn globs_never_panic(pattern in "[a-c*?\\[\\]\\\\^-]{0,8}", name in "[a-cé]{0,8}") {
            let _ = glob(&pattern, &name);
        }
    }
}
