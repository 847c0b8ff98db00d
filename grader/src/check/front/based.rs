//! `based`: an application that lives beneath a base path (Kibana) answers through a reverse proxy, and its
//! pages, redirections and files stay beneath that path.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::prefixed::is_moved;
use super::url::{links, resolve_secure};
use super::{
    Check, Cx, Experiments, Gate, Stage, hint_of, in_conf, kit, port_https, secure, tell, unreached,
};
use crate::check::world::wire;
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// An application that lives beneath a base path.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Based {
    /// Service of the reverse proxy.
    pub via: String,
    /// Port of the host by which it is reached over TLS.
    #[serde(default = "port_https")]
    pub port: u16,
    /// Host asked for.
    pub host: String,
    /// Base path, without its last slash.
    pub base: String,
    /// Service of the application.
    pub service: String,
    /// Its port in the container.
    pub to_port: u16,
    /// Path, beneath the base, of a JSON that says who answers.
    pub status: String,
    /// JSON pointers of what must be the same asked directly (a version, an identifier).
    pub same: Vec<String>,
}

/// Redirections followed from the base to a page.
const HOPS: usize = 6;

type Told<T> = Result<Result<T, Box<Miss>>, Fault>;

impl Based {
    fn miss(&self, cx: &Cx<'_>, path: &str) -> Miss {
        Miss {
            expected: format!(
                "https://{}{}/ mène à « {} », et ses pages y restent",
                self.host, self.base, self.service
            ),
            place: in_conf(
                cx.world,
                &[&format!("location {}", self.base), &self.base],
                "ce chemin est décrit ici",
            )
            .or_else(|| tell::at(cx.world, &self.service, "environment", "réglages de ce service")),
            try_it: format!(
                "curl -sik --resolve {0}:{1}:127.0.0.1 https://{0}:{1}{path}",
                self.host, self.port
            ),
            ..Miss::default()
        }
    }

    async fn get(&self, cx: &Cx<'_>, gate: &Gate<'_>, path: &str) -> Told<wire::HttpAnswer> {
        match secure(gate, self.port, &self.host, path, &[]).await? {
            Ok(answer) if answer.status == 200 || is_moved(answer.status) => Ok(Ok(answer)),
            Ok(answer) => Ok(Err(Box::new(Miss {
                headline: format!("https://{}{} répond {}", self.host, tell::cut(path, 80), answer.status),
                observed: format!("{} {}", answer.status, tell::cut(&answer.body, 80)),
                hint: hint_of(answer.status).to_owned(),
                ..self.miss(cx, path)
            }))),
            Err(failure) => {
                let miss = unreached(gate, self.port, &failure).await?;
                Ok(Err(Box::new(Miss { expected: self.miss(cx, path).expected, ..miss })))
            }
        }
    }

    /// The application's own answer about itself, with its base path or without.
    async fn own(&self, cx: &Cx<'_>) -> Result<Option<Value>, Fault> {
        let (_, ip) = kit::needed(cx.world, &self.service).await?;
        for path in [format!("{}{}", self.base, self.status), self.status.clone()] {
            let ask = wire::Http::get(ip.to_string(), self.to_port, path);
            let seen = kit::http(cx.world, &kit::inside(&self.service), ask).await?.0;
            if let Ok(answer) = seen
                && answer.status == 200
                && let Ok(json) = serde_json::from_str(&answer.body)
            {
                return Ok(Some(json));
            }
        }
        Ok(None)
    }

