//! `websocket`: a connection that changes its protocol, through a reverse proxy.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use sha1::{Digest, Sha1};

use super::prom::told::Endpoint;
use super::world::{World, wire};
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// A websocket is opened through a reverse proxy as a browser does it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Websocket {
    /// The reverse proxy.
    pub via: Endpoint,
    /// The application behind it, which is the control.
    pub to: Endpoint,
    /// Host by which a visitor names the site.
    pub host: String,
    /// Path.
    pub path: String,
}

/// What is appended to the key of a client (RFC 6455).
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// An application may still be opening its port.
const PATIENCE: Duration = Duration::from_secs(8);

/// What a server that speaks the protocol answers to a key.
fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{key}{MAGIC}")))
}

/// How an opening ended.
struct Opening {
    /// The protocol was changed, by somebody who knows the key.
    opened: bool,
    /// In words.
    told: String,
    status: Option<u16>,
}

impl Websocket {
    async fn open(&self, world: &dyn World, at: &Endpoint, key: &str) -> Result<Opening, Fault> {
        let Some(ip) = kit::own_ip(&kit::settled(world, &at.service, Duration::from_secs(3)).await?) else {
            return Ok(Opening { opened: false, told: "pas d'adresse".into(), status: None });
        };
        let pairs = [
            ("Host", self.host.clone()),
            ("Upgrade", "websocket".to_owned()),
            ("Connection", "Upgrade".to_owned()),
            ("Sec-WebSocket-Version", "13".to_owned()),
            ("Sec-WebSocket-Key", key.to_owned()),
            // A browser always says which page asks.
            ("Origin", format!("http://{}", self.host)),
        ];
        let mut ask = wire::Http::get(ip.to_string(), at.port, &self.path);
        ask.headers = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let from = kit::inside(&at.service);
        let good = |seen: &(Result<wire::HttpAnswer, wire::Failure>, kit::When)| matches!(&seen.0, Ok(answer) if answer.status == 101);
        let (seen, _) = kit::patiently(PATIENCE, good, || kit::http(world, &from, ask.clone())).await?;
        Ok(match seen {
            Err(failure) => Opening { opened: false, told: tell::why(&failure), status: None },
            Ok(answer) => {
                let own = answer
                    .headers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"))
                    .is_some_and(|(_, value)| value.trim() == accept(key));
                let told = match (answer.status, own) {
                    (101, true) => "101, avec la bonne preuve de la clé".to_owned(),
                    (101, false) => "101, sans la preuve de la clé envoyée".to_owned(),
                    (status, _) => format!("{status} {}", tell::cut(&answer.body, 60)),
                };
                Opening { opened: answer.status == 101 && own, told, status: Some(answer.status) }
            }
        })
    }
}

#[async_trait]
impl Check for Websocket {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        if let Err(miss) = tell::part(cx, false) {
            return tell::fail(*miss);
        }
        for at in [&self.via, &self.to] {
            if let Some(miss) = tell::absent(world.declared(), &at.service) {
                return tell::fail(miss);
            }
            if kit::settled(world, &at.service, Duration::from_secs(3)).await?.is_empty() {
                return tell::fail(tell::stopped(world, &at.service).await?);
            }
        }
        let _alone = cx.memo.alone().await;
        let half = |salt: &str| kit::draw(world, salt).to_be_bytes();
        let key = STANDARD.encode([half("websocket-a"), half("websocket-b")].concat());
        let direct = self.open(world, &self.to, &key).await?;
        let through = self.open(world, &self.via, &key).await?;
        let facts = vec![
            Fact::new("direct", direct.told.as_str(), format!("sans mandataire : {}", direct.told)),
            Fact::new(
                "through",
                through.told.as_str(),
                format!("par « {} » : {}", self.via.service, through.told),
            ),
        ];
        if through.opened {
            return tell::pass(facts);
        }
        let base = Miss {
            expected: format!(
                "GET {} en demandant un websocket, Host: {} : 101 à travers « {} »",
                self.path, self.host, self.via.service
            ),
            try_it: format!(
                "curl -i -m 3 -H 'Host: {0}' -H 'Origin: http://{0}' -H 'Upgrade: websocket' -H 'Connection: Upgrade' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGVzdGVzdGVzdGVzdGVzdA==' http://localhost{1}",
                self.host, self.path
            ),
            facts,
            ..Miss::default()
        };
        if !direct.opened {
            return tell::fail(Miss {
                headline: format!("« {} » n'ouvre pas de websocket", self.to.service),
                observed: format!("demandé à « {} » lui-même : {}", self.to, direct.told),
                hint: "avant le mandataire, l'application elle-même : quelle origine accepte-t-elle, et sur quel chemin écoute-t-elle ?".to_owned(),
                ..base
            });
        }
        tell::fail(Miss {
            headline: format!("le websocket ne passe pas par « {} »", self.via.service),
            observed: through.told.clone(),
            control: format!("demandé à « {} » lui-même : 101", self.to),
            place: world
                .files()
                .iter()
                .filter(|file| file.contains(".conf"))
                .find_map(|file| world.place_in(file, "proxy_pass http", "ce qui passe par ici")),
            hint: match through.status {
                Some(403) => "l'application compare l'origine de la page et le nom qu'on lui demande : quel Host reçoit-elle ?",
                Some(101) => "qui a répondu ? La preuve ne vient pas de celui qui connaît la clé",
                Some(404) => "ce chemin mène-t-il bien à l'application ?",
                Some(400) => "de quels en-têtes l'application a-t-elle besoin pour reconnaître la demande ?",
                _ => "ce changement de protocole demande HTTP/1.1 et deux en-têtes, qu'un mandataire ne transmet pas de lui-même",
            }
            .to_owned(),
            ..base
        })
    }
}

#[cfg(test)]
mod tests {
    use super::accept;

    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
