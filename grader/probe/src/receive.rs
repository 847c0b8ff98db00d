//! A webhook receiver: it answers 200 to whatever it is sent and tells it, one JSON line each.

use crate::clock;
use crate::echo::{PATIENCE, Received, receive};
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// Serves for ever; what is received goes to standard output.
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
    let line = line(&received, peer, clock::now().at_us);
    io::Write::write_all(&mut io::stdout().lock(), line.as_bytes())?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await?;
    stream.shutdown().await
}

fn line(received: &Received, peer: SocketAddr, at_us: u64) -> String {
    let Received { method, path, body, .. } = received;
    let ip = peer.ip().to_canonical();
    format!("{}\n", json!({"received": {"at_us": at_us, "from": ip, "method": method, "path": path, "body": body}}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn whoever_sends_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        tokio::spawn(run(listener));
        let mut stream = TcpStream::connect(at).await.expect("connected");
        stream.write_all(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
