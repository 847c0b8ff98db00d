//! What `doctor` asks of an engine.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use super::connect::Engine;
use super::fault::engine_fault;
use crate::error::Fault;

/// What an engine says of itself and of its machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Version of the engine.
    pub version: String,
    /// Version of its API in use.
    pub api: (usize, usize),
    /// Version of Compose; absent when it could not be asked.
    pub compose: Option<String>,
    /// Operating system of the engine's machine, as it names it.
    pub system: String,
    /// `linux`, `windows`.
    pub os: String,
    /// Processors.
    pub processors: u64,
    /// Memory, bytes.
    pub memory: u64,
    /// Where it keeps its data, on its own machine.
    pub root: PathBuf,
    /// Networks there now.
    pub networks: usize,
    /// Proxy that it uses to pull images.
    pub proxy: Option<String>,
}

impl Engine {
    /// Asks the engine and Compose.
    pub async fn survey(&self) -> Result<Survey, Fault> {
        let doing = |e| engine_fault("la lecture de son état", &e);
        let (info, networks, compose) =
            tokio::join!(self.docker.info(), self.docker.list_networks(None), self.compose_version());
        let (info, networks) = (info.map_err(doing)?, networks.map_err(doing)?);
        let some = |text: Option<String>| text.filter(|t| !t.is_empty());
        Ok(Survey {
            version: info.server_version.unwrap_or_default(),
            api: self.api,
            compose,
            system: info.operating_system.unwrap_or_default(),
            os: info.os_type.unwrap_or_default(),
            processors: info.ncpu.and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
            memory: info.mem_total.and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
            root: info.docker_root_dir.unwrap_or_default().into(),
            networks: networks.len(),
            proxy: some(info.https_proxy).or(some(info.http_proxy)),
        })
    }

    async fn compose_version(&self) -> Option<String> {
        let asked = tokio::process::Command::new(&self.tools.compose)
            .args(["version", "--short"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(10), asked).await.ok()?.ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().trim_start_matches('v').to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    }
}
