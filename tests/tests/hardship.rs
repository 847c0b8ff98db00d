//! Faults of the machine: none may cost a student a point, none may leave anything behind. Long: run by
//! `make security`.

#![expect(clippy::print_stdout, reason = "the figures of these tests")]

use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tp_tests::Ended;
use tp_tests::faulty::{Failure, Faulty};
use tp_tests::grader::{Grader, output, solution};
use tp_tests::private::Private;

/// Where the engine of this machine listens.
const ENGINE: &str = "/var/run/docker.sock";
/// How many runs at once.
const AT_ONCE: usize = 2;

/// Ids of the checks of a solution that cost points: a fault of the machine was taken for one of
/// the student.
fn cost(ended: &Ended) -> Vec<String> {
    // Without an engine to speak to there is no run.
    let Ok(report) = serde_json::from_str::<Value>(&ended.out) else {
        return if ended.code == 4 { Vec::new() } else { vec!["no report".into()] };
    };
    missed(&report).map(|check| check["card"]["id"].as_str().unwrap_or("?").to_owned()).collect()
}

fn missed(report: &Value) -> impl Iterator<Item = &Value> {
    let checks = report["checks"].as_array().into_iter().flatten();
    checks.filter(|check| check["verdict"].get("fail").is_some())
}

/// Those verdicts whole.
fn misses(ended: &Ended) -> String {
    let report = serde_json::from_str::<Value>(&ended.out).unwrap_or_default();
    missed(&report).map(|check| check["verdict"].to_string()).collect::<Vec<_>>().join("\n")
}

