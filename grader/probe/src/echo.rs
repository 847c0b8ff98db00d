//! A small HTTP server that answers with what it received, for tests.
//!
//! `/status/503` answers that status, `/delay/250` waits 250 ms; the two may follow each other.

use crate::http::body::{Body, Sink};
use crate::http::head::Head;
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The longest head and the longest body kept, in bytes.
const MAX: usize = 64 * 1024;

/// How long a client may take to send its request.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Serves for ever.
///
/// # Errors
/// That of the listener.
pub async fn run(listener: TcpListener) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(async move {
                    let _ = serve(stream, peer).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(mut stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    let Ok(Ok(Some(received))) = tokio::time::timeout(PATIENCE, receive(&mut stream)).await else {
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    };
    let Received { method, path, head, body } = received;
    let words: Vec<&str> = path.split(['/', '?']).collect();
    let after = |word: &str| words.iter().position(|each| *each == word).and_then(|at| words.get(at + 1)?.parse().ok());
    if let Some(millis) = after("delay") {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    let status = after("status").filter(|status| (200..600).contains(status)).unwrap_or(200);
    let text = json!({
        "method": method, "path": path, "headers": head.headers, "body": body,
        "peer": peer, "local": stream.local_addr()?,
    })
    .to_string();
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status} Echo\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    if method != "HEAD" {
        stream.write_all(text.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// A whole request.
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) head: Head,
    pub(crate) body: String,
}

/// Reads a request; nothing when it is none, or is too long.
pub(crate) async fn receive(stream: &mut TcpStream) -> io::Result<Option<Received>> {
    let mut bytes = Vec::new();
    let (method, path, head, length) = loop {
        if let Some(parsed) = parse(&bytes) {
            break parsed;
        }
        if bytes.len() > MAX || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let framed = head
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding"));
    let mut sink = Sink::new(MAX as u64);
    // A request without a length has no body, where an answer would last until the close.
    let Ok(mut body) = Body::of(&head, !framed) else { return Ok(None) };
    let mut whole = body.feed(&bytes[length..], &mut sink);
    while matches!(whole, Ok(false)) {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await? {
            0 => return Ok(None),
            length => whole = body.feed(&chunk[..length], &mut sink),
        }
    }
    let body = String::from_utf8_lossy(&sink.finish().0).into_owned();
    Ok(whole.is_ok().then_some(Received { method, path, head, body }))
}

fn parse(bytes: &[u8]) -> Option<(String, String, Head, usize)> {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut slots);
    let Ok(httparse::Status::Complete(length)) = request.parse(bytes) else { return None };
    let headers = request
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let head = Head { status: 200, reason: String::new(), minor: request.version?, headers };
    Some((request.method?.to_owned(), request.path?.to_owned(), head, length))
}
