//! Which folders may be checked: those of the served root, and no other.

use std::path::{Component, Path, PathBuf};

use serde::Serialize;

/// Names of a Compose file, as Compose looks for them.
const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// How deep, and how many folders, are looked at for projects.
const DEPTH: usize = 2;
const ENOUGH: usize = 2_000;
const SHOWN: usize = 50;

/// A folder of the root, for the student to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Folder {
    /// Path from the root, `.` for the root itself.
    pub dir: String,
    /// As it is shown.
    pub name: String,
}

/// The folder served to one student.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Root {
    /// # Errors
    ///
    /// The folder does not exist.
    pub fn new(dir: &Path) -> std::io::Result<Self> {
        dir.canonicalize().map(Self)
    }

    /// Its path, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder at `dir` (from the root) when it is one and lies inside, links followed.
    pub fn inside(&self, dir: &str) -> Option<PathBuf> {
        let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
        if !Path::new(dir).components().all(plain) {
            return None;
        }
        let whole = self.0.join(dir).canonicalize().ok()?;
        (whole.starts_with(&self.0) && whole.is_dir()).then_some(whole)
    }

    /// Folders that hold a Compose project, the root first, and which of them is meant for a lab:
    /// the one that is `known`, else one named after it (`tp-02`), else the root itself.
    pub fn choices(&self, lab: &str, known: Option<&Path>) -> (Vec<Folder>, Option<String>) {
        let mut found = Vec::new();
        let mut looked = 0;
        projects(&self.0, DEPTH, &mut looked, &mut found);
        let known =
            known.and_then(|k| k.canonicalize().ok()).filter(|k| k.starts_with(&self.0) && k.is_dir());
        found.extend(known.clone().filter(|k| !found.contains(k)));
        found.sort();
        found.truncate(SHOWN);
        let named = |dir: &&PathBuf| dir.file_name().is_some_and(|n| n == format!("tp-{lab}").as_str());
        let chosen = known.or_else(|| found.iter().find(named).or_else(|| found.first()).cloned());
        let inside = |dir: &Path| {
            let path = dir.strip_prefix(&self.0).unwrap_or(dir).to_string_lossy().into_owned();
            if path.is_empty() { ".".to_owned() } else { path }
        };
        let here = self.0.file_name().unwrap_or_default().to_string_lossy();
        let folder = |dir: &PathBuf| {
            let dir = inside(dir);
            let name = if dir == "." { format!("{here} (ce dossier)") } else { dir.clone() };
            Folder { dir, name }
        };
        (found.iter().map(folder).collect(), chosen.map(|c| inside(&c)))
    }

    /// Every folder whose running project may be shown.
    pub fn projects(&self, known: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
        let mut found = Vec::new();
        projects(&self.0, DEPTH, &mut 0, &mut found);
        let known = known.into_iter().filter_map(|k| k.canonicalize().ok());
        found.extend(known.filter(|k| k.starts_with(&self.0)));
        found.sort();
        found.dedup();
        found
    }
}

fn projects(dir: &Path, depth: usize, looked: &mut usize, found: &mut Vec<PathBuf>) {
    *looked += 1;
    if *looked > ENOUGH {
        return;
    }
    if COMPOSE.iter().any(|name| dir.join(name).is_file()) {
        found.push(dir.to_owned());
    }
    if depth == 0 {
        return;
    }
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.') || name == "node_modules";
        // A link could lead anywhere, and round in circles.
        if !hidden && entry.file_type().is_ok_and(|t| t.is_dir()) {
            projects(&entry.path(), depth - 1, looked, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().expect("a folder");
        for inside in ["tp-01", "tp-02/app", "notes", ".cache/tp-09", "a/b/c"] {
            std::fs::create_dir_all(dir.path().join(inside)).expect("folders");
        }
        for file in [
            "tp-01/compose.yaml",
            "tp-02/docker-compose.yml",
            ".cache/tp-09/compose.yaml",
            "a/b/c/compose.yaml",
        ] {
            std::fs::write(dir.path().join(file), "services: {}").expect("written");
        }
        let root = Root::new(dir.path()).expect("a root");
        (dir, root)
    }

    #[test]
    fn nothing_outside_can_be_named() {
        let (dir, root) = root();
        assert_eq!(root.inside("."), Some(root.path().to_owned()));
        assert_eq!(root.inside("tp-02/app"), Some(root.path().join("tp-02/app")));
        for bad in ["..", "tp-01/../..", "/etc", "/", "absent", "tp-01/compose.yaml", "tp-01/../tp-02"] {
            assert_eq!(root.inside(bad), None, "{bad}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/", dir.path().join("lien")).expect("a link");
            assert_eq!(root.inside("lien"), None);
            assert_eq!(root.inside("lien/etc"), None);
        }
        drop(dir);
    }

    #[test]
    fn the_folder_of_a_lab_is_guessed() {
        let (_dir, root) = root();
        let (folders, chosen) = root.choices("02", None);
        let dirs: Vec<_> = folders.iter().map(|f| f.dir.as_str()).collect();
        assert_eq!(dirs, ["tp-01", "tp-02"]);
        assert_eq!(chosen.as_deref(), Some("tp-02"));
        assert_eq!(root.choices("03", None).1.as_deref(), Some("tp-01"));
        let (folders, chosen) = root.choices("03", Some(&root.path().join("notes")));
        assert_eq!((folders.len(), chosen.as_deref()), (3, Some("notes")));
        assert_eq!(root.choices("03", Some(Path::new("/etc"))).1.as_deref(), Some("tp-01"));
    }
}
