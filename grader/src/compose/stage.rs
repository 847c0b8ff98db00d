//! A copy of the submission made without following any link, so that what is judged is
//! what will run, and nothing outside of the folder is ever read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, readlinkat, statat};

use super::choose::{self, Choice};
use super::source::SourceMap;
use super::wishes::{self, Wishes};
use crate::check::deep::Dotenv;
use crate::event::{Level, Notice, Problem};

/// What a submission may weigh.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, folders and links.
    pub files: u64,
    /// Nesting of folders.
    pub depth: usize,
    /// Bytes of one Compose file.
    pub yaml: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 200 << 20, files: 20_000, depth: 32, yaml: 1 << 20 }
    }
}

/// A staged submission. Owns nothing but paths: the caller owns the temporary folder.
#[derive(Clone, Debug)]
pub struct Staged {
    /// The copy.
    pub root: PathBuf,
    /// The student's folder, never read again.
    pub origin: PathBuf,
    /// Remarks made on the way.
    pub notices: Vec<Notice>,
    /// Links, symbolic or hard, that lead outside and were left out, relative to the root.
    pub left_out: Vec<PathBuf>,
    /// Positions in the Compose files.
    pub source: SourceMap,
    /// The Compose files chosen.
    pub(super) choice: Choice,
    /// Filtered environment file, outside of the copy.
    pub(super) env_file: PathBuf,
    /// Profiles that are read and not run.
    pub(super) profiles: Vec<String>,
    /// The `.env` that was written in the place of the student's.
    pub(super) dotenv: Option<Dotenv>,
}

/// Copies `origin` beneath `into` (an empty folder of the caller) and chooses the Compose files.
pub fn stage(origin: &Path, into: &Path, limits: &Limits) -> Result<Staged, Vec<Problem>> {
    stage_for(origin, into, limits, &Wishes::default())
}

/// [`stage`], as a lab wishes it.
pub fn stage_for(
    origin: &Path,
    into: &Path,
    limits: &Limits,
    wishes: &Wishes,
) -> Result<Staged, Vec<Problem>> {
    match copied(origin, into, limits, wishes) {
        Ok(mut staged) => {
            staged.notices = super::typography::typeset_notices(staged.notices);
            Ok(staged)
        }
        Err(problems) => Err(super::typography::typeset_problems(problems)),
    }
}

fn copied(origin: &Path, into: &Path, limits: &Limits, wishes: &Wishes) -> Result<Staged, Vec<Problem>> {
    let mut copy = Copy {
        limits,
        bytes: 0,
        files: 0,
        left_out: Vec::new(),
        shared: BTreeMap::new(),
        problems: Vec::new(),
    };
    let prepared = || -> io::Result<(PathBuf, PathBuf)> {
        let into = into.canonicalize()?;
        let root = into.join("copie");
        std::fs::create_dir(&root)?;
        Ok((root, into.join("variables.env")))
    };
    let (root, env_file) = prepared().map_err(|e| vec![unreadable("", &e)])?;
    let top = rustix::fs::open(origin, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| vec![unreadable("", &e.into())])?;
    copy.dir(&top, Path::new(""), &root, 0);
    if !copy.problems.is_empty() {
        return Err(copy.problems);
    }
    let shared = copy.without_shared(&root);
    let mut notices: Vec<Notice> = told("le lien", "mène hors du dossier rendu", &copy.left_out);
    notices.extend(told("le fichier", "est aussi hors du dossier rendu, par un lien physique", &shared));
    copy.left_out.extend(shared);
    if !copy.problems.is_empty() {
        return Err(copy.problems);
    }
    let dotenv = wishes.dotenv.as_ref().map(|wish| wishes::write(&root, wish)).transpose();
    let dotenv = dotenv.map_err(|e| vec![unreadable(".env", &e)])?;
    let choice = choose::choose(&root, origin, limits, wishes, &mut notices).map_err(|p| vec![*p])?;
    std::fs::write(&env_file, &choice.env.filtered).map_err(|e| vec![unreadable(".env", &e)])?;
    let source = choice.source.clone();
    Ok(Staged {
        root,
        origin: origin.to_owned(),
        notices,
        left_out: copy.left_out,
        source,
        choice,
        env_file,
        profiles: wishes.profiles.clone(),
        dotenv,
    })
}

