//! `datasource`: Grafana's data source works, and really leads to the Prometheus of the stack.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::grafana::{self, Account, DataSource, Grafana};
use super::prom::told::{self, Endpoint};
use super::prom::{Prom, RuntimeInfo, Sample};
use super::targets::locate::{Url, url};
use super::{Check, Cx, Experiments, Stage, kit, prom, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Place, Verdict};

/// Grafana has a data source that leads to Prometheus.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Datasource {
    /// Grafana and its account.
    pub grafana: Account,
    /// Where it must lead.
    pub to: Endpoint,
    /// It must be the one that panels use when they name none.
    #[serde(default = "yes")]
    pub default: bool,
}

fn yes() -> bool {
    true
}

/// Data sources are provisioned just before Grafana answers; some installs are slower.
const PROVISIONED: Duration = Duration::from_secs(10);
/// A target is scraped at least once in this time.
const SCRAPED: Duration = Duration::from_secs(30);

/// Files in which data sources are usually provisioned.
const FILES: &[&str] = &["datasource", "datasources", "prometheus", "default", "all", "ds", "sources"];

fn place(cx: &Cx<'_>, needles: &[&str], label: &str) -> Option<Place> {
    needles.iter().filter(|n| !n.is_empty()).find_map(|needle| {
        FILES.iter().find_map(|name| {
            ["yml", "yaml"].iter().find_map(|ext| {
                let file = format!("grafana/provisioning/datasources/{name}.{ext}");
                cx.world.place_in(&file, needle, label)
            })
        })
    })
}

/// The instants of the last scrapes, which no two servers share, in a fixed order.
fn fingerprint(samples: &[Sample]) -> Vec<String> {
    let mut all: Vec<String> = samples.iter().map(|s| format!("{:?} {:.3}", s.labels, s.value)).collect();
    all.sort();
    all
}

/// The question whose answer tells one Prometheus from another.
const QUESTION: &str = "timestamp(up)";

/// What a data source turned out to be.
enum Leads {
    /// To the Prometheus of the stack.
    Here,
    /// To another server that speaks the same language.
    Elsewhere,
    /// Nowhere: what Grafana said.
    Nowhere(String),
}

impl Datasource {
    fn base(&self, cx: &Cx<'_>, needle: &str) -> Miss {
        Miss {
            expected: format!("une source de données Prometheus de Grafana mène à « {} »", self.to),
            place: place(cx, &[needle, "url:", "datasources:"], "source de données").or_else(|| {
                tell::at(cx.world, &self.grafana.service, "volumes", "fichiers donnés à Grafana")
            }),
            try_it: format!(
                "curl -u {}:… http://localhost:{}/api/datasources",
                self.grafana.user, self.grafana.port
            ),
            ..Miss::default()
        }
    }

    /// Asks Prometheus itself, then Grafana, what no two servers say: the instant of its start, to
    /// the nanosecond; else, where Grafana does not let that question through, those of its scrapes.
    async fn leads(&self, grafana: &Grafana<'_>, prom: &Prom<'_>, uid: &str) -> Result<Leads, Fault> {
        let own = prom.runtime_info().await?.map(|info| info.start_time).unwrap_or_default();
        let seen = grafana.through(uid, "/api/v1/status/runtimeinfo", &[]).await?;
        let seen =
            seen.ok().and_then(|answer| prom::read::<RuntimeInfo>(&answer).ok()).map(|info| info.start_time);
        match seen.filter(|start| !start.is_empty() && !own.is_empty()) {
            Some(start) if start == own => Ok(Leads::Here),
            Some(_) => Ok(Leads::Elsewhere),
            None => self.scrapes(grafana, prom, uid).await,
        }
    }

