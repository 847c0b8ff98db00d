//! A relay in front of PostgreSQL that moves every date of its answers by some years, and those of now that it is
//! sent by as many back.
//!
//! It proves that a date shown by a student's API came from PostgreSQL: no clock of the API is that far ahead. It must
//! be invisible otherwise: whatever it does not understand goes through as it is.

pub mod back;
pub mod calendar;
pub mod frame;
pub mod numeric;
pub mod shift;
pub mod stream;
pub mod track;

use crate::clock::{self, Deadline};
use crate::connect;
use crate::wire::Failure;
use shift::Rule;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stream::{ClientStream, ServerStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use track::Tracker;

/// How long the upstream server is tried for, for each connection.
const UPSTREAM_PATIENCE_MS: u64 = 700;

/// How long between two tries.
const RETRY: Duration = Duration::from_millis(50);

/// How often the counts are told, when they have moved.
const TELL_EVERY: Duration = Duration::from_millis(200);

const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// The longest first packet that PostgreSQL accepts, in bytes.
const MAX_STARTUP: u32 = 10_000;

/// What a relay does.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Host of the real server, looked up at each connection.
    pub host: String,
    /// Port of the real server.
    pub port: u16,
    /// Years to add, a multiple of 4.
    pub years: i64,
}

/// What went through all connections so far.
#[derive(Debug, Default)]
struct Totals {
    connections: AtomicU64,
    refused: AtomicU64,
    rows: AtomicU64,
    shifted: AtomicU64,
}

impl Totals {
    fn line(&self) -> String {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            r#"{{"relay":{{"connections":{},"no_upstream":{},"rows":{},"shifted":{}}}}}"#,
            get(&self.connections),
            get(&self.refused),
            get(&self.rows),
            get(&self.shifted)
        )
    }
}

impl Relay {
    /// Serves for ever. The totals are told on stderr, one JSON line each time they have moved.
    ///
    /// # Errors
    /// That of the listener.
    pub async fn run(self, listener: TcpListener) -> io::Result<()> {
        let totals = Arc::new(Totals::default());
        tokio::spawn(tell(Arc::clone(&totals)));
        loop {
            match listener.accept().await {
                Ok((client, _)) => {
                    tokio::spawn(self.clone().session(client, Arc::clone(&totals)));
                }
                // Short of descriptors, or a client already gone: the next one may do.
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    async fn session(self, mut client: TcpStream, totals: Arc<Totals>) {
        totals.connections.fetch_add(1, Ordering::Relaxed);
        let _ = client.set_nodelay(true);
        let Ok(mut upstream) = self.upstream().await else {
            totals.refused.fetch_add(1, Ordering::Relaxed);
            // As near to « refused » as an accepted connection can be.
            let _ = client.set_zero_linger();
            return;
        };
        let Ok(first) = first_packet(&mut client).await else { return };
        if upstream.write_all(&first.bytes).await.is_err() {
            return;
        }
        if first.is_session {
            self.copy_shifting(client, upstream, &totals).await;
        } else {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
        }
    }

    fn rule(&self) -> Rule {
        Rule { years: self.years, now_s: unix_s() }
    }

    async fn upstream(&self) -> Result<TcpStream, Failure> {
        let deadline = Deadline::after_ms(UPSTREAM_PATIENCE_MS);
        loop {
            match connect::open(&self.host, self.port, deadline).await {
                Ok(opened) => return Ok(opened.stream),
                Err(failure) if deadline.left() <= RETRY => return Err(failure),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    async fn copy_shifting(&self, client: TcpStream, upstream: TcpStream, totals: &Totals) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = upstream.into_split();
        let tracker = Mutex::new(Tracker::default());
        let lock = || tracker.lock().unwrap_or_else(PoisonError::into_inner);
        let up = async {
            let mut stream = ClientStream::default();
            pump(&mut from_client, &mut to_server, |bytes, out| {
                if bytes.is_empty() {
                    out.extend_from_slice(&stream.finish());
                } else {
                    // Before it is sent: so the tracker always knows the question before the answer.
                    stream.feed(bytes, self.rule(), &mut lock(), out);
                }
            })
            .await
        };
        let down = async {
            let mut stream = ServerStream::default();
            let done = pump(&mut from_server, &mut to_client, |bytes, out| {
                let before = stream.counts;
                if bytes.is_empty() {
                    out.extend_from_slice(&stream.finish());
                } else {
                    stream.feed(bytes, self.rule(), &mut lock(), out);
                }
                totals.rows.fetch_add(stream.counts.rows - before.rows, Ordering::Relaxed);
                totals.shifted.fetch_add(stream.counts.shifted - before.shifted, Ordering::Relaxed);
            });
            done.await
        };
        // An error on either side ends both; an end on one side leaves the other to finish.
        let _ = tokio::try_join!(up, down);
    }
}

/// Copies until the end, through `change`, which is called a last time without bytes.
async fn pump<R, W>(from: &mut R, to: &mut W, mut change: impl FnMut(&[u8], &mut Vec<u8>)) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; 32 * 1024];
    let mut out = Vec::new();
    loop {
        let length = from.read(&mut buffer).await?;
        out.clear();
        change(&buffer[..length], &mut out);
        to.write_all(&out).await?;
        if length == 0 {
            return to.shutdown().await;
        }
    }
}

struct FirstPacket {
    bytes: Vec<u8>,
    /// Whether what follows are the messages of a session.
    is_session: bool,
}

/// Reads up to the packet that the server is to see; requests for encryption are answered « no » here, so that the
/// stream stays readable.
async fn first_packet(client: &mut TcpStream) -> io::Result<FirstPacket> {
    loop {
        let mut bytes = vec![0; 8];
        let mut got = 0;
        while got < 8 {
            match client.read(&mut bytes[got..]).await? {
                0 => {
                    bytes.truncate(got);
                    return Ok(FirstPacket { bytes, is_session: false });
                }
                length => got += length,
            }
            // No length of PostgreSQL's begins so (TLS does): do not wait for more.
            if bytes[0] != 0 {
                bytes.truncate(got);
                return Ok(FirstPacket { bytes, is_session: false });
            }
        }
        let word = |at: usize| bytes[at..at + 4].iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        match (word(0), word(4)) {
            (8, SSL_REQUEST | GSSENC_REQUEST) => client.write_all(b"N").await?,
            (16.., CANCEL_REQUEST) => return Ok(FirstPacket { bytes, is_session: false }),
            (length @ 8..=MAX_STARTUP, version) if version >> 16 == 3 => {
                let mut rest = vec![0; usize::try_from(length - 8).unwrap_or(0)];
                client.read_exact(&mut rest).await?;
                bytes.extend_from_slice(&rest);
                return Ok(FirstPacket { bytes, is_session: true });
            }
            _ => return Ok(FirstPacket { bytes, is_session: false }),
        }
    }
}

fn unix_s() -> i64 {
    i64::try_from(clock::now().at_us / 1_000_000).unwrap_or(0)
}

async fn tell(totals: Arc<Totals>) {
    let mut told = String::new();
    loop {
        let line = totals.line();
        if line != told {
            eprintln!("{line}");
            told = line;
        }
        tokio::time::sleep(TELL_EVERY).await;
    }
}
