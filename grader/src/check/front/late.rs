//! `late`: the proxy starts, and serves the others, while one application is missing; then finds it.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Card, Check, Cx, Experiments, Gate, HOST, Stage, in_conf, kit, port_http, tell, token, who};
use crate::check::world::wire;
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};
use crate::time::{Span, french};

/// A reverse proxy that starts without one of its applications.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Late {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_http")]
    pub port: u16,
    /// Service of the application that is missing.
    pub absent: String,
    /// Service of another, that must be served meanwhile.
    pub other: String,
    /// Longest time until each is served.
    #[serde(default = "within")]
    pub within: Span,
}

fn within() -> Span {
    Span(Duration::from_secs(15))
}

/// What a visitor sees in the end, when it is not the application.
type Blank = Option<String>;

impl Late {
    /// Waits until an application is served through the proxy, which may have another address now;
    /// gives what is seen instead.
    async fn served(&self, cx: &Cx<'_>, service: &str) -> Result<Blank, Fault> {
        let token = token(cx.world, &format!("late-{service}"));
        let ask = || async {
            let gate = match Gate::open(cx.world, &self.via, None).await? {
                Ok(gate) => gate,
                Err(miss) => return Ok(Some(miss.observed)),
            };
            Ok(match gate.send(gate.plain(self.port, HOST, &who(&format!("/{service}"), &token))).await? {
                Ok(answer) => blank(&answer, service, &token),
                Err(failure) => Some(tell::why(&failure)),
            })
        };
        kit::patiently(self.within.0, Option::is_none, ask).await
    }

    fn base(&self, cx: &Cx<'_>) -> Miss {
        Miss {
            expected: format!(
                "« {} » redémarre alors que « {} » manque, et sert « {} » en {} au plus ; « {} » revenue, il la sert aussi",
                self.via,
                self.absent,
                self.other,
                french(self.within.0),
                self.absent
            ),
            place: in_conf(
                cx.world,
                &[&format!("//{}", self.absent), &format!("{}:", self.absent), "upstream", "proxy_pass"],
                "nom résolu au démarrage de Nginx, s'il n'est pas dans une variable",
            )
            .or_else(|| tell::at(cx.world, &self.via, "volumes", "configuration du frontal")),
            try_it: format!(
                "docker compose stop {absent} ; docker compose restart {via} ; docker compose logs --tail 5 {via} ; docker compose start {absent}",
                absent = self.absent,
                via = self.via
            ),
            ..Miss::default()
        }
    }

    /// Takes the application away, restarts the proxy, brings the application back.
    async fn experiment(&self, cx: &Cx<'_>) -> Result<(Blank, Vec<String>, Blank), Fault> {
        let world = cx.world;
        world.stop(&self.absent).await?;
        world.stop(&self.via).await?;
        world.start(&self.via).await?;
        let meanwhile = self.served(cx, &self.other).await?;
        let log = tell::tail(&world.logs(&self.via, 20).await?, 3);
        world.start(&self.absent).await?;
        let after = if meanwhile.is_none() { self.served(cx, &self.absent).await? } else { None };
        Ok((meanwhile, log, after))
    }
}

/// What is wrong with an answer, if anything is.
fn blank(answer: &wire::HttpAnswer, service: &str, token: &str) -> Blank {
    match Card::read(&answer.body) {
        Some(card) if answer.status == 200 && card.application == service && card.jeton == token => None,
        _ => Some(format!("réponse {}", answer.status)),
    }
}

#[async_trait]
impl Check for Late {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Break
    }

    fn disturbs(&self, _: &Experiments) -> Vec<String> {
        vec![self.via.clone(), self.absent.clone()]
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        for service in [&self.via, &self.absent, &self.other] {
            if let Some(miss) = tell::absent(cx.world.declared(), service) {
                return tell::fail(miss);
            }
        }
        let _alone = cx.memo.alone().await;
        for service in [&self.absent, &self.other] {
            if self.served(cx, service).await?.is_some() {
                return Err(kit::noise(format!("« {service} » n'était déjà plus servi avant l'expérience")));
            }
        }
        let seen = self.experiment(cx).await;
        // Whatever was seen, the next experiments find both served.
        if kit::running(cx.world, &self.absent).await?.is_empty() {
            cx.world.start(&self.absent).await?;
        }
        if !matches!(&seen, Ok((None, _, None))) {
            cx.world.stop(&self.via).await?;
            cx.world.start(&self.via).await?;
            self.served(cx, &self.other).await?;
        }
        let (meanwhile, log, after) = seen?;
        let facts = vec![Fact::new(
            "restarted",
            self.absent.as_str(),
            format!("« {} » redémarré sans « {} »", self.via, self.absent),
        )];
        if let Some(seen) = meanwhile {
            return tell::fail(Miss {
                headline: format!("une application manque, et « {} » ne démarre plus", self.via),
                observed: format!("« {} », qui est en marche, n'est plus servie : {seen}", self.other),
                noted: log,
                control: format!("avec « {} » en marche, les deux étaient servies", self.absent),
                hint: "Nginx résout au démarrage les noms écrits tels quels, et s'arrête s'il en manque un ; un nom dans une variable est résolu à l'usage".to_owned(),
                facts,
                ..self.base(cx)
            });
        }
        if let Some(seen) = after {
            return tell::fail(Miss {
                headline: format!("« {} » revenue, « {} » ne la retrouve pas", self.absent, self.via),
                observed: format!("{seen}, {} après son retour", french(self.within.0)),
                noted: log,
                hint: "combien de temps Nginx garde-t-il une réponse du DNS, même « introuvable » ?"
                    .to_owned(),
                facts,
                ..self.base(cx)
            });
        }
        tell::pass(facts)
    }
}
