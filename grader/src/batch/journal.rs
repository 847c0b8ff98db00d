//! The journal of a batch: one JSON line a record, chained by their sums, on the disk before anything
//! relies on it.
//!
//! A line is `{"n":3,"after":"…","record":{…},"sum":"…"}`: `sum` is that of the line before it, `after`
//! the sum of the line before that one. A kill or a power cut can only tear the end, which is dropped at
//! the next opening; a bad line before good ones is damage, and nothing is guessed from it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::report::class::{Receipt, Summary};

/// Version of the journal.
pub const FORMAT: u32 = 1;

/// Hexadecimal digits of a sum.
const SUM: usize = 16;

/// What a verdict depends on. Another submission, lab or grader: another verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Terms {
    /// Key of the student.
    pub key: String,
    /// Fingerprint of the folder.
    pub content: String,
    /// Fingerprint of the lab, and of how it is graded.
    pub lab: String,
    /// Version of the grader.
    pub grader: String,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A batch begins, or is resumed.
    Opened(Opened),
    /// An attempt is about to begin: written before the engine is asked for anything.
    Began(Terms),
    /// An attempt that does not count: interrupted, or the engine went away.
    Dropped(Terms),
    /// An attempt ended.
    Ended(Box<Ended>),
}

/// Beginning of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Opened {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the grader.
    pub grader: String,
    /// Lab id.
    pub lab: String,
    /// RFC 3339, UTC.
    pub at: String,
}

/// End of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ended {
    /// Of what.
    pub terms: Terms,
    /// Run id, as in the events.
    pub run: String,
    /// It had the machine for itself.
    pub alone: bool,
    /// French: why this verdict is in doubt, and is worth another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// What it comes down to.
    pub result: Summary,
    /// What it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// Why a journal cannot be used. Messages are French.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("le journal « {path} » ne s'ouvre pas : {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else writes to it.
    #[error(
        "un autre « grader batch » travaille dans ce dossier ; attendez sa fin, ou donnez un autre --into"
    )]
    Busy,
    /// It holds results already.
    #[error(
        "ce dossier contient déjà les résultats d'une classe ; --resume pour les compléter, ou un autre --into"
    )]
    Used,
    /// A line is damaged, and good ones follow.
    #[error(
        "la ligne {line} du journal est abîmée, et d'autres la suivent : rien n'en est deviné ; \
         recommencez dans un autre dossier (--into), ou rendez le journal d'une sauvegarde"
    )]
    Damaged {
        /// Line, from 1.
        line: usize,
    },
    /// It was written in another format.
    #[error(
        "le journal est au format {found}, cette version lit le format {FORMAT} ; reprenez avec celle qui l'a écrit"
    )]
    Version {
        /// The format found.
        found: u32,
    },
}

/// The journal, open and locked.
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Bytes that are whole lines.
    len: u64,
    lines: u64,
    last: String,
}

impl Journal {
    /// Opens `path`, locks it, drops a torn end, and gives every record to `each`, in order.
    pub fn open(path: &Path, resume: bool, mut each: impl FnMut(Record)) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        if file.try_lock().is_err() {
            return Err(JournalError::Busy);
        }
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        file.read_to_end(&mut text).map_err(io)?;
        let read = read(&text)?;
        if read.lines > 0 && !resume {
            return Err(JournalError::Used);
        }
        if read.len < text.len() as u64 {
            file.set_len(read.len).map_err(io)?;
        }
        file.sync_all().map_err(io)?;
        sync_dir(path).map_err(io)?;
        read.records.into_iter().for_each(&mut each);
        Ok(Self { file, path: path.to_owned(), len: read.len, lines: read.lines, last: read.last })
    }

    /// Writes a record, whole and on the disk, or not at all.
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), source };
        let line = line(self.lines + 1, &self.last, record).map_err(io)?;
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(e) = written {
            // A full disk may have taken half of it.
            let _ = self.file.set_len(self.len);
            return Err(io(e));
        }
        self.len += line.len() as u64;
        self.lines += 1;
        line[..line.len() - 3][line.len() - 3 - SUM..].clone_into(&mut self.last);
        Ok(())
    }
}

/// Puts on the disk the name of a file that was just made.
pub(super) fn sync_dir(file: &Path) -> io::Result<()> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

fn sum(body: &str) -> String {
    hex::encode(&Sha256::digest(body.as_bytes())[..SUM / 2])
}

fn line(n: u64, after: &str, record: &Record) -> io::Result<String> {
    let body = format!("{{\"n\":{n},\"after\":\"{after}\",\"record\":{}", serde_json::to_string(record)?);
    Ok(format!("{body},\"sum\":\"{}\"}}\n", sum(&body)))
}

/// The good beginning of a journal.
#[derive(Debug, Default, PartialEq)]
struct Good {
    len: u64,
    lines: u64,
    last: String,
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Line {
    n: u64,
    after: String,
    record: Record,
}

fn read(text: &[u8]) -> Result<Good, JournalError> {
    let mut good = Good::default();
    let mut bad = None;
    for (at, bytes) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        let Some((line, sum)) = whole(bytes) else {
            bad = bad.or(Some(at + 1));
            continue;
        };
        if bad.is_some() || line.n != good.lines + 1 || line.after != good.last {
            return Err(JournalError::Damaged { line: bad.unwrap_or(at + 1) });
        }
        if let Record::Opened(opened) = &line.record
            && opened.format != FORMAT
        {
            return Err(JournalError::Version { found: opened.format });
        }
        good.len += bytes.len() as u64;
        good.lines = line.n;
        good.last = sum;
        good.records.push(line.record);
    }
    Ok(good)
}

/// A line with its sum, when it is whole.
fn whole(bytes: &[u8]) -> Option<(Line, String)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix("\"}\n")?;
    let (body, told) = text.rsplit_once(",\"sum\":\"")?;
    (sum(body) == told).then_some(())?;
    Some((serde_json::from_str(&format!("{body}}}")).ok()?, told.to_owned()))
}

#[cfg(test)]
mod tests;
