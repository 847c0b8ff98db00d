//! Answers of the API, all JSON, troubles included.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::guard::Refused;
use crate::error::Fault;

/// A trouble that the page shows: what, and what to do.
#[derive(Debug)]
pub struct Trouble(pub StatusCode, pub String, pub String);

impl Trouble {
    /// French `what` and `todo`.
    pub fn new(status: StatusCode, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self(status, what.into(), todo.into())
    }

    /// Something named in the request does not exist.
    pub fn unknown(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, what, "rechargez la page")
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self(StatusCode::BAD_GATEWAY, fault.what, fault.todo)
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        let again = "ouvrez l'adresse que « grader serve » affiche dans votre terminal";
        match refused {
            Refused::Host => {
                Self::new(StatusCode::MISDIRECTED_REQUEST, "cette adresse n'est pas celle du cours", again)
            }
            Refused::Origin => {
                Self::new(StatusCode::FORBIDDEN, "cette demande vient d'une autre page que le cours", again)
            }
            Refused::Key => {
                Self::new(StatusCode::UNAUTHORIZED, "ce navigateur n'a pas la clé de ce serveur", again)
            }
            Refused::Method => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, "cette page se lit, rien de plus", again)
            }
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        answer(self.0, &json!({"what": self.1, "todo": self.2}))
    }
}

/// A JSON answer.
pub fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
