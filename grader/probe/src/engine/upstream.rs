//! Questions to the real engine, one a connection. Paths and queries are always ours.

use super::answer::Refusal;
use crate::http::body::{Body, Sink};
use crate::http::head::{self, Head};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// How long the engine may take for a whole document.
const PATIENCE: Duration = Duration::from_secs(20);

/// The largest document that is read, in bytes.
const MAX_DOCUMENT: u64 = 32 * 1024 * 1024;

/// The engine's socket.
#[derive(Clone, Debug)]
pub struct Upstream {
    path: PathBuf,
}

/// An answer whose body is still to be read.
pub struct Stream {
    socket: UnixStream,
    body: Body,
    /// Bytes of the body that came with the head.
    begun: Vec<u8>,
    done: bool,
    /// The head.
    pub head: Head,
}

impl Stream {
    /// The next decoded bytes, which may be none; nothing at the end.
    ///
    /// # Errors
    /// When the answer is cut or malformed.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        if self.done {
            return Ok(None);
        }
        let mut chunk = std::mem::take(&mut self.begun);
        if chunk.is_empty() {
            chunk.resize(16 * 1024, 0);
            let length = self.socket.read(&mut chunk).await.map_err(|error| gateway(&error.to_string()))?;
            if length == 0 {
                return self.body.at_end().map(|()| None).map_err(|failure| gateway(&failure.message));
            }
            chunk.truncate(length);
        }
        let mut sink = Sink::new(u64::MAX);
        self.done = self.body.feed(&chunk, &mut sink).map_err(|failure| gateway(&failure.message))?;
        Ok(Some(sink.finish().0))
    }
}

fn gateway(detail: &str) -> Refusal {
    Refusal::new(502, &format!("the engine does not answer: {detail}"))
}

impl Upstream {
    /// The engine at this socket.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Asks and reads the head of the answer. `target` has its leading `/`.
    ///
    /// # Errors
    /// 502 when the engine does not answer, 504 when it is too slow.
    pub async fn open(&self, version: Option<&str>, target: &str) -> Result<Stream, Refusal> {
        let prefix = version.map(|version| format!("/{version}")).unwrap_or_default();
        let request = format!("GET {prefix}{target} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
        let work = async {
            let mut stream = UnixStream::connect(&self.path).await.map_err(|error| gateway(&error.to_string()))?;
            stream.write_all(request.as_bytes()).await.map_err(|error| gateway(&error.to_string()))?;
            let mut bytes = Vec::new();
            loop {
                if let Some((head, length)) = head::parse(&bytes).map_err(|failure| gateway(&failure.message))? {
                    let body = Body::of(&head, false).map_err(|failure| gateway(&failure.message))?;
                    return Ok(Stream { socket: stream, body, begun: bytes.split_off(length), done: false, head });
                }
                let read = stream.read_buf(&mut bytes).await.map_err(|error| gateway(&error.to_string()))?;
                if read == 0 || bytes.len() > crate::http::MAX_HEAD {
                    return Err(gateway("no head"));
                }
            }
        };
        tokio::time::timeout(PATIENCE, work).await.map_err(|_| slow())?
    }

    /// Asks for a document.
    ///
    /// # Errors
    /// As [`Upstream::open`]; the engine's own refusal otherwise.
    pub async fn get(&self, version: Option<&str>, target: &str) -> Result<Value, Refusal> {
        let work = async {
            let mut stream = self.open(version, target).await?;
            let mut bytes: Vec<u8> = Vec::new();
            while let Some(more) = stream.next().await? {
                bytes.extend_from_slice(&more);
                if bytes.len() as u64 > MAX_DOCUMENT {
                    return Err(gateway("its answer is too large"));
                }
            }
            let value: Value = serde_json::from_slice(&bytes).map_err(|_| gateway("its answer is not JSON"))?;
            if stream.head.status == 200 {
                return Ok(value);
            }
            let message = value.get("message").and_then(Value::as_str).unwrap_or("refused by the engine");
            Err(Refusal::new(stream.head.status, message))
        };
        tokio::time::timeout(PATIENCE, work).await.map_err(|_| slow())?
    }
}

fn slow() -> Refusal {
    Refusal::new(504, "the engine is too slow")
}
