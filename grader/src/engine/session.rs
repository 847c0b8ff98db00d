//! A session owns everything that one run creates: label first, then create.
//!
//! A session is alive only while its lock file is held (never by pid or age), and only
//! objects of our own install id are ever touched.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rand::Rng;

use super::connect::Engine;
use super::{pool, sweep};
use crate::error::{Fault, FaultKind};
use crate::event::Inventory;

/// Label that carries the install id.
pub(super) const INSTALL: &str = "tp-docker.install";
/// Label that carries the session id.
pub(super) const SESSION: &str = "tp-docker.session";

/// Everything that one run creates, and the way to remove it.
pub struct Session {
    /// Random id, 8 hexadecimal digits.
    pub id: String,
    /// A value drawn for the session, that nothing outside it knows: 28 letters and digits.
    pub secret: String,
    labels: BTreeMap<String, String>,
    dir: PathBuf,
    lock_path: PathBuf,
    _lock: File,
    supervisor: Mutex<Option<Child>>,
    pipe: Arc<Mutex<Option<std::process::ChildStdin>>>,
}

/// Tells the supervisor that a process group has ended, when dropped.
pub(super) struct GroupGuard {
    group: Option<u32>,
    pipe: Arc<Mutex<Option<std::process::ChildStdin>>>,
}

impl Drop for GroupGuard {
    fn drop(&mut self) {
        super::tools::kill_group(self.group);
        if let Some(group) = self.group {
            tell(&self.pipe, &format!("ungroup {group}"));
        }
    }
}

fn tell(pipe: &Mutex<Option<std::process::ChildStdin>>, line: &str) {
    if let Ok(mut pipe) = pipe.lock()
        && let Some(pipe) = pipe.as_mut()
    {
        let _ = writeln!(pipe, "{line}");
        let _ = pipe.flush();
    }
}

fn io_fault(what: &str, error: &std::io::Error) -> Fault {
    let kind =
        if error.kind() == std::io::ErrorKind::StorageFull { FaultKind::Disk } else { FaultKind::Engine };
    Fault::new(
        kind,
        format!("{what} est impossible"),
        "vérifiez la place et les droits du dossier temporaire",
    )
    .detail(error)
}

/// Where sessions of this install live, with the install id.
pub(super) fn base() -> Result<(PathBuf, String), Fault> {
    let install = install_id()?;
    let base = std::env::temp_dir().join(format!("tp-docker-{install}"));
    std::fs::create_dir_all(base.join("locks"))
        .map_err(|e| io_fault("la création du dossier de travail", &e))?;
    Ok((base, install))
}

/// A random id made once per user and kept, so that two installs never sweep each other.
fn install_id() -> Result<String, Fault> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .or_else(|| std::env::var_os("LOCALAPPDATA"))
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|h| h.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
        .join("tp-docker");
    let file = state.join("install-id");
    let read = || std::fs::read_to_string(&file).ok().map(|t| t.trim().to_owned());
    let valid = |id: &String| id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit());
    if let Some(id) = read().filter(valid) {
        return Ok(id);
    }
    std::fs::create_dir_all(&state).map_err(|e| io_fault("la création du dossier d'état", &e))?;
    let mut temp = tempfile::NamedTempFile::new_in(&state)
        .map_err(|e| io_fault("l'écriture de l'identifiant d'installation", &e))?;
    let id = random_id();
    writeln!(temp, "{id}").map_err(|e| io_fault("l'écriture de l'identifiant d'installation", &e))?;
    // Another grader may have been faster: its id wins.
    match temp.persist_noclobber(&file) {
        Ok(_) => Ok(id),
        Err(_) => read().filter(valid).ok_or_else(|| {
            Fault::new(
                FaultKind::Engine,
                format!("le fichier {} est illisible", file.display()),
                "supprimez-le, puis relancez",
            )
        }),
    }
}

/// Characters of the value drawn for a session.
const SECRET: usize = 28;

/// Eight random hexadecimal digits.
pub(super) fn random_id() -> String {
    format!("{:08x}", rand::rng().random::<u32>())
}

/// Locks `locks/<id>.lock`: made under another name, locked, then renamed, so that nobody ever
/// sees a lock file that is not held by a living session.
fn take_lock(base: &Path, id: &str) -> std::io::Result<(PathBuf, File)> {
    let temp = base.join("locks").join(format!(".{id}"));
    let path = base.join("locks").join(format!("{id}.lock"));
    let file = File::create(&temp)?;
    file.lock()?;
    std::fs::rename(&temp, &path)?;
    Ok((path, file))
}

/// True while the session's lock is held by a living process.
pub(super) fn is_alive(base: &Path, id: &str) -> bool {
    File::open(base.join("locks").join(format!("{id}.lock"))).is_ok_and(|file| file.try_lock().is_err())
}

