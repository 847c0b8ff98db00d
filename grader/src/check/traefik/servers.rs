//! Whose addresses the servers are that Traefik sends to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::world::{World, wire};
use super::{kit, tell};
use crate::error::Fault;

/// Every address of the stack: service and network.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    of: BTreeMap<IpAddr, (String, String)>,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Address or name.
    pub host: String,
    /// Port, when it is written.
    pub port: Option<u16>,
}

/// `http://10.0.0.2:5000`, `10.0.0.3:5432` or `http://api:5000/x`, read.
pub fn target(server: &str) -> Option<Target> {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(text) => Some(text.parse().ok()?),
        None => None,
    };
    (!host.is_empty()).then(|| Target { host: host.to_owned(), port })
}

impl Atlas {
    /// All addresses of all declared services now.
    pub async fn draw(world: &dyn World) -> Result<Self, Fault> {
        let mut atlas = Self::default();
        for service in world.declared().services.keys() {
            for link in world.instances(service).await?.iter().flat_map(|i| &i.attachments) {
                if let Some(ip) = link.ip {
                    atlas.of.insert(ip, (service.clone(), link.network.clone()));
                }
            }
        }
        Ok(atlas)
    }

    /// Service and network of an address.
    pub fn at(&self, ip: IpAddr) -> Option<(&str, &str)> {
        self.of.get(&ip).map(|(service, network)| (service.as_str(), network.as_str()))
    }

    /// Addresses of a service, with their networks.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = (IpAddr, &'a str)> {
        self.of
            .iter()
            .filter(move |(_, (s, _))| s == service)
            .map(|(ip, (_, network))| (*ip, network.as_str()))
    }

    /// « 10.2.0.2:5000, l'adresse de « api » sur « backend » ».
    pub fn told(&self, server: &str) -> String {
        let short = tell::cut(server, 80);
        let owner = target(server).and_then(|t| t.host.parse().ok()).and_then(|ip| self.at(ip));
        match owner {
            Some((service, network)) => format!("{short} (« {service} » sur « {network} »)"),
            None => short,
        }
    }
}

/// The addresses that a server has for the proxy: written, or by the name that it would resolve.
pub async fn resolve(world: &dyn World, via: &str, server: &str) -> Result<BTreeSet<IpAddr>, Fault> {
    let Some(target) = target(server) else { return Ok(BTreeSet::new()) };
    if let Ok(ip) = target.host.parse::<IpAddr>() {
        return Ok(BTreeSet::from([ip]));
    }
    let ask = wire::Dns { timeout_ms: 3_000, ..wire::Dns::a(target.host) };
    Ok(match kit::dns(world, &kit::inside(via), ask).await? {
        Ok(answer) => answer.records.into_iter().collect(),
        Err(_) => BTreeSet::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read() {
        let read = |s: &str| target(s).map(|t| (t.host, t.port));
        assert_eq!(read("http://10.0.0.2:5000"), Some(("10.0.0.2".into(), Some(5000))));
        assert_eq!(read("10.0.0.3:5432"), Some(("10.0.0.3".into(), Some(5432))));
        assert_eq!(read("https://u:p@api/x?y"), Some(("api".into(), None)));
        assert_eq!(read("http://[fd00::2]:80/"), Some(("fd00::2".into(), Some(80))));
        assert_eq!(read("http://:80"), None);
        assert_eq!(read("http://a:port"), None);
    }
}
