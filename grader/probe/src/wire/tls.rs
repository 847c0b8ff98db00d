//! The question and the answers about TLS.

use super::{DEFAULT_TIMEOUT_MS, Failure, FailureKind, Stage};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

fn timeout() -> u64 {
    DEFAULT_TIMEOUT_MS
}

/// Has an HTTP exchange go through TLS; see [`super::Http::tls`].
///
/// Whatever certificate is presented is accepted and reported: whether it is the right one is not for the probe to say.
/// `http/1.1` is offered by ALPN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsPart {
    /// The server name that is asked for (SNI); without it none is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
}

/// See [`super::Ask::Tls`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The server name that is asked for (SNI); without it none is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// Protocols offered by ALPN, in order; none by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// Milliseconds, from the name look-up to the end of the handshake.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

impl Tls {
    /// A handshake with `host:port` for that server name, with the defaults.
    #[must_use]
    pub fn to(host: impl Into<String>, port: u16, sni: impl Into<String>) -> Self {
        Self { host: host.into(), port, sni: Some(sni.into()), alpn: Vec::new(), timeout_ms: DEFAULT_TIMEOUT_MS }
    }
}

/// What a completed handshake showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSeen {
    /// The version agreed on: `1.2` or `1.3`.
    pub version: String,
    /// The protocol agreed on by ALPN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// The certificates presented, the server's own first, each as DER in base64. Untrusted.
    pub chain: Vec<String>,
}

/// See [`super::Ask::Tls`]: the handshake was completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsAnswer {
    /// What it showed.
    pub seen: TlsSeen,
    /// The peer.
    pub peer: SocketAddr,
    /// The address of this side: what the server sees.
    pub local: SocketAddr,
    /// The handshake alone, in microseconds.
    pub handshake_us: u64,
}

impl Failure {
    /// Whether the connection was open and what answered does not speak TLS.
    #[must_use]
    pub fn is_not_tls(&self) -> bool {
        self.stage == Stage::Tls && self.kind == FailureKind::Protocol
    }
}
