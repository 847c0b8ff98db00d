//! What was handed in: one folder a student, and a fingerprint of each.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, readlinkat, statat};
use sha2::{Digest, Sha256};

use crate::compose::Limits;

/// A folder of the class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name, as well as it can be shown.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// What a folder of submissions holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The folders, by name.
    pub folders: Vec<Folder>,
    /// Links to folders, which are not followed: one student could hand in another's work.
    pub links: Vec<String>,
    /// Files, which nobody grades.
    pub files: Vec<String>,
}

/// Lists `dir`; hidden entries and `except` (our own output) are left out.
pub fn list(dir: &Path, except: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let except = except.canonicalize().ok();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name.starts_with('.') || (except.is_some() && path.canonicalize().ok() == except) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.folders.push(Folder { name, path });
        } else if kind.is_symlink() {
            found.links.push(name);
        } else {
            found.files.push(name);
        }
    }
    found.folders.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    found.links.sort();
    found.files.sort();
    Ok(found)
}

/// A fingerprint of what a submission holds, as it is staged: names, modes, contents, links; nothing
/// is followed, nothing special is opened, and what is too big to be graded is not read.
pub fn fingerprint(dir: &Path) -> String {
    let mut hash = Print { digest: Sha256::new(), limits: Limits::default(), bytes: 0, files: 0 };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::empty()) {
        Ok(top) => hash.dir(&top, 0),
        Err(e) => hash.note(&["unreadable", &e.to_string()]),
    }
    hex::encode(&hash.digest.finalize()[..16])
}

/// A fingerprint in the making.
struct Print {
    digest: Sha256,
    limits: Limits,
    bytes: u64,
    files: u64,
}

impl Print {
    /// Adds words, so that no two lists of them look alike.
    fn note(&mut self, words: &[&str]) {
        for word in words {
            self.digest.update((word.len() as u64).to_le_bytes());
            self.digest.update(word.as_bytes());
        }
    }

    fn dir(&mut self, dir: &OwnedFd, depth: usize) {
        let Ok(entries) = Dir::read_from(dir) else { return self.note(&["unreadable"]) };
        let mut names: Vec<Vec<u8>> =
            entries.filter_map(Result::ok).map(|e| e.file_name().to_bytes().to_vec()).collect();
        names.retain(|name| !matches!(name.as_slice(), b"." | b".." | b".git" | b".grader"));
        names.sort();
        self.note(&["dir", &names.len().to_string()]);
        for name in names {
            self.files += 1;
            if self.files > self.limits.files || depth > self.limits.depth {
                return self.note(&["too many"]);
            }
            let name = <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&name);
            self.digest.update((name.len() as u64).to_le_bytes());
            self.digest.update(std::os::unix::ffi::OsStrExt::as_bytes(name));
            if let Err(e) = self.entry(dir, name, depth) {
                self.note(&["unreadable", &e.kind().to_string()]);
            }
        }
        self.note(&["end"]);
    }

    fn entry(&mut self, dir: &OwnedFd, name: &OsStr, depth: usize) -> io::Result<()> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let mode = format!("{kind:?} {:o}", stat.st_mode & 0o777);
        self.note(&[&mode]);
        match kind {
            FileType::Directory => {
                self.dir(&openat(dir, name, flags | OFlags::DIRECTORY, Mode::empty())?, depth + 1);
            }
            FileType::RegularFile => {
                self.note(&[&stat.st_size.to_string()]);
                let room = self.limits.bytes.saturating_sub(self.bytes);
                if u64::try_from(stat.st_size).is_ok_and(|size| size <= room) {
                    let file = openat(dir, name, flags, Mode::empty())?;
                    if FileType::from_raw_mode(rustix::fs::fstat(file.as_fd())?.st_mode) == kind {
                        self.content(Read::take(File::from(file), room))?;
                    }
                }
            }
            FileType::Symlink => {
                let target = readlinkat(dir, name, Vec::new())?;
                self.digest.update(target.as_bytes());
            }
            _ => {}
        }
        Ok(())
    }

    fn content(&mut self, mut file: impl Read) -> io::Result<()> {
        let mut block = vec![0; 32 << 10];
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                return Ok(());
            }
            self.bytes += read as u64;
            self.digest.update(&block[..read]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_graded_makes_the_fingerprint() {
        let class = tempfile::tempdir().expect("a folder");
        let dir = class.path().join("zoe");
        std::fs::create_dir_all(dir.join("app")).expect("made");
        std::fs::write(dir.join("compose.yaml"), "services: {}\n").expect("written");
        let first = fingerprint(&dir);
        std::fs::create_dir_all(dir.join(".git")).expect("made");
        std::fs::write(dir.join(".git/HEAD"), "ref").expect("written");
        assert_eq!(fingerprint(&dir), first, "what git keeps is not graded");
        std::fs::write(dir.join("app/x"), "").expect("written");
        let second = fingerprint(&dir);
        assert_ne!(second, first);
        std::fs::rename(dir.join("app/x"), dir.join("app/y")).expect("renamed");
        assert_ne!(fingerprint(&dir), second);
        std::os::unix::fs::symlink("/dev/zero", dir.join("app/y2")).expect("linked");
        std::fs::write(class.path().join("notes.txt"), "").expect("written");
        std::os::unix::fs::symlink(&dir, class.path().join("bob")).expect("linked");
        std::fs::create_dir(class.path().join("out")).expect("made");
        let found = list(class.path(), &class.path().join("out")).expect("listed");
        assert_eq!(found.folders.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["zoe"]);
        assert_eq!((found.links, found.files), (vec!["bob".to_owned()], vec!["notes.txt".to_owned()]));
        assert!(!fingerprint(&class.path().join("nobody")).is_empty());
    }

    #[test]
    fn what_cannot_be_graded_is_not_read() {
        let class = tempfile::tempdir().expect("a folder");
        let dir = class.path();
        let huge = File::create(dir.join("huge")).expect("created");
        huge.set_len(2 << 30).expect("sparse");
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, dir.join("tube"), FileType::Fifo, mode, 0).expect("made");
        let began = std::time::Instant::now();
        let first = fingerprint(dir);
        assert!(began.elapsed() < std::time::Duration::from_secs(1));
        assert_eq!(first, fingerprint(dir));
    }
}
