//! What the kinds share to ask questions: typed answers instead of [`wire::Outcome`].

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::world::{Instance, State, Vantage, World, wire};
use crate::error::{Fault, FaultKind};
use crate::time::strain;

/// An answer with the instants of the probe, or a failure that says something about the stack.
/// A failure of the probe itself is the outer [`Fault`].
pub type Asked<T> = Result<Result<T, wire::Failure>, Fault>;

/// Between two tries of something that may still be starting.
const PAUSE: Duration = Duration::from_millis(250);

/// The instants of an answer, in microseconds since the kernel's boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// The probe began.
    pub start_us: u64,
    /// It had the answer.
    pub end_us: u64,
}

async fn outcome(
    world: &dyn World,
    from: &Vantage,
    ask: wire::Ask,
) -> Result<(Result<wire::Outcome, wire::Failure>, When), Fault> {
    let answer = world.ask(from, ask).await?;
    let when = When { start_us: answer.boot_us, end_us: answer.boot_us + answer.elapsed_us };
    match answer.outcome {
        wire::Outcome::Failed(failure) if failure.kind.is_ours() => Err(probe_fault(&failure)),
        wire::Outcome::Failed(failure) => Ok((Err(failure), when)),
        seen => Ok((Ok(seen), when)),
    }
}

/// The probe is at fault, or short of something.
pub fn probe_fault(failure: &wire::Failure) -> Fault {
    Fault::new(
        FaultKind::Probe,
        "la sonde n'a pas pu faire cette observation",
        "relancez la correction ; si cela se répète, signalez ce défaut du correcteur",
    )
    .detail(format!("{:?} ({:?}) {}", failure.kind, failure.stage, failure.message))
}

/// The probe answered another question than the one asked.
fn odd() -> Fault {
    Fault::new(
        FaultKind::Bug,
        "la sonde a répondu à une autre question que celle posée",
        "signalez ce défaut du correcteur",
    )
}

/// The machine was too slow or too busy for an honest judgement.
pub fn noise(what: impl Into<String>) -> Fault {
    Fault::new(
        FaultKind::Noise,
        what,
        "relancez la correction quand la machine est moins occupée : grader check --only ce contrôle",
    )
}

/// The lab declares a check without the experiment that it needs.
pub fn lab_fault(what: &str) -> Fault {
    Fault::new(FaultKind::Lab, what, "corrigez lab.toml")
}

/// One DNS question.
pub async fn dns(world: &dyn World, from: &Vantage, ask: wire::Dns) -> Asked<wire::DnsAnswer> {
    match outcome(world, from, wire::Ask::Dns(ask)).await?.0 {
        Ok(wire::Outcome::Dns(answer)) => Ok(Ok(answer)),
        Ok(_) => Err(odd()),
        Err(failure) => Ok(Err(failure)),
    }
}

/// One TCP connection.
pub async fn tcp(
    world: &dyn World,
    from: &Vantage,
    host: &str,
    port: u16,
    timeout_ms: u64,
) -> Asked<wire::TcpAnswer> {
    tcp_send(world, from, wire::Tcp { timeout_ms, ..wire::Tcp::to(host, port) }).await
}

/// One TCP connection, by which something may be sent.
pub async fn tcp_send(world: &dyn World, from: &Vantage, ask: wire::Tcp) -> Asked<wire::TcpAnswer> {
    match outcome(world, from, wire::Ask::Tcp(ask)).await?.0 {
        Ok(wire::Outcome::Tcp(answer)) => Ok(Ok(answer)),
        Ok(_) => Err(odd()),
        Err(failure) => Ok(Err(failure)),
    }
}

/// One HTTP exchange, with its instants.
pub async fn http(
    world: &dyn World,
    from: &Vantage,
    ask: wire::Http,
) -> Result<(Result<wire::HttpAnswer, wire::Failure>, When), Fault> {
    let (seen, when) = outcome(world, from, wire::Ask::Http(ask)).await?;
    match seen {
        Ok(wire::Outcome::Http(answer)) => Ok((Ok(answer), when)),
        Ok(_) => Err(odd()),
        Err(failure) => Ok((Err(failure), when)),
    }
}

/// The same HTTP exchange many times.
pub async fn http_many(
    world: &dyn World,
    from: &Vantage,
    ask: wire::HttpMany,
) -> Result<(Result<wire::HttpManyAnswer, wire::Failure>, When), Fault> {
    let (seen, when) = outcome(world, from, wire::Ask::HttpMany(ask)).await?;
    match seen {
        Ok(wire::Outcome::HttpMany(answer)) => Ok((Ok(answer), when)),
        Ok(_) => Err(odd()),
        Err(failure) => Ok((Err(failure), when)),
    }
}

/// One TLS handshake.
pub async fn tls(world: &dyn World, from: &Vantage, ask: wire::Tls) -> Asked<wire::TlsAnswer> {
    match outcome(world, from, wire::Ask::Tls(ask)).await?.0 {
        Ok(wire::Outcome::Tls(answer)) => Ok(Ok(answer)),
        Ok(_) => Err(odd()),
        Err(failure) => Ok(Err(failure)),
    }
}

