//! Paths of the machine: what leaves the staged copy, and what could be made to.

use std::path::{Component, Path, PathBuf};

use crate::compose::gate::clean;
use crate::compose::model::ComposeModel;

/// True for what Compose or BuildKit would fetch rather than open: an address, or a git repository
/// in one of its spellings (`user@host:path`, `github.com/…`, `host/path.git`).
pub(in crate::compose) fn is_remote(text: &str) -> bool {
    let lower = text.trim().to_ascii_lowercase();
    let user = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let ssh = lower.split_once('@').is_some_and(|(name, rest)| user(name) && rest.contains(':'));
    let repository = lower.split(['#', '?']).next().unwrap_or_default();
    let bare = !lower.starts_with(['.', '/'])
        && repository.contains('/')
        && repository.rsplit('.').next() == Some("git");
    lower.contains("://") || ssh || bare || lower.starts_with("github.com/") || lower.starts_with("oci:")
}

/// True when an absolute path leaves the copy, by its text or by its links.
pub(super) fn outside(model: &ComposeModel, path: &str) -> bool {
    let path = Path::new(path);
    let cleaned = clean(path);
    if !cleaned.starts_with(&model.root) || through_left_out(model, &cleaned) {
        return true;
    }
    // The rewrite writes the cleaned path, but what is there now must not lead out either.
    path.canonicalize().is_ok_and(|real| !real.starts_with(&model.root))
        || real(&cleaned).is_none_or(|real| !real.starts_with(&model.root))
}

/// A path as a student would write it: relative to the folder handed in, with `..` when it
/// leaves it by a relative way. The place of the copy on this machine is never shown.
pub(super) fn shown(model: &ComposeModel, path: &str) -> String {
    let cleaned = clean(Path::new(path));
    for (ups, ancestor) in model.root.ancestors().enumerate() {
        if let (Ok(rest), Some(_)) = (cleaned.strip_prefix(ancestor), ancestor.parent()) {
            let relative: PathBuf =
                std::iter::repeat_n(Component::ParentDir, ups).chain(rest.components()).collect();
            return relative.display().to_string();
        }
    }
    path.to_owned()
}

/// True when the path passes by a link that was left out of the copy.
pub(super) fn through_left_out(model: &ComposeModel, cleaned: &Path) -> bool {
    // Also when it gets there by another link.
    let led = real(cleaned);
    model
        .left_out
        .iter()
        .map(|link| model.root.join(link))
        .any(|link| cleaned.starts_with(&link) || led.as_ref().is_some_and(|led| led.starts_with(&link)))
}

/// Where a path leads, its missing end kept as it is. `None` when it cannot be told.
pub(in crate::compose) fn real(path: &Path) -> Option<PathBuf> {
    let mut at = path.to_owned();
    let mut missing: Vec<std::ffi::OsString> = Vec::new();
    while at.symlink_metadata().is_err() {
        missing.push(at.file_name()?.to_owned());
        at = at.parent()?.to_owned();
    }
    let mut real = at.canonicalize().ok()?;
    real.extend(missing.iter().rev());
    Some(real)
}

/// True for a path that is, or holds, the engine's socket.
pub(super) fn is_engine_socket(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.ends_with("docker.sock")
        || text.ends_with("containerd.sock")
        || text.ends_with("podman.sock")
        || matches!(text.as_ref(), "/run/docker" | "/var/run/docker")
}

#[cfg(test)]
mod tests {
    use super::is_remote;

    #[test]
    fn addresses_and_repositories() {
        for text in [
            "https://x.invalid/a",
            "git@x.invalid:a",
            "robot-1@127.0.0.1:a",
            "github.com/a/b",
            "127.0.0.1:8080/x.git#main",
            "oci://x",
            "HTTP://x",
        ] {
            assert!(is_remote(text), "{text}");
        }
        for text in ["./x.git", "../a/x.git", "/abs/x.git", "x.git", "a/b.txt", "package@1.2.tgz", ".git"] {
            assert!(!is_remote(text), "{text}");
        }
    }
}
