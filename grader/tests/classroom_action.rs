//! The composite action's scripts, run as a runner runs them, on recorded and made journals: no engine.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use grader::error::{Fault, FaultKind};
use grader::event::{Checked, Event, Inventory, Mark, Place, Refusal, RunFinished, RunStarted, Verdict};

/// Stands for the grader: `check` gives the journal, says what a hostile submission might have made it say;
/// the rest is the real one's.
const STUB: &str = r#"#!/usr/bin/env bash
if [ "$1" = check ]; then
  while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
  cp "$JOURNAL" "$out"
  printf 'service « api » ::error::pris\n  ::set-output name=a::b\nau milieu ##[error]pris\n' >&2
  printf 'sans fin de ligne'
  exit "$CODE"
fi
exec "$REAL" "$@"
"#;

struct Told {
    log: String,
    summary: String,
    outputs: BTreeMap<String, String>,
    report: PathBuf,
    verdict: Output,
    _dir: tempfile::TempDir,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

fn action(script: &str) -> Command {
    let mut command = Command::new(root().join(".github/actions/grade").join(script));
    command.env_clear().env("PATH", std::env::var_os("PATH").expect("PATH")).env("LANG", "C.UTF-8");
    command
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
}

/// Runs the action on a journal, in a repository whose lab is in `tp`.
fn run(journal: &str, code: u8, fail_on_miss: bool) -> Told {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("espace/copie/tp")).expect("folders");
    fs::create_dir_all(at("temp")).expect("a folder");
    fs::write(at("journal"), journal).expect("written");
    executable(&at("grader"), STUB);
    for file in ["summary", "outputs"] {
        fs::write(at(file), "").expect("written");
    }
    let output = action("grade.sh")
        .env("GRADER", at("grader"))
        .env("REAL", env!("CARGO_BIN_EXE_grader"))
        .env("JOURNAL", at("journal"))
        .env("CODE", code.to_string())
        .env("LAB", "01")
        .env("FOLDER", "tp")
        .env("REPOSITORY", "copie")
        .env("RUNNER_TEMP", at("temp"))
        .env("GITHUB_WORKSPACE", at("espace"))
        .env("GITHUB_STEP_SUMMARY", at("summary"))
        .env("GITHUB_OUTPUT", at("outputs"))
        .output()
        .expect("run");
    let log = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{log}\n{}", String::from_utf8_lossy(&output.stderr));
    let outputs = outputs(&fs::read_to_string(at("outputs")).expect("outputs"));
    let verdict = action("verdict.sh")
        .env("OUTCOME", &outputs["outcome"])
        .env("FAIL_ON_MISS", fail_on_miss.to_string())
        .output()
        .expect("run");
    let report = PathBuf::from(outputs.get("report").cloned().unwrap_or_default());
    let summary = fs::read_to_string(at("summary")).expect("a summary");
    Told { log, summary, outputs, report, verdict, _dir: dir }
}

/// What the runner reads in `GITHUB_OUTPUT`.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            all.insert(name.to_owned(), value.join("\n"));
        } else if let Some((name, value)) = line.split_once('=') {
            all.insert(name.to_owned(), value.to_owned());
        }
    }
    all
}

/// Commands that the runner would carry out.
fn commands(log: &str) -> Vec<&str> {
    let mut stopped: Option<String> = None;
    let mut found = Vec::new();
    for line in log.lines() {
        let trimmed = line.trim_start();
        if let Some(token) = &stopped {
            if trimmed.starts_with(token.as_str()) {
                stopped = None;
            }
        } else if let Some(token) = trimmed.strip_prefix("::stop-commands::") {
            stopped = Some(format!("::{token}::"));
        } else if trimmed.starts_with("::") || line.contains("##[") {
            found.push(line);
        }
    }
    assert_eq!(stopped, None, "a stretch is never ended:\n{log}");
    found
}

fn recorded() -> String {
    fs::read_to_string(root().join("book/transcripts/tp01.jsonl")).expect("a journal")
}

fn journal(events: &[Event]) -> String {
    events.iter().map(|event| serde_json::to_string(event).expect("JSON") + "\n").collect()
}

/// The opening of the recorded run.
fn started() -> RunStarted {
    let first = recorded().lines().next().expect("a line").to_owned();
    match serde_json::from_str(&first).expect("an event") {
        Event::RunStarted(started) => started,
        other => panic!("{other:?}"),
    }
}

fn ended(mut events: Vec<Event>) -> Vec<Event> {
    events.push(Event::Cleaned(Inventory::default()));
    events.push(Event::RunFinished(RunFinished { elapsed_ms: 9_000 }));
    events
}

