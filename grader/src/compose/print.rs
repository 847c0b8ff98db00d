//! Fingerprints of what a submission is made of, to see what a save changed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::model::ComposeModel;

/// SHA-256 of a file or of a whole folder: names, permissions, contents, targets of links; scratch
/// files of editors left out. Something that is not there has a fingerprint too.
///
/// # Errors
///
/// What is there cannot be read.
pub fn fingerprint(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    add(&mut hash, path)?;
    Ok(hex::encode(hash.finalize()))
}

/// True for a scratch file of an editor: no verdict depends on it.
pub fn is_scratch(name: &str) -> bool {
    let ends = [".swp", ".swo", ".swx", "~", ".kate-swp", ".part", "___jb_tmp___", "___jb_old___"];
    let begins = [".#", "#", ".~lock.", ".goutputstream-"];
    // vim asks itself whether it may create a file of this name.
    name == "4913" || ends.iter().any(|e| name.ends_with(e)) || begins.iter().any(|b| name.starts_with(b))
}

impl ComposeModel {
    /// A fingerprint of the Compose files: what positions in them depend on.
    ///
    /// # Errors
    ///
    /// As [`fingerprint`].
    pub fn text_print(&self) -> io::Result<String> {
        let mut hash = Sha256::new();
        for file in self.source.files() {
            part(&mut hash, b"file", file.name.as_bytes());
            add(&mut hash, &self.root.join(&file.name))?;
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// By built service, a fingerprint of all that its image is built from.
    ///
    /// # Errors
    ///
    /// As [`fingerprint`].
    pub fn build_prints(&self) -> io::Result<BTreeMap<String, String>> {
        self.builds()
            .into_iter()
            .map(|(service, plan)| {
                let mut hash = Sha256::new();
                part(&mut hash, b"plan", format!("{plan:?}").as_bytes());
                let files = [Some(&plan.context), plan.dockerfile.as_ref()].into_iter().flatten();
                for file in files.chain(plan.contexts.values()).chain(plan.secrets.values()) {
                    add(&mut hash, &self.root.join(file))?;
                }
                Ok((service, hex::encode(hash.finalize())))
            })
            .collect()
    }
}

/// A piece with its kind and its length, so that no two lists of pieces read alike.
fn part(hash: &mut Sha256, kind: &[u8], bytes: &[u8]) {
    hash.update(kind);
    hash.update(bytes.len().to_be_bytes());
    hash.update(bytes);
}

fn add(hash: &mut Sha256, path: &Path) -> io::Result<()> {
    let meta = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            part(hash, b"none", b"");
            return Ok(());
        }
        Err(e) => return Err(e),
    };
    if meta.is_symlink() {
        part(hash, b"link", std::fs::read_link(path)?.as_os_str().as_encoded_bytes());
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        part(hash, b"mode", &(meta.permissions().mode() & 0o777).to_be_bytes());
    }
    if !meta.is_dir() {
        part(hash, b"file", &std::fs::read(path)?);
        return Ok(());
    }
    let mut names: Vec<_> =
        std::fs::read_dir(path)?.map(|e| Ok(e?.file_name())).collect::<io::Result<_>>()?;
    names.retain(|name| !name.to_str().is_some_and(is_scratch));
    names.sort();
    part(hash, b"folder", &names.len().to_be_bytes());
    for name in names {
        part(hash, b"name", name.as_encoded_bytes());
        add(hash, &path.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_shows_and_a_touch_does_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a/app.js");
        std::fs::create_dir_all(file.parent().expect("parent")).expect("folder");
        std::fs::write(&file, "un").expect("written");
        let print = || fingerprint(dir.path()).expect("readable");
        let first = print();
        std::fs::write(&file, "un").expect("written");
        std::fs::write(dir.path().join("a/.app.js.swp"), "brouillon").expect("written");
        assert_eq!(print(), first);
        std::fs::write(&file, "deux").expect("written");
        let second = print();
        assert_ne!(second, first);
        std::fs::rename(&file, dir.path().join("a/b.js")).expect("renamed");
        assert_ne!(print(), second);
        assert!(fingerprint(&dir.path().join("absent")).is_ok());
    }
}
