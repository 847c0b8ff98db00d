//! Why a host is not served: Traefik's own 404, a gateway error, a loop, TLS, or nobody at all.

use super::world::World;
use super::{Gate, Miss, Route, Seen, api, is_unrouted, kit, rule, said, servers, tell, wire};
use crate::error::Fault;

impl Route {
    /// The miss for anything but the status that was wanted.
    pub(super) async fn unserved(&self, gate: &Gate<'_>, seen: &Seen) -> Result<Miss, Fault> {
        let mut miss = match seen {
            Err(failure)
                if failure.stage == wire::Stage::Head && failure.kind == wire::FailureKind::Timeout =>
            {
                self.gateway(gate, "aucune réponse de Traefik, qui attend lui-même le service").await?
            }
            Err(failure) => {
                let told = gate.unreached(self.port, &self.host, failure).await?;
                Miss { expected: self.base().expected, try_it: self.base().try_it, ..told }
            }
            Ok(answer) if is_unrouted(answer) => self.unrouted(gate).await?,
            Ok(answer) if matches!(answer.status, 500 | 502..=504) => {
                let words = match answer.status {
                    502 => "502 Bad Gateway : la connexion au service a échoué",
                    503 => "503 Service Unavailable : Traefik n'a aucun serveur à qui confier la requête",
                    504 => "504 Gateway Timeout : le service n'a pas répondu à Traefik",
                    _ => "500 Internal Server Error",
                };
                self.gateway(gate, words).await?
            }
            Ok(answer) if (300..400).contains(&answer.status) => self.redirected(gate.world, answer),
            Ok(answer) => self.other(answer),
        };
        miss.noted.extend(said::errors(gate.world, &self.via).await?);
        miss.noted.truncate(6);
        Ok(miss)
    }

    /// Traefik's 404: no router wants this request.
    async fn unrouted(&self, gate: &Gate<'_>) -> Result<Miss, Fault> {
        let mut miss = Miss {
            headline: format!("aucun routeur de Traefik ne veut de {}", self.url()),
            observed: "404 page not found, réponse de Traefik lui-même".to_owned(),
            place: said::place_of(gate.world, (&self.via, &self.to), &[".rule=", ".rule:", "rule:"], "règle écrite ici"),
            hint: "Traefik ne voit que les services qui le demandent, et un routeur n'accepte HTTPS que si TLS y est activé"
                .to_owned(),
            ..self.base()
        };
        let Ok(view) = api::view(gate, &self.dashboard).await? else { return Ok(miss) };
        let routers: Vec<_> = view.routers.iter().filter(|(n, _)| !n.ends_with("@internal")).collect();
        for (name, router) in routers.iter().take(4) {
            let more = match (router.is_on(), router.tls.is_some()) {
                (false, _) => format!(", désactivé : {}", tell::cut(&router.error.join(" ; "), 90)),
                (true, false) => format!(", sans TLS, sur {}", tell::names(&router.entry_points)),
                (true, true) => String::new(),
            };
            miss.noted.push(format!(
                "routeur « {} » : {}{more}",
                tell::cut(name, 50),
                tell::cut(&router.rule, 80)
            ));
        }
        let mine: Vec<_> = routers.iter().filter(|(_, r)| rule::speaks_of(&r.rule, &self.host)).collect();
        let host = &self.host;
        let (observed, hint) = if mine.is_empty() {
            (
                format!("404 de Traefik, qui ne connaît aucun routeur pour {host}"),
                "Traefik n'a rien reçu de ce service : s'est-il déclaré, et est-il en bonne santé ?",
            )
        } else if mine.iter().any(|(_, r)| !r.is_on()) {
            (
                format!("404 de Traefik : un routeur de {host} est désactivé"),
                "l'erreur dit ce que Traefik n'accepte pas dans ce routeur",
            )
        } else if mine.iter().any(|(_, r)| r.tls.is_none()) {
            (
                format!("404 de Traefik : un routeur de {host} n'accepte que des requêtes en clair"),
                "sans TLS, un routeur ne prend pas les requêtes HTTPS, même sur le bon point d'entrée",
            )
        } else {
            (
                format!("404 de Traefik : aucun des routeurs de {host} ne prend ce chemin"),
                "comparez la règle de chaque routeur, et ses points d'entrée, avec la requête",
            )
        };
        miss.observed = observed;
        hint.clone_into(&mut miss.hint);
        Ok(miss)
    }

