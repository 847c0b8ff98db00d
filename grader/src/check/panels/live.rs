//! Running the panels' queries through Grafana on the live stack.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use super::legend::{named, shown, tells};
use super::{Candidate, Panels, Want, fact};
use crate::check::grafana::answer::Line;
use crate::check::grafana::dashboard::{Panel, Source};
use crate::check::grafana::vars::{RANGE, STEP};
use crate::check::grafana::{Frames, Grafana};
use crate::check::prom::{Prom, told};
use crate::check::world::Instance;
use crate::check::{Cx, kit};
use crate::error::Fault;
use crate::event::Fact;

/// Two scrapes, the evaluation and some margin.
const PATIENCE: Duration = Duration::from_secs(50);
/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two waves of traffic.
const WAVE: Duration = Duration::from_secs(4);

/// A want whose panels show nothing, or not enough.
pub(super) struct Dead<'a> {
    pub want: &'a Want,
    pub one: Candidate<'a>,
    pub why: Why,
}

/// What is wrong with a live query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Why {
    /// Its data source does not exist.
    Source(Source),
    /// Grafana or Prometheus refused it.
    Refused(String),
    /// It gives no number.
    Empty,
    /// It gives nothing for these services.
    Uncovered(Vec<String>),
    /// It gives something for these services, under a legend that does not say so.
    Unnamed(Vec<String>, String),
    /// What it gives does not depend on what it reads.
    Still,
}

/// Whether a label of a series designates a container of a service: its id, its name as Compose
/// makes it, or the name of the service.
pub(super) fn designates(line: &Line, service: &str, instances: &[Instance]) -> bool {
    line.labels.values().any(|value| {
        named(value, service) || instances.iter().any(|i| i.id.len() >= 12 && value.contains(&i.id[..12]))
    })
}

/// One query, as the panel would send it now.
async fn ask(grafana: &Grafana<'_>, one: &Candidate<'_>) -> Result<Result<Vec<Line>, Why>, Fault> {
    let Source::Known(uid) = &one.target.source else {
        return Ok(Err(Why::Source(one.target.source.clone())));
    };
    let kind = one.board.sources.iter().find(|s| s.uid == *uid).map_or("", |s| s.kind.as_str());
    let query = |id: &str, instant: bool| {
        json!({
            "refId": id,
            "datasource": {"uid": uid, "type": kind},
            "expr": one.expr(),
            "instant": instant,
            "range": !instant,
            "format": one.target.format,
            "intervalMs": u64::try_from(STEP.as_millis()).unwrap_or(15_000),
            "maxDataPoints": 100,
        })
    };
    // As the panel asks it, and for this very instant: the points of a graph may be a step late.
    let mut queries = vec![query("A", true)];
    if !one.target.instant {
        queries.push(query("B", false));
    }
    let from = format!("now-{}m", RANGE.as_secs() / 60);
    let body = json!({"from": from, "to": "now", "queries": queries});
    let frames: Frames = match grafana.query(&body).await? {
        Ok(frames) => frames,
        Err(trouble) => return Ok(Err(Why::Refused(trouble.told()))),
    };
    let mut why = Why::Empty;
    for result in frames.results.values() {
        let lines = result.lines();
        if !lines.is_empty() {
            return Ok(Ok(lines));
        }
        if let Some(error) = &result.error {
            why = Why::Refused(crate::check::tell::cut(error, 160));
        }
    }
    Ok(Err(why))
}

