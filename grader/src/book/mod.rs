//! The course: `book/` and the statements of `labs/`, rendered by mdBook.
//!
//! A build has three steps. [`stage`] lays a copy out as mdBook wants it (a lab is a chapter without anyone
//! listing it). mdBook renders it with our theme, after our preprocessor
//! ([`preprocess`]) has replaced directives, boxes, quizzes and diagrams. [`pages`] then finishes the HTML: typography, table of contents, search index.
//! [`verify`] reads the result as a reader's browser would.

mod build;
mod diagram;
mod excerpt;
mod html;
mod material;
mod pages;
mod preprocess;
mod search;
mod serve;
mod stage;
#[cfg(test)]
mod tests;
mod verify;
mod warnings;

use std::path::PathBuf;

pub use self::build::{Built, build};
pub use self::material::{LabChapter, Material};
pub use self::serve::serve;
pub use self::verify::{Finding, verify};

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// Contains no solution, in no file.
    Student,
    /// Adds to each lab its solution and its typical mistakes.
    Teacher,
}

/// What to build, from where.
#[derive(Clone, Debug)]
pub struct Order {
    /// Folder of the labs.
    pub labs: PathBuf,
    /// Folder of the book (`book.toml`, `src/`, `theme/`).
    pub book: PathBuf,
    /// Who reads.
    pub edition: Edition,
    /// Folder to write; replaced if it holds a book of ours, refused if it holds anything else.
    pub out: PathBuf,
}

/// Why a book cannot be built. Exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct BookError {
    /// Chapter or file.
    pub file: String,
    /// Line, from 1.
    pub line: Option<usize>,
    /// French: what is wrong and what to do.
    pub what: String,
}

impl BookError {
    /// An error about a whole file.
    pub fn new(file: impl std::fmt::Display, what: impl Into<String>) -> Self {
        Self { file: file.to_string(), line: None, what: what.into() }
    }

    /// An error at a line, from 1.
    pub fn at(file: impl std::fmt::Display, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_string(), line: Some(line), what: what.into() }
    }

    /// A file that could not be read or written.
    pub(crate) fn io(file: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(file.display(), format!("lecture ou écriture impossible ({error})"))
    }
}
