//! Harness of the end-to-end tests: the real `grader` binary, on a real engine.

pub mod cases;
pub mod faulty;
pub mod grader;
pub mod private;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The `grader` binary: `TP_GRADER`, else the release build of this workspace.
pub fn grader() -> PathBuf {
    std::env::var_os("TP_GRADER").map_or_else(|| root().join("target/release/grader"), PathBuf::from)
}

/// A finished command.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// The standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("not JSON ({e}):\n{}\n{}", self.out, self.err))
    }
}

/// State directory of the tests: an install of its own, so that other runs of the grader on the
/// same engine are neither counted nor swept.
fn state() -> PathBuf {
    root().join("target/tests-state")
}

/// `grader` with these arguments, in the project's root, nothing of the caller's terminal.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(grader());
    command
        .args(args)
        .current_dir(root())
        .env_remove("DOCKER_HOST")
        .env("XDG_STATE_HOME", state())
        .stdin(Stdio::null());
    command
}

/// Runs `grader` to its end.
pub fn run(args: &[&str]) -> Ended {
    command(args).output().unwrap_or_else(|e| panic!("{} : {e}", grader().display())).into()
}

/// Starts `grader` and leaves it running.
pub fn start(args: &[&str]) -> Child {
    command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{} : {e}", grader().display()))
}

/// Objects of this install's sessions on the engine, by label: containers, networks, volumes,
/// images.
pub fn ours() -> [usize; 4] {
    ours_in(&state(), None)
}

/// The same for the install that keeps its state in this folder, on this engine.
pub fn ours_in(state: &Path, host: Option<&str>) -> [usize; 4] {
    let Ok(install) = std::fs::read_to_string(state.join("tp-docker/install-id")) else { return [0; 4] };
    let label = format!("label=tp-docker.install={}", install.trim());
    let count = |args: &[&str]| {
        let filters = ["--filter", "label=tp-docker.session", "--filter", &label, "-q"];
        let mut docker = Command::new("docker");
        let docker = docker.args(host.iter().flat_map(|host| ["-H", host])).args(args).args(filters);
        docker.output().map_or(0, |o| String::from_utf8_lossy(&o.stdout).lines().count())
    };
    [count(&["ps", "-a"]), count(&["network", "ls"]), count(&["volume", "ls"]), count(&["images"])]
}

/// Everything on the engine, ours or not: containers, networks, volumes. With `TP_SHARED_ENGINE`
/// (other people work on this engine meanwhile) nothing can be said: zeros.
pub fn everything() -> [usize; 3] {
    if std::env::var_os("TP_SHARED_ENGINE").is_some() {
        return [0; 3];
    }
    let count = |args: &[&str]| {
        let output = Command::new("docker").args(args).arg("-q").output();
        output.map_or(0, |o| String::from_utf8_lossy(&o.stdout).lines().count())
    };
    [count(&["ps", "-a"]), count(&["network", "ls"]), count(&["volume", "ls"])]
}

/// A throwaway submission.
pub struct Submission {
    dir: tempfile::TempDir,
}

impl Submission {
    /// An empty folder.
    pub fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap_or_else(|e| panic!("no temporary directory: {e}")) }
    }

    /// A copy of a lab's solution.
    pub fn solution(lab: &str) -> Self {
        let submission = Self::empty();
        copy(&root().join("labs").join(lab).join("solution"), submission.path());
        submission
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file.
    pub fn with(self, file: &str, text: &str) -> Self {
        let path = self.path().join(file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
        }
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        self
    }

    /// Removes a file.
    pub fn without(self, file: &str) -> Self {
        let path = self.path().join(file);
        std::fs::remove_file(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        self
    }

    /// Replaces a text of a file; it must be there.
    pub fn edit(self, file: &str, from: &str, to: &str) -> Self {
        let path = self.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(text.contains(from), "« {from} » is not in {file}:\n{text}");
        let text = text.replace(from, to);
        self.with(file, &text)
    }

    /// `grader check LAB -C folder` with more arguments.
    pub fn check(&self, lab: &str, more: &[&str]) -> Ended {
        let dir = self.path().display().to_string();
        let mut args = vec!["check", lab, "-C", &dir, "--progress", "none"];
        args.extend(more);
        run(&args)
    }
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())).flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if let Err(e) = std::fs::copy(entry.path(), &target) {
            panic!("{}: {e}", target.display());
        }
    }
}

/// Sends a signal to a child.
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// What the docker client says.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output();
    output.map_or_else(
        |e| e.to_string(),
        |o| format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr)),
    )
}
