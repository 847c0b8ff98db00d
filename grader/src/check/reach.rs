//! `reach`: a TCP port is reached by its name, and answers.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::inside::inside;
use super::world::{Vantage, World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::french;

/// A TCP port is reached by the name of its service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reach {
    /// Service that connects.
    pub from: String,
    /// Service that is reached.
    pub to: String,
    /// Port.
    pub port: u16,
    /// Path of an HTTP GET that must get an answer.
    #[serde(default)]
    pub http: Option<String>,
}

/// A server may still be starting: it has this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Redirections that are followed.
const HOPS: usize = 4;

impl Reach {
    async fn answer(&self, cx: &Cx<'_>, from: &Vantage, ask: wire::Http) -> kit::Asked<wire::HttpAnswer> {
        let there = |seen: &(Result<wire::HttpAnswer, wire::Failure>, kit::When)| seen.0.is_ok();
        Ok(kit::patiently(PATIENCE, there, || kit::http(cx.world, from, ask.clone())).await?.0)
    }

    /// Where an answer that is a redirection leads, as a browser would follow it.
    fn next(&self, answer: &wire::HttpAnswer) -> Option<wire::Http> {
        let to = answer.header("location").filter(|_| (300..400).contains(&answer.status))?;
        let (tls, rest) = match to.split_once("://") {
            Some((scheme, rest)) => (scheme.eq_ignore_ascii_case("https"), rest),
            None if to.starts_with('/') => return Some(wire::Http::get(&self.to, self.port, to)),
            None => return None,
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, if tls { 443 } else { 80 }),
        };
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(wire::Http { tls: tls.then(wire::TlsPart::default), ..wire::Http::get(host, port, &path) })
    }

    /// The answer where the redirections end, and the address of the last one.
    async fn followed(
        &self,
        cx: &Cx<'_>,
        from: &Vantage,
        path: &str,
    ) -> Result<(Result<wire::HttpAnswer, wire::Failure>, Option<String>), Fault> {
        let mut answer = self.answer(cx, from, wire::Http::get(&self.to, self.port, path)).await?;
        let mut led = None;
        for _ in 0..HOPS {
            let Some(next) = answer.as_ref().ok().and_then(|answer| self.next(answer)) else { break };
            let scheme = if next.tls.is_some() { "https" } else { "http" };
            led = Some(format!("{scheme}://{}:{}{}", next.host, next.port, next.path));
            answer = self.answer(cx, from, next).await?;
        }
        Ok((answer, led))
    }

    fn name(&self) -> String {
        format!("{}:{}", self.to, self.port)
    }

    fn base(&self, world: &dyn World) -> Miss {
        Miss {
            headline: format!("« {} » n'atteint pas {}", self.from, self.name()),
            expected: format!(
                "depuis « {} », {} {}",
                self.from,
                self.name(),
                if self.http.is_some() { "répond en HTTP" } else { "accepte une connexion" }
            ),
            try_it: match &self.http {
                Some(path) => inside(world, &self.from, &format!("wget -qO- http://{}{path}", self.name())),
                None => inside(world, &self.from, &format!("nc -zv {} {}", self.to, self.port)),
            },
            ..Miss::default()
        }
    }

    /// Says why the connection failed: not listening, or only on the loopback.
    async fn unreached(&self, cx: &Cx<'_>, failure: &wire::Failure) -> Result<Miss, Fault> {
        let inside = kit::tcp(cx.world, &kit::inside(&self.to), "127.0.0.1", self.port, 2_000).await?;
        let mut miss = self.base(cx.world);
        miss.observed = tell::why(failure);
        let refused = failure.kind == wire::FailureKind::Refused;
        miss.control = match (&inside, refused) {
            (Ok(_), true) => format!("dans « {} », 127.0.0.1:{} répond", self.to, self.port),
            (Ok(_), false) => format!("dans « {} », le port {} est bien ouvert", self.to, self.port),
            (Err(_), _) => format!("dans « {} » même, rien n'écoute sur le port {}", self.to, self.port),
        };
        miss.hint = match (&inside, refused) {
            (Ok(_), true) => {
                "écouter sur 127.0.0.1, c'est n'être joignable que de son propre conteneur".to_owned()
            }
            (Ok(_), false) => "les deux services partagent-ils un réseau ?".to_owned(),
            (Err(_), _) => {
                "un nom qui répond ne suffit pas : il faut un processus qui écoute sur ce port".to_owned()
            }
        };
        miss.place =
            cx.world.place(&["services", &self.to], &format!("service attendu sur le port {}", self.port));
        Ok(miss)
    }
}

