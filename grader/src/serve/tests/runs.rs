//! The states of a run, and its journal read from anywhere.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::Semaphore;

use super::super::runs::{Busy, Run, Runs};
use super::{EVENTS, Fake, lab};

fn slow() -> (Arc<Fake>, Arc<Semaphore>, Runs) {
    let go = Arc::new(Semaphore::new(0));
    let desk = Arc::new(Fake { go: Some(Arc::clone(&go)), ..Fake::default() });
    (Arc::clone(&desk), go, Runs::new(desk))
}

async fn texts(run: &Arc<Run>, from: usize) -> Vec<(usize, bool, String)> {
    Arc::clone(run).follow(from).map(|l| (l.at, l.is_report, l.text.to_string())).collect().await
}

#[tokio::test]
async fn one_run_a_lab_at_a_time() {
    let (_, go, runs) = slow();
    let (one, two) = (lab("01"), lab("02"));
    let first = runs.start(&one, PathBuf::from("a"), "a").expect("started");
    assert_eq!(runs.start(&one, PathBuf::from("b"), "b").err(), Some(Busy::Lab));
    let other = runs.start(&two, PathBuf::from("a"), "a").expect("another lab");
    go.add_permits(20);
    first.over().await;
    other.over().await;
    let again = runs.start(&one, PathBuf::from("a"), "a").expect("the first is over");
    assert_ne!(again.id, first.id);
    assert!(runs.get(&first.id).is_none(), "only the last run of a lab is kept");
    assert!(runs.of("01").is_some_and(|r| r.id == again.id));
    again.over().await;
}

#[tokio::test]
async fn the_journal_is_the_same_from_any_line_live_or_late() {
    let (_, go, runs) = slow();
    let run = runs.start(&lab("01"), PathBuf::from("a"), "a").expect("started");
    let live = tokio::spawn({
        let run = Arc::clone(&run);
        async move { texts(&run, 0).await }
    });
    go.add_permits(20);
    let live = live.await.expect("read");
    assert_eq!(live.len(), EVENTS + 1);
    assert!(live.iter().enumerate().all(|(at, line)| line.0 == at));
    assert!(live.iter().rev().skip(1).all(|line| !line.1), "the report comes once");
    assert!(live.last().is_some_and(|l| l.1 && l.2.contains("graded")));
    for from in 0..=live.len() + 1 {
        assert_eq!(texts(&run, from).await, live[from.min(live.len())..], "from {from}");
    }
}

#[tokio::test]
async fn a_cancelled_run_cleans_and_says_its_end() {
    let (desk, go, runs) = slow();
    let run = runs.start(&lab("01"), PathBuf::from("a"), "a").expect("started");
    go.add_permits(1);
    let first = std::pin::pin!(Arc::clone(&run).follow(0)).next().await.expect("an event");
    assert!(!first.is_report);
    run.cancel();
    run.cancel();
    run.over().await;
    assert_eq!(*desk.cleaned.lock().expect("not poisoned"), 1);
    let lines = texts(&run, 0).await;
    assert!(lines.iter().any(|l| l.2.contains("cleaned")), "{lines:?}");
    assert!(lines.last().is_some_and(|l| l.2.contains("cancelled")));
}

#[tokio::test]
async fn closing_ends_what_runs_and_starts_nothing_more() {
    let (desk, _, runs) = slow();
    let run = runs.start(&lab("01"), PathBuf::from("a"), "a").expect("started");
    runs.start(&lab("02"), PathBuf::from("a"), "a").expect("started");
    runs.close().await;
    assert!(run.is_over());
    assert_eq!(*desk.cleaned.lock().expect("not poisoned"), 2);
    assert_eq!(runs.start(&lab("03"), PathBuf::from("a"), "a").err(), Some(Busy::Closing));
}

#[tokio::test]
async fn a_defect_of_ours_is_told_and_frees_the_lab() {
    let desk = Arc::new(Fake { is_broken: true, ..Fake::default() });
    let runs = Runs::new(desk);
    let run = runs.start(&lab("01"), PathBuf::from("a"), "a").expect("started");
    let lines = texts(&run, 0).await;
    assert!(lines[0].2.contains("\"bug\""), "{lines:?}");
    assert_eq!(lines.last().map(|l| l.2.as_str()), Some("null"));
    assert!(runs.start(&lab("01"), PathBuf::from("a"), "a").is_ok());
}
