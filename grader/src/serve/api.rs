//! What the panel asks: a lab, a run and its events, a hint, the containers.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Site;
use super::answer::{Trouble, answer};
use super::runs::{Busy, Run};
use crate::lab::{CheckSpec, Lab};

/// Longest body, bytes.
const BODY: usize = 4 * 1024;

/// Silence after which a line says that the stream lives.
const ALIVE: Duration = Duration::from_secs(15);

/// Beginning of a run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    lab: String,
    dir: String,
}

/// A hint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    lab: String,
    dir: String,
    check: String,
    level: usize,
}

/// The body, when it is said to be JSON and is.
async fn body<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Trouble> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Trouble::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "demande qui n'est pas en JSON",
            "rechargez la page",
        ));
    }
    let bytes = axum::body::to_bytes(request.into_body(), BODY).await.map_err(|_| {
        Trouble::new(StatusCode::PAYLOAD_TOO_LARGE, "demande trop longue", "rechargez la page")
    })?;
    serde_json::from_slice(&bytes).map_err(|e| {
        Trouble::new(StatusCode::BAD_REQUEST, format!("demande illisible ({e})"), "rechargez la page")
    })
}

impl Site {
    fn lab(&self, id: &str) -> Result<&Lab, Trouble> {
        self.labs.iter().find(|l| l.id == id).ok_or_else(|| Trouble::unknown(format!("pas de TP « {id} »")))
    }

    fn inside(&self, dir: &str) -> Result<PathBuf, Trouble> {
        self.root.inside(dir).ok_or_else(|| {
            Trouble::new(
                StatusCode::FORBIDDEN,
                format!("« {dir} » n'est pas un dossier de {}", self.root.path().display()),
                "choisissez un dossier de la liste, ou relancez « grader serve -C votre-dossier »",
            )
        })
    }

    /// Folders whose running project the student may look into.
    pub(super) fn projects(&self) -> Vec<PathBuf> {
        self.root.projects(self.labs.iter().filter_map(|lab| self.desk.folder(&lab.id)))
    }

    fn run(&self, id: &str) -> Result<Arc<Run>, Trouble> {
        self.runs.get(id).ok_or_else(|| Trouble::unknown("cette correction n'est plus connue"))
    }
}

/// `GET /api/labs/{id}`
pub async fn lab(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Result<Response, Trouble> {
    let lab = site.lab(&id)?;
    let known = site.desk.folder(&id);
    let (folders, chosen) = site.root.choices(&id, known.as_deref());
    let read = site.desk.hints(&id, known.as_deref().unwrap_or(site.root.path()));
    let check = |spec: &CheckSpec| {
        let id = &spec.card.id;
        json!({"id": id, "hints": spec.hints.len(), "read": read.get(id).copied().unwrap_or_default()})
    };
    let run = site.runs.of(&id).map(|r| json!({"id": r.id, "dir": r.dir, "over": r.is_over()}));
    Ok(answer(
        StatusCode::OK,
        &json!({
            "id": lab.id, "title": lab.title, "root": site.root.path(), "folders": folders, "chosen": chosen,
            "checks": lab.checks.iter().map(check).collect::<Vec<_>>(), "run": run,
        }),
    ))
}

/// `POST /api/runs`
pub async fn start(State(site): State<Arc<Site>>, request: Request<Body>) -> Result<Response, Trouble> {
    let asked: Start = body(request).await?;
    let lab = site.lab(&asked.lab)?;
    let folder = site.inside(&asked.dir)?;
    match site.runs.start(lab, folder, &asked.dir) {
        Ok(run) => Ok(answer(StatusCode::CREATED, &json!({"id": run.id}))),
        Err(Busy::Lab) => Err(Trouble::new(
            StatusCode::CONFLICT,
            format!("une correction du TP {} est déjà en cours", lab.id),
            "attendez sa fin, ou arrêtez-la",
        )),
        Err(Busy::Closing) => Err(Trouble::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "le serveur s'arrête",
            "relancez « grader serve »",
        )),
    }
}

/// `GET /api/runs/{id}/events`: the journal from its beginning, or from after the line that the browser says it
/// has.
pub async fn events(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let run = site.run(&id)?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let from = last.map_or(0, |last| last.saturating_add(1));
    if run.is_over() && from >= run.len() {
        // Tells the browser not to come again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = run.follow(from).map(|line| {
        let message = Message::default().id(line.at.to_string()).data(&line.text);
        Ok::<_, Infallible>(if line.is_report { message.event("report") } else { message })
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

/// `DELETE /api/runs/{id}`
pub async fn cancel(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Result<Response, Trouble> {
    let run = site.run(&id)?;
    run.cancel();
    Ok(answer(StatusCode::ACCEPTED, &json!({"id": run.id, "over": run.is_over()})))
}

/// `POST /api/hints`
pub async fn hint(State(site): State<Arc<Site>>, request: Request<Body>) -> Result<Response, Trouble> {
    let asked: Hint = body(request).await?;
    let lab = site.lab(&asked.lab)?;
    let folder = site.inside(&asked.dir)?;
    let spec = lab.checks.iter().find(|s| s.card.id == asked.check);
    let hints = spec.map(|s| s.hints.as_slice()).unwrap_or_default();
    let text = asked.level.checked_sub(1).and_then(|i| hints.get(i)).ok_or_else(|| {
        Trouble::unknown(format!("« {} » n'a pas d'indice de niveau {}", asked.check, asked.level))
    })?;
    site.desk.note_hint(&lab.id, &asked.check, asked.level, &folder);
    Ok(answer(StatusCode::OK, &json!({"level": asked.level, "of": hints.len(), "text": text})))
}

/// `GET /api/containers`
pub async fn containers(State(site): State<Arc<Site>>) -> Result<Response, Trouble> {
    let found = site.desk.containers(&site.projects()).await?;
    let shown: Vec<_> = found
        .iter()
        .map(|c| {
            let dir = c.folder.strip_prefix(site.root.path()).unwrap_or(&c.folder).to_string_lossy();
            let dir = if dir.is_empty() { ".".into() } else { dir };
            json!({"id": c.id, "name": c.name, "service": c.service, "dir": dir})
        })
        .collect();
    Ok(answer(StatusCode::OK, &shown))
}
