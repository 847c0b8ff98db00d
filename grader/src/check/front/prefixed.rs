//! `prefixed`: what is asked beneath a prefix comes from the right application and stays beneath it.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Card, Check, Cx, Experiments, Gate, HOST, Stage, hint_of, hostnames, in_conf, kit, port_http, tell,
    token, unreached, who,
};
use crate::check::world::wire;
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Applications published beneath a prefix.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Prefixed {
    /// Service that is asked: the reverse proxy, or the application itself.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_http")]
    pub port: u16,
    /// Services of the applications.
    pub services: Vec<String>,
    /// True when there is no prefix; by default the prefix is `/` and the name of the service.
    #[serde(default)]
    pub at_root: bool,
    /// What is proven.
    pub proof: PrefixProof,
}

/// What [`Prefixed`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixProof {
    /// The answer comes from a container of the service, with the token of this run.
    Served,
    /// The style sheet of the page is beneath the prefix, and is the application's own.
    Static,
    /// A redirection stays beneath the prefix and keeps its token.
    Redirect,
    /// Without its last slash the prefix leads to the same page.
    Slash,
}

/// An application may still be opening its port.
const PATIENCE: Duration = Duration::from_secs(8);

/// An answer, or the miss of there being none.
type Got = Result<wire::HttpAnswer, Box<Miss>>;

impl Prefixed {
    pub(super) fn prefix(&self, service: &str) -> String {
        if self.at_root { String::new() } else { format!("/{service}") }
    }

    /// The address as the student types it.
    pub(super) fn shown(&self, path: &str) -> String {
        let port = if self.port == 80 { String::new() } else { format!(":{}", self.port) };
        format!("http://{HOST}{port}{path}")
    }

    pub(super) fn base(&self, cx: &Cx<'_>, service: &str, path: &str, expected: String) -> Miss {
        let prefix = self.prefix(service);
        let needles =
            [format!("location {prefix}/"), format!("location {prefix}"), prefix, "location".into()];
        let needles: Vec<&str> = needles.iter().map(String::as_str).filter(|n| n.len() > 1).collect();
        let place = if self.at_root {
            tell::at(cx.world, service, "ports", "publication de l'application")
        } else {
            in_conf(cx.world, &needles, "ce chemin est décrit ici")
        };
        Miss {
            expected,
            place: place.or_else(|| tell::at(cx.world, &self.via, "volumes", "configuration du frontal")),
            try_it: format!("curl -i '{}'", self.shown(path)),
            ..Miss::default()
        }
    }

    /// Asks until it is 200 (or a redirection when one is wanted), patiently.
    pub(super) async fn get(
        &self,
        cx: &Cx<'_>,
        gate: &Gate<'_>,
        path: &str,
        moved: bool,
        base: &Miss,
    ) -> Result<Got, Fault> {
        let good = |seen: &Result<wire::HttpAnswer, wire::Failure>| {
            seen.as_ref().is_ok_and(|a| a.status == 200 || (moved && is_moved(a.status)))
        };
        let ask = || async {
            let mut ask = gate.plain(self.port, HOST, path);
            // A visitor of a port other than 80 says which.
            if self.port != 80 {
                ask.headers = vec![("Host".to_owned(), format!("{HOST}:{}", self.port))];
            }
            gate.send(ask).await
        };
        let answer = match kit::patiently(PATIENCE, good, ask).await? {
            Ok(answer) => answer,
            Err(failure) => {
                let miss = unreached(gate, self.port, &failure).await?;
                return Ok(Err(Box::new(Miss { expected: base.expected.clone(), ..miss })));
            }
        };
        if answer.status == 200 || (moved && is_moved(answer.status)) {
            return Ok(Ok(answer));
        }
        let mut noted = tell::tail(&cx.world.logs(&self.via, 8).await?, 2);
        if let Some(to) = answer.header("location") {
            noted.insert(0, format!("Location : {}", tell::cut(to, 100)));
        }
        Ok(Err(Box::new(Miss {
            headline: format!(
                "{} répond {}",
                self.shown(path.split('?').next().unwrap_or(path)),
                answer.status
            ),
            observed: format!("{} {}", answer.status, tell::cut(&answer.reason, 40)),
            noted,
            hint: hint_of(answer.status).to_owned(),
            ..base.clone()
        })))
    }

