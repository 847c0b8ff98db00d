//! Names, connections and interfaces of the fake stack.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::world::{Attachment, Instance, State, Vantage, wire};
use super::FakeWorld;

/// A running container with one address on `net`.
pub fn instance(service: &str, ip: &str) -> Instance {
    Instance {
        service: service.to_owned(),
        id: format!("{service}-0"),
        state: State::Running,
        exit_code: None,
        restarts: 0,
        health: None,
        attachments: vec![attachment("net", ip)],
        published: vec![],
        env: BTreeMap::new(),
        command: vec![],
        working_dir: "/app".to_owned(),
        network_mode: String::new(),
        exposed: Vec::new(),
    }
}

/// A link to a network.
pub fn attachment(network: &str, ip: &str) -> Attachment {
    let ip: IpAddr = ip.parse().expect("an address");
    Attachment {
        network: network.to_owned(),
        ip: Some(ip),
        gateway: None,
        subnet: ipnet::IpNet::new(ip, 24).ok().map(|n| n.trunc()),
    }
}

fn failed(kind: wire::FailureKind) -> wire::Outcome {
    wire::Outcome::Failed(wire::Failure::new(kind, wire::Stage::Connect, "fake"))
}

impl FakeWorld {
    fn networks_of(&self, from: &Vantage) -> Vec<String> {
        match from {
            Vantage::Network(network) | Vantage::Address(network, _) => vec![network.clone()],
            Vantage::Service(service) => self
                .instances
                .get(service)
                .into_iter()
                .flatten()
                .flat_map(|i| i.attachments.iter().map(|a| a.network.clone()))
                .collect(),
            Vantage::DefaultBridge | Vantage::Twin(_) => vec![],
        }
    }

    fn records(&self, from: &Vantage, name: &str) -> Vec<IpAddr> {
        let mine = self.networks_of(from);
        let reachable = |ip: &IpAddr| {
            self.instances
                .values()
                .flatten()
                .flat_map(|i| &i.attachments)
                .any(|a| a.ip == Some(*ip) && mine.contains(&a.network))
        };
        if let Some(found) = self.names.get(name) {
            return found.clone();
        }
        let found = self.instances.get(name).into_iter().flatten().flat_map(|i| &i.attachments);
        found.filter_map(|a| a.ip).filter(reachable).collect()
    }

    fn dns(&self, from: &Vantage, name: &str) -> wire::Outcome {
        if self.networks_of(from).is_empty() {
            return failed(wire::FailureKind::NetUnreachable);
        }
        let records = self.records(from, name);
        let status = if records.is_empty() { wire::DnsStatus::Servfail } else { wire::DnsStatus::Records };
        wire::Outcome::Dns(wire::DnsAnswer {
            status,
            records,
            ttl_s: Some(600),
            server: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)), 53),
            tries: 1,
        })
    }

    /// The service that has an address.
    pub(super) fn owner(&self, ip: IpAddr) -> Option<String> {
        let mut all = self.instances.values().flatten();
        all.find(|i| i.attachments.iter().any(|a| a.ip == Some(ip))).map(|i| i.service.clone())
    }

    /// The peer of a connection, or why there is none.
    pub(super) fn connect(&self, from: &Vantage, host: &str, port: u16) -> Result<IpAddr, wire::FailureKind> {
        let local = |service: &str| self.open.contains(&(service.to_owned(), port));
        let ip = match host.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) => *self.records(from, host).first().ok_or(wire::FailureKind::DnsServfail)?,
        };
        if ip.is_loopback() {
            let heard = match from {
                Vantage::Service(service) => local(service),
                Vantage::Twin(name) => self.lock().twins.iter().any(|t| &t.name == name),
                _ => false,
            };
            return if heard { Ok(ip) } else { Err(wire::FailureKind::Refused) };
        }
        let mine = self.networks_of(from);
        let owner =
            self.instances.values().flatten().find(|i| i.attachments.iter().any(|a| a.ip == Some(ip)));
        let Some(owner) = owner else { return Err(wire::FailureKind::HostUnreachable) };
        let shared = owner.attachments.iter().any(|a| a.ip == Some(ip) && mine.contains(&a.network));
        if !shared {
            let mut memory = self.lock();
            if memory.leaks == 0 {
                return Err(wire::FailureKind::Timeout);
            }
            memory.leaks -= 1;
        }
        if local(&owner.service) { Ok(ip) } else { Err(wire::FailureKind::Refused) }
    }

    /// Answers any question.
    pub(super) async fn outcome(&self, from: &Vantage, ask: wire::Ask) -> wire::Outcome {
        match ask {
            wire::Ask::Dns(ask) => self.dns(from, &ask.name),
            wire::Ask::Tcp(ask) => match self.connect(from, &ask.host, ask.port) {
                Ok(ip) => {
                    self.lock().sent.extend(ask.send);
                    wire::Outcome::Tcp(wire::TcpAnswer {
                        peer: SocketAddr::new(ip, ask.port),
                        local: SocketAddr::new(ip, 40_000),
                        addresses: vec![ip],
                        via: wire::Via::Literal,
                        resolve_us: 0,
                        connect_us: 800,
                    })
                }
                Err(kind) => {
                    let addresses = self.records(from, &ask.host);
                    let failure = wire::Failure::new(kind, wire::Stage::Connect, "fake");
                    wire::Outcome::Failed(wire::Failure { addresses, ..failure })
                }
            },
            wire::Ask::Interfaces(_) => {
                let name = match from {
                    Vantage::Service(service) => service.as_str(),
                    _ => "",
                };
                let interfaces = self.interfaces.get(name).cloned().unwrap_or_default();
                wire::Outcome::Interfaces(wire::InterfacesAnswer { interfaces })
            }
            wire::Ask::Redis(ask) => self.redis(&ask),
            wire::Ask::Postgres(ask) if self.lets_in(&ask) => self.postgres(&ask.sql),
            wire::Ask::Postgres(_) => failed(wire::FailureKind::Auth),
            wire::Ask::Http(ask) => match self.http(from, &ask).await {
                Ok(answer) => wire::Outcome::Http(*answer),
                Err(failure) => wire::Outcome::Failed(failure),
            },
            wire::Ask::Tls(ask) => match self.shake(from, &ask) {
                Ok(answer) => wire::Outcome::Tls(answer),
                Err(failure) => wire::Outcome::Failed(failure),
            },
            wire::Ask::HoldHttp(ask) => self.hold(from, &ask).await,
            wire::Ask::HttpMany(ask) => self.many(from, &ask).await,
            _ => failed(wire::FailureKind::Invalid),
        }
    }
}
