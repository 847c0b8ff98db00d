//! Why something did not work.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The kinds of failure that a check must be able to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The peer said no: `ECONNREFUSED`.
    Refused,
    /// No answer in time.
    Timeout,
    /// No route: `ENETUNREACH`.
    NetUnreachable,
    /// The neighbour does not answer or a router says so: `EHOSTUNREACH`.
    HostUnreachable,
    /// The peer cut an open connection: `ECONNRESET`, `EPIPE`.
    Reset,
    /// The peer closed before it had said all.
    Closed,
    /// The DNS server says that the name does not exist.
    DnsNxdomain,
    /// The DNS server says that it cannot answer.
    DnsServfail,
    /// The DNS server refuses to answer, or gives another error code.
    DnsRefused,
    /// No DNS answer in time.
    DnsTimeout,
    /// The name exists and has no address.
    NoAddress,
    /// The TLS handshake failed although both sides speak TLS (`alert` says what the peer said).
    Tls,
    /// The peer does not speak the protocol (at stage `tls`: TLS), or breaks it.
    Protocol,
    /// The peer refuses the user or the password.
    Auth,
    /// The server understood and answered by an error (`sqlstate` for PostgreSQL).
    Server,
    /// The kernel refuses this to the probe: `EPERM`, `EACCES`.
    Permission,
    /// The question itself is wrong: the grader's fault, never the student's.
    Invalid,
    /// The probe is at fault or short of something (descriptors, memory): never the student's fault.
    Internal,
}

impl FailureKind {
    /// Whether this says something about the grader or its machine, and so nothing about the student's work.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Permission | Self::Invalid | Self::Internal)
    }
}

/// How far an exchange had gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading the question.
    Request,
    /// Looking up the name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// TLS handshake.
    Tls,
    /// Sending.
    Send,
    /// Waiting for, or reading, the head of the answer.
    Head,
    /// Reading the body of the answer.
    Body,
    /// Start-up and authentication of a session.
    Login,
    /// A statement or a command.
    Command,
    /// A call to the kernel.
    System,
}

/// A typed failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// When it happened.
    pub stage: Stage,
    /// For a reader, in English, from the kernel, a library or the peer; untrusted.
    pub message: String,
    /// The address last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// All the addresses that the name had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// The five characters of PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// The TLS alert that the peer sent, by its number in RFC 8446 (112: `unrecognized_name`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<u8>,
    /// The error number of the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
}

impl Failure {
    /// A failure with only its kind, its stage and its message.
    #[must_use]
    pub fn new(kind: FailureKind, stage: Stage, message: impl Into<String>) -> Self {
        Self {
            kind,
            stage,
            message: message.into(),
            peer: None,
            addresses: Vec::new(),
            sqlstate: None,
            alert: None,
            errno: None,
        }
    }
}
