//! The answers.

use super::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// To `matrix`.
    Matrix(MatrixAnswer),
    /// To `hold_http`.
    HoldHttp(HoldHttpAnswer),
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

/// The instants of an HTTP exchange, in microseconds from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpTimings {
    /// The name was known.
    pub resolved_us: u64,
    /// The connection was open.
    pub connected_us: u64,
    /// The request was sent.
    pub sent_us: u64,
    /// The first byte of the answer came.
    pub first_byte_us: u64,
    /// The last byte came.
    pub total_us: u64,
}

/// See [`super::Ask::Http`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The words after it.
    pub reason: String,
    /// The minor version of HTTP/1: 0 or 1.
    pub minor: u8,
    /// Headers as they came, in order; a value that is not UTF-8 has each odd byte as U+FFFD.
    pub headers: Vec<(String, String)>,
    /// The body, transfer encoding removed and content encoding kept; bytes that are not UTF-8 as U+FFFD.
    pub body: String,
    /// The same bytes in base64, when `body` is not faithful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// Whether `body` stops before the body does.
    pub truncated: bool,
    /// The length of the whole body, in bytes, as far as it came.
    pub body_len: u64,
    /// Why the body stopped short of what the head announced, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_fault: Option<Failure>,
    /// The peer.
    pub peer: SocketAddr,
    /// The address of this side: what the server sees.
    pub local: SocketAddr,
    /// Instants.
    pub timings: HttpTimings,
}

impl HttpAnswer {
    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the body came whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.body_fault.is_none() && !self.truncated
    }
}

/// An HTTP exchange or why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpOutcome {
    /// A status line came back.
    Answered(Box<HttpAnswer>),
    /// None did.
    Failed(Failure),
}

/// One exchange of [`super::Ask::HttpMany`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpManyOne {
    /// When it began, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// The status code, when one came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there is no status, or why its body stopped short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The peer, once connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// The body, when asked for and while all of them hold in 8 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The headers asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

/// See [`super::Ask::HttpMany`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpManyAnswer {
    /// Exchanges whose request was sent whole: what the server's counters must have moved by.
    pub sent: u64,
    /// Exchanges that had begun to be sent when they failed: the server may or may not have counted them.
    pub maybe_sent: u64,
    /// Exchanges asked for that never began, for want of time.
    pub not_begun: u64,
    /// Answers by status code.
    pub by_status: BTreeMap<u16, u64>,
    /// Exchanges without a status, by kind of failure.
    pub by_failure: BTreeMap<FailureKind, u64>,
    /// Each exchange, in the order of their beginning.
    pub each: Vec<HttpManyOne>,
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
    /// Processes that the signal was meant for: those of the pid namespace less pid 1 and the probe.
    pub processes: u32,
    /// Processes found stopped (`T`) just after.
    pub stopped: u32,
    /// Whether pid 1 is another process than the probe: the kernel spares it, the engine must signal it.
    pub spared_init: bool,
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

/// One instant on two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instant2 {
    /// Microseconds since the Unix epoch.
    pub at_us: u64,
    /// Microseconds since the kernel's boot.
    pub boot_us: u64,
}

/// See [`super::Ask::HoldHttp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldHttpAnswer {
    /// Before the name look-up.
    pub started: Instant2,
    /// When the exchange ended or was given up.
    pub finished: Instant2,
    /// What happened; `failed` with `timeout` when it was still open at the end.
    pub outcome: HttpOutcome,
}