#[async_trait]
impl Check for Reach {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        for service in [&self.from, &self.to] {
            if let Some(miss) = tell::absent(world.declared(), service) {
                return tell::fail(miss);
            }
            if kit::settled(world, service, Duration::from_secs(2)).await?.is_empty() {
                return tell::fail(tell::stopped(world, service).await?);
            }
        }
        let from = kit::inside(&self.from);
        let connected =
            kit::patiently(PATIENCE, Result::is_ok, || kit::tcp(world, &from, &self.to, self.port, 3_000))
                .await?;
        let connected = match connected {
            Ok(connected) => connected,
            Err(failure) => return tell::fail(self.unreached(cx, &failure).await?),
        };
        let mine = kit::addresses(&world.instances(&self.to).await?);
        let stranger = |peer: std::net::SocketAddr| {
            (!mine.contains(&peer.ip())).then(|| Miss {
                observed: format!(
                    "la réponse vient de {}, qui n'est pas une adresse de « {} »",
                    peer.ip(),
                    self.to
                ),
                noted: vec![format!("adresses de « {} » : {}", self.to, tell::ips(&mine))],
                hint: "qui d'autre répond à ce nom dans votre fichier ?".to_owned(),
                ..self.base(cx.world)
            })
        };
        if let Some(miss) = stranger(connected.peer) {
            return tell::fail(miss);
        }
        let took = french(Duration::from_micros(connected.connect_us));
        let mut facts = vec![Fact::new(
            "connect-us",
            connected.connect_us,
            format!("connexion à {} établie en {took}", connected.peer),
        )];
        let Some(path) = &self.http else { return tell::pass(facts) };
        let (answer, led) = self.followed(cx, &from, path).await?;
        if let (Err(failure), Some(to)) = (&answer, &led) {
            return tell::fail(Miss {
                headline: format!("{} ne donne pas sa page", self.name()),
                observed: format!("il renvoie vers {} : {}", tell::cut(to, 80), tell::why(failure)),
                place: world.place(&["services", &self.to], "ce serveur renvoie ailleurs"),
                hint: "une redirection n'est pas une page : qui répond là où elle mène ?".to_owned(),
                facts,
                ..self.base(world)
            });
        }
        match answer {
            Err(failure) => tell::fail(Miss {
                headline: format!("{} ne répond pas en HTTP", self.name()),
                observed: tell::why(&failure),
                control: format!("la connexion TCP s'établit en {took}"),
                hint: "le port est ouvert, mais ce qui écoute ne parle pas HTTP".to_owned(),
                facts,
                ..self.base(cx.world)
            }),
            Ok(answer) => {
                if let Some(miss) = stranger(answer.peer) {
                    return tell::fail(miss);
                }
                facts.push(Fact::new(
                    "status",
                    answer.status,
                    format!("GET {path} : {} {}", answer.status, tell::cut(&answer.reason, 40)),
                ));
                if !(200..300).contains(&answer.status) {
                    return tell::fail(Miss {
                        headline: format!("{} ne donne pas sa page", self.name()),
                        observed: format!("GET {path} : {} {}", answer.status, tell::cut(&answer.reason, 40)),
                        control: format!("la connexion TCP s'établit en {took}"),
                        place: cx.world.place(&["services", &self.to], "ce serveur ne donne pas sa page"),
                        hint: "le serveur répond, mais sans sa page : que doit-il servir, et d'où ?"
                            .to_owned(),
                        facts,
                        ..self.base(cx.world)
                    });
                }
                tell::pass(facts)
            }
        }
    }
}
