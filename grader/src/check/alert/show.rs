//! What the live experiment saw, for the report.

use std::time::Duration;

use serde_json::json;

use super::Alert;
use super::live::Run;
use super::window::{self, told};
use super::zero::Mark;
use crate::event::{Fact, Moment, Stretch, Timeline};
use crate::time::Window;

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn stretch(window: Window) -> Stretch {
    Stretch { from_ms: ms(window.not_before), to_ms: ms(window.by) }
}

fn moment(key: &str, text: &str, mark: &Mark, factor: u32) -> Moment {
    let seen = window::scaled(mark.seen(), factor);
    Moment {
        key: key.to_owned(),
        text: text.to_owned(),
        after_ms: ms(seen.after),
        until_ms: seen.until.map(ms),
        said_ms: mark.said_us.map(|us| us * i64::from(factor) / 1000),
    }
}

fn timeline(alert: &Alert, run: &Run) -> Timeline {
    let stop = &alert.after.stop;
    let at = |after: Duration| Mark { after, until: Some(after), said_us: None };
    let mark = |key: &str, text: &str, mark: &Mark| moment(key, text, mark, run.factor);
    let mut moments = vec![
        mark("stopped", &format!("« {stop} » arrêté"), &at(Duration::ZERO)),
        mark("scrape-failed", "première collecte en échec", &run.failed),
        mark("pending", "alerte « pending »", &run.pending),
        mark("firing", "alerte « firing »", &run.firing),
        mark("started", &format!("« {stop} » démarré de nouveau"), &at(run.started)),
    ];
    if run.pending.until.is_some() {
        moments.push(mark("resolved", "alerte terminée", &run.resolved));
    }
    Timeline {
        zero: format!("arrêt de « {stop} »"),
        factor: run.factor,
        asked: Some(stretch(alert.asked())),
        promised: Some(stretch(run.promise())),
        moments,
    }
}

/// « à 74,9 s », « entre 74,5 s et 75,5 s », or that it was never seen.
pub fn when(mark: &Mark, factor: u32) -> String {
    let seen = window::scaled(mark.seen(), factor);
    match seen.until {
        None => format!("pas encore à {}", told(seen.after)),
        Some(until) if until.saturating_sub(seen.after) < Duration::from_millis(300) => {
            format!("à {}", told(until))
        }
        Some(until) => format!("entre {} et {}", told(seen.after), told(until)),
    }
}

/// Everything that was observed, the instants drawn.
pub fn facts(alert: &Alert, run: &Run) -> Vec<Fact> {
    let promise = run.promise();
    let labels = json!(run.labels);
    let mut all = vec![
        Fact::new(
            "alert",
            json!({
                "name": alert.name,
                "factor": run.factor,
                "scrape-ms": ms(run.pace.scrape),
                "evaluation-ms": ms(run.pace.evaluation),
                "for-ms": ms(run.pace.hold),
                "expression-ms": ms(run.pace.expression),
                "slack-ms": ms(window::SLACK * run.factor),
                "scrape-took-ms": ms(run.took * run.factor),
                "target": labels,
            }),
            format!(
                "{} : « firing » promis entre {} et {} ; mesuré {} (tolérance {})",
                run.pace.sum(),
                told(promise.not_before),
                told(promise.by),
                when(&run.firing, run.factor),
                told(window::SLACK * run.factor),
            ),
        )
        .with_timeline(timeline(alert, run)),
    ];
    if let Some(why) = &run.why_real {
        all.push(Fact::new("real-time", json!(why), format!("mesuré en temps réel : {why}")));
    }
    if !run.error.is_empty() {
        let took = told(run.took);
        all.push(Fact::new("scrape-error", json!(run.error), format!("collecte en échec après {took}")));
    }
    all
}
