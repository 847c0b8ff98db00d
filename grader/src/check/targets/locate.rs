//! Where the targets of Prometheus really are: the host of each scrape URL, seen from Prometheus.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::check::prom::{Prom, Target};
use crate::check::world::{World, wire};
use crate::check::{kit, prom};
use crate::error::Fault;

/// The parts of a scrape URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: String,
    /// Name or address.
    pub host: String,
    /// Port, the usual one of the scheme when it is left out.
    pub port: u16,
    /// Path and query, with the leading slash.
    pub path: String,
}

/// Reads a URL; `None` when it is not one.
pub fn url(text: &str) -> Option<Url> {
    let (scheme, rest) = text.split_once("://")?;
    let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(cut);
    let authority = authority.rsplit('@').next()?;
    let usual = if scheme == "https" { 443 } else { 80 };
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']')?;
            (host, rest.strip_prefix(':').map_or(Some(usual), |p| p.parse().ok())?)
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, usual),
        },
    };
    let path = match path.split('#').next().unwrap_or_default() {
        "" => "/".to_owned(),
        path if path.starts_with('?') => format!("/{path}"),
        path => path.to_owned(),
    };
    (!host.is_empty()).then(|| Url { scheme: scheme.to_owned(), host: host.to_owned(), port, path })
}

/// What a connection from Prometheus to a host and port showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// Addresses of the host.
    pub addresses: Vec<IpAddr>,
    /// Why no connection came about.
    pub failure: Option<wire::Failure>,
}

impl Reached {
    /// True when one of these addresses is meant.
    pub fn is_at(&self, addresses: &[IpAddr]) -> bool {
        self.addresses.iter().any(|a| addresses.contains(a))
    }

    /// True when the host is the loopback.
    pub fn is_loopback(&self) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(IpAddr::is_loopback)
    }

    /// True when the name has no address there.
    pub fn is_unknown(&self) -> bool {
        use wire::FailureKind as K;
        let dns = [K::DnsNxdomain, K::DnsServfail, K::DnsRefused, K::DnsTimeout, K::NoAddress];
        self.failure.as_ref().is_some_and(|f| dns.contains(&f.kind))
    }
}

/// Remembers what was seen of each host and port.
#[derive(Default)]
pub struct Locator {
    seen: HashMap<(String, u16), Reached>,
}

impl Locator {
    /// Connects from Prometheus to the host of a URL; a success is remembered, a failure is tried again.
    pub async fn reach(&mut self, world: &dyn World, prom: &Prom<'_>, to: &Url) -> Result<Reached, Fault> {
        let key = (to.host.clone(), to.port);
        if let Some(known) = self.seen.get(&key).filter(|r| r.failure.is_none()) {
            return Ok(known.clone());
        }
        let reached = match kit::tcp(world, prom.vantage(), &to.host, to.port, 2_000).await? {
            Ok(answer) => {
                let addresses =
                    if answer.addresses.is_empty() { vec![answer.peer.ip()] } else { answer.addresses };
                Reached { addresses, failure: None }
            }
            Err(failure) => {
                let mut addresses = failure.addresses.clone();
                addresses.extend(to.host.parse::<IpAddr>().ok());
                // While the name is looked up, the peer is the name server.
                let connecting = failure.stage != wire::Stage::Resolve;
                addresses.extend(failure.peer.filter(|_| connecting).map(|p| p.ip()));
                Reached { addresses, failure: Some(failure) }
            }
        };
        self.seen.insert(key, reached.clone());
        Ok(reached)
    }
}

/// A target with where it leads.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// As Prometheus tells it.
    pub target: Target,
    /// Its URL.
    pub url: Url,
    /// What was seen of its host and port.
    pub reached: Reached,
}

/// Locates every target whose URL can be read, 50 at most.
pub async fn all(
    world: &dyn World,
    prom: &Prom<'_>,
    locator: &mut Locator,
    targets: Vec<prom::Target>,
) -> Result<Vec<Located>, Fault> {
    let mut found = Vec::new();
    for target in targets.into_iter().take(50) {
        let Some(url) = url(&target.scrape_url) else { continue };
        let reached = locator.reach(world, prom, &url).await?;
        found.push(Located { target, url, reached });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls() {
        let of = |text: &str| url(text).map(|u| (u.host, u.port, u.path));
        assert_eq!(of("http://api:5000/metrics"), Some(("api".into(), 5000, "/metrics".into())));
        assert_eq!(of("https://api/m?x=1"), Some(("api".into(), 443, "/m?x=1".into())));
        assert_eq!(of("http://[::1]:9090/metrics"), Some(("::1".into(), 9090, "/metrics".into())));
        assert_eq!(of("http://api"), Some(("api".into(), 80, "/".into())));
        assert_eq!(of("api:5000"), None);
        assert_eq!(of("http://:5000/"), None);
        assert_eq!(of("http://api:port/"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,60}") {
            let _ = url(&text);
        }
    }
}
