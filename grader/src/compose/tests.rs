//! Whole flow on real files with the official Compose, and properties of the rewrite.

#![expect(clippy::format_push_string, clippy::format_collect, reason = "clarity before speed in tests")]

mod flow;
mod hostile;
mod messages;
mod mutation;
mod over;
mod properties;
mod saves;
mod schema;

use std::path::{Path, PathBuf};

use super::*;

/// Files to write: name and content.
pub(super) type Files<'a> = &'a [(&'a str, &'a str)];

/// A submission on the disk, in a folder called `tp`.
pub(super) struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    pub fn new(files: Files<'_>) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir_all(dir.path().join("tp")).expect("folder");
        std::fs::create_dir_all(dir.path().join("into")).expect("folder");
        for (name, content) in files {
            let path = dir.path().join("tp").join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            std::fs::write(path, content).expect("file");
        }
        Self { dir }
    }

    pub fn origin(&self) -> PathBuf {
        self.dir.path().join("tp")
    }

    pub fn target(&self) -> PathBuf {
        self.dir.path().join("into")
    }

    /// The temporary paths of a debug print, made stable.
    pub fn stable(&self, text: &str) -> String {
        let real = self.dir.path().canonicalize().expect("temporary folder");
        text.replace(&*real.to_string_lossy(), "/T").replace('\u{a0}', " ")
    }
}

/// The plugin, or a clear message and `None`.
pub(super) fn tool() -> Option<ComposeTool> {
    let found = ComposeTool::find().ok();
    if found.is_none() {
        eprintln!("skipped: the Docker Compose plugin is not installed");
    }
    found
}

pub(super) fn staged(folder: &Folder) -> Staged {
    stage(&folder.origin(), &folder.target(), &Limits::default()).expect("staged")
}

/// The model of some files; `None` when Compose is not there.
pub(super) async fn model(folder: &Folder) -> Option<Result<ComposeModel, ConfigError>> {
    let tool = tool()?;
    Some(canonical(&staged(folder), &tool).await)
}

pub(super) fn plan() -> Plan {
    Plan {
        project: "tp-0badcafe".into(),
        labels: std::collections::BTreeMap::from([("fr.tp.run".to_owned(), "0badcafe".to_owned())]),
        subnets: (0..12).map(|n| format!("10.213.{n}.0/28").parse().expect("subnet")).collect(),
        built: std::collections::BTreeMap::from([("api".to_owned(), "tp-0badcafe/api:1".to_owned())]),
        images: std::collections::BTreeMap::from([(
            "postgres:16-alpine".to_owned(),
            "tp-local/postgres:16".to_owned(),
        )]),
        ..Plan::default()
    }
}

/// Course stack of part 3, with a few of the traps that students meet.
pub(super) const STACK: &str = include_str!("tests/stack.yaml");
/// Course stack of part 2.
pub(super) const NETWORKS: &str = include_str!("tests/networks.yaml");
/// Programs that look at the machine, as their documentation has them.
pub(super) const MONITORS: &str = include_str!("tests/monitors.yaml");
pub(super) const DOCKERFILE: &str = "# syntax=docker/dockerfile:1\nARG NODE=20\nFROM node:${NODE}-alpine AS deps\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci --omit=dev\nFROM node:${NODE}-alpine\nCOPY --from=deps /app /app\nCMD [\"node\", \"app.js\"]\n";

pub(super) fn stack() -> Folder {
    Folder::new(&[("compose.yaml", STACK), ("app/Dockerfile", DOCKERFILE), ("app/package.json", "{}")])
}

/// True when `path` exists anywhere beneath the test folder (used by hostile cases).
pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
