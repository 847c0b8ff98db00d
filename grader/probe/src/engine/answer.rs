//! What is answered: JSON documents, and refusals in the engine's own shape.

use serde_json::{Value, json};

/// What an engine that is no manager of a swarm says.
const NO_SWARM: &str = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect \
                        this node to swarm and try again.";

/// An answer that is not a success: status and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// What the client reads in `message`.
    pub message: String,
}

impl Refusal {
    /// A refusal with this message.
    #[must_use]
    pub fn new(status: u16, message: &str) -> Self {
        Self { status, message: message.to_owned() }
    }

    /// Whatever is outside of the path table.
    #[must_use]
    pub fn forbidden(method: &str, path: &str) -> Self {
        let shown: String = path.chars().take(120).filter(|c| !c.is_control()).collect();
        let message = format!("{method} {shown} is not allowed: this is a filtered, read-only view of the engine");
        Self::new(403, &message)
    }

    /// An object that this run does not have.
    #[must_use]
    pub fn missing(what: &str, name: &str) -> Self {
        let message = match what {
            "network" => format!("network {name} not found"),
            _ => format!("No such {what}: {name}"),
        };
        Self::new(404, &message)
    }

    /// An engine outside of a swarm.
    #[must_use]
    pub fn no_swarm() -> Self {
        Self::new(503, NO_SWARM)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({ "message": self.message })
    }
}

/// The head of an answer. `length` is that of the body, nothing for one in chunks or up to the close.
#[must_use]
pub fn head(status: u16, kind: &str, api: &str, length: Option<usize>, chunks: bool) -> String {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    };
    let framing = match length {
        Some(length) => format!("Content-Length: {length}\r\n"),
        None if chunks => "Transfer-Encoding: chunked\r\n".to_owned(),
        None => String::new(),
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nApi-Version: {api}\r\nContent-Type: {kind}\r\nDocker-Experimental: false\r\n\
         Ostype: linux\r\nServer: Docker (filtered)\r\nSwarm: inactive\r\n{framing}Connection: close\r\n\r\n"
    )
}
