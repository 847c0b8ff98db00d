//! `dashboard`: Traefik's dashboard and API, served over HTTPS by a router of its own.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::api::{self, Router, Silence, View};
use super::gate::Gate;
use super::world::wire;
use super::{Check, Cx, Experiments, Stage, check_host, is_unrouted, kit, port_https, said, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// The dashboard answers on its host and lists the routers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dashboard {
    /// Service of Traefik.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host of the dashboard.
    pub host: String,
    /// Hosts for which a router in force must be listed.
    pub lists: Vec<String>,
}

/// Traefik may still be reading what the engine tells it.
const PATIENCE: Duration = Duration::from_secs(8);
/// The page.
const PAGE: &str = "/dashboard/";
/// The service of Traefik itself.
const INTERNAL: &str = "api@internal";
/// Port of the dashboard without protection.
const INSECURE: u16 = 8080;

/// What an HTTP exchange gave.
type Seen = Result<wire::HttpAnswer, wire::Failure>;

fn is_page(answer: &wire::HttpAnswer) -> bool {
    let html = answer.header("content-type").is_some_and(|t| t.to_ascii_lowercase().contains("text/html"));
    answer.status == 200
        && (html || answer.body.trim_start().to_ascii_lowercase().starts_with("<!doctype html"))
}

impl Dashboard {
    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host)
    }

    fn base(&self, gate: &Gate<'_>) -> Miss {
        Miss {
            expected: format!(
                "{} : la page ; {} : la liste des routeurs, dont {}",
                self.url(PAGE),
                self.url(api::RAW),
                self.lists.join(" et ")
            ),
            place: said::place(
                gate.world,
                &self.via,
                &[INTERNAL, "api.dashboard", "--api"],
                "tableau de bord",
            ),
            try_it: format!("curl -ki {}", self.url(PAGE)),
            ..Miss::default()
        }
    }

    /// The page does not come.
    async fn no_page(&self, gate: &Gate<'_>, seen: &Seen) -> Result<Miss, Fault> {
        let mut noted = said::errors(gate.world, &self.via).await?;
        let answer = match seen {
            Err(failure) => {
                let Miss { headline, observed, control, hint, place, .. } =
                    gate.unreached(self.port, &self.host, failure).await?;
                return Ok(Miss { headline, observed, control, noted, place, hint, ..self.base(gate) });
            }
            Ok(answer) => answer,
        };
        let open = self.insecure(gate).await?;
        if open {
            noted.push(format!("le port {INSECURE}, lui, montre l'API à tous (api.insecure)"));
        }
        let hint = match answer.status {
            404 if is_unrouted(answer) => {
                "il faut un routeur pour cet hôte, avec TLS, et qui mène au service interne de Traefik"
            }
            401 | 403 => "l'énoncé veut ce tableau de bord sans mot de passe ni liste d'adresses",
            502..=504 => "ce routeur mène à un conteneur ; le tableau de bord, lui, est dans Traefik",
            300..=399 => "ce routeur redirige ; vers quoi ?",
            _ => "cette réponse n'est pas celle du tableau de bord",
        };
        let more =
            answer.header("location").map(|l| format!(" vers {}", tell::cut(l, 80))).unwrap_or_default();
        Ok(Miss {
            headline: format!("{} ne montre pas le tableau de bord", self.url(PAGE)),
            observed: format!("{}{more} {}", answer.status, tell::cut(&answer.body, 80))
                .trim_end()
                .to_owned(),
            noted,
            hint: hint.to_owned(),
            ..self.base(gate)
        })
    }

    /// The page comes without its data.
    async fn no_api(&self, gate: &Gate<'_>, silence: &Silence) -> Result<Miss, Fault> {
        Ok(Miss {
            headline: "le tableau de bord s'affiche, mais sans ses données".to_owned(),
            observed: silence.told(api::RAW),
            control: format!("{} répond", self.url(PAGE)),
            noted: said::errors(gate.world, &self.via).await?,
            hint:
                "la page demande ses données sous /api : la règle du routeur laisse-t-elle passer ce chemin ?"
                    .to_owned(),
            try_it: format!("curl -ki {}", self.url(api::RAW)),
            ..self.base(gate)
        })
    }

    /// A router is missing from the list.
    async fn unlisted(&self, gate: &Gate<'_>, view: &View, host: &str) -> Result<Miss, Fault> {
        let mut noted: Vec<String> = view
            .routers
            .iter()
            .filter(|(name, _)| !name.ends_with("@internal"))
            .take(5)
            .map(|(name, router)| {
                let off = if router.is_on() {
                    String::new()
                } else {
                    format!(" (désactivé : {})", tell::cut(&router.error.join(" ; "), 90))
                };
                format!("routeur « {} » : {}{off}", tell::cut(name, 50), tell::cut(&router.rule, 80))
            })
            .collect();
        noted.extend(said::errors(gate.world, &self.via).await?);
        let off = view.routers_of(host).any(|(_, r)| !r.is_on());
        Ok(Miss {
            headline: format!("aucun routeur en vigueur pour {host}"),
            observed: if off {
                format!("le routeur de {host} est désactivé")
            } else {
                format!("{} routeur(s) listé(s), aucun pour {host}", view.routers.len())
            },
            noted,
            hint: "Traefik ne connaît que les services qui se sont déclarés et qui sont en bonne santé"
                .to_owned(),
            try_it: format!("curl -ks {}", self.url(api::RAW)),
            ..self.base(gate)
        })
    }

    /// The answer is right, but no router leads to Traefik's own service.
    fn borrowed(&self, gate: &Gate<'_>, view: &View) -> Miss {
        let through: Vec<&str> = view
            .routers_of(&self.host)
            .filter(|(name, _)| !name.ends_with("@internal"))
            .map(|(_, r)| r.service.as_str())
            .collect();
        Miss {
            headline: format!("{} n'est pas servi par Traefik lui-même", self.host),
            observed: format!("services de ses routeurs : {}", tell::cut(&tell::names(&through), 120)),
            control: format!("{} répond", self.url(api::RAW)),
            hint: "Traefik a un service interne pour son API : le port sans protection n'est pas nécessaire"
                .to_owned(),
            ..self.base(gate)
        }
    }

    /// Whether the API is open to everybody on its insecure port.
    async fn insecure(&self, gate: &Gate<'_>) -> Result<bool, Fault> {
        let mut ask = wire::Http::get(gate.ip.to_string(), INSECURE, api::RAW);
        ask.timeout_ms = 1_000;
        let seen = gate.send(ask).await?;
        Ok(seen.is_ok_and(|a| a.status == 200 && a.body.contains("\"routers\"")))
    }
}

