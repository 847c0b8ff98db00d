//! The answers about HTTP.

use super::{Failure, FailureKind, TlsSeen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The instants of an HTTP exchange, in microseconds from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpTimings {
    /// The name was known.
    pub resolved_us: u64,
    /// The connection was open.
    pub connected_us: u64,
    /// The TLS handshake was done; 0 without TLS.
    #[serde(default)]
    pub secured_us: u64,
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
    /// What the TLS handshake showed, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Box<TlsSeen>>,
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
