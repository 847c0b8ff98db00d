//! `assets`: static files behind a reverse proxy, compressed for who can read it, and kept by browsers for as
//! long as they are told.

use std::io::Read as _;

use async_trait::async_trait;
use base64::Engine as _;
use flate2::read::MultiGzDecoder;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Check, Cx, Experiments, Gate, Stage, hint_of, in_conf, port_https, secure, tell, unreached};
use crate::check::world::wire;
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Static files served over TLS.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Assets {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached over TLS.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host asked for.
    pub host: String,
    /// What is proven.
    pub proof: AssetsProof,
    /// Paths of files that are text.
    pub text: Vec<String>,
    /// Paths of files that are compressed already.
    #[serde(default)]
    pub packed: Vec<String>,
    /// Path of the page that names them.
    pub page: String,
    /// Days that browsers must keep the files (not the page).
    #[serde(default)]
    pub days: u64,
}

/// What [`Assets`] proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AssetsProof {
    /// Text comes compressed to who accepts it, whole, and nothing else does.
    Gzip,
    /// Files are kept, the page is asked about again, and what has not changed is not sent twice.
    Cache,
}

/// Most bytes that a compressed file may become.
const MOST: u64 = 8 << 20;

type Told<T> = Result<Result<T, Box<Miss>>, Fault>;

/// The bytes of a body.
fn bytes(answer: &wire::HttpAnswer) -> Vec<u8> {
    let coded = answer.body_base64.as_ref();
    let decoded = coded.and_then(|c| base64::engine::general_purpose::STANDARD.decode(c).ok());
    decoded.unwrap_or_else(|| answer.body.clone().into_bytes())
}

/// Directives of `Cache-Control`, lower case, of all the headers of that name.
fn directives(answer: &wire::HttpAnswer) -> Vec<String> {
    let all = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cache-control"));
    let all = all.flat_map(|(_, value)| value.split(','));
    all.map(|d| d.trim().to_ascii_lowercase()).filter(|d| !d.is_empty()).collect()
}

/// Seconds that a browser may keep an answer without asking again.
fn kept(answer: &wire::HttpAnswer) -> u64 {
    let all = directives(answer);
    if all.iter().any(|d| d == "no-store" || d == "no-cache") {
        return 0;
    }
    all.iter().find_map(|d| d.strip_prefix("max-age=")?.trim_matches('"').parse().ok()).unwrap_or(0)
}

impl Assets {
    fn base(&self, cx: &Cx<'_>, path: &str, expected: String) -> Miss {
        let needles: &[&str] = match self.proof {
            AssetsProof::Gzip => &["gzip", "location", "server {"],
            AssetsProof::Cache => &["expires", "Cache-Control", "location", "server {"],
        };
        Miss {
            expected,
            place: in_conf(cx.world, needles, "réglage de ce serveur"),
            try_it: format!(
                "curl -sk --resolve {0}:{1}:127.0.0.1 -H 'Accept-Encoding: gzip' -o /dev/null -D - https://{0}:{1}{path}",
                self.host, self.port
            ),
            ..Miss::default()
        }
    }

    /// A GET that must be a 200.
    async fn get(
        &self,
        gate: &Gate<'_>,
        path: &str,
        headers: &[(&str, &str)],
        base: &Miss,
    ) -> Told<wire::HttpAnswer> {
        match secure(gate, self.port, &self.host, path, headers).await? {
            Ok(answer) if answer.status == 200 => Ok(Ok(answer)),
            Ok(answer) => Ok(Err(Box::new(Miss {
                headline: format!("https://{}{path} répond {}", self.host, answer.status),
                observed: format!("{} {}", answer.status, tell::cut(&answer.reason, 40)),
                hint: hint_of(answer.status).to_owned(),
                ..base.clone()
            }))),
            Err(failure) => {
                let miss = unreached(gate, self.port, &failure).await?;
                Ok(Err(Box::new(Miss { expected: base.expected.clone(), ..miss })))
            }
        }
    }

