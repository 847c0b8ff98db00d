//! What a release carries inside its binary: the labs, the course and both probes.
//!
//! Built with the feature `bundle` and two variables (see `scripts/release.sh`): `TP_DOCKER_BUNDLE`,
//! a gzipped tar archive, and `TP_DOCKER_BUNDLE_ID`, a name for its content. Unpacked once per content
//! into the user's data folder.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;

static ARCHIVE: &[u8] = include_bytes!(env!("TP_DOCKER_BUNDLE"));
const ID: &str = env!("TP_DOCKER_BUNDLE_ID");

/// The unpacked content: `labs/`, `book/` and `grader-probe-*`. Unpacks it the first time (some
/// 20 MB); a folder that bears this name is whole, since it is renamed when it is.
///
/// # Errors
/// When there is no data folder, or it cannot be written.
pub fn root() -> io::Result<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME")
        .or_else(|| std::env::var_os("LOCALAPPDATA"))
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|h| h.join(".local/share")))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "HOME is not set"))?;
    unpacked(&data.join("tp-docker").join("release"), ID, ARCHIVE)
}

fn unpacked(base: &Path, id: &str, archive: &[u8]) -> io::Result<PathBuf> {
    let place = base.join(id);
    if place.is_dir() {
        return Ok(place);
    }
    std::fs::create_dir_all(base)?;
    let temp = tempfile::Builder::new().prefix(".partial-").tempdir_in(base)?;
    tar::Archive::new(GzDecoder::new(archive)).unpack(temp.path())?;
    let temp = temp.keep();
    match std::fs::rename(&temp, &place) {
        Ok(()) => {}
        // Another process was faster: its content is the same.
        Err(_) if place.is_dir() => std::fs::remove_dir_all(&temp)?,
        Err(e) => {
            let _ = std::fs::remove_dir_all(&temp);
            return Err(e);
        }
    }
    forget(base, &place, DAY);
    Ok(place)
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Removes the content of other versions, and what an interrupted start left, once it is old enough
/// that no running process reads it.
fn forget(base: &Path, place: &Path, age: Duration) {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    for old in entries.map(|e| e.path()).filter(|p| p != place) {
        let changed = std::fs::metadata(&old).and_then(|m| m.modified()).ok();
        if changed.and_then(|at| at.elapsed().ok()).is_some_and(|passed| passed >= age) {
            let _ = std::fs::remove_dir_all(&old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{forget, unpacked};
    use flate2::{Compression, write::GzEncoder};
    use std::time::Duration;

    fn archive(text: &[u8]) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "labs/01/lab.toml", text).expect("append");
        tar.into_inner().expect("tar").finish().expect("gzip")
    }

    #[test]
    fn unpacked_once_and_replaced() {
        let base = tempfile::tempdir().expect("temp");
        let one = unpacked(base.path(), "one", &archive(b"1")).expect("unpacked");
        assert_eq!(std::fs::read(one.join("labs/01/lab.toml")).expect("read"), b"1");
        let again = unpacked(base.path(), "one", b"not read any more").expect("there");
        assert_eq!(again, one);
        let two = unpacked(base.path(), "two", &archive(b"2")).expect("unpacked");
        assert!(one.exists() && two.join("labs/01/lab.toml").is_file());
        assert!(unpacked(base.path(), "torn", &archive(b"3")[..20]).is_err());
        assert_eq!(std::fs::read_dir(base.path()).expect("list").count(), 2);
        forget(base.path(), &two, Duration::ZERO);
        assert!(!one.exists() && two.exists());
    }
}
