//! The way to the reverse proxy: from where it is asked, at which address, on which port.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;

use super::world::{Declared, Vantage, World, wire};
use super::{kit, said, tell};
use crate::error::Fault;
use crate::event::Miss;

/// A server may still be starting: it has this long.
const START: Duration = Duration::from_secs(5);

/// A place from which the proxy is asked, and where it is found from there.
#[derive(Clone)]
pub struct Gate<'a> {
    /// The stack.
    pub world: &'a dyn World,
    /// Service of the proxy.
    pub service: String,
    /// Who asks.
    pub from: Vantage,
    /// Network by which it is asked (key of the student's file), empty from inside.
    pub network: String,
    /// The proxy's address there.
    pub ip: IpAddr,
}

/// The container port that a port of the host leads to; the same number when the file publishes no
/// such port (that is for another check to say).
pub fn behind(declared: &Declared, service: &str, host: u16) -> u16 {
    let ports = declared.services.get(service).map(|s| s.ports.as_slice()).unwrap_or_default();
    let published = host.to_string();
    ports
        .iter()
        .find(|p| p.protocol != "udp" && p.published.as_deref() == Some(&published))
        .map_or(host, |p| p.target)
}

impl<'a> Gate<'a> {
    /// The way by a network that the proxy is on: `on` when it is given, else any that the file
    /// declares. A [`Miss`] when the proxy is not there.
    pub async fn open(
        world: &'a dyn World,
        service: &str,
        on: Option<&str>,
    ) -> Result<Result<Self, Box<Miss>>, Fault> {
        if let Some(miss) = tell::absent(world.declared(), service) {
            return Ok(Err(Box::new(miss)));
        }
        let found = kit::settled(world, service, START).await?;
        if found.is_empty() {
            return Ok(Err(Box::new(tell::stopped(world, service).await?)));
        }
        let declared = world.declared();
        let mut ways: Vec<(bool, String, IpAddr)> = found
            .iter()
            .flat_map(|i| &i.attachments)
            .filter(|a| declared.networks.contains_key(&a.network) && on.is_none_or(|on| on == a.network))
            .filter_map(|a| Some((a.ip?.is_ipv6(), a.network.clone(), a.ip?)))
            .collect();
        ways.sort();
        let Some((_, network, ip)) = ways.into_iter().next() else {
            return Ok(Err(Box::new(away(world, service, on.unwrap_or("default")))));
        };
        let from = Vantage::Network(network.clone());
        Ok(Ok(Self { world, service: service.to_owned(), from, network, ip }))
    }

    /// The same way, taken from the last address of the network that nobody of the stack has.
    pub async fn at_its_end(&self) -> Result<Option<(Self, Ipv4Addr)>, Fault> {
        let mut found = Vec::new();
        for service in self.world.declared().services.keys() {
            found.extend(self.world.instances(service).await?);
        }
        let here = || found.iter().flat_map(|i| &i.attachments).filter(|a| a.network == self.network);
        let subnet = here().find_map(|a| match a.subnet {
            Some(IpNet::V4(net)) => Some(net),
            _ => None,
        });
        let taken: Vec<IpAddr> = here().filter_map(|a| a.ip).collect();
        // The gateway is first, unless it is written otherwise: one of the last two is free.
        let last = subnet.map(|net| net.trunc()).and_then(|net| {
            let hosts: Vec<Ipv4Addr> = net.hosts().collect();
            hosts.into_iter().rev().skip(1).find(|ip| !taken.contains(&IpAddr::V4(*ip)))
        });
        let from = |ip| Self { from: Vantage::Address(self.network.clone(), ip), ..self.clone() };
        Ok(last.map(|ip| (from(ip), ip)))
    }

    /// The container port behind a port of the host.
    pub fn port(&self, host: u16) -> u16 {
        behind(self.world.declared(), &self.service, host)
    }

    /// A GET through TLS, as a client that reached port 443 of the host writes it.
    pub fn secure(&self, port: u16, host: &str, path: &str) -> wire::Http {
        self.plain(port, host, path).secure()
    }

