//! The protocol between the grader and a probe: one JSON document a line, both ways.
//!
//! The probe's first line is `{"hello":{…}}`. Then each request line `{"id":7,"ask":{"tcp":{…}}}` is answered by one
//! line `{"id":7,"answer":{…}}`; answers come in the order in which they finish, so the `id` is what pairs them.
//!
//! Units are in the names: `_ms` are milliseconds, `_us` microseconds. `at_us` counts from the Unix epoch, `boot_us`
//! from the boot of the kernel (`CLOCK_BOOTTIME`, which nobody sets back).

mod answer;
mod answer_http;
mod ask;
mod failure;
mod tls;
mod view;

pub use answer::{
    Answer, DnsAnswer, DnsStatus, Interface, InterfaceAddr, InterfacesAnswer, LinkAnswer, MatrixAnswer, MatrixOne,
    Outcome, PostgresAnswer, PostgresResult, RedisAnswer, RedisValue, SignalAllAnswer, SocketsAnswer, TcpAnswer,
    TcpOutcome, Via,
};
pub use answer_http::{HoldHttpAnswer, HttpAnswer, HttpManyAnswer, HttpManyOne, HttpOutcome, HttpTimings, Instant2};
pub use ask::{
    Ask, Dns, DnsKind, Http, HttpMany, Interfaces, Link, Matrix, Postgres, Redis, SignalAll, SignalName, Sockets,
    Target, Tcp,
};
pub use failure::{Failure, FailureKind, Stage};
pub use tls::{Tls, TlsAnswer, TlsPart, TlsSeen};
pub use view::EngineView;

use serde::{Deserialize, Serialize};

/// The version of this protocol; the grader refuses a probe that says another one.
pub const VERSION: u32 = 1;

/// The default of every `timeout_ms`, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 5_000;

/// The default of every `max_body`, in bytes.
pub const DEFAULT_MAX_BODY: u64 = 64 * 1024;

/// The longest request line that a probe reads, in bytes; a longer one is answered by `invalid` and skipped.
pub const MAX_REQUEST_LINE: usize = 1024 * 1024;

/// One question, as the grader writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Chosen by the grader and given back with the answer.
    pub id: u64,
    /// The question.
    pub ask: Ask,
}

/// One line that a probe writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawLine", into = "RawLine")]
pub enum Line {
    /// The first line.
    Hello(Hello),
    /// Every other line.
    Reply(Box<Reply>),
}

/// What a probe says when it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol it speaks, see [`VERSION`].
    pub version: u32,
    /// The network interfaces at that instant.
    pub interfaces: Vec<Interface>,
    /// Why the interfaces could not be listed, when they could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's `id`; 0 when the line could not be read as a request.
    pub id: u64,
    /// What was seen.
    pub answer: Answer,
}

/// The flat form of [`Line`] on the wire.
#[derive(Serialize, Deserialize)]
struct RawLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hello: Option<Hello>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
}

impl From<Line> for RawLine {
    fn from(line: Line) -> Self {
        match line {
            Line::Hello(hello) => Self { hello: Some(hello), id: None, answer: None },
            Line::Reply(reply) => Self { hello: None, id: Some(reply.id), answer: Some(reply.answer) },
        }
    }
}

impl TryFrom<RawLine> for Line {
    type Error = &'static str;

    fn try_from(raw: RawLine) -> Result<Self, Self::Error> {
        match (raw.hello, raw.id, raw.answer) {
            (Some(hello), None, None) => Ok(Self::Hello(hello)),
            (None, Some(id), Some(answer)) => Ok(Self::Reply(Box::new(Reply { id, answer }))),
            _ => Err("a line is either {hello} or {id, answer}"),
        }
    }
}

/// Writes a document as one line, line feed included.
///
/// JSON escapes every control character inside strings, so whatever a student's server sent, the line feed at the end
/// is the only one.
///
/// # Errors
/// When the document cannot be written as JSON, which the types of this module never cause.
pub fn to_line<T: Serialize>(document: &T) -> serde_json::Result<String> {
    let mut line = serde_json::to_string(document)?;
    line.push('\n');
    Ok(line)
}
