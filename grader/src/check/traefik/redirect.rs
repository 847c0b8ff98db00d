//! `redirect`: what is asked in clear is sent, for good, to the same address over HTTPS.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::gate::Gate;
use super::world::{World, wire};
use super::{Check, Cx, Experiments, Stage, check_host, check_path, is_traefik, kit, port_http, said, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Requests in clear are redirected permanently to HTTPS: same host, same path, same query.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Redirect {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached in clear.
    #[serde(default = "port_http")]
    pub port: u16,
    /// Host asked for.
    pub host: String,
    /// Other hosts that must be redirected too.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Path, perhaps with a query; a value drawn for the run is added to it.
    pub path: String,
    /// Other paths that must be redirected too.
    #[serde(default)]
    pub also: Vec<String>,
}

/// Traefik may still be starting.
const PATIENCE: Duration = Duration::from_secs(8);

/// An absolute address, cut where it matters.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    /// Path and query, as written.
    rest: &'a str,
}

/// Cuts an absolute address; `None` when it is relative.
fn address(text: &str) -> Option<Address<'_>> {
    let (scheme, rest) = text.split_once("://")?;
    let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(cut);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    Some(Address { scheme, host, port, rest: if rest.is_empty() { "/" } else { rest } })
}

/// What is wrong with a redirection: what was seen, and the hint.
fn flaw(status: u16, location: Option<&str>, host: &str, path: &str) -> Option<(String, &'static str)> {
    let shown = tell::cut(location.unwrap_or_default(), 120);
    let Some(location) = location else {
        return Some((format!("{status} sans en-tête Location"), "une redirection dit où aller"));
    };
    let Some(to) = address(location) else {
        return Some((
            format!("{status} vers {shown}, qui ne dit pas https://"),
            "une adresse relative garde le protocole de départ",
        ));
    };
    if !to.scheme.eq_ignore_ascii_case("https") {
        return Some((
            format!("{status} vers {shown}"),
            "le but est de quitter HTTP ; vers quel protocole part-on ici ?",
        ));
    }
    if !to.host.eq_ignore_ascii_case(host) {
        return Some((format!("{status} vers {shown}"), "l'hôte demandé ne doit pas changer en route"));
    }
    if to.port.is_some_and(|p| p != "443") {
        return Some((
            format!("{status} vers {shown}"),
            "le client suit cette adresse depuis la machine : quel port y est publié ?",
        ));
    }
    if to.rest != path {
        return Some((
            format!("{status} vers {shown}"),
            "le chemin et la requête (après le ?) sont à garder tels quels",
        ));
    }
    matches!(status, 302 | 303 | 307).then(|| {
        (
            format!("{status} vers {shown}"),
            "une redirection temporaire est redemandée à chaque fois ; il en existe une qui est définitive",
        )
    })
}

fn base(host: &str, path: &str) -> Miss {
    Miss {
        expected: format!("http://{host}{path} : 301 ou 308 vers https://{host}{path}"),
        try_it: format!("curl -sI 'http://{host}{path}'"),
        ..Miss::default()
    }
}

impl Redirect {
    /// The paths, each with a value that nobody can know in advance.
    fn targets(&self, world: &dyn World, host: &str) -> Vec<String> {
        let target = |path: &String| {
            let value = kit::draw(world, &format!("redirect-{host}{path}")) % 1_000_000;
            let mark = if path.contains('?') { '&' } else { '?' };
            format!("{path}{mark}tirage={value}")
        };
        std::iter::once(&self.path).chain(&self.also).map(target).collect()
    }

    fn place(&self, world: &dyn World) -> Option<crate::event::Place> {
        let needles = [
            "redirections",
            "redirectscheme",
            "redirectScheme",
            "redirectregex",
            "return 30",
            "rewrite ",
            "listen 80",
        ];
        said::place(world, &self.via, &needles, "redirection demandée ici")
    }

    async fn unanswered(&self, gate: &Gate<'_>, miss: Miss, failure: &wire::Failure) -> Result<Miss, Fault> {
        let port = gate.port(self.port);
        Ok(Miss {
            headline: format!("« {} » n'écoute pas en clair sur le port {port}", self.via),
            observed: tell::why(failure),
            noted: said::errors(gate.world, &self.via).await?,
            place: said::place(gate.world, &self.via, said::ENTRY_POINTS, "points d'entrée"),
            hint: "pour rediriger, il faut d'abord recevoir : qui écoute sur ce port ?".to_owned(),
            ..miss
        })
    }

