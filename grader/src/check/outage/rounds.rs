//! Outages side by side: many services are frozen together, but never two of which one may be what the health check
//! of the other asks. A check that asks another service would else fail with it, and pass for honest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;

use super::super::Cx;
use super::super::experiment::Outage;
use super::super::world::Declared;
use super::run::{self, Run};
use crate::error::Fault;

/// Every outage that is made side by side, made once: service to what was seen.
pub async fn all(cx: &Cx<'_>) -> Result<Arc<BTreeMap<String, Arc<Run>>>, Fault> {
    cx.memo
        .once("outage:together", async {
            let _alone = cx.memo.alone().await;
            let declared = cx.world.declared();
            let outages: Vec<&Outage> = cx
                .experiments
                .outage
                .iter()
                .filter(|o| o.together && !o.second && declared.services.contains_key(&o.service))
                .collect();
            let names: Vec<&str> = outages.iter().map(|o| o.service.as_str()).collect();
            let mut said = BTreeMap::new();
            for name in &names {
                said.insert(*name, said_by(cx, declared, name).await?);
            }
            let mut seen = BTreeMap::new();
            for round in rounds(&names, &asks(&said)) {
                let broken = outages.iter().filter(|o| round.contains(&o.service.as_str()));
                let runs = join_all(broken.map(|o| async move { (o, run::run(cx.world, o, None).await) }));
                for (outage, run) in runs.await {
                    seen.insert(outage.service.clone(), Arc::new(run?));
                }
            }
            Ok(seen)
        })
        .await
}

/// What the health check of a service may have read the name of another in.
async fn said_by(cx: &Cx<'_>, declared: &Declared, service: &str) -> Result<String, Fault> {
    let mut said = declared.services.get(service).and_then(|s| s.healthcheck.clone()).unwrap_or_default();
    for instance in cx.world.instances(service).await? {
        said.extend(instance.env.into_values());
        said.extend(instance.command);
    }
    Ok(said.join("\n"))
}

/// Who names whom.
fn asks<'a>(said: &BTreeMap<&'a str, String>) -> BTreeSet<(&'a str, &'a str)> {
    let pairs = said.iter().flat_map(|(who, text)| said.keys().map(move |whom| (*who, *whom, text)));
    pairs
        .filter(|(who, whom, text)| who != whom && run::is_named(text, whom))
        .map(|(who, whom, _)| (who, whom))
        .collect()
}

/// Services in as few rounds as come easily, no two of a round naming each other.
fn rounds<'a>(names: &[&'a str], asks: &BTreeSet<(&'a str, &'a str)>) -> Vec<Vec<&'a str>> {
    let mut rounds: Vec<Vec<&str>> = Vec::new();
    for name in names {
        let apart = |other: &&str| !asks.contains(&(*name, *other)) && !asks.contains(&(*other, *name));
        match rounds.iter_mut().find(|round| round.iter().all(apart)) {
            Some(round) => round.push(name),
            None => rounds.push(vec![name]),
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_name_each_other_are_apart() {
        let said = BTreeMap::from([
            ("kafka", "KAFKA_ZOOKEEPER_CONNECT zookeeper:2181".to_owned()),
            ("kafka-ui", "kafka:9092".to_owned()),
            ("postgres", "pg_isready".to_owned()),
            ("zookeeper", "ruok".to_owned()),
        ]);
        let asks = asks(&said);
        assert_eq!(asks, BTreeSet::from([("kafka", "zookeeper"), ("kafka-ui", "kafka")]));
        let names = ["zookeeper", "kafka", "kafka-ui", "postgres"];
        assert_eq!(rounds(&names, &asks), [vec!["zookeeper", "kafka-ui", "postgres"], vec!["kafka"]]);
    }
}
