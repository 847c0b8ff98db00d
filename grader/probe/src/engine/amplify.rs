//! Containers shown more than once: a program that chooses an address at random among a container's networks then
//! shows, at one look, every address that it may choose.

use super::names::Who;
use serde_json::Value;
use std::collections::BTreeMap;

/// The id under which a container is shown for the `rank`-th time more. Its own is of rank 0.
#[must_use]
pub fn id(real: &str, rank: u32) -> String {
    let (Some(Ok(first)), Some(rest)) = (real.get(..8).map(|head| u32::from_str_radix(head, 16)), real.get(8..)) else {
        return format!("{real}{rank}");
    };
    // Odd, so that ranks never meet.
    format!("{:08x}{rest}", first.wrapping_add(rank.wrapping_mul(0x9e37_79b1)))
}

/// The name that goes with [`id`].
#[must_use]
pub fn name(real: &str, rank: u32) -> String {
    if rank == 0 { real.to_owned() } else { format!("{real}-x{rank}") }
}

/// A container of a list, shown again.
#[must_use]
pub fn summary(shown: &Value, own: &str, rank: u32) -> Value {
    let mut out = shown.clone();
    out["Id"] = id(shown["Id"].as_str().unwrap_or_default(), rank).into();
    out["Names"] = vec![format!("/{}", name(own, rank))].into();
    out
}

/// A container looked at alone, shown again.
#[must_use]
pub fn container(shown: &Value, own: &str, rank: u32) -> Value {
    let mut out = shown.clone();
    out["Id"] = id(shown["Id"].as_str().unwrap_or_default(), rank).into();
    out["Name"] = format!("/{}", name(own, rank)).into();
    out
}

/// The container that is shown under this name, id or beginning of an id, and its rank.
#[must_use]
pub fn find<'a>(
    members: &'a BTreeMap<String, Who>,
    more: &BTreeMap<String, u32>,
    wanted: &str,
) -> Option<(&'a str, u32)> {
    let wanted = wanted.trim_start_matches('/');
    let shown = members.iter().flat_map(|(real, who)| {
        let last = more.get(&who.service).copied().unwrap_or(0);
        (0..=last).map(move |rank| (real.as_str(), who, rank))
    });
    let found: Vec<_> = shown
        .filter(|(real, who, rank)| {
            let beginning = wanted.len() >= 4 && id(real, *rank).starts_with(wanted);
            beginning || name(&who.name, *rank) == wanted
        })
        .collect();
    let exact = found.iter().find(|(_, who, rank)| name(&who.name, *rank) == wanted);
    match (exact, found.as_slice()) {
        (Some((real, _, rank)), _) | (None, [(real, _, rank)]) => Some((real, *rank)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_showing_has_its_own_id_and_is_found_again() {
        let who = |service: &str, name: &str| Who { service: service.into(), name: name.into() };
        let real = ["ab".repeat(32), "cd".repeat(32)];
        let members =
            BTreeMap::from([(real[0].clone(), who("api", "lab-api-1")), (real[1].clone(), who("web", "www"))]);
        let more = BTreeMap::from([("api".to_owned(), 20)]);
        let mut seen = std::collections::BTreeSet::new();
        for rank in 0..=20 {
            let fake = id(&real[0], rank);
            assert!(fake.len() == 64 && seen.insert(fake.clone()));
            assert_eq!(find(&members, &more, &fake), Some((real[0].as_str(), rank)));
            assert_eq!(find(&members, &more, &fake[..12]), Some((real[0].as_str(), rank)));
            assert_eq!(find(&members, &more, &name("lab-api-1", rank)), Some((real[0].as_str(), rank)));
        }
        assert_eq!(find(&members, &more, "/www"), Some((real[1].as_str(), 0)));
        assert_eq!(find(&members, &more, &id(&real[1], 1)), None);
        assert_eq!(find(&members, &more, &id(&real[0], 21)), None);
        assert_eq!(find(&members, &more, "nobody"), None);
        assert_eq!(find(&members, &BTreeMap::new(), &id(&real[0], 1)), None);
    }
}
