//! `network`: services share a declared network.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::world::{Declared, DeclaredNetwork};
use super::{Check, Cx, Experiments, Stage, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Services share at least one declared network.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Network {
    /// Services that must share it.
    pub services: Vec<String>,
    /// Driver that it must have (no driver in the file means `bridge`).
    #[serde(default)]
    pub driver: Option<String>,
    /// It must have an explicit IPv4 subnet.
    #[serde(default)]
    pub subnet: bool,
    /// The key that it must have in the file.
    #[serde(default)]
    pub name: Option<String>,
    /// That subnet must be a private one (RFC 1918).
    #[serde(default)]
    pub private: bool,
    /// The subnet that it must have.
    #[serde(default)]
    pub range: Option<String>,
}

/// The networks that all these services are on.
pub fn shared<'a>(declared: &'a Declared, services: &[String]) -> Vec<(&'a str, &'a DeclaredNetwork)> {
    declared
        .networks
        .iter()
        .filter(|(key, _)| {
            services.iter().all(|s| {
                declared.services.get(s).is_some_and(|d| d.network_mode.is_none() && d.networks.contains(key))
            })
        })
        .map(|(key, network)| (key.as_str(), network))
        .collect()
}

/// Within one of the private ranges of RFC 1918.
fn is_private(subnet: ipnet::Ipv4Net) -> bool {
    subnet.network().is_private() && subnet.broadcast().is_private()
}

impl Network {
    fn right_name(&self, key: &str) -> bool {
        self.name.as_ref().is_none_or(|name| name == key)
    }

    fn right_driver(&self, network: &DeclaredNetwork) -> bool {
        self.driver.as_ref().is_none_or(|wanted| {
            network.driver.as_deref().filter(|d| !d.is_empty()).unwrap_or("bridge") == wanted
        })
    }

    fn expected(&self) -> String {
        format!(
            "{} sur un même réseau{}{}{}",
            tell::names(&self.services),
            self.name.as_ref().map(|name| format!(" « {name} »")).unwrap_or_default(),
            self.driver.as_ref().map(|d| format!(" de pilote {d}")).unwrap_or_default(),
            match &self.range {
                Some(range) => format!(", de plage {range}"),
                None if self.private => ", avec un sous-réseau IPv4 privé écrit dans le fichier".to_owned(),
                None if self.subnet => ", avec un sous-réseau IPv4 écrit dans le fichier".to_owned(),
                None => String::new(),
            }
        )
    }

    fn right_range(&self, network: &DeclaredNetwork) -> bool {
        let v4 = |s: &ipnet::IpNet| match s {
            ipnet::IpNet::V4(seen) => {
                self.range.as_ref().is_none_or(|range| range.parse() == Ok(*seen))
                    && (!self.private || is_private(*seen))
            }
            ipnet::IpNet::V6(_) => false,
        };
        (!self.subnet && !self.private && self.range.is_none()) || network.subnets.iter().any(v4)
    }

    fn nothing_shared(&self, cx: &Cx<'_>) -> Miss {
        let declared = cx.world.declared();
        let mut noted = Vec::new();
        let mut culprit = None;
        for service in &self.services {
            let Some(found) = declared.services.get(service) else { continue };
            let text = match &found.network_mode {
                Some(mode) => format!("« {service} » : network_mode: {mode}"),
                None => format!("« {service} » : {}", tell::names(&found.networks)),
            };
            noted.push(text);
            if culprit.is_none() && (found.network_mode.is_some() || found.networks == ["default"]) {
                culprit = Some(service);
            }
        }
        let place = culprit.or(self.services.last()).and_then(|service| {
            let on = declared.services.get(service)?.networks.first().map_or("", String::as_str);
            tell::at_networks(cx.world, service, on)
        });
        Miss {
            headline: format!("{} n'ont aucun réseau en commun", tell::names(&self.services)),
            expected: self.expected(),
            observed: "aucun réseau commun".to_owned(),
            noted,
            place,
            hint: "un service n'est que sur les réseaux qu'il cite ; comparez les listes".to_owned(),
            try_it: "docker compose config".to_owned(),
            ..Miss::default()
        }
    }

