//! Where the labs are: beside the working directory, above it, or beside the binary.

use std::path::{Path, PathBuf};

use crate::error::{Fault, FaultKind};

/// The folder of the labs: `TP_DOCKER_LABS`, else `labs/` in the working directory or above it,
/// else beside the binary or above it.
pub fn labs() -> Result<PathBuf, Fault> {
    if let Some(dir) = std::env::var_os("TP_DOCKER_LABS").map(PathBuf::from) {
        return Ok(dir);
    }
    let holds = |dir: &Path| dir.join("labs").is_dir() && !crate::lab::list(&dir.join("labs")).is_empty();
    let starts = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    for start in starts.iter().flatten() {
        if let Some(found) = start.ancestors().find(|dir| holds(dir)) {
            return Ok(found.join("labs"));
        }
    }
    Err(Fault::new(
        FaultKind::Lab,
        "le dossier « labs » est introuvable",
        "placez-vous dans le projet, ou donnez son chemin : TP_DOCKER_LABS=…/labs",
    ))
}
