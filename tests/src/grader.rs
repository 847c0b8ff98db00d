//! A grader with a state of its own, on an engine of choice.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Ended, command, ours_in, root};

/// A grader with a state of its own, on an engine that can fail.
pub struct Grader {
    state: tempfile::TempDir,
    host: String,
}

impl Grader {
    /// On the engine at this address.
    pub fn on(host: &str) -> Self {
        let state = tempfile::tempdir().unwrap_or_else(|e| panic!("no folder: {e}"));
        Self { state, host: host.to_owned() }
    }

    /// Where it keeps its state.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// `grader` with these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.env("XDG_STATE_HOME", self.state.path()).env("DOCKER_HOST", &self.host);
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap_or_else(|e| panic!("{e}")).into()
    }

    /// A check of a folder, as JSON.
    pub fn check(&self, lab: &str, dir: &Path) -> Command {
        let dir = dir.display().to_string();
        self.command(&["check", lab, "-C", &dir, "--format", "json", "--progress", "none"])
    }

    /// What is left once `clean` has run, supervisors given the time to finish.
    pub fn left(&self) -> [usize; 4] {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let _ = self.run(&["clean"]);
            let left = ours_in(self.state.path(), Some(&self.host));
            if left == [0; 4] || Instant::now() > deadline {
                return left;
            }
        }
    }
}

/// Folder of a lab's solution.
pub fn solution(lab: &str) -> PathBuf {
    std::fs::read_dir(root().join("labs"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("solution"))
        .find(|path| path.to_string_lossy().contains(&format!("/{lab}-")))
        .unwrap_or_else(|| panic!("no lab {lab}"))
}

/// Runs a command to its end.
pub fn output(mut command: Command) -> Ended {
    command.output().unwrap_or_else(|e| panic!("{e}")).into()
}
