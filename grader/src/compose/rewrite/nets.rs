//! Networks: other names, other subnets, same host parts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Plan, SandboxedNetwork, Work, labels, new_names, replicas, text};
use crate::compose::model::{entries, pools, scalar};

/// Room left for the gateway and the probes of the grader.
const SPARE: usize = 6;

/// Rewrites every network and remembers how addresses move.
pub(super) fn rewrite(work: &mut Work<'_>, source: &Value) -> Map<String, Value> {
    let names = in_order(work.plan, source);
    let mut out = Map::new();
    for (index, (key, value)) in entries(source, "networks").enumerate() {
        let name = names[key].clone();
        out.insert(key.clone(), network(work, source, index, key, &name, value));
        if let Some(real) = text(value, "name")
            && real != format!("{}_{key}", work.approved.model().project())
        {
            work.change(&["networks", key], format!("« {real} » prend un nom propre à cette correction"));
        }
    }
    out
}

/// Gives the networks keys that Compose's schema takes in both forms: a service that lists its networks may name one
/// with any letter, but the longer form, which is the one written here, takes ASCII only. The order is kept.
pub(super) fn plain_keys(file: &mut Value) {
    let is_plain =
        |key: &str| key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    let odd: BTreeMap<String, String> = entries(file, "networks")
        .map(|(key, _)| key)
        .enumerate()
        .filter(|(_, key)| !is_plain(key))
        .map(|(index, key)| {
            let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
            (key.clone(), format!("{plain}-tp-{index}"))
        })
        .collect();
    if odd.is_empty() {
        return;
    }
    let rename = |holder: Option<&mut Value>| {
        let Some(Value::Object(members)) = holder else { return };
        let renamed = std::mem::take(members)
            .into_iter()
            .map(|(key, value)| (odd.get(&key).cloned().unwrap_or(key), value));
        *members = renamed.collect();
    };
    rename(file.get_mut("networks"));
    let services = file.get_mut("services").and_then(Value::as_object_mut);
    for (_, service) in services.into_iter().flatten() {
        rename(service.get_mut("networks"));
        rename(service.get_mut("build").and_then(|build| build.get_mut("networks")));
    }
}

/// The new names, in the order of the real ones: among the networks of a container, Docker takes
/// the first by name for its default route, and so for what enters by a published port
/// (libnetwork, `Endpoint.Less`, before priorities of gateways in version 28).
fn in_order(plan: &Plan, source: &Value) -> BTreeMap<String, String> {
    let names = new_names(plan, entries(source, "networks"));
    let mut both: Vec<(String, &String)> = entries(source, "networks")
        .map(|(key, value)| (text(value, "name").unwrap_or_else(|| key.clone()), &names[key]))
        .collect();
    both.sort();
    both.dedup();
    if both.is_sorted_by_key(|(_, new)| *new) {
        return names;
    }
    let rank = |new: &String| both.iter().position(|(_, n)| *n == new).unwrap_or_default();
    let ranked = |new: &String| match new.strip_prefix(&format!("{}_", plan.project)) {
        Some(key) => format!("{}_{:03}_{key}", plan.project, rank(new)),
        None => new.clone(),
    };
    names.iter().map(|(key, new)| (key.clone(), ranked(new))).collect()
}

