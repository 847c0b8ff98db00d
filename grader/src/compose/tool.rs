//! The official Compose, found where `docker` finds it and run as a child that cannot hurt.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::error::{Fault, FaultKind};

/// Time given to one run of `config`.
const PATIENCE: Duration = Duration::from_secs(10);
const STDOUT_CAP: u64 = 8 << 20;
const STDERR_CAP: u64 = 64 << 10;

/// The Compose plugin's own binary: killing `docker` alone would orphan it.
#[derive(Clone, Debug)]
pub struct ComposeTool {
    path: PathBuf,
}

/// What a finished child said.
pub(super) struct Said {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// Why a child did not finish.
pub(super) enum Stopped {
    /// It was killed at the time limit.
    Slow,
    /// It was killed because it wrote too much, or used too much memory or processor.
    Big,
    /// It could not be run.
    Machine(Fault),
}

impl ComposeTool {
    /// Finds the plugin in the usual folders, the user's first.
    pub fn find() -> Result<Self, Fault> {
        let name = format!("docker-compose{}", std::env::consts::EXE_SUFFIX);
        let mut dirs: Vec<PathBuf> = Vec::new();
        if let Some(config) = std::env::var_os("DOCKER_CONFIG") {
            dirs.push(PathBuf::from(config).join("cli-plugins"));
        }
        for home in ["HOME", "USERPROFILE"].iter().filter_map(std::env::var_os) {
            dirs.push(PathBuf::from(home).join(".docker").join("cli-plugins"));
        }
        for data in ["ProgramData", "ProgramFiles"].iter().filter_map(std::env::var_os) {
            dirs.push(PathBuf::from(data).join("Docker").join("cli-plugins"));
        }
        dirs.extend(
            [
                "/usr/local/lib/docker/cli-plugins",
                "/usr/local/libexec/docker/cli-plugins",
                "/usr/lib/docker/cli-plugins",
                "/usr/libexec/docker/cli-plugins",
                "/opt/homebrew/lib/docker/cli-plugins",
                "/Applications/Docker.app/Contents/Resources/cli-plugins",
            ]
            .map(PathBuf::from),
        );
        dirs.iter()
            .map(|dir| dir.join(&name))
            .find(|path| path.is_file())
            .map(|path| Self { path })
            .ok_or_else(|| {
                Fault::new(
                    FaultKind::NoEngine,
                    "Docker Compose est introuvable sur cette machine",
                    "installez le module « compose » de Docker, puis vérifiez avec : docker compose version",
                )
            })
    }

    /// A given plugin binary.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The binary.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the plugin in `cwd` with an empty environment but `PATH` and `HOME`.
    pub(super) async fn run(&self, args: &[OsString], cwd: &Path, home: &Path) -> Result<Said, Stopped> {
        let mut command = match without_network() {
            Some(unshare) => {
                let mut command = Command::new(UNSHARE);
                command.args(unshare).arg("--").arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        command
            .args(args)
            .current_dir(cwd)
            .env_clear()
            // No other program (git), and no way out where the network could not be taken away.
            .env("PATH", home)
            .env("HOME", home)
            .envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:9")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|e| Stopped::Machine(cannot(&e)))?;
        let pid = child.id();
        let _group = Group(pid);
        limit(pid);
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Stopped::Machine(cannot("no pipe")));
        };
        let mut work = Box::pin(async {
            let (stdout, stderr) = tokio::join!(capped(out, STDOUT_CAP), capped(err, STDERR_CAP));
            match (stdout, stderr) {
                (Ok((stdout, true)), Ok((stderr, _))) => {
                    let status = child.wait().await.map_err(|e| Stopped::Machine(cannot(&e)))?;
                    if killed(status) {
                        return Err(Stopped::Big);
                    }
                    Ok(Said { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
                }
                (Ok((_, false)), _) => Err(Stopped::Big),
                (Err(e), _) | (_, Err(e)) => Err(Stopped::Machine(cannot(&e))),
            }
        });
        let mut said = tokio::time::timeout(PATIENCE, &mut work).await;
        if said.is_err() && was_starved(pid) {
            said = tokio::time::timeout(PATIENCE * 2, &mut work).await;
        }
        match said {
            Ok(said) => said,
            Err(_) if was_starved(pid) => Err(Stopped::Machine(Fault::new(
                FaultKind::Noise,
                "la machine est trop occupée pour lire ce projet",
                "relancez quand elle est moins chargée",
            ))),
            Err(_) => Err(Stopped::Slow),
        }
    }
}

/// Runs a program with other name spaces.
const UNSHARE: &str = "/usr/bin/unshare";

/// Options of `unshare` that take the network away from a child; `None` where that is not
/// possible. Tried once.
fn without_network() -> Option<&'static [&'static str]> {
    static FOUND: OnceLock<Option<&[&str]>> = OnceLock::new();
    const WAYS: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];
    *FOUND.get_or_init(|| {
        WAYS.into_iter().find(|way| {
            let mut command = std::process::Command::new(UNSHARE);
            command.args(*way).args(["--", "/bin/true"]).env_clear();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    })
}

/// True when a child that ran out of time was hardly given the processor: nothing that it waits
/// for can be in the copy, so the machine is to blame.
fn was_starved(pid: Option<u32>) -> bool {
    let stat = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    let ticks = stat.and_then(|text| {
        let fields: Vec<u64> =
            text.rsplit_once(')')?.1.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        // Times in user and system mode; the state before them is not a number.
        Some(fields.get(10)? + fields.get(11)?)
    });
    ticks.is_some_and(|ticks| ticks < 300)
}

/// Kills the whole group when dropped, whatever way the run ended.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) =
            self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Processor time, memory and file size of the child. Go reserves address space that it never
/// uses, so memory is limited by its private writable part (`RLIMIT_DATA`), not `RLIMIT_AS`.
fn limit(id: Option<u32>) {
    #[cfg(target_os = "linux")]
    if let Some(pid) = id.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
        use rustix::process::{Resource, Rlimit, prlimit};
        let set = |resource, value| {
            let _ = prlimit(Some(pid), resource, Rlimit { current: Some(value), maximum: Some(value) });
        };
        set(Resource::Cpu, 20);
        set(Resource::Data, 1 << 30);
        set(Resource::Core, 0);
        set(Resource::Fsize, 1 << 20);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = id;
}

#[cfg(unix)]
fn killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    // 2 is how the Go runtime ends when memory is refused to it.
    status.signal().is_some() || status.code() == Some(2)
}

#[cfg(not(unix))]
fn killed(_: ExitStatus) -> bool {
    false
}

/// Reads to the end, or to `cap` bytes (then `false`) while the rest is left to the kill.
async fn capped(from: impl AsyncRead + Unpin, cap: u64) -> std::io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let read = from.take(cap + 1).read_to_end(&mut bytes).await?;
    Ok((bytes, read as u64 <= cap))
}

fn cannot(detail: impl std::fmt::Display) -> Fault {
    Fault::new(
        FaultKind::Engine,
        "Docker Compose n'a pas pu être lancé",
        "vérifiez l'installation avec : docker compose version",
    )
    .detail(detail)
}
