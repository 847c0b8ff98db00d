//! A class on a real engine: killed, interrupted, resumed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tp_tests::{Ended, copy, ours, root, run, signal, start};

/// Longest wait for anything, on a machine that others load.
const PATIENCE: Duration = Duration::from_secs(300);

/// A class of six, one of whom hands nothing in and one of whom is not in the list.
struct Class {
    dir: tempfile::TempDir,
}

impl Class {
    fn new() -> Self {
        let class = Self { dir: tempfile::tempdir().unwrap_or_else(|e| panic!("{e}")) };
        class.hand_in("Zoé Martin", |_| {});
        class.hand_in("durand", |dir| remove(&dir.join("reponses.yaml")));
        class.hand_in("petit", |dir| write(&dir.join("compose.yaml"), "services: [\n"));
        class.hand_in("=cmd|' -C calc'!A0", |dir| {
            let compose = dir.join("compose.yaml");
            let text = std::fs::read_to_string(&compose).unwrap_or_else(|e| panic!("{e}"));
            write(&compose, &text.replacen("    image:", "    privileged: true\n    image:", 1));
        });
        std::fs::create_dir(class.copies().join("vide")).unwrap_or_else(|e| panic!("{e}"));
        let list = "Nom;login\nMartin;zoe martin\nDurand;durand\nPetit;petit\nLeroy;leroy\n\"=1+1\";vide\nDurand;durand\n";
        write(&class.path("classe.csv"), list);
        class
    }

    fn hand_in(&self, name: &str, change: impl Fn(&Path)) {
        let dir = self.copies().join(name);
        copy(&root().join("labs/01-reseaux/solution"), &dir);
        change(&dir);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn copies(&self) -> PathBuf {
        self.path("copies")
    }

    fn args(&self, into: &str, more: &[&str]) -> Vec<String> {
        let text = |path: PathBuf| path.display().to_string();
        let roster = text(self.path("classe.csv"));
        let (copies, out) = (text(self.copies()), text(self.path(into)));
        let fixed = ["batch", "01", &copies, "--roster", &roster, "--into", &out, "--progress", "plain"];
        fixed.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    }

    fn grade(&self, into: &str, more: &[&str]) -> Ended {
        let args = self.args(into, more);
        run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn begin(&self, into: &str, more: &[&str]) -> Child {
        let args = self.args(into, more);
        start(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    /// Waits for that many records of a kind in a journal.
    fn until(&self, into: &str, kind: &str, count: usize) {
        let (deadline, sought) = (Instant::now() + PATIENCE, format!("\"record\":{{\"{kind}\""));
        let seen = || {
            let journal = std::fs::read_to_string(self.path(into).join("journal.jsonl"));
            journal.unwrap_or_default().matches(&sought).count()
        };
        while seen() < count {
            assert!(Instant::now() < deadline, "no {count} « {kind} » in the journal");
            #[expect(clippy::disallowed_methods, reason = "a bounded poll")]
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}

fn remove(file: &Path) {
    std::fs::remove_file(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}

/// How many times each key got a verdict that stands.
fn firm(journal: &str) -> BTreeMap<String, usize> {
    let mut firm = BTreeMap::new();
    for line in journal.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let ended = &line["record"]["ended"];
        let standing = ended["result"]["standing"].as_str().unwrap_or_default();
        if ["graded", "refused", "invalid"].contains(&standing) && ended["doubt"].is_null() {
            *firm.entry(ended["terms"]["key"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    firm
}

#[test]
fn killed_and_resumed_the_gradebook_is_the_same() {
    let class = Class::new();
    let quiet = class.grade("sans-incident", &["--jobs", "2"]);
    assert_eq!(quiet.code, 0, "{}{}", quiet.out, quiet.err);
    let book = class.read("sans-incident/gradebook.csv");
    let lines: Vec<&str> = book.trim_start_matches('\u{feff}').lines().collect();
    assert!(lines[0].starts_with("Nom;login;dossier;clé;état;note sur 20;"), "{book}");
    assert!(
        lines[1].starts_with("Martin;zoe martin;Zoé Martin;Zoe-Martin-") && lines[1].contains(";noté;20;"),
        "{book}"
    );
    assert!(lines[2].starts_with("Durand;durand;durand;durand;noté;"), "{book}");
    assert!(lines[3].contains(";petit;petit;invalide;;;"), "{book}");
    assert!(lines[4].starts_with("Leroy;leroy;;leroy;non rendu;;"), "{book}");
    assert!(lines[5].starts_with("'=1+1;vide;vide;vide;invalide;"), "{book}");
    assert!(lines[6].contains("'=cmd|' -C calc'!A0") && lines[6].contains(";refusé;"), "{book}");
    assert_eq!(lines.len(), 7, "{book}");
    assert!(quiet.err.contains("la colonne « login »") || quiet.err.contains("login"), "{}", quiet.err);

    // Killed once while the first is graded, once more when some are scored.
    let mut child = class.begin("tue", &["--jobs", "2"]);
    class.until("tue", "began", 1);
    let _ = child.kill();
    let _ = child.wait();
    let mut child = class.begin("tue", &["--jobs", "2", "--resume"]);
    class.until("tue", "ended", 1);
    let _ = child.kill();
    let _ = child.wait();
    let before = class.read("tue/journal.jsonl");
    let whole = &before[..before.rfind('\n').map_or(0, |at| at + 1)];
    let scored = firm(whole);
    assert!(!scored.is_empty());
    // Interrupted the polite way.
    let child = class.begin("tue", &["--jobs", "1", "--resume"]);
    class.until("tue", "opened", 3);
    signal(&child, Signal::INT);
    let ended: Ended = child.wait_with_output().unwrap_or_else(|e| panic!("{e}")).into();
    assert_eq!(ended.code, 130, "{}{}", ended.out, ended.err);
    let resumed = class.grade("tue", &["--jobs", "2", "--resume"]);
    assert_eq!(resumed.code, 0, "{}{}", resumed.out, resumed.err);
    assert_eq!(class.read("tue/gradebook.csv"), book);
    let journal = class.read("tue/journal.jsonl");
    assert!(journal.starts_with(whole), "nothing that was written is lost");
    assert!(
        firm(&journal).values().all(|times| *times == 1),
        "nothing that was scored is repeated: {journal}"
    );

    // Nothing is left to do, and nothing is done.
    let again = class.grade("tue", &["--resume"]);
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    assert_eq!(
        class.read("tue/journal.jsonl").matches("\"began\"").count(),
        journal.matches("\"began\"").count()
    );
    assert_eq!(class.read("tue/gradebook.csv"), book);
    // A folder that holds results is not begun again by mistake.
    let refused = class.grade("tue", &[]);
    assert_eq!(refused.code, 2, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("--resume"), "{}", refused.err);

    // What others read.
    let json: serde_json::Value =
        serde_json::from_str(&class.read("tue/class.json")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((&json["format"], json["submissions"].as_array().map(Vec::len)), (&1.into(), Some(6)));
    let zoe = &json["submissions"][0];
    assert_eq!(zoe["report"]["score"]["note"], 20.0);
    let page = class.read(&format!("tue/{}", zoe["page"].as_str().unwrap_or_default()));
    assert!(page.contains("20/20"));
    let events =
        class.path("tue").join("students").join(zoe["key"].as_str().unwrap_or_default()).join("run.jsonl");
    assert_eq!(run(&["replay", &events.display().to_string()]).code, 0);
    assert!(class.read("tue/index.html").contains("Réussite par contrôle"));
    assert_eq!(ours(), [0; 4], "nothing is left on the engine");
}