#[test]
fn everything_earned() {
    let started = started();
    let passed = |id: &str| {
        Event::Checked(Checked {
            id: id.to_owned(),
            verdict: Verdict::Pass { facts: vec![] },
            elapsed_ms: 5,
            at_ms: 0,
        })
    };
    let checks: Vec<Event> = started.checks.iter().map(|card| passed(&card.id)).collect();
    let events = ended(std::iter::once(Event::RunStarted(started)).chain(checks).collect());
    let told = run(&journal(&events), 0, true);
    assert_eq!((told.outputs["outcome"].as_str(), told.outputs["note"].as_str()), ("passed", "20"));
    assert!(told.summary.contains("**20&#47;20**"), "{}", told.summary);
    assert!(told.verdict.status.success());
    assert_eq!(commands(&told.log).iter().filter(|c| c.starts_with("::error")).count(), 0);
    for file in ["rapport.html", "junit.xml", "rapport.json", "journal.jsonl"] {
        assert!(fs::metadata(told.report.join(file)).is_ok_and(|f| f.len() > 100), "{file}");
    }
    assert!(!told.outputs["result"].is_empty());
}

#[test]
fn a_recorded_run_with_misses() {
    let told = run(&recorded(), 1, true);
    assert_eq!(told.outputs["outcome"], "missed");
    let found = commands(&told.log);
    let errors: Vec<&&str> = found.iter().filter(|c| c.starts_with("::error ")).collect();
    assert!(!errors.is_empty() && errors.len() <= 10, "{}", told.log);
    // On the student's own lines, from the root of their repository.
    assert!(errors.iter().any(|c| c.starts_with("::error file=tp/compose.yaml,line=")), "{errors:#?}");
    assert!(
        found.iter().all(|c| ["::group::", "::endgroup::", "::error ", "::warning ", "::notice "]
            .iter()
            .any(|n| c.starts_with(n))),
        "{found:#?}"
    );
    assert!(told.summary.contains("### ✗"), "{}", told.summary);
    assert_eq!(told.verdict.status.code(), Some(1));
    assert!(run(&recorded(), 1, false).verdict.status.success());
}

#[test]
fn refused() {
    let hostile = "le service « api\u{1b}[2J ::error::pris ##[error] <script> » sort du TP";
    let refusal = Refusal {
        rule: "privileged".to_owned(),
        what: hostile.to_owned(),
        place: Some(Place {
            file: "compose.yaml".to_owned(),
            mark: Mark { line: 4, column: 5, width: 10, text: hostile.to_owned(), label: String::new() },
            also: vec![],
        }),
        why: "pourquoi".to_owned(),
        instead: "à la place".to_owned(),
    };
    let events = ended(vec![Event::RunStarted(started()), Event::Refused(vec![refusal])]);
    let told = run(&journal(&events), 3, true);
    assert_eq!(told.outputs["outcome"], "refused");
    assert!(!told.outputs.contains_key("note"));
    assert!(
        told.log.contains("\n::error file=tp/compose.yaml,line=4,col=5,endColumn=15,title=refusé"),
        "{}",
        told.log
    );
    // In the fence it is text; before it, it would be markup.
    let words = told.summary.split("```").next().unwrap_or_default();
    assert!(words.contains("script") && !words.contains("<script"), "{}", told.summary);
    assert!(!told.summary.contains('\u{1b}'), "{}", told.summary);
    assert_eq!(told.verdict.status.code(), Some(1));
}

#[test]
fn not_graded_is_never_a_zero() {
    let fault = Fault::new(FaultKind::NoEngine, "aucun moteur Docker ne répond", "démarrez Docker");
    // With and without a beginning, and without a journal at all.
    let alone = vec![Event::Faulted(fault.clone())];
    let begun = vec![Event::RunStarted(started()), Event::Faulted(fault)];
    for journal in [journal(&alone), journal(&begun), String::new()] {
        let told = run(&journal, 4, false);
        assert_eq!(told.outputs["outcome"], "not-graded", "{}", told.log);
        for name in ["note", "points", "result"] {
            assert!(!told.outputs.contains_key(name), "{name}");
        }
        assert!(told.summary.contains("non noté"), "{}", told.summary);
        assert_eq!(told.verdict.status.code(), Some(1), "it fails even where a miss does not");
    }
}

#[test]
fn the_grader_is_taken_from_a_release() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("bin")).expect("a folder");
    // Stands for « gh release download »: the archive of this machine, with its sum.
    executable(
        &at("bin/gh"),
        r#"#!/usr/bin/env bash
set -e
while [ $# -gt 0 ]; do
  case $1 in --dir) dir=$2 ;; --pattern) [[ $2 == *.sha256 ]] || archive=$2 ;; esac
  shift
