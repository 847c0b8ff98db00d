//! Folders of a submission: what they hold, and changed copies of them.

use std::io;
use std::path::{Path, PathBuf};

use super::build::BuildRequest;
use crate::check::world::Alteration;

/// Copies a build context and changes it; gives the new context and Dockerfile.
pub(super) fn alter(
    request: &BuildRequest,
    scratch: &Path,
    change: &Alteration,
) -> io::Result<(PathBuf, PathBuf)> {
    let context = scratch.join("context");
    copy_tree(&request.context, &context)?;
    let dockerfile = match request.dockerfile.strip_prefix(&request.context) {
        Ok(inside) => context.join(inside),
        Err(_) => request.dockerfile.clone(),
    };
    match change {
        Alteration::Replace { file, content } => std::fs::write(context.join(file), content)?,
    }
    Ok((context, dockerfile))
}

/// Most files that [`crate::check::World::files`] names.
const FILES: usize = 500;

/// The regular files beneath a folder, by name, no deeper than `depth`.
pub(super) fn list_tree(dir: &Path, inside: &str, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        if found.len() >= FILES {
            return;
        }
        let path = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
        if kind.is_file() {
            found.push(path);
        } else if kind.is_dir() && depth > 0 && !matches!(name.as_str(), "node_modules" | ".git") {
            list_tree(&entry.path(), &path, depth - 1, found);
        }
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        } else {
            #[cfg(unix)]
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        }
    }
    Ok(())
}
