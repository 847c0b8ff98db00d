//! The folder of the results. Every file is written whole under another name, then put in its place.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::journal::sync_dir;
use crate::report::Report;
use crate::report::class::{Head, Submission, Writer};
use crate::reporter::class::{self, About, Gradebook};
use crate::reporter::html::{self, Theme};
use crate::reporter::replay;

/// The folder of the results.
#[derive(Clone, Debug)]
pub(super) struct Output {
    root: PathBuf,
}

impl Output {
    /// Makes the folder.
    pub fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root.join("students"))?;
        Ok(Self { root: root.to_owned() })
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    /// Folder of a student, made when it is not there.
    pub fn student(&self, key: &str) -> io::Result<PathBuf> {
        let dir = self.root.join("students").join(key);
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    fn events(&self, key: &str) -> PathBuf {
        self.root.join("students").join(key).join("run.jsonl")
    }

    /// Where the events of an attempt go until it counts.
    pub fn new_events(&self, key: &str) -> io::Result<PathBuf> {
        Ok(self.student(key)?.join("run.jsonl.new"))
    }

    /// The attempt counts: its events take their place, on the disk.
    pub fn adopt(&self, key: &str) -> io::Result<()> {
        let events = self.events(key);
        std::fs::rename(self.new_events(key)?, &events)?;
        sync_dir(&events)
    }

    /// The attempt does not count.
    pub fn discard(&self, key: &str) {
        if let Ok(file) = self.new_events(key) {
            let _ = std::fs::remove_file(file);
        }
    }

    /// The page of a student, relative to the class page.
    pub fn page(key: &str) -> String {
        format!("students/{key}/index.html")
    }

    /// Writes the page of a student.
    pub fn write_page(&self, key: &str, page: &str) -> io::Result<()> {
        whole(&self.student(key)?.join("index.html"), |out| out.write_all(page.as_bytes()))
    }

    /// The report of a student, from its events.
    pub fn report(&self, key: &str) -> Option<Report> {
        let events = replay::read(BufReader::new(File::open(self.events(key)).ok()?)).ok()?;
        Some(Report::fold(events))
    }

    /// True when the page of a student is there.
    pub fn has_page(&self, key: &str) -> bool {
        self.root.join(Self::page(key)).is_file()
    }

    /// Writes `class.json`, one report in memory at a time; `report` gives that of a submission.
    pub fn class(
        &self,
        head: &Head,
        all: &[Submission],
        mut report: impl FnMut(&Submission) -> Option<Report>,
    ) -> io::Result<()> {
        whole(&self.root.join("class.json"), |out| {
            let mut writer = Writer::new(out, head)?;
            for one in all {
                writer.push(&Submission { report: report(one).map(Box::new), ..one.clone() })?;
            }
            writer.finish().map(drop)
        })
    }

    /// Writes `gradebook.csv`.
    pub fn gradebook(&self, head: &Head, all: &[Submission]) -> io::Result<()> {
        whole(&self.root.join("gradebook.csv"), |out| {
            let mut book = Gradebook::new(out, head)?;
            all.iter().try_for_each(|one| book.push(one))?;
            book.finish().map(drop)
        })
    }

    /// Writes the page of the class. A template of the instructor's that fails gives way to ours; what
    /// was wrong with it comes back.
    pub fn index(
        &self,
        head: &Head,
        all: &[Submission],
        about: &About<'_>,
        theme: &Theme,
    ) -> io::Result<Option<String>> {
        let (page, wrong) = or_ours(theme, |theme| class::page(head, all, about, theme))?;
        whole(&self.root.join("index.html"), |out| out.write_all(page.as_bytes()))?;
        Ok(wrong)
    }
}

/// The page of a report; what was wrong with the instructor's template, if anything was.
pub(super) fn student_page(report: &Report, theme: &Theme) -> io::Result<(String, Option<String>)> {
    or_ours(theme, |theme| html::render_with(report, theme))
}

fn or_ours(
    theme: &Theme,
    page: impl Fn(&Theme) -> Result<String, minijinja::Error>,
) -> io::Result<(String, Option<String>)> {
    match page(theme) {
        Ok(page) => Ok((page, None)),
        Err(wrong) => Ok((page(&Theme::default()).map_err(io::Error::other)?, Some(format!("{wrong:#}")))),
    }
}

/// Writes a file whole, on the disk, or not at all.
fn whole(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let temp = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    let (file, temp) = temp.into_parts();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any file that a command writes, not as a temporary one.
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    let mut out = BufWriter::new(file);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    sync_dir(path)
}
