//! `follows`: what Prometheus has stored moves by exactly the requests that were sent.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::experiment::Request;
use super::metrics::parse::parse;
use super::prom::told::{self, Endpoint, Sent};
use super::prom::{Prom, Sample, Trouble};
use super::world::wire;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::{Span, french};

/// A counter seen through PromQL follows the traffic.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Follows {
    /// Prometheus.
    pub prometheus: Endpoint,
    /// Name of the counter.
    pub counter: String,
    /// What is asked a random number of times.
    pub traffic: Request,
    /// Other paths of the same service whose requests Prometheus must show, as soon as the service counts them.
    #[serde(default)]
    pub also: Vec<String>,
    /// Path of the metrics of the same service and port.
    #[serde(default = "metrics")]
    pub metrics: String,
    /// Label of the counter that holds the path.
    #[serde(default = "endpoint")]
    pub path_label: String,
    /// Longest time until Prometheus shows it: two scrapes and some margin.
    #[serde(default = "within")]
    pub within: Span,
}

fn metrics() -> String {
    "/metrics".to_owned()
}
fn endpoint() -> String {
    "endpoint".to_owned()
}
fn within() -> Span {
    Span(Duration::from_secs(60))
}

/// Between two looks at Prometheus.
const PAUSE: Duration = Duration::from_millis(300);

/// A count as a whole number.
fn count(n: f64) -> String {
    format!("{n:.0}")
}

