//! The commands that the book shows with their output, played again. None needs an engine: a report is
//! replayed from the journal of a real run. `UPDATE_TRANSCRIPTS=1` writes what is seen now.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A transcript: `#! arguments`, `$ command as shown`, then the output.
struct Transcript {
    file: PathBuf,
    arguments: String,
    shown: String,
    output: String,
}

fn read(file: PathBuf) -> Transcript {
    let text = std::fs::read_to_string(&file).expect("readable").replace("\r\n", "\n");
    let mut lines = text.splitn(3, '\n');
    let (first, second, rest) = (lines.next(), lines.next(), lines.next().unwrap_or_default());
    let arguments = first.and_then(|l| l.strip_prefix("#! ")).expect("first line: #! arguments").to_owned();
    let shown = second.filter(|l| l.starts_with("$ ")).expect("second line: $ command").to_owned();
    Transcript { file, arguments, shown, output: rest.trim_end().to_owned() }
}

#[test]
fn what_the_book_shows_is_what_the_grader_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("book").join("transcripts");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("book/transcripts")
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut different = Vec::new();
    for transcript in files.into_iter().map(read) {
        let output = Command::new(env!("CARGO_BIN_EXE_grader"))
            .args(transcript.arguments.split_whitespace())
            .current_dir(&root)
            .env("NO_COLOR", "1")
            .env("COLUMNS", "76")
            .env_remove("TP_DOCKER_LABS")
            .output()
            .expect("grader runs");
        let seen: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(|l| l.trim_end().to_owned()).collect();
        let seen = seen.join("\n").trim_end().to_owned();
        if seen == transcript.output {
            continue;
        }
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            let text = format!("#! {}\n{}\n{seen}\n", transcript.arguments, transcript.shown);
            std::fs::write(&transcript.file, text).expect("written");
        } else {
            different.push(format!(
                "{}\n--- book\n{}\n--- now\n{seen}",
                transcript.file.display(),
                transcript.output
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}
