//! One DNS question to one server, and exactly what it said.

use crate::clock::Deadline;
use crate::fault::{from_io_peer, internal, invalid};
use crate::resolv;
use crate::wire::{Dns, DnsAnswer, DnsKind, DnsStatus, Failure, FailureKind, Stage};
use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// The most times that a question is sent.
const MAX_TRIES: u32 = 20;

/// Asks, and waits for the answer or the deadline.
///
/// # Errors
/// When no server said anything: `dns_timeout`, `refused` (nobody listens), `net_unreachable`; or when the question
/// cannot be asked (`invalid`). All that a server says, errors included, is an answer.
pub async fn ask(dns: &Dns, deadline: Deadline) -> Result<DnsAnswer, Failure> {
    let server = server_of(dns)?;
    let name = name_of(&dns.name)?;
    let tries = dns.tries.clamp(1, MAX_TRIES);
    let mut last = timed_out(server, 0, deadline);
    for sent in 1..=tries {
        let share = deadline.share(usize::try_from(tries - sent + 1).unwrap_or(1));
        match once(&name, dns.kind, server, share).await {
            Ok(message) => return Ok(read_answer(&message, dns.kind, server, sent)),
            Err(failure) if failure.kind == FailureKind::Timeout => last = timed_out(server, sent, deadline),
            // Nobody listens, no route: another try would say the same.
            Err(failure) => return Err(failure),
        }
    }
    Err(last)
}

fn timed_out(server: SocketAddr, tries: u32, deadline: Deadline) -> Failure {
    let message = format!("no answer from {server} to {tries} questions in {} ms", deadline.elapsed_us() / 1_000);
    Failure { peer: Some(server), ..Failure::new(FailureKind::DnsTimeout, Stage::Resolve, message) }
}

fn server_of(dns: &Dns) -> Result<SocketAddr, Failure> {
    match &dns.server {
        Some(text) => text
            .parse::<SocketAddr>()
            .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)))
            .map_err(|_| invalid(format!("« {text} » is not address:port"))),
        None => resolv::first_server(&resolv::read("/etc/resolv.conf"))
            .ok_or_else(|| internal(Stage::Resolve, "no nameserver line in /etc/resolv.conf")),
    }
}

fn name_of(text: &str) -> Result<Name, Failure> {
    let mut name = Name::from_ascii(text)
        .or_else(|_| Name::from_utf8(text))
        .map_err(|error| invalid(format!("« {text} » cannot be a DNS name: {error}")))?;
    if name.is_root() {
        return Err(invalid("an empty DNS name"));
    }
    name.set_fqdn(true);
    Ok(name)
}

/// Sends the question once by UDP, again by TCP when the answer was cut.
async fn once(name: &Name, kind: DnsKind, server: SocketAddr, deadline: Deadline) -> Result<Message, Failure> {
    let wanted = match kind {
        DnsKind::A => RecordType::A,
        DnsKind::Aaaa => RecordType::AAAA,
    };
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), wanted));
    let bytes = question.to_vec().map_err(|error| invalid(format!("cannot be asked: {error}")))?;
    let answer = deadline.run(Stage::Resolve, by_udp(&question, &bytes, server)).await??;
    if answer.metadata.truncation {
        return deadline.run(Stage::Resolve, by_tcp(&question, &bytes, server)).await?;
    }
    Ok(answer)
}

async fn by_udp(question: &Message, bytes: &[u8], server: SocketAddr) -> Result<Message, Failure> {
    let io = |error: std::io::Error| from_io_peer(&error, Stage::Resolve, server);
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await.map_err(io)?;
    socket.connect(server).await.map_err(io)?;
    socket.send(bytes).await.map_err(io)?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(io)?;
        // A stray datagram is not the answer: go on waiting.
        if let Ok(message) = Message::from_vec(&buffer[..length])
            && answers(&message, question)
        {
            return Ok(message);
        }
    }
}

async fn by_tcp(question: &Message, bytes: &[u8], server: SocketAddr) -> Result<Message, Failure> {
    let io = |error: std::io::Error| from_io_peer(&error, Stage::Resolve, server);
    let length = u16::try_from(bytes.len()).map_err(|_| invalid("too long a question"))?;
    let mut stream = TcpStream::connect(server).await.map_err(io)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    stream.write_all(&framed).await.map_err(io)?;
    let length = usize::from(stream.read_u16().await.map_err(io)?);
    let mut buffer = vec![0; length];
    stream.read_exact(&mut buffer).await.map_err(io)?;
    Message::from_vec(&buffer).ok().filter(|message| answers(message, question)).ok_or_else(|| Failure {
        peer: Some(server),
        ..Failure::new(FailureKind::Protocol, Stage::Resolve, "not a DNS answer")
    })
}

/// Whether a message answers that question.
fn answers(message: &Message, question: &Message) -> bool {
    message.metadata.id == question.metadata.id
        && message.metadata.message_type == MessageType::Response
        // An error may come without its question.
        && (message.queries.is_empty() || message.queries == question.queries)
}

fn read_answer(message: &Message, kind: DnsKind, server: SocketAddr, tries: u32) -> DnsAnswer {
    let mut records = Vec::new();
    let mut ttl_s: Option<u32> = None;
    for record in &message.answers {
        let ip = match (&record.data, kind) {
            (RData::A(ip), DnsKind::A) => IpAddr::V4(ip.0),
            (RData::AAAA(ip), DnsKind::Aaaa) => IpAddr::V6(ip.0),
            _ => continue,
        };
        records.push(ip);
        ttl_s = Some(ttl_s.map_or(record.ttl, |ttl| ttl.min(record.ttl)));
    }
    let status = match message.metadata.response_code {
        ResponseCode::NoError if records.is_empty() => DnsStatus::Empty,
        ResponseCode::NoError => DnsStatus::Records,
        ResponseCode::NXDomain => DnsStatus::Nxdomain,
        ResponseCode::ServFail => DnsStatus::Servfail,
        ResponseCode::Refused => DnsStatus::Refused,
        other => DnsStatus::Other(other.into()),
    };
    DnsAnswer { status, records, ttl_s, server, tries }
}
