//! What the proofs share: drawing transactions, asking, and reading the answers.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use super::experiment::{Effect, Scoring, Variable};
use super::world::{World, wire};
use super::{Miss, kit, tell};
use crate::error::Fault;

/// An application may still be opening its port.
const PATIENCE: Duration = Duration::from_secs(8);

/// A drawn transaction: values in the order of the variables.
pub type Row = Vec<f64>;

/// An answer, or the miss that it is.
pub type Told<T> = Result<Result<T, Box<Miss>>, Fault>;

/// Asks the model.
pub struct Bench<'a> {
    /// The stack.
    pub world: &'a dyn World,
    /// The experiment.
    pub scoring: &'a Scoring,
    dice: StdRng,
}

/// What came back.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Body, as JSON.
    pub body: Value,
    /// Body, cut.
    pub shown: String,
}

/// An explained score.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The score.
    pub score: f64,
    /// What every input has in common.
    pub base: f64,
    /// What each variable adds, in their order.
    pub parts: Vec<f64>,
}

fn rounded(variable: &Variable, value: f64) -> f64 {
    if variable.whole { value.round() } else { (value * 100.0).round() / 100.0 }
}

impl<'a> Bench<'a> {
    /// Draws anew for each `salt`.
    pub fn new(world: &'a dyn World, scoring: &'a Scoring, salt: &str) -> Self {
        let seed = kit::draw(world, &format!("model-{salt}"));
        Self { world, scoring, dice: StdRng::seed_from_u64(seed) }
    }

