//! Finding the engine the way `docker` finds it: `DOCKER_HOST`, else the current context.

use std::path::PathBuf;

use bollard::{API_DEFAULT_VERSION, Docker};
use sha2::{Digest, Sha256};

use super::fault::{engine_fault, from_text};
use super::tools::Tools;
use crate::error::{Fault, FaultKind};

/// A connected engine and the tools that drive it.
#[derive(Clone)]
pub struct Engine {
    pub(super) docker: Docker,
    /// Address, as `DOCKER_HOST` takes it.
    pub host: String,
    /// API version in use, `(1, 45)`.
    pub api: (usize, usize),
    /// Compose and Buildx.
    pub tools: Tools,
}

impl Engine {
    /// Connects and checks that the engine answers.
    pub async fn connect() -> Result<Self, Fault> {
        let host = find_host()?;
        let tools = Tools::find(&host)?;
        let docker = open(&host)?;
        let docker = docker.negotiate_version().await.map_err(|e| no_engine(&host, &e.to_string()))?;
        let version = docker.client_version();
        Ok(Self { docker, host, api: (version.major_version, version.minor_version), tools })
    }

    /// True when the engine knows `start_interval` of health checks (API 1.44).
    pub fn knows_start_interval(&self) -> bool {
        self.api >= (1, 44)
    }

    /// Processors of the engine, which may have fewer than this machine; `None` when it does not say.
    pub async fn processors(&self) -> Option<f64> {
        let seen = self.docker.info().await.ok()?.ncpu?;
        u32::try_from(seen).ok().filter(|seen| *seen > 0).map(f64::from)
    }

    /// Version of the engine, for the reports.
    pub async fn version(&self) -> Result<String, Fault> {
        let version =
            self.docker.version().await.map_err(|e| engine_fault("la lecture de sa version", &e))?;
        Ok(version.version.unwrap_or_default())
    }
}

fn open(host: &str) -> Result<Docker, Fault> {
    let timeout = 120;
    let opened = if let Some(path) = host.strip_prefix("unix://") {
        Docker::connect_with_unix(path, timeout, API_DEFAULT_VERSION)
    } else if host.starts_with("npipe://") || cfg!(windows) && !host.starts_with("tcp://") {
        Docker::connect_with_local(host, timeout, API_DEFAULT_VERSION)
    } else if host.starts_with("tcp://") || host.starts_with("http://") {
        Docker::connect_with_http(host, timeout, API_DEFAULT_VERSION)
    } else {
        return Err(Fault::new(
            FaultKind::NoEngine,
            format!("le moteur est à l'adresse « {host} », que ce correcteur ne sait pas joindre"),
            "utilisez un moteur local : « docker context use default », ou DOCKER_HOST=unix:///…",
        ));
    };
    opened.map_err(|e| no_engine(host, &e.to_string()))
}

fn no_engine(host: &str, detail: &str) -> Fault {
    let lower = detail.to_lowercase();
    if lower.contains("permission denied") {
        return from_text("la connexion", &format!("docker: {detail}"));
    }
    let todo = if cfg!(target_os = "linux") {
        "démarrez-le (« sudo systemctl start docker », ou « make setup » dans ce projet), puis relancez"
    } else {
        "démarrez Docker Desktop, attendez qu'il soit prêt, puis relancez"
    };
    Fault::new(FaultKind::NoEngine, format!("aucun moteur Docker ne répond à l'adresse {host}"), todo)
        .detail(detail)
}

/// `DOCKER_HOST`, else the current context of the docker client, else the usual socket.
fn find_host() -> Result<String, Fault> {
    if let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|h| !h.is_empty()) {
        return Ok(host);
    }
    let config_dir = std::env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".docker")));
    let default =
        if cfg!(windows) { "npipe:////./pipe/docker_engine" } else { "unix:///var/run/docker.sock" };
    let Some(config_dir) = config_dir else { return Ok(default.to_owned()) };
    let named = std::env::var("DOCKER_CONTEXT").ok().filter(|c| !c.is_empty()).or_else(|| {
        let text = std::fs::read_to_string(config_dir.join("config.json")).ok()?;
        let config: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(config.get("currentContext")?.as_str()?.to_owned())
    });
    let Some(context) = named.filter(|c| !c.is_empty() && c != "default") else {
        return Ok(default.to_owned());
    };
    let digest = hex::encode(Sha256::digest(context.as_bytes()));
    let meta = config_dir.join("contexts/meta").join(digest).join("meta.json");
    let host = std::fs::read_to_string(&meta).ok().and_then(|text| {
        let meta: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(meta.pointer("/Endpoints/docker/Host")?.as_str()?.to_owned())
    });
    host.ok_or_else(|| {
        Fault::new(
            FaultKind::NoEngine,
            format!("le contexte docker « {context} » n'a pas d'adresse lisible"),
            "voyez « docker context ls », puis « docker context use default »",
        )
    })
}