/// State of a copy under way.
struct Copy<'a> {
    limits: &'a Limits,
    bytes: u64,
    files: u64,
    left_out: Vec<PathBuf>,
    /// Names of each file that has several: device and number, how many there are, those seen.
    shared: BTreeMap<(String, u64), (u64, Vec<PathBuf>)>,
    problems: Vec<Problem>,
}

/// One remark for each, or one for all when they are many.
fn told(what: &str, why: &str, links: &[PathBuf]) -> Vec<Notice> {
    let notice = |text: String| Notice { level: Level::Warning, text, place: None };
    let shown = links
        .iter()
        .take(5)
        .map(|link| notice(format!("{what} « {} » {why} : il est laissé de côté", link.display())));
    let more = links.len().saturating_sub(5);
    let rest = (more > 0).then(|| notice(format!("{more} autres pareils sont laissés de côté")));
    shown.chain(rest).collect()
}

impl Copy<'_> {
    fn dir(&mut self, from: &OwnedFd, rel: &Path, to: &Path, depth: usize) {
        if depth > self.limits.depth {
            self.problems.push(Problem {
                code: "too-deep".into(),
                what: format!(
                    "le dossier « {} » est trop profond ({} niveaux au plus)",
                    rel.display(),
                    self.limits.depth
                ),
                place: None,
                todo: "rendez le dossier du TP seul, sans copie de lui-même".into(),
                detail: String::new(),
            });
            return;
        }
        let entries = match Dir::read_from(from) {
            Ok(entries) => entries,
            Err(e) => return self.problems.push(unreadable(&rel.display().to_string(), &e.into())),
        };
        let mut names: Vec<Vec<u8>> =
            entries.filter_map(Result::ok).map(|e| e.file_name().to_bytes().to_vec()).collect();
        names.sort();
        // Known before anything of the folder is copied.
        if self.files + names.len() as u64 > self.limits.files {
            self.files += names.len() as u64;
            self.problems.push(self.too_big(rel));
            return;
        }
        for name in names {
            if matches!(name.as_slice(), b"." | b".." | b".git" | b".grader") {
                continue;
            }
            if !self.problems.is_empty() {
                return;
            }
            let name = OsStr::from_bytes(&name);
            let (rel, to) = (rel.join(name), to.join(name));
            if let Err(e) = self.entry(from, name, &rel, &to, depth) {
                self.problems.push(unreadable(&rel.display().to_string(), &e));
            }
        }
    }

    fn entry(&mut self, from: &OwnedFd, name: &OsStr, rel: &Path, to: &Path, depth: usize) -> io::Result<()> {
        self.files += 1;
        if self.files > self.limits.files {
            self.problems.push(self.too_big(rel));
            return Ok(());
        }
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match kind {
            FileType::Directory => {
                let dir = openat(from, name, flags | OFlags::DIRECTORY, Mode::empty())?;
                std::fs::create_dir(to)?;
                self.dir(&dir, rel, to, depth + 1);
                std::fs::set_permissions(to, Permissions::from_mode(mode(stat.st_mode) | 0o700))
            }
            FileType::RegularFile => {
                let file = openat(from, name, flags, Mode::empty())?;
                // The name may have changed hands since: what was opened is what counts.
                if FileType::from_raw_mode(rustix::fs::fstat(file.as_fd())?.st_mode) != FileType::RegularFile
                {
                    self.problems.push(special(rel, "un fichier spécial"));
                    return Ok(());
                }
                let room = self.limits.bytes.saturating_sub(self.bytes);
                if u64::try_from(stat.st_size).is_ok_and(|size| size > room) {
                    self.problems.push(self.too_big(rel));
                    return Ok(());
                }
                if stat.st_nlink > 1 {
                    #[expect(clippy::useless_conversion, reason = "these types differ between systems")]
                    let links = u64::from(stat.st_nlink);
                    let key = (stat.st_dev.to_string(), stat.st_ino);
                    self.shared.entry(key).or_insert((links, Vec::new())).1.push(rel.to_owned());
                }
                let mut out = File::create_new(to)?;
                let copied = io::copy(&mut io::Read::take(File::from(file), room + 1), &mut out)?;
                self.bytes += copied;
                if copied > room {
                    self.problems.push(self.too_big(rel));
                }
                std::fs::set_permissions(to, Permissions::from_mode(mode(stat.st_mode)))
            }
            FileType::Symlink => {
                let target = readlinkat(from, name, Vec::new())?;
                let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                if stays_inside(rel, target) {
                    std::os::unix::fs::symlink(target, to)
                } else {
                    self.left_out.push(rel.to_owned());
                    Ok(())
                }
            }
            FileType::Fifo => {
                self.problems.push(special(rel, "un tube nommé (FIFO)"));
                Ok(())
            }
            FileType::Socket => {
                self.problems.push(special(rel, "une socket"));
                Ok(())
            }
            _ => {
                self.problems.push(special(rel, "un périphérique"));
                Ok(())
            }
        }
    }

    /// Removes from the copy the files that have a name outside of the folder: their content may
    /// be somebody else's.
    fn without_shared(&mut self, root: &Path) -> Vec<PathBuf> {
        let inside = |(count, names): &(u64, Vec<PathBuf>)| *count <= names.len() as u64;
        let mut out: Vec<PathBuf> = std::mem::take(&mut self.shared)
            .into_values()
            .filter(|file| !inside(file))
            .flat_map(|(_, names)| names)
            .collect();
        out.sort();
        for name in &out {
            if let Err(e) = std::fs::remove_file(root.join(name)) {
                self.problems.push(unreadable(&name.display().to_string(), &e));
            }
        }
        out
    }

    fn too_big(&self, rel: &Path) -> Problem {
        let many = self.files > self.limits.files;
        Problem {
            code: if many { "too-many-files" } else { "too-big" }.into(),
            what: if many {
                format!("le dossier contient plus de {} fichiers", self.limits.files)
            } else {
                format!(
                    "le dossier pèse plus de {} Mio (limite passée à « {} »)",
                    self.limits.bytes >> 20,
                    rel.display()
                )
            },
            place: None,
            todo: "rendez les sources seules, sans node_modules, données ni sauvegardes".into(),
            detail: String::new(),
        }
    }
}

