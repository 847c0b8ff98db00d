//! The copy that mdBook reads: our chapters, one more for each lab, and a complete summary.

use std::path::Path;

use super::material::{self, Material};
use super::{BookError, LabChapter};

/// Lays `src/`, with the labs in it, out in `root`.
pub fn stage(material: &Material, root: &Path) -> Result<(), BookError> {
    let (from, to) = (material.book.join("src"), root.join("src"));
    copy(&from, &to)?;
    for lab in &material.labs {
        write(&to.join(format!("{}.md", lab.slug)), &lab.statement)?;
    }
    let summary = material::read(&from.join("SUMMARY.md"))?;
    write(&to.join("SUMMARY.md"), &complete(&summary, &material.labs)?)
}

/// Puts the labs into the summary: `<!-- tp 01 -->` places one, `<!-- tp -->` places all those that no
/// other line has placed.
pub fn complete(summary: &str, labs: &[LabChapter]) -> Result<String, BookError> {
    let mark = |line: &str| {
        let inside = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim().strip_prefix("tp")?;
        Some(inside.trim().to_owned())
    };
    let placed: Vec<String> = summary.lines().filter_map(mark).filter(|id| !id.is_empty()).collect();
    let entry = |lab: &LabChapter| format!("- [{}]({}.md)\n", lab.title(), lab.slug);
    let mut out = String::new();
    let mut rest = false;
    for line in summary.lines() {
        match mark(line) {
            None => out.push_str(&format!("{line}\n")),
            Some(id) if id.is_empty() => {
                rest = true;
                labs.iter().filter(|l| !placed.contains(&l.lab.id)).for_each(|l| out.push_str(&entry(l)));
            }
            // A lab that is not there yet leaves no trace.
            Some(id) => labs.iter().filter(|l| l.lab.id == id).for_each(|l| out.push_str(&entry(l))),
        }
    }
    if rest {
        return Ok(out);
    }
    Err(BookError::new("SUMMARY.md", "il manque la ligne « <!-- tp --> », où viennent les nouveaux TP"))
}

fn write(path: &Path, text: &str) -> Result<(), BookError> {
    std::fs::write(path, text).map_err(|e| BookError::io(path, &e))
}

/// Copies a folder of plain files.
pub fn copy(from: &Path, to: &Path) -> Result<(), BookError> {
    std::fs::create_dir_all(to).map_err(|e| BookError::io(to, &e))?;
    let entries = std::fs::read_dir(from).map_err(|e| BookError::io(from, &e))?;
    for entry in entries.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            std::fs::copy(&source, &target).map_err(|e| BookError::io(&source, &e))?;
        }
    }
    Ok(())
}
