//! What the chapters are made from: the labs and their statements.

use std::path::{Path, PathBuf};

use super::{BookError, Edition, Order};
use crate::lab::{self, Lab};

/// A lab as a chapter.
#[derive(Clone)]
pub struct LabChapter {
    /// The lab.
    pub lab: Lab,
    /// Folder name, also the name of the page (`02-deploiement`).
    pub slug: String,
    /// `statement.md`.
    pub statement: String,
}

impl LabChapter {
    /// Title in the table of contents and at the top of the page.
    pub fn title(&self) -> String {
        format!("TP {} · {}", self.lab.id, self.lab.title)
    }

    /// Files of `starter` or `solution` that are text, sorted by path.
    pub fn files(&self, part: &str) -> Result<Vec<(PathBuf, String)>, BookError> {
        let root = self.lab.dir.join(part);
        let mut found = Vec::new();
        texts(&root, &root, &mut found)?;
        found.sort();
        Ok(found)
    }
}

/// Everything a chapter may refer to.
#[derive(Clone)]
pub struct Material {
    /// Labs, in order.
    pub labs: Vec<LabChapter>,
    /// Folder of the labs.
    pub dir: PathBuf,
    /// Folder of the book.
    pub book: PathBuf,
    /// Who reads.
    pub edition: Edition,
}

impl Material {
    /// Reads every lab folder: a new one needs no other declaration.
    pub fn read(order: &Order) -> Result<Self, BookError> {
        let mut labs = Vec::new();
        for dir in lab::list(&order.labs) {
            let slug = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let lab = lab::load(&order.labs, &slug).map_err(|e| BookError {
                file: e.file,
                line: e.at.map(|(line, _)| line),
                what: e.what,
            })?;
            let statement = read(&dir.join("statement.md"))?;
            labs.push(LabChapter { lab, slug, statement });
        }
        Ok(Self { labs, dir: order.labs.clone(), book: order.book.clone(), edition: order.edition })
    }

    /// The lab named by its number or its folder.
    pub fn lab(&self, id: &str) -> Option<&LabChapter> {
        self.labs.iter().find(|l| l.lab.id == id || l.slug == id)
    }
}

/// A text file, with line ends of Unix.
pub(super) fn read(path: &Path) -> Result<String, BookError> {
    let text = std::fs::read_to_string(path).map_err(|e| BookError::io(path, &e))?;
    Ok(text.replace("\r\n", "\n"))
}

/// Extension of a file name, without its dot; empty when it has none.
pub(super) fn extension(name: &str) -> &str {
    Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default()
}

/// Text files below `dir`; what is not UTF-8 is left out.
fn texts(root: &Path, dir: &Path, found: &mut Vec<(PathBuf, String)>) -> Result<(), BookError> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if entry.file_name() != "node_modules" {
                texts(root, &path, found)?;
            }
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|e| BookError::io(&path, &e))?;
        if let Ok(text) = String::from_utf8(bytes) {
            let inside = path.strip_prefix(root).unwrap_or(&path).to_owned();
            found.push((inside, text.replace("\r\n", "\n")));
        }
    }
    Ok(())
}