/// Whether the list holds a router in force for that host.
fn lists(view: &View, host: &str) -> bool {
    view.routers_of(host).any(|(name, r)| r.is_on() && !name.ends_with("@internal"))
}

/// The router that serves Traefik's own service for that host. Those of `api.insecure` do not count.
fn own<'a>(view: &'a View, host: &'a str) -> Option<(&'a str, &'a Router)> {
    view.routers_of(host)
        .find(|(name, r)| r.is_on() && !name.ends_with("@internal") && r.service.ends_with("@internal"))
}

#[async_trait]
impl Check for Dashboard {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        check_host("dashboard.host", &self.host)?;
        self.lists.iter().try_for_each(|h| check_host("dashboard.lists", h))
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let gate = match Gate::open(cx.world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let good = |seen: &Seen| seen.as_ref().is_ok_and(is_page);
        let ask = || gate.send(gate.secure(self.port, &self.host, PAGE));
        let seen = kit::patiently(PATIENCE, good, ask).await?;
        if !good(&seen) {
            return tell::fail(self.no_page(&gate, &seen).await?);
        }
        let mut facts = vec![Fact::new("page", 200, format!("{} : la page", self.url(PAGE)))];
        let short = gate.send(gate.secure(self.port, &self.host, PAGE.trim_end_matches('/'))).await?;
        if let Ok(answer) = short {
            let to =
                answer.header("location").map(|l| format!(" vers {}", tell::cut(l, 80))).unwrap_or_default();
            facts.push(Fact::new(
                "page-short",
                answer.status,
                format!("sans la barre finale : {}{to}", answer.status),
            ));
        }
        let full = |seen: &Result<View, Silence>| {
            seen.as_ref().is_ok_and(|view| self.lists.iter().all(|h| lists(view, h)))
        };
        let view = match kit::patiently(PATIENCE, full, || api::view(&gate, &self.host)).await? {
            Ok(view) => view,
            Err(silence) => return tell::fail(Miss { facts, ..self.no_api(&gate, &silence).await? }),
        };
        for host in &self.lists {
            if !lists(&view, host) {
                return tell::fail(Miss { facts, ..self.unlisted(&gate, &view, host).await? });
            }
        }
        let Some((name, own)) = own(&view, &self.host) else {
            return tell::fail(Miss { facts, ..self.borrowed(&gate, &view) });
        };
        facts.push(Fact::new(
            "routers",
            view.routers.len(),
            format!("{} routeurs en vigueur, dont ceux de {}", view.routers.len(), self.lists.join(" et ")),
        ));
        facts.push(Fact::new(
            "internal",
            name,
            format!("servi par le routeur « {} » ({})", tell::cut(name, 50), tell::cut(&own.service, 40)),
        ));
        if self.insecure(&gate).await? {
            facts.push(Fact::new(
                "insecure",
                INSECURE,
                format!(
                    "attention : le port {INSECURE} montre aussi l'API, sans TLS ni routeur (api.insecure)"
                ),
            ));
        }
        tell::pass(facts)
    }
}