/// An HTTP exchange that may last.
pub async fn hold_http(
    world: &dyn World,
    from: &Vantage,
    ask: wire::Http,
) -> Result<wire::HoldHttpAnswer, Fault> {
    match outcome(world, from, wire::Ask::HoldHttp(ask)).await? {
        (Ok(wire::Outcome::HoldHttp(answer)), _) => match &answer.outcome {
            wire::HttpOutcome::Failed(failure) if failure.kind.is_ours() => Err(probe_fault(failure)),
            _ => Ok(answer),
        },
        (Ok(_), _) => Err(odd()),
        (Err(failure), _) => Err(probe_fault(&failure)),
    }
}

/// Redis commands, with their instants.
pub async fn redis(
    world: &dyn World,
    from: &Vantage,
    ask: wire::Redis,
) -> Result<(Result<Vec<wire::RedisValue>, wire::Failure>, When), Fault> {
    let (seen, when) = outcome(world, from, wire::Ask::Redis(ask)).await?;
    match seen {
        Ok(wire::Outcome::Redis(answer)) => Ok((Ok(answer.replies), when)),
        Ok(_) => Err(odd()),
        Err(failure) => Ok((Err(failure), when)),
    }
}

/// SQL.
pub async fn postgres(
    world: &dyn World,
    from: &Vantage,
    ask: wire::Postgres,
) -> Asked<Vec<wire::PostgresResult>> {
    match outcome(world, from, wire::Ask::Postgres(ask)).await?.0 {
        Ok(wire::Outcome::Postgres(answer)) => Ok(Ok(answer.results)),
        Ok(_) => Err(odd()),
        Err(failure) => Ok(Err(failure)),
    }
}

/// The interfaces of a vantage point.
pub async fn interfaces(world: &dyn World, from: &Vantage) -> Result<Vec<wire::Interface>, Fault> {
    match outcome(world, from, wire::Ask::Interfaces(wire::Interfaces::default())).await?.0 {
        Ok(wire::Outcome::Interfaces(answer)) => Ok(answer.interfaces),
        Ok(_) => Err(odd()),
        Err(failure) => Err(probe_fault(&failure)),
    }
}

/// The vantage of a service.
pub fn inside(service: &str) -> Vantage {
    Vantage::Service(service.to_owned())
}

/// `Authorization: Basic` of a `user:password`.
pub fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// The running containers of a service.
pub async fn running(world: &dyn World, service: &str) -> Result<Vec<Instance>, Fault> {
    let mut found = world.instances(service).await?;
    found.retain(|i| i.state == State::Running);
    Ok(found)
}

/// Waits (bounded) until a service has a running container that has an address.
pub async fn settled(world: &dyn World, service: &str, patience: Duration) -> Result<Vec<Instance>, Fault> {
    let until = Instant::now() + patience;
    loop {
        let found = running(world, service).await?;
        if !found.is_empty() || Instant::now() >= until {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// All addresses of these containers.
pub fn addresses(instances: &[Instance]) -> Vec<IpAddr> {
    instances.iter().flat_map(|i| i.attachments.iter().filter_map(|a| a.ip)).collect()
}

/// All networks of these containers.
pub fn networks(instances: &[Instance]) -> BTreeSet<String> {
    instances.iter().flat_map(|i| &i.attachments).map(|a| a.network.clone()).collect()
}

/// The address by which a service is asked from its own network namespace: its own, not the
/// loopback, so that an application that only listens on 127.0.0.1 does not answer.
pub fn own_ip(instances: &[Instance]) -> Option<IpAddr> {
    let all = addresses(instances);
    all.iter().find(|ip| ip.is_ipv4()).or_else(|| all.first()).copied()
}

/// The first running container of a service and its own address, or a fault: for the services that
/// an earlier check has proven to be up.
pub async fn needed(world: &dyn World, service: &str) -> Result<(Instance, IpAddr), Fault> {
    let found = settled(world, service, Duration::from_secs(3)).await?;
    let ip = own_ip(&found);
    match (found.into_iter().next(), ip) {
        (Some(instance), Some(ip)) => Ok((instance, ip)),
        _ => Err(Fault::new(
            FaultKind::Noise,
            format!("« {service} » n'est pas en marche au moment de ce contrôle"),
            "relancez la correction ; si cela se répète, regardez pourquoi ce service s'arrête",
        )),
    }
}

/// Tries until `good` or until `patience` is over, stretched on a busy machine; gives the last try.
pub async fn patiently<T, F, Fut>(
    patience: Duration,
    good: impl Fn(&T) -> bool,
    mut make: F,
) -> Result<T, Fault>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Fault>>,
{
    let until = Instant::now() + patience.mul_f64(strain());
    loop {
        let seen = make().await?;
        if good(&seen) || Instant::now() >= until {
            return Ok(seen);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Pseudo-random numbers drawn from the seed of the run, the same for the same `salt`.
pub fn draw(world: &dyn World, salt: &str) -> u64 {
    let mut hash = world.seed() ^ 0xcbf2_9ce4_8422_2325;
    for byte in salt.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}
