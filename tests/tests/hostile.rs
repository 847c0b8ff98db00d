//! Every case of `tests/hostile` and `tests/public` through the command line, without an engine:
//! decision, rules, places, rewritten model, time and memory. Needs the Compose plugin alone.
//!
//! The test runs itself again as the grader (`TP_AS_GRADER`), so that nothing has to be built
//! beforehand.

#![expect(clippy::print_stdout, reason = "this file is its own test harness")]

use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tp_tests::cases::{Case, corpus, labs};

fn main() -> ExitCode {
    if std::env::var_os("TP_AS_GRADER").is_some() {
        return grader::cli::main();
    }
    // The options of the usual harness are taken: a word selects cases, `--list` lists none.
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let word = args.iter().find(|arg| !arg.starts_with('-'));
    if grader::compose::ComposeTool::find().is_err() {
        println!("non vérifié : le module Compose de Docker n'est pas installé");
        return ExitCode::SUCCESS;
    }
    let mut good = true;
    let mut corpora = vec![
        ("hostile", "cas hostiles à l'issue attendue"),
        ("public", "projets publics à l'issue attendue"),
    ];
    if std::env::var_os("TP_LABS").is_some() {
        corpora.push(("labs", "variantes des TP ni refusées ni prises pour invalides à tort"));
    }
    for (name, what) in corpora {
        let mut cases = if name == "labs" { labs() } else { corpus(name) };
        cases.retain(|case| word.is_none_or(|word| case.name.contains(word.as_str())));
        if !cases.is_empty() {
            good &= run(&cases, name, what);
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What one case cost, and what is wrong with it.
struct Judged {
    elapsed: Duration,
    memory: u64,
    faults: Vec<String>,
    skipped: bool,
}

fn run(cases: &[Case], corpus: &str, what: &str) -> bool {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let all: Mutex<Vec<(usize, Judged)>> = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(8);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(index).map(|case| (index, case))
                } {
                    let judged = judge(case.1);
                    all.lock().unwrap_or_else(PoisonError::into_inner).push((case.0, judged));
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by_key(|(index, _)| *index);
    for (index, judged) in &all {
        let name = &cases[*index].name;
        if judged.skipped {
            println!("  – {name} : non vérifié, cet utilisateur ne peut pas le préparer");
        }
        if !judged.faults.is_empty() {
            println!("  ✗ {corpus}/{name} : {}", judged.faults.join(" | "));
        }
    }
    let count = |wanted: fn(&Judged) -> bool| all.iter().filter(|(_, judged)| wanted(judged)).count();
    let good = count(|j| j.faults.is_empty() && !j.skipped);
    let done = all.len() - count(|j| j.skipped);
    let slowest = all.iter().max_by_key(|(_, judged)| judged.elapsed);
    let fattest = all.iter().max_by_key(|(_, judged)| judged.memory);
    println!("{what} : {good}/{done} ({:.1} s)", start.elapsed().as_secs_f64());
    if let (Some((slow, time)), Some((fat, size))) = (slowest, fattest) {
        println!(
            "  le plus long : {} en {:.1} s ; le plus gros : {}, {} Mio",
            cases[*slow].name,
            time.elapsed.as_secs_f64(),
            cases[*fat].name,
            size.memory
        );
    }
    good == done
}

fn judge(case: &Case) -> Judged {
    let mut judged = Judged { elapsed: Duration::ZERO, memory: 0, faults: Vec::new(), skipped: false };
    let ready = match case.ready() {
        Ok(Some(ready)) => ready,
        Ok(None) => {
            judged.skipped = true;
            return judged;
        }
        Err(e) => {
            judged.faults.push(format!("préparation impossible : {e}"));
            return judged;
        }
    };
    let json = policy(case, &ready.path(), &["--format", "json"], &mut judged);
    let hidden = |text: &str| text.chars().find(|c| *c != '\n' && grader::reporter::clean::is_hidden(*c));
    match serde_json::from_str::<Value>(&json) {
        Ok(opinion) => judged.faults.extend(case.faults(&opinion)),
        Err(e) => judged.faults.push(format!("la réponse n'est pas du JSON ({e}) : {json}")),
    }
    // What a person reads is longest to tell when it is a refusal.
    if case.expect.outcome == "accepted" && case.expect.never.is_empty() && case.expect.model.is_empty() {
        return judged;
    }
    // What a person reads: the same decision, nothing that moves the cursor or hides text.
    let human = policy(case, &ready.path(), &["--model", "--color", "never"], &mut judged);
    let word = match case.expect.outcome.as_str() {
        "accepted" => "Accepté",
        "refused" => "refusé",
        _ => "invalide",
    };
    if !human.contains(word) {
        judged.faults.push(format!("« {word} » n'est pas dit : {human}"));
    }
    if let Some(c) = hidden(&human).or_else(|| hidden(&json)) {
        judged.faults.push(format!("caractère caché dans la réponse : U+{:04X}", u32::from(c)));
    }
    for word in case.expect.never.iter().filter(|word| human.contains(word.as_str())) {
        judged.faults.push(format!("« {word} » ne devait jamais être dit"));
    }
    judged
}

#[expect(clippy::disallowed_methods, reason = "a bounded poll: the child is measured while it runs")]
/// `grader policy`, with an engine that does not exist; gives its standard output.
fn policy(case: &Case, dir: &Path, args: &[&str], judged: &mut Judged) -> String {
    let out = tempfile::tempfile().and_then(|file| Ok((file.try_clone()?, file)));
    let (Ok((write, mut read)), Ok(exe)) = (out, std::env::current_exe()) else {
        judged.faults.push("pas de fichier temporaire".to_owned());
        return String::new();
    };
    let start = Instant::now();
    let child = Command::new(exe)
        .arg("policy")
        .arg(dir)
        .args(args)
        .args(case.lab.iter().flat_map(|id| ["--lab", id]))
        .env("TP_AS_GRADER", "1")
        .env("TP_DOCKER_LABS", tp_tests::root().join("labs"))
        .env("DOCKER_HOST", "unix:///nulle/part/docker.sock")
        .envs(&case.expect.env)
        .stdin(Stdio::null())
        .stdout(write)
        .stderr(Stdio::null())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            judged.faults.push(e.to_string());
            return String::new();
        }
    };
    let longest = Duration::from_secs(case.expect.seconds);
    let code = loop {
        judged.memory = judged.memory.max(peak(child.id()));
        match child.try_wait() {
            Ok(Some(status)) => break status.code().unwrap_or(-1),
            Ok(None) if start.elapsed() > longest * 2 => {
                let _ = child.kill();
                let _ = child.wait();
                break -1;
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Err(_) => break -1,
        }
    };
    let elapsed = start.elapsed();
    judged.elapsed = judged.elapsed.max(elapsed);
    if elapsed > longest {
        judged.faults.push(format!("{:.1} s, {} s au plus", elapsed.as_secs_f64(), longest.as_secs()));
    }
    if code != case.exit() {
        judged.faults.push(format!("code de sortie {code}, {} attendu", case.exit()));
    }
    if judged.memory > case.expect.memory {
        judged.faults.push(format!("{} Mio, {} au plus", judged.memory, case.expect.memory));
    }
    let mut text = Vec::new();
    let _ = read.rewind().and_then(|()| read.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// Highest resident memory so far of a process and its children, MiB; 0 where it is not known.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let own = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let own = own.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024;
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    let children = tasks.into_iter().flatten().flatten().flat_map(|task| {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()
    });
    children.map(peak).max().unwrap_or(0).max(own)
}
