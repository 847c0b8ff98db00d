//! Why a service is not collected: the difference between a missing target, a wrong port, a wrong
//! name, no shared network, a closed port, a wrong path and a page that holds no metrics.

use super::locate::Located;
use super::{Look, Targets, Wanted};
use crate::check::metrics::parse::parse;
use crate::check::prom::{Health, Prom, told};
use crate::check::world::wire;
use crate::check::{Cx, kit, tell};
use crate::error::Fault;
use crate::event::Miss;

/// What the probe got where Prometheus scrapes.
enum Page {
    /// Metrics.
    Good,
    /// Another status than 200.
    Status(u16),
    /// A page that is not metrics: its beginning.
    Odd(String),
    /// No answer.
    Failed(wire::Failure),
    /// Not looked at (https).
    Unseen,
}

async fn page(cx: &Cx<'_>, prom: &Prom<'_>, located: &Located) -> Result<Page, Fault> {
    let url = &located.url;
    if url.scheme != "http" {
        return Ok(Page::Unseen);
    }
    let ask = wire::Http::get(url.host.clone(), url.port, url.path.clone());
    Ok(match kit::http(cx.world, prom.vantage(), ask).await?.0 {
        Err(failure) => Page::Failed(failure),
        Ok(answer) if answer.status != 200 => Page::Status(answer.status),
        Ok(answer) if parse(&answer.body).samples.is_empty() => Page::Odd(tell::cut(&answer.body, 60)),
        Ok(_) => Page::Good,
    })
}

/// Whether the page of a target, asked as Prometheus does, holds metrics right now.
pub(super) async fn is_readable(cx: &Cx<'_>, prom: &Prom<'_>, located: &Located) -> Result<bool, Fault> {
    Ok(matches!(page(cx, prom, located).await?, Page::Good | Page::Unseen))
}

/// Networks that two services share, by their containers.
async fn shared(cx: &Cx<'_>, a: &str, b: &str) -> Result<bool, Fault> {
    let (a, b) = (kit::running(cx.world, a).await?, kit::running(cx.world, b).await?);
    Ok(!kit::networks(&a).is_disjoint(&kit::networks(&b)))
}

/// Networks that a service declares, as a list.
fn networks(cx: &Cx<'_>, service: &str) -> String {
    let declared = cx.world.declared().services.get(service).map(|s| s.networks.clone()).unwrap_or_default();
    if declared.is_empty() { "default".to_owned() } else { declared.join(", ") }
}

/// The service that answers at a target, when it is one of the stack.
async fn owner(cx: &Cx<'_>, located: &Located) -> Result<Option<String>, Fault> {
    for service in cx.world.declared().services.keys() {
        if located.reached.is_at(&kit::addresses(&kit::running(cx.world, service).await?)) {
            return Ok(Some(service.clone()));
        }
    }
    Ok(None)
}

/// What all misses of a wanted service share; `near` is the URL of the target in question.
fn base(cx: &Cx<'_>, wanted: &Wanted, near: &str) -> Miss {
    let host = near.split("://").nth(1).and_then(|r| r.split('/').next()).unwrap_or_default();
    Miss {
        headline: format!("Prometheus ne collecte pas « {wanted} »"),
        expected: format!("une cible « up » dont l'adresse est bien celle de « {wanted} »"),
        place: told::in_config(
            cx.world,
            &[host, "static_configs", "scrape_configs"],
            if host.is_empty() { "cibles attendues ici" } else { "cible en cause" },
        ),
        try_it: "curl -s 'http://localhost:9090/api/v1/targets?state=active'".to_owned(),
        ..Miss::default()
    }
}

impl Targets {
    /// The services that are not collected, without a word of why.
    pub(super) fn lacking(&self, look: &Look) -> Option<Miss> {
        let up = |i: usize| {
            self.best(look, i).is_some_and(|best| {
                let job = self.up[i].job.as_ref();
                best.target.health == Health::Up
                    && job.is_none_or(|job| best.target.labels.get("job") == Some(job))
            })
        };
        let lacking: Vec<&str> =
            (0..self.up.len()).filter(|i| !up(*i)).map(|i| self.up[i].service.as_str()).collect();
        let collected = self.up.len() - lacking.len();
        (!lacking.is_empty()).then(|| Miss {
            headline: format!("Prometheus ne lit pas les métriques de {}", tell::names(&lacking)),
            expected: format!(
                "une cible « up » pour chacun des {} services, à sa propre adresse",
                self.up.len()
            ),
            observed: format!("aucune cible « up » ne mène à {}", tell::names(&lacking)),
            control: if collected == 0 { String::new() } else { format!("pour les {collected} autres, oui") },
            hint: "la page des cibles dit ce que Prometheus a demandé, et ce qu'il a obtenu".to_owned(),
            try_it: "curl -s 'http://localhost:9090/api/v1/targets?state=active'".to_owned(),
            ..Miss::default()
        })
    }