    /// A GET in clear, as a client that reached port 80 of the host writes it.
    pub fn plain(&self, port: u16, host: &str, path: &str) -> wire::Http {
        let mut ask = wire::Http::get(host, self.port(port), path);
        ask.connect_to = Some(self.ip.to_string());
        ask.headers = vec![("Host".to_owned(), host.to_owned())];
        ask
    }

    /// Sends it.
    pub async fn send(&self, ask: wire::Http) -> kit::Asked<wire::HttpAnswer> {
        Ok(kit::http(self.world, &self.from, ask).await?.0)
    }

    /// Why port `port` of the host gives no answer over TLS: headline, observation, place and hint.
    pub async fn unreached(&self, port: u16, host: &str, failure: &wire::Failure) -> Result<Miss, Fault> {
        let (inner, via) = (self.port(port), &self.service);
        if failure.is_not_tls() {
            return Ok(Miss {
                headline: format!("le port {inner} de « {via} » ne parle pas TLS"),
                observed: "le port répond en clair".to_owned(),
                place: tell::at(self.world, via, "ports", "publication du port"),
                hint: "qui reçoit ce port dans le conteneur, et qui y active TLS ?".to_owned(),
                ..Miss::default()
            });
        }
        if failure.stage == wire::Stage::Tls {
            return Ok(Miss {
                headline: format!("la négociation TLS échoue pour {host}"),
                observed: tell::why(failure),
                hint:
                    "le certificat présenté dépend du nom demandé ; sniStrict refuse ceux qu'aucun ne porte"
                        .to_owned(),
                ..Miss::default()
            });
        }
        if failure.stage != wire::Stage::Connect {
            return Ok(Miss {
                headline: format!("« {via} » ne répond rien pour {host}"),
                observed: tell::why(failure),
                hint: "qui attend-il lui-même ?".to_owned(),
                ..Miss::default()
            });
        }
        let plain = self.send(self.plain(80, host, "/")).await?;
        Ok(Miss {
            headline: format!("« {via} » n'écoute pas sur le port {inner}"),
            observed: tell::why(failure),
            control: match plain {
                Ok(answer) => format!("le port {} répond ({})", self.port(80), answer.status),
                Err(_) => String::new(),
            },
            place: said::place(self.world, via, said::ENTRY_POINTS, "points d'entrée"),
            hint: "qui écoute dans le conteneur, sur quel port, et le port publié y mène-t-il ?".to_owned(),
            ..Miss::default()
        })
    }

    /// A handshake with port `port` of the host, asking for this server name.
    pub async fn shake(&self, port: u16, sni: Option<&str>) -> kit::Asked<wire::TlsAnswer> {
        let mut ask = wire::Tls::to(self.ip.to_string(), self.port(port), "");
        ask.sni = sni.map(str::to_owned);
        ask.alpn = vec!["h2".to_owned(), "http/1.1".to_owned()];
        kit::tls(self.world, &self.from, ask).await
    }
}

/// The proxy is not on the network of the statement.
fn away(world: &dyn World, service: &str, network: &str) -> Miss {
    let on = world.declared().services.get(service).map(|s| s.networks.clone()).unwrap_or_default();
    // Compose leaves out of its model the networks that no service uses.
    let used = world.declared().networks.contains_key(network);
    Miss {
        headline: format!("« {service} » n'est pas sur le réseau « {network} »"),
        expected: format!("« {service} » joignable par le réseau « {network} »"),
        observed: format!("« {service} » est sur {}", tell::names(&on)),
        noted: if used { vec![] } else { vec![format!("aucun service n'est sur « {network} »")] },
        place: tell::at_networks(world, service, on.first().map_or("default", String::as_str)),
        hint: "un service n'est que sur les réseaux qu'il cite".to_owned(),
        try_it: "docker compose config".to_owned(),
        ..Miss::default()
    }
}