/// Fails each request of a run in its turn.
fn sweep(lab: &str, failure: Failure) -> (usize, usize, Vec<String>) {
    let before = || Faulty::before(Path::new(ENGINE)).unwrap_or_else(|e| panic!("no socket: {e}"));
    let dir = solution(lab);
    let faulty = before();
    let whole = output(Grader::on(&faulty.host()).check(lab, &dir));
    assert_eq!(whole.code, 0, "{}\n{}", whole.out, whole.err);
    let requests = faulty.asked();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let (step, from) = (number("TP_STEP").unwrap_or(1), number("TP_FROM").unwrap_or(0));
    let (next, graded) = (AtomicUsize::new(from), AtomicUsize::new(0));
    let wrong: Mutex<Vec<String>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let faulty = before();
                let own = Grader::on(&faulty.host());
                loop {
                    let k = next.fetch_add(step, Ordering::SeqCst);
                    if k >= requests {
                        break;
                    }
                    faulty.plan(Some((k, failure)));
                    let ended = output(own.check(lab, &dir));
                    let hit = faulty.hit().unwrap_or_else(|| "jamais venue".to_owned());
                    faulty.plan(None);
                    graded.fetch_add(usize::from(ended.code == 0), Ordering::SeqCst);
                    let (cost, left) = (cost(&ended), own.left());
                    let say = |what: String| {
                        println!("  ✗ appel {k} ({failure:?}, {hit}) : {what}");
                        wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
                    };
                    if !cost.is_empty() || ![0, 4, 5, 6].contains(&ended.code) {
                        say(format!(
                            "code {}, manqués {cost:?}\n{}\n{}",
                            ended.code,
                            ended.err,
                            misses(&ended)
                        ));
                    }
                    if left != [0; 4] {
                        say(format!("restes {left:?}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    ((requests - from).div_ceil(step), graded.into_inner(), wrong)
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

/// An instant of a run is what is tested: there is nothing else to wait for.
fn until(when: Instant) {
    while Instant::now() < when {
        std::thread::park_timeout(when.saturating_duration_since(Instant::now()));
    }
}

/// What happens to the daemon in the middle of a run.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Stopped in good order, then started again.
    Restarted,
    /// Killed, then started again.
    Killed,
    /// Silent for half a minute.
    Hung,
}

impl Trouble {
    fn befall(self, engine: &mut Private) {
        match self {
            Self::Restarted => {
                engine.signal(Signal::TERM);
                engine.wake().unwrap_or_else(|| panic!("the daemon does not come back"));
            }
            Self::Killed => {
                engine.signal(Signal::KILL);
                engine.wake().unwrap_or_else(|| panic!("the daemon does not come back"));
            }
            Self::Hung => {
                engine.signal(Signal::STOP);
                until(Instant::now() + Duration::from_secs(30));
                engine.signal(Signal::CONT);
            }
        }
    }
}

#[test]
#[ignore = "some minutes: the daemon is stopped, killed and hung in the middle of runs"]
fn the_daemon_fails_in_the_middle_of_a_run() {
    let Some(mut engine) = Private::start(&["nginx:alpine", "alpine:3", "busybox:latest"]) else {
        println!("non vérifié : un moteur à part demande root et « unshare »");
        return;
    };
    let grader = Grader::on(&engine.host());
    let dir = solution("01");
    let whole = Instant::now();
    let undisturbed = output(grader.check("01", &dir));
    assert_eq!(undisturbed.code, 0, "{}\n{}", undisturbed.out, undisturbed.err);
    let length = whole.elapsed();
    let mut wrong = 0;
    for trouble in [Trouble::Restarted, Trouble::Killed, Trouble::Hung] {
        let mut codes = Vec::new();
        for tenths in [1, 3, 5, 7, 9] {
            let child = grader.check("01", &dir).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let mut child = child.unwrap_or_else(|e| panic!("{e}"));
            until(Instant::now() + length * tenths / 10);
            let over = child.try_wait().is_ok_and(|status| status.is_some());
            trouble.befall(&mut engine);
            let ended = child.wait_with_output().map(Ended::from).unwrap_or_else(|e| panic!("{e}"));
            let (cost, left) = (cost(&ended), grader.left());
            codes.push(if over { format!("{} (déjà finie)", ended.code) } else { ended.code.to_string() });
            if !cost.is_empty() || ![0, 4, 5, 6].contains(&ended.code) || left != [0; 4] {
                println!(
                    "  ✗ {trouble:?} à {tenths}0 % : code {}, manqués {cost:?}, restes {left:?}\n{}",
                    ended.code, ended.err
                );
                wrong += 1;
            }
        }
        println!("démon {trouble:?} en pleine correction : codes {}", codes.join(", "));
    }
    assert_eq!(wrong, 0);
}

/// Folders of sessions of this install that are still there.
fn rooms(grader: &Grader) -> usize {
    let Ok(install) = std::fs::read_to_string(grader.state().join("tp-docker/install-id")) else { return 0 };
    let base = std::env::temp_dir().join(format!("tp-docker-{}", install.trim()));
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    let kept = ["locks", "pool"];
    let rooms = entries.filter(|entry| !kept.contains(&entry.file_name().to_string_lossy().as_ref()));
    rooms.count()
}

#[test]
#[ignore = "a quarter of an hour: a hundred runs, each killed"]
fn kills_at_random_instants_then_one_clean() {
    let kills = std::env::var("TP_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100u32);
    let grader = Grader::on(&format!("unix://{ENGINE}"));
    let dir = solution("01");
    let start = Instant::now();
    let whole = output(grader.check("01", &dir));
    assert_eq!(whole.code, 0, "{}\n{}", whole.out, whole.err);
    let length = start.elapsed();
    for kill in 0..kills {
        let child = grader.check("01", &dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap_or_else(|e| panic!("{e}"));
        // Everywhere in a run, in an order that jumps about: 61 has no divisor in common with 100.
        until(Instant::now() + length * (kill * 61 % kills) / kills);
        let _ = child.kill();
        let _ = child.wait();
    }
    let (left, rooms) = (grader.left(), rooms(&grader));
    println!(
        "{kills} SIGKILL à tout instant puis « clean » : restes {left:?}, dossiers {rooms} ({:.0} s)",
        start.elapsed().as_secs_f64()
    );
    assert_eq!((left, rooms), ([0; 4], 0));
}