    /// A file asked for plainly, then by who accepts gzip.
    async fn pair(
        &self,
        gate: &Gate<'_>,
        path: &str,
        base: &Miss,
    ) -> Told<(wire::HttpAnswer, wire::HttpAnswer)> {
        let plain = match self.get(gate, path, &[("Accept-Encoding", "identity")], base).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        if let Some(coding) = plain.header("content-encoding").filter(|c| !c.eq_ignore_ascii_case("identity"))
        {
            return Ok(Err(Box::new(Miss {
                headline: format!("{path} est codé pour qui ne l'a pas demandé"),
                observed: format!("Content-Encoding: {}", tell::cut(coding, 40)),
                hint: "un client dit ce qu'il sait lire dans Accept-Encoding".to_owned(),
                ..base.clone()
            })));
        }
        Ok(self.get(gate, path, &[("Accept-Encoding", "gzip")], base).await?.map(|packed| (plain, packed)))
    }

    async fn gzip(&self, cx: &Cx<'_>, gate: &Gate<'_>) -> Told<Vec<Fact>> {
        let mut facts = Vec::new();
        for path in &self.text {
            let base = self.base(
                cx,
                path,
                format!("{path} compressé par gzip pour qui l'accepte, et intact une fois décompressé"),
            );
            let (plain, packed) = match self.pair(gate, path, &base).await? {
                Ok(pair) => pair,
                Err(miss) => return Ok(Err(miss)),
            };
            let kind = plain.header("content-type").unwrap_or("aucun").to_owned();
            let (whole, sent) = (bytes(&plain), bytes(&packed));
            let coding = packed.header("content-encoding").unwrap_or_default().to_owned();
            let miss = |headline: String, observed: String, hint: &str| {
                Ok(Err(Box::new(Miss { headline, observed, hint: hint.to_owned(), ..base.clone() })))
            };
            if !coding.eq_ignore_ascii_case("gzip") {
                return miss(
                    format!("{path} n'est pas compressé"),
                    format!(
                        "Accept-Encoding: gzip, et {} octets de {} sans Content-Encoding: gzip",
                        sent.len(),
                        tell::cut(&kind, 60)
                    ),
                    "Nginx ne compresse de lui-même que le HTML, et rien sous une certaine taille : pour quels types, et à partir de combien ?",
                );
            }
            let mut back = Vec::new();
            let decoded = MultiGzDecoder::new(sent.as_slice()).take(MOST).read_to_end(&mut back);
            if decoded.is_err() || back != whole {
                return miss(
                    format!("{path} est annoncé compressé, mais ne se décompresse pas"),
                    match decoded {
                        Ok(_) => format!("{} octets décompressés, {} attendus", back.len(), whole.len()),
                        Err(_) => format!("{} octets qui ne sont pas du gzip", sent.len()),
                    },
                    "l'en-tête ne compresse rien : il dit ce que le serveur a fait",
                );
            }
            facts.push(Fact::new(
                path,
                json!([whole.len(), sent.len()]),
                format!("{path} : {} octets, {} compressé", whole.len(), sent.len()),
            ));
        }
        for path in &self.packed {
            let base = self.base(cx, path, format!("{path}, déjà compressé, envoyé tel quel"));
            let packed = match self.pair(gate, path, &base).await? {
                Ok((_, packed)) => packed,
                Err(miss) => return Ok(Err(miss)),
            };
            if let Some(coding) = packed.header("content-encoding") {
                return Ok(Err(Box::new(Miss {
                    headline: format!("{path}, déjà compressé, l'est une seconde fois"),
                    observed: format!(
                        "Content-Encoding: {} pour {}",
                        tell::cut(coding, 40),
                        tell::cut(packed.header("content-type").unwrap_or("aucun type"), 60)
                    ),
                    hint: "compresser une image coûte du temps et ne gagne rien : la liste des types les dit un à un"
                        .to_owned(),
                    ..base
                })));
            }
        }
        Ok(Ok(facts))
    }

