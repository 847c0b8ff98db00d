//! `ingest`: log lines sent by TCP to a collector are found by a search, cut into fields. The lines are
//! drawn for the run, sent once, and judged by several checks.

mod lines;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::traefik::Gate;
use super::world::wire;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Place, Verdict};
use lines::Line;

/// A line sent by TCP is found in Elasticsearch.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ingest {
    /// Service that takes lines by TCP.
    pub via: String,
    /// Its port in the container.
    pub port: u16,
    /// Elasticsearch service.
    pub store: String,
    /// Its port in the container.
    pub store_port: u16,
    /// Beginning of the name of the index; the day of the line follows, `2026.11.21`.
    pub index: String,
    /// What is proven.
    pub proof: IngestProof,
}

/// What [`Ingest`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IngestProof {
    /// Each line is found by a search, in an index of that name.
    Found,
    /// Each line is cut into its fields.
    Fields,
    /// The moment of a document is that of its line, and so is the day of its index.
    Date,
}

/// The collector may still be opening its port.
const START: Duration = Duration::from_secs(20);
/// From the line to the search: the collector's batches, the making of an index, its refresh.
const TRAVEL: Duration = Duration::from_secs(40);

/// A document that holds a line's token.
#[derive(Clone, Debug)]
struct Hit {
    index: String,
    source: Value,
}

/// What became of the lines.
struct Journey {
    /// The collector took them; else why not, and where it was asked.
    sent: Result<(), wire::Failure>,
    /// What a search answered last, when it was no list of documents.
    refused: Option<String>,
    /// Each line with the documents that hold its token.
    lines: Vec<(Line, Vec<Hit>)>,
    /// Names of all the indices, when a line was not found.
    indices: Vec<String>,
}

/// The documents of a search; the answer, cut, when it is none.
fn hits(answer: &Result<wire::HttpAnswer, wire::Failure>) -> Result<Vec<Hit>, String> {
    let answer = answer.as_ref().map_err(tell::why)?;
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let list = body.as_ref().and_then(|b| b.pointer("/hits/hits")?.as_array());
    let Some(list) = list.filter(|_| answer.status == 200) else {
        return Err(format!("{} {}", answer.status, tell::cut(&answer.body, 160)));
    };
    let hit = |one: &Value| {
        Some(Hit { index: one.get("_index")?.as_str()?.to_owned(), source: one.get("_source")?.clone() })
    };
    Ok(list.iter().filter_map(hit).collect())
}

impl Ingest {
    fn key(&self) -> String {
        format!("ingest:{}:{}:{}", self.via, self.port, self.store)
    }

    fn is_ours(&self, hit: &Hit) -> bool {
        hit.index.starts_with(&self.index)
    }

    async fn search(&self, store: &Gate<'_>, line: &Line) -> Result<Result<Vec<Hit>, String>, Fault> {
        // Whatever the field, and whether its words were told apart or not.
        let path = format!("/_all/_search?size=20&q=*{}*", line.token);
        let answer = store.send(self.ask(store, &path)).await?;
        Ok(hits(&answer))
    }

    fn ask(&self, store: &Gate<'_>, path: &str) -> wire::Http {
        let mut ask = wire::Http::get(store.ip.to_string(), self.store_port, path);
        ask.timeout_ms = 10_000;
        ask
    }

    async fn send(&self, via: &Gate<'_>, lines: &[Line]) -> kit::Asked<wire::TcpAnswer> {
        let text: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
        let to = wire::Tcp { send: Some(text), ..wire::Tcp::to(via.ip.to_string(), self.port) };
        let sent = |seen: &Result<wire::TcpAnswer, wire::Failure>| {
            // Once something may have gone out, a second try would make it twice.
            !matches!(seen, Err(failure) if failure.stage == wire::Stage::Connect)
        };
        kit::patiently(START, sent, || kit::tcp_send(via.world, &via.from, to.clone())).await
    }

