//! The range that the list must hold: the declared subnet, and nothing more.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::{AllowList, Gate, Miss, api, tell};
use crate::check::World;
use crate::error::Fault;

/// Ranges of a list that hold other addresses than those of `allowed`. Traefik's own loopback is nobody's.
pub(super) fn excess(ranges: &[String], allowed: Ipv4Net) -> Option<&String> {
    ranges.iter().find(|range| {
        let net = range.parse::<IpNet>().ok().or_else(|| Some(range.parse::<IpAddr>().ok()?.into()));
        matches!(net, Some(IpNet::V4(net)) if !allowed.contains(&net) && !net.addr().is_loopback())
    })
}

impl AllowList {
    fn asked(&self) -> Option<Ipv4Net> {
        self.range.as_ref()?.parse().ok()
    }

    /// The network is declared with another subnet.
    pub(super) fn other_range(&self, world: &dyn World) -> Option<Miss> {
        let asked = self.asked()?;
        let declared = world.declared().networks.get(&self.inside)?;
        if declared.subnets.contains(&IpNet::V4(asked)) {
            return None;
        }
        let seen: Vec<String> = declared.subnets.iter().map(ToString::to_string).collect();
        Some(Miss {
            headline: format!("le réseau « {} » n'a pas la plage demandée", self.inside),
            expected: format!("« {} » de plage {asked}, écrite dans le fichier", self.inside),
            observed: if seen.is_empty() { "aucune plage écrite".to_owned() } else { seen.join(", ") },
            place: world.place(&["networks", &self.inside, "ipam"], "plage de ce réseau"),
            hint: "la section ipam d'un réseau décrit sa plage d'adresses".to_owned(),
            try_it: "docker compose config".to_owned(),
            ..Miss::default()
        })
    }

    /// A list of the path's own routers lets in more than the network. Its addresses are those of the run.
    pub(super) async fn too_wide(&self, gate: &Gate<'_>, inside: IpAddr) -> Result<Option<Miss>, Fault> {
        let (Some(asked), IpAddr::V4(ip)) = (self.asked(), inside) else { return Ok(None) };
        let Ok(allowed) = Ipv4Net::new(ip, asked.prefix_len()) else { return Ok(None) };
        let Ok(view) = api::view(gate, &self.dashboard).await? else { return Ok(None) };
        let word = self.path.trim_matches('/');
        let guards = |name: &String| view.routers.get(name).is_some_and(|router| router.rule.contains(word));
        let lists = view.allow_lists();
        let wide = lists
            .iter()
            .filter(|list| !list.by_header && list.used_by.iter().any(guards))
            .find_map(|list| excess(&list.ranges, allowed.trunc()).map(|range| (list, range)));
        Ok(wide.map(|(list, range)| Miss {
            headline: format!("la liste laisse entrer plus que « {} »", self.inside),
            expected: format!("{} servi aux adresses de {asked}, et à elles seules", self.path),
            observed: format!("liste « {} » en vigueur : {}", list.name, list.ranges.join(", ")),
            noted: vec![
                format!("{} déborde de ce réseau", tell::cut(range, 50)),
                "les plages des réseaux du fichier sont déplacées pendant la correction".to_owned(),
            ],
            place: self.place(gate),
            hint: "combien d'adresses cette plage contient-elle, et à qui sont-elles ?".to_owned(),
            ..self.base()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_lets_in() {
        let allowed: Ipv4Net = "198.18.96.0/24".parse().expect("a range");
        let of = |ranges: &[&str]| {
            let ranges: Vec<String> = ranges.iter().map(|r| (*r).to_owned()).collect();
            excess(&ranges, allowed).cloned()
        };
        assert_eq!(of(&["198.18.96.0/24"]), None);
        assert_eq!(of(&["198.18.96.0/25", "198.18.96.200", "127.0.0.1/32", "::1/128", "nonsense"]), None);
        assert_eq!(of(&["198.18.96.0/24", "172.29.0.0/16"]), Some("172.29.0.0/16".into()));
        assert_eq!(of(&["198.18.0.0/16"]), Some("198.18.0.0/16".into()));
        assert_eq!(of(&["10.0.0.7"]), Some("10.0.0.7".into()));
    }
}
