//! Nothing is left behind, whatever happens to the grader.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tp_tests::{everything, ours, run, signal, start};

const CHECK: [&str; 7] = ["check", "02", "-C", "labs/02-deploiement/solution", "--format", "jsonl", "-q"];

/// Waits until the run has something on the engine.
fn until_something_runs() {
    let deadline = Instant::now() + Duration::from_secs(60);
    while ours()[0] == 0 {
        assert!(Instant::now() < deadline, "nothing was ever started");
        std::thread::yield_now();
    }
}

#[test]
fn an_ordinary_run_leaves_nothing() {
    let before = everything();
    let ended = run(&CHECK);
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    assert_eq!(everything(), before);
    assert_eq!(ours(), [0; 4]);
}

#[test]
fn an_interruption_cleans_and_says_so() {
    let before = everything();
    let child = start(&CHECK);
    until_something_runs();
    signal(&child, Signal::INT);
    let ended = child.wait_with_output().map(tp_tests::Ended::from).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(ended.code, 130, "{}\n{}", ended.out, ended.err);
    assert!(ended.out.contains("\"cleaned\""), "{}", ended.out);
    assert_eq!(everything(), before);
    assert_eq!(ours(), [0; 4]);
}

#[test]
fn ten_kills_at_random_instants_then_one_clean() {
    let before = everything();
    for round in 0..10u64 {
        let mut child = start(&CHECK);
        let lines = child.stdout.take().map(BufReader::new);
        // Spread over the whole run: after the nth line of the event stream.
        let mut seen = 0;
        for line in lines.into_iter().flat_map(BufRead::lines) {
            seen += 1;
            if line.is_err() || seen > 2 + round * 4 {
                break;
            }
        }
        signal(&child, Signal::KILL);
        let _ = child.wait();
    }
    let ended = run(&["clean"]);
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    // The supervisors of the dead runs may be sweeping too: wait for them within bounds.
    let deadline = Instant::now() + Duration::from_secs(30);
    while (everything() != before || ours() != [0; 4]) && Instant::now() < deadline {
        let _ = run(&["clean"]);
    }
    assert_eq!(ours(), [0; 4]);
    assert_eq!(everything(), before);
}
