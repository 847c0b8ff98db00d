//! Engine errors said in the user's words.

use bollard::errors::Error;

use crate::error::{Fault, FaultKind};

/// HTTP status of an engine error, when it came from the engine.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// True when the object does not exist (any more).
pub(super) fn is_gone(error: &Error) -> bool {
    status(error) == Some(404)
}

/// A fault for a failed engine operation; `doing` is French, « la création de la sonde ».
pub(super) fn engine_fault(doing: &str, error: &Error) -> Fault {
    from_text(doing, &error.to_string())
}

/// The same from a text that the engine, Compose or Buildx wrote.
pub(super) fn from_text(doing: &str, text: &str) -> Fault {
    let lower = text.to_lowercase();
    let fault = if lower.contains("no space left on device") {
        Fault::new(
            FaultKind::Disk,
            format!("le disque est plein ({doing})"),
            "libérez de la place (docker system df, docker image prune), puis relancez",
        )
    } else if lower.contains("permission denied") && lower.contains("docker") {
        Fault::new(
            FaultKind::Permission,
            "le moteur Docker refuse l'accès à cet utilisateur",
            "ajoutez-vous au groupe docker (sudo usermod -aG docker \"$USER\") et rouvrez la session",
        )
    } else if lower.contains("cannot connect to the docker daemon")
        || lower.contains("connection refused")
        || lower.contains("no such file or directory") && lower.contains("docker.sock")
        || lower.contains("hyper legacy client")
        || lower.contains("socket not found")
    {
        Fault::new(
            FaultKind::NoEngine,
            format!("le moteur Docker ne répond pas ({doing})"),
            "démarrez Docker (Docker Desktop, ou « sudo systemctl start docker » sous Linux), puis relancez",
        )
    } else {
        Fault::new(
            FaultKind::Engine,
            format!("le moteur Docker a refusé ou raté {doing}"),
            "relancez ; si cela recommence, « docker info » et le journal du démon en diront plus",
        )
    };
    fault.detail(text.trim())
}
