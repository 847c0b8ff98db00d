//! `dns`: a name resolves to a service, or does not exist.

mod decide;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

pub use decide::{Absent, Look, Present, absent, present};

use super::inside::inside;
use super::world::{Instance, World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A name resolves to a service, or does not exist.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dns {
    /// Service from which the name is asked.
    pub from: String,
    /// Name.
    pub name: String,
    /// Service that must answer to it.
    #[serde(default)]
    pub resolves_to: Option<String>,
    /// Resolver that must answer.
    #[serde(default)]
    pub resolver: Option<IpAddr>,
    /// The name must not exist.
    #[serde(default)]
    pub absent: bool,
    /// Service from which the name does resolve: the positive control of `absent`.
    #[serde(default)]
    pub control: Option<String>,
}

/// Docker gives its records in a random order: the question is put several times.
const ASKED: usize = 4;

/// What several questions about one name gave.
struct Looks {
    seen: Vec<Look>,
    server: Option<IpAddr>,
    words: Vec<String>,
}

impl Looks {
    fn fact(&self, key: &str, name: &str) -> Fact {
        Fact::new(key, json!(self.words), format!("« {name} » : {}", self.told()))
    }

    /// The answers, the same ones in a row told once.
    fn told(&self) -> String {
        let mut words = self.words.clone();
        words.dedup();
        words.join(" ; ")
    }
}

async fn look(world: &dyn World, from: &str, name: &str, times: usize) -> Result<Looks, Fault> {
    let mut all = Looks { seen: vec![], server: None, words: vec![] };
    for _ in 0..times {
        let mut ask = wire::Dns::a(name);
        ask.timeout_ms = 3_000;
        let (look, words) = match kit::dns(world, &kit::inside(from), ask).await? {
            Ok(answer) => {
                all.server = Some(answer.server.ip());
                match answer.status {
                    wire::DnsStatus::Records if !answer.records.is_empty() => {
                        let words = tell::ips(&answer.records);
                        (Look::Records(answer.records), words)
                    }
                    wire::DnsStatus::Records | wire::DnsStatus::Empty => {
                        (Look::Nothing, "aucune adresse".into())
                    }
                    wire::DnsStatus::Nxdomain => (Look::Nothing, "NXDOMAIN".into()),
                    wire::DnsStatus::Servfail => (Look::Nothing, "SERVFAIL".into()),
                    wire::DnsStatus::Refused => (Look::Nothing, "REFUSED".into()),
                    wire::DnsStatus::Other(code) => (Look::Nothing, format!("code {code}")),
                }
            }
            Err(failure) => {
                use wire::FailureKind as K;
                let look = match failure.kind {
                    K::Timeout | K::DnsTimeout => Look::Silence,
                    K::DnsNxdomain | K::DnsServfail | K::DnsRefused | K::NoAddress => Look::Nothing,
                    _ => Look::Unreachable,
                };
                (look, tell::why(&failure))
            }
        };
        all.seen.push(look);
        all.words.push(words);
    }
    Ok(all)
}

/// The service of the stack that has this address now.
async fn owner(world: &dyn World, ip: IpAddr) -> Result<Option<String>, Fault> {
    for service in world.declared().services.keys() {
        if kit::addresses(&world.instances(service).await?).contains(&ip) {
            return Ok(Some(service.clone()));
        }
    }
    Ok(None)
}

/// Addresses of `to` on the networks that `from` is on too.
pub fn common(from: &[Instance], to: &[Instance]) -> Vec<IpAddr> {
    let networks: Vec<&str> =
        from.iter().flat_map(|i| i.attachments.iter().map(|a| a.network.as_str())).collect();
    to.iter()
        .flat_map(|i| &i.attachments)
        .filter(|a| networks.contains(&a.network.as_str()))
        .filter_map(|a| a.ip)
        .collect()
}

impl Dns {
    async fn judge_present(&self, cx: &Cx<'_>, to: &str) -> Result<Verdict, Fault> {
        let world = cx.world;
        if let Some(miss) = tell::absent(world.declared(), to) {
            return tell::fail(miss);
        }
        let from = kit::settled(world, &self.from, Duration::from_secs(2)).await?;
        let target = kit::settled(world, to, Duration::from_secs(2)).await?;
        for (service, found) in [(self.from.as_str(), &from), (to, &target)] {
            if found.is_empty() {
                return tell::fail(tell::stopped(world, service).await?);
            }
        }
        let expected = common(&from, &target);
        let seen = look(world, &self.from, &self.name, ASKED).await?;
        let name = &self.name;
        let facts = vec![
            seen.fact("answers", name),
            Fact::new(
                "expected",
                json!(expected),
                format!("adresses de « {to} » vues de « {} » : {}", self.from, tell::ips(&expected)),
            ),
            Fact::new(
                "server",
                json!(seen.server),
                seen.server.map_or("aucun résolveur".to_owned(), |s| format!("résolveur {s}")),
            ),
        ];
        let base = Miss {
            expected: format!("depuis « {} », le nom « {name} » donne l'adresse de « {to} »", self.from),
            try_it: inside(world, &self.from, &format!("nslookup {name}")),
            facts: facts.clone(),
            ..Miss::default()
        };
        let silent = world.place(&["services", &self.from], "");
        match present(&seen.seen, &expected) {
            Present::Right => {}
            Present::Foreign(strangers) => {
                return tell::fail(self.foreign(world, base, to, &strangers).await?);
            }
            Present::Missing => {
                let on = from[0].attachments.first().map_or("", |a| a.network.as_str());
                return tell::fail(Miss {
                    headline: format!("« {} » ne trouve pas « {name} » par son nom", self.from),
                    observed: format!(
                        "{}, {} essais{}",
                        seen.words.last().map_or("rien", String::as_str),
                        seen.seen.len(),
                        seen.server.map(|s| format!(" (résolveur {s})")).unwrap_or_default()
                    ),
                    noted: attachments_told(&[(&self.from, &from), (to, &target)]),
                    place: tell::at_networks(world, &self.from, on).or(silent),
                    hint: if expected.is_empty() {
                        "deux services ne se voient que s'ils partagent un réseau".to_owned()
                    } else {
                        "le réseau est commun ; qu'est-ce qui change le résolveur ou les noms de ce service ?"
                            .to_owned()
                    },
                    ..base
                });
            }
            Present::Unsure => {
                return Ok(Verdict::Inconclusive {
                    fault: kit::noise(format!(
                        "le résolveur de « {} » répond tantôt oui, tantôt rien",
                        self.from
                    )),
                    facts,
                });
            }
        }
        match (self.resolver, seen.server) {
            (Some(wanted), Some(server)) if wanted != server => tell::fail(Miss {
                headline: format!("« {} » n'interroge pas le résolveur de Docker", self.from),
                expected: format!("la réponse vient du résolveur {wanted}"),
                observed: format!("elle vient de {server}"),
                place: tell::at(world, &self.from, "dns", "autre résolveur demandé ici"),
                hint: "sur un réseau créé par vous, Docker fournit son propre résolveur".to_owned(),
                ..base
            }),
            _ => tell::pass(facts),
        }
    }

    async fn foreign(
        &self,
        world: &dyn World,
        base: Miss,
        to: &str,
        strangers: &[IpAddr],
    ) -> Result<Miss, Fault> {
        let mut who = Vec::new();
        for ip in strangers {
            if let Some(service) = owner(world, *ip).await?
                && !who.contains(&service)
            {
                who.push(service);
            }
        }
        let name = &self.name;
        let others: Vec<&String> = who.iter().filter(|w| *w != to).collect();
        let culprit = others.first().map(|s| s.as_str());
        Ok(Miss {
            headline: match culprit {
                Some(other) => format!("le nom « {name} » désigne « {other} », pas seulement « {to} »"),
                None => format!("le nom « {name} » ne donne pas l'adresse de « {to} »"),
            },
            observed: match culprit {
                Some(other) => format!("{} : adresse de « {other} »", tell::ips(strangers)),
                None => format!("{} : adresse qui n'est pas celle de « {to} »", tell::ips(strangers)),
            },
            place: culprit.and_then(|other| {
                tell::at(world, other, "networks", &format!("« {other} » répond aussi au nom « {name} »"))
            }),
            hint:
                "plusieurs conteneurs peuvent répondre au même nom : alias, container_name, hostname, links"
                    .to_owned(),
            ..base
        })
    }

    async fn judge_absent(&self, cx: &Cx<'_>, control: &str) -> Result<Verdict, Fault> {
        let world = cx.world;
        let from = kit::settled(world, &self.from, Duration::from_secs(2)).await?;
        if from.is_empty() {
            return tell::fail(tell::stopped(world, &self.from).await?);
        }
        let declared = world.declared().services.get(&self.from);
        if declared.and_then(|d| d.network_mode.as_deref()) == Some("bridge") {
            // The sandbox gives it a network of its own in the place of the engine's, which would answer.
            return tell::fail(Miss {
                headline: format!("« {} » n'a pas de résolveur : rien ne peut y être prouvé", self.from),
                expected: format!("depuis « {} », 127.0.0.11 répond que « {} » n'existe pas", self.from, self.name),
                observed: "network_mode: bridge : sur le réseau par défaut du moteur, personne ne répond à 127.0.0.11".to_owned(),
                place: tell::at(world, &self.from, "network_mode", "le réseau par défaut du moteur"),
                hint: "le DNS de Docker n'est servi que sur les réseaux que l'on crée".to_owned(),
                try_it: inside(world, &self.from, &format!("nslookup {} 127.0.0.11", self.name)),
                ..Miss::default()
            });
        }
        let mut stack = Vec::new();
        let mut subnets = Vec::new();
        for service in world.declared().services.keys() {
            let found = world.instances(service).await?;
            stack.extend(kit::addresses(&found));
            subnets.extend(found.iter().flat_map(|i| i.attachments.iter().filter_map(|a| a.subnet)));
        }
        let there = look(world, control, &self.name, 2).await?;
        let own = look(world, &self.from, &self.from, 2).await?;
        let seen = look(world, &self.from, &self.name, ASKED).await?;
        let name = &self.name;
        let facts =
            vec![seen.fact("answers", name), there.fact("control", name), own.fact("own-name", &self.from)];
        let ours = |ip: &IpAddr| stack.contains(ip) || subnets.iter().any(|s| s.contains(ip));
        let base = Miss {
            expected: format!("depuis « {} », le nom « {name} » n'existe pas", self.from),
            control: format!("depuis « {control} », « {name} » répond : {}", there.told()),
            try_it: inside(world, &self.from, &format!("nslookup {name}")),
            facts: facts.clone(),
            ..Miss::default()
        };
        match absent(&seen.seen, &own.seen, &there.seen, &ours) {
            Absent::Gone => tell::pass(facts),
            Absent::Resolves(found) => {
                let who = owner(world, found[0]).await?;
                let on = on_network(&from, who.as_deref(), world).await?;
                tell::fail(Miss {
                    headline: format!(
                        "« {} » trouve le nom « {name} », alors qu'il ne doit pas exister là",
                        self.from
                    ),
                    observed: match &who {
                        Some(who) => {
                            format!("{} (adresse de « {who} ») par le réseau « {on} »", tell::ips(&found))
                        }
                        None => tell::ips(&found),
                    },
                    place: tell::at_networks(world, &self.from, &on),
                    hint: "deux services se connaissent dès qu'ils partagent un réseau".to_owned(),
                    ..base
                })
            }
            Absent::NoResolver => tell::fail(Miss {
                headline: format!("« {} » n'a pas de résolveur : rien ne peut y être prouvé", self.from),
                observed: format!("même son propre nom ne répond pas : {}", own.told()),
                place: tell::at(
                    world,
                    &self.from,
                    "network_mode",
                    "ce service n'est sur aucun réseau à vous",
                )
                .filter(|p| p.mark.text.contains("network_mode"))
                .or_else(|| tell::at_networks(world, &self.from, "")),
                hint: "l'isolement demandé est celui de deux réseaux distincts, pas l'absence de réseau"
                    .to_owned(),
                ..base
            }),
            Absent::ControlDead => Ok(Verdict::Inconclusive {
                fault: kit::noise(format!(
                    "le témoin ne répond pas : « {control} » ne trouve pas « {name} » non plus"
                )),
                facts,
            }),
            Absent::Unsure => Ok(Verdict::Inconclusive {
                fault: kit::noise(format!("le résolveur de « {} » ne répond pas toujours", self.from)),
                facts,
            }),
        }
    }
}

fn attachments_told(of: &[(&str, &Vec<Instance>)]) -> Vec<String> {
    of.iter()
        .map(|(service, found)| {
            let on: Vec<&str> =
                found.iter().flat_map(|i| i.attachments.iter().map(|a| a.network.as_str())).collect();
            format!("« {service} » est sur {}", tell::names(&on))
        })
        .collect()
}

async fn on_network(from: &[Instance], who: Option<&str>, world: &dyn World) -> Result<String, Fault> {
    let mine: Vec<&str> =
        from.iter().flat_map(|i| i.attachments.iter().map(|a| a.network.as_str())).collect();
    if let Some(who) = who {
        let found = world.instances(who).await?;
        let both = found.iter().flat_map(|i| &i.attachments).find(|a| mine.contains(&a.network.as_str()));
        if let Some(both) = both {
            return Ok(both.network.clone());
        }
    }
    Ok(mine.first().copied().unwrap_or("default").to_owned())
}

#[async_trait]
impl Check for Dns {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        match (&self.resolves_to, self.absent, &self.control) {
            (Some(_), false, None) | (None, true, Some(_)) => Ok(()),
            (Some(_), true, _) | (None, false, _) => {
                Err("dns veut soit resolves-to, soit absent = true".into())
            }
            (None, true, None) => Err("dns avec absent = true veut un témoin : control".into()),
            (Some(_), false, Some(_)) => Err("dns : control ne va qu'avec absent = true".into()),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = tell::absent(cx.world.declared(), &self.from) {
            return tell::fail(miss);
        }
        match (&self.resolves_to, &self.control) {
            (Some(to), _) => self.judge_present(cx, to).await,
            (None, Some(control)) => self.judge_absent(cx, control).await,
            (None, None) => Err(kit::lab_fault("dns : il manque resolves-to ou control")),
        }
    }
}
