//! The experiment, and where the alert stops on its way.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::deep::Delivery;
use super::world::{State, World, wire};
use super::{Cx, Delivered, kit};
use crate::check::prom::told::Endpoint;
use crate::check::prom::with_params;
use crate::error::Fault;
use crate::time::strain;

/// Between two looks at what was received.
const PAUSE: Duration = Duration::from_millis(400);
/// Longest wait for the quiet that the experiment begins with.
const CALM: Duration = Duration::from_secs(75);
/// Longest wait, once they have come together, for the same alerts one by one.
const AFTERWARDS: Duration = Duration::from_secs(6);
/// Alerts given at once.
const TOGETHER: usize = 3;

/// An alert in a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// `firing` or `resolved`.
    pub status: String,
    /// Labels.
    pub labels: Map<String, Value>,
    /// Since when, as written.
    pub since: String,
}

impl Alert {
    fn label(&self, name: &str) -> &str {
        self.labels.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The alerts of a message.
pub fn alerts(delivery: &Delivery) -> Vec<Alert> {
    let all = delivery.body.get("alerts").and_then(Value::as_array);
    let text =
        |alert: &Value, key: &str| alert.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    all.into_iter()
        .flatten()
        .map(|alert| Alert {
            status: text(alert, "status"),
            labels: alert.get("labels").and_then(Value::as_object).cloned().unwrap_or_default(),
            since: text(alert, "startsAt"),
        })
        .collect()
}

/// How far the alert was seen to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Prometheus has no such rule.
    NoRule,
    /// It has, and the alert does not fire.
    NotFiring,
    /// It fires, and Alertmanager does not know.
    Prometheus,
    /// Alertmanager knows.
    Alertmanager,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The container that was suspended, as told.
    pub victim: String,
    /// Alerts of that name that were active before, and stayed.
    pub stuck: bool,
    /// The alert: after how long.
    pub firing: Option<(Duration, Alert)>,
    /// Its end.
    pub resolved: Option<Duration>,
    /// Messages, in order, for the alerts given at once: how many of them each holds.
    pub groups: Vec<usize>,
    /// Where an alert that does not arrive was seen last.
    pub reached: Reached,
    /// Requests that came from elsewhere than Alertmanager.
    pub strangers: usize,
    /// Messages from Alertmanager in all.
    pub messages: usize,
    /// How long the rule goes on firing once its reason is over (`keep_firing_for`), as it is loaded.
    pub kept: Duration,
    /// It was firing at a moment when every target had answered for a minute.
    pub for_nothing: bool,
}

/// The receiver, listened to.
struct Ear<'a> {
    world: &'a dyn World,
    senders: Vec<IpAddr>,
}

