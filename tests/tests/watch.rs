//! The commands that keep a student's stack up: `watch` and `check --keep`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tp_tests::{Submission, docker, everything, ours, signal, start};

/// Longest wait for anything, on a machine that others load.
const PATIENCE: Duration = Duration::from_secs(180);

/// A command that runs on, and what it says.
struct Live {
    child: Child,
    lines: Receiver<String>,
}

impl Live {
    fn start(args: &[&str]) -> Self {
        let mut child = start(args);
        let (send, lines) = channel();
        let out = child.stdout.take().map(|out| Box::new(out) as Box<dyn std::io::Read + Send>);
        let err = child.stderr.take().map(|err| Box::new(err) as Box<dyn std::io::Read + Send>);
        for pipe in [out, err].into_iter().flatten() {
            let send = send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let _ = send.send(line);
                }
            });
        }
        Self { child, lines }
    }

    /// Everything said until a line that contains `last`.
    fn until(&mut self, last: &str) -> String {
        self.until_all(&[last])
    }

    /// Everything said until each of `wanted` was: what goes to the two outputs has no order between them.
    fn until_all(&mut self, wanted: &[&str]) -> String {
        let (deadline, mut said) = (Instant::now() + PATIENCE, String::new());
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    said.push_str(&line);
                    said.push('\n');
                    if wanted.iter().all(|one| said.contains(one)) {
                        return said;
                    }
                }
                Err(e) => {
                    signal(&self.child, Signal::INT);
                    let _ = self.child.wait();
                    let why = if e == RecvTimeoutError::Timeout { "is not said" } else { "was never said" };
                    panic!("« {} » {why}:\n{said}", wanted.join(" », « "));
                }
            }
        }
    }

    /// Ends it; gives its exit code and the rest of what it says.
    fn end(mut self, by: Signal) -> (i32, String) {
        signal(&self.child, by);
        let code = self.child.wait().ok().and_then(|status| status.code()).unwrap_or(-1);
        (code, self.lines.iter().collect::<Vec<_>>().join("\n"))
    }
}

/// Saves a change, and gives what is shown of it. Six checks of lab 02 break something: their tally
/// ends the list.
#[expect(clippy::print_stdout, reason = "the figures of this test")]
fn save(live: &mut Live, what: &str, file: &Path, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert!(text.contains(from), "« {from} » is not in {}", file.display());
    let began = Instant::now();
    std::fs::write(file, text.replacen(from, to, 1)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let said = live.until("pas revus");
    println!("{what}: {:.1} s to the whole list", began.elapsed().as_secs_f64());
    said
}

#[test]
#[ignore = "a minute or more: it saves six times"]
fn each_save_gives_its_verdicts_and_nothing_is_left() {
    let before = everything();
    let copy = Submission::solution("02-deploiement");
    let (compose, app) = (copy.path().join("compose.yaml"), copy.path().join("app/app.js"));
    let dir = copy.path().display().to_string();
    let began = Instant::now();
    let mut live = Live::start(&["watch", "02", "-C", &dir, "--progress", "none"]);
    let said = live.until("pas revus");
    println!("first list: {:.1} s", began.elapsed().as_secs_f64());
    assert!(said.contains("13 acquis · 6 pas revus"), "{said}");

    let build = "    build: ./app\n";
    let label = format!("{build}    labels: {{ essai: \"1\" }}\n");
    let said = save(&mut live, "a label", &compose, build, &label);
    assert!(said.contains("compose.yaml") && said.contains("12 acquis · 7 pas revus"), "{said}");
    // What the image is built from has not changed.
    assert!(said.contains("· npm-ci") && said.contains("✓ sante-api"), "{said}");

    let said = save(&mut live, "app.js broken", &app, "status: 'healthy'", "status: 'malade'");
    assert!(said.contains("✗ sante-api") && said.contains("attendu") && said.contains("malade"), "{said}");
    let said = save(&mut live, "app.js mended", &app, "status: 'malade'", "status: 'healthy'");
    assert!(said.contains("13 acquis · 6 pas revus"), "{said}");

    std::fs::write(copy.path().join("app/.app.js.swp"), "brouillon").unwrap_or_else(|e| panic!("{e}"));
    let text = std::fs::read_to_string(&compose).unwrap_or_else(|e| panic!("{e}"));
    std::fs::write(&compose, format!("{text}\nservices: [\n")).unwrap_or_else(|e| panic!("{e}"));
    let said = live.until("pas de verdict");
    assert!(said.contains("invalide") && said.contains("la pile d'avant reste en marche"), "{said}");
    assert!(!said.contains(".swp"), "{said}");
    let said = save(&mut live, "compose.yaml as before", &compose, "\nservices: [\n", "");
    assert!(said.contains("13 acquis · 6 pas revus"), "{said}");

    let (code, rest) = live.end(Signal::INT);
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("il ne reste rien"), "{rest}");
    assert_eq!(ours(), [0; 4]);
    assert_eq!(everything(), before);
}

#[test]
fn a_stack_that_is_kept_can_be_looked_at_and_goes_when_it_may() {
    let before = everything();
    let copy = Submission::solution("01-reseaux");
    let dir = copy.path().display().to_string();
    let mut live = Live::start(&["check", "01", "-C", &dir, "--keep", "--progress", "none"]);
    let said = live.until_all(&["docker compose -p", "reste en marche ;"]);
    let ps = said.lines().find_map(|line| Some(line.split_once("docker ")?.1.to_owned()));
    let ps = ps.unwrap_or_else(|| panic!("no command is given:\n{said}"));
    let shown = docker(&ps.split_whitespace().collect::<Vec<_>>());
    assert!(shown.contains("serveur") && shown.contains("Up "), "{ps}\n{shown}");
    assert!(!said.contains("ménage"), "{said}");
    let (code, rest) = live.end(Signal::TERM);
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("il ne reste rien"), "{rest}");
    assert_eq!(ours(), [0; 4]);
    assert_eq!(everything(), before);
}