    async fn scrapes(&self, grafana: &Grafana<'_>, prom: &Prom<'_>, uid: &str) -> Result<Leads, Fault> {
        let mut last = Leads::Elsewhere;
        for _ in 0..3 {
            let some = |seen: &Result<Vec<Sample>, prom::Trouble>| seen.as_ref().is_ok_and(|s| !s.is_empty());
            let direct = kit::patiently(SCRAPED, some, || prom.vector(QUESTION, None)).await?;
            let direct = direct.unwrap_or_default();
            let Some(at) = direct.first().map(|s| format!("{:.3}", s.at)) else {
                return Err(kit::noise("Prometheus n'a encore rien collecté : rien à comparer"));
            };
            let params = [("query", QUESTION), ("time", at.as_str())];
            let seen = match grafana.through(uid, "/api/v1/query", &params).await? {
                Ok(answer) => answer,
                Err(trouble) => return Ok(Leads::Nowhere(trouble.told())),
            };
            match prom::read::<prom::Data>(&seen).map(prom::Data::into_samples) {
                Ok(samples) if fingerprint(&samples) == fingerprint(&direct) => return Ok(Leads::Here),
                Ok(_) => last = Leads::Elsewhere,
                Err(trouble) => last = Leads::Nowhere(trouble.told()),
            }
        }
        Ok(last)
    }

    /// Why Grafana does not reach the URL of a data source: seen from Grafana's own network.
    async fn unreached(&self, cx: &Cx<'_>, source: &DataSource, said: &str) -> Result<Miss, Fault> {
        let shown = tell::cut(&source.url, 80);
        let base = Miss {
            headline: "la source de données de Grafana ne répond pas".to_owned(),
            observed: format!("« {} » ({shown}) : {}", tell::cut(&source.name, 40), tell::cut(said, 160)),
            ..self.base(cx, &source.url)
        };
        let Some(Url { host, port, .. }) = url(&source.url) else {
            return Ok(Miss {
                hint: "l'adresse commence par http:// et donne le nom du service et son port".to_owned(),
                ..base
            });
        };
        let loopback =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if loopback {
            return Ok(Miss {
                control: "dans le conteneur de Grafana, cette adresse est celle de Grafana lui-même"
                    .to_owned(),
                hint: "« localhost » désigne toujours le conteneur qui parle, jamais le voisin".to_owned(),
                ..base
            });
        }
        let from = kit::inside(&self.grafana.service);
        let seen = kit::tcp(cx.world, &from, &host, port, 3_000).await?;
        Ok(match seen {
            Err(failure) => Miss {
                control: format!("depuis le conteneur de Grafana, {host}:{port} : {}", tell::why(&failure)),
                hint: match failure.kind {
                    super::world::wire::FailureKind::Refused => {
                        "le nom mène à un conteneur, mais rien n'y écoute sur ce port".to_owned()
                    }
                    _ => "Grafana et Prometheus partagent-ils un réseau, et est-ce bien le nom du service ?"
                        .to_owned(),
                },
                ..base
            },
            Ok(_) => Miss {
                control: format!("depuis le conteneur de Grafana, {host}:{port} accepte une connexion"),
                hint: "ce qui écoute à cette adresse est-il Prometheus, et à ce chemin ?".to_owned(),
                ..base
            },
        })
    }

    /// No data source of the right kind.
    fn none(&self, cx: &Cx<'_>, all: &[DataSource]) -> Miss {
        let found: Vec<String> = all
            .iter()
            .take(6)
            .map(|s| format!("{} ({})", tell::cut(&s.name, 40), tell::cut(&s.kind, 30)))
            .collect();
        Miss {
            headline: "Grafana n'a aucune source de données Prometheus".to_owned(),
            observed: if found.is_empty() {
                "aucune source de données".to_owned()
            } else {
                format!("sources de données : {}", found.join(", "))
            },
            noted: vec![
                "pile neuve : ce qui a été réglé à la main dans l'interface n'en fait pas partie".to_owned(),
            ],
            hint: "Grafana lit au démarrage le dossier provisioning/datasources : le vôtre y est-il monté ?"
                .to_owned(),
            ..self.base(cx, "")
        }
    }

