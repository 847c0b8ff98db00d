//! `acme`: the certificate that the proxy presents was issued, in this run, by a local ACME server,
//! and by the HTTP challenge.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::Leaf;
use super::gate::Gate;
use super::world::{Declared, World, wire};
use super::{Check, Cx, Experiments, Stage, check_host, kit, port_https, said, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Which of the proofs is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AcmeProof {
    /// Issued by the server of this run, for the name.
    Issued,
    /// After the HTTP challenge.
    Http,
}

/// A certificate issued by a local ACME server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Acme {
    /// Which of the proofs is judged.
    pub proof: AcmeProof,
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Name asked for.
    pub host: String,
    /// Service of the ACME server, which is Pebble.
    pub server: String,
    /// Port of Pebble's management interface.
    #[serde(default = "management")]
    pub management: u16,
}

fn management() -> u16 {
    15_000
}

/// Orders take a few seconds; Pebble refuses some requests on purpose, and Traefik tries again.
const PATIENCE: Duration = Duration::from_secs(40);
/// The variable that makes Pebble validate nothing.
const BLIND: &str = "PEBBLE_VA_ALWAYS_VALID";
/// What Pebble logs before it asks for the challenge.
const ATTEMPT: &str = "Attempting to validate w/ HTTP: http://";

/// What was presented, against the authority of the run.
struct Shown {
    leaf: Leaf,
    /// Common name of the authority that signed it, when it is Pebble's.
    signed: bool,
}

/// The certificates of a PEM text, each in base64 without line ends.
fn pem(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN CERTIFICATE-----") {
        let Some((body, after)) = after.split_once("-----END CERTIFICATE-----") else { break };
        found.push(body.split_whitespace().collect());
        rest = after;
    }
    found
}

/// Whether the key of one certificate signed another, both in base64.
fn signed_by(child: &str, parent: &str) -> bool {
    let read = || -> Option<bool> {
        let (child, parent) = (STANDARD.decode(child).ok()?, STANDARD.decode(parent).ok()?);
        let (_, child) = X509Certificate::from_der(&child).ok()?;
        let (_, parent) = X509Certificate::from_der(&parent).ok()?;
        Some(
            child.issuer().as_raw() == parent.subject().as_raw()
                && child.verify_signature(Some(parent.public_key())).is_ok(),
        )
    };
    read().unwrap_or(false)
}

/// Whether a chain, leaf first, leads to this root by way of these intermediates or its own.
fn leads_to(chain: &[String], intermediates: &[String], root: &str) -> bool {
    let Some((leaf, sent)) = chain.split_first() else { return false };
    let mut at = leaf.clone();
    for _ in 0..4 {
        if signed_by(&at, root) {
            return true;
        }
        let Some(next) = sent.iter().chain(intermediates).find(|c| **c != at && signed_by(&at, c)) else {
            return false;
        };
        at.clone_from(next);
    }
    false
}

impl Acme {
    fn base(&self, cx: &Cx<'_>) -> Miss {
        Miss {
            expected: match self.proof {
                AcmeProof::Issued => format!(
                    "pour {}, un certificat à ce nom, émis pendant cette correction par l'autorité de « {} »",
                    self.host, self.server
                ),
                AcmeProof::Http => format!(
                    "« {} » a vérifié {} par le défi HTTP : il est venu chercher le jeton sur le port 80",
                    self.server, self.host
                ),
            },
            place: said::place(
                cx.world,
                &self.via,
                &["certificatesResolvers", "certificatesresolvers", "certresolver"],
                "demande de certificats",
            ),
            try_it: format!("docker compose logs {} ; docker compose logs {}", self.via, self.server),
            ..Miss::default()
        }
    }

    /// A page of Pebble's management interface.
    async fn managed(&self, gate: &Gate<'_>, path: &str) -> Result<Result<String, String>, Fault> {
        let ask = wire::Http::get(self.server.clone(), self.management, path).secure();
        let what = format!("GET https://{}:{}{path}", self.server, self.management);
        Ok(match kit::http(gate.world, &kit::inside(&self.via), ask).await?.0 {
            Ok(answer) if answer.status == 200 => Ok(answer.body),
            Ok(answer) => Err(format!("{what} : {}", answer.status)),
            Err(failure) => Err(format!("{what} : {}", tell::why(&failure))),
        })
    }

