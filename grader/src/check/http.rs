//! `http`: an HTTP answer, asked on the service's own address.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::experiment::Request;
use super::inside::inside;
use super::world::{World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// An HTTP GET gets this answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Http {
    /// Request.
    pub request: Request,
    /// Status code.
    pub status: u16,
    /// JSON that the body must contain (other keys are allowed).
    #[serde(default)]
    pub json: Option<Value>,
}

/// An application may still be opening its port.
const PATIENCE: Duration = Duration::from_secs(8);

/// The first difference that makes `seen` not contain `wanted`, as a French sentence.
pub fn lacks(wanted: &Value, seen: &Value, path: &str) -> Option<String> {
    let here = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => {
            wanted.iter().find_map(|(key, value)| match seen.get(key) {
                Some(found) => lacks(value, found, &here(key)),
                None => Some(format!("la clé « {} » manque", here(key))),
            })
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        (_, b) if path.is_empty() => {
            Some(format!("un autre JSON que celui attendu : {}", tell::cut(&b.to_string(), 80)))
        }
        (_, b) => Some(format!("« {path} » vaut {}", tell::cut(&b.to_string(), 80))),
    }
}

impl Http {
    fn base(&self, world: &dyn World) -> Miss {
        let Request { service, port, path } = &self.request;
        Miss {
            expected: match &self.json {
                Some(json) => format!("GET {path} : {} avec {json}", self.status),
                None => format!("GET {path} : {}", self.status),
            },
            try_it: inside(world, service, &format!("wget -qO- http://127.0.0.1:{port}{path}")),
            ..Miss::default()
        }
    }

    /// Nothing on the service's own address: is it on the loopback only, or nowhere?
    async fn unreached(&self, cx: &Cx<'_>, failure: &wire::Failure) -> Result<Miss, Fault> {
        let Request { service, port, path } = &self.request;
        let from = kit::inside(service);
        let local = kit::http(cx.world, &from, wire::Http::get("127.0.0.1", *port, path)).await?.0;
        let context = cx.world.declared().services.get(service).and_then(|s| s.build_context.clone());
        let place = context.and_then(|dir| {
            ["app.js", "index.js", "server.js", "src/index.js", "src/app.js", "src/server.js"]
                .iter()
                .find_map(|f| cx.world.place_in(&join(&dir, f), ".listen(", "l'écoute est demandée ici"))
        });
        Ok(match local {
            Ok(_) => Miss {
                headline: format!("« {service} » n'écoute que sur 127.0.0.1"),
                observed: format!("sur l'adresse du conteneur, {}", tell::why(failure)),
                control: format!("127.0.0.1:{port} répond, mais personne d'autre ne peut l'atteindre"),
                place,
                hint: "écouter sur 127.0.0.1 dans un conteneur, c'est n'être joignable par personne d'autre"
                    .to_owned(),
                ..self.base(cx.world)
            },
            Err(_) => Miss {
                headline: format!("« {service} » ne répond pas sur le port {port}"),
                observed: tell::why(failure),
                noted: tell::tail(&cx.world.logs(service, 12).await?, 6),
                place,
                hint: "le processus écoute-t-il, et sur ce port-là ?".to_owned(),
                ..self.base(cx.world)
            },
        })
    }
}

/// Joins a folder and a file of the submission.
pub fn join(dir: &str, file: &str) -> String {
    let dir = dir.trim_start_matches("./").trim_end_matches('/');
    if dir.is_empty() || dir == "." { file.to_owned() } else { format!("{dir}/{file}") }
}

#[async_trait]
impl Check for Http {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let Request { service, port, path } = &self.request;
        if let Some(miss) = tell::absent(cx.world.declared(), service) {
            return tell::fail(miss);
        }
        let found = kit::settled(cx.world, service, Duration::from_secs(3)).await?;
        let Some(ip) = kit::own_ip(&found) else {
            return tell::fail(tell::stopped(cx.world, service).await?);
        };
        let _alone = cx.memo.alone().await;
        let from = kit::inside(service);
        let good = |seen: &(Result<wire::HttpAnswer, wire::Failure>, kit::When)| matches!(&seen.0, Ok(answer) if answer.status == self.status);
        let ask = || kit::http(cx.world, &from, wire::Http::get(ip.to_string(), *port, path));
        let (seen, when) = kit::patiently(PATIENCE, good, ask).await?;
        let answer = match seen {
            Ok(answer) => answer,
            Err(failure) => return tell::fail(self.unreached(cx, &failure).await?),
        };
        let facts = vec![
            Fact::new("status", answer.status, format!("GET {path} : {}", answer.status)),
            Fact::new("elapsed-us", when.end_us.saturating_sub(when.start_us), "durée de l'échange"),
        ];
        let body = tell::cut(&answer.body, 160);
        if answer.status != self.status {
            return tell::fail(Miss {
                headline: format!("GET {path} répond {}", answer.status),
                observed: format!("{} {}", answer.status, tell::cut(&answer.reason, 40)),
                noted: if body.is_empty() { vec![] } else { vec![format!("corps : {body}")] },
                hint: match answer.status {
                    404 => "le chemin est-il exactement celui de l'énoncé ?",
                    500..=599 => "le journal du service dit quelle erreur se cache derrière",
                    _ => "comparez le code renvoyé et celui de l'énoncé",
                }
                .to_owned(),
                facts,
                ..self.base(cx.world)
            });
        }
        let Some(wanted) = &self.json else { return tell::pass(facts) };
        let problem = match serde_json::from_str::<Value>(&answer.body) {
            Ok(json) => lacks(wanted, &json, ""),
            Err(_) => Some("le corps n'est pas du JSON".to_owned()),
        };
        match problem {
            None => tell::pass(facts),
            Some(observed) => tell::fail(Miss {
                headline: format!("GET {path} répond, mais pas ce qui est demandé"),
                observed,
                noted: vec![format!("corps : {body}")],
                hint: "les noms des clés et leurs valeurs sont fixés par l'énoncé".to_owned(),
                facts,
                ..self.base(cx.world)
            }),
        }
    }
}
