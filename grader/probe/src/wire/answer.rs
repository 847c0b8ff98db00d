//! The answers.

use super::{Failure, HoldHttpAnswer, HttpAnswer, HttpManyAnswer, TlsAnswer};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The answer to any question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// When the probe began, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// When the probe began, in microseconds since the kernel's boot.
    pub boot_us: u64,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// What was seen.
    pub outcome: Outcome,
}

/// What was seen. The name of the variant is that of the question, or `failed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The question could not be carried to its end.
    Failed(Failure),
    /// To `interfaces`.
    Interfaces(InterfacesAnswer),
    /// To `dns`: whatever the server said, `NXDOMAIN` included. Only silence is [`Outcome::Failed`].
    Dns(DnsAnswer),
    /// To `tcp`: connected.
    Tcp(TcpAnswer),
    /// To `http`: a status line came back, whatever it says.
    Http(HttpAnswer),
    /// To `http_many`.
    HttpMany(HttpManyAnswer),
    /// To `postgres`: every statement went through.
    Postgres(PostgresAnswer),
    /// To `redis`: the first command at least had a reply, perhaps an error.
    Redis(RedisAnswer),
    /// To `link`.
    Link(LinkAnswer),
    /// To `signal_all`.
    SignalAll(SignalAllAnswer),
    /// To `sockets`.
    Sockets(SocketsAnswer),
    /// To `matrix`.
    Matrix(MatrixAnswer),
    /// To `hold_http`.
    HoldHttp(HoldHttpAnswer),
    /// To `tls`: the handshake was completed.
    Tls(TlsAnswer),
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name, as `eth0`.
    pub name: String,
    /// Whether it is administratively up.
    pub up: bool,
    /// Its addresses.
    pub addrs: Vec<InterfaceAddr>,
    /// Its hardware address, as `02:42:ac:11:00:02`; nothing for `lo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddr {
    /// The address.
    pub ip: IpAddr,
    /// The length of its network prefix, in bits.
    pub prefix: u8,
}

/// See [`super::Ask::Interfaces`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfacesAnswer {
    /// Sorted by name.
    pub interfaces: Vec<Interface>,
}

/// What a DNS server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsStatus {
    /// There are records.
    Records,
    /// The name exists without a record of this type (`NOERROR`, empty).
    Empty,
    /// The name does not exist.
    Nxdomain,
    /// The server could not answer; Docker's says so when the name is not its own and no outside server answers it.
    Servfail,
    /// The server refuses.
    Refused,
    /// Another response code, given as it came.
    Other(u16),
}

/// See [`super::Ask::Dns`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// What the server said.
    pub status: DnsStatus,
    /// The addresses, in the server's order.
    pub records: Vec<IpAddr>,
    /// The lowest time to live of these records, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
    /// The server that was asked.
    pub server: SocketAddr,
    /// How many times the question was sent.
    pub tries: u32,
}

/// How a host became an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// It was an address.
    Literal,
    /// By `/etc/hosts`.
    Hosts,
    /// By the name server.
    Dns,
}

/// See [`super::Ask::Tcp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TcpAnswer {
    /// The peer.
    pub peer: SocketAddr,
    /// The address of this side.
    pub local: SocketAddr,
    /// All the addresses that the name had.
    pub addresses: Vec<IpAddr>,
    /// Where they come from.
    pub via: Via,
    /// The name look-up, in microseconds.
    pub resolve_us: u64,
    /// The connection alone, in microseconds.
    pub connect_us: u64,
}

/// A connection or why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpOutcome {
    /// Connected.
    Connected(TcpAnswer),
    /// Not connected.
    Failed(Failure),
}

/// The result of one statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostgresResult {
    /// The columns' names; empty for a statement that gives no rows.
    pub columns: Vec<String>,
    /// The values, as PostgreSQL writes them.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows that the server gave or changed.
    pub affected: u64,
}

/// See [`super::Ask::Postgres`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostgresAnswer {
    /// One for each statement.
    pub results: Vec<PostgresResult>,
    /// Whether rows were left out because of `max_rows`.
    pub truncated: bool,
    /// The peer.
    pub peer: SocketAddr,
}

/// A Redis value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedisValue {
    /// No value.
    Nil,
    /// An integer.
    Int(i64),
    /// A simple string, as `OK`.
    Status(String),
    /// A string of UTF-8.
    Bulk(String),
    /// A string that is not UTF-8, in base64.
    BulkBase64(String),
    /// A list.
    Array(Vec<RedisValue>),
    /// An error: its first word, then the rest.
    Error {
        /// As `ERR` or `WRONGTYPE`.
        code: String,
        /// The rest of the line.
        message: String,
    },
    /// A value of a later protocol, described.
    Other(String),
}

/// See [`super::Ask::Redis`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedisAnswer {
    /// One for each command, until `fault`.
    pub replies: Vec<RedisValue>,
    /// Why the last commands have no reply, when they have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Failure>,
    /// The peer.
    pub peer: SocketAddr,
}

/// See [`super::Ask::Link`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAnswer {
    /// The state before.
    pub was_up: bool,
    /// The state after, read back.
    pub is_up: bool,
}

/// See [`super::Ask::SignalAll`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalAllAnswer {
    /// Processes that the signal was meant for: the descendants of pid 1.
    pub processes: u32,
    /// Processes found stopped (`T`) just after.
    pub stopped: u32,
    /// Whether pid 1 is another process than the probe: the kernel spares it, the engine must signal it.
    pub spared_init: bool,
}

/// See [`super::Ask::Sockets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketsAnswer {
    /// Sockets renamed.
    pub moved: u32,
    /// Sockets that could not be: their file system is out of reach.
    pub missed: u32,
}

/// One result of [`super::Ask::Matrix`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixOne {
    /// That of the target.
    pub label: String,
    /// What happened.
    pub outcome: TcpOutcome,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
}

/// See [`super::Ask::Matrix`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixAnswer {
    /// In the order of the targets.
    pub results: Vec<MatrixOne>,
}
