//! From a host and a port to an open connection.

use crate::clock::{Deadline, micros};
use crate::fault::{from_io_peer, invalid};
use crate::wire::{Dns, DnsKind, DnsStatus, Failure, FailureKind, Stage, TcpAnswer, Via};
use crate::{dns, resolv};
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The most addresses that are tried for one name.
const MAX_ADDRESSES: usize = 16;

/// An open connection and how it came about.
#[derive(Debug)]
pub struct Opened {
    /// The connection, without Nagle's delay.
    pub stream: TcpStream,
    /// What a `tcp` question answers.
    pub about: TcpAnswer,
}

/// The addresses of a host: itself, `/etc/hosts`, then DNS.
///
/// # Errors
/// The DNS failure; an answer without address is one of `dns_nxdomain`, `dns_servfail`, `dns_refused`, `no_address`.
pub async fn lookup(host: &str, deadline: Deadline) -> Result<(Vec<IpAddr>, Via), Failure> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok((vec![ip], Via::Literal));
    }
    if host.is_empty() {
        return Err(invalid("an empty host"));
    }
    let known = resolv::in_hosts(&resolv::read("/etc/hosts"), host);
    if !known.is_empty() {
        return Ok((known, Via::Hosts));
    }
    for kind in [DnsKind::A, DnsKind::Aaaa] {
        let answer = dns::ask(&Dns { kind, ..Dns::a(host) }, deadline).await?;
        let kind = match answer.status {
            DnsStatus::Records => return Ok((answer.records, Via::Dns)),
            DnsStatus::Empty => continue,
            DnsStatus::Nxdomain => FailureKind::DnsNxdomain,
            DnsStatus::Servfail => FailureKind::DnsServfail,
            DnsStatus::Refused | DnsStatus::Other(_) => FailureKind::DnsRefused,
        };
        let message = format!("« {host} »: {:?} from {}", answer.status, answer.server);
        return Err(Failure { peer: Some(answer.server), ..Failure::new(kind, Stage::Resolve, message) });
    }
    Err(Failure::new(FailureKind::NoAddress, Stage::Resolve, format!("« {host} » has neither A nor AAAA record")))
}

/// Opens a connection to the first address that takes one; each has its share of the time.
///
/// # Errors
/// That of the name look-up, or of the last address tried.
pub async fn open(host: &str, port: u16, deadline: Deadline) -> Result<Opened, Failure> {
    let start = Instant::now();
    let (addresses, via) = lookup(host, deadline).await?;
    let resolve_us = micros(start.elapsed());
    let tried = &addresses[..addresses.len().min(MAX_ADDRESSES)];
    let mut last = Failure::new(FailureKind::NoAddress, Stage::Resolve, "no address to try");
    for (index, ip) in tried.iter().enumerate() {
        let peer = SocketAddr::new(*ip, port);
        let start = Instant::now();
        let share = deadline.share(tried.len() - index);
        match connect(peer, share).await {
            Ok((stream, local)) => {
                let connect_us = micros(start.elapsed());
                let about = TcpAnswer { peer, local, addresses: addresses.clone(), via, resolve_us, connect_us };
                return Ok(Opened { stream, about });
            }
            Err(failure) => last = Failure { peer: Some(peer), ..failure },
        }
    }
    Err(Failure { addresses, ..last })
}

async fn connect(peer: SocketAddr, deadline: Deadline) -> Result<(TcpStream, SocketAddr), Failure> {
    let io = |error: std::io::Error| from_io_peer(&error, Stage::Connect, peer);
    let stream = deadline.run(Stage::Connect, TcpStream::connect(peer)).await?.map_err(io)?;
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().map_err(io)?;
    if local == peer {
        // A closed port of the ephemeral range, met by chance by itself.
        return Err(Failure::new(FailureKind::Refused, Stage::Connect, "the connection met itself: nobody listens"));
    }
    Ok((stream, local))
}