    /// The variables.
    pub fn variables(&self) -> &'a [Variable] {
        &self.scoring.variables
    }

    /// A whole number between two others.
    pub fn number(&mut self, from: usize, to: usize) -> usize {
        self.dice.random_range(from..=to)
    }

    /// A value between two shares of a variable's range.
    pub fn value(&mut self, variable: &Variable, from: f64, to: f64) -> f64 {
        let at = from + (to - from) * self.dice.random::<f64>();
        rounded(variable, variable.from + (variable.to - variable.from) * at)
    }

    /// A transaction whose values are between two shares of their ranges.
    pub fn row(&mut self, from: f64, to: f64) -> Row {
        let variables = self.variables();
        variables.iter().map(|v| self.value(v, from, to)).collect()
    }

    /// The same transaction with another value.
    pub fn with(row: &Row, index: usize, value: f64) -> Row {
        let mut row = row.clone();
        row[index] = value;
        row
    }

    /// A value at a share of a variable's range, rounded as it is drawn.
    pub fn at(variable: &Variable, share: f64) -> f64 {
        rounded(variable, variable.from + (variable.to - variable.from) * share)
    }

    /// A transaction as JSON.
    pub fn object(&self, row: &Row) -> Value {
        let pairs = self.variables().iter().zip(row).map(|(v, value)| {
            #[expect(clippy::cast_possible_truncation, reason = "drawn within the range of the lab")]
            let told = if v.whole { json!(*value as i64) } else { json!(value) };
            (v.name.clone(), told)
        });
        Value::Object(pairs.collect::<Map<_, _>>())
    }

    /// Many transactions as the API is given them.
    pub fn batch(&self, rows: &[Row]) -> Value {
        json!({ "transactions": rows.iter().map(|row| self.object(row)).collect::<Vec<_>>() })
    }

    /// The common parts of a miss.
    pub fn miss(&self, path: &str, expected: impl Into<String>) -> Miss {
        let Scoring { service, port, .. } = self.scoring;
        Miss {
            expected: expected.into(),
            place: tell::in_app(
                self.world,
                service,
                &[&format!("\"{path}\""), &format!("'{path}'")],
                "route en cause",
            ),
            try_it: format!(
                "curl -s -H 'Content-Type: application/json' -d '{{…}}' http://localhost:{port}{path}"
            ),
            ..Miss::default()
        }
    }

    /// One exchange, tried again as long as nothing answers.
    pub async fn ask(&self, method: &str, path: &str, body: Option<String>) -> Told<Answer> {
        let Scoring { service, port, .. } = self.scoring;
        let found = kit::settled(self.world, service, Duration::from_secs(5)).await?;
        let Some(ip) = kit::own_ip(&found) else {
            return Ok(Err(Box::new(tell::stopped(self.world, service).await?)));
        };
        let mut ask = wire::Http::get(ip.to_string(), *port, path);
        method.clone_into(&mut ask.method);
        ask.timeout_ms = 10_000;
        if body.is_some() {
            ask.headers.push(("Content-Type".into(), "application/json".into()));
        }
        ask.body = body;
        let from = kit::inside(service);
        let good = |seen: &(Result<wire::HttpAnswer, wire::Failure>, kit::When)| seen.0.is_ok();
        let (seen, _) = kit::patiently(PATIENCE, good, || kit::http(self.world, &from, ask.clone())).await?;
        Ok(match seen {
            Ok(answer) => Ok(Answer {
                status: answer.status,
                body: serde_json::from_str(&answer.body).unwrap_or(Value::Null),
                shown: tell::cut(&answer.body, 120),
            }),
            Err(failure) => Err(Box::new(Miss {
                headline: format!("« {service} » ne répond pas à {method} {path}"),
                observed: tell::why(&failure),
                noted: tell::tail(&self.world.logs(service, 12).await?, 6),
                hint: "le journal du service dit ce que cette requête a provoqué".to_owned(),
                ..self.miss(path, format!("une réponse à {method} {path}"))
            })),
        })
    }

    /// A JSON request that must succeed.
    pub async fn post(&self, path: &str, body: &Value) -> Told<Answer> {
        let answer = match self.ask("POST", path, Some(body.to_string())).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        if (200..300).contains(&answer.status) {
            return Ok(Ok(answer));
        }
        let service = &self.scoring.service;
        Ok(Err(Box::new(Miss {
            headline: format!("POST {path} refuse une demande bien faite"),
            observed: format!("{} {}", answer.status, answer.shown),
            noted: tell::tail(&self.world.logs(service, 20).await?, 6),
            hint: match answer.status {
                404 | 405 => "le chemin et la méthode sont-ils ceux de l'énoncé ?",
                500.. => "le journal du service dit quelle erreur se cache derrière ; le conteneur a-t-il le droit d'écrire là où il écrit ?",
                _ => "cette demande suit l'énoncé : qu'est-ce qui la fait refuser ?",
            }
            .to_owned(),
            ..self.miss(path, format!("POST {path} : 2xx"))
        })))
    }

    /// A miss about the shape of an answer.
    pub fn shape(&self, path: &str, wanted: &str, answer: &Answer) -> Box<Miss> {
        Box::new(Miss {
            headline: format!("POST {path} répond, mais pas ce qui est demandé"),
            observed: answer.shown.clone(),
            hint: "les noms des clés et la forme des réponses sont fixés par l'énoncé".to_owned(),
            ..self.miss(path, format!("un objet JSON : {wanted}"))
        })
    }

    /// The score of a transaction.
    pub async fn score(&self, row: &Row) -> Told<f64> {
        let answer = match self.post("/predict", &self.object(row)).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        Ok(match answer.body.get("score").and_then(Value::as_f64) {
            Some(score) => Ok(score),
            None => Err(self.shape("/predict", "score est un nombre", &answer)),
        })
    }

    /// The explanation of a transaction's score.
    pub async fn explain(&self, row: &Row) -> Told<Explained> {
        let answer = match self.post("/explain", &self.object(row)).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        let number = |key: &str| answer.body.get(key).and_then(Value::as_f64);
        let parts = answer.body.get("contributions").and_then(Value::as_object);
        let read: Option<Vec<f64>> = parts
            .filter(|parts| parts.len() == self.variables().len())
            .and_then(|parts| self.variables().iter().map(|v| parts.get(&v.name)?.as_f64()).collect());
        Ok(match (number("score"), number("base"), read) {
            (Some(score), Some(base), Some(parts)) => Ok(Explained { score, base, parts }),
            _ => Err(self.shape(
                "/explain",
                "score, base, et contributions avec un nombre par variable",
                &answer,
            )),
        })
    }

    /// Whether more of a variable raises the score.
    pub fn raises(variable: &Variable) -> bool {
        variable.effect == Effect::Raises
    }
}

/// The probability of a sum of contributions.
pub fn sigmoid(sum: f64) -> f64 {
    1.0 / (1.0 + (-sum).exp())
}

/// A number as it is shown.
pub fn shown(value: f64) -> String {
    format!("{value:.4}").replace('.', ",")
}
