//! What Compose accepts and Docker refuses at start-up. The sandbox moves addresses and ports,
//! which would hide these mistakes: they are said beforehand.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::model::{ComposeModel, entries, port, scalar};
use crate::event::{Place, Problem};

/// Mistakes of the active profiles that only the engine would report.
pub(super) fn problems(model: &ComposeModel) -> Vec<Problem> {
    let mut found = Vec::new();
    if entries(&model.active, "services").next().is_none() {
        found.push(Problem {
            code: "no-service".into(),
            what: "aucun service n'est déclaré".into(),
            place: model.source.place(&["services"], ""),
            todo: "ajoutez la clé services: et décrivez-y chaque conteneur".into(),
            detail: String::new(),
        });
    }
    subnets(model, &mut found);
    addresses(model, &mut found);
    published(model, &mut found);
    found
}

fn subnets(model: &ComposeModel, found: &mut Vec<Problem>) {
    let mut known: Vec<(IpNet, String)> = Vec::new();
    for (name, network) in entries(&model.active, "networks") {
        let config = network.get("ipam").and_then(|i| i.get("config")).and_then(Value::as_array);
        for (index, pool) in config.into_iter().flatten().enumerate() {
            let at = |key: &str| {
                model.source.place(&["networks", name, "ipam", "config", &index.to_string(), key], "")
            };
            let Some(text) = pool.get("subnet").and_then(scalar) else { continue };
            let Ok(subnet) = text.parse::<IpNet>() else {
                found.push(problem(
                    "subnet-invalid",
                    format!("« {text} » n'est pas un sous-réseau"),
                    at("subnet"),
                    "écrivez adresse/préfixe, par exemple 172.28.0.0/16",
                ));
                continue;
            };
            if subnet.trunc() != subnet {
                found.push(problem(
                    "subnet-host-bits",
                    format!("« {text} » est l'adresse d'une machine, pas celle d'un sous-réseau"),
                    at("subnet"),
                    &format!("le sous-réseau qui la contient s'écrit {}", subnet.trunc()),
                ));
            }
            let gateway = pool.get("gateway").and_then(scalar);
            if let Some(text) = &gateway {
                found.extend(one_address("gateway", text, &subnet, at("gateway")));
            }
            if let Some(text) = pool.get("ip_range").and_then(scalar) {
                found.extend(range(&text, &subnet, at("ip_range").as_ref()));
            }
            for (host, address) in entries(pool, "aux_addresses") {
                let Some(text) = scalar(address) else { continue };
                found.extend(one_address(host, &text, &subnet, at("aux_addresses")));
                if gateway.as_ref() == Some(&text) {
                    found.push(problem(
                        "address-taken",
                        format!("« {host}: {text} » est déjà l'adresse de la passerelle"),
                        at("aux_addresses"),
                        "une adresse réservée ne peut pas servir deux fois",
                    ));
                }
            }
            let external = network.get("external").and_then(Value::as_bool) == Some(true);
            let clash = known
                .iter()
                .find(|(other, _)| other.contains(&subnet.network()) || subnet.contains(&other.network()));
            if let (Some((other, neighbour)), false) = (clash, external) {
                found.push(problem(
                    "subnets-overlap",
                    format!("les réseaux « {neighbour} » ({other}) et « {name} » ({subnet}) se recouvrent"),
                    at("subnet"),
                    "donnez à chaque réseau un sous-réseau qui n'appartient qu'à lui",
                ));
            }
            known.push((subnet, name.clone()));
        }
    }
}

/// An address that the engine must be able to take in a subnet.
fn one_address(key: &str, text: &str, subnet: &IpNet, place: Option<Place>) -> Option<Problem> {
    let address = text.parse::<IpAddr>().ok().filter(|address| subnet.contains(address));
    let Some(address) = address else {
        return Some(problem(
            "address-outside",
            format!("« {key}: {text} » n'est pas dans le sous-réseau {subnet}"),
            place,
            "choisissez une adresse du sous-réseau déclaré",
        ));
    };
    let ends = [subnet.network(), subnet.broadcast()];
    let reserved = address.is_ipv4() && subnet.prefix_len() < 31 && ends.contains(&address);
    reserved.then(|| {
        problem(
            "address-reserved",
            format!("« {key}: {text} » est l'adresse du réseau {subnet} lui-même, ou celle de sa diffusion"),
            place,
            "choisissez une adresse entre la première et la dernière du sous-réseau",
        )
    })
}