fn float(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// What Prometheus showed in the end.
struct Shown {
    /// Its series of the counter for the path.
    series: Vec<Sample>,
    /// What the API itself shows at the same moment.
    truth: f64,
    /// From the last request to the answer that agrees; `None` when none did.
    after: Option<Duration>,
}

impl Shown {
    fn sum(&self) -> f64 {
        self.series.iter().fold(0.0, |sum, s| sum + s.value)
    }
}

impl Follows {
    fn selector(&self) -> String {
        let path = self.traffic.path.split('?').next().unwrap_or_default();
        let escaped = path.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{}{{{}=\"{escaped}\"}}", self.counter, self.path_label)
    }

    /// The counter for the path, as every container of the service shows it itself.
    async fn truth(&self, cx: &Cx<'_>) -> Result<Result<f64, String>, Fault> {
        let Request { service, port, path } = &self.traffic;
        kit::needed(cx.world, service).await?;
        let path = path.split('?').next().unwrap_or_default();
        let mut total = 0.0;
        for instance in kit::running(cx.world, service).await? {
            let Some(ip) = kit::own_ip(std::slice::from_ref(&instance)) else { continue };
            let mut ask = wire::Http::get(ip.to_string(), *port, &self.metrics);
            ask.max_body = 4 * 1024 * 1024;
            match kit::http(cx.world, &kit::inside(service), ask).await?.0 {
                Ok(answer) if answer.status == 200 && answer.is_whole() => {
                    let page = parse(&answer.body);
                    let of_path = page
                        .of(&self.counter)
                        .filter(|s| s.labels.get(&self.path_label).is_some_and(|p| p == path));
                    total += of_path.map(|s| s.value).sum::<f64>();
                }
                Ok(answer) => return Ok(Err(format!("GET {} : {}", self.metrics, answer.status))),
                Err(failure) => return Ok(Err(tell::why(&failure))),
            }
        }
        Ok(Ok(total))
    }

    /// Asks for the other paths too; those that the service counts, with what it has counted.
    async fn others(&self, cx: &Cx<'_>) -> Result<Vec<(Self, Sent, f64)>, Fault> {
        let mut found = Vec::new();
        for path in &self.also {
            let traffic = Request { path: path.clone(), ..self.traffic.clone() };
            let other = Self { traffic, ..self.clone() };
            let sent = told::send(cx.world, &other.traffic, 3).await?;
            match other.truth(cx).await? {
                Ok(counted) if counted > float(sent.sure) - 0.5 => found.push((other, sent, counted)),
                _ => {}
            }
        }
        Ok(found)
    }

    /// What is wrong with the other paths.
    async fn lags(
        cx: &Cx<'_>,
        prom: &Prom<'_>,
        others: &[(Self, Sent, f64)],
        facts: &mut Vec<Fact>,
    ) -> Result<Option<Miss>, Fault> {
        for (other, sent, counted) in others {
            let seen = match other.watch(cx, prom, *counted).await? {
                Ok(seen) => seen,
                Err(trouble) => return Err(kit::noise(format!("la mesure s'est interrompue : {trouble}"))),
            };
            let path = &other.traffic.path;
            if seen.after.is_none() {
                return Ok(Some(Miss {
                    headline: format!("Prometheus ne suit pas les appels à {path}"),
                    control: "ceux d'une autre route y arrivent tous".to_owned(),
                    hint: "que devient une série entre la page collectée et la base de Prometheus ?"
                        .to_owned(),
                    ..other.wrong(cx, &seen, *sent, Vec::new()).await?
                }));
            }
            facts.push(Fact::new(
                "also",
                path.as_str(),
                format!("{path} : {} dans Prometheus", count(seen.sum())),
            ));
        }
        Ok(None)
    }

    fn base(&self, cx: &Cx<'_>) -> Miss {
        Miss {
            expected: format!(
                "la somme de {} dans Prometheus suit exactement les appels envoyés",
                self.selector()
            ),
            place: told::in_config(
                cx.world,
                &[&format!("{}:{}", self.traffic.service, self.traffic.port), "scrape_configs"],
                "cible qui fournit ces mesures",
            ),
            try_it: format!(
                "curl -sG http://localhost:{}/api/v1/query --data-urlencode 'query={}'",
                self.prometheus.port,
                self.selector()
            ),
            ..Miss::default()
        }
    }

    /// Waits until Prometheus has the series at all.
    async fn exists(&self, prom: &Prom<'_>) -> Result<Result<Vec<Sample>, Trouble>, Fault> {
        let some = |seen: &Result<Vec<Sample>, Trouble>| seen.as_ref().is_ok_and(|s| !s.is_empty());
        let selector = self.selector();
        kit::patiently(self.within.0, some, || prom.vector(&selector, None)).await
    }

    /// Waits until Prometheus shows at least `wanted`, or the time is over.
    async fn watch(&self, cx: &Cx<'_>, prom: &Prom<'_>, wanted: f64) -> Result<Result<Shown, String>, Fault> {
        let began = Instant::now();
        loop {
            let series = match prom.vector(&self.selector(), None).await? {
                Ok(series) => series,
                Err(trouble) => return Ok(Err(trouble.told())),
            };
            // Read after the answer of Prometheus: it cannot have more than this.
            let truth = match self.truth(cx).await? {
                Ok(truth) => truth,
                Err(trouble) => return Ok(Err(trouble)),
            };
            let mut shown = Shown { series, truth, after: None };
            let sum = shown.sum();
            if sum > wanted - 0.5 && sum < truth + 0.5 {
                shown.after = Some(began.elapsed());
                return Ok(Ok(shown));
            }
            if sum > truth + 0.5 || began.elapsed() >= self.within.0 {
                return Ok(Ok(shown));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The growth over a window, per second.
    async fn rate(&self, prom: &Prom<'_>) -> Result<f64, Fault> {
        let window = self.within.0.as_secs().max(60) * 2;
        let expr = format!("sum(rate({}[{window}s]))", self.selector());
        let positive = |seen: &f64| *seen > 0.0;
        kit::patiently(Duration::from_secs(5), positive, || async {
            let samples = prom.vector(&expr, None).await?.unwrap_or_default();
            Ok(samples.first().map_or(0.0, |s| s.value))
        })
        .await
    }

    /// Says why the end value is not the right one.
    async fn wrong(&self, cx: &Cx<'_>, shown: &Shown, sent: Sent, facts: Vec<Fact>) -> Result<Miss, Fault> {
        let (sum, truth) = (shown.sum(), shown.truth);
        let mut jobs: Vec<String> = shown
            .series
            .iter()
            .map(|s| {
                let of = |key: &str| tell::cut(s.labels.get(key).map_or("", String::as_str), 40);
                format!("{} ({})", of("instance"), of("job"))
            })
            .collect();
        jobs.sort();
        jobs.dedup();
        let base = Miss {
            observed: format!(
                "après {} appels, {} dans Prometheus et {} sur {} même",
                sent.sure,
                count(sum),
                count(truth),
                self.traffic.service
            ),
            noted: vec![if jobs.is_empty() {
                format!("aucune série de Prometheus ne répond à {}", self.selector())
            } else {
                format!("sources des séries : {}", jobs.join(", "))
            }],
            facts,
            ..self.base(cx)
        };
        let containers = kit::running(cx.world, &self.traffic.service).await?.len();
        if jobs.len() > containers.max(1) && sum > truth {
            return Ok(Miss {
                headline: "les mêmes mesures sont collectées plusieurs fois".to_owned(),
                hint: "une même API collectée par deux cibles compte double dans toutes les sommes"
                    .to_owned(),
                ..base
            });
        }
        Ok(Miss {
            headline: "Prometheus ne suit pas le trafic de l'API".to_owned(),
            hint: if sum > truth {
                "ces mesures ne viennent pas, ou pas seulement, de cette API".to_owned()
            } else {
                "la cible « up » est-elle bien l'API qui reçoit ces appels, et à quel intervalle est-elle lue ?"
                    .to_owned()
            },
            ..base
        })
    }

    /// The series never showed up.
    async fn unseen(
        &self,
        cx: &Cx<'_>,
        prom: &Prom<'_>,
        seen: Result<Vec<Sample>, Trouble>,
    ) -> Result<Miss, Fault> {
        let any = prom.series(&self.counter).await?.unwrap_or_default();
        let shape = any.first().map(|labels| {
            let names: Vec<&String> = labels.keys().filter(|k| *k != "__name__").collect();
            format!(
                "« {} » existe, avec les étiquettes {}",
                self.counter,
                tell::cut(&tell::names(&names), 120)
            )
        });
        let page = format!("{} de « {} »", self.metrics, self.traffic.service);
        let on_page = matches!(self.truth(cx).await?, Ok(sum) if sum > 0.0);
        Ok(Miss {
            headline: format!("« {} » n'arrive pas dans Prometheus", self.counter),
            observed: match seen {
                Err(trouble) => trouble.told(),
                Ok(_) => format!("aucune série {} en {}", self.selector(), french(self.within.0)),
            },
            noted: vec![shape.unwrap_or_else(|| format!("aucune série « {} »", self.counter))],
            control: if on_page { format!("{page} porte cette métrique") } else { String::new() },
            hint: if on_page {
                "la page la porte : que devient une série entre la page collectée et la base de Prometheus ?"
            } else {
                "une métrique n'arrive que si la page qui la porte est collectée"
            }
            .to_owned(),
            ..self.base(cx)
        })
    }
}

#[async_trait]
impl Check for Follows {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        if let Some(miss) = tell::absent(world.declared(), &self.traffic.service) {
            return tell::fail(miss);
        }
        let prom = match told::reach(cx, &self.prometheus.service, self.prometheus.port).await? {
            Ok(prom) => prom,
            Err(miss) => return tell::fail(miss),
        };
        told::prime(cx, &self.traffic).await?;
        // A first point before the traffic: a rate needs two.
        match self.exists(&prom).await? {
            Ok(series) if !series.is_empty() => {}
            seen => return tell::fail(self.unseen(cx, &prom, seen).await?),
        }
        let _alone = cx.memo.alone().await;
        let (before, sent, after) = {
            let before = self.truth(cx).await?;
            let number = 7 + u32::try_from(kit::draw(world, "follows") % 14).unwrap_or(0);
            let sent = told::send(world, &self.traffic, number).await?;
            (before, sent, self.truth(cx).await?)
        };
        let (before, after) = match (before, after) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(trouble), _) | (_, Err(trouble)) => {
                return tell::fail(Miss {
                    headline: format!("{} n'est pas lisible", self.metrics),
                    observed: trouble,
                    hint: "Prometheus lit la même page : elle doit répondre à chaque fois".to_owned(),
                    ..self.base(cx)
                });
            }
        };
        if after < before {
            return Err(kit::noise(
                "l'API a redémarré pendant la mesure : ses compteurs sont repartis de zéro",
            ));
        }
        if after - before < float(sent.sure) - 0.5 {
            return tell::fail(Miss {
                headline: format!("« {} » ne compte pas tous les appels", self.counter),
                observed: format!(
                    "{} appels envoyés, {} comptés par l'API",
                    sent.sure,
                    count(after - before)
                ),
                hint: "c'est l'API elle-même qui compte de travers : Prometheus n'y peut rien".to_owned(),
                ..self.base(cx)
            });
        }
        let others = self.others(cx).await?;
        let shown = match self.watch(cx, &prom, after).await? {
            Ok(shown) => shown,
            Err(trouble) => return Err(kit::noise(format!("la mesure s'est interrompue : {trouble}"))),
        };
        let mut facts = vec![
            Fact::new("sent", sent.sure, format!("{} appels envoyés", sent.sure)),
            Fact::new(
                "stored",
                json!({"before": before, "api": shown.truth, "prometheus": shown.sum()}),
                format!(
                    "{} → {} sur l'API, {} dans Prometheus",
                    count(before),
                    count(after),
                    count(shown.sum())
                ),
            ),
        ];
        let Some(took) = shown.after else {
            return tell::fail(self.wrong(cx, &shown, sent, facts).await?);
        };
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        facts.push(Fact::new("seen-after-ms", took_ms, format!("vu dans Prometheus après {}", french(took))));
        if let Some(miss) = Self::lags(cx, &prom, &others, &mut facts).await? {
            return tell::fail(Miss { facts, ..miss });
        }
        let rate = self.rate(&prom).await?;
        facts.push(Fact::new("rate", rate, format!("débit calculé : {rate:.3}/s").replace('.', ",")));
        if rate > 0.0 {
            return tell::pass(facts);
        }
        tell::fail(Miss {
            headline: "le débit calculé par Prometheus est nul".to_owned(),
            observed: format!("rate({}) = 0 juste après {} appels", self.selector(), sent.sure),
            hint: "un débit se calcule sur au moins deux mesures du même compteur".to_owned(),
            facts,
            ..self.base(cx)
        })
    }
}
