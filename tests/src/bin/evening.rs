//! `make class-evening`: an instructor's evening, measured. For each lab, a class is made from its variants; each copy
//! is graded alone, then the class by `batch`, then again by a `batch` that is killed five times and resumed. The three
//! must agree, and the time is compared with a shell loop over `docker compose up --wait` and `down -v`.
//!
//! Environment: `TP_EVENING_LABS` (`01 02 05`), `TP_EVENING_SIZE` (20 copies a lab), `TP_EVENING_KILLS` (5), `TP_EVENING_DIR`
//! (where the results stay; a temporary folder otherwise).
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::disallowed_methods, reason = "samples at a pace, and a kill at a drawn instant")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tp_tests::{cases, ours, root, run, start};

/// Between two looks at the memory of a batch.
const LOOK: Duration = Duration::from_millis(250);

/// The longest time that the loop gives to one copy, in seconds: some never become healthy.
const LOOP_LIMIT: &str = "120";

/// The verdict of each check of a copy: its id, then its standing.
type Verdicts = BTreeMap<String, String>;

fn main() {
    let env = |key: &str, otherwise: &str| std::env::var(key).unwrap_or_else(|_| otherwise.to_owned());
    let size: usize = env("TP_EVENING_SIZE", "20").parse().expect("TP_EVENING_SIZE is a number");
    let kills: u64 = env("TP_EVENING_KILLS", "5").parse().expect("TP_EVENING_KILLS is a number");
    let temp = tempfile::tempdir().expect("a temporary folder");
    let into = std::env::var_os("TP_EVENING_DIR").map_or_else(|| temp.path().to_owned(), PathBuf::from);
    let mut all = [0.0; 2];
    for number in env("TP_EVENING_LABS", "01 02 05").split_whitespace() {
        let dir = into.join(number);
        let (ours, by_hand) = evening(number, &dir, size, kills);
        all[0] += ours;
        all[1] += by_hand;
    }
    println!("\nensemble : batch {:.0} s, boucle {:.0} s, rapport {:.2}", all[0], all[1], all[1] / all[0]);
    assert_eq!(ours(), [0; 4], "something is left on the engine");
}

/// Everything for one lab; the seconds of the batch and of the loop.
fn evening(number: &str, dir: &Path, size: usize, kills: u64) -> (f64, f64) {
    let class = hand_in(number, &dir.join("copies"), size);
    println!("\nTP {number} : {} copies", class.len());

    let start = Instant::now();
    let alone: BTreeMap<&str, Verdicts> =
        class.keys().map(|name| (name.as_str(), check(number, &dir.join("copies").join(name)))).collect();
    println!("  une par une (check) : {:.0} s", start.elapsed().as_secs_f64());

    let quiet = dir.join("sans-incident");
    let start = Instant::now();
    let memory = watch(batch(number, dir, &quiet, false));
    let took = start.elapsed();
    let half = memory.len() / 2;
    println!(
        "  batch : {:.0} s ; mémoire : pointe {} Mio, médiane {} Mio puis {} Mio (deux moitiés)",
        took.as_secs_f64(),
        memory.iter().max().copied().unwrap_or_default() / 1024,
        median(&memory[..half]) / 1024,
        median(&memory[half..]) / 1024,
    );
    let mut same = 0;
    for (name, verdicts) in verdicts(&quiet) {
        if alone[name.as_str()] == verdicts {
            same += 1;
        } else {
            println!(
                "  DIFFÉRENT : {name} ({})\n    seule : {:?}\n    batch : {verdicts:?}",
                class[&name],
                alone[name.as_str()]
            );
        }
    }
    println!("  verdicts égaux à ceux d'une correction seule : {same}/{}", class.len());

    let killed = dir.join("tue");
    for kill in 0..kills {
        let mut child = batch(number, dir, &killed, kill > 0);
        let share = 2 * kills.max(1);
        let delay =
            Duration::from_millis(draw(u64::try_from(took.as_millis()).unwrap_or(60_000) / share) + 300);
        std::thread::sleep(delay);
        let _ = child.kill();
        let _ = child.wait();
        println!("  SIGKILL n° {} après {:.1} s", kill + 1, delay.as_secs_f64());
    }
    watch(batch(number, dir, &killed, kills > 0));
    let book = |dir: &Path| std::fs::read(dir.join("gradebook.csv")).expect("a gradebook");
    let equal = book(&quiet) == book(&killed);
    println!(
        "  carnet de la correction tuée {kills} fois, octet par octet : {}",
        if equal { "égal" } else { "DIFFÉRENT" }
    );

    let start = Instant::now();
    for name in class.keys() {
        by_hand(&dir.join("copies").join(name));
    }
    let by_hand = start.elapsed().as_secs_f64();
    println!("  boucle up --wait + down -v : {by_hand:.0} s, rapport {:.2}", by_hand / took.as_secs_f64());
    (took.as_secs_f64(), by_hand)
}