    async fn cache(&self, cx: &Cx<'_>, gate: &Gate<'_>) -> Told<Vec<Fact>> {
        let (mut facts, wanted) = (Vec::new(), self.days * 86_400);
        for path in self.text.iter().filter(|p| **p != self.page).chain(&self.packed) {
            let expected =
                format!("{path} : gardé {} jours au moins, puis 304 s'il n'a pas changé", self.days);
            let base = self.base(cx, path, expected);
            let answer = match self.get(gate, path, &[], &base).await? {
                Ok(answer) => answer,
                Err(miss) => return Ok(Err(miss)),
            };
            let said = answer.header("cache-control").unwrap_or("aucun").to_owned();
            if kept(&answer) < wanted {
                return Ok(Err(Box::new(Miss {
                    headline: format!("{path} n'est pas gardé assez longtemps par le navigateur"),
                    observed: format!("Cache-Control: {}", tell::cut(&said, 100)),
                    hint: "une directive de Nginx écrit Expires et Cache-Control d'un coup ; où s'applique-t-elle ?"
                        .to_owned(),
                    ..base
                })));
            }
            let tag = answer.header("etag").map(|tag| ("If-None-Match", tag.to_owned()));
            let date = answer.header("last-modified").map(|date| ("If-Modified-Since", date.to_owned()));
            let again = match tag.or(date) {
                Some((name, value)) => {
                    secure(gate, self.port, &self.host, path, &[(name, value.as_str())]).await?.ok()
                }
                None => None,
            };
            if again.as_ref().map(|a| a.status) != Some(304) {
                return Ok(Err(Box::new(Miss {
                    headline: format!("{path}, inchangé, est envoyé une seconde fois"),
                    observed: match again {
                        Some(answer) => format!("demande conditionnelle : {}", answer.status),
                        None => "ni ETag ni Last-Modified".to_owned(),
                    },
                    hint: "Nginx donne ETag et Last-Modified de lui-même à un fichier : qui les enlève ?"
                        .to_owned(),
                    ..base
                })));
            }
            facts.push(Fact::new(path, said.as_str(), format!("{path} : {said}, puis 304")));
        }
        let base = self.base(cx, &self.page, format!("{} : redemandée à chaque visite", self.page));
        let page = match self.get(gate, &self.page, &[], &base).await? {
            Ok(page) => page,
            Err(miss) => return Ok(Err(miss)),
        };
        let all = directives(&page);
        let asked = all.iter().any(|d| matches!(d.as_str(), "no-cache" | "no-store" | "max-age=0"));
        if !asked || kept(&page) > 0 {
            return Ok(Err(Box::new(Miss {
                headline: format!("la page {} peut rester dans le navigateur alors qu'elle a changé", self.page),
                observed: format!(
                    "Cache-Control: {}",
                    if all.is_empty() { "aucun".to_owned() } else { tell::cut(&all.join(", "), 100) }
                ),
                hint: "la page nomme les fichiers : elle seule doit toujours être fraîche ; sans en-tête, le navigateur devine"
                    .to_owned(),
                ..base
            })));
        }
        facts.push(Fact::new(&self.page, all.join(", "), format!("{} : {}", self.page, all.join(", "))));
        Ok(Ok(facts))
    }
}

#[async_trait]
impl Check for Assets {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.text.is_empty() {
            return Err("assets.text est vide".into());
        }
        if self.proof == AssetsProof::Cache && self.days == 0 {
            return Err("assets.days doit être positif".into());
        }
        Ok(())
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let gate = match Gate::open(cx.world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let seen = match self.proof {
            AssetsProof::Gzip => self.gzip(cx, &gate).await?,
            AssetsProof::Cache => self.cache(cx, &gate).await?,
        };
        match seen {
            Ok(facts) => tell::pass(facts),
            Err(miss) => tell::fail(*miss),
        }
    }
}
