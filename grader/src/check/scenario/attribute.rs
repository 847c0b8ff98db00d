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
    let is_container = |s: &Sample| s.labels.get("__name__").is_some_and(|n| n.starts_with("container_"));
    let named = |labels: &Labels, key: &str| labels.get(key).map_or("", String::as_str).to_owned();
    let by_name = |labels: &Labels| is_container_of(labels, service, ids);
    // Any container will do in virtual time; the service's own is the one that a student expects.
    let chosen = samples
        .iter()
        .filter(|s| is_container(s))
        .map(|s| &s.labels)
        .find(|l| by_name(l))
        .or_else(|| {
            let containers = samples.iter().filter(|s| is_container(s)).map(|s| &s.labels);
            containers.into_iter().find(|l| !named(l, "name").is_empty())
        })
        .map(|labels| (named(labels, "id"), named(labels, "name")));
    let whose = |s: &Sample| {
        let ours = match (family, &chosen) {
            (Family::Memory, Some((id, name))) => {
                is_container(s) && named(&s.labels, "id") == *id && named(&s.labels, "name") == *name
            }
            (Family::Memory, None) => false,
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

/// Whether labels are those of a container of a service.
fn is_container_of(labels: &Labels, service: &str, ids: &[String]) -> bool {
    let named = |key: &str| labels.get(key).map_or("", String::as_str);
    named("container_label_com_docker_compose_service") == service
        || named("name") == service
        || named("name").ends_with(&format!("-{service}-1"))
        || labels.values().any(|v| ids.iter().any(|id| id.len() == 12 && v.contains(id.as_str())))
}

/// Says which series are about the container of a second service, the first one found.
pub fn seconded(bases: &mut [Base], service: &str, ids: &[String]) {
    let of = |b: &Base| ["id", "name"].map(|key| b.labels.get(key).cloned());
    let is_its = |b: &&Base| {
        b.whose == Whose::Other
            && b.name().starts_with("container_")
            && is_container_of(&b.labels, service, ids)
    };
    let Some(chosen) = bases.iter().find(is_its).map(of) else { return };
    for base in bases.iter_mut().filter(|b| b.whose == Whose::Other && of(b) == chosen) {
        base.whose = Whose::Second;
    }
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