    /// The miss of an answer that is no redirection.
    fn served(&self, world: &dyn World, host: &str, miss: Miss, answer: &wire::HttpAnswer) -> Miss {
        let headline = match answer.status {
            200..=299 => format!("http://{host} est servi en clair, sans redirection"),
            404 => format!("http://{host} n'est pas redirigé : 404"),
            status => format!("http://{host} n'est pas redirigé : {status}"),
        };
        Miss {
            headline,
            observed: format!("{} {}", answer.status, tell::cut(&answer.reason, 40)),
            noted: vec![format!("corps : {}", tell::cut(&answer.body, 120))],
            place: self.place(world),
            hint: if is_traefik(world, &self.via) {
                "rediriger au point d'entrée vaut pour tous les hôtes ; par un middleware, il faut un routeur en clair"
            } else {
                "le port en clair peut ne servir qu'à cela : un bloc à lui, qui renvoie tout ailleurs"
            }
            .to_owned(),
            ..miss
        }
    }
}

#[async_trait]
impl Check for Redirect {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Drive
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        std::iter::once(&self.path)
            .chain(&self.also)
            .try_for_each(|path| check_path("redirect.path", path))?;
        std::iter::once(&self.host).chain(&self.hosts).try_for_each(|h| check_host("redirect.host", h))
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let world = cx.world;
        let gate = match Gate::open(world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let _alone = cx.memo.alone().await;
        let mut facts = Vec::new();
        let hosts = std::iter::once(&self.host).chain(&self.hosts);
        let asked =
            hosts.flat_map(|host| self.targets(world, host).into_iter().map(move |path| (host, path)));
        for (host, path) in asked {
            let miss = || base(host, &path);
            let good = |seen: &Result<wire::HttpAnswer, wire::Failure>| {
                seen.as_ref().is_ok_and(|a| (300..400).contains(&a.status))
            };
            let ask = || gate.send(gate.plain(self.port, host, &path));
            let answer = match kit::patiently(PATIENCE, good, ask).await? {
                Ok(answer) => answer,
                Err(failure) => return tell::fail(self.unanswered(&gate, miss(), &failure).await?),
            };
            if !matches!(answer.status, 301..=303 | 307 | 308) {
                return tell::fail(Miss { facts, ..self.served(world, host, miss(), &answer) });
            }
            let location = answer.header("location");
            if let Some((observed, hint)) = flaw(answer.status, location, host, &path) {
                let temporary = matches!(answer.status, 302 | 303 | 307);
                return tell::fail(Miss {
                    headline: if temporary {
                        format!("la redirection de http://{host} est temporaire")
                    } else {
                        format!("la redirection de http://{host} ne mène pas au bon endroit")
                    },
                    observed,
                    place: self.place(world),
                    hint: hint.to_owned(),
                    facts,
                    ..miss()
                });
            }
            facts.push(Fact::new(
                &format!("redirect:{host}"),
                answer.status,
                format!("http://{host}{path} : {} vers HTTPS", answer.status),
            ));
        }
        facts.push(self.stranger(&gate).await?);
        tell::pass(facts)
    }
}

impl Redirect {
    /// A host that no statement names: redirected when the redirection is at the entry point.
    async fn stranger(&self, gate: &Gate<'_>) -> Result<Fact, Fault> {
        let host = format!("hote-{}.localhost", kit::draw(gate.world, "redirect-stranger") % 1_000_000);
        let seen = gate.send(gate.plain(self.port, &host, "/")).await?;
        let status = seen.ok().map(|a| a.status);
        let everywhere = status.is_some_and(|s| (300..400).contains(&s));
        Ok(Fact::new(
            "stranger",
            status.map_or(serde_json::Value::Null, Into::into),
            if everywhere {
                "un hôte inconnu est redirigé aussi : la redirection est au point d'entrée"
            } else {
                "un hôte inconnu n'est pas redirigé : la redirection est celle de routeurs"
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut() {
        let cut = |t| address(t).map(|a| (a.scheme, a.host, a.port, a.rest));
        assert_eq!(cut("https://a.b/c?d=e#f"), Some(("https", "a.b", None, "/c?d=e")));
        assert_eq!(cut("https://a.b:8443"), Some(("https", "a.b", Some("8443"), "/")));
        assert_eq!(cut("http://[::1]/x"), Some(("http", "[::1]", None, "/x")));
        assert_eq!(cut("/relative"), None);
    }

    #[test]
    fn every_flaw_is_told() {
        let ok = |s, l| flaw(s, Some(l), "a.localhost", "/x?y=1");
        assert_eq!(ok(301, "https://a.localhost/x?y=1"), None);
        assert_eq!(ok(308, "HTTPS://A.localhost:443/x?y=1"), None);
        for (status, to, word) in [
            (302, "https://a.localhost/x?y=1", "définitive"),
            (307, "https://a.localhost/x?y=1", "définitive"),
            (301, "http://a.localhost/x?y=1", "protocole"),
            (301, "https://b.localhost/x?y=1", "hôte"),
            (301, "https://a.localhost:8443/x?y=1", "publié"),
            (301, "https://a.localhost/", "requête"),
            (301, "https://a.localhost/x", "requête"),
            (301, "/x?y=1", "relative"),
        ] {
            let (observed, hint) = ok(status, to).expect("a flaw");
            assert!(hint.contains(word), "{to}: {observed} {hint}");
        }
        assert!(flaw(301, None, "a", "/").is_some());
    }
}