    /// They share a network, under another name.
    fn misnamed(&self, cx: &Cx<'_>, found: &[(&str, &DeclaredNetwork)]) -> Miss {
        let (other, name) = (found[0].0, self.name.clone().unwrap_or_default());
        Miss {
            headline: format!("le réseau commun ne s'appelle pas « {name} »"),
            expected: self.expected(),
            observed: format!("réseau commun : « {other} »"),
            place: cx.world.place(&["networks", other], "nom de ce réseau dans le fichier"),
            hint: "l'énoncé fixe le nom de ce réseau".to_owned(),
            try_it: "docker compose config".to_owned(),
            ..Miss::default()
        }
    }

    fn unfit(&self, cx: &Cx<'_>, found: &[(&str, &DeclaredNetwork)]) -> Miss {
        let Some((name, network)) = found.iter().find(|(name, _)| self.right_name(name)) else {
            return self.misnamed(cx, found);
        };
        let name = *name;
        let wrong_driver = !self.right_driver(network);
        let driver = network.driver.as_deref().unwrap_or("bridge");
        let written = cx.world.place(&["networks", name], "");
        let is_written = written.as_ref().is_some_and(|p| p.mark.text.contains(name));
        let other = network.subnets.iter().find(|s| matches!(s, ipnet::IpNet::V4(_)));
        let (headline, observed, place) = if let (false, Some(other), Some(_)) =
            (wrong_driver, other, &self.range)
        {
            (
                format!("le réseau « {name} » n'a pas la plage demandée"),
                format!("plage écrite : {other}"),
                cx.world.place(&["networks", name, "ipam"], "plage du réseau commun"),
            )
        } else if let (false, Some(other), true) = (wrong_driver, other, self.private) {
            (
                format!("la plage du réseau « {name} » n'est pas privée"),
                format!("plage écrite : {other}"),
                cx.world.place(&["networks", name, "ipam"], "plage du réseau commun"),
            )
        } else if wrong_driver {
            (
                format!("le réseau « {name} » n'a pas le pilote demandé"),
                format!("pilote {driver}"),
                cx.world.place(&["networks", name, "driver"], "pilote du réseau commun"),
            )
        } else {
            let v6 = !network.subnets.is_empty();
            (
                format!("le sous-réseau de « {name} » n'est pas écrit dans le fichier"),
                if v6 {
                    "seulement une plage IPv6".to_owned()
                } else if is_written {
                    format!("« {name} » est déclaré sans plage d'adresses : Docker en choisit une")
                } else {
                    format!("« {name} » n'est pas déclaré sous networks: ; Docker choisit sa plage")
                },
                cx.world.place(
                    &["networks", name, "ipam"],
                    if is_written { "pas de plage IPv4 ici" } else { "aucune déclaration de ce réseau" },
                ),
            )
        };
        Miss {
            headline,
            expected: self.expected(),
            observed,
            place,
            hint: if wrong_driver {
                "sur une seule machine, un pilote suffit à relier des conteneurs".to_owned()
            } else {
                "la section ipam d'un réseau décrit sa plage d'adresses".to_owned()
            },
            try_it: "docker compose config".to_owned(),
            ..Miss::default()
        }
    }
}

#[async_trait]
impl Check for Network {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Static
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn is_static(&self) -> bool {
        true
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if let Some(range) = self.range.as_ref().filter(|range| range.parse::<ipnet::Ipv4Net>().is_err()) {
            return Err(format!("network.range : « {range} » n'est pas un réseau IPv4"));
        }
        if self.services.is_empty() { Err("network.services est vide".into()) } else { Ok(()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let declared = cx.world.declared();
        for service in &self.services {
            if let Some(miss) = tell::absent(declared, service) {
                return tell::fail(miss);
            }
        }
        let found = shared(declared, &self.services);
        if found.is_empty() {
            return tell::fail(self.nothing_shared(cx));
        }
        let fit = found.iter().find(|(name, network)| {
            self.right_name(name) && self.right_driver(network) && self.right_range(network)
        });
        let Some((name, network)) = fit else { return tell::fail(self.unfit(cx, &found)) };
        let subnets: Vec<String> = network.subnets.iter().map(ToString::to_string).collect();
        tell::pass(vec![
            Fact::new("network", *name, format!("réseau commun : « {name} »")),
            Fact::new(
                "subnets",
                json!(subnets),
                if subnets.is_empty() {
                    "sans plage écrite".to_owned()
                } else {
                    format!("plage écrite : {}", subnets.join(", "))
                },
            ),
        ])
    }
}
