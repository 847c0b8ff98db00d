//! An address where nobody is: what answers there is no container.
//!
//! Behind a transparent proxy or a captive portal, a connection to any address that the machine
//! does not know succeeds. Engines give the bridge of an internal network no address of its own, so
//! that a packet for it may leave by the machine's default route and be answered out there.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::super::kit;
use super::super::world::{Vantage, World};
use super::{Leak, TRY_MS};
use crate::error::Fault;

/// Addresses looked at, from the top of a subnet (engines give them from the bottom).
const LOOKED_AT: u32 = 16;

/// The highest address of a subnet that is not one of `taken`.
fn unused(subnet: IpNet, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    (1..=LOOKED_AT)
        .map_while(|step| match subnet {
            IpNet::V4(net) => {
                u32::from(net.broadcast()).checked_sub(step).map(|n| IpAddr::V4(Ipv4Addr::from(n)))
            }
            IpNet::V6(net) => {
                u128::from(net.broadcast()).checked_sub(step.into()).map(|n| IpAddr::V6(Ipv6Addr::from(n)))
            }
        })
        .find(|ip| subnet.contains(ip) && *ip != subnet.network() && !taken.contains(ip))
}

/// True when an address of the leak's subnet where nobody is answers as well: then what was reached
/// is not the target. Were the target in reach, that address would be sought on its own network.
pub async fn answers_too(world: &dyn World, from: &Vantage, leak: &Leak) -> Result<bool, Fault> {
    let mut taken: BTreeSet<IpAddr> = BTreeSet::new();
    let mut subnet = None;
    for service in world.declared().services.keys() {
        for attachment in world.instances(service).await?.into_iter().flat_map(|i| i.attachments) {
            taken.extend(attachment.ip.iter().chain(&attachment.gateway));
            if attachment.ip == Some(leak.peer) {
                subnet = attachment.subnet;
            }
        }
    }
    let Some(nobody) = subnet.and_then(|subnet| unused(subnet, &taken)) else { return Ok(false) };
    Ok(kit::tcp(world, from, &nobody.to_string(), leak.way.port, TRY_MS).await?.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_free_address() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("address");
        let net = |text: &str| text.parse::<IpNet>().expect("subnet");
        let none = BTreeSet::new();
        assert_eq!(unused(net("10.0.0.0/24"), &none), Some(ip("10.0.0.254")));
        let taken = BTreeSet::from([ip("10.0.0.254"), ip("10.0.0.253")]);
        assert_eq!(unused(net("10.0.0.0/24"), &taken), Some(ip("10.0.0.252")));
        assert_eq!(unused(net("10.0.0.0/32"), &none), None);
        assert_eq!(unused(net("fd00::/64"), &none), Some(ip("fd00::ffff:ffff:ffff:fffe")));
    }
}
