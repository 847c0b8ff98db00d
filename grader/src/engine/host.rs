//! Questions asked from the host itself, outside every container, to published ports.

use std::net::SocketAddr;
use std::time::Duration;

use grader_probe::tls;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::check::world::HostAnswer;
use crate::error::{Fault, FaultKind};

/// Time left to an exchange.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes read of an answer.
const MOST: u64 = 64 * 1024;

/// One GET in clear.
pub(super) async fn plain(address: SocketAddr, path: &str) -> HostAnswer {
    bounded(async {
        let stream = TcpStream::connect(address).await?;
        exchange(stream, &address.to_string(), path).await
    })
    .await
}

/// One GET through TLS, to that server name and host.
pub(super) async fn secure(address: SocketAddr, host: &str, path: &str) -> Result<HostAnswer, Fault> {
    let ours = |e: String| {
        Fault::new(FaultKind::Bug, "question impossible", "signalez ce défaut du correcteur").detail(e)
    };
    let name = tls::server_name(Some(host), address.ip()).map_err(|e| ours(e.to_string()))?;
    let connector = tls::connector(&["http/1.1".to_owned()]).map_err(|e| ours(e.to_string()))?;
    Ok(bounded(async {
        let stream = TcpStream::connect(address).await?;
        let stream = connector.connect(name, stream).await?;
        exchange(stream, host, path).await
    })
    .await)
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    host: &str,
    path: &str,
) -> std::io::Result<Vec<u8>> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let read = stream.take(MOST).read_to_end(&mut answer).await;
    // A server that leaves without a word of farewell has answered all the same.
    if answer.is_empty() { read.map(|_| answer) } else { Ok(answer) }
}

async fn bounded(exchange: impl Future<Output = std::io::Result<Vec<u8>>>) -> HostAnswer {
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(answer)) => read(&answer),
        Ok(Err(e)) => HostAnswer { error: Some(e.to_string()), ..HostAnswer::default() },
        Err(_) => HostAnswer { error: Some("aucune réponse en 5 s".to_owned()), ..HostAnswer::default() },
    }
}

fn read(answer: &[u8]) -> HostAnswer {
    let text = String::from_utf8_lossy(answer);
    let status = text
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split_whitespace().nth(1))
        .and_then(|code| code.parse().ok());
    let error = status.is_none().then(|| "réponse vide ou qui n'est pas de l'HTTP".to_owned());
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    HostAnswer { status, error, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let seen = read(b"HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\nForbidden");
        assert_eq!((seen.status, seen.body.as_str(), seen.error), (Some(403), "Forbidden", None));
        assert!(read(b"-ERR").error.is_some());
        assert!(read(b"").error.is_some());
    }
}
