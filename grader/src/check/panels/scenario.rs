//! Synthetic series for judging an expression in virtual time: the labels are those really seen on
//! the live Prometheus, the rates and the latencies are ours, and constant, so that any window
//! gives the same value.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Panels;
use crate::check::metrics::parse::number;
use crate::check::prom::Labels;

/// Scenarios that decide.
pub const DECIDING: usize = 3;
/// The first one without new values, which serves to explain.
pub const KNOWN: usize = DECIDING;
/// The one in which the values that may be left out count too.
pub const EVERY: usize = DECIDING + 1;
/// All of them.
pub const ALL: usize = DECIDING + 2;
/// Seconds between two samples.
const STEP: u32 = 15;
/// Hours of samples: longer than any window in use.
const HOURS: u32 = 26;
/// What every counter already shows at the beginning, so that a total and a rate never agree.
const HISTORY: f64 = 3_000_000.0;
/// New values of the label that panels must follow: more than a dashboard that keeps the largest would show.
const NEW: u64 = 6;
/// Label sets kept of each metric.
const MAX_SETS: usize = 40;
/// The same, of a metric that only has to move.
const MAX_MOVED: usize = 24;

/// Label sets seen on the live Prometheus, by the name of the series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live(pub BTreeMap<String, Vec<Labels>>);

impl Live {
    fn sets(&self, name: &str) -> &[Labels] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether no metric has any.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }

    /// Keeps what can be written in a test file.
    pub fn add(&mut self, name: &str, sets: Vec<Labels>) {
        let legal = |set: &Labels| {
            set.iter().all(|(k, v)| {
                let name = k.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                name && !k.starts_with(|c: char| c.is_ascii_digit()) && is_plain(v)
            })
        };
        let kept = sets.into_iter().filter(legal).map(|mut set| {
            set.remove("__name__");
            set
        });
        let mut kept: Vec<Labels> = kept.take(1000).collect();
        kept.sort();
        kept.dedup();
        self.0.insert(name.to_owned(), kept);
    }
}

/// Whether a text may stand in a YAML document.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}')
    })
}

/// When a scenario is looked at, as Prometheus writes it, and in seconds. Never at the instant of a
/// sample: a window of one step then holds one sample only, as it mostly does in real life.
pub fn instant(scenario: usize) -> (String, u64) {
    let seconds = 7 + scenario as u64;
    (format!("{HOURS}h{seconds}s"), u64::from(HOURS) * 3600 + seconds)
}

/// `name{a="b"}`.
fn written(name: &str, labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(k, v)| {
            format!("{k}=\"{}\"", v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        })
        .collect();
    format!("{name}{{{}}}", pairs.join(","))
}

/// A series that begins at `start` and grows by `rate` a second.
fn series(name: &str, labels: &Labels, start: f64, rate: f64) -> Value {
    let count = HOURS * 3600 / STEP + 4;
    let step = rate * f64::from(STEP);
    json!({"series": written(name, labels), "values": format!("{start:.3}+{step:.6}x{count}")})
}

/// Rates that tell series apart: no small sum of them is another one.
fn rate(index: usize, scenario: usize) -> f64 {
    const BASE: [f64; 7] = [1.13, 3.37, 7.91, 17.3, 36.7, 75.1, 151.9];
    const FACTOR: [f64; DECIDING] = [0.71, 0.19, 1.9];
    let scenario = scenario % DECIDING;
    // Another order in each scenario.
    let base = BASE[(index * (scenario + 1) + scenario) % BASE.len()];
    base * FACTOR[scenario] * (1.0 + f64::from(u32::try_from(index / BASE.len()).unwrap_or(0)) * 0.37)
}

/// One label set and what it plays.
struct Part {
    labels: Labels,
    /// Place in the order of those that move; `None` for one that stands still.
    moving: Option<usize>,
}

impl Panels {
    fn ignored(&self, labels: &Labels) -> bool {
        let path = self.by.as_ref().and_then(|by| labels.get(by));
        path.is_some_and(|p| self.may_ignore.contains(p))
    }

