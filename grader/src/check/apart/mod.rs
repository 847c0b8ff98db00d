//! `apart`: TCP ports must not be reached. A negative check: it always carries positive controls,
//! and a connection that went through is seen again in a quiet moment before it costs a point.

mod decoy;
mod misses;
mod neighbours;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::world::{Instance, Vantage, World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// TCP ports must not be reached from somewhere.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Apart {
    /// Service from which they must not be reached.
    #[serde(default)]
    pub from_service: Option<String>,
    /// Network (key of the student's file) from which they must not be reached.
    #[serde(default)]
    pub from_network: Option<String>,
    /// What must not be reached.
    pub to: Vec<Port>,
    /// Nothing must listen there at all: it is not asked that the ports be open from inside, and
    /// `control` alone proves that the probe can connect.
    #[serde(default)]
    pub closed: bool,
    /// The positive control.
    pub control: Control,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Port {
    /// Service.
    pub service: String,
    /// Container port.
    pub port: u16,
}

/// What proves that the targets are alive and that the probe can connect at all.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Control {
    /// A service that does reach the targets.
    #[serde(default)]
    pub service: Option<String>,
    /// The network from which `to` is reached.
    #[serde(default)]
    pub network: Option<String>,
    /// What is reached from `network`.
    #[serde(default)]
    pub to: Option<Port>,
}

/// One way to a target that was tried.
#[derive(Clone, Debug)]
struct Way {
    service: String,
    port: u16,
    host: String,
}

/// A connection that went through although it must not.
#[derive(Clone, Debug)]
struct Leak {
    way: Way,
    peer: IpAddr,
    connect_us: u64,
}

/// Time left to a forbidden connection.
const TRY_MS: u64 = 1_000;
/// Time left to a control.
const PATIENCE: Duration = Duration::from_secs(5);
/// The engine must have been quiet for this long before a leak is looked at again.
const CALM: Duration = Duration::from_secs(1);
/// How long a quiet moment is waited for.
const CALM_PATIENCE: Duration = Duration::from_secs(10);

impl Apart {
    fn vantage(&self) -> Option<Vantage> {
        match (&self.from_service, &self.from_network) {
            (Some(service), None) => Some(Vantage::Service(service.clone())),
            (None, Some(network)) => Some(Vantage::Network(network.clone())),
            _ => None,
        }
    }

    fn vantage_told(&self) -> String {
        match (&self.from_service, &self.from_network) {
            (Some(service), _) => service.clone(),
            (_, Some(network)) => format!("le réseau {network}"),
            _ => String::new(),
        }
    }
}

/// True when `port` of a service is open, seen from inside its own namespace.
async fn alive(world: &dyn World, port: &Port, ips: &[IpAddr]) -> Result<Option<String>, Fault> {
    let inside = kit::inside(&port.service);
    let mut hosts = vec!["127.0.0.1".to_owned()];
    hosts.extend(ips.iter().map(ToString::to_string));
    kit::patiently(PATIENCE, Option::is_some, || async {
        for host in &hosts {
            if let Ok(seen) = kit::tcp(world, &inside, host, port.port, TRY_MS).await? {
                return Ok(Some(seen.peer.to_string()));
            }
        }
        Ok(None)
    })
    .await
}

/// Tries one way; `Some` when it went through to one of `ips`.
async fn attempt(
    world: &dyn World,
    from: &Vantage,
    way: &Way,
    ips: &[IpAddr],
) -> Result<Option<Leak>, Fault> {
    let seen: Result<wire::TcpAnswer, wire::Failure> =
        kit::tcp(world, from, &way.host, way.port, TRY_MS).await?;
    Ok(seen.ok().filter(|s| ips.contains(&s.peer.ip())).map(|s| Leak {
        way: way.clone(),
        peer: s.peer.ip(),
        connect_us: s.connect_us,
    }))
}

/// The network by which an address is reached: where the target has it, or a network in common.
fn by_network(from: &[Instance], target: &[Instance], peer: IpAddr) -> Option<String> {
    let mine: Vec<&str> =
        from.iter().flat_map(|i| i.attachments.iter().map(|a| a.network.as_str())).collect();
    let theirs: Vec<_> = target.iter().flat_map(|i| &i.attachments).collect();
    theirs
        .iter()
        .find(|a| a.ip == Some(peer) && (mine.is_empty() || mine.contains(&a.network.as_str())))
        .or_else(|| theirs.iter().find(|a| mine.contains(&a.network.as_str())))
        .or_else(|| theirs.iter().find(|a| a.ip == Some(peer)))
        .map(|a| a.network.clone())
}

