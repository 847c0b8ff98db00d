//! A class graded by a Docker Swarm job, as `.github/classroom/class-stack.yaml` has it, on an engine of the
//! test's own. Long: run by `make class-swarm`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tp_tests::grader::Grader;
use tp_tests::private::Private;
use tp_tests::{copy, docker, root};

/// Longest wait for the whole class, on a machine that others load.
const PATIENCE: Duration = Duration::from_secs(900);
/// What the image of the tasks is made from.
const BASE: &str = "debian:bookworm";
/// The image that the manifest names.
const IMAGE: &str = "docker:27-cli";
/// Parts, so that at least two hold a student.
const PARTS: &str = "3";

/// A swarm of one node; it ends with the test, whatever comes of it.
struct Swarm {
    engine: Private,
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = self.engine.docker(&["swarm", "leave", "--force"]);
    }
}

impl Swarm {
    /// State of each task, by its slot; a task that was replaced is there too.
    fn tasks(&self) -> Vec<String> {
        let form = "{{.Name}} {{.CurrentState}} {{.Error}}";
        let said = self.engine.docker(&["stack", "ps", "classe", "--no-trunc", "--format", form]);
        said.lines().map(str::to_owned).collect()
    }

    /// The containers of tasks that run.
    fn running(&self) -> Vec<String> {
        let said = self.engine.docker(&["ps", "-q", "--filter", "name=classe_correction"]);
        said.lines().map(str::to_owned).collect()
    }

    /// The image of the tasks: the base with the docker client, its plugins, and the libraries that they and
    /// the grader of this machine were linked with.
    fn image(&self, grader: &Path) {
        let plugins = Path::new("/usr/libexec/docker/cli-plugins");
        let tools = ["docker-compose", "docker-buildx"].map(|name| plugins.join(name));
        let client = said(Command::new("sh").args(["-c", "command -v docker"]));
        let mut files: BTreeSet<PathBuf> = tools.iter().cloned().collect();
        files.insert(client.trim().into());
        for program in tools.iter().map(PathBuf::as_path).chain([grader]) {
            let linked = said(Command::new("ldd").arg(program));
            let paths = linked.split_whitespace().filter(|word| word.starts_with('/'));
            // Where they really are: « /lib » is a link in both systems.
            files.extend(paths.filter_map(|path| Path::new(path).canonicalize().ok()));
        }
        let _ = self.engine.docker(&["create", "--name", "modele", BASE, "true"]);
        let host = self.engine.host();
        let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let script = "tar -chf - \"$@\" | docker -H \"$0\" cp - modele:/";
        let relative = list.iter().map(|file| file.trim_start_matches('/'));
        let copied = Command::new("sh").args(["-c", script, &host]).args(relative).current_dir("/").status();
        assert!(copied.is_ok_and(|status| status.success()), "{list:?}");
        let _ = self.engine.docker(&["commit", "modele", IMAGE]);
        let _ = self.engine.docker(&["rm", "modele"]);
    }
}