impl Ear<'_> {
    /// What Alertmanager has sent since then (unix microseconds), and how many others have.
    async fn heard(&self, since_us: i64) -> Result<(Vec<Delivery>, usize), Fault> {
        let all = self.world.deliveries().await?.unwrap_or_default();
        let (own, others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .filter(|d| d.at_us >= since_us)
            .partition(|d| d.from.is_some_and(|ip| self.senders.contains(&ip)));
        Ok((own, others.len()))
    }

    /// Listens until `found` says that something came, or the patience is over; gives how long it took.
    async fn wait<T>(
        &self,
        since_us: i64,
        patience: Duration,
        found: impl Fn(&[Delivery]) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let until = Instant::now() + patience.mul_f64(strain());
        loop {
            let (heard, _) = self.heard(since_us).await?;
            if let Some(found) = found(&heard) {
                return Ok(Some(found));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn get(world: &dyn World, at: &Endpoint, path: &str) -> Result<Option<Value>, Fault> {
    send(world, at, "GET", path, None).await
}

async fn send(
    world: &dyn World,
    at: &Endpoint,
    method: &str,
    path: &str,
    body: Option<String>,
) -> Result<Option<Value>, Fault> {
    let (_, ip) = kit::needed(world, &at.service).await?;
    let mut ask = wire::Http::get(ip.to_string(), at.port, path);
    method.clone_into(&mut ask.method);
    if body.is_some() {
        ask.headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    ask.body = body;
    ask.max_body = 4 << 20;
    Ok(match kit::http(world, &kit::inside(&at.service), ask).await?.0 {
        Ok(answer) if (200..300).contains(&answer.status) => {
            Some(serde_json::from_str(&answer.body).unwrap_or(Value::Null))
        }
        _ => None,
    })
}

fn named(alerts: Option<&Value>, name: &str) -> bool {
    let all = alerts.and_then(Value::as_array);
    all.into_iter().flatten().any(|a| a["labels"]["alertname"] == name)
}

/// Where the alert is now.
async fn reached(world: &dyn World, check: &Delivered) -> Result<Reached, Fault> {
    let known = get(world, &check.alertmanager, "/api/v2/alerts").await?;
    if named(known.as_ref(), &check.alert) {
        return Ok(Reached::Alertmanager);
    }
    let active = get(world, &check.prometheus, "/api/v1/alerts").await?;
    let firing = active.as_ref().and_then(|a| a["data"]["alerts"].as_array()).is_some_and(|all| {
        all.iter().any(|a| a["labels"]["alertname"] == check.alert.as_str() && a["state"] == "firing")
    });
    if firing {
        return Ok(Reached::Prometheus);
    }
    Ok(if rules(world, check).await?.is_empty() { Reached::NoRule } else { Reached::NotFiring })
}

/// Waits until Alertmanager knows of no such alert; `true` when one stays.
async fn calm(world: &dyn World, check: &Delivered) -> Result<bool, Fault> {
    let quiet = kit::patiently(
        CALM,
        |stuck: &bool| !stuck,
        || async {
            let known = get(world, &check.alertmanager, "/api/v2/alerts?active=true").await?;
            Ok(named(known.as_ref(), &check.alert))
        },
    );
    quiet.await
}

/// The rules of that name that Prometheus has loaded.
async fn rules(world: &dyn World, check: &Delivered) -> Result<Vec<Value>, Fault> {
    let rules = get(world, &check.prometheus, "/api/v1/rules").await?;
    let groups = rules.as_ref().and_then(|r| r["data"]["groups"].as_array());
    let all = groups.into_iter().flatten().flat_map(|group| group["rules"].as_array().into_iter().flatten());
    Ok(all.filter(|rule| rule["name"] == check.alert.as_str()).cloned().collect())
}

/// `keep_firing_for` of the rule, as it is loaded; the longest when several have its name.
async fn kept(world: &dyn World, check: &Delivered) -> Result<Duration, Fault> {
    let own = rules(world, check).await?;
    let longest = own.iter().filter_map(|rule| rule["keepFiringFor"].as_f64()).fold(0.0, f64::max);
    Ok(Duration::try_from_secs_f64(longest).unwrap_or_default())
}

/// Whether the alert was firing while every target of Prometheus had answered for a minute, and for as long as the
/// rule holds its alerts besides.
async fn for_nothing(world: &dyn World, check: &Delivered, kept: Duration) -> Result<bool, Fault> {
    let window = format!("{}s", 60 + kept.as_secs());
    let query = format!(
        "ALERTS{{alertname=\"{}\",alertstate=\"firing\"}} and on() (min(min_over_time(up[{window}])) == 1 and on() min(count_over_time(up[{window}])) > 3)",
        check.alert
    );
    let now = get(world, &check.prometheus, "/api/v1/query?query=time()").await?;
    let Some(now) = now.as_ref().and_then(|n| n["data"]["result"][0].as_f64()) else { return Ok(false) };
    // Over ten minutes.
    let (start, end) = ((now - 600.0).to_string(), now.to_string());
    let params = [("query", query.as_str()), ("start", &start), ("end", &end), ("step", "2")];
    let path = with_params("/api/v1/query_range", &params);
    let seen = get(world, &check.prometheus, &path).await?;
    let series = seen.as_ref().and_then(|s| s["data"]["result"].as_array());
    Ok(series.is_some_and(|all| !all.is_empty()))
}

/// Since when an alert is active, in unix microseconds.
fn since_us(alert: &Alert) -> i64 {
    alert.since.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_microsecond)
}

/// Suspends, listens, resumes, listens, gives alerts, listens.
pub async fn observe(cx: &Cx<'_>, check: &Delivered) -> Result<Seen, Fault> {
    let world = cx.world;
    let mut targets = Vec::new();
    for service in check.services.iter().filter(|s| world.declared().services.contains_key(*s)) {
        let found = world.instances(service).await?;
        targets.extend(found.into_iter().filter(|i| i.state == State::Running));
    }
    if targets.is_empty() {
        return Err(kit::noise("aucune réplique de l'API n'est en marche au moment de ce contrôle"));
    }
    let rank = usize::try_from(kit::draw(world, "delivered") % targets.len() as u64).unwrap_or(0);
    let victim = targets.swap_remove(rank);
    let senders = kit::addresses(&kit::running(world, &check.alertmanager.service).await?);
    let ear = Ear { world, senders };
    let mut seen = Seen {
        victim: victim.service.clone(),
        stuck: calm(world, check).await?,
        firing: None,
        resolved: None,
        groups: Vec::new(),
        reached: Reached::Alertmanager,
        strangers: 0,
        messages: 0,
        kept: kept(world, check).await?,
        for_nothing: false,
    };
    let begun = world.pause(&victim.id).await?;
    let fired = ear.wait(begun, check.by.0, |heard| {
        heard.iter().find_map(|delivery| {
            let alert = alerts(delivery).into_iter().find(|a| {
                a.status == "firing" && a.label("alertname") == check.alert && since_us(a) >= begun
            })?;
            Some((delivery.at_us, alert))
        })
    });
    let fired = fired.await;
    let place = reached(world, check).await;
    let resumed = world.unpause(&victim.id).await?;
    seen.reached = place?;
    let after = |from: i64, at: i64| Duration::from_micros(u64::try_from(at - from).unwrap_or(0));
    if let Some((at, alert)) = fired? {
        let ended = ear.wait(resumed, check.resolved_by.0, |heard| {
            heard.iter().find_map(|delivery| {
                let ended = alerts(delivery)
                    .into_iter()
                    .any(|a| a.status == "resolved" && a.labels == alert.labels && since_us(&a) >= begun);
                ended.then_some(delivery.at_us)
            })
        });
        seen.resolved = ended.await?.map(|at| after(resumed, at));
        seen.groups = together(&ear, check, &alert).await?;
        seen.firing = Some((after(begun, at), alert));
    }
    seen.for_nothing = for_nothing(world, check, seen.kept).await?;
    let (own, strangers) = ear.heard(0).await?;
    (seen.messages, seen.strangers) = (own.len(), strangers);
    Ok(seen)
}

/// Gives Alertmanager alerts like this one, all at once, and tells how they come.
async fn together(ear: &Ear<'_>, check: &Delivered, alert: &Alert) -> Result<Vec<usize>, Fault> {
    let drawn = kit::draw(ear.world, "together");
    let names: Vec<String> =
        (0..TOGETHER).map(|i| format!("tp-{:06x}-{i}", (drawn >> 8) & 0x00ff_ffff)).collect();
    let begun = jiff::Timestamp::now();
    let all: Vec<Value> = names
        .iter()
        .map(|name| {
            let mut labels = alert.labels.clone();
            labels.insert("instance".to_owned(), json!(name));
            json!({"labels": labels, "startsAt": begun.to_string(), "annotations": {"summary": "essai du correcteur"}})
        })
        .collect();
    let given =
        send(ear.world, &check.alertmanager, "POST", "/api/v2/alerts", Some(json!(all).to_string())).await?;
    if given.is_none() {
        return Err(kit::noise("Alertmanager n'a pas pris les alertes du correcteur"));
    }
    let count = |delivery: &Delivery| {
        let inside: Vec<Alert> = alerts(delivery).into_iter().filter(|a| a.status == "firing").collect();
        names.iter().filter(|name| inside.iter().any(|a| a.label("instance") == name.as_str())).count()
    };
    // Their names are those of this run: whatever holds them came after.
    let since = 0;
    let whole = |heard: &[Delivery]| {
        let counts: Vec<usize> = heard.iter().map(count).filter(|n| *n > 0).collect();
        (counts.contains(&TOGETHER) || counts.iter().sum::<usize>() >= TOGETHER).then_some(counts)
    };
    if ear.wait(since, check.grouped_by.0, whole).await?.is_some() {
        // What comes besides, one by one, comes at the same time.
        let apart = |heard: &[Delivery]| {
            let parts = heard.iter().filter(|d| (1..TOGETHER).contains(&count(d))).count();
            (parts >= TOGETHER).then_some(())
        };
        ear.wait(since, AFTERWARDS, apart).await?;
    }
    let (heard, _) = ear.heard(since).await?;
    Ok(heard.iter().map(count).filter(|n| *n > 0).collect())
}

/// How many alerts are given at once.
pub fn asked() -> usize {
    TOGETHER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_alertmanager() {
        let body = json!({"status": "firing", "alerts": [
            {"status": "firing", "labels": {"alertname": "APIDown", "instance": "a"}, "startsAt": "2026-11-21T10:00:00.5Z"},
            {"status": "resolved", "labels": {"alertname": "APIDown", "instance": "b"}, "startsAt": "x"},
        ]});
        let delivery = Delivery { at_us: 0, from: None, path: "/".into(), body };
        let all = alerts(&delivery);
        assert_eq!((all.len(), all[0].label("instance"), all[1].status.as_str()), (2, "a", "resolved"));
        assert_eq!((since_us(&all[0]) % 1_000_000, since_us(&all[1])), (500_000, 0));
        assert!(alerts(&Delivery { at_us: 0, from: None, path: "/".into(), body: Value::Null }).is_empty());
    }
}
