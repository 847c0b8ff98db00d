//! `panels`: a Grafana dashboard shows what is asked. Each query is run through Grafana on the live
//! stack, and its meaning is judged in virtual time: over series whose values are known, it must
//! give what a reference gives, however it is written.

mod explain;
mod fetch;
mod fit;
mod legend;
mod live;
mod measure;
mod promtool;
mod said;
mod scenario;
mod values;

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::experiment::Request;
use super::grafana::{self, Account, Grafana};
use super::prom::told::{self, Endpoint};
use super::prom::{Rule, RuleKind};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use fetch::Board;
use fit::{Candidate, candidates};
use measure::Found;
use promtool::Values;

/// A dashboard shows these panels.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Panels {
    /// Grafana and its account.
    pub grafana: Account,
    /// The Prometheus behind.
    pub prometheus: Endpoint,
    /// Requests sent now and then, so that there is something to see.
    #[serde(default)]
    pub traffic: Option<Request>,
    /// Counters that the virtual scenarios play, with the labels seen on the live Prometheus.
    #[serde(default)]
    pub counters: Vec<String>,
    /// Histograms that they play (`_bucket`, `_sum` and `_count` are added).
    #[serde(default)]
    pub histograms: Vec<String>,
    /// Label whose new values must show without touching the dashboard.
    #[serde(default)]
    pub by: Option<String>,
    /// Values of that label which a panel may show or leave out.
    #[serde(default)]
    pub may_ignore: Vec<String>,
    /// Other labels that a total must not depend on, with values that the scenarios may give them.
    #[serde(default)]
    pub vary: BTreeMap<String, Vec<String>>,
    /// No panel serves two wants.
    #[serde(default)]
    pub distinct: bool,
    /// Official image whose `promtool` is used.
    #[serde(default = "image")]
    pub image: String,
    /// What one and the same dashboard must show.
    pub wants: Vec<Want>,
}

fn image() -> String {
    "prom/prometheus:v2.53.0".to_owned()
}

/// One panel that is asked for: by its meaning (`means`), or loosely (`uses` and `covers`).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Want {
    /// French, for instance « requêtes par seconde ».
    pub name: String,
    /// Points that it earns when another one lacks; none by default. They add up to no more than
    /// the points of the check.
    #[serde(default)]
    pub worth: f64,
    /// PromQL: the panel must give the same values as one of these.
    #[serde(default)]
    pub means: Vec<String>,
    /// Only the proportions between its series matter (parts, percentages, a pie).
    #[serde(default)]
    pub share: bool,
    /// The values that `may-ignore` names count too.
    #[serde(default)]
    pub every: bool,
    /// Its panel draws nothing else.
    #[serde(default)]
    pub alone: bool,
    /// Well-known wrong ways, to explain them.
    #[serde(default)]
    pub near: Vec<Near>,
    /// The query names one of these metrics.
    #[serde(default)]
    pub uses: Vec<String>,
    /// It gives a series for a container of each of these services, and its legend says which.
    #[serde(default)]
    pub covers: Vec<String>,
}

/// A wrong way and what to say of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Near {
    /// PromQL.
    pub means: String,
    /// French: what the panel shows instead.
    pub says: String,
}

impl Panels {
    /// Metrics of the scenarios that a text names.
    fn named<'a>(&'a self, text: &str) -> Vec<&'a String> {
        self.counters.iter().chain(&self.histograms).filter(|m| text.contains(m.as_str())).collect()
    }

    /// Every expression to evaluate in virtual time: references, wrong ways, then the student's.
    fn exprs(&self, boards: &[Board], recorded: &[Rule]) -> Vec<String> {
        let reads = |expr: &str| {
            !self.named(expr).is_empty() || recorded.iter().any(|rule| expr.contains(rule.name.as_str()))
        };
        let ours =
            self.wants.iter().flat_map(|w| w.means.iter().chain(w.near.iter().map(|n| &n.means))).cloned();
        let theirs = boards.iter().flat_map(candidates).map(|c| c.expr());
        let theirs =
            theirs.filter(|e| e.len() <= 4_000 && scenario::is_plain(e)).filter(|e| reads(e)).take(80);
        let mut all: Vec<String> = Vec::new();
        for expr in ours.chain(theirs) {
            if !all.contains(&expr) {
                all.push(expr);
            }
        }
        all
    }

    fn is_virtual(&self) -> bool {
        self.wants.iter().any(|w| !w.means.is_empty())
    }
}

