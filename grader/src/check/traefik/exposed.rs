//! `exposed-only`: nothing leads through the reverse proxy to services that did not ask for it.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::api::{self, Silence, View};
use super::gate::Gate;
use super::servers::{Atlas, resolve};
use super::world::wire;
use super::{Check, Cx, Experiments, Stage, check_host, is_unrouted, kit, port_https, said, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::strain;

/// Services that the proxy must not lead to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExposedOnly {
    /// Service of Traefik.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host of the dashboard, whose API tells the configuration in force.
    pub host: String,
    /// Services that nothing must lead to.
    pub hidden: Vec<String>,
}

/// Traefik may still be reading what the engine tells it.
const PATIENCE: Duration = Duration::from_secs(8);
/// A configuration may lag behind the engine that long: Traefik takes a new one at most every two
/// seconds (`providersThrottleDuration`), and one that has just come up takes a healthy container for
/// one that is still starting. What is absent earlier than this may simply be late.
const FRESH: Duration = Duration::from_millis(2_500);

/// A way to a service that must stay hidden.
struct Way {
    service: String,
    /// As Traefik names it.
    name: String,
    server: String,
    routers: Vec<String>,
}

impl ExposedOnly {
    fn base(&self, gate: &Gate<'_>) -> Miss {
        Miss {
            expected: format!("aucun routeur ni service de Traefik ne mène à {}", tell::names(&self.hidden)),
            place: said::place(
                gate.world,
                &self.via,
                &["exposedbydefault", "exposedByDefault", "providers.docker", "docker:"],
                "fournisseur Docker configuré ici",
            ),
            try_it: format!("curl -ks https://{}{}", self.host, api::RAW),
            ..Miss::default()
        }
    }

    /// Every way to a hidden service in the configuration in force.
    async fn ways(&self, gate: &Gate<'_>, view: &View) -> Result<Vec<Way>, Fault> {
        let atlas = Atlas::draw(gate.world).await?;
        let mut found = Vec::new();
        for (name, service) in view.all_services() {
            for server in service.servers() {
                for ip in resolve(gate.world, &self.via, server).await? {
                    let Some((owner, _)) = atlas.at(ip).filter(|(o, _)| self.hidden.iter().any(|h| h == o))
                    else {
                        continue;
                    };
                    found.push(Way {
                        service: owner.to_owned(),
                        name: tell::cut(name, 60),
                        server: tell::cut(server, 60),
                        routers: service.used_by.iter().map(|r| tell::cut(r, 60)).collect(),
                    });
                }
            }
        }
        Ok(found)
    }

    /// The configuration in force once Traefik has read its providers and leads somewhere, which is the
    /// control; at once when it leads to a hidden service, else when what is absent can no longer be late.
    async fn fresh(&self, gate: &Gate<'_>) -> Result<Result<View, Silence>, Fault> {
        let began = Instant::now();
        let told = |seen: &(Result<View, Silence>, bool)| {
            let settled = began.elapsed() >= FRESH.mul_f64(strain());
            seen.1 || (settled && seen.0.as_ref().is_ok_and(leads))
        };
        let look = || async {
            let seen = api::view(gate, &self.host).await?;
            let caught = match &seen {
                Ok(view) => !self.ways(gate, view).await?.is_empty(),
                Err(_) => false,
            };
            Ok((seen, caught))
        };
        Ok(kit::patiently(PATIENCE, told, look).await?.0)
    }

    fn shown(&self, gate: &Gate<'_>, ways: &[Way]) -> Miss {
        let first = &ways[0];
        let noted = ways
            .iter()
            .take(4)
            .map(|w| {
                let by = if w.routers.is_empty() {
                    "aucun routeur".to_owned()
                } else {
                    format!("routeur {}", tell::names(&w.routers))
                };
                format!("service « {} » → {} (« {} »), {by}", w.name, w.server, w.service)
            })
            .collect();
        Miss {
            headline: format!("Traefik expose « {} », qui doit rester hors d'atteinte", first.service),
            observed: format!("le service « {} » de Traefik mène à {}", first.name, first.server),
            noted,
            hint: "exposedByDefault vaut true quand il n'est pas écrit ; à false, Traefik ne prend que les conteneurs étiquetés traefik.enable=true".to_owned(),
            ..self.base(gate)
        }
    }
}

