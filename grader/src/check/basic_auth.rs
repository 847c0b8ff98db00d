//! `basic-auth`: a page asks for a name and a password. A negative check: nobody, a drawn password and the
//! well-known ones are refused, while those of the service's own environment are accepted from the same place.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::traefik::Gate;
use super::world::{World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A page that asks for a name and a password.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BasicAuth {
    /// Service.
    pub service: String,
    /// Its port in the container.
    pub port: u16,
    /// Path, with its leading slash.
    pub path: String,
    /// Variable of its environment that holds the name; with `_FILE` added, that of a file that does.
    pub user: String,
    /// The same for the password.
    pub password: String,
    /// Well-known pairs `name:password` that must be refused.
    pub refused: Vec<String>,
}

/// The server may still be starting.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whom a request is sent by.
#[derive(Clone, Copy)]
enum Who<'a> {
    Nobody,
    Pair(&'a str),
}

impl BasicAuth {
    async fn setting(&self, world: &dyn World, key: &str) -> Result<Option<String>, Fault> {
        let found = kit::running(world, &self.service).await?;
        let Some(env) = found.first().map(|i| &i.env) else { return Ok(None) };
        if let Some(value) = env.get(key).filter(|v| !v.is_empty()) {
            return Ok(Some(value.clone()));
        }
        let Some(path) = env.get(&format!("{key}_FILE")).filter(|v| !v.is_empty()) else { return Ok(None) };
        let text = world.read_inside(&self.service, path).await?;
        Ok(text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn send(&self, gate: &Gate<'_>, who: Who<'_>) -> kit::Asked<wire::HttpAnswer> {
        let mut ask = wire::Http::get(gate.ip.to_string(), self.port, &self.path);
        ask.timeout_ms = 10_000;
        if let Who::Pair(pair) = who {
            ask.headers = vec![("Authorization".to_owned(), kit::basic(pair))];
        }
        gate.send(ask).await
    }

    fn base(&self, cx: &Cx<'_>) -> Miss {
        Miss {
            expected: format!(
                "401 pour qui n'a pas les identifiants de l'environnement ({}, {}), 200 pour qui les a",
                self.user, self.password
            ),
            place: tell::at(cx.world, &self.service, "environment", "réglages de ce service"),
            try_it: format!("curl -i http://localhost:{}{}", self.port, self.path),
            ..Miss::default()
        }
    }

    /// Whether a refusal is one; the miss when the page is open to this one.
    fn refusal(&self, cx: &Cx<'_>, who: &str, status: u16, hint: &str) -> Option<Miss> {
        (status != 401).then(|| Miss {
            headline: format!("« {} » laisse entrer {who}", self.service),
            observed: format!("réponse {status}, au lieu de 401"),
            hint: hint.to_owned(),
            ..self.base(cx)
        })
    }
}

#[async_trait]
impl Check for BasicAuth {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.refused.iter().all(|pair| pair.contains(':')) {
            Ok(())
        } else {
            Err("basic-auth.refused : des paires nom:mot-de-passe".into())
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let gate = match Gate::open(cx.world, &self.service, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let answered = |seen: &Result<wire::HttpAnswer, wire::Failure>| seen.is_ok();
        let first = kit::patiently(PATIENCE, answered, || self.send(&gate, Who::Nobody)).await?;
        let nobody = match first {
            Ok(answer) => answer,
            Err(failure) => {
                return tell::fail(Miss {
                    headline: format!("« {} » ne répond pas sur le port {}", self.service, self.port),
                    observed: tell::why(&failure),
                    noted: tell::tail(&cx.world.logs(&self.service, 20).await?, 6),
                    hint: "le processus écoute-t-il, et sur ce port-là ?".to_owned(),
                    ..self.base(cx)
                });
            }
        };
        let open = "une variable dit si des identifiants sont demandés, deux autres disent lesquels";
        if let Some(miss) = self.refusal(cx, "tout le monde", nobody.status, open) {
            return tell::fail(miss);
        }
        let drawn = format!("tp{:x}", kit::draw(cx.world, "basic-auth") & 0xffff_ffff);
        let known =
            self.refused.iter().map(|pair| (pair.clone(), format!("« {pair} », que tout le monde connaît")));
        let tries = known.chain([(format!("{drawn}:{drawn}"), "des identifiants inventés".to_owned())]);
        for (pair, who) in tries {
            let answer = match self.send(&gate, Who::Pair(&pair)).await? {
                Ok(answer) => answer,
                Err(failure) => {
                    let what =
                        format!("« {} » n'a pas répondu à un essai : {}", self.service, tell::why(&failure));
                    return Err(kit::noise(what));
                }
            };
            let default = "des identifiants par défaut sont dans la documentation de tous";
            if let Some(miss) = self.refusal(cx, &who, answer.status, default) {
                return tell::fail(miss);
            }
        }
        let (user, password) =
            (self.setting(cx.world, &self.user).await?, self.setting(cx.world, &self.password).await?);
        let (Some(user), Some(password)) = (user, password) else {
            return tell::fail(Miss {
                headline: format!(
                    "l'environnement de « {} » ne dit pas quels identifiants entrent",
                    self.service
                ),
                observed: format!("{} ou {} absent, et leur forme _FILE aussi", self.user, self.password),
                hint:
                    "les identifiants viennent de l'environnement du conteneur, ou d'un fichier qu'il nomme"
                        .to_owned(),
                ..self.base(cx)
            });
        };
        let pair = format!("{user}:{password}");
        match self.send(&gate, Who::Pair(&pair)).await? {
            Ok(answer) if answer.status == 200 => tell::pass(vec![Fact::new(
                "accepted",
                answer.status,
                format!(
                    "sans identifiants 401, avec ceux de l'environnement 200 ; {} paires refusées",
                    self.refused.len() + 1
                ),
            )]),
            seen => tell::fail(Miss {
                headline: format!("« {} » refuse les identifiants de son environnement", self.service),
                observed: match &seen {
                    Ok(answer) => format!("réponse {}", answer.status),
                    Err(failure) => tell::why(failure),
                },
                hint: "quel programme lit ces variables, et sous quel nom les attend-il ?".to_owned(),
                ..self.base(cx)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::FakeWorld;
    use super::super::tests::{fails, passes};
    use super::super::{Cx, Memo};
    use super::*;
    use base64::Engine as _;

    /// A page that lets in those of `pairs`; an empty list is an open page.
    fn world(pairs: &'static [&'static str]) -> FakeWorld {
        let mut world = FakeWorld::lab02();
        let env = [("U", "chef"), ("P_FILE", "/run/secrets/p")];
        world.instances.get_mut("api").expect("api")[0].env =
            env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        world.inside.insert(("api".into(), "/run/secrets/p".into()), "k3y\n".into());
        world.open.insert(("api".into(), 8081));
        let page = move |_: &FakeWorld, ask: &wire::Http| {
            let sent = ask.headers.iter().find(|(k, _)| k == "Authorization").map(|(_, v)| v.clone());
            let coded =
                |pair: &&str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
            let known = pairs.is_empty() || pairs.iter().any(|pair| sent == Some(coded(pair)));
            (if known { 200 } else { 401 }, String::new())
        };
        world.pages.insert(("api".into(), 8081), Box::new(page));
        world
    }

    async fn judged(world: &FakeWorld) -> Verdict {
        let check = BasicAuth {
            service: "api".into(),
            port: 8081,
            path: "/".into(),
            user: "U".into(),
            password: "P".into(),
            refused: vec!["admin:pass".into()],
        };
        let (memo, experiments) = (Memo::default(), Experiments::default());
        let cx = Cx { world, experiments: &experiments, memo: &memo, second: None };
        check.judge(&cx).await.expect("no fault")
    }

    #[tokio::test(start_paused = true)]
    async fn only_those_of_the_environment_enter() {
        passes(&judged(&world(&["chef:k3y"])).await);
        fails(&judged(&world(&[])).await, "tout le monde");
        fails(&judged(&world(&["chef:k3y", "admin:pass"])).await, "admin:pass");
        fails(&judged(&world(&["chef:autre"])).await, "refuse les identifiants");
        let mut bare = world(&["chef:k3y"]);
        bare.instances.get_mut("api").expect("api")[0].env.clear();
        fails(&judged(&bare).await, "ne dit pas");
    }
}
