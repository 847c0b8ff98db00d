//! The folder of the results. Every file is written whole under another name, then put in its place.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::journal::sync_dir;
use crate::event::Event;
use crate::report::Report;
use crate::report::class::{Course, Head, Settled, Submission, Writer};
use crate::reporter::class::{self, About, Gradebook, Suites};
use crate::reporter::html::{self, Theme};
use crate::reporter::{JsonLines, Reporter as _, replay};

/// How the name of a file that is being written begins.
const NEW: &str = ".new-";

/// The results of a class, to be written.
pub(super) struct Results<'a> {
    /// What is the same for all.
    pub head: &'a Head,
    /// In the order of the class.
    pub all: &'a [Submission],
    /// For the page of the class.
    pub about: About<'a>,
    /// Templates.
    pub theme: &'a Theme,
}

/// The folder of the results.
#[derive(Clone, Debug)]
pub(super) struct Output {
    root: PathBuf,
}

impl Output {
    /// Makes the folder.
    pub fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root.join("students"))?;
        std::fs::create_dir_all(root.join("runs"))?;
        // What a kill left half written.
        for entry in std::fs::read_dir(root)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(NEW) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
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

    /// The events of a student, whole: those of the student's folder are what a course lets them see.
    fn events(&self, key: &str) -> PathBuf {
        self.root.join("runs").join(format!("{key}.jsonl"))
    }

    /// Where the events of an attempt go until it counts.
    pub fn new_events(&self, key: &str) -> PathBuf {
        self.root.join("runs").join(format!("{key}.jsonl.new"))
    }

    /// The attempt counts: its events take their place, on the disk.
    pub fn adopt(&self, key: &str) -> io::Result<()> {
        let events = self.events(key);
        std::fs::rename(self.new_events(key), &events)?;
        sync_dir(&events)
    }

    /// The attempt does not count.
    pub fn discard(&self, key: &str) {
        let _ = std::fs::remove_file(self.new_events(key));
    }

    /// The page of a student, relative to the class page.
    pub fn page(key: &str) -> String {
        format!("students/{key}/index.html")
    }

    /// The events of a student. Those of results that an older version wrote are taken from where it put them.
    fn read(&self, key: &str) -> io::Result<Option<Vec<Event>>> {
        let events = self.events(key);
        if !events.is_file() {
            let old = self.student(key)?.join("run.jsonl");
            if !old.is_file() {
                return Ok(None);
            }
            whole(&events, |out| io::copy(&mut File::open(old)?, out).map(drop))?;
        }
        Ok(replay::read(BufReader::new(File::open(events)?)).ok())
    }

    /// Takes the events of a student from the results of a part, where they are.
    pub fn take(&self, part: &Path, key: &str) -> io::Result<()> {
        let there = part.join("runs").join(format!("{key}.jsonl"));
        if !there.is_file() {
            return Ok(());
        }
        whole(&self.events(key), |out| io::copy(&mut File::open(there)?, out).map(drop))
    }

    /// Takes the events graded as `run` for those of `key`, in the place of whatever was there.
    pub fn take_as(&self, part: &Path, run: &str, key: &str) -> io::Result<()> {
        let (there, here) = (part.join("runs").join(format!("{run}.jsonl")), self.events(key));
        if there.is_file() {
            return whole(&here, |out| io::copy(&mut File::open(there)?, out).map(drop));
        }
        let student = self.root.join("students").join(key);
        for old in [here, student.join("run.jsonl"), student.join("index.html")] {
            match std::fs::remove_file(old) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// The report of a student, from its events.
    pub fn report(&self, key: &str) -> Option<Report> {
        Some(Report::fold(self.read(key).ok()??))
    }

    /// Writes everything: `report` gives that of a submission, whole. What was wrong with the instructor's
    /// templates comes back.
    pub fn write(
        &self,
        results: &Results<'_>,
        report: impl Fn(&Submission) -> Option<Report>,
    ) -> io::Result<Option<String>> {
        let mut wrong = None;
        for one in results.all {
            wrong = self.student_files(results, one, &report)?.or(wrong);
        }
        self.class(results.head, results.all, &report)?;
        self.gradebook(results.head, results.all)?;
        self.junit(results.all, &report)?;
        Ok(self.index(results.head, results.all, &results.about, results.theme)?.or(wrong))
    }

    /// Writes the page and the events of a student, as the course lets them see them.
    fn student_files(
        &self,
        results: &Results<'_>,
        one: &Submission,
        report: impl Fn(&Submission) -> Option<Report>,
    ) -> io::Result<Option<String>> {
        // Those who hand in together have one page, unless a course decides of each.
        if one.page.as_ref().is_none_or(|page| *page != Self::page(&one.key)) {
            return Ok(None);
        }
        let mask = results.head.course.as_ref().map(Course::mask).unwrap_or_default();
        let shown = match self.read(one.run_key())? {
            Some(events) => {
                let events = mask.events(events);
                whole(&self.student(&one.key)?.join("run.jsonl"), |out| {
                    events.iter().try_for_each(|event| JsonLines.event(event, out))
                })?;
                Some(Report::fold(events))
            }
            None => report(one).map(|report| mask.report(&report)),
        };
        let Some(shown) = shown else { return Ok(None) };
        let (page, wrong) = student_page(&shown, one.settled.as_ref(), results.theme)?;
        whole(&self.student(&one.key)?.join("index.html"), |out| out.write_all(page.as_bytes()))?;
        Ok(wrong)
    }

    /// Writes `junit.xml`.
    fn junit(&self, all: &[Submission], report: impl Fn(&Submission) -> Option<Report>) -> io::Result<()> {
        let mut suites = Suites::default();
        for one in all {
            suites.push(one.name(), one.result.standing, &one.result.why, report(one).as_ref());
        }
        whole(&self.root.join("junit.xml"), |out| suites.write(out))
    }

    /// Writes `class.json`, one report in memory at a time; `report` gives that of a submission.
    fn class(
        &self,
        head: &Head,
        all: &[Submission],
        report: impl Fn(&Submission) -> Option<Report>,
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
    fn gradebook(&self, head: &Head, all: &[Submission]) -> io::Result<()> {
        whole(&self.root.join("gradebook.csv"), |out| {
            let mut book = Gradebook::new(out, head)?;
            all.iter().try_for_each(|one| book.push(one))?;
            book.finish().map(drop)
        })
    }

    /// Writes the page of the class. A template of the instructor's that fails gives way to ours; what
    /// was wrong with it comes back.
    fn index(
        &self,
        head: &Head,
        all: &[Submission],
        about: &About<'_>,
        theme: &Theme,
    ) -> io::Result<Option<String>> {
        let (page, wrong) = class_page(head, all, about, theme)?;
        whole(&self.root.join("index.html"), |out| out.write_all(page.as_bytes()))?;
        Ok(wrong)
    }
}

/// The page of a report; what was wrong with the instructor's template, if anything was.
pub(super) fn student_page(
    report: &Report,
    settled: Option<&Settled>,
    theme: &Theme,
) -> io::Result<(String, Option<String>)> {
    or_ours(theme, |theme| html::render_for(report, settled, theme))
}

/// The page of a class; what was wrong with the instructor's template, if anything was.
pub(super) fn class_page(
    head: &Head,
    all: &[Submission],
    about: &About<'_>,
    theme: &Theme,
) -> io::Result<(String, Option<String>)> {
    or_ours(theme, |theme| class::page(head, all, about, theme))
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
    let temp = tempfile::Builder::new().prefix(NEW).tempfile_in(dir)?;
    let (handle, temp) = temp.into_parts();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any file that a command writes, not as a temporary one.
        handle.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    let mut out = BufWriter::new(handle);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    sync_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::class::sample;

    #[test]
    fn what_is_written_is_whole_and_read_again() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(".new-x"), "half").expect("written");
        let output = Output::open(dir.path()).expect("opened");
        let class = sample::class();
        let about = About { at: "2026-11-21T10:00:00Z", ..About::default() };
        for _ in 0..2 {
            let results = Results {
                head: &class.head,
                all: &class.submissions,
                about: about.clone(),
                theme: &Theme::default(),
            };
            let wrong = output.write(&results, |one| one.report.as_deref().cloned());
            assert_eq!(wrong.expect("written"), None);
        }
        let read =
            crate::report::class::Class::read(File::open(dir.path().join("class.json")).expect("there"));
        assert_eq!(read.expect("a class"), class);
        let mut names: Vec<String> = std::fs::read_dir(dir.path())
            .expect("listed")
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["class.json", "gradebook.csv", "index.html", "junit.xml", "runs", "students"]);
    }

    #[test]
    fn a_template_that_fails_gives_way_to_ours() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(Theme::from_dir(dir.path()).is_err(), "no template there");
        std::fs::write(dir.path().join("report.html"), "{% if %}").expect("written");
        std::fs::write(dir.path().join("class.html"), "{{ head.lab }} {{ rows | length }}").expect("written");
        let theme = Theme::from_dir(dir.path()).expect("read");
        let report = sample::class().submissions[1].report.clone().expect("a report");
        let (page, wrong) = student_page(&report, None, &theme).expect("rendered");
        assert!(page.starts_with("<!doctype html>") && wrong.is_some_and(|w| w.contains("report.html")));
        let output = Output::open(&dir.path().join("out")).expect("opened");
        let class = sample::class();
        let wrong =
            output.index(&class.head, &class.submissions, &About::default(), &theme).expect("written");
        assert_eq!(wrong, None);
        assert_eq!(std::fs::read_to_string(dir.path().join("out/index.html")).expect("read"), "02 4");
    }
}