impl Session {
    /// Opens a session: lock, directory, supervisor.
    pub fn open(lab: &str) -> Result<Self, Fault> {
        let (base, install) = base()?;
        let id = random_id();
        let (lock_path, lock) =
            take_lock(&base, &id).map_err(|e| io_fault("la pose du verrou de session", &e))?;
        let dir = base.join(&id);
        std::fs::create_dir_all(dir.join("home"))
            .map_err(|e| io_fault("la création du dossier de session", &e))?;
        let labels = BTreeMap::from([
            (INSTALL.to_owned(), install),
            (SESSION.to_owned(), id.clone()),
            ("tp-docker.lab".to_owned(), lab.to_owned()),
            ("tp-docker.owner".to_owned(), owner()),
        ]);
        let (supervisor, pipe) = match spawn_supervisor(&id) {
            Some((child, pipe)) => (Some(child), Some(pipe)),
            None => (None, None),
        };
        let mut rng = rand::rng();
        Ok(Self {
            id,
            secret: (0..SECRET).map(|_| char::from(rng.sample(rand::distr::Alphanumeric))).collect(),
            labels,
            dir,
            lock_path,
            _lock: lock,
            supervisor: Mutex::new(supervisor),
            pipe: Arc::new(Mutex::new(pipe)),
        })
    }

    /// Labels of everything that the session creates.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Directory of the session; removed at its end.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// An empty home for the tools.
    pub(super) fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// Lets the supervisor know of a process group, to be killed should we die.
    pub(super) fn watch_group(&self, group: Option<u32>) -> GroupGuard {
        if let Some(group) = group {
            tell(&self.pipe, &format!("group {group}"));
        }
        GroupGuard { group, pipe: Arc::clone(&self.pipe) }
    }

    /// Reserves `count` free /24 subnets of our own pool, against every network of the engine and
    /// every other session.
    pub async fn reserve_subnets(&self, engine: &Engine, count: usize) -> Result<Vec<ipnet::Ipv4Net>, Fault> {
        pool::claim(engine, &self.id, count).await
    }

    /// Removes the containers, the networks and the volumes: a stack can begin again from nothing.
    pub async fn empty(&self, engine: &Engine) -> Result<(), Fault> {
        let left = sweep::session(engine, &self.id, true).await?;
        if left.is_empty() {
            return Ok(());
        }
        let todo = "relancez ; « grader clean » supprime ce qui reste";
        Err(Fault::new(FaultKind::Engine, "l'ancienne pile ne se laisse pas supprimer", todo))
    }

    /// Removes everything and says what is left.
    pub async fn close(&self, engine: &Engine) -> Result<Inventory, Fault> {
        let mut left = sweep::session(engine, &self.id, false).await?;
        pool::release(&self.id);
        left.dirs = usize::from(sweep::remove_dir(engine, &self.dir).await.is_err());
        if left.is_empty() {
            tell(&self.pipe, "bye");
            let _ = std::fs::remove_file(&self.lock_path);
        }
        let child = self.supervisor.lock().ok().and_then(|mut c| c.take());
        if let Some(mut child) = child {
            drop(self.pipe.lock().ok().and_then(|mut p| p.take()));
            let _ = tokio::task::spawn_blocking(move || child.wait()).await;
        }
        Ok(left)
    }
}

/// Pid and boot id of the owner, for people who look around.
fn owner() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{}-{}", std::process::id(), boot.trim())
}

/// Starts ourselves as the supervisor of the session. Without one (a test binary, an odd
/// platform) the sweep at the next start still cleans.
fn spawn_supervisor(id: &str) -> Option<(Child, std::process::ChildStdin)> {
    let exe = std::env::current_exe().ok()?;
    if !exe.file_stem()?.to_string_lossy().eq_ignore_ascii_case("grader") {
        return None;
    }
    let mut child = std::process::Command::new(exe)
        .args(["__reap", id])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let pipe = child.stdin.take()?;
    Some((child, pipe))
}

/// The supervisor: reads the groups on its standard input; an end of file without « bye » means
/// that the grader died. Kills the groups, then sweeps the session.
pub fn reap_main(id: &str) -> std::process::ExitCode {
    #[cfg(unix)]
    let _ = rustix::process::setsid();
    let mut groups: Vec<u32> = Vec::new();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("group", n)) => groups.extend(n.parse::<u32>()),
            Some(("ungroup", n)) => groups.retain(|g| Ok(*g) != n.parse()),
            _ if line == "bye" => return std::process::ExitCode::SUCCESS,
            _ => {}
        }
    }
    for group in groups {
        super::tools::kill_group(Some(group));
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return std::process::ExitCode::FAILURE;
    };
    let swept = runtime.block_on(async {
        let engine = Engine::connect().await?;
        sweep::dead_session(&engine, id).await
    });
    match swept {
        Ok(left) if left.is_empty() => std::process::ExitCode::SUCCESS,
        _ => std::process::ExitCode::FAILURE,
    }
}
