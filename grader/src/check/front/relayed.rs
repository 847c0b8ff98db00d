//! `relayed`: what is asked of a reverse proxy beneath a prefix reaches a service, and does something there.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Check, Cx, Experiments, Gate, PATIENCE, Stage, hint_of, in_conf, kit, port_https, tell, token, unreached,
};
use crate::check::experiment::Written;
use crate::check::world::wire;
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Something written through a reverse proxy is read from the service itself, and through the proxy.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Relayed {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached over TLS.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host asked for.
    pub host: String,
    /// Prefix, without its last slash.
    pub prefix: String,
    /// How something is written, path beneath the prefix; `{token}` is drawn for the run.
    pub write: Written,
    /// Path beneath the prefix by which it is read.
    pub read: String,
}

impl Relayed {
    fn ask(&self, gate: &Gate<'_>, method: &str, path: &str, body: Option<String>) -> wire::Http {
        let mut ask = gate.secure(self.port, &self.host, &format!("{}{path}", self.prefix));
        method.clone_into(&mut ask.method);
        ask.timeout_ms = 10_000;
        if body.is_some() {
            ask.headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        ask.body = body;
        ask
    }
}

#[async_trait]
impl Check for Relayed {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let (service, prefix) = (&self.write.service, &self.prefix);
        if let Some(miss) = tell::absent(cx.world.declared(), service) {
            return tell::fail(miss);
        }
        let gate = match Gate::open(cx.world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let _alone = cx.memo.alone().await;
        let token = token(cx.world, &format!("relayed-{prefix}"));
        let fill = |text: &str| text.replace("{token}", &token);
        let (write, read) = (fill(&self.write.path), fill(&self.read));
        let base = Miss {
            expected: format!(
                "https://{}{prefix}… est « {service} » : {} {write}, puis GET {read}, sans {prefix}",
                self.host, self.write.method
            ),
            place: in_conf(cx.world, &[&format!("location {prefix}"), prefix], "ce chemin est décrit ici"),
            try_it: format!(
                "curl -sik --resolve {0}:{1}:127.0.0.1 https://{0}:{1}{prefix}{read}",
                self.host, self.port
            ),
            ..Miss::default()
        };
        let body = self.write.body.as_deref().map(fill);
        let good =
            |seen: &Result<wire::HttpAnswer, wire::Failure>| seen.as_ref().is_ok_and(|a| a.status < 300);
        let send = || gate.send(self.ask(&gate, &self.write.method, &write, body.clone()));
        let answer = match kit::patiently(PATIENCE, good, send).await? {
            Ok(answer) => answer,
            Err(failure) => {
                let miss = unreached(&gate, self.port, &failure).await?;
                return tell::fail(Miss { expected: base.expected, ..miss });
            }
        };
        if answer.status >= 300 {
            let mut noted = vec![format!("corps : {}", tell::cut(&answer.body, 120))];
            noted.extend(tell::tail(&cx.world.logs(&self.via, 8).await?, 2));
            return tell::fail(Miss {
                headline: format!("{} {prefix}{write} répond {}", self.write.method, answer.status),
                observed: format!("{} {}", answer.status, tell::cut(&answer.reason, 40)),
                noted,
                hint: hint_of(answer.status).to_owned(),
                ..base
            });
        }
        let (_, ip) = kit::needed(cx.world, service).await?;
        let direct = wire::Http::get(ip.to_string(), self.write.port, &read);
        let direct = kit::http(cx.world, &kit::inside(service), direct).await?.0;
        let back = gate.send(self.ask(&gate, "GET", &read, None)).await?;
        for (who, seen) in
            [(format!("« {service} » lui-même"), direct), (format!("https://{}{prefix}", self.host), back)]
        {
            let held = matches!(&seen, Ok(a) if a.status == 200 && a.body.contains(&token));
            if !held {
                return tell::fail(Miss {
                    headline: format!("ce qui est écrit par {prefix} n'est pas relu par {who}"),
                    observed: match &seen {
                        Ok(answer) => {
                            format!("GET {read} : {} {}", answer.status, tell::cut(&answer.body, 100))
                        }
                        Err(failure) => tell::why(failure),
                    },
                    control: format!("{} {prefix}{write} : {}", self.write.method, answer.status),
                    hint: "à quel service, et sous quel chemin, cette demande est-elle envoyée ?".to_owned(),
                    ..base
                });
            }
        }
        tell::pass(vec![Fact::new(
            "token",
            token.as_str(),
            format!("« {token} » écrit par {prefix}, relu par les deux chemins"),
        )])
    }
}
