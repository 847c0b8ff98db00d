//! What is saved in a student's folder, by the system's events or by looking again and again.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify_debouncer_full::notify::{
    self, Config, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher,
};
use notify_debouncer_full::{DebounceEventResult, DebouncedEvent, Debouncer, NoCache, new_debouncer_opt};
use tokio::sync::Notify;

use crate::compose::is_scratch;
use crate::error::{Fault, FaultKind};

/// An editor writes a file in several goes: what comes closer together is one save.
const CALM: Duration = Duration::from_millis(100);
/// How often a folder without events is looked at.
const POLL: Duration = Duration::from_millis(700);

/// Folders of tools, whose files are not the student's work.
const FOLDERS: [&str; 9] =
    [".git", ".grader", ".hg", ".idea", ".svn", ".vscode", "__pycache__", "node_modules", ".DS_Store"];

/// Follows a folder from its creation to its drop.
pub struct Saves {
    seen: Arc<Seen>,
    polled: bool,
    /// Stops when dropped.
    _watcher: Box<dyn Send>,
}

/// What was saved and not yet taken.
#[derive(Default)]
struct Seen {
    files: Mutex<BTreeSet<PathBuf>>,
    more: Notify,
}

impl Seen {
    fn files(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, files: impl IntoIterator<Item = PathBuf>) {
        let mut seen = self.files();
        seen.extend(files);
        if !seen.is_empty() {
            self.more.notify_one();
        }
    }
}

impl Saves {
    /// Follows `dir`; with `poll`, or where events cannot be relied on, by looking at it regularly.
    ///
    /// # Errors
    ///
    /// The folder cannot be followed in either way.
    pub fn of(dir: &Path, poll: bool) -> Result<Self, Fault> {
        let seen = Arc::new(Seen::default());
        let work = || -> notify::Result<(Box<dyn Send>, bool)> {
            let dir = dir.canonicalize()?;
            if !poll && has_events(&dir) {
                // No more watches, for instance: the folder can still be looked at.
                if let Ok(watcher) = follow::<RecommendedWatcher>(&dir, &seen, Config::default()) {
                    return Ok((Box::new(watcher), false));
                }
            }
            // By contents too: its dates are whole seconds, and one may save twice in one.
            let config = Config::default().with_poll_interval(POLL).with_compare_contents(true);
            Ok((Box::new(follow::<PollWatcher>(&dir, &seen, config)?), true))
        };
        let (watcher, polled) = work().map_err(|e| {
            let what = format!("le dossier « {} » ne se laisse pas surveiller", dir.display());
            Fault::new(FaultKind::Engine, what, "vérifiez le chemin et les droits de lecture").detail(e)
        })?;
        Ok(Self { seen, polled, _watcher: watcher })
    }

    /// Whether the folder is looked at regularly, for want of events.
    pub fn polled(&self) -> bool {
        self.polled
    }

    /// Resolves once something is saved that was not taken.
    pub async fn pending(&self) {
        while self.seen.files().is_empty() {
            self.seen.more.notified().await;
        }
    }

    /// What was saved since the last time, relative to the folder (the folder itself when everything
    /// may have changed).
    pub fn take(&self) -> Vec<PathBuf> {
        std::mem::take(&mut *self.seen.files()).into_iter().collect()
    }
}

