//! Where addresses and ranges of the student's subnets are in the run: a list of ranges means the
//! same before and after.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::nets::same_host;

/// Docker's own choice for networks without a fixed subnet begins in this range.
const USUAL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12);

/// A subnet that moved.
#[derive(Clone, Debug)]
struct Move {
    old: IpNet,
    new: IpNet,
    /// Addresses that went elsewhere than to the same host part.
    apart: BTreeMap<IpAddr, IpAddr>,
}

/// Every subnet of a run that is elsewhere than on the student's machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves {
    moves: Vec<Move>,
    /// Networks whose subnet the student left to Docker.
    loose: Vec<IpNet>,
}

impl Moves {
    /// A declared subnet, and where each of its known addresses went.
    pub fn add(&mut self, old: IpNet, new: IpNet, table: &BTreeMap<IpAddr, IpAddr>) {
        let apart = table
            .iter()
            .filter(|(from, to)| same_host(**from, old, new) != Some(**to))
            .map(|(from, to)| (*from, *to))
            .collect();
        self.moves.push(Move { old: old.trunc(), new: new.trunc(), apart });
    }

    /// A subnet that Docker would have chosen on the student's machine.
    pub fn add_loose(&mut self, new: IpNet) {
        self.loose.push(new.trunc());
    }

    /// True when nothing can ever change.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty() && self.loose.is_empty()
    }

    /// True when an address of version 6 may change.
    pub fn has_v6(&self) -> bool {
        self.moves.iter().any(|m| m.old.addr().is_ipv6())
    }

    /// Where an address of a declared subnet is in the run; `None` when it is not there, or not
    /// of such a subnet.
    pub fn address(&self, old: IpAddr) -> Option<IpAddr> {
        let all = self.moves.iter().find(|m| m.old.contains(&old))?;
        if let Some(to) = all.apart.get(&old) {
            return Some(*to);
        }
        same_host(old, all.old, all.new).filter(|to| !all.apart.values().any(|taken| taken == to))
    }

    /// The ranges that mean in the run what `range` meant; `None` when it means the same as it is.
    pub fn range(&self, range: IpNet) -> Option<Vec<IpNet>> {
        let range = range.trunc();
        if let Some(inside) = self.moves.iter().find(|m| m.old.contains(&range)) {
            return Some(inside.image(range)).filter(|image| !image.is_empty());
        }
        let declared = self.moves.iter().filter(|m| range.contains(&m.old)).map(|m| m.new);
        let loose = self.loose.iter().copied().filter(|_| range.contains(&IpNet::V4(USUAL)));
        let more: Vec<IpNet> = declared.chain(loose).filter(|new| !range.contains(new)).collect();
        (!more.is_empty()).then(|| std::iter::once(range).chain(more).collect())
    }
}