/// Asks the queries that fit a want until one of them shows what it must.
async fn round<'a>(
    cx: &Cx<'_>,
    grafana: &Grafana<'_>,
    want: &'a Want,
    fitting: &[Candidate<'a>],
) -> Result<Result<Fact, Dead<'a>>, Fault> {
    let mut homes = Vec::new();
    for service in &want.covers {
        homes.push((service, kit::running(cx.world, service).await?));
    }
    let mut dead = None;
    // What each panel shows, all its queries together: the services there, and those told.
    let mut panels: Vec<(&Panel, Vec<[bool; 2]>)> = Vec::new();
    for one in fitting.iter().take(12) {
        let why = match ask(grafana, one).await? {
            Ok(lines) => {
                let at = panels.iter().position(|(p, _)| std::ptr::eq(*p, one.panel)).unwrap_or_else(|| {
                    panels.push((one.panel, vec![[false; 2]; homes.len()]));
                    panels.len() - 1
                });
                let seen = &mut panels[at].1;
                for ((service, at), seen) in homes.iter().zip(seen.iter_mut()) {
                    let theirs = || lines.iter().filter(|line| designates(line, service, at));
                    seen[0] |= theirs().next().is_some();
                    seen[1] |= theirs().any(|line| tells(one.panel, one.target, &line.labels, service));
                }
                let lacking = |which: usize| -> Vec<String> {
                    let lacks = homes.iter().zip(seen.iter()).filter(|(_, seen)| !seen[which]);
                    lacks.map(|((service, _), _)| (*service).clone()).collect()
                };
                if lacking(1).is_empty() {
                    return Ok(Ok(fact(want, one, lines.len())));
                }
                if lacking(0).is_empty() {
                    let first = homes.iter().find_map(|(service, at)| {
                        lines.iter().find(|line| {
                            designates(line, service, at)
                                && !tells(one.panel, one.target, &line.labels, service)
                        })
                    });
                    let shown = first.map_or_else(String::new, |l| shown(one.panel, one.target, &l.labels));
                    Why::Unnamed(lacking(1), shown)
                } else {
                    Why::Uncovered(lacking(0))
                }
            }
            Err(why) => why,
        };
        dead.get_or_insert(Dead { want, one: *one, why });
    }
    match dead {
        Some(dead) => Ok(Err(dead)),
        None => Err(kit::noise("aucune requête à lancer")),
    }
}

/// What was seen of each want; `None` for one that shows nothing or was not looked at.
type Seen = Vec<Option<Fact>>;

/// Runs the wants that have a query until each shows something, sending a little traffic meanwhile;
/// gives what was seen, and the first that shows nothing in the end.
pub(super) async fn run<'a>(
    spec: &'a Panels,
    cx: &Cx<'_>,
    (grafana, prom): (&Grafana<'_>, &Prom<'_>),
    fitting: &[Vec<Candidate<'a>>],
) -> Result<(Seen, Option<Dead<'a>>), Fault> {
    let began = Instant::now();
    let mut waved = began;
    let mut facts: Seen = vec![None; spec.wants.len()];
    loop {
        let mut dead = None;
        if let Some(one) = fitting.iter().flatten().next() {
            one.board.refresh(prom).await?;
        }
        for (i, want) in spec.wants.iter().enumerate() {
            if facts[i].is_some() || fitting[i].is_empty() {
                continue;
            }
            match round(cx, grafana, want, &fitting[i]).await? {
                Ok(fact) => facts[i] = Some(fact),
                Err(one) => {
                    dead.get_or_insert(one);
                }
            }
        }
        let Some(dead) = dead else { return Ok((facts, None)) };
        // A data source that does not exist will not appear.
        let hopeless = matches!(dead.why, Why::Source(_));
        if hopeless || began.elapsed() >= PATIENCE {
            return Ok((facts, Some(dead)));
        }
        if let Some(traffic) = &spec.traffic
            && waved.elapsed() >= WAVE
            // Whoever measures the traffic is not to be disturbed; its own traffic serves as well.
            && let Ok(_alone) = timeout(Duration::from_millis(50), cx.memo.alone()).await
        {
            told::send(cx.world, traffic, 2).await?;
            waved = Instant::now();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::instance;

    #[test]
    fn containers_by_any_of_their_names() {
        let mut api = instance("api", "10.0.0.2");
        api.id = "0123456789abcdef0123".into();
        let instances = [api];
        let line = |value: &str| Line {
            labels: [("x".to_owned(), value.to_owned())].into_iter().collect(),
            last: 1.0,
        };
        for value in ["api", "tp1a2b-api-1", "tp_api_1", "/docker/0123456789abcdef0123", "/api"] {
            assert!(designates(&line(value), "api", &instances), "{value}");
        }
        for value in ["", "apis", "rapi", "tp-api-gateway-1", "/docker/ffff", "traefik-1"] {
            assert!(!designates(&line(value), "api", &instances), "{value}");
        }
    }
}
