//! `.grader/progress.json`: what a student has tried and earned, kept beside the labs' folders.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::lab::draw::Ticket;

/// Version of the file.
const FORMAT: u32 = 1;

/// Folder of ours, never part of a submission.
pub const FOLDER: &str = ".grader";

/// One check, whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// Points earned.
    pub points: f64,
    /// Points that could be earned.
    pub total: f64,
    /// RFC 3339, UTC.
    pub at: String,
}

/// What is known of one lab.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Record {
    /// Folder of the student's work, from the folder that holds `.grader`.
    pub folder: Option<String>,
    /// What the lab drew for this student, where it draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw: Option<String>,
    /// Whole checks that ended with a mark.
    pub attempts: u32,
    /// The best one.
    pub best: Option<Mark>,
    /// The last one.
    pub last: Option<Mark>,
    /// Ids of the checks passed the last time.
    pub passed: BTreeSet<String>,
    /// Highest level of hint read, by check.
    pub hints: BTreeMap<String, usize>,
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Content {
    format: u32,
    labs: BTreeMap<String, Record>,
}

/// A student's journal, as far as there is one.
#[derive(Debug)]
pub struct Journal {
    file: PathBuf,
    content: Content,
}

impl Journal {
    /// The journal of `dir` or of the nearest folder above it. `Ok(None)` when nobody ever asked
    /// for one (an instructor, a CI): then nothing is written anywhere.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not ours; it is left as it is.
    pub fn find(dir: &Path) -> io::Result<Option<Self>> {
        let start = dir.canonicalize()?;
        let Some(file) =
            start.ancestors().map(|d| d.join(FOLDER).join("progress.json")).find(|file| file.is_file())
        else {
            return Ok(None);
        };
        let text = std::fs::read(&file)?;
        let content: Content = serde_json::from_slice(&text).map_err(io::Error::from)?;
        if content.format != FORMAT {
            return Err(io::Error::other(format!("format {} inconnu", content.format)));
        }
        Ok(Some(Self { file, content }))
    }

    /// The journal that a folder of `root` will use: one above, or a new one in `root`.
    ///
    /// # Errors
    ///
    /// As [`Journal::find`].
    pub fn open(root: &Path) -> io::Result<Self> {
        if let Some(found) = Self::find(root)? {
            return Ok(found);
        }
        let file = root.canonicalize()?.join(FOLDER).join("progress.json");
        Ok(Self { file, content: Content { format: FORMAT, labs: BTreeMap::new() } })
    }

    /// Folder that holds `.grader`.
    pub fn root(&self) -> &Path {
        self.file.parent().and_then(Path::parent).unwrap_or(Path::new("."))
    }

    /// What is known of a lab.
    pub fn lab(&self, id: &str) -> Option<&Record> {
        self.content.labs.get(id)
    }

    /// The lab whose folder is `inside` (from [`Journal::root`]).
    pub fn lab_in(&self, inside: &Path) -> Option<&str> {
        let of = |r: &Record| r.folder.as_deref().is_some_and(|f| Path::new(f) == inside);
        self.content.labs.iter().find(|(_, r)| of(r)).map(|(id, _)| id.as_str())
    }

    /// The ticket that a lab drew, so that beginning again gives the same.
    pub fn ticket(&self, id: &str) -> Option<Ticket> {
        Ticket::read(self.lab(id)?.draw.as_ref()?, id).ok()
    }

    /// The record of a lab, to change.
    pub fn lab_mut(&mut self, id: &str) -> &mut Record {
        self.content.labs.entry(id.to_owned()).or_default()
    }

    /// Writes the journal, whole or not at all.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to.
    pub fn save(&self) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut text = serde_json::to_vec_pretty(&self.content).map_err(io::Error::from)?;
        text.push(b'\n');
        let mut temp = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut temp, &text)?;
        temp.persist(&self.file).map_err(|e| e.error)?;
        Ok(())
    }
}

impl Record {
    /// Notes a whole check that ended with a mark.
    pub fn note(&mut self, mark: Mark, passed: BTreeSet<String>) {
        self.attempts = self.attempts.saturating_add(1);
        if self.best.as_ref().is_none_or(|best| mark.points > best.points) {
            self.best = Some(mark.clone());
        }
        self.last = Some(mark);
        self.passed = passed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(points: f64) -> Mark {
        Mark { points, total: 20.0, at: "2026-11-21T10:00:00Z".into() }
    }

    #[test]
    fn the_best_mark_stays() {
        let mut record = Record::default();
        record.note(mark(12.0), BTreeSet::from(["a".to_owned()]));
        record.note(mark(7.0), BTreeSet::new());
        assert_eq!(record.attempts, 2);
        assert_eq!(record.best, Some(mark(12.0)));
        assert_eq!(record.last, Some(mark(7.0)));
        assert!(record.passed.is_empty());
    }

    #[test]
    fn nothing_is_written_where_nobody_began() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(Journal::find(dir.path()).expect("readable").is_none());
    }

    #[test]
    fn found_from_below_and_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let below = dir.path().join("tp-02/app");
        std::fs::create_dir_all(&below).expect("folders");
        let mut journal = Journal::open(dir.path()).expect("opened");
        journal.lab_mut("02").hints.insert("cache".into(), 2);
        journal.save().expect("saved");
        let found = Journal::find(&below).expect("readable").expect("found");
        assert_eq!(found.lab("02").and_then(|r| r.hints.get("cache")), Some(&2));
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join(FOLDER).join("progress.json");
        std::fs::create_dir_all(file.parent().expect("parent")).expect("folder");
        std::fs::write(&file, "{\"format\": 7}").expect("written");
        assert!(Journal::find(dir.path()).is_err());
        std::fs::write(&file, "pas du JSON").expect("written");
        assert!(Journal::find(dir.path()).is_err());
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "pas du JSON");
    }
}
