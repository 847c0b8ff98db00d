//! The questions.

use super::{DEFAULT_MAX_BODY, DEFAULT_TIMEOUT_MS, Tls, TlsPart};
use serde::{Deserialize, Serialize};

fn timeout() -> u64 {
    DEFAULT_TIMEOUT_MS
}
fn max_body() -> u64 {
    DEFAULT_MAX_BODY
}
fn dns_tries() -> u32 {
    2
}
fn max_rows() -> u64 {
    1_000
}
fn one() -> u32 {
    1
}
fn get() -> String {
    "GET".to_owned()
}
fn root() -> String {
    "/".to_owned()
}

/// A question for the probe.
///
/// Where a field is called `host` it takes an address or a name. A name is looked up as the service itself would:
/// `/etc/hosts`, then the first name server of `/etc/resolv.conf` (IPv4 first, IPv6 when there is no IPv4), never with
/// a search suffix and never by NSS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Lists the network interfaces.
    Interfaces(Interfaces),
    /// Sends one DNS question and says exactly what came back.
    Dns(Dns),
    /// Opens a TCP connection, sends what it is given, and closes it.
    Tcp(Tcp),
    /// One HTTP/1.1 exchange on a connection of its own.
    Http(Http),
    /// The same HTTP exchange many times.
    HttpMany(HttpMany),
    /// SQL on a PostgreSQL server, by the simple query protocol.
    Postgres(Postgres),
    /// Commands on a Redis server, sent exactly as given and nothing else.
    Redis(Redis),
    /// Brings a network interface up or down; needs `NET_ADMIN`.
    Link(Link),
    /// Stops or continues every descendant of pid 1 of the pid namespace (not pid 1 itself).
    SignalAll(SignalAll),
    /// Hides the named Unix sockets that are listened to, or gives them back; needs the pid namespace and `SYS_PTRACE`.
    Sockets(Sockets),
    /// Many TCP connections at once.
    Matrix(Matrix),
    /// An HTTP exchange that is expected to last, with its exact instants.
    HoldHttp(Http),
    /// A TLS handshake and nothing else. Whatever certificate is presented is accepted and given back.
    Tls(Tls),
}

impl Ask {
    /// The time after which the probe gives up, in milliseconds.
    #[must_use]
    pub fn timeout_ms(&self) -> u64 {
        match self {
            Self::Interfaces(ask) => ask.timeout_ms,
            Self::Dns(ask) => ask.timeout_ms,
            Self::Tcp(ask) => ask.timeout_ms,
            Self::Http(ask) | Self::HoldHttp(ask) => ask.timeout_ms,
            Self::HttpMany(ask) => ask.timeout_ms,
            Self::Postgres(ask) => ask.timeout_ms,
            Self::Redis(ask) => ask.timeout_ms,
            Self::Link(ask) => ask.timeout_ms,
            Self::SignalAll(ask) => ask.timeout_ms,
            Self::Sockets(ask) => ask.timeout_ms,
            Self::Matrix(ask) => ask.timeout_ms,
            Self::Tls(ask) => ask.timeout_ms,
        }
    }
}

/// See [`Ask::Interfaces`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interfaces {
    /// Milliseconds.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

impl Default for Interfaces {
    fn default() -> Self {
        Self { timeout_ms: DEFAULT_TIMEOUT_MS }
    }
}

/// The record type of a DNS question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DnsKind {
    /// IPv4 addresses.
    #[default]
    A,
    /// IPv6 addresses.
    #[serde(rename = "AAAA")]
    Aaaa,
}

/// See [`Ask::Dns`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The name, taken as absolute: no suffix is tried.
    pub name: String,
    /// `address:port` of the server; by default the first of `/etc/resolv.conf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The record type.
    #[serde(default)]
    pub kind: DnsKind,
    /// How many times the question is sent at most when no answer comes; `timeout_ms` is shared between them.
    #[serde(default = "dns_tries")]
    pub tries: u32,
    /// Milliseconds, over all tries.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

impl Dns {
    /// A question for the IPv4 addresses of `name`, to the default server.
    #[must_use]
    pub fn a(name: impl Into<String>) -> Self {
        Self { name: name.into(), server: None, kind: DnsKind::A, tries: dns_tries(), timeout_ms: DEFAULT_TIMEOUT_MS }
    }
}

