//! Why an alert does not wake: what its expression asks for that does not exist, or another
//! scenario in which it would.

use super::super::promql;
use super::super::{Cx, tell};
use super::explain::seconds;
use super::live::{self, Scenery};
use super::scene::{Family, Latency, Scenario};
use super::{RuleScenario, judge};
use crate::error::Fault;
use crate::french::{decimal, list};

/// What was found, and a hint that does not give the answer away.
type Cause = (String, String);

/// The cause, or the bare expression when none is found.
pub async fn of(
    check: &RuleScenario,
    cx: &Cx<'_>,
    scenery: &Scenery,
    scenario: Scenario,
    slow: bool,
) -> Result<Cause, Fault> {
    if let Some(found) = mismatch(scenery) {
        return Ok(found);
    }
    let query = scenery.rules.first().map_or("", |r| r.query.as_str());
    let found = match scenario.family() {
        // It does become active in the end.
        Family::Latency | Family::Memory if slow => None,
        Family::Latency => latency(check, cx, scenery, scenario).await?,
        Family::Memory => memory(check, cx, scenery, scenario).await?,
        Family::Target => Some((
            format!(
                "pendant la panne, up vaut 0 pour cette cible, ses autres séries n'existent plus ; expression : {}",
                tell::cut(query, 120)
            ),
            "que vaut chaque partie de cette expression quand up vaut 0 ?".to_owned(),
        )),
    };
    Ok(found.unwrap_or_else(|| {
        let expr = tell::cut(query, 120);
        (format!("expression : {expr}"), "demandez à Prometheus la valeur de cette expression".to_owned())
    }))
}

/// A metric that does not exist, or a label that no series has.
fn mismatch(scenery: &Scenery) -> Option<Cause> {
    if !scenery.missing.is_empty() {
        let names: Vec<String> =
            scenery.missing.iter().map(|m| format!("« {} »", tell::cut(m, 80))).collect();
        return Some((
            format!("Prometheus n'a aucune série {}", list(&names)),
            "le nom est-il exactement celui que la cible expose, et cette cible est-elle collectée ?"
                .to_owned(),
        ));
    }
    scenery.expressions.iter().flat_map(|e| promql::selectors(e)).find_map(|selector| {
        let metric = selector.metric.as_deref()?;
        let series: Vec<_> = scenery.bases.iter().filter(|b| b.name() == metric).collect();
        let (label, wanted) = selector.equals.iter().find(|(label, wanted)| {
            label != "__name__"
                && !series.is_empty()
                && !series.iter().any(|b| b.labels.get(label) == Some(wanted))
        })?;
        let mut seen: Vec<String> =
            series.iter().filter_map(|b| b.labels.get(label)).map(|v| tell::cut(v, 60)).collect();
        seen.sort();
        seen.dedup();
        seen.truncate(6);
        let seen = if seen.is_empty() { "absent".to_owned() } else { tell::names(&seen) };
        Some((
            format!(
                "{} ne désigne aucune série : {label}=\"{}\" n'existe pas (vus : {seen})",
                tell::cut(&selector.text, 80),
                tell::cut(wanted, 60)
            ),
            format!("quel {label} les séries de cette cible portent-elles vraiment ?"),
        ))
    })
}

/// Whether an alert becomes active at all in another scenario.
async fn wakes(
    check: &RuleScenario,
    cx: &Cx<'_>,
    scenery: &Scenery,
    scenario: Scenario,
) -> Result<bool, Fault> {
    let play = live::play(cx, check, scenery, scenario).await?;
    Ok(judge::seen(&play.ticks, &play.times).active.is_some())
}

/// Largest number written in the expressions.
fn largest(scenery: &Scenery) -> f64 {
    scenery.expressions.iter().flat_map(|e| promql::numbers(e)).filter(|n| n.is_finite()).fold(0.0, f64::max)
}

async fn latency(
    check: &RuleScenario,
    cx: &Cx<'_>,
    scenery: &Scenery,
    scenario: Scenario,
) -> Result<Option<Cause>, Fault> {
    let limit = check.threshold;
    let Latency { last, slow, edge, .. } = scenery.latency;
    if last <= limit {
        return Ok(Some((
            format!("le plus grand « bucket » fini de l'histogramme vaut {}", seconds(last)),
            "un histogramme ne distingue rien au-delà de son dernier bucket".to_owned(),
        )));
    }
    let largest = largest(scenery);
    if largest >= limit * 100.0 {
        return Ok(Some((
            format!(
                "l'expression compare avec {} ; les requêtes lentes durent {}",
                decimal(largest, 0),
                seconds(slow)
            ),
            "en quelle unité cette métrique compte-t-elle ? son nom le dit".to_owned(),
        )));
    }
    if let Some((edge, _)) = edge.filter(|_| scenario == Scenario::LatencyEdge)
        && wakes(check, cx, scenery, Scenario::LatencyHigh).await?
    {
        return Ok(Some((
            format!(
                "elle se déclenche quand des requêtes durent {}, pas quand le centile vaut {}",
                seconds(slow),
                seconds(edge)
            ),
            "à quelle durée l'expression compare-t-elle le centile, et laquelle est demandée ?".to_owned(),
        )));
    }
    if wakes(check, cx, scenery, Scenario::LatencyMedian).await? {
        return Ok(Some((
            "elle se déclenche quand 70 % des requêtes sont lentes, pas quand 10 % le sont".to_owned(),
            "quelle part des requêtes un 95ᵉ centile laisse-t-il au-dessus de lui ?".to_owned(),
        )));
    }
    Ok(Some((
        format!("les requêtes lentes durent {}, pour une limite de {}", seconds(slow), seconds(limit)),
        "demandez à Prometheus la valeur de chaque partie de cette expression".to_owned(),
    )))
}

async fn memory(
    check: &RuleScenario,
    cx: &Cx<'_>,
    scenery: &Scenery,
    scenario: Scenario,
) -> Result<Option<Cause>, Fault> {
    if scenario == Scenario::MemoryOther && wakes(check, cx, scenery, Scenario::Memory95).await? {
        return Ok(Some((
            format!("elle se déclenche pour le conteneur de « {} », pas pour celui-ci", check.target),
            "quels conteneurs cette expression regarde-t-elle, et lesquels l'énoncé demande-t-il ?"
                .to_owned(),
        )));
    }
    let more = wakes(check, cx, scenery, Scenario::Memory150).await?;
    let largest = largest(scenery);
    if more {
        return Ok(Some((
            "elle se déclenche à 150 % de la limite, pas à ce taux".to_owned(),
            "à partir de quelle part de la limite l'énoncé demande-t-il une alerte ?".to_owned(),
        )));
    }
    if (10.0..=100.0).contains(&largest) {
        return Ok(Some((
            format!(
                "l'expression compare avec {}, même 150 % de la limite ne la déclenche pas",
                decimal(largest, 0)
            ),
            "un rapport va de 0 à 1, un pourcentage de 0 à 100".to_owned(),
        )));
    }
    Ok(None)
}