    /// The miss of a server that is not Pebble as it comes.
    fn stranger(&self, cx: &Cx<'_>, declared: &Declared) -> Option<Miss> {
        let service = declared.services.get(&self.server)?;
        let image = service.image.clone().unwrap_or_default();
        let name = image.split(['@']).next().unwrap_or_default();
        let known = ["ghcr.io/letsencrypt/pebble", "letsencrypt/pebble", "docker.io/letsencrypt/pebble"];
        let own = known
            .iter()
            .any(|k| name.strip_prefix(k).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
        (!own || service.build_context.is_some()).then(|| Miss {
            headline: format!("« {} » n'est pas l'image de Pebble", self.server),
            observed: if service.build_context.is_some() {
                "une image construite".to_owned()
            } else {
                format!("image {}", tell::cut(&image, 80))
            },
            place: tell::at(cx.world, &self.server, "image", "image de l'autorité"),
            hint: "l'autorité de ce défi est celle de l'énoncé, telle quelle".to_owned(),
            ..self.base(cx)
        })
    }

    async fn issued(&self, cx: &Cx<'_>, gate: &Gate<'_>) -> Result<Verdict, Fault> {
        let root =
            kit::patiently(Duration::from_secs(10), Result::is_ok, || self.managed(gate, "/roots/0")).await?;
        let root = match root.map(|text| pem(&text).into_iter().next()) {
            Ok(Some(root)) => root,
            Ok(None) => String::new(),
            Err(why) => {
                return tell::fail(Miss {
                    headline: format!("l'interface de gestion de « {} » ne répond pas", self.server),
                    observed: why,
                    noted: tell::tail(&cx.world.logs(&self.server, 10).await?, 3),
                    hint: format!(
                        "elle doit écouter sur le port {}, et partager un réseau avec « {} »",
                        self.management, self.via
                    ),
                    ..self.base(cx)
                });
            }
        };
        let intermediates: Vec<String> =
            self.managed(gate, "/intermediates/0").await?.map(|text| pem(&text)).unwrap_or_default();
        let look = || async {
            let seen = gate.shake(self.port, Some(&self.host)).await?;
            Ok(seen.map(|answer| {
                let chain = answer.seen.chain;
                let leaf = chain.first().and_then(|coded| Leaf::read(coded).ok());
                leaf.map(|leaf| Shown { signed: leads_to(&chain, &intermediates, &root), leaf })
            }))
        };
        let good = |seen: &Result<Option<Shown>, wire::Failure>| matches!(seen, Ok(Some(s)) if s.signed);
        let seen = kit::patiently(PATIENCE, good, look).await?;
        let shown = match seen {
            Ok(Some(shown)) => shown,
            Ok(None) => {
                return tell::fail(Miss {
                    headline: "le certificat présenté est illisible".to_owned(),
                    ..self.base(cx)
                });
            }
            Err(failure) => {
                let miss = gate.unreached(self.port, &self.host, &failure).await?;
                let Miss { expected, try_it, .. } = self.base(cx);
                return tell::fail(Miss { expected, try_it, ..miss });
            }
        };
        let names =
            if shown.leaf.names.is_empty() { "aucun".to_owned() } else { shown.leaf.names.join(", ") };
        let told = format!("émis par « {} », noms : {names}", shown.leaf.issuer);
        let facts = vec![Fact::new("issuer", shown.leaf.issuer.clone(), told.clone())];
        if !shown.signed {
            let mut noted = said::errors(cx.world, &self.via).await?;
            noted.truncate(3);
            let (headline, hint) = if shown.leaf.is_default() {
                (
                    format!("Traefik présente son certificat par défaut pour {}", self.host),
                    "un certificat se demande pour les noms d'un routeur qui cite un resolver ; si la demande est faite et échoue, le journal de Traefik dit à quelle étape",
                )
            } else if shown.leaf.self_signed {
                (
                    "le certificat présenté est signé par sa propre clé".to_owned(),
                    "le bon nom ne suffit pas : qui l'a signé ?",
                )
            } else {
                (
                    "le certificat présenté vient d'une autre autorité, ou d'un autre jour".to_owned(),
                    "Pebble fabrique une autorité neuve à chaque démarrage : un certificat gardé de la veille ne vaut plus rien",
                )
            };
            return tell::fail(Miss {
                headline,
                observed: told,
                noted,
                hint: hint.to_owned(),
                facts,
                control: format!(
                    "la racine de « {} », lue à l'instant, n'a pas signé cette chaîne",
                    self.server
                ),
                ..self.base(cx)
            });
        }
        if !shown.leaf.covers(&self.host) {
            return tell::fail(Miss {
                headline: format!("le certificat ne vaut pas pour {}", self.host),
                observed: told,
                hint: "les noms demandés sont ceux de la règle du routeur".to_owned(),
                facts,
                ..self.base(cx)
            });
        }
        tell::pass(facts)
    }

    async fn by_http(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let running = kit::running(cx.world, &self.server).await?;
        if let Some(value) = running
            .iter()
            .find_map(|i| i.env.get(BLIND))
            .filter(|v| !matches!(v.as_str(), "" | "0" | "false"))
        {
            return tell::fail(Miss {
                headline: format!("« {} » ne vérifie rien", self.server),
                observed: format!("{BLIND}={}", tell::cut(value, 20)),
                place: cx.world.place(&["services", &self.server, "environment"], "réglages de l'autorité"),
                hint: "une autorité qui signe sans vérifier ne prouve pas que l'on tient le nom".to_owned(),
                ..self.base(cx)
            });
        }
        let log = cx.world.logs(&self.server, 3_000).await?;
        let wanted = format!("{ATTEMPT}{}", self.host);
        if let Some(line) = log.lines().find(|line| line.contains(&wanted)) {
            let at = line.find(ATTEMPT).unwrap_or(0);
            return tell::pass(vec![Fact::new(
                "attempt",
                tell::cut(&line[at..], 160),
                tell::cut(&line[at..], 100),
            )]);
        }
        let other = log.lines().find(|line| line.contains("Attempting to validate"));
        tell::fail(Miss {
            headline: "le certificat n'a pas été obtenu par le défi HTTP".to_owned(),
            observed: match other {
                Some(line) => tell::cut(line, 140),
                None => "aucune validation dans le journal de l'autorité".to_owned(),
            },
            hint: "trois défis existent dans ACME ; celui-ci se choisit dans le resolver de Traefik"
                .to_owned(),
            ..self.base(cx)
        })
    }
}

#[async_trait]
impl Check for Acme {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn deadline(&self) -> Duration {
        // Patience is stretched on a busy machine.
        Duration::from_secs(300)
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        check_host("acme.host", &self.host)
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world: &dyn World = cx.world;
        if let Some(miss) = tell::absent(world.declared(), &self.server) {
            return tell::fail(Miss {
                headline: format!("défi non fait : pas de service « {} »", self.server),
                hint: "ce défi demande une autorité ACME locale, à côté de Traefik".to_owned(),
                ..miss
            });
        }
        if let Some(miss) = self.stranger(cx, world.declared()) {
            return tell::fail(miss);
        }
        if kit::settled(world, &self.server, Duration::from_secs(5)).await?.is_empty() {
            return tell::fail(tell::stopped(world, &self.server).await?);
        }
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        match self.proof {
            AcmeProof::Issued => self.issued(cx, &gate).await,
            AcmeProof::Http => self.by_http(cx).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    #[test]
    fn a_chain_leads_to_its_root_and_to_no_other() {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let authority = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::new(Vec::new()).expect("parameters");
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            (params, key)
        };
        let (root, root_key) = authority("racine");
        let (middle, middle_key) = authority("milieu");
        let root_cert = root.self_signed(&root_key).expect("a root");
        let root_issuer = Issuer::new(root, root_key);
        let middle_cert = middle.signed_by(&middle_key, &root_issuer).expect("a middle");
        let middle_issuer = Issuer::new(middle, middle_key);
        let leaf_key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["api.tp.test".to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&leaf_key, &middle_issuer).expect("a leaf");
        let (other, other_key) = authority("racine");
        let other = other.self_signed(&other_key).expect("another root of the same name");
        let coded = |der: &[u8]| STANDARD.encode(der);
        let (root, middle, leaf, other) =
            (coded(root_cert.der()), coded(middle_cert.der()), coded(leaf.der()), coded(other.der()));
        assert!(leads_to(&[leaf.clone(), middle.clone()], &[], &root));
        assert!(leads_to(from_ref(&leaf), from_ref(&middle), &root));
        assert!(!leads_to(from_ref(&leaf), &[], &root));
        assert!(!leads_to(&[leaf, middle], &[], &other));
        assert!(!leads_to(&[], &[], &root));
    }

    #[test]
    fn certificates_of_a_text() {
        let text = "x\n-----BEGIN CERTIFICATE-----\nAAA\nBBB\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nCC\n-----END CERTIFICATE-----";
        assert_eq!(pem(text), ["AAABBB", "CC"]);
        assert!(pem("non").is_empty());
    }
}
