//! The corpora of the labs on a real engine: the solution and every `ok-*` at full marks,
//! each `ko-*` failing exactly the expected ids, the starter below full marks.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use tp_tests::{ours, run};

fn corpus(lab: &str) {
    // The long form (every variant) is `make test-all`.
    let mut args = vec!["lab", "test", lab];
    if std::env::var_os("TP_ALL").is_none() {
        args.push("--core");
    }
    let ended = run(&args);
    println!("{}", ended.out);
    assert_eq!(ended.code, 0, "lab test {lab}\n{}\n{}", ended.out, ended.err);
    assert_eq!(ours(), [0; 4], "something is left");
}

#[test]
fn lab_01_corpus_is_as_expected() {
    corpus("01");
}

#[test]
fn lab_02_corpus_is_as_expected() {
    corpus("02");
}

#[test]
#[ignore = "needs the images of lab 03 (make test-all)"]
fn lab_03_corpus_is_as_expected() {
    corpus("03");
}

#[test]
#[ignore = "needs the images of lab 04 (make test-all)"]
fn lab_04_corpus_is_as_expected() {
    corpus("04");
}

#[test]
#[ignore = "needs the images of lab 05 (make test-all)"]
fn lab_05_corpus_is_as_expected() {
    corpus("05");
}

#[test]
#[ignore = "needs the images of lab 06 (make test-all)"]
fn lab_06_corpus_is_as_expected() {
    corpus("06");
}

#[test]
#[ignore = "needs the images of lab 07 (make test-all)"]
fn lab_07_corpus_is_as_expected() {
    corpus("07");
}

#[test]
#[ignore = "needs the images of lab 08 (make test-all)"]
fn lab_08_corpus_is_as_expected() {
    corpus("08");
}

#[test]
#[ignore = "needs the images of lab 09 (make test-all)"]
fn lab_09_corpus_is_as_expected() {
    corpus("09");
}

#[test]
#[ignore = "needs the images of lab 10 (make test-all)"]
fn lab_10_corpus_is_as_expected() {
    corpus("10");
}

#[test]
#[ignore = "needs the images of lab 11 (make test-all)"]
fn lab_11_corpus_is_as_expected() {
    corpus("11");
}