fn network(work: &mut Work<'_>, source: &Value, index: usize, key: &str, name: &str, value: &Value) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), name.into());
    for field in ["driver", "driver_opts", "internal", "enable_ipv6", "enable_ipv4"] {
        if let Some(kept) = value.get(field).filter(|v| !v.is_null()) {
            out.insert(field.into(), kept.clone());
        }
    }
    if value.get("internal").and_then(Value::as_bool) == Some(true) {
        // Without it the machine itself stays reachable through the gateway's address.
        let options = out.entry("driver_opts").or_insert_with(|| json!({}));
        if !options.is_object() {
            *options = json!({});
        }
        options["com.docker.network.bridge.inhibit_ipv4"] = "true".into();
    }
    out.insert("labels".into(), labels(work.plan, value.get("labels")));
    let declared: Vec<IpNet> = pools(value).into_iter().map(|(subnet, _)| subnet).collect();
    let fixed = fixed(source, key);
    let wanted: usize = members(source, key);
    let mut config = Vec::new();
    let mut in_force = None;
    let written = value.get("ipam").and_then(|i| i.get("config")).and_then(Value::as_array);
    for pool in written.into_iter().flatten() {
        let moved = match pool.get("subnet").and_then(scalar).and_then(|s| s.parse().ok()) {
            Some(IpNet::V4(old)) => take(work, wanted, Some(old)).map(|new| {
                in_force.get_or_insert(new);
                work.change(
                    &["networks", key, "ipam"],
                    format!("sous-réseau {old} déplacé vers {new}, libre sur cette machine"),
                );
                move_pool(work, pool, &fixed, IpNet::V4(old), IpNet::V4(new))
            }),
            Some(IpNet::V6(old)) => {
                let new = unique_local(&work.plan.project, index, old);
                work.change(&["networks", key, "ipam"], format!("sous-réseau {old} déplacé vers {new}"));
                Some(move_pool(work, pool, &fixed, IpNet::V6(old), IpNet::V6(new)))
            }
            None => None,
        };
        config.extend(moved);
    }
    if in_force.is_none()
        && !declared.iter().any(|n| matches!(n, IpNet::V4(_)))
        && let Some(new) = take(work, wanted, None)
    {
        in_force = Some(new);
        work.moves.add_loose(IpNet::V4(new));
        config.insert(0, json!({ "subnet": new.to_string() }));
    }
    if value.get("enable_ipv6").and_then(Value::as_bool) == Some(true)
        && !declared.iter().any(|n| matches!(n, IpNet::V6(_)))
    {
        let any = Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 64);
        config.push(json!({ "subnet": unique_local(&work.plan.project, index, any).to_string() }));
    }
    if !config.is_empty() {
        out.insert("ipam".into(), json!({ "config": config }));
    }
    work.networks.insert(
        key.to_owned(),
        SandboxedNetwork { name: name.to_owned(), declared_subnets: declared, subnet: in_force },
    );
    Value::Object(out)
}

/// Addresses asked for on a network by all services.
fn fixed(source: &Value, key: &str) -> BTreeSet<IpAddr> {
    entries(source, "services")
        .filter_map(|(_, service)| service.get("networks")?.get(key))
        .flat_map(|link| ["ipv4_address", "ipv6_address"].map(|field| link.get(field).and_then(scalar)))
        .flatten()
        .filter_map(|text| text.parse().ok())
        .collect()
}

/// Containers that a network must hold.
fn members(source: &Value, key: &str) -> usize {
    let on =
        entries(source, "services").filter(|(_, s)| s.get("networks").is_some_and(|n| n.get(key).is_some()));
    on.map(|(_, s)| usize::try_from(replicas(s).min(super::REPLICAS)).unwrap_or(1)).sum()
}

/// The first free subnet that is large enough, cut to the size of the declared one when that
/// is smaller: too small a subnet must stay too small.
pub(super) fn take(work: &mut Work<'_>, members: usize, declared: Option<Ipv4Net>) -> Option<Ipv4Net> {
    let room = |net: &Ipv4Net| 1usize.checked_shl(u32::from(32 - net.prefix_len())).unwrap_or(usize::MAX);
    let needed = (members + SPARE + 2).min(declared.as_ref().map_or(usize::MAX, room));
    let index = work.pool.iter().position(|net| room(net) >= needed).or(if work.pool.is_empty() {
        None
    } else {
        work.pool.iter().enumerate().max_by_key(|(_, net)| room(net)).map(|(index, _)| index)
    })?;
    let net = work.pool.remove(index)?;
    match declared {
        Some(old) if old.prefix_len() > net.prefix_len() => {
            Ipv4Net::new(net.network(), old.prefix_len()).ok()
        }
        _ => Some(net),
    }
}

/// A pool of the student moved from `old` to `new`; every address found is remembered.
fn move_pool(work: &mut Work<'_>, pool: &Value, fixed: &BTreeSet<IpAddr>, old: IpNet, new: IpNet) -> Value {
    let gateway = pool.get("gateway").and_then(scalar).and_then(|g| g.parse::<IpAddr>().ok());
    let auxiliary: BTreeMap<String, IpAddr> = entries(pool, "aux_addresses")
        .filter_map(|(k, v)| Some((k.clone(), scalar(v)?.parse().ok()?)))
        .collect();
    let mut order: Vec<IpAddr> = gateway.into_iter().collect();
    // Docker's own choice of gateway: the first address. It must not be given away.
    order.extend(gateway.is_none().then(|| old.hosts().next()).flatten());
    order.extend(fixed.iter().copied());
    order.extend(auxiliary.values().copied());
    let table = translate(&order, old, new);
    for (from, to) in &table {
        work.moved.insert(from.to_string(), to.to_string());
    }
    work.moved.insert(old.to_string(), new.to_string());
    work.moves.add(old, new, &table);
    let to = |address: &IpAddr| table.get(address).unwrap_or(address).to_string();
    let mut out = Map::new();
    out.insert("subnet".into(), new.to_string().into());
    if let Some(gateway) = gateway {
        out.insert("gateway".into(), to(&gateway).into());
    }
    if let Some(range) = pool.get("ip_range").and_then(scalar).and_then(|r| move_range(&r, old, new)) {
        out.insert("ip_range".into(), range.to_string().into());
    }
    if !auxiliary.is_empty() {
        let moved: Map<String, Value> = auxiliary.iter().map(|(k, v)| (k.clone(), to(v).into())).collect();
        out.insert("aux_addresses".into(), Value::Object(moved));
    }
    Value::Object(out)
}

