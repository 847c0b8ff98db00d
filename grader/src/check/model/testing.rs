//! A fake model API, honest or devious.

use serde_json::{Value, json};

use super::super::testing::FakeWorld;
use super::super::world::wire;
use super::play::sigmoid;

/// Behaviours of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// As the statement asks.
    Honest,
    /// Always the same score.
    Constant,
    /// The sum in the place of the probability.
    Raw,
    /// Another score each time.
    Unsteady,
    /// The sum is shared out between the variables.
    Shared,
    /// The base is left out.
    Baseless,
    /// 500 on what it cannot read.
    Crashes,
    /// A score for what it cannot read.
    Guesses,
    /// Never sees a drift.
    Blind,
    /// Always sees one.
    Alarmed,
    /// The baseline is lost with the container.
    Forgets,
}

/// Name, weight, centre.
const MODEL: [(&str, f64, f64); 4] = [
    ("montant", 0.006, 180.0),
    ("distance", 0.009, 100.0),
    ("tentatives", 0.8, 0.8),
    ("anciennete", -0.0012, 1000.0),
];
const BASE: f64 = -1.5;

/// The stack of lab 10, as far as the API.
pub fn scoring(api: Api) -> FakeWorld {
    let mut world = FakeWorld::lab02();
    world.pages.insert(("api".into(), 5000), Box::new(move |world, ask| answer(world, ask, api)));
    world
}

fn values(object: &Value) -> Option<Vec<f64>> {
    MODEL.iter().map(|(name, ..)| object.get(name)?.as_f64()).collect()
}

/// Means of a batch, variable by variable: enough to tell whether one moved.
fn means(batch: &Value) -> Vec<f64> {
    let rows: Vec<Vec<f64>> =
        batch["transactions"].as_array().into_iter().flatten().filter_map(values).collect();
    let count = f64::from(u32::try_from(rows.len()).unwrap_or(1));
    (0..MODEL.len()).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / count).collect()
}

fn answer(world: &FakeWorld, ask: &wire::Http, api: Api) -> (u16, String) {
    let body: Value = ask.body.as_deref().and_then(|b| serde_json::from_str(b).ok()).unwrap_or(Value::Null);
    let generation = world.lock().generation.get("api").copied().unwrap_or(0);
    let kept = || world.lock().own.clone().filter(|_| api != Api::Forgets || generation == 0);
    match (ask.method.as_str(), ask.path.as_str()) {
        ("POST", "/predict" | "/explain") => {
            let Some(values) = values(&body) else {
                return match api {
                    Api::Crashes => (500, "boom".into()),
                    Api::Guesses => (200, json!({"score": 0.5}).to_string()),
                    _ => (400, "{}".into()),
                };
            };
            let mut parts: Vec<f64> =
                MODEL.iter().zip(&values).map(|((_, weight, centre), v)| weight * (v - centre)).collect();
            let total: f64 = parts.iter().sum();
            let calls = {
                let mut memory = world.lock();
                memory.calls += 1;
                f64::from(u32::try_from(memory.calls).unwrap_or(0))
            };
            let score = match api {
                Api::Constant => 0.5,
                Api::Raw => BASE + total,
                Api::Unsteady => sigmoid(BASE + total + calls * 1e-6),
                _ => sigmoid(BASE + total),
            };
            if api == Api::Shared {
                parts = vec![total / 4.0; 4];
            }
            let base = if api == Api::Baseless { 0.0 } else { BASE };
            let named: serde_json::Map<String, Value> =
                MODEL.iter().zip(parts).map(|((name, ..), part)| ((*name).to_owned(), json!(part))).collect();
            (200, json!({"score": score, "base": base, "contributions": named}).to_string())
        }
        ("POST", "/baseline") => {
            world.lock().own = Some(body.to_string());
            (201, "{}".into())
        }
        ("GET", "/baseline") => {
            let count = kept().and_then(|text| {
                serde_json::from_str::<Value>(&text).ok()?["transactions"].as_array().map(Vec::len)
            });
            (200, json!({"effectif": count.unwrap_or(4500)}).to_string())
        }
        ("POST", "/drift") => {
            let before = kept().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
            let (before, now) = (means(&before), means(&body));
            let psi: Vec<f64> = before
                .iter()
                .zip(&now)
                .map(|(a, b)| match api {
                    Api::Blind => 0.01,
                    Api::Alarmed => 0.9,
                    _ if (a - b).abs() > 0.2 * a.abs().max(0.1) => 1.0,
                    _ => 0.02,
                })
                .collect();
            let named: serde_json::Map<String, Value> =
                MODEL.iter().zip(&psi).map(|((name, ..), psi)| ((*name).to_owned(), json!(psi))).collect();
            (200, json!({"psi": named, "derive": psi.iter().any(|p| *p > 0.25)}).to_string())
        }
        _ => (404, String::new()),
    }
}
