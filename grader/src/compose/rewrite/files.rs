//! Files and folders of the submission that are mounted and name an address that moved, or that two copies
//! of the stack would write to: a copy is mounted, the original stays as other checks read it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ranges::Moves;
use super::{Work, pins, translate};
use crate::compose::gate::clean;
use crate::compose::grants::grant;
use crate::compose::model::{ComposeModel, entries, plain};

/// The longest text that is looked at, in bytes.
const TEXT: u64 = 1 << 20;
/// Files looked at in all.
const FILES: usize = 5_000;

/// A file or a folder to copy before the stack is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// In the staged submission.
    pub from: PathBuf,
    /// In the folder of the run.
    pub to: PathBuf,
    /// Texts that differ, by their path below (empty for a file).
    pub texts: BTreeMap<PathBuf, String>,
}

/// What services get from the submission as they run, addresses translated: the binds and the files
/// of configurations.
fn sources(model: &ComposeModel, source: &Value) -> BTreeSet<PathBuf> {
    let mut sources: BTreeSet<PathBuf> = BTreeSet::new();
    for (_, service) in entries(source, "services") {
        let mounts = service.get("volumes").and_then(Value::as_array);
        for mount in mounts.into_iter().flatten() {
            let bind = mount.get("type").and_then(Value::as_str) == Some("bind");
            if bind && grant(model, service, mount).is_none() {
                sources.extend(mount.get("source").and_then(Value::as_str).map(path));
            }
        }
    }
    for (_, config) in entries(source, "configs") {
        sources.extend(config.get("file").and_then(Value::as_str).map(path));
    }
    sources.retain(|source| source.starts_with(model.root()));
    sources
}

/// What of the submission a container may write to.
fn written(model: &ComposeModel, source: &Value) -> BTreeSet<PathBuf> {
    let mounts = entries(source, "services")
        .filter_map(|(_, service)| Some((service, service.get("volumes")?.as_array()?)));
    mounts
        .flat_map(|(service, mounts)| mounts.iter().map(move |mount| (service, mount)))
        .filter(|(service, mount)| {
            mount.get("type").and_then(Value::as_str) == Some("bind")
                && mount.get("read_only").and_then(Value::as_bool) != Some(true)
                && grant(model, service, mount).is_none()
        })
        .filter_map(|(_, mount)| mount.get("source")?.as_str().map(path))
        .filter(|source| source.starts_with(model.root()))
        .collect()
}

/// Where each file and folder of the submission that services get as they run comes from.
pub(super) fn mounts(work: &Work<'_>, source: &Value) -> BTreeMap<PathBuf, PathBuf> {
    let model = work.approved.model();
    let secrets = entries(source, "secrets").filter_map(|(_, secret)| secret.get("file")?.as_str().map(path));
    let secrets = secrets.filter(|secret| secret.starts_with(model.root()));
    let secrets = secrets.map(|secret| (kept(work, &secret), secret));
    let others = sources(model, source).into_iter().map(|source| (mounted(work, &source), source));
    secrets.chain(others).map(|(from, path)| (path.clone(), pins::settled(&path, from))).collect()
}

/// What must be copied, for every bind and every configuration of the model.
pub(super) fn copies(work: &Work<'_>, source: &Value) -> Vec<Copy> {
    let apart = if work.plan.apart { written(work.approved.model(), source) } else { BTreeSet::new() };
    let worth = !work.moves.is_empty() || !apart.is_empty();
    let Some(into) = work.plan.copies.as_ref().filter(|_| worth) else { return Vec::new() };
    let mut sources = sources(work.approved.model(), source);
    sources.retain(|source| !work.plan.kept.contains_key(source));
    let mut budget = FILES;
    let mut out: Vec<Copy> = Vec::new();
    // Outer folders come first: what is mounted from within one that is copied comes from the copy.
    for source in sources {
        if out.iter().any(|copy| source.starts_with(&copy.from)) {
            continue;
        }
        let mut texts = BTreeMap::new();
        if !work.moves.is_empty() {
            look(&source, Path::new(""), &work.moves, &mut budget, &mut texts);
        }
        // Who reads an outer folder sees what is written in it.
        if !texts.is_empty() || apart.iter().any(|inner| inner.starts_with(&source)) {
            let name = source.file_name().unwrap_or_default();
            let to = into.join(out.len().to_string()).join(name);
            out.push(Copy { from: source, to, texts });
        }
    }
    out
}

fn path(text: &str) -> PathBuf {
    clean(Path::new(&plain(text)))
}

/// Where a path of the submission is mounted from.
pub(super) fn mounted(work: &Work<'_>, path: &Path) -> PathBuf {
    if work.plan.kept.contains_key(path) {
        return kept(work, path);
    }
    let found = work.copies.iter().find_map(|copy| Some((copy, path.strip_prefix(&copy.from).ok()?)));
    match found {
        Some((copy, rest)) if rest.as_os_str().is_empty() => copy.to.clone(),
        Some((copy, rest)) => copy.to.join(rest),
        None => kept(work, path),
    }
}

/// Where a path of the submission that changes nowhere is mounted from.
pub(super) fn kept(work: &Work<'_>, path: &Path) -> PathBuf {
    work.plan.kept.get(path).cloned().unwrap_or_else(|| path.to_owned())
}

fn look(top: &Path, below: &Path, moves: &Moves, budget: &mut usize, texts: &mut BTreeMap<PathBuf, String>) {
    let full = if below.as_os_str().is_empty() { top.to_owned() } else { top.join(below) };
    // A link that is mounted is followed by the engine; one that is met within a folder is copied as it is.
    let meta = if below.as_os_str().is_empty() { full.metadata() } else { full.symlink_metadata() };
    let Ok(meta) = meta else { return };
    if meta.is_dir() {
        let mut names: Vec<_> =
            std::fs::read_dir(&full).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        names.sort_unstable();
        for name in names {
            look(top, &below.join(name), moves, budget, texts);
        }
    } else if meta.is_file() && meta.len() <= TEXT && *budget > 0 {
        *budget -= 1;
        let text = std::fs::read(&full).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let new = text.filter(|text| !text.contains('\0')).and_then(|text| translate::text(&text, moves));
        texts.extend(new.map(|new| (below.to_owned(), new)));
    }
}

impl Copy {
    /// Makes the copy.
    pub fn make(&self) -> std::io::Result<()> {
        if let Some(parent) = self.to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        self.one(Path::new(""))
    }

    fn one(&self, below: &Path) -> std::io::Result<()> {
        let at = |base: &Path| if below.as_os_str().is_empty() { base.to_owned() } else { base.join(below) };
        let (from, to) = (at(&self.from), at(&self.to));
        let top = below.as_os_str().is_empty();
        // A folder that is not there yet is made by the engine as it is mounted.
        if top && !from.exists() {
            return Ok(());
        }
        let meta = if top { from.metadata()? } else { from.symlink_metadata()? };
        if meta.is_dir() {
            std::fs::create_dir_all(&to)?;
            for entry in std::fs::read_dir(&from)? {
                self.one(&below.join(entry?.file_name()))?;
            }
        } else if meta.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(std::fs::read_link(&from)?, &to)?;
            return Ok(());
        } else if let Some(text) = self.texts.get(below) {
            std::fs::write(&to, text)?;
        } else {
            std::fs::copy(&from, &to)?;
        }
        std::fs::set_permissions(&to, meta.permissions())
    }
}