/// Permission bits without set-user-id and the like.
#[expect(clippy::useless_conversion, reason = "the type of a mode differs between systems")]
fn mode(raw: rustix::fs::RawMode) -> u32 {
    u32::from(raw) & 0o777
}

/// True for a relative target that cannot leave the copy. Only leading `..` are accepted: the
/// link's own folder is a real one, so they are exact, and every link met further on stays
/// inside for the same reason.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut level = link.components().count().saturating_sub(1);
    let mut named = false;
    for part in target.components() {
        match part {
            Component::ParentDir if named || level == 0 => return false,
            Component::ParentDir => level -= 1,
            Component::Normal(_) => named = true,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn special(rel: &Path, what: &str) -> Problem {
    Problem {
        code: "special-file".into(),
        what: format!("« {} » est {what}, pas un fichier", rel.display()),
        place: None,
        todo: "retirez-le du dossier rendu".into(),
        detail: String::new(),
    }
}

fn unreadable(rel: &str, error: &io::Error) -> Problem {
    let what = match (rel, error.kind()) {
        ("", io::ErrorKind::NotFound) => "le dossier rendu n'existe pas".to_owned(),
        ("", io::ErrorKind::NotADirectory) => "un dossier est attendu, pas un fichier".to_owned(),
        ("", _) => "le dossier rendu ne peut pas être lu".to_owned(),
        (name, _) => format!("« {name} » ne peut pas être lu"),
    };
    Problem {
        code: "unreadable".into(),
        what,
        place: None,
        todo: "vérifiez le chemin et les droits de lecture".into(),
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
