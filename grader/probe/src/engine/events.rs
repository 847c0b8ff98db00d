//! The stream of events, each shown under the student's names.

use super::answer::{self, Refusal};
use super::filters::{Filters, Of};
use super::request::{Request, encode};
use super::run::Run;
use super::upstream::Stream;
use serde_json::Value;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The longest stream: clients open another one.
const LONGEST: Duration = Duration::from_hours(2);

/// The longest event, in bytes.
const MAX_EVENT: usize = 256 * 1024;

/// How long a client may take to read an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the engine for the events of the run.
pub(super) async fn open(run: &Run, asked: &Request) -> Result<Option<Stream>, Refusal> {
    let mut filters = Filters::read(Of::Events, asked.query.get("filters"), &run.names.view)?;
    if filters.nothing {
        return Ok(None);
    }
    if let Some(names) = filters.forced.get_mut("container") {
        for name in names.iter_mut() {
            if let Some(id) = run.id_of(asked.version.as_deref(), name).await? {
                *name = id;
            }
        }
    }
    let mut target = format!("/events?filters={}", filters.query());
    for key in ["since", "until"] {
        if let Some(value) = asked.query.get(key).filter(|value| !value.is_empty()) {
            target = format!("{target}&{key}={}", encode(value));
        }
    }
    let mut stream = run.upstream.open(asked.version.as_deref(), &target).await?;
    if stream.head.status == 200 {
        return Ok(Some(stream));
    }
    let body = stream.next().await.ok().flatten().unwrap_or_default();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    Err(Refusal::new(stream.head.status, said["message"].as_str().unwrap_or("refused by the engine")))
}

/// Shows the events to the client until either side ends. Without a stream nothing ever happens.
pub(super) async fn copy(
    run: &Run,
    stream: Option<Stream>,
    client: &mut UnixStream,
    asked: &Request,
    api: &str,
) -> io::Result<()> {
    let (mut from, mut to) = client.split();
    to.write_all(answer::head(200, "application/json", api, None, asked.chunks).as_bytes()).await?;
    let work = async {
        let Some(mut stream) = stream else { return std::future::pending().await };
        let mut lines = Lines::default();
        while let Ok(Some(bytes)) = stream.next().await {
            for event in lines.feed(&bytes)? {
                let Some(shown) = run.names.event(&event) else { continue };
                let text = framed(&shown, asked.chunks);
                let sent = tokio::time::timeout(PATIENCE, to.write_all(text.as_bytes())).await;
                sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            }
        }
        if asked.chunks { to.write_all(b"0\r\n\r\n").await } else { Ok(()) }
    };
    let gone = async {
        // A client that asks nothing more says nothing; whatever it says is not listened to.
        let mut sink = [0; 512];
        while matches!(from.read(&mut sink).await, Ok(length) if length > 0) {}
    };
    tokio::select! {
        result = work => result,
        () = gone => Ok(()),
        () = tokio::time::sleep(LONGEST) => Ok(()),
    }
}

fn framed(event: &Value, chunks: bool) -> String {
    let text = format!("{event}\n");
    if chunks { format!("{:x}\r\n{text}\r\n", text.len()) } else { text }
}

/// Cuts a stream into its documents, one a line.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) -> io::Result<Vec<Value>> {
        self.rest.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            // What cannot be read cannot be shown.
            out.extend(serde_json::from_slice::<Value>(&line));
        }
        if self.rest.len() > MAX_EVENT { Err(io::ErrorKind::InvalidData.into()) } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_whole_however_they_are_cut() {
        let text = "{\"a\":1}\n{\"b\":\"é\"}\nnonsense\n{\"c\":3}\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                out.extend(lines.feed(piece).expect("lines"));
            }
            assert_eq!(out, [serde_json::json!({"a":1}), serde_json::json!({"b":"é"}), serde_json::json!({"c":3})]);
        }
        assert!(Lines::default().feed(&vec![b'x'; MAX_EVENT + 1]).is_err());
    }
}