/// Where each address of `old` goes in `new`: same host part when it fits and is free, else
/// the last free one, since Docker gives away the first ones. Distinct addresses stay distinct; addresses outside of `old` stay.
pub(super) fn translate(order: &[IpAddr], old: IpNet, new: IpNet) -> BTreeMap<IpAddr, IpAddr> {
    let mut table = BTreeMap::new();
    let mut used: BTreeSet<IpAddr> = BTreeSet::new();
    let mut waiting = Vec::new();
    for address in order.iter().filter(|a| old.contains(*a)) {
        if table.contains_key(address) {
            continue;
        }
        match same_host(*address, old, new).filter(|a| usable(*a, new) && !used.contains(a)) {
            Some(moved) => {
                used.insert(moved);
                table.insert(*address, moved);
            }
            None => waiting.push(*address),
        }
    }
    for address in waiting {
        if let Some(free) = new.hosts().rev().find(|a| usable(*a, new) && !used.contains(a)) {
            used.insert(free);
            table.entry(address).or_insert(free);
        }
    }
    table
}

fn usable(address: IpAddr, net: IpNet) -> bool {
    net.contains(&address) && address != net.network() && (net.addr().is_ipv6() || address != net.broadcast())
}

/// The address of `new` with the host part of `address`, when `new` holds it.
pub(super) fn same_host(address: IpAddr, old: IpNet, new: IpNet) -> Option<IpAddr> {
    match (address, old, new) {
        (IpAddr::V4(a), IpNet::V4(old), IpNet::V4(new)) => {
            let host = u32::from(a) & u32::from(old.hostmask());
            let fits = host & !u32::from(new.hostmask()) == 0;
            fits.then(|| Ipv4Addr::from(u32::from(new.network()) | host).into())
        }
        (IpAddr::V6(a), IpNet::V6(old), IpNet::V6(new)) => {
            let host = u128::from(a) & u128::from(old.hostmask());
            let fits = host & !u128::from(new.hostmask()) == 0;
            fits.then(|| Ipv6Addr::from(u128::from(new.network()) | host).into())
        }
        _ => None,
    }
}

/// A range of the same share of the subnet; `None` (no range) when it would hold too little.
fn move_range(range: &str, old: IpNet, new: IpNet) -> Option<IpNet> {
    let range: IpNet = range.parse().ok()?;
    let shift = new.prefix_len().saturating_sub(old.prefix_len());
    let prefix = range.prefix_len().checked_add(shift)?.max(new.prefix_len());
    let (IpNet::V4(range), IpNet::V4(old), IpNet::V4(new)) = (range, old, new) else { return None };
    if prefix > 29 && range.prefix_len() <= 29 {
        return None;
    }
    let share = (u32::from(range.network()) & u32::from(old.hostmask())) >> shift;
    Ipv4Net::new(Ipv4Addr::from(u32::from(new.network()) | (share & u32::from(new.hostmask()))), prefix)
        .ok()
        .map(|net| IpNet::V4(net.trunc()))
}

/// A unique-local /64 (or smaller, as declared) of this run and network.
fn unique_local(project: &str, index: usize, old: Ipv6Net) -> Ipv6Net {
    let digest = Sha256::digest(project.as_bytes());
    let mut octets = [0u8; 16];
    octets[0] = 0xfd;
    octets[1..6].copy_from_slice(&digest[..5]);
    octets[6..8].copy_from_slice(&u16::try_from(index).unwrap_or(u16::MAX).to_be_bytes());
    let prefix = old.prefix_len().clamp(64, 120);
    Ipv6Net::new(Ipv6Addr::from(octets), prefix).unwrap_or(old)
}