done
name=${archive%.tar.gz}
mkdir -p "$dir/src/$name"
echo '#!/bin/sh' >"$dir/src/$name/grader"
chmod +x "$dir/src/$name/grader"
tar -C "$dir/src" -czf "$dir/$archive" "$name"
(cd "$dir" && sha256sum "$archive" >"$archive.sha256")
[ -z "${SPOIL:-}" ] || echo spoilt >>"$dir/$archive"
"#,
    );
    let install = |course: &str, version: &str, spoil: &str, sha256: &str| {
        fs::write(at("outputs"), "").expect("written");
        let path = format!("{}:{}", at("bin").display(), std::env::var("PATH").expect("PATH"));
        let output = action("install.sh")
            .env("PATH", path)
            .env("COURSE", course)
            .env("VERSION", version)
            .env("SHA256", sha256)
            .env("SPOIL", spoil)
            .env("RUNNER_TEMP", dir.path())
            .env("GITHUB_OUTPUT", at("outputs"))
            .output()
            .expect("run");
        (output.status.success(), fs::read_to_string(at("outputs")).expect("outputs"))
    };
    let (good, said) = install("ecole/tp-docker", "v0.1.0", "", "");
    assert!(good && said.starts_with("grader=") && said.trim_end().ends_with("/grader"), "{said}");
    assert!(fs::metadata(said.trim().trim_start_matches("grader=")).is_ok());
    for (course, version, spoil, sha256) in [
        ("ecole/tp-docker", "v0.1.0", "1", ""),
        ("ecole/tp-docker", "v0.1.0", "", &"0".repeat(64) as &str),
        ("ecole", "v0.1.0", "", ""),
        ("ecole/tp;id", "v0.1.0", "", ""),
        ("ecole/tp-docker", "$(id)", "", ""),
        ("ecole/tp-docker", "", "", ""),
    ] {
        let (good, said) = install(course, version, spoil, sha256);
        assert!(!good && said.is_empty(), "{course} {version}");
    }
}

#[test]
fn classroom_50_gets_a_result_or_an_error_never_a_zero() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("non vérifié : python3 n'est pas installé");
        return;
    }
    let shim = fs::read_to_string(root().join(".github/classroom/autograder.py")).expect("the shim");
    let shim =
        shim.replace("__LAB__", "01").replace("__COURSE__", "ecole/tp").replace("__VERSION__", "v0.1.0");
    let fault = Fault::new(FaultKind::NoEngine, "aucun moteur", "démarrez Docker");
    for (journal, code, verdict) in [
        (recorded(), "1", true),
        (journal(&[Event::Faulted(fault)]), "4", false),
        (String::new(), "4", false),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("copie")).expect("a folder");
        fs::write(at("journal"), journal).expect("written");
        fs::write(at("autograder.py"), &shim).expect("written");
        executable(&at("grader"), STUB);
        let output = Command::new("python3")
            .arg(at("autograder.py"))
            .current_dir(at("copie"))
            .env("GRADER", at("grader"))
            .env("REAL", env!("CARGO_BIN_EXE_grader"))
            .env("JOURNAL", at("journal"))
            .env("CODE", code)
            .env("CLASSROOM", "reseaux")
            .env("ASSIGNMENT", "tp-01")
            .env("SUBMISSION_TAG", "submit/1")
            .env("COMMIT_URL", "https://example.org/c")
            .env("RELEASE_URL", "https://example.org/r")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("GITHUB_OUTPUT")
            .output()
            .expect("run");
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), verdict, "{log}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(!commands(&log).iter().any(|c| c.contains("pris")), "{log}");
        let result = fs::read_to_string(at("copie/result.json"));
        assert_eq!(result.is_ok(), verdict);
        if let Ok(text) = result {
            let result: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(result["schema"], "classroom50/result/v1");
            assert_eq!(
                (&result["classroom"], &result["review"]),
                (&"reseaux".into(), &"https://example.org/c".into())
            );
            assert!(result["max-score"].as_u64() > result["score"].as_u64());
        }
    }
}

/// Every value of a key, anywhere in a document.
fn values(document: &serde_json::Value, key: &str, found: &mut Vec<String>) {
    match document {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                if let (true, Some(text)) = (name == key, value.as_str()) {
                    found.push(text.to_owned());
                }
                values(value, key, found);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| values(value, key, found)),
        _ => {}
    }
}

#[test]
fn scripts_hold_no_expression_and_actions_are_pinned() {
    let mut files = vec![root().join(".github/actions/grade/action.yml")];
    for folder in [".github/workflows", ".github/classroom"] {
        let entries = fs::read_dir(root().join(folder)).expect("a folder").flatten().map(|e| e.path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|e| e == "yml")));
    }
    assert!(files.len() >= 6);
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        let document: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
        let (mut runs, mut uses) = (Vec::new(), Vec::new());
        values(&document, "run", &mut runs);
        values(&document, "uses", &mut uses);
        assert!(runs.iter().all(|run| !run.contains("${{")), "{}: {runs:#?}", file.display());
        for action in uses {
            let commit = action.rsplit_once('@').map_or("", |(_, at)| at);
            let pinned = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            // Ours, and the one action of a service that is closed and changes no more.
            let ours = action.starts_with("./") || action.starts_with("__COURSE__/");
            assert!(pinned || ours || action == "education/autograding-grading-reporter@v1", "{action}");
        }
    }
}