    /// Whether a card is that of a container of the service, with the token.
    pub(super) async fn genuine(
        &self,
        cx: &Cx<'_>,
        service: &str,
        answer: &wire::HttpAnswer,
        token: &str,
        base: &Miss,
    ) -> Result<Result<Card, Box<Miss>>, Fault> {
        let miss = |headline: String, observed: String, hint: &str| {
            Ok(Err(Box::new(Miss { headline, observed, hint: hint.to_owned(), ..base.clone() })))
        };
        let Some(card) = Card::read(&answer.body) else {
            return miss(
                format!("ce qui répond pour « {service} » ne dit pas qui il est"),
                format!("corps : {}", tell::cut(&answer.body, 120)),
                "la réponse doit être le JSON de /qui, tel que l'application le donne",
            );
        };
        if card.application != service {
            return miss(
                format!("le chemin de « {service} » mène à une autre application"),
                format!("« {} » répond", tell::cut(&card.application, 40)),
                "à quel service, et à quel port, ce chemin est-il envoyé ?",
            );
        }
        let names = hostnames(cx.world, service).await?;
        if names.is_empty() {
            return Err(kit::noise(format!("les conteneurs de « {service} » ne se laissent pas inspecter")));
        }
        if !names.contains(&card.instance) {
            return miss(
                format!("la réponse ne vient d'aucun conteneur de « {service} »"),
                format!(
                    "« instance » vaut « {} », qui n'est le nom d'hôte d'aucun d'eux",
                    tell::cut(&card.instance, 60)
                ),
                "chaque application doit tourner dans son propre conteneur, et le dire elle-même",
            );
        }
        if card.jeton != token {
            return miss(
                format!("« {service} » ne rend pas le jeton qu'on lui donne"),
                format!("jeton envoyé : {token} ; rendu : « {} »", tell::cut(&card.jeton, 40)),
                "les paramètres qui suivent le « ? » arrivent-ils jusqu'à l'application ?",
            );
        }
        Ok(Ok(card))
    }

    async fn served(
        &self,
        cx: &Cx<'_>,
        gate: &Gate<'_>,
        service: &str,
    ) -> Result<Result<Fact, Box<Miss>>, Fault> {
        let token = token(cx.world, &format!("served-{service}"));
        let path = who(&self.prefix(service), &token);
        let base = self.base(
            cx,
            service,
            &path,
            format!("{} répond 200, et vient d'un conteneur de « {service} »", self.shown(&path)),
        );
        let answer = match self.get(cx, gate, &path, false, &base).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        Ok(self.genuine(cx, service, &answer, &token, &base).await?.map(|card| {
            Fact::new(
                service,
                card.instance.clone(),
                format!("{path} : servi par {} ({service})", card.instance),
            )
        }))
    }
}

/// Whether a status is that of a redirection.
pub(super) fn is_moved(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

#[async_trait]
impl Check for Prefixed {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.services.is_empty() {
            return Err("prefixed.services est vide".into());
        }
        if self.at_root && (self.services.len() > 1 || self.proof == PrefixProof::Slash) {
            return Err("prefixed.at-root : une seule application, et pas « slash »".into());
        }
        Ok(())
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        for service in &self.services {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
        }
        let gate = match Gate::open(cx.world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let _alone = cx.memo.alone().await;
        let mut facts = Vec::new();
        for service in &self.services {
            let seen = match self.proof {
                PrefixProof::Served => self.served(cx, &gate, service).await?,
                PrefixProof::Static => self.sheet(cx, &gate, service).await?,
                PrefixProof::Redirect => self.redirect(cx, &gate, service).await?,
                PrefixProof::Slash => self.slash(cx, &gate, service).await?,
            };
            match seen {
                Ok(fact) => facts.push(fact),
                Err(miss) => return tell::fail(Miss { facts, ..*miss }),
            }
        }
        tell::pass(facts)
    }
}
