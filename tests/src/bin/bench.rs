//! `make bench`: ratios measured in one run, on lab 02. Nothing here is a test.
//!
//! Each pair is run in turn, A B A B …, and the median of the ratios is shown, so that a machine
//! whose speed drifts does not lie.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use tp_tests::{Submission, command, root, run};

const ROUNDS: usize = 5;

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn spread(values: &[f64]) -> String {
    let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    format!("{low:.2} – {high:.2}")
}

fn compose(dir: &Path, project: &str, args: &[&str]) {
    let output = Command::new("docker").args(["compose", "-p", project]).args(args).current_dir(dir).output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("docker compose {args:?} failed in {}\n{said}", dir.display())
        }
        Err(e) => panic!("docker compose {args:?}: {e}"),
    }
}

/// The student's cycle, by hand: `up --wait` then `down -v`, images built.
fn bare(dir: &Path) -> f64 {
    timed(|| {
        compose(dir, "tpbench", &["up", "--wait", "--quiet-pull"]);
        compose(dir, "tpbench", &["down", "-v", "-t", "10"]);
    })
}

fn check(dir: &Path) -> (f64, serde_json::Value) {
    let mut report = serde_json::Value::Null;
    let dir = dir.display().to_string();
    let seconds = timed(|| {
        let ended = run(&["check", "02", "-C", &dir, "--format", "json", "--progress", "none"]);
        assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
        report = ended.json();
    });
    (seconds, report)
}

/// Milliseconds at which a step ended (or started), from the report.
fn step(report: &serde_json::Value, name: &str, state: &str) -> Option<f64> {
    let steps = report["steps"].as_array()?;
    let step = steps.iter().find(|s| s["name"] == name && s["state"] == state)?;
    Some(step["at-ms"].as_f64()? / 1000.0)
}

/// The rewritten model of the first copy, as a file of its own.
fn rewritten(submission: &Path, to: &Path) -> PathBuf {
    let submission = submission.display().to_string();
    let ended = run(&["policy", &submission, "--model", "--format", "json", "--progress", "none"]);
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    let model = &ended.json()["model"];
    assert!(model.is_object(), "no model in\n{}", ended.out);
    let file = to.join("compose.json");
    if let Err(e) = std::fs::write(&file, model.to_string()) {
        panic!("{}: {e}", file.display());
    }
    file
}

fn peak_memory_mib(dir: &Path) -> Option<f64> {
    let dir = dir.display().to_string();
    let grader = tp_tests::grader();
    let output = Command::new("/usr/bin/time")
        .args(["-f", "%M"])
        .arg(grader)
        .args(["check", "02", "-C", &dir, "-q", "--progress", "none"])
        .current_dir(root())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    Some(text.lines().last()?.trim().parse::<f64>().ok()? / 1024.0)
}

fn row(what: &str, value: &str, aim: &str) {
    println!("{what:<58} {value:>22}   {aim}");
}

