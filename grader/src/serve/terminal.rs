//! A terminal: a websocket on one side, a shell in one of the student's own containers on the other.
//!
//! From the page: binary messages are what is typed, text messages are `{"size":[80,24]}` and `{"read":N}`. To the
//! page: binary messages are what the shell writes, a text message is what ended it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tokio::time::timeout;

use super::Site;
use super::answer::Trouble;
use super::desk::{Shell, Size};
use crate::french;

/// Terminals at once.
pub const DOORS: usize = 6;

/// Longest message of a page, bytes.
const MESSAGE: usize = 64 * 1024;

/// What a page may have received and not drawn yet, bytes: beyond it the shell waits.
const OWED: usize = 256 * 1024;

/// Longest wait for a side that takes nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message of the page that is not typed text.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Said {
    Size(u16, u16),
    Read(usize),
}

/// `GET /api/containers/{id}/terminal`
pub async fn open(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Trouble> {
    let Ok(place) = Arc::clone(&site.doors).try_acquire_owned() else {
        return Err(Trouble::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{DOORS} terminaux sont déjà ouverts"),
            "fermez-en un",
        ));
    };
    // Asked again at this very moment: the list that the page has seen proves nothing.
    let own = site.desk.containers(&site.projects()).await?;
    if !own.iter().any(|c| c.id == id) {
        return Err(Trouble::unknown("ce conteneur n'est pas, ou n'est plus, un conteneur de vos dossiers"));
    }
    let upgrade = upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE);
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        match site.desk.shell(&id, (80, 24)).await {
            Ok(mut shell) => {
                let mut closing = site.closing.subscribe();
                let ended = tokio::select! {
                    ended = pump(&mut socket, shell.as_mut()) => ended,
                    _ = closing.wait_for(|closing| *closing) => "le serveur s'arrête",
                };
                shell.close().await;
                say(&mut socket, ended).await;
            }
            Err(fault) => say(&mut socket, &format!("{} : {}", fault.what, fault.todo)).await,
        }
        drop(place);
    }))
}

async fn say(socket: &mut WebSocket, text: &str) {
    let farewell = async {
        let _ = socket.send(Message::text(french::typeset(text))).await;
        let _ = socket.send(Message::Close(None)).await;
    };
    let _ = timeout(Duration::from_secs(2), farewell).await;
}

/// Carries both ways until one side ends; says why in French.
async fn pump(socket: &mut WebSocket, shell: &mut dyn Shell) -> &'static str {
    let mut owed = 0;
    loop {
        tokio::select! {
            written = shell.read(), if owed < OWED => {
                let Some(written) = written else { return "session terminée" };
                owed += written.len();
                if !matches!(timeout(PATIENCE, socket.send(Message::Binary(written))).await, Ok(Ok(()))) {
                    return "la page ne lit plus";
                }
            }
            said = socket.recv() => match said {
                Some(Ok(Message::Binary(typed))) => {
                    if !matches!(timeout(PATIENCE, shell.write(&typed)).await, Ok(Ok(()))) {
                        return "le programme ne lit plus ce qui est tapé";
                    }
                }
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(Said::Size(columns, lines)) => shell.resize(sane((columns, lines))).await,
                    Ok(Said::Read(bytes)) => owed = owed.saturating_sub(bytes),
                    Err(_) => return "message inattendu",
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return "page fermée",
            },
        }
    }
}

/// A window that a person could look at.
fn sane((columns, lines): Size) -> Size {
    (columns.clamp(2, 500), lines.clamp(1, 300))
}