/// Lays copies made from the solution and from variants spread over the whole list; names, then what each is.
fn hand_in(number: &str, copies: &Path, size: usize) -> BTreeMap<String, String> {
    let labs = std::fs::read_dir(root().join("labs")).expect("labs");
    let lab = labs
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{number}-")))
        })
        .unwrap_or_else(|| panic!("no lab {number}"));
    let mut variants: Vec<PathBuf> = std::fs::read_dir(lab.join("variants"))
        .expect("variants")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    variants.sort();
    let _ = std::fs::remove_dir_all(copies);
    let mut class = BTreeMap::new();
    for rank in 0..size.min(variants.len() + 1) {
        let name = format!("eleve-{:02}", rank + 1);
        let to = copies.join(&name);
        let dir = match rank {
            0 => lab.join("solution"),
            _ => variants[(rank - 1) * variants.len() / (size - 1).min(variants.len()).max(1)].clone(),
        };
        cases::lay_variant(&lab, &dir, &to).expect("a copy");
        class.insert(name, dir.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    class
}

fn check(number: &str, dir: &Path) -> Verdicts {
    let report =
        run(&["check", number, "-C", &dir.display().to_string(), "--format", "json", "--progress", "none"])
            .json();
    standings(&report)
}

fn standings(report: &Value) -> Verdicts {
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out: Verdicts =
        checks.iter().map(|check| (text(&check["card"]["id"]), text(&check["standing"]))).collect();
    out.insert("= issue".to_owned(), report["exit-code"].to_string());
    out.insert("= note".to_owned(), report["score"]["note"].to_string());
    out
}

fn batch(number: &str, dir: &Path, into: &Path, resume: bool) -> Child {
    let text = |path: &Path| path.display().to_string();
    let (copies, into) = (text(&dir.join("copies")), text(into));
    let mut args = vec!["batch", number, &copies, "--into", &into, "--progress", "none"];
    if resume {
        args.push("--resume");
    }
    start(&args)
}

/// Waits for a batch to end well; its resident memory at each look, in KiB.
fn watch(mut child: Child) -> Vec<u64> {
    let status = format!("/proc/{}/status", child.id());
    let mut seen = Vec::new();
    loop {
        if let Some(ended) = child.try_wait().expect("a child") {
            assert!(ended.success(), "batch ended with {ended}");
            return seen;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        seen.extend(line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()));
        std::thread::sleep(LOOK);
    }
}

fn verdicts(results: &Path) -> BTreeMap<String, Verdicts> {
    let text = std::fs::read_to_string(results.join("class.json")).expect("class.json");
    let class: Value = serde_json::from_str(&text).expect("JSON");
    let copies = class["submissions"].as_array().cloned().unwrap_or_default();
    copies
        .iter()
        .map(|one| (one["folder"].as_str().unwrap_or_default().to_owned(), standings(&one["report"])))
        .collect()
}

/// The student's cycle, whatever comes of it.
fn by_hand(dir: &Path) {
    let compose = |args: &[&str]| {
        let mut command = Command::new("timeout");
        command.args([LOOP_LIMIT, "docker", "compose", "-p", "tpclasse"]).args(args).current_dir(dir);
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    };
    compose(&["up", "--wait"]);
    compose(&["down", "-v", "--rmi", "local"]);
}

fn median(values: &[u64]) -> u64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A number below `limit`, from the machine's own source of chance.
fn draw(limit: u64) -> u64 {
    use std::io::Read;
    let mut bytes = [0; 8];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.expect("/dev/urandom");
    u64::from_le_bytes(bytes) % limit.max(1)
}
