//! What a CI's runner says of itself in its environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::args::Global;
use crate::reporter::classroom50::Submission;
use crate::reporter::github::Site;

/// Where GitHub Actions wants things.
pub fn site(global: &Global) -> Site {
    Site { root: root(global), summary: file("GITHUB_STEP_SUMMARY"), outputs: file("GITHUB_OUTPUT") }
}

fn file(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The submission's folder from the root of the repository; empty when it is the root, or elsewhere.
fn root(global: &Global) -> String {
    let inside = || {
        let workspace = file("GITHUB_WORKSPACE")?.canonicalize().ok()?;
        let dir = folder(global).canonicalize().ok()?;
        Some(dir.strip_prefix(workspace).ok()?.to_str()?.to_owned())
    };
    inside().unwrap_or_default()
}

fn folder(global: &Global) -> &Path {
    global.dir.as_deref().unwrap_or(Path::new("."))
}

/// What Classroom 50's runner says of the submission.
pub fn submission(global: &Global) -> Submission {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    Submission {
        classroom: of("CLASSROOM"),
        assignment: of("ASSIGNMENT"),
        submission: of("SUBMISSION_TAG"),
        commit: of("COMMIT_URL"),
        release: of("RELEASE_URL"),
        review: of("REVIEW_URL"),
        datetime: committed(folder(global)),
    }
}

/// Committer date of the checked out commit, UTC; nothing outside of a repository.
fn committed(dir: &Path) -> Option<String> {
    let said = Command::new("git")
        // Nothing of the repository's own configuration may start a program.
        .args(["-c", "log.showSignature=false", "-c", "core.fsmonitor=false", "-c", "core.pager=cat", "-C"])
        .arg(dir)
        .args(["show", "--no-patch", "--no-ext-diff", "--no-textconv", "--format=%ct", "HEAD"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|said| said.status.success())?;
    let seconds = String::from_utf8(said.stdout).ok()?.trim().parse().ok()?;
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_string())
}
