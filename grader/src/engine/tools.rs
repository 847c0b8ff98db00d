//! The Compose and Buildx plugins, run directly (killing only `docker` would orphan them).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::session::Session;
use crate::error::{Fault, FaultKind};

/// Paths of the plugins and the address of the engine they talk to.
#[derive(Clone, Debug)]
pub struct Tools {
    /// `docker-compose`.
    pub compose: PathBuf,
    /// `docker-buildx`.
    pub buildx: PathBuf,
    host: String,
}

/// What a finished tool said.
#[derive(Debug)]
pub(super) struct Said {
    pub ok: bool,
    /// Standard output and error together, in the order read, cut to its end.
    pub text: String,
    pub timed_out: bool,
}

impl Said {
    /// It ended by itself, and badly.
    pub fn failed(&self) -> bool {
        !self.ok && !self.timed_out
    }
}

/// Bytes of a tool's output that are kept (its end).
const KEEP: usize = 64 * 1024;

impl Tools {
    /// Finds both plugins.
    pub(super) fn find(host: &str) -> Result<Self, Fault> {
        Ok(Self {
            compose: plugin("docker-compose")?,
            buildx: plugin("docker-buildx")?,
            host: host.to_owned(),
        })
    }

    /// Runs a plugin with a bare environment and these variables in its own process group, known to the supervisor.
    pub(super) async fn run(
        &self,
        session: &Session,
        program: &Path,
        args: &[String],
        variables: &BTreeMap<String, String>,
        deadline: Duration,
    ) -> Result<Said, Fault> {
        let name = program.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(session.dir())
            .env_clear()
            .envs(variables)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", session.home())
            .env("DOCKER_CONFIG", session.home())
            .env("BUILDX_CONFIG", session.home())
            .env("DOCKER_HOST", &self.host)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(windows)]
        for key in ["SystemRoot", "TEMP", "TMP", "USERPROFILE"] {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|e| {
            Fault::new(
                FaultKind::Engine,
                format!("« {name} » ne se lance pas"),
                "réinstallez Docker, puis relancez",
            )
            .detail(e)
        })?;
        let group = child.id();
        let guard = session.watch_group(group);
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let (Some(mut stdout), Some(mut stderr)) = (stdout, stderr) else {
            return Err(Fault::new(
                FaultKind::Bug,
                "sortie de l'outil perdue",
                "signalez ce défaut du correcteur",
            ));
        };
        let work = async {
            let mut text = Vec::new();
            let (mut out, mut err) = ([0u8; 8192], [0u8; 8192]);
            let (mut out_open, mut err_open) = (true, true);
            while out_open || err_open {
                let (chunk, open) = tokio::select! {
                    n = stdout.read(&mut out), if out_open => { let n = n.unwrap_or(0); (&out[..n], &mut out_open) }
                    n = stderr.read(&mut err), if err_open => { let n = n.unwrap_or(0); (&err[..n], &mut err_open) }
                };
                if chunk.is_empty() {
                    *open = false;
                }
                text.extend_from_slice(chunk);
                if text.len() > 2 * KEEP {
                    text.drain(..text.len() - KEEP);
                }
            }
            (child.wait().await, text)
        };
        let result = tokio::time::timeout(deadline, work).await;
        drop(guard);
        match result {
            Ok((status, text)) => Ok(Said {
                ok: status.is_ok_and(|s| s.success()),
                text: tail(&String::from_utf8_lossy(&text)),
                timed_out: false,
            }),
            Err(_) => {
                kill_group(group);
                Ok(Said { ok: false, text: String::new(), timed_out: true })
            }
        }
    }
}

fn tail(text: &str) -> String {
    let skip = text.len().saturating_sub(KEEP);
    let start = (skip..text.len()).find(|&i| text.is_char_boundary(i)).unwrap_or(text.len());
    text[start..].to_owned()
}

/// SIGKILL to a whole process group.
pub(super) fn kill_group(group: Option<u32>) {
    #[cfg(unix)]
    if let Some(pid) = group.and_then(|g| i32::try_from(g).ok()).and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = group;
}

/// Finds a docker CLI plugin where the docker client looks for it.
fn plugin(name: &str) -> Result<PathBuf, Fault> {
    let file = if cfg!(windows) { format!("{name}.exe") } else { name.to_owned() };
    let mut dirs: Vec<PathBuf> = Vec::new();
    if let Some(dir) = std::env::var_os("DOCKER_CONFIG") {
        dirs.push(PathBuf::from(dir).join("cli-plugins"));
    }
    if let Some(home) = std::env::home_dir() {
        dirs.push(home.join(".docker/cli-plugins"));
    }
    for dir in [
        "/usr/local/lib/docker/cli-plugins",
        "/usr/local/libexec/docker/cli-plugins",
        "/usr/lib/docker/cli-plugins",
        "/usr/libexec/docker/cli-plugins",
        "/opt/homebrew/lib/docker/cli-plugins",
        "/Applications/Docker.app/Contents/Resources/cli-plugins",
    ] {
        dirs.push(PathBuf::from(dir));
    }
    if let Some(program_files) = std::env::var_os("ProgramFiles") {
        dirs.push(PathBuf::from(program_files).join("Docker/cli-plugins"));
    }
    dirs.into_iter().map(|d| d.join(&file)).find(|p| p.is_file()).ok_or_else(|| {
        Fault::new(
            FaultKind::NoEngine,
            format!("le greffon « {name} » de Docker est introuvable"),
            "installez Docker Compose v2 et Buildx (Docker Desktop les contient), puis relancez",
        )
    })
}