fn said(command: &mut Command) -> String {
    let output = command.stderr(Stdio::null()).output().unwrap_or_else(|e| panic!("{e}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn make(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}

/// What every node sees: four copies and a student who hands nothing in, and the grader.
fn class(dir: &Path, grader: &Path) {
    let lab = root().join("labs/01-reseaux");
    let hand_in = |name: &str, variant: &str| {
        let copy_of = dir.join("copies").join(name);
        copy(&lab.join("solution"), &copy_of);
        if !variant.is_empty() {
            copy(&lab.join("variants").join(variant), &copy_of);
        }
    };
    hand_in("zoe", "");
    hand_in("hugo", "ko-isole-par-defaut");
    hand_in("martin", "ok-interne");
    hand_in("ines", "");
    write(&dir.join("copies/ines/compose.yaml"), "services: [\n");
    write(&dir.join("classe.csv"), "login;nom\nzoe;Zoé\nhugo;Hugo\nines;Inès\nmartin;Martin\nleroy;Leroy\n");
    let tools = dir.join("correcteur");
    copy(&lab, &tools.join("labs/01-reseaux"));
    copy(&root().join("labs/images"), &tools.join("labs/images"));
    let beside = grader.parent().unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(beside).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "grader" || (name.starts_with("grader-probe-") && !name.contains('.')) {
            let copied = std::fs::copy(entry.path(), tools.join(&name));
            copied.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

/// Looks again and again until it holds; what there was to see when it never did.
fn until(what: &str, deadline: Instant, seen: impl Fn() -> Result<(), String>) {
    while let Err(state) = seen() {
        assert!(Instant::now() < deadline, "{what} :\n{state}");
        #[expect(clippy::disallowed_methods, reason = "a bounded poll")]
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
#[ignore = "some minutes: a class in a swarm, one of its tasks killed"]
fn a_swarm_job_grades_as_one_batch_does() {
    if !docker(&["image", "inspect", "--format", "présente", BASE]).starts_with("présente") {
        println!("non vérifié : l'image {BASE} manque (« grader images build » la construit)");
        return;
    }
    let Some(engine) = Private::start(&[BASE, "nginx:alpine", "alpine:3"]) else {
        println!("non vérifié : un moteur à part demande root et « unshare »");
        return;
    };
    let local = ["swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377"];
    let said = engine.docker(&local);
    let swarm = Swarm { engine };
    assert!(said.contains("is now a manager"), "{said}");
    let grader = tp_tests::grader();
    let (dir, work) = (swarm.engine.dir().join("classe"), swarm.engine.dir().join("travail"));
    make(&work);
    make(&dir.join("correcteur"));
    class(&dir, &grader);
    swarm.image(&grader);

    let deadline = Instant::now() + PATIENCE;
    let start = Instant::now();
    let host = swarm.engine.host();
    let manifest = root().join(".github/classroom/class-stack.yaml").display().to_string();
    let deploy = ["stack", "deploy", "--resolve-image", "never", "--compose-file", &manifest, "classe"];
    let mut command = Command::new("docker");
    command.args(["-H", &host]).args(deploy);
    command.env("CLASS", &dir).env("WORK", &work).env("SOCKET", host.trim_start_matches("unix://"));
    let command = command.env("LAB", "01").env("PARTS", PARTS).env("NODES", "node.role == manager");
    let deployed = command.output().unwrap_or_else(|e| panic!("{e}"));
    assert!(deployed.status.success(), "{}", String::from_utf8_lossy(&deployed.stderr));

    // One task is killed in the middle of a submission: what it had started stays until another comes.
    let journal = |part: u32| dir.join(format!("part-{part}/journal.jsonl"));
    until("aucune copie ne commence", deadline, || {
        let began = (1..=3).filter_map(|part| std::fs::read_to_string(journal(part)).ok());
        if began.into_iter().any(|text| text.contains("\"began\"")) {
            Ok(())
        } else {
            Err(swarm.tasks().join("\n"))
        }
    });
    let killed = swarm.running();
    for id in &killed {
        let _ = swarm.engine.docker(&["kill", id]);
    }
    until("le travail ne finit pas", deadline, || {
        let tasks = swarm.tasks();
        let complete = tasks.iter().filter(|task| task.contains(" Complete ")).count();
        if complete == 3 { Ok(()) } else { Err(tasks.join("\n")) }
    });
    let took = start.elapsed();
    let failed = swarm.tasks().iter().filter(|task| task.contains(" Failed ")).count();
    assert_eq!((killed.len(), failed), (1, 1), "{:?}", swarm.tasks());

    let grader = Grader::on(&host);
    let path = |name: &str| dir.join(name).display().to_string();
    let parts: Vec<String> = (1..=3).map(|part| path(&format!("part-{part}"))).collect();
    let (copies, list, whole, plain) =
        (path("copies"), path("classe.csv"), path("resultats"), path("d-une-traite"));
    let merged = grader.run(&["merge", &parts[0], &parts[1], &parts[2], "--into", &whole]);
    assert_eq!(merged.code, 0, "{}{}", merged.out, merged.err);
    let batch = ["batch", "01", &copies, "--roster", &list, "--into", &plain, "--progress", "plain"];
    let alone = grader.run(&batch);
    assert_eq!(alone.code, 0, "{}{}", alone.out, alone.err);
    let book = |results: &str| {
        let file = Path::new(results).join("gradebook.csv");
        std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    };
    assert_eq!(book(&whole), book(&plain));
    assert_eq!(book(&whole).lines().count(), 6, "{}", book(&whole));

    // Nothing of the killed task is left either.
    let label = "label=tp-docker.session";
    for list in ["ps -aq", "network ls -q", "volume ls -q", "images -q"] {
        let args: Vec<&str> = list.split(' ').chain(["--filter", label]).collect();
        assert_eq!(swarm.engine.docker(&args).trim(), "", "{args:?}");
    }
    println!(
        "Swarm : {} parts, une tâche tuée et reprise, carnet identique à l'octet ({:.0} s)",
        parts.len(),
        took.as_secs_f64()
    );
    let _ = swarm.engine.docker(&["stack", "rm", "classe"]);
}
