//! What a check may see and do: the [`World`] trait, implemented by the engine on a
//! running stack and by a fake in unit tests.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
pub use grader_probe::wire;
use ipnet::IpNet;

use crate::error::Fault;
use crate::event::Place;

mod declared;

pub use declared::{
    Declared, DeclaredLimits, DeclaredLogging, DeclaredNetwork, DeclaredPort, DeclaredProfile,
    DeclaredService,
};

/// From where a question is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Vantage {
    /// Inside the network namespace of a service.
    Service(String),
    /// A container of ours attached to this network (key of the student's file).
    Network(String),
    /// The same, at this address of it.
    Address(String, std::net::Ipv4Addr),
    /// A container of ours on the engine's default bridge.
    DefaultBridge,
    /// Inside the network namespace of a twin (see [`World::twin`]), by the name of its plan.
    Twin(String),
}

/// State of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Created, not started.
    Created,
    /// Running.
    Running,
    /// Restarting.
    Restarting,
    /// Paused.
    Paused,
    /// Exited or dead.
    Exited,
}

/// Health of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// In its grace period.
    Starting,
    /// Healthy.
    Healthy,
    /// Unhealthy.
    Unhealthy,
}

/// A container's link to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Key of the network in the student's file.
    pub network: String,
    /// Address.
    pub ip: Option<IpAddr>,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// Subnet in force in the run (moved from the declared one).
    pub subnet: Option<IpNet>,
}

/// A container of a service, as the engine shows it now.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Service.
    pub service: String,
    /// Engine id.
    pub id: String,
    /// State.
    pub state: State,
    /// Exit code, when it has exited.
    pub exit_code: Option<i64>,
    /// Times that the engine restarted it.
    pub restarts: i64,
    /// Health; `None` without a health check.
    pub health: Option<Health>,
    /// Networks.
    pub attachments: Vec<Attachment>,
    /// Ports published on the host: container port to host address (ephemeral, loopback).
    pub published: Vec<(u16, SocketAddr)>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Command and entry point, joined.
    pub command: Vec<String>,
    /// Working directory.
    pub working_dir: String,
    /// `HostConfig.NetworkMode`.
    pub network_mode: String,
    /// TCP ports that the image or the container says it listens to.
    pub exposed: Vec<u16>,
}

impl Instance {
    /// Running, and healthy where it has a health check.
    pub fn is_well(&self) -> bool {
        self.state == State::Running && matches!(self.health, Some(Health::Healthy) | None)
    }
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Created.
    Created,
    /// Started.
    Started,
    /// Turned healthy.
    Healthy,
    /// Turned unhealthy.
    Unhealthy,
    /// Exited with this code.
    Died(i64),
}

/// An engine event about a service of the stack, in the engine's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEvent {
    /// Unix time, microseconds, by the engine's clock.
    pub at_us: i64,
    /// Service.
    pub service: String,
    /// What happened.
    pub what: Happening,
}

/// One run of a health check, from the engine's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRun {
    /// Start, unix microseconds.
    pub started_us: i64,
    /// End, unix microseconds.
    pub ended_us: i64,
    /// Exit code; -1 when it timed out or could not run.
    pub exit_code: i64,
    /// Output, cut.
    pub output: String,
}

/// A deliberate change of the build context, to see how the build reacts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Alteration {
    /// Replace the content of this file of the build context (relative to it).
    Replace {
        /// File.
        file: String,
        /// New content.
        content: String,
    },
}

/// Outcome of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOutcome {
    /// True when the image was built.
    pub ok: bool,
    /// Build log, cut to its end.
    pub log: String,
}

/// A second container like one of the student's, for an experiment that must not touch the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TwinPlan {
    /// Name of the twin, unique on this copy; asked as [`Vantage::Twin`].
    pub name: String,
    /// Service whose running container is copied.
    pub service: String,
    /// Files laid over those of the container (read-only): absolute path inside to content.
    pub files: BTreeMap<String, String>,
    /// Arguments added to the command; `--name=value` takes the place of an argument of that name.
    pub extra_args: Vec<String>,
    /// Services whose entries are multiplied in what the twin sees of the engine's socket, so that
    /// a choice left to chance for each entry shows.
    pub amplify: Vec<String>,
}

