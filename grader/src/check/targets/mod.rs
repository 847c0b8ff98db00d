//! `targets`: Prometheus collects these services, and the addresses that it asks really are theirs.

mod explain;
pub mod locate;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::experiment::Request;
use super::prom::{Health, Prom, span, told};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Verdict};
use crate::time::strain;
use locate::{Located, Locator};

/// Prometheus has a target that is up for each of these.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Targets {
    /// Service of Prometheus.
    pub service: String,
    /// Port of its API.
    pub port: u16,
    /// What must be collected.
    pub up: Vec<Wanted>,
    /// A request sent a few times at once, so that the first scrape already holds the series that
    /// other checks look at.
    #[serde(default)]
    pub traffic: Option<Request>,
    /// A miss names the services that are not collected, and nothing of why: for a lab whose work it
    /// is to find out.
    #[serde(default)]
    pub brief: bool,
}

/// A service that must be collected.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wanted {
    /// Service; that of Prometheus itself is found at `localhost` too.
    pub service: String,
    /// Port that is scraped.
    pub port: u16,
    /// `job` that its series must carry; any when it is left out.
    #[serde(default)]
    pub job: Option<String>,
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.service, self.port)
    }
}

/// Prometheus hands its targets out some seconds after its start.
const APPEARS: Duration = Duration::from_secs(8);
/// The longest wait, whatever the intervals.
const LONGEST: Duration = Duration::from_secs(80);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// One look at all targets.
struct Look {
    located: Vec<Located>,
    /// Addresses of each wanted service, in their order.
    homes: Vec<Vec<IpAddr>>,
}

impl Targets {
    /// Targets that lead to a wanted service, whatever their port.
    fn leading<'a>(&self, look: &'a Look, i: usize) -> Vec<&'a Located> {
        let own = self.up[i].service == self.service;
        let home = &look.homes[i];
        let leads = |l: &&Located| l.reached.is_at(home) || own && l.reached.is_loopback();
        look.located.iter().filter(leads).collect()
    }

    /// The best target of a wanted service: on its port, and with its job when one is asked.
    fn best<'a>(&self, look: &'a Look, i: usize) -> Option<&'a Located> {
        let wanted = &self.up[i];
        let mut on_port: Vec<&Located> =
            self.leading(look, i).into_iter().filter(|l| l.url.port == wanted.port).collect();
        on_port.sort_by_key(|l| {
            let job = wanted.job.as_ref().is_none_or(|job| l.target.labels.get("job") == Some(job));
            (!job, l.target.health != Health::Up)
        });
        on_port.first().copied()
    }

    async fn look(&self, cx: &Cx<'_>, prom: &Prom<'_>, locator: &mut Locator) -> Result<Option<Look>, Fault> {
        let Ok(targets) = prom.targets().await? else { return Ok(None) };
        let located = locate::all(cx.world, prom, locator, targets).await?;
        let mut homes = Vec::new();
        for wanted in &self.up {
            homes.push(kit::addresses(&kit::running(cx.world, &wanted.service).await?));
        }
        Ok(Some(Look { located, homes }))
    }

    /// True when another look cannot change what this one says of a wanted service.
    async fn is_final(
        &self,
        cx: &Cx<'_>,
        prom: &Prom<'_>,
        look: &Look,
        i: usize,
        seen: (&HashMap<(String, String), String>, Duration),
    ) -> Result<bool, Fault> {
        let (first, since) = seen;
        let Some(best) = self.best(look, i) else {
            return Ok(since >= APPEARS.mul_f64(strain()) && !look.located.is_empty());
        };
        Ok(match best.target.health {
            Health::Up => true,
            Health::Unknown => false,
            // Scraped again since the first look, still down, and no better when we ask ourselves.
            Health::Down => {
                let again = first.get(&key(best)).is_some_and(|at| *at != best.target.last_scrape);
                again && since >= APPEARS.mul_f64(strain()) && !explain::is_readable(cx, prom, best).await?
            }
        })
    }
}

/// Job and URL of a target.
fn key(located: &Located) -> (String, String) {
    (located.target.scrape_pool.clone(), located.target.scrape_url.clone())
}

/// How long the slowest of these targets may take to be scraped once.
fn patience(look: &Look) -> Duration {
    let slowest = look.located.iter().map(|l| {
        let interval = span::parse(&l.target.scrape_interval).unwrap_or(Duration::from_secs(15));
        interval + span::parse(&l.target.scrape_timeout).unwrap_or(Duration::from_secs(10))
    });
    (slowest.max().unwrap_or(Duration::from_secs(15)) + Duration::from_secs(5)).min(LONGEST).mul_f64(strain())
}

#[async_trait]
impl Check for Targets {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.up.is_empty() { Err("targets.up est vide".into()) } else { Ok(()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let prom = match told::reach(cx, &self.service, self.port).await? {
            Ok(prom) => prom,
            Err(miss) => return tell::fail(miss),
        };
        for wanted in &self.up {
            if let Some(miss) = tell::absent(cx.world.declared(), &wanted.service) {
                return tell::fail(miss);
            }
            if kit::settled(cx.world, &wanted.service, Duration::from_secs(3)).await?.is_empty() {
                return tell::fail(tell::stopped(cx.world, &wanted.service).await?);
            }
        }
        if let Some(traffic) = &self.traffic {
            told::prime(cx, traffic).await?;
        }
        let began = Instant::now();
        let mut locator = Locator::default();
        let mut first: HashMap<(String, String), String> = HashMap::new();
        let look = loop {
            let Some(look) = self.look(cx, &prom, &mut locator).await? else {
                return tell::fail(self.lost(cx, &prom).await?);
            };
            for l in &look.located {
                first.entry(key(l)).or_insert_with(|| l.target.last_scrape.clone());
            }
            let since = began.elapsed();
            let mut settled = since >= patience(&look);
            if !settled {
                settled = true;
                for i in 0..self.up.len() {
                    settled = settled && self.is_final(cx, &prom, &look, i, (&first, since)).await?;
                }
            }
            if settled {
                break look;
            }
            tokio::time::sleep(PAUSE).await;
        };
        let facts: Vec<Fact> = look.located.iter().map(fact).collect();
        if self.brief {
            return match self.lacking(&look) {
                Some(miss) => tell::fail(miss),
                None => tell::pass(facts),
            };
        }
        for i in 0..self.up.len() {
            if let Some(mut miss) = self.explain(cx, &prom, &look, i).await? {
                miss.facts = facts;
                return tell::fail(miss);
            }
        }
        tell::pass(facts)
    }
}

/// One target, as a fact.
fn fact(located: &Located) -> Fact {
    let target = &located.target;
    let url = tell::cut(&target.scrape_url, 80);
    let health = format!("{:?}", target.health).to_lowercase();
    let job = tell::cut(target.labels.get("job").map_or("", String::as_str), 40);
    Fact::new(
        "target",
        serde_json::json!({"url": url, "health": health, "job": job}),
        format!("{url} : {health}"),
    )
}