    /// Sends the lines and waits until all of them are found where they should be.
    async fn travel(&self, via: &Gate<'_>, store: &Gate<'_>) -> Result<Journey, Fault> {
        let drawn = lines::draw(via.world);
        let sent = self.send(via, &drawn).await?.map(drop);
        let lines = drawn.into_iter().map(|line| (line, Vec::new())).collect();
        let mut journey = Journey { sent, refused: None, lines, indices: Vec::new() };
        if journey.sent.is_err() {
            return Ok(journey);
        }
        for (line, found) in &mut journey.lines {
            let there = |seen: &Result<Vec<Hit>, String>| {
                seen.as_ref().is_ok_and(|hits| hits.iter().any(|hit| self.is_ours(hit)))
            };
            match kit::patiently(TRAVEL, there, || self.search(store, line)).await? {
                Ok(hits) => *found = hits,
                Err(said) => journey.refused = Some(said),
            }
            if found.is_empty() {
                // The others went the same way: waiting for each of them teaches nothing.
                break;
            }
        }
        if journey.lines.iter().any(|(_, hits)| hits.is_empty()) {
            let answer = store.send(self.ask(store, "/_cat/indices?format=json&h=index")).await?;
            let list: Option<Vec<Value>> = answer.ok().and_then(|a| serde_json::from_str(&a.body).ok());
            let names = list.into_iter().flatten();
            journey.indices = names.filter_map(|i| Some(i.get("index")?.as_str()?.to_owned())).collect();
            journey.indices.sort();
        }
        Ok(journey)
    }

    fn place(&self, cx: &Cx<'_>, needles: &[&str], label: &str) -> Option<Place> {
        let world = cx.world;
        let mut files = world.files();
        files.retain(|file| {
            let end = std::path::Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or_default();
            matches!(end, "conf" | "cfg" | "pipeline")
                && world.read(file).is_some_and(|text| text.contains("input") && text.contains("output"))
        });
        needles
            .iter()
            .find_map(|needle| files.iter().find_map(|file| world.place_in(file, needle, label)))
            .or_else(|| tell::at(world, &self.via, "volumes", "ce que ce service lit"))
    }

    fn try_it(&self, line: &Line) -> String {
        format!(
            "echo '{}' | docker compose exec -T {} bash -c 'cat > /dev/tcp/127.0.0.1/{}' ; docker compose exec {} curl -s 'localhost:{}/{}*/_search?q={}&pretty'",
            line.text.replace('\'', "'\\''"),
            self.via,
            self.port,
            self.store,
            self.store_port,
            self.index,
            line.token
        )
    }

    async fn unsent(&self, cx: &Cx<'_>, failure: &wire::Failure) -> Result<Miss, Fault> {
        Ok(Miss {
            headline: format!("« {} » ne prend pas de lignes sur le port {}", self.via, self.port),
            expected: format!("une connexion TCP sur {}:{}, et une ligne par événement", self.via, self.port),
            observed: tell::why(failure),
            noted: tell::tail(&cx.world.logs(&self.via, 30).await?, 6),
            place: self.place(cx, &["tcp", "input"], "entrées de la chaîne"),
            hint: "l'entrée tcp dit son port, et écoute sur toutes les adresses si on ne lui en donne pas"
                .to_owned(),
            try_it: format!("docker compose logs --tail 30 {}", self.via),
            ..Miss::default()
        })
    }

    /// The miss of a line that is not in an index of the right name.
    async fn lost(&self, cx: &Cx<'_>, journey: &Journey, line: &Line, hits: &[Hit]) -> Result<Miss, Fault> {
        let base = Miss {
            expected: format!(
                "la ligne envoyée à {}:{} est trouvée par une recherche dans un index {}*",
                self.via, self.port, self.index
            ),
            control: format!("« {} » a pris la ligne : « {} »", self.via, line.text),
            try_it: self.try_it(line),
            ..Miss::default()
        };
        if let Some(hit) = hits.first() {
            return Ok(Miss {
                headline: "la ligne est rangée dans un autre index que celui demandé".to_owned(),
                observed: format!("index « {} »", tell::cut(&hit.index, 80)),
                place: self.place(
                    cx,
                    &["index", "elasticsearch {", "elasticsearch{", "output"],
                    "sortie de la chaîne",
                ),
                hint: "qui donne le nom de l'index, et que vaut-il quand on ne le donne pas ?".to_owned(),
                ..base
            });
        }
        if let Some(said) = &journey.refused {
            return Ok(Miss {
                headline: format!("« {} » refuse une recherche", self.store),
                observed: said.clone(),
                place: tell::at(cx.world, &self.store, "environment", "réglages de ce serveur"),
                hint: "l'énoncé dit si la sécurité d'Elasticsearch est demandée".to_owned(),
                ..base
            });
        }
        let indices: Vec<&String> = journey.indices.iter().filter(|i| !i.starts_with('.')).take(8).collect();
        let mut noted = vec![format!("index présents : {}", tell::names(&indices))];
        noted.extend(tell::tail(&cx.world.logs(&self.via, 30).await?, 5));
        Ok(Miss {
            headline: "la ligne envoyée n'arrive pas dans Elasticsearch".to_owned(),
            observed: format!("aucun document ne contient « {} »", line.token),
            noted,
            place: self.place(cx, &["elasticsearch {", "elasticsearch{", "output"], "sortie de la chaîne"),
            hint: "suivez la ligne : entrée, filtre, sortie. Le journal de Logstash dit ce qu'il ne peut pas livrer"
                .to_owned(),
            ..base
        })
    }