/// A directory of every twin that its processes may write to, whoever they run as; empty at first.
pub const TWIN_SCRATCH: &str = "/tp-twin";

/// What the checks may see and do on one copy of the running stack.
///
/// Every method returns a [`Fault`] only for a fault of the machine or of the grader:
/// what the student's stack does wrong is in the value.
#[async_trait]
pub trait World: super::Deep {
    /// What the student declared.
    fn declared(&self) -> &Declared;

    /// Position of a node of the student's Compose file, for instance
    /// `["services", "api", "networks"]`; falls back on the nearest parent that is written.
    fn place(&self, path: &[&str], label: &str) -> Option<Place>;

    /// The same, the file that the lab lays over left aside.
    fn place_alone(&self, path: &[&str], label: &str) -> Option<Place> {
        self.place(path, label)
    }

    /// Position of the first line of a file of the submission that contains `needle`.
    fn place_in(&self, file: &str, needle: &str, label: &str) -> Option<Place>;

    /// A text file of the submission (staged copy), `None` when it is missing; at most 1 MiB.
    fn read(&self, file: &str) -> Option<String>;

    /// The files of the submission (staged copy), relative to it, folders of packages left out; at
    /// most some hundreds.
    fn files(&self) -> Vec<String> {
        Vec::new()
    }

    /// A secret number of this run, from which random values are drawn.
    fn seed(&self) -> u64;

    /// Containers of a service now (running or not), fresh from the engine.
    async fn instances(&self, service: &str) -> Result<Vec<Instance>, Fault>;

    /// Asks the probe at `from`. Probe failure is a [`Fault`], never an answer.
    async fn ask(&self, from: &Vantage, ask: wire::Ask) -> Result<wire::Answer, Fault>;

    /// Events of the stack so far, in the engine's order.
    async fn timeline(&self) -> Result<Vec<StackEvent>, Fault>;

    /// Runs of the health check of a service, oldest first, as far as the engine keeps them.
    async fn health_log(&self, service: &str) -> Result<Vec<HealthRun>, Fault>;

    /// Breaks a service without ending its container: every process is suspended and its
    /// loopback interface is down. Returns the unix microseconds of the acknowledgement.
    async fn freeze(&self, service: &str) -> Result<i64, Fault>;

    /// Undoes [`World::freeze`].
    async fn thaw(&self, service: &str) -> Result<(), Fault>;

    /// Ends the containers of a service at once, frozen or not; the engine does not restart them.
    /// Returns when the first of them had ended, unix microseconds of the engine's clock: on a busy
    /// machine the engine's acknowledgement comes a second or two later.
    async fn stop(&self, service: &str) -> Result<Option<i64>, Fault>;

    /// Starts the stopped containers of a service again, whole, without waiting until it is ready.
    async fn start(&self, service: &str) -> Result<(), Fault>;

    /// Removes the containers of a service and creates them anew as `down` then `up` would
    /// (named volumes kept, anonymous ones not), then waits until it is ready.
    /// `Ok(false)` when it does not become ready again.
    async fn recreate(&self, service: &str) -> Result<bool, Fault>;

    /// Whether a path exists in the service's container file system.
    async fn exists(&self, service: &str, path: &str) -> Result<bool, Fault>;

    /// A text file as the running container of a service sees it, mounts included. `None` when it
    /// is missing, is not a file or is longer than 1 MiB.
    async fn read_inside(&self, service: &str, path: &str) -> Result<Option<String>, Fault>;

    /// Names of what a directory holds, as the running container of a service sees it, sorted.
    /// `None` when it is missing or is not a directory.
    async fn list_inside(&self, service: &str, dir: &str) -> Result<Option<Vec<String>>, Fault>;