/// What the targets look like before anything forbidden is tried.
struct Targets {
    ways: Vec<Way>,
    instances: Vec<(String, Vec<Instance>)>,
    ips: Vec<IpAddr>,
    control: String,
    facts: Vec<Fact>,
}

impl Apart {
    /// The targets, proven alive; or the verdict that stops here.
    async fn targets(&self, cx: &Cx<'_>, from: &Vantage) -> Result<Result<Targets, Verdict>, Fault> {
        let world = cx.world;
        let mut all =
            Targets { ways: vec![], instances: vec![], ips: vec![], control: String::new(), facts: vec![] };
        for port in &self.to {
            let found = kit::settled(world, &port.service, Duration::from_secs(2)).await?;
            let ips = kit::addresses(&found);
            if found.is_empty() {
                let fault = kit::noise(format!(
                    "« {} » n'est pas en marche : rien ne peut être prouvé",
                    port.service
                ));
                return Ok(Err(Verdict::Inconclusive { fault, facts: all.facts }));
            }
            if !self.closed {
                let Some(peer) = alive(world, port, &ips).await? else {
                    return Ok(Err(Verdict::Fail(Box::new(self.dead(world, port)))));
                };
                all.facts.push(Fact::new(
                    &format!("alive:{}", port.service),
                    peer,
                    format!("témoin : « {} » écoute bien sur le port {}", port.service, port.port),
                ));
            }
            let hosts = ips.iter().map(ToString::to_string).chain([port.service.clone()]);
            all.ways.extend(hosts.map(|host| Way { service: port.service.clone(), port: port.port, host }));
            all.ips.extend(ips);
            all.instances.push((port.service.clone(), found));
        }
        match self.control(cx, from, &all).await? {
            Ok((told, fact)) => {
                all.control = told;
                all.facts.push(fact);
                Ok(Ok(all))
            }
            Err(verdict) => Ok(Err(verdict)),
        }
    }

    /// The second control: an allowed connection goes through at the same time.
    async fn control(
        &self,
        cx: &Cx<'_>,
        from: &Vantage,
        all: &Targets,
    ) -> Result<Result<(String, Fact), Verdict>, Fault> {
        let world = cx.world;
        let (vantage, told, host, port) = match (&self.control.service, &self.control.to) {
            (Some(service), _) => {
                let Some(first) = self.to.first() else { return Err(kit::lab_fault("apart.to est vide")) };
                let told = format!("{service} → {}:{}", first.service, first.port);
                (kit::inside(service), told, first.service.clone(), first.port)
            }
            (None, Some(to)) => {
                let told = format!("{} → {}:{}", self.vantage_told(), to.service, to.port);
                let network = self.control.network.clone().unwrap_or_default();
                let found = kit::running(world, &to.service).await?;
                let ip = found
                    .iter()
                    .flat_map(|i| &i.attachments)
                    .find(|a| a.network == network)
                    .and_then(|a| a.ip);
                let Some(ip) = ip else {
                    return Ok(Err(Verdict::Fail(Box::new(self.control_away(world, &to.service, &network)))));
                };
                let vantage = match from {
                    Vantage::Network(n) if *n == network => from.clone(),
                    _ => Vantage::Network(network),
                };
                (vantage, told, ip.to_string(), to.port)
            }
            (None, None) => return Err(kit::lab_fault("apart.control est vide")),
        };
        let seen = kit::patiently(PATIENCE, Result::is_ok, || kit::tcp(world, &vantage, &host, port, TRY_MS))
            .await?;
        Ok(match seen {
            Ok(seen) => {
                let fact = Fact::new("control", seen.peer.to_string(), format!("témoin : {told} répond"));
                Ok((format!("{told} répond"), fact))
            }
            Err(failure) => Err(Verdict::Inconclusive {
                fault: kit::noise(format!("le témoin ne passe pas : {told}, {}", tell::why(&failure))),
                facts: all.facts.clone(),
            }),
        })
    }

    /// What goes through to a target, without what anybody at all would have answered.
    async fn leaks(
        &self,
        world: &dyn World,
        from: &Vantage,
        all: &Targets,
        ways: &[Way],
    ) -> Result<Vec<Leak>, Fault> {
        let tries = ways.iter().map(|way| attempt(world, from, way, &all.ips));
        let seen = futures_util::future::try_join_all(tries).await?;
        let judged = seen.into_iter().flatten().map(|leak| async move {
            let elsewhere = decoy::answers_too(world, from, &leak).await?;
            Ok::<_, Fault>((!elsewhere).then_some(leak))
        });
        Ok(futures_util::future::try_join_all(judged).await?.into_iter().flatten().collect())
    }
}

