//! A student's own running containers, and a shell with a terminal in one of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::{ListContainersOptionsBuilder, ResizeExecOptionsBuilder};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::connect::Engine;
use super::fault::engine_fault;
use super::labels::{FOLDER, SERVICE};
use super::session::SESSION;
use crate::error::{Fault, FaultKind};

/// Longest wait for the shell's first line, and for its end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running container of a Compose project of the student's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnContainer {
    /// Id.
    pub id: String,
    /// Name, without its slash.
    pub name: String,
    /// Service.
    pub service: String,
    /// Folder of the project.
    pub folder: PathBuf,
}

impl Engine {
    /// Running containers whose Compose project lives in exactly one of these folders (canonical paths).
    /// Those of our own runs are not the student's.
    pub async fn own_containers(&self, folders: &[PathBuf]) -> Result<Vec<OwnContainer>, Fault> {
        let filters = HashMap::from([("label".to_owned(), vec![FOLDER.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().filters(&filters).build();
        let found = self
            .docker
            .list_containers(Some(options))
            .await
            .map_err(|e| engine_fault("la liste des conteneurs", &e))?;
        let mut own: Vec<OwnContainer> = found
            .into_iter()
            .filter_map(|c| {
                let labels = c.labels.filter(|l| !l.contains_key(SESSION))?;
                // The same folder, however it was written (symbolic links, Windows).
                let folder = Path::new(labels.get(FOLDER)?).canonicalize().ok()?;
                let service = labels.get(SERVICE).cloned().unwrap_or_default();
                let name = c.names.and_then(|n| n.into_iter().next()).unwrap_or_default();
                let name = name.trim_start_matches('/').to_owned();
                folders.contains(&folder).then_some(OwnContainer { id: c.id?, name, service, folder })
            })
            .collect();
        own.sort_by(|a, b| (&a.folder, &a.service, &a.name).cmp(&(&b.folder, &b.service, &b.name)));
        Ok(own)
    }

    /// Opens `sh` with a terminal of so many columns and lines in a container.
    pub async fn terminal(&self, container: &str, size: (u16, u16)) -> Result<Terminal, Fault> {
        let doing = |e| engine_fault("l'ouverture d'un terminal", &e);
        // The first line is the shell's own number there: the way to end it when the page closes.
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(true),
            env: Some(vec!["TERM=xterm-256color".into()]),
            cmd: Some(["sh", "-c", "echo $$; exec sh"].map(str::to_owned).to_vec()),
            console_size: Some(vec![size.1.into(), size.0.into()]),
            ..ExecConfig::default()
        };
        let exec = self.docker.create_exec(container, config).await.map_err(doing)?.id;
        let options = StartExecOptions { tty: true, ..StartExecOptions::default() };
        let started = self.docker.start_exec(&exec, Some(options)).await.map_err(doing)?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(no_shell("détaché"));
        };
        let mut terminal = Terminal {
            engine: self.clone(),
            container: container.to_owned(),
            exec,
            pid: String::new(),
            early: BytesMut::new(),
            output,
            input,
        };
        match timeout(PATIENCE, terminal.greet()).await {
            Ok(Ok(())) => Ok(terminal),
            Ok(Err(said)) => Err(no_shell(&said)),
            Err(_) => Err(no_shell("aucune réponse")),
        }
    }
}

fn no_shell(said: &str) -> Fault {
    Fault::new(
        FaultKind::Engine,
        "pas de terminal dans ce conteneur (son image n'a pas de « sh », ou il vient de s'arrêter)",
        "regardez ses journaux : docker compose logs",
    )
    .detail(said.trim())
}

/// A shell in a container. Ended by [`Terminal::close`].
pub struct Terminal {
    engine: Engine,
    container: String,
    exec: String,
    /// Number of the shell in its container.
    pid: String,
    /// What came with the first line.
    early: BytesMut,
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Terminal {
    /// Reads the first line. `Err` is what was there in its place.
    async fn greet(&mut self) -> Result<(), String> {
        loop {
            if let Some(end) = self.early.iter().position(|b| *b == b'\n') {
                let line = self.early.split_to(end + 1);
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if line.is_empty() || !line.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(line);
                }
                self.pid = line;
                return Ok(());
            }
            match self.next().await {
                Some(more) if self.early.len() < 4096 => self.early.extend_from_slice(&more),
                _ => return Err(String::from_utf8_lossy(&self.early).into_owned()),
            }
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        self.output.next().await?.ok().map(LogOutput::into_bytes)
    }

    /// What the shell writes; `None` once it has ended. Dropping the future loses nothing.
    pub async fn read(&mut self) -> Option<Bytes> {
        if self.early.is_empty() { self.next().await } else { Some(self.early.split().freeze()) }
    }

    /// What is typed.
    ///
    /// # Errors
    ///
    /// The shell has ended.
    pub async fn write(&mut self, typed: &[u8]) -> std::io::Result<()> {
        self.input.write_all(typed).await?;
        self.input.flush().await
    }

    /// The window changed: columns, lines.
    pub async fn resize(&mut self, (columns, lines): (u16, u16)) {
        let options = ResizeExecOptionsBuilder::new().w(columns.into()).h(lines.into()).build();
        // Too late for a shell that has just ended, and of no consequence.
        let _ = self.engine.docker.resize_exec(&self.exec, options).await;
    }

    /// Ends the shell: closing the connection would leave it running.
    pub async fn close(mut self) {
        let _ = timeout(PATIENCE, self.kill()).await;
    }

    async fn kill(&mut self) -> Option<()> {
        let docker = &self.engine.docker;
        if docker.inspect_exec(&self.exec).await.ok()?.running != Some(true) {
            return None;
        }
        // The terminal hangs up on what runs in it when its shell dies.
        let script = "kill -HUP \"$1\"; kill -KILL \"$1\"";
        let config = ExecConfig {
            attach_stdout: Some(true),
            cmd: Some(["sh", "-c", script, "sh", &self.pid].map(str::to_owned).to_vec()),
            ..ExecConfig::default()
        };
        let exec = docker.create_exec(&self.container, config).await.ok()?.id;
        if let StartExecResults::Attached { mut output, .. } = docker.start_exec(&exec, None).await.ok()? {
            while output.next().await.is_some() {}
        }
        Some(())
    }
}
