//! Judgement of an outage: waiting, an error, a closed connection and a fresh fall-back are honest.

use serde_json::json;

use super::super::experiment::Outage;
use super::super::{Cx, tell};
use super::run::{Asked, Run};
use crate::event::{Fact, Miss};

/// Why there is no pass.
pub enum Stop {
    /// A lie was seen.
    Miss(Box<Miss>),
    /// The experiment could not be made.
    Unsure(String),
}

fn told(asked: &Asked) -> String {
    match (asked.call.status, &asked.call.source) {
        (Some(status), Some(source)) => format!("réponse {status}, source {}", tell::cut(source, 30)),
        (Some(status), None) => format!("réponse {status}"),
        (None, _) => asked.call.trouble.clone().unwrap_or_else(|| "pas de réponse".to_owned()),
    }
}

/// What was seen, for the report.
pub fn facts(run: &Run, service: &str) -> Vec<Fact> {
    let answers: Vec<String> = run.asked.iter().map(told).collect();
    vec![Fact::new(
        &format!("outage:{service}"),
        json!({
            "answers": answers,
            "values": run.asked.iter().map(|a| a.call.value.clone()).collect::<Vec<_>>(),
            "recovered-ms": run.recovered.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
        }),
        format!(
            "« {service} » en panne : {}",
            if answers.is_empty() { "aucune requête".to_owned() } else { answers.join(" ; ") }
        ),
    )]
}

/// Whether an answer given while the service is broken is a lie.
fn is_lie(asked: &Asked, outage: &Outage, cached: Option<&str>) -> bool {
    let good = asked.call.status.is_some_and(|s| (200..300).contains(&s));
    // A value read back from the cache was put there by a query that ended just before.
    let from_cache = asked.stored && cached.is_some() && asked.call.source.as_deref() == cached;
    if !good || from_cache {
        return false;
    }
    if outage.lies.is_empty() {
        return true;
    }
    asked.call.source.as_ref().is_some_and(|s| outage.lies.contains(s))
}

/// Judges the answers of an outage.
pub fn honest(run: &Run, outage: &Outage, cx: &Cx<'_>) -> Result<(), Stop> {
    let service = &outage.service;
    if !run.was_running {
        return Err(Stop::Unsure(format!(
            "« {service} » n'est pas en marche : sa panne ne peut pas être provoquée"
        )));
    }
    let Some(request) = &outage.request else { return Ok(()) };
    let works = run.control.as_ref().filter(|c| c.works);
    let Some(control) = works else {
        return Err(Stop::Unsure(format!(
            "GET {} ne répond pas correctement avant la panne de « {service} »",
            request.path
        )));
    };
    if !outage.lies.is_empty() && !outage.cold_cache && !control.warm {
        return Err(Stop::Unsure("le cache n'a pas pu être rempli avant la panne".into()));
    }
    if run.asked.is_empty() {
        return Err(Stop::Unsure("aucune requête n'a pu être envoyée pendant la panne".into()));
    }
    let cached = cx.experiments.cache.as_ref().map(|c| c.cached.as_str());
    let Some(lie) = run.asked.iter().find(|a| is_lie(a, outage, cached)) else { return Ok(()) };
    let value = lie.call.value.as_ref().map(|v| tell::cut(&v.to_string(), 80));
    Err(Stop::Miss(Box::new(Miss {
        headline: match lie.call.source.as_deref().filter(|_| !outage.lies.is_empty()) {
            Some(source) => {
                format!("« {service} » ne répond plus, et l'API annonce encore « {} »", tell::cut(source, 30))
            }
            None => format!("« {service} » ne répond plus, et l'API répond comme si de rien n'était"),
        },
        expected: if outage.lies.is_empty() {
            format!("« {service} » en panne : une attente ou une erreur, mais pas de donnée")
        } else {
            format!(
                "« {service} » en panne : une attente, une erreur ou une donnée relue à la source, jamais {}",
                tell::names(&outage.lies)
            )
        },
        observed: format!("{}{}", told(lie), value.map(|v| format!(", valeur {v}")).unwrap_or_default()),
        control: format!("avant la panne, GET {} : {}", request.path, control.call.status.unwrap_or(0)),
        place: tell::in_app(cx.world, &request.service, &["catch", &request.path], "réponse construite ici"),
        hint: "d'où vient cette valeur, puisque le service qui la détient ne répond plus ?".to_owned(),
        try_it: format!("docker compose pause {service}"),
        ..Miss::default()
    })))
}
