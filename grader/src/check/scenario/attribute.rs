//! Whom each series of a Prometheus is about, told by its labels.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::prom::{Labels, Sample, Target, span};
use super::scene::{Base, Family, Whose};

/// Whether labels have all of a part, which must not be empty.
fn includes(labels: &Labels, part: &Labels) -> bool {
    !part.is_empty() && part.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Says of each series whether it is about the service of the scenario.
pub fn attributed(
    samples: &[Sample],
    family: Family,
    mine: &[&Target],
    service: &str,
    ids: &[String],
) -> Vec<Base> {
    let containers = || samples.iter().map(|s| &s.labels).filter(|labels| is_container(labels));
    // Any container will do in virtual time; the service's own is the one that a student expects.
    let chosen = containers()
        .find(|labels| is_container_of(labels, service, ids))
        .or_else(|| containers().find(|labels| labels.get("name").is_some_and(|name| !name.is_empty())))
        .map(identity);
    let whose = |s: &Sample| {
        let ours = match family {
            Family::Memory => is_container(&s.labels) && chosen.as_ref() == Some(&identity(&s.labels)),
            _ => mine.iter().any(|t| includes(&s.labels, &t.labels)),
        };
        if ours { Whose::Target } else { Whose::Other }
    };
    let mut bases: Vec<Base> = samples
        .iter()
        .map(|s| Base {
            labels: s.labels.clone(),
            value: if s.value.is_finite() { s.value } else { 0.0 },
            whose: whose(s),
        })
        .collect();
    bases.sort_by(|a, b| a.labels.cmp(&b.labels));
    bases
}

/// Whether labels are those of a series about a container.
fn is_container(labels: &Labels) -> bool {
    labels.get("__name__").is_some_and(|name| name.starts_with("container_"))
}

/// What tells a container from the others: its id and its name, else all of its labels but those that tell its own
/// series apart.
fn identity(labels: &Labels) -> Labels {
    let kept = |keys: &[&str]| -> Labels {
        let chosen = labels.iter().filter(|(key, value)| keys.contains(&key.as_str()) && !value.is_empty());
        chosen.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let known = kept(&["id", "name"]);
    if !known.is_empty() {
        return known;
    }
    let own = ["__name__", "cpu", "device", "failure_type", "interface", "scope", "state", "type"];
    labels
        .iter()
        .filter(|(key, _)| !own.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Whether labels are those of a container of a service.
fn is_container_of(labels: &Labels, service: &str, ids: &[String]) -> bool {
    let of_scrape = |key: &str| matches!(key, "__name__" | "job" | "instance" | "image");
    let told = |value: &str| value == service || value.ends_with(&format!("-{service}-1"));
    labels.iter().any(|(key, value)| !of_scrape(key) && told(value))
        || labels.values().any(|v| ids.iter().any(|id| id.len() == 12 && v.contains(id.as_str())))
}

/// Says which series are about the container of another service, the first one found; gives their labels.
pub fn seconded(bases: &mut [Base], service: &str, ids: &[String]) -> Vec<Labels> {
    let is_its = |b: &&Base| {
        b.whose == Whose::Other && is_container(&b.labels) && is_container_of(&b.labels, service, ids)
    };
    let Some(chosen) = bases.iter().find(is_its).map(|b| identity(&b.labels)) else { return Vec::new() };
    let its =
        |b: &&mut Base| b.whose == Whose::Other && is_container(&b.labels) && identity(&b.labels) == chosen;
    bases.iter_mut().filter(its).for_each(|b| b.whose = Whose::Second);
    bases
        .iter()
        .filter(|b| b.whose == Whose::Second && identity(&b.labels) == chosen)
        .map(|b| b.labels.clone())
        .collect()
}

/// Says which series come from the targets of another service.
pub fn targeted(bases: &mut [Base], targets: &[&Target]) {
    let its =
        |b: &&mut Base| b.whose == Whose::Other && targets.iter().any(|t| includes(&b.labels, &t.labels));
    bases.iter_mut().filter(its).for_each(|b| b.whose = Whose::Second);
}

/// Scrape interval of the target whose series the scenario changes.
pub fn interval(bases: &[Base], targets: &[Target]) -> Option<Duration> {
    let ours = bases.iter().find(|b| b.whose == Whose::Target)?;
    let target = targets.iter().find(|t| includes(&ours.labels, &t.labels))?;
    span::parse(&target.scrape_interval)
}

/// Labels that tell series apart, short enough to be shown at every instant.
pub fn telling(bases: &[Base]) -> Vec<String> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for base in bases {
        for (key, value) in base.labels.iter().filter(|(k, _)| *k != "__name__" && *k != "le") {
            values.entry(key).or_default().insert(value);
        }
    }
    let legal = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let short = |all: &BTreeSet<&str>| all.iter().all(|v| v.len() <= 160);
    let mut keys: Vec<(&str, usize)> = values
        .iter()
        .filter(|(key, all)| legal(key) && short(all) && !key.starts_with("container_label_"))
        .map(|(key, all)| (*key, all.len()))
        .collect();
    keys.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
    let service = "container_label_com_docker_compose_service";
    let mut kept: Vec<String> = keys.into_iter().take(12).map(|(key, _)| key.to_owned()).collect();
    kept.extend(values.contains_key(service).then(|| service.to_owned()));
    kept
}