impl Move {
    /// Where the addresses of a part of the subnet are.
    fn image(&self, part: IpNet) -> Vec<IpNet> {
        if part == self.old {
            return vec![self.new];
        }
        // The part of the old subnet that has the same host parts as the new one.
        let kept = IpNet::new(self.old.addr(), self.new.prefix_len().max(self.old.prefix_len()));
        let kept = kept.unwrap_or(self.old);
        let base = if kept.contains(&part) {
            let first = same_host(part.addr(), self.old, self.new);
            first.and_then(|first| IpNet::new(first, part.prefix_len()).ok())
        } else {
            part.contains(&kept).then_some(self.new)
        };
        let mut out: Vec<IpNet> = base.into_iter().collect();
        for (from, to) in &self.apart {
            let taken = out.iter().position(|net| net.contains(to));
            match (part.contains(from), taken) {
                (true, None) => out.push(IpNet::from(*to)),
                (false, Some(index)) => {
                    let whole = out.remove(index);
                    out.extend(without(whole, *to));
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
        out.sort_unstable();
        out
    }
}

/// The ranges of `net` but one of its addresses.
fn without(net: IpNet, address: IpAddr) -> Vec<IpNet> {
    let Ok(halves) = net.subnets(net.prefix_len().saturating_add(1)) else { return Vec::new() };
    halves
        .flat_map(|half| if half.contains(&address) { without(half, address) } else { vec![half] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::nets::translate;
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect(text)
    }

    fn moves(pairs: &[(&str, &str, &[&str])], loose: &[&str]) -> Moves {
        let mut moves = Moves::default();
        for (old, new, fixed) in pairs {
            let fixed: Vec<IpAddr> = fixed.iter().map(|a| a.parse().expect("address")).collect();
            moves.add(net(old), net(new), &translate(&fixed, net(old), net(new)));
        }
        for new in loose {
            moves.add_loose(net(new));
        }
        moves
    }

    fn said(moves: &Moves, range: &str) -> String {
        let Some(out) = moves.range(net(range)) else { return "same".to_owned() };
        out.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn equal_inside_around_and_elsewhere() {
        let all = moves(&[("172.29.0.0/24", "198.18.5.0/24", &[])], &["198.18.6.0/24"]);
        assert_eq!(said(&all, "172.29.0.0/24"), "198.18.5.0/24");
        assert_eq!(said(&all, "172.29.0.64/28"), "198.18.5.64/28");
        assert_eq!(said(&all, "172.29.0.7/32"), "198.18.5.7/32");
        assert_eq!(said(&all, "172.29.0.0/16"), "172.29.0.0/16,198.18.5.0/24");
        assert_eq!(said(&all, "172.16.0.0/12"), "172.16.0.0/12,198.18.5.0/24,198.18.6.0/24");
        assert_eq!(said(&all, "0.0.0.0/0"), "same");
        assert_eq!(said(&all, "192.168.0.0/16"), "same");
        assert_eq!(said(&all, "::/0"), "same");
    }

    #[test]
    fn a_smaller_subnet_keeps_what_it_holds() {
        let all = moves(&[("172.28.0.0/16", "198.18.5.0/24", &["172.28.0.1", "172.28.1.10"])], &[]);
        assert_eq!(said(&all, "172.28.0.0/16"), "198.18.5.0/24");
        assert_eq!(
            said(&all, "172.28.0.0/24"),
            "198.18.5.0/25,198.18.5.128/26,198.18.5.192/27,198.18.5.224/28,198.18.5.240/29,198.18.5.248/30,198.18.5.252/31,198.18.5.255/32"
        );
        assert_eq!(said(&all, "172.28.1.10/32"), "198.18.5.254/32");
        assert_eq!(said(&all, "172.28.9.0/24"), "same");
        assert_eq!(all.address("172.28.1.10".parse().expect("ip")), "198.18.5.254".parse().ok());
        assert_eq!(all.address("172.28.0.254".parse().expect("ip")), None);
    }

    prop_compose! {
        /// A range near the declared subnets: around them, within them, or elsewhere.
        fn range()(base in prop::sample::select(vec!["172.29.3.0", "172.28.0.0", "10.5.6.64", "192.168.4.0"]),
                   host in 0u32..70_000, prefix in 6u8..=32) -> IpNet {
            let base: Ipv4Addr = base.parse().expect("address");
            IpNet::V4(Ipv4Net::new(Ipv4Addr::from(u32::from(base).wrapping_add(host)), prefix).expect("prefix").trunc())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        /// An address of a declared subnet is in a list of ranges exactly when the address that it
        /// moved to is in the list as rewritten.
        #[test]
        fn membership_is_kept(list in prop::collection::vec(range(), 0..6), hosts in prop::collection::vec(0u32..65_536, 24), fixed in prop::collection::vec(1u32..60_000, 0..5)) {
            let declared = [("172.29.3.0/24", "198.18.5.0/24"), ("172.28.0.0/16", "198.18.6.0/24"), ("10.5.6.64/27", "198.19.0.0/27")];
            let mut all = Moves::default();
            for (old, new) in declared {
                let (old, new) = (net(old), net(new));
                let IpNet::V4(four) = old else { unreachable!("version 4") };
                let order: Vec<IpAddr> = fixed.iter().map(|host| IpAddr::from(Ipv4Addr::from(u32::from(four.addr()) | (host & u32::from(four.hostmask()))))).collect();
                all.add(old, new, &translate(&order, old, new));
            }
            let after: Vec<IpNet> = list.iter().flat_map(|range| all.range(*range).unwrap_or_else(|| vec![*range])).collect();
            for (old, _) in declared {
                let IpNet::V4(four) = net(old) else { unreachable!("version 4") };
                for host in hosts.iter().chain(&fixed) {
                    let address = IpAddr::from(Ipv4Addr::from(u32::from(four.addr()) | (host & u32::from(four.hostmask()))));
                    let Some(moved) = all.address(address) else { continue };
                    let before = list.iter().any(|range| range.contains(&address));
                    let now = after.iter().any(|range| range.contains(&moved));
                    prop_assert_eq!(before, now, "{} -> {} in {:?} -> {:?}", address, moved, list, after);
                }
            }
        }
    }
}
