//! The files of a submission that are compared: small texts, no link followed, nothing special opened.

use std::path::Path;

use super::{File, Work};

/// Files of one submission.
const FILES: usize = 200;
/// Bytes of one file, and of all of one submission.
const BYTES: (u64, u64) = (256 << 10, 1 << 20);
/// Deepest folder.
const DEPTH: usize = 8;
/// Folders that hold nobody's work.
const FOREIGN: [&str; 6] = ["node_modules", "vendor", "__pycache__", "venv", "target", "dist"];
/// Texts that everybody answers alike, or that a tool writes.
const PROSE: [&str; 6] = [".md", ".txt", ".lock", ".svg", ".csv", "-lock.json"];

/// Reads the folder of a submission; `except` are files of the lab that are not compared.
pub fn read(dir: &Path, name: &str, except: &[&str]) -> Work {
    let mut work = Work { name: name.to_owned(), ..Work::default() };
    let mut room = BYTES.1;
    walk(dir, "", 0, &mut room, except, &mut work.files);
    work.files.sort_by(|a, b| a.path.cmp(&b.path));
    work
}

fn walk(dir: &Path, prefix: &str, depth: usize, room: &mut u64, except: &[&str], files: &mut Vec<File>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    // What is over the cap is the same at every reading.
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            if depth < DEPTH && !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                walk(&entry.path(), &path, depth + 1, room, except, files);
            }
            continue;
        }
        let lower = name.to_lowercase();
        let skipped = PROSE.iter().any(|end| lower.ends_with(end)) || except.contains(&path.as_str());
        if !kind.is_file() || skipped || files.len() >= FILES {
            continue;
        }
        let fits = |len: u64| len > 0 && len <= BYTES.0.min(*room);
        if !entry.metadata().is_ok_and(|meta| fits(meta.len())) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        if text.contains('\0') {
            continue;
        }
        *room = room.saturating_sub(text.len() as u64);
        files.push(File { path, text });
    }
}