    /// Live label sets, and `new` values of the label that panels must follow; all but the first come with another
    /// value of the labels that no total depends on, and the last one is beneath a value that is known.
    fn parts(&self, sets: Vec<Labels>, new: u64, scenario: usize, seed: u64) -> Vec<Part> {
        let mut all: Vec<Labels> = sets.into_iter().take(MAX_SETS).collect();
        let model = all.iter().find(|l| !self.ignored(l)).or_else(|| all.first()).cloned();
        if let Some(by) = &self.by
            && let Some(model) = model.filter(|m| m.contains_key(by))
        {
            let shown: Vec<String> = all.iter().filter_map(|l| l.get(by).cloned()).collect();
            let mut add = |value: String, turned: bool| {
                let mut new = model.clone();
                for (label, values) in
                    self.vary.iter().filter(|(label, _)| turned && model.contains_key(*label))
                {
                    let fresh: Vec<&String> = values.iter().filter(|v| **v != model[label]).collect();
                    if !fresh.is_empty() {
                        new.insert(label.clone(), fresh[scenario % fresh.len()].clone());
                    }
                }
                new.insert(by.clone(), value);
                all.push(new);
            };
            if scenario < DECIDING {
                let beneath = model[by].rsplit_once('/').map_or("", |(head, _)| head).to_owned();
                for n in 0..new {
                    let head = if n > 1 && n + 1 == new { beneath.as_str() } else { "" };
                    add(format!("{head}/v{:05x}", (seed >> (8 * n)) & 0xf_ffff), n > 0);
                }
            }
            if scenario == EVERY {
                self.may_ignore.iter().filter(|v| !shown.contains(v)).for_each(|v| add(v.clone(), false));
            }
        }
        let mut next = 0;
        let mut parts = Vec::new();
        for labels in all {
            let moving = (scenario == EVERY || !self.ignored(&labels)).then(|| {
                next += 1;
                next - 1
            });
            parts.push(Part { labels, moving });
        }
        parts
    }

    /// All series of a scenario.
    pub(super) fn input(&self, live: &Live, scenario: usize, seed: u64) -> Vec<Value> {
        let mut out = Vec::new();
        for counter in &self.counters {
            for part in self.parts(live.sets(counter).to_vec(), NEW, scenario, seed) {
                let rate = part.moving.map_or(0.0, |i| rate(i, scenario));
                out.push(series(counter, &part.labels, HISTORY, rate));
            }
        }
        for histogram in &self.histograms {
            self.histogram(live, histogram, scenario, seed, &mut out);
        }
        for name in self.measures().into_iter().filter(|_| scenario < super::measure::PLAYED) {
            for (i, labels) in live.sets(name).iter().take(MAX_MOVED).enumerate() {
                let moved = rate(i, scenario);
                let gauge = !name.ends_with("_total");
                let (start, rate) = if gauge { (HISTORY * moved, 0.0) } else { (HISTORY, moved) };
                out.push(series(name, labels, start, rate));
            }
        }
        for labels in live.sets("up").iter().take(MAX_SETS) {
            out.push(series("up", labels, 1.0, 0.0));
        }
        out
    }

    fn histogram(&self, live: &Live, name: &str, scenario: usize, seed: u64, out: &mut Vec<Value>) {
        let mut bounds: BTreeMap<Labels, Vec<String>> = BTreeMap::new();
        for set in live.sets(&format!("{name}_bucket")) {
            let mut labels = set.clone();
            let Some(le) = labels.remove("le") else { continue };
            bounds.entry(labels).or_default().push(le);
        }
        let usual = bounds.values().max_by_key(|b| b.len()).cloned().unwrap_or_default();
        for part in self.parts(bounds.keys().cloned().collect(), 2, scenario, seed) {
            let mut les = bounds.get(&part.labels).unwrap_or(&usual).clone();
            les.sort_by(|a, b| number(a).unwrap_or(f64::NAN).total_cmp(&number(b).unwrap_or(f64::NAN)));
            let finite: Vec<f64> =
                les.iter().filter_map(|le| number(le)).filter(|le| le.is_finite()).collect();
            let weights = weights(finite.len(), part.moving.unwrap_or(0) + scenario % DECIDING);
            // Not the rate of the counters: a panel on another metric must show.
            let rate = part.moving.map_or(0.0, |i| 0.61 * rate(i + 2, scenario));
            for le in &les {
                let bound = number(le).unwrap_or(f64::INFINITY);
                let below: f64 =
                    finite.iter().zip(&weights).filter(|(b, _)| **b <= bound).map(|(_, w)| w).sum();
                let mut labels = part.labels.clone();
                labels.insert("le".into(), le.clone());
                out.push(series(&format!("{name}_bucket"), &labels, HISTORY, rate * below.min(1.0)));
            }
            let mean: f64 = finite.iter().zip(&weights).map(|(b, w)| 0.8 * b * w).sum();
            out.push(series(&format!("{name}_count"), &part.labels, HISTORY, rate));
            out.push(series(&format!("{name}_sum"), &part.labels, HISTORY * 0.001, rate * mean));
        }
    }
}