/// The part of a subnet from which addresses are given.
fn range(text: &str, subnet: &IpNet, place: Option<&Place>) -> Option<Problem> {
    let said = |code: &str, what: String, todo: &str| Some(problem(code, what, place.cloned(), todo));
    let Ok(range) = text.parse::<IpNet>() else {
        let what = format!("« ip_range: {text} » n'est pas une plage d'adresses");
        return said("range-invalid", what, "écrivez adresse/préfixe, une partie du sous-réseau");
    };
    if !subnet.contains(&range.trunc()) {
        let what = format!("« ip_range: {text} » n'est pas dans le sous-réseau {subnet}");
        return said(
            "address-outside",
            what,
            "une plage est une partie du sous-réseau déclaré, ou lui tout entier",
        );
    }
    if range.trunc() != range {
        let what = format!("« ip_range: {text} » commence au milieu d'une plage : Docker la refuse");
        return said("range-host-bits", what, &format!("la plage qui la contient s'écrit {}", range.trunc()));
    }
    None
}

fn addresses(model: &ComposeModel, found: &mut Vec<Problem>) {
    for (service, value) in entries(&model.active, "services") {
        for (network, link) in entries(value, "networks") {
            for key in ["ipv4_address", "ipv6_address"] {
                let Some(text) = link.get(key).and_then(scalar).filter(|t| !t.is_empty()) else { continue };
                let at = || model.source.place(&["services", service, "networks", network, key], "");
                let declared = model.active.get("networks").and_then(|n| n.get(network));
                let pools = declared.map(super::model::pools).unwrap_or_default();
                match text.parse::<IpAddr>() {
                    Err(_) => found.push(problem(
                        "address-invalid",
                        format!("« {text} » n'est pas une adresse IP"),
                        at(),
                        "écrivez une adresse complète, par exemple 172.28.0.10",
                    )),
                    Ok(_) if pools.is_empty() => found.push(problem(
                        "address-without-subnet",
                        format!("« {service} » veut l'adresse {text}, mais « {network} » ne déclare aucun sous-réseau"),
                        at(),
                        "déclarez ipam.config.subnet sur ce réseau, ou laissez Docker choisir l'adresse",
                    )),
                    Ok(address) if !pools.iter().any(|(subnet, _)| subnet.contains(&address)) => found.push(problem(
                        "address-outside",
                        format!("l'adresse {text} de « {service} » n'est pas dans le sous-réseau de « {network} »"),
                        at(),
                        "choisissez une adresse du sous-réseau déclaré",
                    )),
                    Ok(_) => {}
                }
            }
        }
    }
}

/// Two services that ask for the same port of the machine: the second would not start.
fn published(model: &ComposeModel, found: &mut Vec<Problem>) {
    let mut taken: Vec<(String, String, Option<String>, String)> = Vec::new();
    for (service, value) in entries(&model.active, "services") {
        let replicas = super::rewrite::replicas(value);
        for item in value.get("ports").and_then(Value::as_array).into_iter().flatten().filter_map(port) {
            let Some(host) = item.published.filter(|p| !p.contains('-')) else { continue };
            let at = || model.source.place(&["services", service, "ports", &host], "");
            let clash = taken.iter().find(|(other, protocol, ip, _)| {
                *other == host && *protocol == item.protocol && meet(ip.as_deref(), item.host_ip.as_deref())
            });
            if let Some((_, _, _, owner)) = clash.filter(|(_, _, _, owner)| owner != service) {
                found.push(problem(
                    "ports-collide",
                    format!("« {owner} » et « {service} » publient tous deux le port {host} de la machine"),
                    at(),
                    "changez le numéro à gauche du « : » pour l'un des deux",
                ));
            } else if replicas > 1 {
                found.push(problem(
                    "ports-collide",
                    format!(
                        "« {service} » a {replicas} copies, qui ne peuvent pas toutes publier le port {host}"
                    ),
                    at(),
                    "ne publiez que le port du conteneur, ou placez un répartiteur devant les copies",
                ));
            }
            taken.push((host.clone(), item.protocol, item.host_ip, service.clone()));
        }
    }
}

fn meet(a: Option<&str>, b: Option<&str>) -> bool {
    let any = |ip: Option<&str>| matches!(ip, None | Some("0.0.0.0" | "::"));
    any(a) || any(b) || a == b
}

fn problem(code: &str, what: String, place: Option<Place>, todo: &str) -> Problem {
    Problem { code: code.to_owned(), what, place, todo: todo.to_owned(), detail: String::new() }
}