    /// Starts a twin of a service: same image, command, environment and networks, without its
    /// names, aliases and published ports. What the service may write to is not shared: named
    /// volumes are fresh ones, folders of the student are read-only. Removed with the run.
    async fn twin(&self, plan: TwinPlan) -> Result<(), Fault>;

    /// Whether times are to be measured as they are, never divided (`--real-time`).
    fn real_time(&self) -> bool {
        false
    }

    /// Builds the image of a service again with a changed context, and removes it.
    async fn rebuild(&self, service: &str, change: Alteration) -> Result<BuildOutcome, Fault>;

    /// Last lines of the service's log, standard output and error together.
    async fn logs(&self, service: &str, lines: usize) -> Result<String, Fault>;

    /// Waits for a moment in which no network was created or removed on the whole engine for
    /// at least `calm`. `Ok(false)` when there was none within `patience`.
    async fn quiet(&self, calm: Duration, patience: Duration) -> Result<bool, Fault>;

    /// Whether, on the engine's default bridge, a container of ours resolves the name of another
    /// container of ours on that same bridge, as observed now (never read from a table).
    async fn default_bridge_resolves(&self) -> Result<bool, Fault>;

    /// One HTTP GET sent from the host itself (outside every container) to a published address,
    /// with a limit of 5 s. A refused or cut connection is an answer, not a fault.
    async fn ask_host(&self, addr: SocketAddr, path: &str) -> Result<HostAnswer, Fault>;

    /// The same through TLS: `host` is the server name and the `Host` header, whatever certificate
    /// is presented is accepted.
    async fn ask_host_tls(&self, addr: SocketAddr, host: &str, path: &str) -> Result<HostAnswer, Fault>;

    /// Name of the Compose project in the run, by which some programs name what they find.
    fn project(&self) -> String {
        String::new()
    }

    /// Years that the PostgreSQL relay of this copy adds to every timestamp that goes through it;
    /// `None` when this copy has no relay (first copy, or the relay could not be set up).
    fn shift_years(&self) -> Option<i32>;

    /// What the PostgreSQL relay of this copy has seen so far, all connections together;
    /// `None` without a relay, or when it does not tell.
    async fn relay_seen(&self) -> Result<Option<RelaySeen>, Fault>;

    /// What was seen while the stack came up: `None` when every service became ready,
    /// else the French reason, service by service.
    fn bring_up(&self) -> &BringUp;

    /// Runs a program of a lab image in a throwaway container of ours: no network, read-only
    /// inputs, limits. Whatever the program says or its exit code is an outcome; one that does not
    /// end by its deadline, or an image that cannot be had, is a fault.
    async fn tool(&self, run: ToolRun) -> Result<ToolOutcome, Fault>;
}

/// A program to run in a throwaway container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolRun {
    /// Official name of the image; the local image that stands for it is used.
    pub image: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Files by their path relative to the working directory `/work`.
    pub files: BTreeMap<String, String>,
    /// Longest run.
    pub deadline: Duration,
}

/// What a tool did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolOutcome {
    /// Exit code.
    pub code: i64,
    /// Standard output, then standard error, each cut after 512 KiB.
    pub output: String,
}

/// What went through the PostgreSQL relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelaySeen {
    /// Connections that clients opened.
    pub connections: u64,
    /// Rows that the server sent.
    pub rows: u64,
    /// Dates that were shifted.
    pub shifted: u64,
}

/// What the host itself got from a published port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAnswer {
    /// Status code, when a status line came back.
    pub status: Option<u16>,
    /// Why there is none (English, from the system), cut.
    pub error: Option<String>,
    /// The body, as far as it was read (64 KiB at most, transfer encoding left in).
    pub body: String,
}

/// How the stack came up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BringUp {
    /// A build that failed: service and end of the log.
    pub build_failed: Option<(String, String)>,
    /// Services that are not running as they should, with a French reason
    /// (« sorti avec le code 1 », « jamais sain : … »).
    pub not_ready: BTreeMap<String, String>,
    /// What Compose itself said when it stopped early (English), cut.
    pub compose_error: Option<String>,
}