    /// The miss when Prometheus stops answering in the middle.
    pub(super) async fn lost(&self, cx: &Cx<'_>, prom: &Prom<'_>) -> Result<Miss, Fault> {
        match prom.targets().await? {
            Err(trouble) => told::silent(cx.world, &self.service, self.port, &trouble).await,
            Ok(_) => Err(kit::noise("l'API de Prometheus ne répond que par moments")),
        }
    }

    /// The miss of a wanted service, or `None` when it is collected.
    pub(super) async fn explain(
        &self,
        cx: &Cx<'_>,
        prom: &Prom<'_>,
        look: &Look,
        i: usize,
    ) -> Result<Option<Miss>, Fault> {
        let wanted = &self.up[i];
        let Some(best) = self.best(look, i) else {
            return Ok(Some(self.unmet(cx, look, i).await?));
        };
        let target = &best.target;
        let url = tell::cut(&target.scrape_url, 80);
        let base = base(cx, wanted, &target.scrape_url);
        let job = target.labels.get("job").map_or("", String::as_str);
        match target.health {
            Health::Up => Ok(wanted.job.as_ref().filter(|asked| *asked != job).map(|asked| Miss {
                headline: format!("la cible « {wanted} » porte un autre nom de job"),
                expected: format!("job = « {asked} »"),
                observed: format!("job = « {} » pour {url}", tell::cut(job, 60)),
                hint: "les requêtes et les alertes retrouvent la cible par ce nom".to_owned(),
                ..base
            })),
            Health::Unknown => Ok(Some(Miss {
                headline: format!("« {wanted} » n'a pas encore été collecté"),
                observed: format!(
                    "{url} : aucune collecte, l'intervalle est de {}",
                    tell::cut(&target.scrape_interval, 20)
                ),
                hint: "un intervalle long retarde d'autant la première mesure".to_owned(),
                ..base
            })),
            Health::Down => Ok(Some(self.down(cx, prom, best, wanted, base).await?)),
        }
    }

    /// A target that leads to the right place and is down.
    async fn down(
        &self,
        cx: &Cx<'_>,
        prom: &Prom<'_>,
        best: &Located,
        wanted: &Wanted,
        base: Miss,
    ) -> Result<Miss, Fault> {
        use wire::FailureKind as K;
        let error = tell::cut(&best.target.last_error, 160);
        let path = tell::cut(&best.url.path, 60);
        let seen = page(cx, prom, best).await?;
        let (observed, hint) = match &seen {
            Page::Failed(failure) if failure.kind == K::Refused => (
                format!("connexion refusée sur {wanted}"),
                "le nom mène au bon conteneur, mais rien n'y écoute sur ce port",
            ),
            Page::Failed(failure) => {
                let apart = !shared(cx, &self.service, &wanted.service).await?;
                let hint = if apart {
                    "Prometheus et ce service ne sont sur aucun réseau commun"
                } else {
                    "essayez la même adresse depuis le conteneur de Prometheus"
                };
                (tell::why(failure), hint)
            }
            Page::Status(status) => (
                format!("GET {path} : {status}"),
                if *status == 404 {
                    "le service répond, mais ses métriques ne sont pas à ce chemin"
                } else {
                    "le service répond, mais refuse de donner ses métriques à Prometheus"
                },
            ),
            Page::Odd(body) => (
                format!("GET {path} répond 200, mais ce ne sont pas des métriques : {body}"),
                "Prometheus ne lit que le format texte des métriques",
            ),
            Page::Good | Page::Unseen => {
                ("la dernière collecte a échoué".to_owned(), "le message de Prometheus dit à quelle étape")
            }
        };
        Ok(Miss {
            headline: format!("la cible « {wanted} » est « down »"),
            observed,
            control: match seen {
                Page::Good => {
                    "la même page, demandée depuis le conteneur de Prometheus, est lisible".to_owned()
                }
                _ => "demandé depuis le conteneur de Prometheus, même échec".to_owned(),
            },
            noted: if error.is_empty() { vec![] } else { vec![format!("Prometheus dit : {error}")] },
            hint: hint.to_owned(),
            ..base
        })
    }

