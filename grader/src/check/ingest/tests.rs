use serde_json::{Map, json};

use super::super::testing::FakeWorld;
use super::super::tests::{fails, passes};
use super::super::{Cx, Memo, Verdict};
use super::*;

/// What a collector makes of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pipeline {
    Honest,
    Raw,
    Text,
    Now,
    OtherIndex,
    OneDay,
    Nowhere,
}

fn document(line: &str, pipeline: Pipeline) -> Option<(String, Value)> {
    let mut parts = line.splitn(5, ' ');
    let mut next = || parts.next().unwrap_or_default();
    let (at, level, service, duration, message) = (next(), next(), next(), next(), next());
    let day = at.get(..10)?.replace('-', ".");
    let mut source: Map<String, Value> = Map::new();
    let fields = [("level", json!(level)), ("service", json!(service)), ("message", json!(message))];
    source.extend(fields.map(|(key, value)| (key.to_owned(), value)));
    let number = duration.parse::<u64>().ok()?;
    source.insert(
        "duration_ms".into(),
        if pipeline == Pipeline::Text { json!(duration) } else { json!(number) },
    );
    source.insert("@timestamp".into(), json!(at));
    let mut index = format!("logstream-{day}");
    match pipeline {
        Pipeline::Raw => source = [("message".to_owned(), json!(line))].into_iter().collect(),
        Pipeline::Now => drop(source.insert("@timestamp".into(), json!("2026-01-01T00:00:00.000Z"))),
        Pipeline::OtherIndex => index = format!("logs-{day}"),
        Pipeline::OneDay => index = "logstream-2026.01.01".to_owned(),
        Pipeline::Nowhere => return None,
        Pipeline::Honest | Pipeline::Text => {}
    }
    Some((index, Value::Object(source)))
}

/// `api` takes lines on port 5000 and `postgres` answers searches on port 9200.
fn world(pipeline: Pipeline) -> FakeWorld {
    let mut world = FakeWorld::lab02();
    world.open.insert(("postgres".into(), 9200));
    let search = move |world: &FakeWorld, ask: &wire::Http| {
        if ask.path.starts_with("/_cat") {
            return (200, "[]".to_owned());
        }
        let token = ask.path.split("q=*").nth(1).unwrap_or_default().trim_end_matches('*').to_owned();
        let sent = world.lock().sent.clone();
        let lines = sent.iter().flat_map(|text| text.lines()).filter(|line| line.contains(&token));
        let hits: Vec<Value> = lines
            .filter_map(|line| document(line, pipeline))
            .map(|(index, source)| json!({ "_index": index, "_source": source }))
            .collect();
        (200, json!({ "hits": { "hits": hits } }).to_string())
    };
    world.pages.insert(("postgres".into(), 9200), Box::new(search));
    world
}

async fn judged(pipeline: Pipeline, proof: IngestProof) -> Verdict {
    let world = world(pipeline);
    let check = Ingest {
        via: "api".into(),
        port: 5000,
        store: "postgres".into(),
        store_port: 9200,
        index: "logstream-".into(),
        proof,
    };
    let (memo, experiments) = (Memo::default(), Experiments::default());
    let cx = Cx { world: &world, experiments: &experiments, memo: &memo, second: None };
    check.judge(&cx).await.expect("no fault")
}

#[tokio::test(start_paused = true)]
async fn an_honest_pipeline_passes_every_proof() {
    for proof in [IngestProof::Found, IngestProof::Fields, IngestProof::Date] {
        passes(&judged(Pipeline::Honest, proof).await);
    }
}

#[tokio::test(start_paused = true)]
async fn devious_pipelines() {
    for (pipeline, proof, word) in [
        (Pipeline::Nowhere, IngestProof::Found, "n'arrive pas"),
        (Pipeline::OtherIndex, IngestProof::Found, "autre index"),
        (Pipeline::Raw, IngestProof::Fields, "level : absent"),
        (Pipeline::Text, IngestProof::Fields, "duration_ms"),
        (Pipeline::Now, IngestProof::Date, "arrivée"),
        (Pipeline::OneDay, IngestProof::Date, "au jour"),
    ] {
        fails(&judged(pipeline, proof).await, word);
    }
    passes(&judged(Pipeline::Raw, IngestProof::Found).await);
}
