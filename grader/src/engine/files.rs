//! Files of a container, as the container sees them, through the engine's archive of a path.

use std::io::Read;

use bollard::body_full;
use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use futures_util::StreamExt;

use super::connect::Engine;
use super::fault::{engine_fault, from_text, is_gone, status};
use crate::error::Fault;

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Longest archive that is looked through, in bytes.
const MAX_ARCHIVE: usize = 16 << 20;
/// Symbolic links followed one after the other.
const MAX_LINKS: usize = 8;

/// The archive of a path; `None` when there is no such path.
async fn archive(engine: &Engine, container: &str, path: &str) -> Result<Option<Vec<u8>>, Fault> {
    let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
    let mut stream = Box::pin(engine.docker.download_from_container(container, Some(options)));
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            // A path below a file is a « bad parameter » for some engines.
            Err(e) if is_gone(&e) || status(&e) == Some(400) => return Ok(None),
            Err(e) => return Err(engine_fault("la lecture d'un fichier d'un conteneur", &e)),
        }
        if bytes.len() > MAX_ARCHIVE {
            break;
        }
    }
    Ok(Some(bytes))
}

/// What an archive of one path holds.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    File(String),
    Link(String),
    Folder(Vec<String>),
    Other,
}

/// Reads an archive; a folder's listing stops quietly where the archive was cut.
fn look(bytes: &[u8]) -> std::io::Result<Found> {
    let mut archive = tar::Archive::new(bytes);
    let mut folder: Option<Vec<String>> = None;
    for entry in archive.entries()? {
        let Ok(mut entry) = entry else { break };
        let kind = entry.header().entry_type();
        let path = entry.path()?.into_owned();
        match &mut folder {
            Some(names) => {
                let mut parts = path.components().skip(1);
                if let (Some(name), None) = (parts.next(), parts.next()) {
                    names.push(name.as_os_str().to_string_lossy().into_owned());
                }
            }
            None if kind.is_dir() => folder = Some(Vec::new()),
            None if kind.is_symlink() || kind.is_hard_link() => {
                let target = entry.link_name()?.unwrap_or_default();
                return Ok(Found::Link(target.to_string_lossy().into_owned()));
            }
            None if kind.is_file() && entry.size() <= MAX_FILE => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                return Ok(Found::File(String::from_utf8_lossy(&content).into_owned()));
            }
            None => return Ok(Found::Other),
        }
    }
    Ok(match folder {
        Some(mut names) => {
            names.sort();
            names.dedup();
            Found::Folder(names)
        }
        None => Found::Other,
    })
}

/// Where a link found at `path` leads.
fn follow(path: &str, target: &str) -> String {
    if target.starts_with('/') {
        return target.to_owned();
    }
    let parent = path.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
    format!("{parent}/{target}")
}

async fn found(engine: &Engine, container: &str, path: &str) -> Result<Option<Found>, Fault> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Some(bytes) = archive(engine, container, &path).await? else { return Ok(None) };
        match look(&bytes).map_err(|e| from_text("la lecture d'un fichier d'un conteneur", &e.to_string()))? {
            Found::Link(target) => path = follow(&path, &target),
            found => return Ok(Some(found)),
        }
    }
    Ok(None)
}

/// Copies files from a container to another one, at the same paths, before it starts. A path that is not there is
/// left out.
pub(super) async fn carry(engine: &Engine, (from, to): (&str, &str), paths: &[String]) -> Result<(), Fault> {
    let failed = |e: std::io::Error| from_text("la copie d'un fichier d'un conteneur", &e.to_string());
    for path in paths {
        let Some(bytes) = archive(engine, from, path).await? else { continue };
        let moved = rooted(&bytes, path).map_err(failed)?;
        let there = UploadToContainerOptionsBuilder::new().path("/").build();
        engine
            .docker
            .upload_to_container(to, Some(there), body_full(moved.into()))
            .await
            .map_err(|e| engine_fault("la copie d'un fichier dans un conteneur", &e))?;
    }
    Ok(())
}

/// The archive of one file, to be laid out from the root.
fn rooted(bytes: &[u8], path: &str) -> std::io::Result<Vec<u8>> {
    let mut out = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(bytes).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() && entry.size() <= MAX_FILE {
            let mut header = entry.header().clone();
            out.append_data(&mut header, path.trim_start_matches('/'), &mut entry)?;
        }
    }
    out.into_inner()
}

/// A text file of a container.
pub(super) async fn read(engine: &Engine, container: &str, path: &str) -> Result<Option<String>, Fault> {
    Ok(match found(engine, container, path).await? {
        Some(Found::File(text)) => Some(text),
        _ => None,
    })
}

/// The names in a folder of a container.
pub(super) async fn list(engine: &Engine, container: &str, dir: &str) -> Result<Option<Vec<String>>, Fault> {
    Ok(match found(engine, container, dir).await? {
        Some(Found::Folder(names)) => Some(names),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(tar: &mut tar::Builder<Vec<u8>>, path: &str, kind: tar::EntryType, content: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if kind.is_symlink() {
            header.set_link_name("../real.yml").expect("a name");
        }
        tar.append_data(&mut header, path, content).expect("an entry");
    }

    #[test]
    fn a_file_is_laid_out_from_the_root() {
        let mut tar = tar::Builder::new(Vec::new());
        entry(&mut tar, "routes.yml", tar::EntryType::Regular, b"http: {}\n");
        let moved = rooted(&tar.into_inner().expect("bytes"), "/etc/traefik/routes.yml").expect("an archive");
        let mut archive = tar::Archive::new(moved.as_slice());
        let mut found = archive.entries().expect("entries").map(|e| e.expect("an entry"));
        let mut one = found.next().expect("a file");
        assert_eq!(one.path().expect("a path").to_string_lossy(), "etc/traefik/routes.yml");
        let mut text = String::new();
        one.read_to_string(&mut text).expect("text");
        assert_eq!(text, "http: {}\n");
        assert!(found.next().is_none());
    }

    #[test]
    fn archives() {
        let mut tar = tar::Builder::new(Vec::new());
        entry(&mut tar, "prometheus.yml", tar::EntryType::Regular, b"global: {}\n");
        let bytes = tar.into_inner().expect("bytes");
        assert_eq!(look(&bytes).expect("a file"), Found::File("global: {}\n".into()));

        let mut tar = tar::Builder::new(Vec::new());
        entry(&mut tar, "rules/", tar::EntryType::Directory, b"");
        entry(&mut tar, "rules/b.yml", tar::EntryType::Regular, b"b");
        entry(&mut tar, "rules/a.yml", tar::EntryType::Regular, b"a");
        entry(&mut tar, "rules/sub/", tar::EntryType::Directory, b"");
        entry(&mut tar, "rules/sub/c.yml", tar::EntryType::Regular, b"c");
        let bytes = tar.into_inner().expect("bytes");
        let names = ["a.yml", "b.yml", "sub"].map(str::to_owned).to_vec();
        assert_eq!(look(&bytes).expect("a folder"), Found::Folder(names));

        let mut tar = tar::Builder::new(Vec::new());
        entry(&mut tar, "link.yml", tar::EntryType::Symlink, b"");
        let bytes = tar.into_inner().expect("bytes");
        assert_eq!(look(&bytes).expect("a link"), Found::Link("../real.yml".into()));
        assert_eq!(follow("/etc/prometheus/link.yml", "../real.yml"), "/etc/prometheus/../real.yml");
        assert_eq!(follow("/link.yml", "real.yml"), "/real.yml");
        assert_eq!(follow("/a/b", "/c"), "/c");
    }
}