    /// No target leads to the wanted service on its port: what is there instead?
    async fn unmet(&self, cx: &Cx<'_>, look: &Look, i: usize) -> Result<Miss, Fault> {
        let wanted = &self.up[i];
        let listed: Vec<String> =
            look.located.iter().take(8).map(|l| tell::cut(&l.target.scrape_url, 80)).collect();
        let noted = match listed.as_slice() {
            [] => vec!["Prometheus n'a aucune cible".to_owned()],
            some => vec![format!("cibles configurées : {}", some.join(", "))],
        };
        // It leads to the right container, by another port.
        if let Some(other) = self.leading(look, i).first() {
            return Ok(Miss {
                headline: format!("Prometheus demande « {} » sur un autre port", wanted.service),
                observed: format!("port {} au lieu de {}", other.url.port, wanted.port),
                control: format!("l'adresse est bien celle de « {} »", wanted.service),
                noted,
                hint: "entre conteneurs, c'est le port du processus qui compte, pas celui publié".to_owned(),
                ..base(cx, wanted, &other.target.scrape_url)
            });
        }
        let own = look.located.iter().find(|l| l.reached.is_loopback() && l.url.port == wanted.port);
        if let Some(own) = own.filter(|_| wanted.service != self.service) {
            return Ok(Miss {
                observed: format!("cible {}", tell::cut(&own.target.scrape_url, 80)),
                noted,
                hint: "dans le conteneur de Prometheus, « localhost » désigne Prometheus lui-même".to_owned(),
                ..base(cx, wanted, &own.target.scrape_url)
            });
        }
        let named = look.located.iter().find(|l| l.url.host == wanted.service && l.reached.is_unknown());
        if let Some(named) = named {
            let apart = !shared(cx, &self.service, &wanted.service).await?;
            let why = named.reached.failure.as_ref().map(tell::why).unwrap_or_default();
            return Ok(Miss {
                observed: format!("« {} » depuis « {} » : {why}", wanted.service, self.service),
                control: if apart {
                    format!("« {} » et « {} » n'ont aucun réseau commun", self.service, wanted.service)
                } else {
                    String::new()
                },
                noted,
                place: tell::at_networks(cx.world, &self.service, &networks(cx, &self.service)),
                hint: "un nom de service ne se résout qu'entre conteneurs qui partagent un réseau".to_owned(),
                ..base(cx, wanted, &named.target.scrape_url)
            });
        }
        let unknown = look.located.iter().filter(|l| l.reached.is_unknown());
        let lost =
            unknown.min_by_key(|l| (l.url.port != wanted.port, tell::distance(&l.url.host, &wanted.service)));
        if let Some(lost) = lost {
            let why = lost.reached.failure.as_ref().map(tell::why).unwrap_or_default();
            return Ok(Miss {
                observed: format!("« {} » : {why}", tell::cut(&lost.url.host, 60)),
                noted,
                hint: "les noms que Prometheus peut résoudre sont ceux des services du fichier Compose"
                    .to_owned(),
                ..base(cx, wanted, &lost.target.scrape_url)
            });
        }
        // Right in its name, its port or its job, but somebody else answers there.
        let alike = look.located.iter().filter(|l| !l.reached.addresses.is_empty()).find(|l| {
            let job = wanted.job.is_some() && l.target.labels.get("job") == wanted.job.as_ref();
            job || l.url.port == wanted.port || l.url.host == wanted.service
        });
        if let Some(alike) = alike {
            let owner = owner(cx, alike).await?;
            return Ok(Miss {
                observed: format!(
                    "{} mène à {}, pas à « {} »",
                    tell::cut(&alike.target.scrape_url, 80),
                    owner
                        .map_or_else(|| "une adresse étrangère à la pile".to_owned(), |o| format!("« {o} »")),
                    wanted.service
                ),
                noted,
                hint: "une cible « up » sous le bon nom peut être celle d'un autre".to_owned(),
                ..base(cx, wanted, &alike.target.scrape_url)
            });
        }
        let written = told::in_config(cx.world, &[&wanted.to_string()], "écrite ici, absente en vigueur");
        let base = base(cx, wanted, "");
        Ok(Miss {
            observed: "aucune cible ne mène à ce service".to_owned(),
            noted,
            hint: if written.is_some() {
                "la configuration que Prometheus applique n'est pas ce fichier-là : lequel lit-il, et d'où vient-il ?"
            } else {
                "chaque service à surveiller se déclare dans la configuration de Prometheus"
            }
            .to_owned(),
            try_it: if written.is_some() {
                "curl -s http://localhost:9090/api/v1/status/config".to_owned()
            } else {
                base.try_it
            },
            place: written.or(base.place),
            ..base
        })
    }
}