    fn cut_wrong(&self, cx: &Cx<'_>, line: &Line, hit: &Hit, wrong: &[String]) -> Miss {
        let tags = hit.source.get("tags").map(|t| format!("étiquettes : {}", tell::cut(&t.to_string(), 120)));
        Miss {
            headline: "la ligne est trouvée, mais pas découpée comme demandé".to_owned(),
            expected: line.told(),
            observed: wrong.join(" ; "),
            control: format!("ligne envoyée : « {} »", line.text),
            noted: tags.into_iter().collect(),
            place: self.place(cx, &["grok", "dissect", "filter", "output"], "découpage de la ligne"),
            hint: "un document se lit en entier dans _source : quels champs y sont, et de quel type ?"
                .to_owned(),
            try_it: self.try_it(line),
            ..Miss::default()
        }
    }

    fn dated_wrong(&self, cx: &Cx<'_>, line: &Line, hit: &Hit) -> Option<Miss> {
        let wanted = format!("{}{}", self.index, line.day());
        let stamp = hit.source.get("@timestamp").and_then(Value::as_str).unwrap_or_default();
        let read = stamp.parse::<jiff::Timestamp>().ok();
        let same = read == Some(line.at);
        if same && hit.index == wanted {
            return None;
        }
        Some(Miss {
            headline: if same {
                "la ligne n'est pas rangée au jour où elle a été écrite".to_owned()
            } else {
                misdated(read, line.at).to_owned()
            },
            expected: format!("@timestamp : {}, index {wanted}", line.at),
            observed: format!("@timestamp : {}, index {}", tell::cut(stamp, 60), tell::cut(&hit.index, 80)),
            control: format!("ligne envoyée : « {} »", line.text),
            place: if same {
                self.place(cx, &["index =>", "index", "output"], "index choisi ici")
            } else {
                self.place(cx, &["date", "index", "filter", "output"], "date de l'événement")
            },
            hint: "un filtre lit une date dans un champ et la met dans @timestamp, d'où vient aussi le jour de l'index"
                .to_owned(),
            try_it: self.try_it(line),
            ..Miss::default()
        })
    }
}

/// What a wrong date says: of a part of the second, of a time zone, or of another moment altogether.
fn misdated(read: Option<jiff::Timestamp>, at: jiff::Timestamp) -> &'static str {
    const QUARTER_MS: i64 = 15 * 60 * 1_000;
    let Some(read) = read else { return "le document n'a pas de date lisible" };
    let off = read.as_millisecond() - at.as_millisecond();
    if read.as_second() == at.as_second() {
        "la date du document a perdu les millièmes de seconde de la ligne"
    } else if off % QUARTER_MS == 0 && off.abs() <= 15 * 3_600 * 1_000 {
        "la date de la ligne est lue dans un autre fuseau horaire"
    } else {
        "le document est daté de son arrivée, pas de la ligne"
    }
}

#[async_trait]
impl Check for Ingest {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.index.is_empty() { Err("ingest.index est vide".into()) } else { Ok(()) }
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(200)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let (via, store) = match (
            Gate::open(cx.world, &self.via, None).await?,
            Gate::open(cx.world, &self.store, None).await?,
        ) {
            (Ok(via), Ok(store)) => (via, store),
            (Err(miss), _) | (_, Err(miss)) => return tell::fail(*miss),
        };
        let journey: Arc<Journey> = cx.memo.once(&self.key(), self.travel(&via, &store)).await?;
        if let Err(failure) = &journey.sent {
            return tell::fail(self.unsent(cx, failure).await?);
        }
        let mut facts = Vec::new();
        for (line, hits) in &journey.lines {
            let Some(hit) = hits.iter().find(|hit| self.is_ours(hit)) else {
                return tell::fail(Miss { facts, ..self.lost(cx, &journey, line, hits).await? });
            };
            let told = format!("« {} » : {}", tell::cut(&line.text, 60), hit.index);
            facts.push(Fact::new(&line.token, json!(hit.source), told));
            let miss = match self.proof {
                IngestProof::Found => None,
                IngestProof::Fields => {
                    let wrong = line.differences(&hit.source);
                    (!wrong.is_empty()).then(|| self.cut_wrong(cx, line, hit, &wrong))
                }
                IngestProof::Date => self.dated_wrong(cx, line, hit),
            };
            if let Some(miss) = miss {
                return tell::fail(Miss { facts, ..miss });
            }
        }
        tell::pass(facts)
    }
}