fn main() {
    // As a student writes it: the 10 s between two health checks that Compose's documentation and
    // most examples show, no start_interval.
    let submission = Submission::solution("02-deploiement");
    let dir = submission.path();
    let file = dir.join("compose.yaml");
    let text = std::fs::read_to_string(&file).unwrap_or_default().replace("interval: 5s", "interval: 10s");
    assert!(text.contains("interval: 10s") && std::fs::write(&file, text).is_ok(), "{}", file.display());
    compose(dir, "tpbench", &["build", "--quiet"]);
    let _ = check(dir);

    let (mut ratios, mut bares, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    let mut ups = Vec::new();
    let mut matrices = Vec::new();
    for _ in 0..ROUNDS {
        let by_hand = bare(dir);
        let (whole, report) = check(dir);
        ratios.push(whole / by_hand);
        bares.push(by_hand);
        checks.push(whole);
        if let (Some(start), Some(end)) = (step(&report, "build", "started"), step(&report, "up", "done")) {
            ups.push(end - start);
        }
        if let Some(ms) = report["reach"]["elapsed-ms"].as_f64() {
            matrices.push(ms / 1000.0);
        }
    }
    println!("TP 02, {ROUNDS} tours, rapports tour à tour (médiane ; min – max)\n");
    row(
        "check complet / up --wait + down -v de la copie telle quelle",
        &format!("{:.2} ({})", median(&mut ratios), spread(&ratios)),
        "but : < 0,60",
    );
    row("  up --wait + down -v, secondes", &format!("{:.1} ({})", median(&mut bares), spread(&bares)), "");
    row("  check complet, secondes", &format!("{:.1} ({})", median(&mut checks), spread(&checks)), "");

    orchestration(dir);
    matrix(dir, &mut matrices);
    let mut lists: Vec<f64> = (0..11)
        .map(|_| {
            timed(|| {
                let _ = command(&["list"]).stdout(Stdio::null()).status();
            }) * 1000.0
        })
        .collect();
    row(
        "grader list, millisecondes",
        &format!("{:.1} ({})", median(&mut lists), spread(&lists)),
        "but : < 30",
    );
    match peak_memory_mib(dir) {
        Some(mib) => row("mémoire de pointe de grader, Mio", &format!("{mib:.0}"), "but : < 64"),
        None => row("mémoire de pointe de grader, Mio", "non mesurée", "il faut /usr/bin/time"),
    }
    let _ = Command::new("docker").args(["image", "rm", "-f", "tpbench-api", "tp-api"]).output();
}

/// The grader's own orchestration of one copy (`bench-up`) against bare Compose on the same file.
fn orchestration(dir: &Path) {
    let temp = match tempfile::tempdir() {
        Ok(temp) => temp,
        Err(e) => panic!("no temporary directory: {e}"),
    };
    let file = rewritten(dir, temp.path());
    let file = file.display().to_string();
    // The image that the rewritten file names is the one built by hand.
    let tagged = Command::new("docker").args(["tag", "tpbench-api", "tp-api"]).status();
    assert!(tagged.is_ok_and(|s| s.success()), "docker tag tpbench-api tp-api");
    let (mut ratios, mut ours, mut bares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let by_hand = timed(|| {
            compose(
                dir,
                "tpbenchr",
                &["-f", &file, "--project-directory", &dir.display().to_string(), "up", "--wait"],
            );
            compose(
                dir,
                "tpbenchr",
                &["-f", &file, "--project-directory", &dir.display().to_string(), "down", "-v", "-t", "0"],
            );
        });
        let grader = timed(|| {
            let ended = run(&[
                "check",
                "02",
                "-C",
                &dir.display().to_string(),
                "--only",
                "demarrage",
                "-q",
                "--progress",
                "none",
            ]);
            assert!(ended.code == 0, "{}\n{}", ended.out, ended.err);
        });
        ratios.push(grader / by_hand);
        ours.push(grader);
        bares.push(by_hand);
    }
    row(
        "orchestration du correcteur / up --wait + down du fichier réécrit",
        &format!("{:.2} ({})", median(&mut ratios), spread(&ratios)),
        "but : < 1,15",
    );
    row("  correcteur, secondes", &format!("{:.1} ({})", median(&mut ours), spread(&ours)), "");
    row("  docker compose, secondes", &format!("{:.1} ({})", median(&mut bares), spread(&bares)), "");
}

/// The reachability matrix against the same questions asked one by one with `docker exec`.
fn matrix(dir: &Path, ours: &mut [f64]) {
    compose(dir, "tpbenchm", &["up", "--wait"]);
    let pairs = [
        ("api", "postgres", 5432),
        ("api", "redis", 6379),
        ("postgres", "redis", 6379),
        ("postgres", "api", 5000),
        ("redis", "postgres", 5432),
        ("redis", "api", 5000),
    ];
    let one_by_one = timed(|| {
        for (from, to, port) in pairs {
            let port = port.to_string();
            let _ = Command::new("docker")
                .args(["compose", "-p", "tpbenchm", "exec", "-T", from, "nc", "-z", "-w", "1", to, &port])
                .current_dir(dir)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    });
    compose(dir, "tpbenchm", &["down", "-v", "-t", "0"]);
    let _ = Command::new("docker").args(["image", "rm", "-f", "tpbenchm-api"]).output();
    row("matrice d'accès, secondes", &format!("{:.2} ({})", median(ours), spread(ours)), "");
    row("  les mêmes questions par docker compose exec, secondes", &format!("{one_by_one:.2}"), "");
}