    /// A router took the request, but the service behind did not answer.
    async fn gateway(&self, gate: &Gate<'_>, words: &str) -> Result<Miss, Fault> {
        let mut miss = Miss {
            headline: format!("Traefik n'obtient rien du service derrière {}", self.host),
            observed: words.to_owned(),
            place: said::place_of(
                gate.world,
                (&self.via, &self.to),
                &["loadbalancer.server.port", "loadBalancer", "traefik.docker.network"],
                "adresse donnée à Traefik ici",
            ),
            hint: "Traefik s'adresse-t-il au bon port, et par un réseau qu'il partage avec le service ?"
                .to_owned(),
            ..self.base()
        };
        miss.control = self.alive(gate).await?;
        let Ok(view) = api::view(gate, &self.dashboard).await? else { return Ok(miss) };
        let atlas = servers::Atlas::draw(gate.world).await?;
        let shared: Vec<&str> = atlas.of(&self.via).map(|(_, network)| network).collect();
        for server in self.servers(&view) {
            miss.noted.push(format!("Traefik s'adresse à {}", atlas.told(&server)));
            let Some(target) = servers::target(&server) else { continue };
            let network = target.host.parse().ok().and_then(|ip| atlas.at(ip)).map(|(_, n)| n);
            if let Some(network) = network.filter(|n| !shared.contains(n)) {
                miss.hint =
                    format!("« {} » n'est pas sur « {network} » : rien ne peut passer par là", self.via);
            } else if target.port.is_some_and(|p| p != self.to_port) {
                "sur quel port de son conteneur ce service écoute-t-il ?".clone_into(&mut miss.hint);
            }
        }
        Ok(miss)
    }

    /// Servers behind the routers of this host.
    fn servers(&self, view: &api::View) -> Vec<String> {
        let mut found = Vec::new();
        for (name, router) in view.routers_of(&self.host) {
            let provider = name.rsplit_once('@').map_or("", |(_, p)| p);
            let full = if router.service.contains('@') {
                router.service.clone()
            } else {
                format!("{}@{provider}", router.service)
            };
            let servers = view.services.get(&full).into_iter().flat_map(api::Service::servers);
            found.extend(servers.map(str::to_owned));
        }
        found.dedup();
        found.truncate(4);
        found
    }

    fn redirected(&self, world: &dyn World, answer: &wire::HttpAnswer) -> Miss {
        let to = tell::cut(answer.header("location").unwrap_or("(sans Location)"), 100);
        let looping = to.trim_end_matches('/') == self.url().trim_end_matches('/');
        Miss {
            headline: if looping {
                format!("{} se redirige vers elle-même", self.url())
            } else {
                format!("{} redirige au lieu de répondre", self.url())
            },
            observed: format!("{} vers {to}", answer.status),
            place: said::place(
                world,
                &self.to,
                &["redirectscheme", "redirectScheme"],
                "redirection demandée ici",
            ),
            hint: if looping {
                "une redirection vers HTTPS n'a de sens que sur le point d'entrée en clair".to_owned()
            } else {
                "qui redirige : Traefik ou l'application ?".to_owned()
            },
            ..self.base()
        }
    }

    fn other(&self, answer: &wire::HttpAnswer) -> Miss {
        let body = tell::cut(&answer.body, 120);
        Miss {
            headline: format!("GET {} répond {}", self.url(), answer.status),
            observed: format!("{} {}", answer.status, tell::cut(&answer.reason, 40)),
            noted: if body.is_empty() { vec![] } else { vec![format!("corps : {body}")] },
            hint: match answer.status {
                404 => "la requête atteint bien une application : y arrive-t-elle avec le même chemin ?",
                401 => "une authentification est demandée ici, alors que l'énoncé n'en veut pas",
                403 => "un middleware refuse cette adresse, alors que ce chemin est ouvert à tous",
                _ => "comparez le code renvoyé et celui de l'énoncé",
            }
            .to_owned(),
            ..self.base()
        }
    }

    /// Whether the service answers when it is asked directly, in words.
    async fn alive(&self, gate: &Gate<'_>) -> Result<String, Fault> {
        let found = kit::running(gate.world, &self.to).await?;
        let Some(ip) = kit::own_ip(&found) else { return Ok(String::new()) };
        let ask = wire::Http::get(ip.to_string(), self.to_port, &self.path);
        Ok(match kit::http(gate.world, &kit::inside(&self.to), ask).await?.0 {
            Ok(answer) => format!("« {} » répond {} sur son port {}", self.to, answer.status, self.to_port),
            Err(failure) => {
                format!("« {} », interrogé sur son port {} : {}", self.to, self.to_port, tell::why(&failure))
            }
        })
    }
}