/// Shares of the requests in each of `count` finite buckets: four neighbours, from one place or
/// another; median, mean, 95th and 99th percentile all differ.
fn weights(count: usize, shift: usize) -> Vec<f64> {
    let mut weights = vec![0.0; count];
    if count == 0 {
        return weights;
    }
    let first = shift % count.saturating_sub(3).max(1);
    for (i, share) in [0.40, 0.35, 0.17, 0.08].into_iter().enumerate() {
        weights[(first + i).min(count - 1)] += share;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_tell_subsets_apart() {
        for scenario in 0..DECIDING {
            let rates: Vec<f64> = (0..6).map(|i| rate(i, scenario)).collect();
            let mut sums: Vec<f64> = (1u32..64)
                .map(|mask| {
                    rates.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0).map(|(_, r)| r).sum()
                })
                .collect();
            sums.sort_by(f64::total_cmp);
            let close = sums.windows(2).filter(|w| (w[1] - w[0]) / w[1] < 0.006).count();
            assert!(close <= 1, "scenario {scenario}: {close} sums are alike");
        }
    }

    /// What the scenarios play of a counter that has one live series.
    fn played(scenario: usize) -> String {
        let spec: Panels = serde_json::from_value(json!({
            "grafana": {"service": "g", "port": 3000, "password": "p"},
            "prometheus": {"service": "p", "port": 9090},
            "counters": ["c_total"], "by": "endpoint", "may-ignore": ["/health"],
            "vary": {"method": ["GET", "POST", "PUT"], "absent": ["x"]}, "wants": [],
        }))
        .expect("a specification");
        let mut live = Live::default();
        let set = [("endpoint", "/api"), ("method", "GET")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        live.add("c_total", vec![set.into()]);
        serde_json::to_string(&spec.input(&live, scenario, 7)).expect("JSON")
    }

    #[test]
    fn another_method_and_the_routes_that_may_be_left_out() {
        for scenario in 0..DECIDING {
            let text = played(scenario);
            assert!(text.contains("POST") != text.contains("PUT"), "{text}");
            assert!(text.contains("GET") && !text.contains("/health") && !text.contains("absent"), "{text}");
        }
        assert!(!played(KNOWN).contains("/v0"));
        let every = played(EVERY);
        assert!(every.contains("/health") && !every.contains("+0.000000"), "{every}");
    }

    #[test]
    fn weights_add_up() {
        for count in 1..15 {
            for shift in 0..20 {
                let sum: f64 = weights(count, shift).iter().sum();
                assert!((sum - 1.0).abs() < 1e-9);
            }
        }
        assert!(weights(0, 3).is_empty());
    }

    #[test]
    fn labels_are_escaped() {
        let labels = Labels::from([("a".to_owned(), "x\"y\\z\n".to_owned())]);
        assert_eq!(written("m", &labels), "m{a=\"x\\\"y\\\\z\\n\"}");
        let mut live = Live::default();
        live.add("m", vec![labels.clone(), Labels::from([("b.c".to_owned(), "1".to_owned())])]);
        live.add("n", vec![Labels::from([("a".to_owned(), "\u{7f}".to_owned())])]);
        assert_eq!(live.0["m"], vec![labels]);
        assert!(live.0["n"].is_empty());
    }
}
