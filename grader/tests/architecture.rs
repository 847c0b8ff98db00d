//! The module table of `ARCHITECTURE.md`, enforced on the `use crate::` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Module, and what it may use of ours. `cli` may use everything.
const TABLE: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("french", &[]),
    ("bundle", &[]),
    ("time", &["french"]),
    ("event", &["error"]),
    ("check", &["error", "event", "french", "time"]),
    ("lab", &["check", "error", "event", "french", "time"]),
    // `check::world` holds the types that say what the student declared.
    ("compose", &["check", "error", "event", "french", "lab", "time"]),
    ("compare", &["compose", "french", "reporter"]),
    ("course", &["error", "french", "lab", "report", "time"]),
    ("engine", &["check", "compose", "error", "event", "french", "time"]),
    ("report", &["error", "event", "french"]),
    ("reporter", &["error", "event", "french", "report"]),
    ("export", &["error", "event", "french", "report", "reporter"]),
    ("run", &["check", "compose", "engine", "error", "event", "french", "lab", "report", "time"]),
    (
        "batch",
        &[
            "check", "compose", "course", "engine", "error", "event", "french", "lab", "report", "reporter",
            "run", "time",
        ],
    ),
    ("book", &["error", "event", "french", "lab", "run"]),
    ("serve", &["error", "event", "french", "lab", "run"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Module of a file, from its path under `src`.
fn module(file: &Path, src: &Path) -> String {
    let inside = file.strip_prefix(src).unwrap_or(file);
    let first = inside.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

/// Modules named after `crate::` in a text, test code left out.
fn used(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let line = &code[code[..at].rfind('\n').map_or(0, |i| i + 1)..at];
        let rest = &code[at + "crate::".len()..];
        if line.trim_start().starts_with("//") {
            continue;
        }
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split('}').next().unwrap_or_default();
            found.extend(list.split(',').filter_map(|n| n.trim().split("::").next()).map(str::to_owned));
        } else {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(name);
        }
    }
    found
}

fn all() -> (PathBuf, Vec<(PathBuf, String)>) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        (file, text)
    };
    let texts = files.into_iter().map(read).collect();
    (src, texts)
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
    let (src, texts) = all();
    let mut wrong = Vec::new();
    for (file, text) in &texts {
        let module = module(file, &src);
        let is_test = file.components().any(|c| c.as_os_str().to_string_lossy().starts_with("test"));
        if matches!(module.as_str(), "cli" | "lib" | "main") || is_test {
            continue;
        }
        let Some(allowed) = table.get(module.as_str()) else {
            wrong.push(format!("{}: module « {module} » is not in the table", file.display()));
            continue;
        };
        for name in used(text) {
            if name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: « {module} » may not use « {name} »", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_engine_names_bollard() {
    let (src, texts) = all();
    let wrong: Vec<_> = texts
        .iter()
        .filter(|(file, text)| module(file, &src) != "engine" && text.contains("bollard::"))
        .map(|(file, _)| file.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_a_sandboxed_model_can_be_brought_up() {
    let (src, texts) = all();
    // `SandboxedModel` has private fields and one maker; the stack takes nothing else. A
    // return type (`-> SandboxedModel {`, `-> &SandboxedModel {`) makes none.
    let holds_maker = |text: &str| {
        text.match_indices("SandboxedModel {\n").any(|(at, _)| {
            let before = text[..at].trim_end_matches('&');
            !before.ends_with("-> ")
        })
    };
    let makers: Vec<_> = texts.iter().filter(|(_, t)| holds_maker(t)).map(|(f, _)| f).collect();
    for file in makers {
        assert_eq!(module(file, &src), "compose", "{} makes a SandboxedModel", file.display());
    }
    let plan = texts
        .iter()
        .find(|(f, _)| f.ends_with("engine/stack.rs"))
        .map(|(_, t)| t.as_str())
        .unwrap_or_default();
    assert!(plan.contains("pub model: SandboxedModel"), "Stack must take a SandboxedModel");
}