fn follow<T: Watcher + Send + 'static>(
    dir: &Path,
    seen: &Arc<Seen>,
    config: Config,
) -> notify::Result<Debouncer<T, NoCache>> {
    let (seen, root) = (Arc::clone(seen), dir.to_owned());
    let config = config.with_follow_symlinks(false);
    let said = move |said: DebounceEventResult| seen.add(files(&root, said));
    let mut watcher = new_debouncer_opt::<_, T, NoCache>(CALM, None, said, NoCache::new(), config)?;
    watcher.watch(dir, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// The student's files that some events are about. A lost event may be about any.
fn files(root: &Path, said: DebounceEventResult) -> Vec<PathBuf> {
    let Ok(events) = said else { return vec![PathBuf::from(".")] };
    let one = |event: DebouncedEvent| -> Vec<PathBuf> {
        if event.need_rescan() {
            return vec![PathBuf::from(".")];
        }
        // Our own reading of the folder is an event too.
        if matches!(event.kind, EventKind::Access(_)) {
            return Vec::new();
        }
        let inside = event.paths.iter().filter_map(|path| path.strip_prefix(root).ok());
        inside.filter(|path| !path.as_os_str().is_empty() && !is_ignored(path)).map(Path::to_owned).collect()
    };
    events.into_iter().flat_map(one).collect()
}

/// True for what no verdict depends on: files of tools, scratch files of editors.
fn is_ignored(path: &Path) -> bool {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let names: Vec<&str> = names.collect();
    names.iter().any(|name| FOLDERS.contains(name)) || names.last().is_some_and(|name| is_scratch(name))
}

/// Whether the system tells every change of this folder: a network file system, or the disk of another
/// system (WSL, virtual machines), keeps to itself what happens on the other side.
#[cfg(target_os = "linux")]
fn has_events(dir: &Path) -> bool {
    rustix::fs::statfs(dir).is_ok_and(|fs| !FOREIGN.contains(&(fs.f_type & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn has_events(_: &Path) -> bool {
    true
}

/// NFS, SMB (three generations), 9P, FUSE, VirtualBox's shared folders, Ceph.
#[cfg(target_os = "linux")]
const FOREIGN: [i64; 8] =
    [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x6573_5546, 0x786f_4256, 0x00c3_6400];

#[cfg(test)]
mod tests {
    use notify_debouncer_full::notify::Event;
    use notify_debouncer_full::notify::event::{AccessKind, CreateKind, Flag};

    use super::*;

    #[test]
    fn scratch_files_and_folders_of_tools_are_ignored() {
        for path in [
            ".git/index",
            "app/node_modules/pg/index.js",
            ".grader/progress.json",
            "app/.app.js.swp",
            "app/app.js~",
            "app/4913",
            "app/.#app.js",
            "app/#app.js#",
            "app/app.js___jb_tmp___",
        ] {
            assert!(is_ignored(Path::new(path)), "{path}");
        }
        for path in ["compose.yaml", "app/app.js", ".env", ".dockerignore", "prometheus/alert.rules.yml"] {
            assert!(!is_ignored(Path::new(path)), "{path}");
        }
    }

    fn event(kind: EventKind, path: &str) -> DebouncedEvent {
        DebouncedEvent::new(Event::new(kind).add_path(path.into()), std::time::Instant::now())
    }

    #[test]
    fn what_is_read_is_no_save_and_what_is_lost_may_be_any() {
        let root = Path::new("/tp");
        let read = event(EventKind::Access(AccessKind::Any), "/tp/compose.yaml");
        let made = event(EventKind::Create(CreateKind::File), "/tp/app/app.js");
        let above = event(EventKind::Create(CreateKind::File), "/tp");
        assert_eq!(files(root, Ok(vec![read, made, above])), [PathBuf::from("app/app.js")]);
        let lost = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        let lost = DebouncedEvent::new(lost, std::time::Instant::now());
        assert_eq!(files(root, Ok(vec![lost])), [PathBuf::from(".")]);
    }

    #[tokio::test]
    async fn saves_come_together_until_they_are_taken() {
        let seen = Arc::new(Seen::default());
        let saves = Saves { seen: Arc::clone(&seen), polled: false, _watcher: Box::new(()) };
        seen.add(["a".into(), "b".into()]);
        seen.add(["a".into()]);
        saves.pending().await;
        assert_eq!(saves.take(), [PathBuf::from("a"), PathBuf::from("b")]);
        assert!(tokio::time::timeout(Duration::from_millis(20), saves.pending()).await.is_err());
        seen.add([]);
        assert!(tokio::time::timeout(Duration::from_millis(20), saves.pending()).await.is_err());
    }

    async fn sees_a_save(poll: bool) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("compose.yaml"), "services: {}\n").expect("written");
        let saves = Saves::of(dir.path(), poll).expect("followed");
        assert_eq!(saves.polled(), poll);
        std::fs::write(dir.path().join(".compose.yaml.swp"), "brouillon").expect("written");
        std::fs::write(dir.path().join("compose.yaml"), "services: { a: {} }\n").expect("written");
        tokio::time::timeout(Duration::from_secs(20), saves.pending()).await.expect("seen");
        assert_eq!(saves.take(), [PathBuf::from("compose.yaml")]);
    }

    #[tokio::test]
    async fn a_save_is_seen_by_events() {
        sees_a_save(false).await;
    }

    #[tokio::test]
    async fn a_save_is_seen_by_looking() {
        sees_a_save(true).await;
    }
}
