//! HTTP/1.1 exchanges, one a connection.

pub mod body;
pub mod head;
pub mod many;
pub mod request;

use crate::clock::{self, Deadline};
use crate::connect::{self, Opened};
use crate::fault::from_io;
use crate::secure;
use crate::wire::{
    Failure, FailureKind, HoldHttpAnswer, Http, HttpAnswer, HttpOutcome, HttpTimings, Stage, TcpAnswer, TlsSeen,
};
use base64::Engine as _;
use body::{Body, Sink};
use head::Head;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The most of a body that is given back, whatever was asked, in bytes.
pub const MAX_BODY: u64 = 8 * 1024 * 1024;

/// The longest head that is read, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Makes the exchange.
///
/// # Errors
/// When no status line came back. A body that stops short is in the answer's `body_fault`.
pub async fn exchange(http: &Http, deadline: Deadline) -> Result<HttpAnswer, Failure> {
    let request = request::build(http)?;
    let host = http.connect_to.as_deref().unwrap_or(&http.host);
    let Opened { stream, about } = connect::open(host, http.port, deadline).await?;
    let mut timings = HttpTimings { connected_us: deadline.elapsed_us(), ..HttpTimings::default() };
    timings.resolved_us = about.resolve_us;
    match &http.tls {
        None => {
            let reached = Reached { timings, about: &about, tls: None };
            talk(stream, &request, http, deadline, reached).await
        }
        Some(part) => {
            let alpn = ["http/1.1".to_owned()];
            let sni = part.sni.as_deref();
            let (stream, seen) = secure::handshake(stream, sni, &alpn, &about, deadline).await?;
            timings.secured_us = deadline.elapsed_us();
            let reached = Reached { timings, about: &about, tls: Some(seen) };
            talk(stream, &request, http, deadline, reached).await
        }
    }
    .map_err(|failure| Failure { peer: Some(about.peer), ..failure })
}

/// What is known once the connection is ready for the request.
struct Reached<'a> {
    timings: HttpTimings,
    about: &'a TcpAnswer,
    tls: Option<TlsSeen>,
}

/// Sends the request and reads the answer.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    request: &[u8],
    http: &Http,
    deadline: Deadline,
    mut reached: Reached<'_>,
) -> Result<HttpAnswer, Failure> {
    let sending = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    if let Err(error) = deadline.run(Stage::Send, sending).await? {
        // A server may answer (413, 408) and close before it has read all: look for that answer.
        let failure = from_io(&error, Stage::Send);
        return read_answer(&mut stream, http, deadline, reached).await.map_err(|_| failure);
    }
    reached.timings.sent_us = deadline.elapsed_us();
    read_answer(&mut stream, http, deadline, reached).await
}

/// Makes the exchange and keeps its instants; always an answer.
pub async fn hold(http: &Http, deadline: Deadline) -> HoldHttpAnswer {
    let started = clock::now();
    let outcome = match exchange(http, deadline).await {
        Ok(answer) => HttpOutcome::Answered(Box::new(answer)),
        Err(failure) => HttpOutcome::Failed(failure),
    };
    HoldHttpAnswer { started, finished: clock::now(), outcome }
}

async fn read_answer<R: AsyncRead + Unpin>(
    reader: &mut R,
    http: &Http,
    deadline: Deadline,
    reached: Reached<'_>,
) -> Result<HttpAnswer, Failure> {
    let Reached { mut timings, about, tls } = reached;
    let mut buffer = Vec::new();
    let head = read_head(reader, &mut buffer, deadline, &mut timings).await?;
    let mut sink = Sink::new(http.max_body.min(MAX_BODY));
    let body_fault = read_body(reader, &buffer, &head, http, deadline, &mut sink).await.err();
    timings.total_us = deadline.elapsed_us();
    let truncated = sink.truncated();
    let (bytes, body_len) = sink.finish();
    let (body, body_base64) = lossy(bytes, truncated);
    Ok(HttpAnswer {
        status: head.status,
        reason: head.reason,
        minor: head.minor,
        headers: head.headers,
        body,
        body_base64,
        truncated,
        body_len,
        body_fault: body_fault.map(|failure| Failure { peer: Some(about.peer), ..failure }),
        peer: about.peer,
        local: about.local,
        tls: tls.map(Box::new),
        timings,
    })
}

/// Reads until the head is there; what follows it stays in `buffer`. Interim answers (1xx but 101) are skipped.
async fn read_head<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut Vec<u8>,
    deadline: Deadline,
    timings: &mut HttpTimings,
) -> Result<Head, Failure> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        while let Some((head, length)) = head::parse(buffer)? {
            buffer.drain(..length);
            if head.status == 101 || head.status >= 200 {
                return Ok(head);
            }
        }
        if buffer.len() > MAX_HEAD {
            return Err(Failure::new(FailureKind::Protocol, Stage::Head, "a head of more than 64 KiB"));
        }
        let read = deadline.run(Stage::Head, reader.read(&mut chunk)).await?;
        match read.map_err(|error| from_io(&error, Stage::Head))? {
            0 if timings.first_byte_us == 0 => {
                return Err(Failure::new(FailureKind::Closed, Stage::Head, "closed without a byte"));
            }
            0 => return Err(Failure::new(FailureKind::Closed, Stage::Head, "closed inside the head")),
            length => {
                if timings.first_byte_us == 0 {
                    timings.first_byte_us = deadline.elapsed_us();
                }
                buffer.extend_from_slice(&chunk[..length]);
            }
        }
    }
}

async fn read_body<R: AsyncRead + Unpin>(
    reader: &mut R,
    begun: &[u8],
    head: &Head,
    http: &Http,
    deadline: Deadline,
    sink: &mut Sink,
) -> Result<(), Failure> {
    let mut body = Body::of(head, http.method == "HEAD")?;
    if body.feed(begun, sink)? {
        return Ok(());
    }
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let read = deadline.run(Stage::Body, reader.read(&mut chunk)).await?;
        let length = read.map_err(|error| from_io(&error, Stage::Body))?;
        if length == 0 {
            return body.at_end();
        }
        if body.feed(&chunk[..length], sink)? {
            return Ok(());
        }
    }
}

/// The text of these bytes, and their base64 when the text is not faithful. A character cut by the truncation is left
/// out rather than called unfaithful.
fn lossy(mut bytes: Vec<u8>, truncated: bool) -> (String, Option<String>) {
    if truncated
        && let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let coded = base64::engine::general_purpose::STANDARD.encode(error.as_bytes());
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(coded))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_faithful_or_says_so() {
        assert_eq!(lossy("été".as_bytes().to_vec(), false), ("été".to_owned(), None));
        assert_eq!(lossy("été".as_bytes()[..4].to_vec(), true), ("ét".to_owned(), None));
        let (text, coded) = lossy(vec![b'a', 0xff], false);
        assert_eq!((text.as_str(), coded.as_deref()), ("a\u{fffd}", Some("Yf8=")));
    }
}