    async fn identity(&self, cx: &Cx<'_>, gate: &Gate<'_>) -> Told<Vec<Fact>> {
        let path = format!("{}{}", self.base, self.status);
        let answer = match self.get(cx, gate, &path).await? {
            Ok(answer) => answer,
            Err(miss) => return Ok(Err(miss)),
        };
        let Some(own) = self.own(cx).await? else {
            return Ok(Err(Box::new(Miss {
                headline: format!("« {} » ne dit pas son état", self.service),
                observed: format!(
                    "port {} : ni {path} ni {} ne répond par du JSON",
                    self.to_port, self.status
                ),
                noted: tell::tail(&cx.world.logs(&self.service, 20).await?, 5),
                hint: "l'application est-elle prête, et sur ce port-là ?".to_owned(),
                ..self.miss(cx, &path)
            })));
        };
        let seen: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let mut facts = Vec::new();
        for pointer in &self.same {
            let (here, there) = (seen.pointer(pointer), own.pointer(pointer));
            if here.is_none() || here != there {
                return Ok(Err(Box::new(Miss {
                    headline: format!("ce qui répond sous {} n'est pas « {} »", self.base, self.service),
                    observed: format!("GET {path} : {}", tell::cut(&answer.body, 100)),
                    control: format!("demandé à « {} » : {}", self.service, tell::cut(&own.to_string(), 100)),
                    hint: "à quel service, et sous quel chemin, cette demande est-elle envoyée ?".to_owned(),
                    ..self.miss(cx, &path)
                })));
            }
            let shown = tell::cut(&here.map(ToString::to_string).unwrap_or_default(), 60);
            facts.push(Fact::new(
                pointer,
                shown.as_str(),
                format!("{pointer} : {shown}, comme demandé directement"),
            ));
        }
        Ok(Ok(facts))
    }

    /// Where a reference of `page` leads, when it stays beneath the base.
    fn beneath(&self, cx: &Cx<'_>, page: &str, reference: &str) -> Result<String, Box<Miss>> {
        let shown = tell::cut(reference, 100);
        match resolve_secure(&self.host, page, reference) {
            Ok(path) if path == self.base || path.starts_with(&format!("{}/", self.base)) => Ok(path),
            _ => Err(Box::new(Miss {
                headline: format!("« {} » envoie le navigateur hors de {}", self.service, self.base),
                observed: format!("{} demande {shown}", tell::cut(page, 80)),
                place: tell::at(cx.world, &self.service, "environment", "réglages de ce service"),
                hint: "l'application écrit elle-même ses adresses : elle doit savoir sous quel chemin elle est publiée"
                    .to_owned(),
                ..self.miss(cx, page)
            })),
        }
    }

    async fn pages(&self, cx: &Cx<'_>, gate: &Gate<'_>) -> Told<Vec<Fact>> {
        let mut path = format!("{}/", self.base);
        for _ in 0..HOPS {
            let answer = match self.get(cx, gate, &path).await? {
                Ok(answer) => answer,
                Err(miss) => return Ok(Err(miss)),
            };
            if is_moved(answer.status) {
                path = match self.beneath(cx, &path, answer.header("location").unwrap_or_default()) {
                    Ok(path) => path,
                    Err(miss) => return Ok(Err(miss)),
                };
                continue;
            }
            let mut files = links(&answer.body, "src");
            files.extend(links(&answer.body, "href"));
            files.retain(|f| !f.is_empty() && !f.starts_with(['#', '{']) && !f.contains(':'));
            let mut first = None;
            for file in &files {
                match self.beneath(cx, &path, file) {
                    Ok(file) => first = first.or(Some(file)),
                    Err(miss) => return Ok(Err(miss)),
                }
            }
            if let Some(file) = &first
                && let Err(miss) = self.get(cx, gate, file).await?
            {
                return Ok(Err(miss));
            }
            let told = format!("{path} : {} fichiers, tous sous {}", files.len(), self.base);
            return Ok(Ok(vec![Fact::new("page", path.as_str(), told)]));
        }
        Ok(Err(Box::new(Miss {
            headline: format!("{}/ redirige sans fin", self.base),
            observed: format!("{HOPS} redirections, la dernière vers {}", tell::cut(&path, 80)),
            hint: "qui enlève le préfixe, et qui le remet ? Un seul des deux doit le faire".to_owned(),
            ..self.miss(cx, &path)
        })))
    }
}

#[async_trait]
impl Check for Based {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        let right = |path: &str| path.starts_with('/') && !path.ends_with('/');
        if right(&self.base) && right(&self.status) {
            Ok(())
        } else {
            Err("based.base, based.status : /chemin".into())
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = tell::absent(cx.world.declared(), &self.service) {
            return tell::fail(miss);
        }
        let gate = match Gate::open(cx.world, &self.via, None).await? {
            Ok(gate) => gate,
            Err(miss) => return tell::fail(*miss),
        };
        let mut facts = match self.identity(cx, &gate).await? {
            Ok(facts) => facts,
            Err(miss) => return tell::fail(*miss),
        };
        match self.pages(cx, &gate).await? {
            Ok(more) => facts.extend(more),
            Err(miss) => return tell::fail(*miss),
        }
        tell::pass(facts)
    }
}