/// See [`Ask::Tcp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Sent once connected; what comes back is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// Milliseconds, name look-up included.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

impl Tcp {
    /// A connection to `host:port` with the default time limit.
    #[must_use]
    pub fn to(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, send: None, timeout_ms: DEFAULT_TIMEOUT_MS }
    }
}

/// See [`Ask::Http`] and [`Ask::HoldHttp`].
///
/// `Host`, `User-Agent`, `Accept` and `Connection: close` are added when `headers` does not name them, and
/// `Content-Length` when there is a body. Redirections are reported, never followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Method, sent as it is.
    #[serde(default = "get")]
    pub method: String,
    /// Address or name; also the `Host` header, with the port when it is not 80 (443 with `tls`).
    pub host: String,
    /// Port.
    pub port: u16,
    /// Request target, beginning with `/` (or `*`).
    #[serde(default = "root")]
    pub path: String,
    /// Headers, in order, repetitions kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Request body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Address or name to connect to in place of `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_to: Option<String>,
    /// Has the exchange go through TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsPart>,
    /// Bytes of the response body that are given back; the rest is read and counted.
    #[serde(default = "max_body")]
    pub max_body: u64,
    /// Milliseconds, from the name look-up to the last byte.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

impl Http {
    /// A plain `GET` with the defaults.
    #[must_use]
    pub fn get(host: impl Into<String>, port: u16, path: impl Into<String>) -> Self {
        Self {
            method: get(),
            host: host.into(),
            port,
            path: path.into(),
            headers: Vec::new(),
            body: None,
            connect_to: None,
            tls: None,
            max_body: DEFAULT_MAX_BODY,
            timeout_ms: DEFAULT_TIMEOUT_MS,
        }
    }

    /// The same through TLS, `host` being also the server name (SNI).
    #[must_use]
    pub fn secure(self) -> Self {
        Self { tls: Some(TlsPart { sni: Some(self.host.clone()) }), ..self }
    }
}

/// See [`Ask::HttpMany`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpMany {
    /// The exchange; its `timeout_ms` holds for each one, its `max_body` for each body kept.
    pub request: Http,
    /// How many exchanges; at most 10 000.
    pub count: u32,
    /// How many at once at most.
    #[serde(default = "one")]
    pub concurrency: u32,
    /// Milliseconds between two starts at least.
    #[serde(default)]
    pub spacing_ms: u64,
    /// Gives each body back.
    #[serde(default)]
    pub keep_bodies: bool,
    /// Response headers given back for each exchange, by name in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep_headers: Vec<String>,
    /// Milliseconds for all of them; exchanges that have not begun by then are not sent.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

/// See [`Ask::Postgres`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Password; SCRAM, MD5 and clear text are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Database.
    pub dbname: String,
    /// One or several statements.
    pub sql: String,
    /// Rows given back at most, over all statements; the rest is counted.
    #[serde(default = "max_rows")]
    pub max_rows: u64,
    /// Milliseconds.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

/// See [`Ask::Redis`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// ACL user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password; `AUTH` is sent only when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Commands, each a list of arguments.
    pub commands: Vec<Vec<String>>,
    /// Milliseconds.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

/// See [`Ask::Link`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Interface name, 15 bytes at most.
    pub name: String,
    /// The state wanted.
    pub up: bool,
    /// Milliseconds.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

/// The signals that [`Ask::SignalAll`] may send: both are undone by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SignalName {
    /// `SIGSTOP`.
    Stop,
    /// `SIGCONT`.
    Cont,
}

/// See [`Ask::SignalAll`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalAll {
    /// The signal.
    pub signal: SignalName,
    /// Milliseconds.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

/// See [`Ask::Sockets`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sockets {
    /// Hide them, or give them back.
    pub hidden: bool,
    /// Milliseconds.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

/// One target of [`Ask::Matrix`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Given back with the result.
    pub label: String,
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// See [`Ask::Matrix`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// At most 1 000 targets.
    pub targets: Vec<Target>,
    /// Milliseconds for each target; they run together.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}