    async fn judged(&self, cx: &Cx<'_>, grafana: &Grafana<'_>, prom: &Prom<'_>) -> Result<Verdict, Fault> {
        let some = |seen: &Result<Vec<DataSource>, grafana::Trouble>| {
            seen.as_ref().is_ok_and(|s| s.iter().any(|s| s.kind == "prometheus"))
        };
        let all = match kit::patiently(PROVISIONED, some, || grafana.data_sources()).await? {
            Ok(all) => all,
            Err(trouble) => {
                return tell::fail(Miss {
                    headline: "Grafana ne donne pas ses sources de données".to_owned(),
                    observed: trouble.told(),
                    hint: "ce compte est-il bien administrateur ?".to_owned(),
                    ..self.base(cx, "")
                });
            }
        };
        let mut sources: Vec<&DataSource> = all.iter().filter(|s| s.kind == "prometheus").collect();
        sources.sort_by_key(|s| !s.is_default);
        let facts: Vec<Fact> = all.iter().take(6).map(fact).collect();
        let mut worst = None;
        for source in &sources {
            let (name, shown) = (tell::cut(&source.name, 40), tell::cut(&source.url, 80));
            if source.access == "direct" {
                worst.get_or_insert(Miss {
                    headline: "la source de données fait parler le navigateur, pas Grafana".to_owned(),
                    observed: format!("« {name} » : access = direct"),
                    hint: "le navigateur ne connaît pas les noms des services ; Grafana, si".to_owned(),
                    ..self.base(cx, "access")
                });
                continue;
            }
            let health = grafana.source_health(&source.uid).await?;
            let healthy = matches!(&health, Ok(h) if h.status.eq_ignore_ascii_case("ok"));
            let said = match health {
                Ok(health) => tell::cut(&health.message, 160),
                Err(trouble) => trouble.told(),
            };
            if !healthy {
                let miss = self.unreached(cx, source, &said).await?;
                worst.get_or_insert(miss);
                continue;
            }
            match self.leads(grafana, prom, &source.uid).await? {
                Leads::Here if self.default && !source.is_default => {
                    worst = Some(Miss {
                        headline: "la source de données n'est pas celle par défaut".to_owned(),
                        expected: format!(
                            "la source de données qui mène à « {} » est celle par défaut",
                            self.to
                        ),
                        observed: format!("« {name} » ({shown}) : isDefault = false"),
                        control: "elle répond, et mène bien au Prometheus de la pile".to_owned(),
                        hint: "un panneau qui ne nomme aucune source prend celle par défaut".to_owned(),
                        ..self.base(cx, &source.url)
                    });
                    break;
                }
                Leads::Here => return tell::pass(facts),
                Leads::Nowhere(said) => {
                    let miss = self.unreached(cx, source, &said).await?;
                    worst.get_or_insert(miss);
                }
                Leads::Elsewhere => {
                    worst.get_or_insert(Miss {
                        headline: "la source de données mène à un autre Prometheus".to_owned(),
                        observed: format!(
                            "« {name} » ({shown}) répond, mais d'autres mesures que « {} »",
                            self.to
                        ),
                        control: format!("la même question, posée à « {} » directement", self.to),
                        hint: "quel serveur répond vraiment à cette adresse ?".to_owned(),
                        ..self.base(cx, &source.url)
                    });
                }
            }
        }
        let miss = worst.unwrap_or_else(|| self.none(cx, &all));
        tell::fail(Miss { facts, ..miss })
    }
}

fn fact(source: &DataSource) -> Fact {
    let (name, url) = (tell::cut(&source.name, 40), tell::cut(&source.url, 80));
    let value = serde_json::json!({
        "name": name, "type": tell::cut(&source.kind, 30), "url": url,
        "default": source.is_default, "read-only": source.read_only,
    });
    let default = if source.is_default { ", par défaut" } else { "" };
    Fact::new("datasource", value, format!("« {name} » : {url}{default}"))
}

#[async_trait]
impl Check for Datasource {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = tell::absent(cx.world.declared(), &self.grafana.service) {
            return tell::fail(miss);
        }
        let prom = match told::reach(cx, &self.to.service, self.to.port).await? {
            Ok(prom) => prom,
            Err(miss) => return tell::fail(miss),
        };
        if let Some(miss) = grafana::no_access(cx, &self.grafana).await? {
            return tell::fail(miss);
        }
        match Grafana::of(cx.world, &self.grafana).await? {
            Some(grafana) => {
                let grafana = grafana.with_user(&self.grafana.user, &self.grafana.password);
                self.judged(cx, &grafana, &prom).await
            }
            None => tell::fail(tell::stopped(cx.world, &self.grafana.service).await?),
        }
    }
}
