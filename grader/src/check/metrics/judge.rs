//! Judgement of the traffic experiment.

use serde_json::json;

use super::super::experiment::Traffic;
use super::super::tell;
use super::super::world::World;
use super::Metrics;
use super::parse::{Page, Sample};
use super::run::{Measure, Run};
use crate::check::inside::inside;
use crate::check::kit;
use crate::event::{Fact, Miss, Verdict};

/// What is wrong with a metric in one measure.
pub(super) enum Wrong {
    /// Certainly wrong.
    Miss(Box<Miss>),
    /// The process restarted, or a request failed: the measure says nothing.
    Unsure(String),
}

/// True when two counts are the same whole number.
pub(super) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.5
}

fn float(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

pub(super) fn number_told(n: f64) -> String {
    if n.fract().abs() < 1e-9 { format!("{n:.0}") } else { format!("{n:.3}").replace('.', ",") }
}

impl Metrics {
    pub(super) fn is_of(&self, sample: &Sample, path: &str) -> bool {
        sample.labels.get(&self.path_label).is_some_and(|p| p == path)
            && self
                .method_label
                .as_ref()
                .is_none_or(|label| sample.labels.get(label).is_some_and(|m| m.eq_ignore_ascii_case("GET")))
    }

    /// Sum over the series of a path.
    pub(super) fn total(&self, page: &Page, name: &str, path: &str) -> f64 {
        // The sum of nothing is -0.
        page.of(name).filter(|s| self.is_of(s, path)).map(|s| s.value).sum::<f64>() + 0.0
    }

    fn base(&self, traffic: &Traffic, world: &dyn World) -> Miss {
        let service = &traffic.metrics.service;
        let name = self.name();
        Miss {
            expected: format!("« {name} » augmente exactement du nombre de requêtes envoyées"),
            place: tell::in_app(
                world,
                service,
                &[name, ".inc(", ".observe(", "startTimer", &traffic.metrics.path],
                "métrique déclarée ou servie ici",
            ),
            try_it: inside(
                world,
                service,
                &format!("wget -qO- http://127.0.0.1:{}{}", traffic.metrics.port, traffic.metrics.path),
            ),
            ..Miss::default()
        }
    }

    /// The verdict on what was seen: one right measure is enough, for no wrong counter can follow
    /// numbers drawn at random.
    pub(super) fn verdict(&self, run: &Run, traffic: &Traffic, world: &dyn World) -> Verdict {
        let base = self.base(traffic, world);
        let facts = self.facts(run, traffic);
        let silent: Vec<&String> = run.silent.iter().filter(|p| self.paths(traffic).contains(p)).collect();
        if let Some(path) = silent.first() {
            return Verdict::Fail(Box::new(Miss {
                headline: format!("GET {path} ne répond pas : rien à mesurer"),
                observed: format!("aucune réponse de {path} en 10 s"),
                hint: "une requête qui attend sans fin ne finit jamais d'être mesurée".to_owned(),
                facts,
                ..base
            }));
        }
        if run.measures.is_empty() {
            let trouble = run.trouble.clone().unwrap_or_else(|| "rien".to_owned());
            return Verdict::Fail(Box::new(Miss {
                headline: format!("{} n'est pas lisible", traffic.metrics.path),
                observed: trouble,
                hint: "la page des métriques se sert par une route comme les autres".to_owned(),
                facts,
                ..base
            }));
        }
        let mut last = None;
        // A counter that goes down is no counter, however right the next measure.
        let fallen = run.measures.iter().find_map(|measure| self.fallen(measure, traffic, &base));
        if let Some(miss) = fallen {
            return Verdict::Fail(Box::new(Miss { facts, ..miss }));
        }
        for measure in &run.measures {
            match self.measured(measure, run, traffic, &base) {
                Ok(()) => return Verdict::Pass { facts },
                Err(wrong) => last = Some(wrong),
            }
        }
        match last {
            Some(Wrong::Miss(miss)) => Verdict::Fail(Box::new(Miss { facts, ..*miss })),
            Some(Wrong::Unsure(what)) => Verdict::Inconclusive { fault: kit::noise(what), facts },
            None => Verdict::Inconclusive { fault: kit::noise("aucune mesure n'a abouti"), facts },
        }
    }

    pub(super) fn paths<'a>(&'a self, traffic: &'a Traffic) -> &'a [String] {
        self.paths.as_deref().unwrap_or(&traffic.paths)
    }

    fn count_name(&self) -> String {
        self.counter.clone().unwrap_or_else(|| format!("{}_count", self.name()))
    }

    fn facts(&self, run: &Run, traffic: &Traffic) -> Vec<Fact> {
        let name = self.count_name();
        let mut facts = Vec::new();
        for (i, measure) in run.measures.iter().enumerate() {
            for path in self.paths(traffic) {
                let (before, after) = (
                    self.total(&measure.before.page, &name, path),
                    self.total(&measure.after.page, &name, path),
                );
                let sent = measure.sent.get(path).map_or(0, |s| s.sure);
                facts.push(Fact::new(
                    &format!("measure-{}:{path}", i + 1),
                    json!({"sent": sent, "before": before, "after": after}),
                    format!("{path} : {sent} requêtes, {} → {}", number_told(before), number_told(after)),
                ));
            }
        }
        facts
    }

    /// A total that goes down although the process is the same.
    fn fallen(&self, m: &Measure, traffic: &Traffic, base: &Miss) -> Option<Miss> {
        let birth = |page: &Page| page.of("process_start_time_seconds").map(|s| s.value).next();
        let births = [&m.before.page, &m.idle.page, &m.after.page].map(birth);
        let [Some(first), rest @ ..] = births else { return None };
        if rest.iter().any(|birth| *birth != Some(first)) {
            return None;
        }
        let name = self.count_name();
        self.paths(traffic).iter().find_map(|path| {
            let [before, idle, after] =
                [&m.before, &m.idle, &m.after].map(|reading| self.total(&reading.page, &name, path));
            let (from, to) = if idle < before { (before, idle) } else { (idle, after) };
            (to < from).then(|| Miss {
                headline: format!("« {} » redescend", self.name()),
                expected: "un compteur qui ne fait que monter tant que l'API est en marche".to_owned(),
                observed: format!(
                    "{path} : {} puis {}, dans le même processus",
                    number_told(from),
                    number_told(to)
                ),
                hint: "Prometheus calcule un débit à partir d'un compteur qui ne revient jamais en arrière"
                    .to_owned(),
                ..base.clone()
            })
        })
    }

    fn measured(&self, m: &Measure, run: &Run, traffic: &Traffic, base: &Miss) -> Result<(), Wrong> {
        let name = self.count_name();
        self.declared_well(&m.after.page, &name, traffic, base)?;
        for path in self.paths(traffic) {
            let Some(sent) = m.sent.get(path) else {
                return Err(Wrong::Unsure(format!("« {path} » n'a reçu aucune requête")));
            };
            let before = self.total(&m.before.page, &name, path);
            let idle = self.total(&m.idle.page, &name, path);
            let after = self.total(&m.after.page, &name, path);
            if after < before || idle < before {
                return Err(Wrong::Unsure(
                    "l'API a redémarré pendant la mesure : ses compteurs sont repartis de zéro".into(),
                ));
            }
            // The service's own health check counts too, on the path that it asks.
            let own = match &run.health_test {
                Some(test) if test.contains(path.as_str()) || !mentions_a_path(test, traffic) => {
                    m.health_runs
                }
                _ => 0,
            };
            let moved = after - before;
            let (low, high) = (float(sent.sure), float(sent.sure + sent.maybe + own));
            let expected = format!("{} requêtes envoyées à {path}", sent.sure);
            if idle - before > float(own) + 0.5 {
                return Err(Wrong::Miss(Box::new(Miss {
                    headline: format!("« {} » compte aussi les lectures des métriques", self.name()),
                    expected,
                    observed: format!(
                        "{path} : + {} entre deux lectures, sans aucune requête",
                        number_told(idle - before)
                    ),
                    hint: "chaque requête compte une fois, sous son propre chemin".to_owned(),
                    ..base.clone()
                })));
            }
            if moved < low - 0.5 || moved > high + 0.5 {
                return Err(self.off(path, moved, sent.sure, m, base));
            }
        }
        if self.histogram.is_some() { self.shaped(m, traffic, base) } else { Ok(()) }
    }

    /// The metric exists, with its labels and its series for each path.
    fn declared_well(&self, page: &Page, name: &str, traffic: &Traffic, base: &Miss) -> Result<(), Wrong> {
        let wrong = |miss: Miss| Err(Wrong::Miss(Box::new(miss)));
        let mut series = page.of(name).peekable();
        if series.peek().is_none() {
            let near: Vec<&str> = page
                .names()
                .into_iter()
                .filter(|n| n.starts_with("app_") || tell::distance(n, name) <= 4)
                .take(6)
                .collect();
            if page.types.contains_key(self.name()) {
                return wrong(Miss {
                    headline: format!("« {} » n'a aucune mesure", self.name()),
                    observed: "la métrique est déclarée, sans une seule série après des appels".to_owned(),
                    hint: "quelle ligne du code y inscrit une mesure, et à quel moment ?".to_owned(),
                    ..base.clone()
                });
            }
            return wrong(Miss {
                headline: format!("la métrique « {} » est absente", self.name()),
                observed: if near.is_empty() {
                    format!("aucune série de ce nom parmi {}", page.names().len())
                } else {
                    format!("métriques proches : {}", near.join(", "))
                },
                noted: page.odd.first().map(|l| format!("ligne illisible : {l}")).into_iter().collect(),
                hint: "le nom des métriques est fixé par l'énoncé, suffixe compris".to_owned(),
                ..base.clone()
            });
        }
        let all: Vec<&Sample> = series.collect();
        let labels = self.labels.iter().chain([&self.path_label]).chain(&self.method_label);
        for label in labels {
            if all.iter().any(|s| s.labels.contains_key(label)) {
                continue;
            }
            let mut seen: Vec<&String> = all.iter().flat_map(|s| s.labels.keys()).collect();
            seen.sort_unstable();
            seen.dedup();
            return wrong(Miss {
                headline: format!("« {} » n'a pas l'étiquette « {label} »", self.name()),
                expected: format!("étiquettes {}", tell::names(&self.labels)),
                observed: format!("étiquettes vues : {}", tell::names(&seen)),
                hint: "les étiquettes se déclarent avec la métrique et se donnent à chaque mesure".to_owned(),
                ..base.clone()
            });
        }
        for path in self.paths(traffic) {
            if all.iter().any(|s| self.is_of(s, path)) {
                continue;
            }
            let mut seen: Vec<String> =
                all.iter().filter_map(|s| s.labels.get(&self.path_label)).map(|p| tell::cut(p, 40)).collect();
            seen.sort_unstable();
            seen.dedup();
            seen.truncate(8);
            return wrong(Miss {
                headline: format!("« {} » n'a pas de série pour {path}", self.name()),
                expected: format!(
                    "{} = \"{path}\"{}",
                    self.path_label,
                    self.method_label.as_ref().map(|m| format!(", {m} = \"GET\"")).unwrap_or_default()
                ),
                observed: format!("valeurs de {} : {}", self.path_label, tell::names(&seen)),
                hint: "l'étiquette vaut le chemin demandé, tel qu'il est dans la requête".to_owned(),
                ..base.clone()
            });
        }
        Ok(())
    }

    fn off(&self, path: &str, moved: f64, sent: u64, m: &Measure, base: &Miss) -> Wrong {
        if let Some(s) = m.sent.get(path).filter(|s| s.bad > 0) {
            return Wrong::Unsure(format!("{} des requêtes envoyées à {path} ont reçu une erreur", s.bad));
        }
        let (headline, hint) = if same(moved, 0.0) {
            (
                format!("« {} » ne bouge pas", self.name()),
                "la métrique est-elle mise à jour dans toutes les routes, ou seulement affichée ?",
            )
        } else if same(moved, 2.0 * float(sent)) {
            (
                format!("« {} » compte chaque requête deux fois", self.name()),
                "deux endroits du code comptent peut-être la même requête",
            )
        } else {
            (
                format!("« {} » ne compte pas juste", self.name()),
                "comparez deux lectures autour de cinq appels",
            )
        };
        Wrong::Miss(Box::new(Miss {
            headline,
            expected: format!("+ {sent} après {sent} requêtes à {path}"),
            observed: format!("+ {}", number_told(moved)),
            hint: hint.to_owned(),
            ..base.clone()
        }))
    }
}

/// True when a health check names one of the paths: then it moves that one only.
fn mentions_a_path(test: &str, traffic: &Traffic) -> bool {
    traffic.paths.iter().any(|p| test.contains(p.as_str()))
}
