//! What grades, as receipts say it.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::lab::Lab;
use crate::report::class::Ruler;

/// What stands in the folder of a lab and judges nothing.
const IDLE: [&str; 5] = ["starter", "solution", "variants", "statement.md", "demo.txt"];

/// This grader and this lab.
///
/// # Errors
///
/// The lab cannot be read.
pub fn ruler(lab: &Lab) -> io::Result<Ruler> {
    let binary = std::env::current_exe().and_then(|path| sum(&path)).unwrap_or_default();
    Ok(Ruler { grader: env!("CARGO_PKG_VERSION").to_owned(), binary, lab: judges(&lab.dir)? })
}

/// The sum of the files of a lab that judge, by path.
fn judges(dir: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !IDLE.contains(&name.as_str()) && !name.starts_with('.') {
            walk(&entry.path(), &name, &mut lines)?;
        }
    }
    lines.sort();
    Ok(hex::encode(Sha256::digest(lines.join("\n"))))
}

fn walk(path: &Path, name: &str, lines: &mut Vec<String>) -> io::Result<()> {
    let kind = path.symlink_metadata()?.file_type();
    if kind.is_dir() {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            walk(&entry.path(), &format!("{name}/{}", entry.file_name().to_string_lossy()), lines)?;
        }
    } else if kind.is_file() {
        lines.push(format!("{name} {}", sum(path)?));
    }
    Ok(())
}

fn sum(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut std::fs::File::open(path)?, &mut digest)?;
    Ok(hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_judges_counts() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("lab.toml", "format = 1\n");
        let first = judges(dir.path()).expect("read");
        write("starter/compose.yaml", "x");
        write("statement.md", "x");
        assert_eq!(judges(dir.path()).expect("read"), first);
        write("rules/a.yml", "x");
        assert_ne!(judges(dir.path()).expect("read"), first);
    }
}
