//! A known program that is lent the counters of the machine runs as it is: nobody else's program
//! may run in its container.

use std::path::Path;

use serde_json::Value;

use super::Judge;
use crate::compose::gate::clean;
use crate::compose::grants;
use crate::compose::model::{entries, plain, scalar, texts};

/// Where programs and their libraries are.
const PROGRAMS: [&str; 5] = ["/bin", "/sbin", "/usr", "/lib", "/lib64"];

/// Refuses what would run, or put, a program of the student in the container.
pub(super) fn judge(judge: &mut Judge<'_>, path: &[&str], service: &Value) {
    if !grants::is_lent_counters(judge.model, service) {
        return;
    }
    let mut found: Vec<(Vec<String>, String)> = Vec::new();
    let mut add = |keys: &[&str], value: &str| {
        found.push((keys.iter().map(|k| (*k).to_owned()).collect(), value.to_owned()));
    };
    for key in ["post_start", "pre_stop"] {
        if service.get(key).and_then(Value::as_array).is_some_and(|hooks| !hooks.is_empty()) {
            add(&[key], key);
        }
    }
    let test = texts(service.get("healthcheck").and_then(|check| check.get("test")));
    if let Some(word) = foreign_word(&test) {
        add(&["healthcheck", "test"], &word);
    }
    for (name, _) in entries(service, "environment").filter(|(name, _)| name.starts_with("LD_")) {
        add(&["environment", name], name);
    }
    for key in ["volumes", "configs", "secrets"] {
        for item in service.get(key).and_then(Value::as_array).into_iter().flatten() {
            let target = item.get("target").and_then(scalar).unwrap_or_default();
            let place = clean(Path::new(&format!("/{target}")));
            let within = |dir: &&str| place.starts_with(dir) || Path::new(dir).starts_with(&place);
            if !target.is_empty() && PROGRAMS.iter().any(within) {
                let source = item.get("source").and_then(Value::as_str).map(plain).unwrap_or_default();
                let shown = format!("./{}", super::paths::shown(judge.model, &source));
                add(&[key, if key == "volumes" { &shown } else { &source }], &target);
            }
        }
    }
    for (keys, value) in found {
        let at: Vec<&str> = path.iter().copied().chain(keys.iter().map(String::as_str)).collect();
        judge.refuse("monitor-program", &at, &value);
    }
}

/// The first word of a health check that does more than ask the program for a page.
fn foreign_word(test: &[String]) -> Option<String> {
    let words: Vec<&str> = match test.split_first() {
        Some((kind, rest)) if matches!(kind.as_str(), "CMD" | "CMD-SHELL") => {
            rest.iter().flat_map(|text| text.split_whitespace()).collect()
        }
        Some((kind, _)) if kind != "NONE" => vec![kind],
        _ => Vec::new(),
    };
    words.into_iter().find(|word| !is_asking(word)).map(str::to_owned)
}

/// Words of `wget -q --spider http://localhost:8080/healthz || exit 1` and the like.
fn is_asking(word: &str) -> bool {
    const PROGRAM: [&str; 8] = ["wget", "curl", "nc", "exit", "true", "false", "||", "&&"];
    const OUTPUT: [&str; 6] = ["-", "/dev/null", ">", ">/dev/null", "2>&1", "1"];
    const LONG: [&str; 11] = [
        "--quiet",
        "--spider",
        "--tries",
        "--timeout",
        "--no-verbose",
        "--fail",
        "--silent",
        "--show-error",
        "--location",
        "--output",
        "--max-time",
    ];
    let word = word.trim_matches(['"', '\'']);
    let option = word.split('=').next().unwrap_or(word);
    let value = word.split_once('=').is_none_or(|(_, value)| value.chars().all(|c| c.is_ascii_digit()));
    let short = word.strip_prefix('-').is_some_and(|letters| {
        !letters.is_empty() && letters.chars().all(|c| c.is_ascii_digit() || "qtTnvOfsSLozmI-".contains(c))
    });
    let page = word.strip_prefix("http://").or_else(|| word.strip_prefix("https://")).unwrap_or(word);
    let host = page.split([':', '/']).next().unwrap_or_default();
    let here = matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0")
        && page.chars().all(|c| c.is_ascii_alphanumeric() || ":/._-".contains(c));
    PROGRAM.contains(&word)
        || OUTPUT.contains(&word)
        || word.chars().all(|c| c.is_ascii_digit())
        || (LONG.contains(&option) && value)
        || (short && !word.starts_with("--"))
        || here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_for_a_page_is_all_that_a_health_check_may_do() {
        let foreign = |test: &[&str]| foreign_word(&test.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        for test in [
            &["CMD-SHELL", "wget --quiet --tries=1 --spider http://localhost:8080/healthz || exit 1"][..],
            &["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/metrics"],
            &["CMD-SHELL", "curl -fsS -o /dev/null http://localhost:8080/healthz >/dev/null 2>&1 || exit 1"],
            &["CMD", "nc", "-z", "localhost", "8080"],
            &["NONE"],
            &[],
        ] {
            assert_eq!(foreign(test), None, "{test:?}");
        }
        for (test, word) in [
            (&["CMD-SHELL", "cat /sys/fs/cgroup/*"][..], "cat"),
            (&["CMD-SHELL", "wget -O /etc/x http://localhost/"], "/etc/x"),
            (&["CMD", "wget", "--post-file=/etc/passwd", "http://localhost/"], "--post-file=/etc/passwd"),
            (&["CMD-SHELL", "wget -q http://localhost/$(id)"], "http://localhost/$(id)"),
            (&["CMD", "wget", "http://evil.invalid/"], "http://evil.invalid/"),
            (&["CMD", "wget", "-i", "x"], "-i"),
            (&["CMD-SHELL", "true; sh"], "true;"),
        ] {
            assert_eq!(foreign(test).as_deref(), Some(word), "{test:?}");
        }
    }
}