#[async_trait]
impl Check for Apart {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.vantage().is_none() {
            return Err("apart veut soit from-service, soit from-network".into());
        }
        if self.to.is_empty() {
            return Err("apart.to est vide".into());
        }
        match (&self.control.service, &self.control.network, &self.control.to) {
            (Some(_), None, None) if self.closed => {
                Err("apart.closed veut un control par network et to : un port fermé n'a pas d'ami".into())
            }
            (Some(_), None, None) | (None, Some(_), Some(_)) => Ok(()),
            _ => Err("apart.control veut soit service, soit network et to".into()),
        }
    }

    async fn prepare(&self, cx: &Cx<'_>) {
        // Any question seats the probe in the network.
        if let Some(network) = &self.from_network
            && cx.world.declared().networks.contains_key(network)
        {
            let nothing = wire::Matrix { targets: Vec::new(), timeout_ms: 100 };
            let _ = cx.world.ask(&Vantage::Network(network.clone()), wire::Ask::Matrix(nothing)).await;
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let Some(from) = self.vantage() else { return Err(kit::lab_fault("apart : pas de point de vue")) };
        let cited = self.to.iter().map(|p| &p.service);
        let cited = cited.chain(&self.from_service).chain(&self.control.service);
        for service in cited.chain(self.control.to.as_ref().map(|p| &p.service)) {
            if let Some(miss) = tell::absent(world.declared(), service) {
                return tell::fail(miss);
            }
        }
        if let Some(network) = &self.from_network
            && !world.declared().networks.contains_key(network)
        {
            return tell::fail(self.no_network(world, network));
        }
        let from_instances = match &self.from_service {
            Some(service) => {
                let found = kit::settled(world, service, Duration::from_secs(2)).await?;
                if found.is_empty() {
                    return tell::fail(tell::stopped(world, service).await?);
                }
                found
            }
            None => vec![],
        };
        let all = match self.targets(cx, &from).await? {
            Ok(all) => all,
            Err(verdict) => return Ok(verdict),
        };
        let mut facts = all.facts.clone();
        let tried: Vec<String> = all.ways.iter().map(|w| format!("{}:{}", w.host, w.port)).collect();
        facts.push(Fact::new(
            "tried",
            json!(tried),
            format!("essayé depuis {} : {}", self.vantage_told(), tried.join(", ")),
        ));
        let first = self.leaks(world, &from, &all, &all.ways).await?;
        if first.is_empty() {
            return self.neighbours(cx, &all, facts).await;
        }
        facts.push(leak_fact("first-leaks", &first));
        // The engine opens every bridge for an instant when any network comes or goes.
        if !world.quiet(CALM, CALM_PATIENCE).await? {
            let fault = kit::noise(
                "des réseaux ont été créés ou retirés sans cesse sur ce moteur pendant le contrôle",
            );
            return Ok(Verdict::Inconclusive { fault, facts });
        }
        let ways: Vec<Way> = first.iter().map(|l| l.way.clone()).collect();
        let second = self.leaks(world, &from, &all, &ways).await?;
        let third = self.leaks(world, &from, &all, &ways).await?;
        facts.push(leak_fact("again", &third));
        match (second.is_empty(), third.first()) {
            (false, Some(leak)) => {
                let target =
                    all.instances.iter().find(|(s, _)| *s == leak.way.service).map(|(_, i)| i.as_slice());
                let network = match &self.from_network {
                    Some(network) => Some(network.clone()),
                    None => by_network(&from_instances, target.unwrap_or_default(), leak.peer),
                };
                let mut miss = self.reached(world, leak, network.as_deref(), &third);
                if self.closed {
                    return tell::fail(Miss { control: all.control, facts, ..Self::open(miss, leak) });
                }
                miss.control = all.control;
                miss.facts = facts;
                tell::fail(miss)
            }
            // That was the engine: the ways of the neighbours are still to be seen.
            (true, None) => self.neighbours(cx, &all, facts).await,
            _ => Ok(Verdict::Inconclusive {
                fault: kit::noise("une connexion interdite passe une fois sur deux, réseaux au repos"),
                facts,
            }),
        }
    }
}

fn leak_fact(key: &str, leaks: &[Leak]) -> Fact {
    let seen: Vec<String> = leaks.iter().map(|l| format!("{}:{}", l.way.host, l.way.port)).collect();
    let text = if seen.is_empty() {
        "revu au calme : plus rien ne passe".to_owned()
    } else {
        format!("connexions établies : {}", seen.join(", "))
    };
    Fact::new(key, json!(seen), text)
}
