//! The canonical Compose model of the submission, as far as checks look at it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// What the student declared (canonical Compose model, before any rewrite).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Services of the active profiles, by name.
    pub services: BTreeMap<String, DeclaredService>,
    /// Networks, by key.
    pub networks: BTreeMap<String, DeclaredNetwork>,
    /// Name of the main Compose file, relative to the submission.
    pub file: String,
    /// The same without the file that the lab lays over; `None` when there is no such file.
    pub alone: Option<Box<Declared>>,
    /// Name of the file that the lab lays over, when it is there.
    pub over: Option<String>,
    /// Profiles that the lab asks to be read.
    pub profiles: BTreeMap<String, DeclaredProfile>,
}

/// What Compose makes of a profile, without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredProfile {
    /// Services, each with its memory limit in bytes, copies counted.
    pub services: BTreeMap<String, Option<u64>>,
    /// Why Compose refuses it.
    pub refused: Option<String>,
}

/// A declared service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeclaredService {
    /// `image`.
    pub image: Option<String>,
    /// Build context relative to the submission, when the service is built.
    pub build_context: Option<String>,
    /// Dockerfile relative to the submission, when the service is built and it is a file.
    pub dockerfile: Option<String>,
    /// Published ports.
    pub ports: Vec<DeclaredPort>,
    /// Network keys.
    pub networks: Vec<String>,
    /// `network_mode`.
    pub network_mode: Option<String>,
    /// Test of the health check, as Compose gives it; `None` without one or when disabled.
    pub healthcheck: Option<Vec<String>>,
    /// `depends_on`: service to condition.
    pub depends_on: BTreeMap<String, String>,
    /// `restart`.
    pub restart: Option<String>,
    /// `logging`.
    pub logging: Option<DeclaredLogging>,
    /// Limits of memory and processors, whichever way they are written.
    pub limits: DeclaredLimits,
}

/// What a container of a service may take at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DeclaredLimits {
    /// Bytes; `None` without a limit.
    pub memory: Option<u64>,
    /// Processors; `None` without a limit.
    pub cpus: Option<f64>,
}

/// How a service's log is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredLogging {
    /// `driver`; `None` is the engine's default.
    pub driver: Option<String>,
    /// `options`.
    pub options: BTreeMap<String, String>,
}

/// A declared port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredPort {
    /// Port in the container.
    pub target: u16,
    /// Port or range on the host, as written; `None` when left to Docker.
    pub published: Option<String>,
    /// Address on the host, when given.
    pub host_ip: Option<String>,
    /// `tcp` or `udp`.
    pub protocol: String,
}

impl DeclaredPort {
    /// The port on the host, when it is one and not a range.
    pub fn host(&self) -> Option<u16> {
        self.published.as_deref()?.parse().ok()
    }

    /// Whether it is open to all the interfaces of the machine, or to its own visitors at least.
    pub fn is_open_here(&self) -> bool {
        matches!(
            self.host_ip.as_deref(),
            None | Some("" | "0.0.0.0" | "127.0.0.1" | "::" | "::1" | "[::]" | "[::1]" | "localhost")
        )
    }
}

/// A declared network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeclaredNetwork {
    /// `driver`; `None` means the default (`bridge`).
    pub driver: Option<String>,
    /// `ipam.config[].subnet`.
    pub subnets: Vec<IpNet>,
    /// `ipam.config[].gateway`, or the first address of the subnet when it is left out.
    pub gateways: Vec<IpAddr>,
    /// `internal: true`.
    pub internal: bool,
    /// `external: true`.
    pub external: bool,
}
