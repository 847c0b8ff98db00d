//! Faults of the machine: none may cost a student a point, none may leave anything behind. Long: run by
//! `make security`.

#![expect(clippy::print_stdout, reason = "the figures of these tests")]

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tp_tests::faulty::{Failure, Faulty};
use tp_tests::{Ended, command, ours_in};

/// Where the engine of this machine listens.
const ENGINE: &str = "/var/run/docker.sock";
/// How many runs at once.
const AT_ONCE: usize = 2;

/// A grader with a state of its own, behind a way to the engine that can fail.
struct Behind {
    faulty: Faulty,
    state: tempfile::TempDir,
}

impl Behind {
    fn new() -> Self {
        let faulty = Faulty::before(Path::new(ENGINE)).unwrap_or_else(|e| panic!("no socket: {e}"));
        Self { faulty, state: tempfile::tempdir().unwrap_or_else(|e| panic!("no folder: {e}")) }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.env("XDG_STATE_HOME", self.state.path()).env("DOCKER_HOST", self.faulty.host());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap_or_else(|e| panic!("{e}")).into()
    }

    /// A check of the solution of a lab, as JSON.
    fn check(&self, lab: &str) -> Ended {
        let dir = std::fs::read_dir(tp_tests::root().join("labs"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("solution"))
            .find(|path| path.to_string_lossy().contains(&format!("/{lab}-")))
            .unwrap_or_else(|| panic!("no lab {lab}"));
        let dir = dir.display().to_string();
        self.run(&["check", lab, "-C", &dir, "--format", "json", "--progress", "none"])
    }

    /// What is left once `clean` has run, supervisors given the time to finish.
    fn left(&self) -> [usize; 4] {
        self.faulty.plan(None);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let _ = self.run(&["clean"]);
            let left = ours_in(self.state.path());
            if left == [0; 4] || Instant::now() > deadline {
                return left;
            }
        }
    }
}

/// Ids of the checks of a solution that cost points: a fault of the machine was taken for one of
/// the student.
fn cost(ended: &Ended) -> Vec<String> {
    // Without an engine to speak to there is no run.
    let Ok(report) = serde_json::from_str::<Value>(&ended.out) else {
        return if ended.code == 4 { Vec::new() } else { vec!["no report".into()] };
    };
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    checks
        .iter()
        .filter(|check| check["verdict"].get("fail").is_some())
        .map(|check| check["card"]["id"].as_str().unwrap_or("?").to_owned())
        .collect()
}

/// Fails each request of a run in its turn.
fn sweep(lab: &str, failure: Failure) -> (usize, usize, Vec<String>) {
    let first = Behind::new();
    first.faulty.plan(None);
    let whole = first.check(lab);
    assert_eq!(whole.code, 0, "{}\n{}", whole.out, whole.err);
    let requests = first.faulty.asked();
    let step = std::env::var("TP_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(1);
    let (next, graded) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let faults: Mutex<Vec<String>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let behind = Behind::new();
                loop {
                    let k = next.fetch_add(step, Ordering::SeqCst);
                    if k >= requests {
                        break;
                    }
                    behind.faulty.plan(Some((k, failure)));
                    let ended = behind.check(lab);
                    let hit = behind.faulty.hit().unwrap_or_else(|| "jamais venue".to_owned());
                    graded.fetch_add(usize::from(ended.code == 0), Ordering::SeqCst);
                    let (cost, left) = (cost(&ended), behind.left());
                    let say = |what: String| {
                        println!("  ✗ appel {k} ({failure:?}, {hit}) : {what}");
                        faults.lock().unwrap_or_else(PoisonError::into_inner).push(what);
                    };
                    if !cost.is_empty() || ![0, 4, 5, 6].contains(&ended.code) {
                        say(format!("code {}, manqués {cost:?}\n{}", ended.code, ended.err));
                    }
                    if left != [0; 4] {
                        say(format!("restes {left:?}"));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap_or_else(PoisonError::into_inner);
    (requests.div_ceil(step), graded.into_inner(), faults)
}

#[test]
#[ignore = "a quarter of an hour: one run for each request to the engine"]
fn each_request_to_the_engine_fails_in_its_turn() {
    let lab = std::env::var("TP_LAB").unwrap_or_else(|_| "01".to_owned());
    let mut all = Vec::new();
    for failure in [Failure::Answered, Failure::Dropped, Failure::Lost] {
        let start = Instant::now();
        let (runs, graded, faults) = sweep(&lab, failure);
        println!(
            "TP {lab}, un appel au moteur raté ({failure:?}) : {runs} corrections, {graded} notées juste, {} faux zéros ou restes ({:.0} s)",
            faults.len(),
            start.elapsed().as_secs_f64()
        );
        all.extend(faults);
    }
    assert!(all.is_empty(), "{} faults", all.len());
}