#[async_trait]
impl Check for ExposedOnly {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.hidden.is_empty() {
            return Err("exposed-only.hidden est vide".into());
        }
        check_host("exposed-only.host", &self.host)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        for service in &self.hidden {
            if let Some(miss) = tell::absent(world.declared(), service) {
                return tell::fail(miss);
            }
            if kit::settled(world, service, Duration::from_secs(2)).await?.is_empty() {
                return Err(kit::noise(format!(
                    "« {service} » n'est pas en marche : rien ne peut être prouvé"
                )));
            }
        }
        let seen = self.fresh(&gate).await?;
        let view = match seen {
            Ok(view) if leads(&view) => view,
            Ok(_) => return tell::fail(self.empty(&gate).await?),
            Err(silence) => return tell::fail(self.silent(&gate, &silence).await?),
        };
        let leading: Vec<String> = view
            .all_services()
            .filter(|(_, s)| s.servers().next().is_some())
            .map(|(name, _)| tell::cut(name, 60))
            .collect();
        let mut facts = vec![Fact::new(
            "services",
            leading.len(),
            format!("témoin : Traefik mène bien à {}", tell::names(&leading)),
        )];
        let ways = self.ways(&gate, &view).await?;
        if !ways.is_empty() {
            return tell::fail(Miss { facts, ..self.shown(&gate, &ways) });
        }
        for service in &self.hidden {
            for host in default_hosts(&gate, &view, service) {
                let seen = gate.send(gate.secure(self.port, &host, "/")).await?;
                if reaches(&seen) {
                    return tell::fail(Miss { facts, ..self.answers(&gate, service, &host, &seen) });
                }
                facts.push(Fact::new(
                    &format!("host:{host}"),
                    seen.as_ref().map(|a| a.status).unwrap_or_default(),
                    match &seen {
                        Ok(answer) if is_unrouted(answer) => format!("https://{host}/ : 404 de Traefik"),
                        Ok(answer) => format!("https://{host}/ : {}", answer.status),
                        Err(failure) => format!("https://{host}/ : {}", tell::why(failure)),
                    },
                ));
            }
        }
        tell::pass(facts)
    }
}

/// Whether a configuration leads anywhere.
fn leads(view: &View) -> bool {
    view.all_services().any(|(_, s)| s.servers().next().is_some())
}

/// Hosts by which Traefik's default rule would serve a hidden service: its name and the project's,
/// which Traefik shows in the names that it makes itself (`traefik-tp@docker`).
fn default_hosts(gate: &Gate<'_>, view: &View, service: &str) -> Vec<String> {
    let declared = gate.world.declared().services.keys();
    let mut projects: Vec<String> = declared
        .flat_map(|s| view.services.keys().filter_map(move |n| n.strip_prefix(s.as_str())?.strip_prefix('-')))
        .filter_map(|rest| rest.strip_suffix("@docker").map(str::to_owned))
        .chain([gate.world.project()])
        .filter(|p| !p.is_empty())
        .collect();
    projects.sort();
    projects.dedup();
    let mut hosts = vec![service.to_owned(), format!("{service}.localhost")];
    hosts.extend(projects.iter().map(|p| format!("{service}-{p}")));
    hosts.into_iter().map(|h| h.replace('_', "-")).filter(|h| check_host("host", h).is_ok()).collect()
}

/// Whether a router took the request and sent it to something that speaks no HTTP.
fn reaches(seen: &Result<wire::HttpAnswer, wire::Failure>) -> bool {
    match seen {
        Ok(answer) => matches!(answer.status, 500 | 502..=504),
        Err(failure) => failure.kind == wire::FailureKind::Timeout && failure.stage == wire::Stage::Head,
    }
}

impl ExposedOnly {
    /// Traefik knows nothing: that proves nothing.
    async fn empty(&self, gate: &Gate<'_>) -> Result<Miss, Fault> {
        Ok(Miss {
            headline: "Traefik ne mène à aucun service".to_owned(),
            observed: "aucun serveur dans sa configuration en vigueur".to_owned(),
            noted: said::errors(gate.world, &self.via).await?,
            hint: "ne rien exposer du tout ne prouve pas que l'on n'expose que ce qui le demande".to_owned(),
            ..self.base(gate)
        })
    }

    async fn silent(&self, gate: &Gate<'_>, silence: &Silence) -> Result<Miss, Fault> {
        Ok(Miss {
            headline: "l'API de Traefik ne dit pas ce qu'il expose".to_owned(),
            observed: silence.told(api::RAW),
            noted: said::errors(gate.world, &self.via).await?,
            hint: "réparez d'abord le tableau de bord : c'est lui qui montre la configuration en vigueur"
                .to_owned(),
            ..self.base(gate)
        })
    }

    fn answers(
        &self,
        gate: &Gate<'_>,
        service: &str,
        host: &str,
        seen: &Result<wire::HttpAnswer, wire::Failure>,
    ) -> Miss {
        Miss {
            headline: format!("Traefik mène à « {service} » par l'hôte {host}"),
            observed: match seen {
                Ok(answer) => format!("https://{host}/ : {}, et non 404", answer.status),
                Err(failure) => format!("https://{host}/ : {}", tell::why(failure)),
            },
            hint: "la règle par défaut de Traefik fabrique un hôte pour chaque conteneur exposé".to_owned(),
            ..self.base(gate)
        }
    }
}