#[async_trait]
impl Check for Panels {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.wants.is_empty() {
            return Err("panels.wants est vide".into());
        }
        for want in &self.wants {
            if want.means.is_empty() == want.uses.is_empty() {
                return Err(format!("panels : « {} » veut soit means, soit uses", want.name));
            }
            if let Some(lost) = want.means.iter().find(|m| self.named(m).is_empty()) {
                return Err(format!("panels : « {lost} » ne cite ni un de counters, ni un de histograms"));
            }
        }
        Ok(())
    }

    fn tools(&self) -> Vec<String> {
        vec![self.image.clone()]
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        for service in [&self.grafana.service, &self.prometheus.service] {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
        }
        let prom = match told::reach(cx, &self.prometheus.service, self.prometheus.port).await? {
            Ok(prom) => prom,
            Err(miss) => return tell::fail(miss),
        };
        if let Some(miss) = grafana::no_access(cx, &self.grafana).await? {
            return tell::fail(miss);
        }
        let Some(grafana) = Grafana::of(cx.world, &self.grafana).await? else {
            return tell::fail(tell::stopped(cx.world, &self.grafana.service).await?);
        };
        let grafana = grafana.with_user(&self.grafana.user, &self.grafana.password);
        if let Some(traffic) = &self.traffic {
            told::prime(cx, traffic).await?;
        }
        let boards = match fetch::boards(&grafana).await? {
            Ok(boards) if !boards.is_empty() => boards,
            seen => {
                let said = said::complaints(cx.world, &self.grafana.service).await?;
                return tell::fail(self.no_board(cx, seen.err(), &said));
            }
        };
        let rules = prom.rules().await?.unwrap_or_default();
        let recorded: Vec<Rule> =
            rules.into_iter().flat_map(|g| g.rules).filter(is_recorded).take(50).collect();
        let values = if self.is_virtual() {
            let live = match self.live_sets(&prom).await? {
                Ok(live) => live,
                Err(lacking) => return tell::fail(self.no_metric(cx, &lacking)),
            };
            for board in &boards {
                board.refresh(&prom).await?;
            }
            promtool::evaluate(cx.world, self, &live, &recorded, &self.exprs(&boards, &recorded)).await?
        } else {
            Values::default()
        }
        .recording(&recorded);
        // The dashboard that comes nearest is the one that is judged.
        let best =
            boards.iter().max_by_key(|b| self.fitting(b, &values).iter().filter(|f| !f.is_empty()).count());
        let Some(best) = best else { return Err(kit::noise("aucun tableau de bord")) };
        let mut fitting = self.fitting(best, &values);
        let lacking = fitting.iter().any(Vec::is_empty);
        // Without points to earn, what is there need not be tried once something lacks.
        let (mut seen, mut dead) = if lacking && self.wants.iter().all(|w| w.worth <= 0.0) {
            (Vec::new(), None)
        } else {
            live::run(self, cx, (&grafana, &prom), &fitting).await?
        };
        if dead.is_none() && !seen.is_empty() {
            // By now the series are in Prometheus.
            match self.still(cx, &prom, &mut fitting).await? {
                Found::Nothing => {}
                Found::Some => (seen, dead) = live::run(self, cx, (&grafana, &prom), &fitting).await?,
                Found::Dead(one) => {
                    for (fact, _) in seen.iter_mut().zip(&fitting).filter(|(_, of)| of.is_empty()) {
                        *fact = None;
                    }
                    dead = Some(one);
                }
            }
        }
        let miss = match dead {
            _ if lacking => {
                let said = said::complaints(cx.world, &self.grafana.service).await?;
                explain::with_complaints(cx, self.missing(cx, &boards, best, &fitting, &values), &said)
            }
            Some(dead) => {
                let sieve = said::sieve(&prom, &dead.one.expr()).await?;
                self.dead(cx, &dead, sieve)
            }
            None => return tell::pass(seen.into_iter().flatten().collect()),
        };
        let good: Vec<&Want> =
            self.wants.iter().zip(&seen).filter(|(_, s)| s.is_some()).map(|(w, _)| w).collect();
        // An empty sum is a negative zero.
        let earned: f64 = good.iter().map(|w| w.worth).sum::<f64>() + 0.0;
        let names: Vec<&String> = good.iter().filter(|w| w.worth > 0.0).map(|w| &w.name).collect();
        tell::fail(Miss {
            earned,
            earned_for: if names.is_empty() { String::new() } else { tell::names(&names) },
            facts: seen.into_iter().flatten().collect(),
            ..miss
        })
    }
}

/// A recording rule that may stand in a test file.
fn is_recorded(rule: &Rule) -> bool {
    let plain = scenario::is_plain(&rule.query) && rule.labels.values().all(|v| scenario::is_plain(v));
    rule.kind == RuleKind::Recording && rule.name.len() > 2 && plain
}

/// One matched panel, as a fact.
fn fact(want: &Want, one: &Candidate<'_>, lines: usize) -> Fact {
    let (panel, board) = (tell::cut(&one.panel.title, 60), tell::cut(&one.board.title, 60));
    let value = serde_json::json!({
        "dashboard": board, "panel": panel, "expr": tell::cut(&one.target.expr, 300), "series": lines,
    });
    let plural = if lines > 1 { "s" } else { "" };
    Fact::new(
        "panel",
        value,
        format!("« {} » : panneau « {panel} » de « {board} », {lines} série{plural}", want.name),
    )
}
