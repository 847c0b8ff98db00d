//! TLS handshakes on open connections.

use crate::clock::{Deadline, micros};
use crate::connect::{self, Opened};
use crate::fault::{from_io, internal, invalid};
use crate::tls;
use crate::wire::{Failure, Stage, TcpAnswer, Tls, TlsAnswer, TlsSeen};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

/// Connects and makes the handshake, then leaves.
///
/// # Errors
/// That of the connection; at stage `tls`: `protocol` when the peer does not speak TLS, `tls` when it does and refuses
/// (with its alert), `closed`, `reset` or `timeout` when it says nothing.
pub async fn ask(ask: &Tls, deadline: Deadline) -> Result<TlsAnswer, Failure> {
    let Opened { stream, about } = connect::open(&ask.host, ask.port, deadline).await?;
    let start = Instant::now();
    let (stream, seen) = handshake(stream, ask.sni.as_deref(), &ask.alpn, &about, deadline).await?;
    drop(stream);
    Ok(TlsAnswer { seen, peer: about.peer, local: about.local, handshake_us: micros(start.elapsed()) })
}

/// Makes the handshake on this connection.
///
/// # Errors
/// As [`ask`].
pub async fn handshake(
    stream: TcpStream,
    sni: Option<&str>,
    alpn: &[String],
    about: &TcpAnswer,
    deadline: Deadline,
) -> Result<(TlsStream<TcpStream>, TlsSeen), Failure> {
    let name = tls::server_name(sni, about.peer.ip()).map_err(|error| invalid(error.to_string()))?;
    let connector = tls::connector(alpn).map_err(|error| internal(Stage::Tls, error.to_string()))?;
    let at_peer = |failure: Failure| Failure { peer: Some(about.peer), ..failure };
    let made = deadline.run(Stage::Tls, connector.connect(name, stream)).await.map_err(at_peer)?;
    let stream = made.map_err(|error| {
        let mut failure = from_io(&error, Stage::Tls);
        if let Some((kind, alert)) = tls::why(&error) {
            (failure.kind, failure.alert) = (kind, alert);
        }
        at_peer(failure)
    })?;
    let seen = tls::seen(stream.get_ref().1);
    Ok((stream, seen))
}
