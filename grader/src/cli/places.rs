//! Where the labs are: beside the working directory, above it, or beside the binary; and what a
//! command names in them.

use std::path::{Path, PathBuf};

use super::{shell, student};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::lab::{self, CheckSpec, Lab, LabError};

/// The folder of the labs: `TP_DOCKER_LABS`, else what a release carries, else `labs/` beside the binary
/// or above it, else in the working directory or above it. That one comes last: it may belong to the
/// submission, which must not bring its own checks.
pub fn labs() -> Result<PathBuf, Fault> {
    if let Some(dir) = std::env::var_os("TP_DOCKER_LABS").map(PathBuf::from) {
        return Ok(dir);
    }
    if let Some(release) = carried()? {
        return Ok(release.join("labs"));
    }
    let mut starts = [std::env::current_exe(), std::env::current_dir()].into_iter().flatten();
    starts.find_map(|start| above(&start)).ok_or_else(|| {
        Fault::new(
            FaultKind::Lab,
            "le dossier « labs » est introuvable",
            "placez-vous dans le projet, ou donnez son chemin : TP_DOCKER_LABS=…/labs",
        )
    })
}

fn above(start: &Path) -> Option<PathBuf> {
    let mut found = start.ancestors().map(|dir| dir.join("labs"));
    found.find(|labs| labs.is_dir() && !lab::list(labs).is_empty())
}

/// What a release carries in its binary, unpacked; nothing in a build without it.
#[cfg(feature = "bundle")]
pub fn carried() -> Result<Option<PathBuf>, Fault> {
    crate::bundle::root().map(Some).map_err(|e| {
        Fault::new(
            FaultKind::Disk,
            "les TP que contient le correcteur ne peuvent pas être dépliés",
            "vérifiez la place et les droits de votre dossier personnel, ou donnez XDG_DATA_HOME",
        )
        .detail(e)
    })
}

/// What a release carries in its binary, unpacked; nothing in a build without it.
#[cfg(not(feature = "bundle"))]
#[expect(clippy::unnecessary_wraps, reason = "the build with the feature can fail")]
pub fn carried() -> Result<Option<PathBuf>, Fault> {
    Ok(None)
}

/// The lab that a command names; otherwise says why there is none and gives the exit code.
pub fn lab(labs: &Path, id: &str) -> Result<Lab, ExitCode> {
    lab::load(labs, id).map_err(|e| {
        shell::complain(&format!("erreur · {e}"));
        ExitCode::Usage
    })
}

/// What `grader VERB [LAB] [-C DIR]` is about.
pub struct Subject {
    /// Folder of the labs.
    pub labs: PathBuf,
    /// The lab.
    pub lab: Lab,
    /// The student's folder.
    pub dir: PathBuf,
}

/// The lab that is named, or that the folder belongs to; otherwise says what is missing and gives the
/// exit code.
pub fn subject(verb: &str, named: Option<&str>, dir: Option<&Path>) -> Result<Subject, ExitCode> {
    let labs = labs().map_err(|e| shell::fault(&e))?;
    let dir = dir.unwrap_or(Path::new(".")).to_owned();
    let Some(id) = named.map(str::to_owned).or_else(|| lab_around(&labs, &dir)) else {
        shell::complain(&format!(
            "erreur · de quel TP s'agit-il ?\n  à faire  grader {verb} 02 -C mon-dossier (grader list montre les TP)"
        ));
        return Err(ExitCode::Usage);
    };
    let lab = lab(&labs, &id)?;
    if !dir.is_dir() {
        shell::complain(&format!(
            "erreur · le dossier « {} » n'existe pas\n  à faire  vérifiez le chemin donné à -C",
            dir.display()
        ));
        return Err(ExitCode::Usage);
    }
    Ok(Subject { labs, lab, dir })
}

/// The lab that a command names, sought where the labs are.
pub fn find_lab(id: &str) -> Result<Lab, ExitCode> {
    lab(&labs().map_err(|e| shell::fault(&e))?, id)
}

/// What `grader VERB [LAB] [CHECK]` is about: one word alone is a check of the folder's lab when no lab has that name.
pub fn lab_and_check(
    verb: &str,
    first: Option<&str>,
    second: Option<&str>,
    dir: Option<&Path>,
) -> Result<(Lab, Option<String>), ExitCode> {
    let labs = labs().map_err(|e| shell::fault(&e))?;
    let around = || lab_around(&labs, dir.unwrap_or(Path::new(".")));
    let (id, check) = match (first, second) {
        (Some(word), None) => match lab::load(&labs, word) {
            Ok(lab) => return Ok((lab, None)),
            Err(_) => (around(), first),
        },
        (Some(word), check) => (Some(word.to_owned()), check),
        (None, _) => (around(), None),
    };
    let Some(id) = id else {
        shell::complain(&format!(
            "erreur · de quel TP s'agit-il ?\n  à faire  grader {verb} 02 {} (grader list montre les TP)",
            check.unwrap_or("CONTRÔLE")
        ));
        return Err(ExitCode::Usage);
    };
    Ok((lab(&labs, &id)?, check.map(str::to_owned)))
}

/// The lab of a folder given by [`lab::list`].
pub fn lab_in(labs: &Path, dir: &Path) -> Result<Lab, LabError> {
    lab::load(labs, &dir.file_name().unwrap_or_default().to_string_lossy())
}

/// The lab that a folder belongs to: one inside a lab's own (`labs/02-…/solution`), or one that the
/// student's journal knows.
pub fn lab_around(labs: &Path, dir: &Path) -> Option<String> {
    let inside = || {
        let (dir, labs) = (dir.canonicalize().ok()?, labs.canonicalize().ok()?);
        let inside = dir.strip_prefix(&labs).ok()?;
        Some(inside.components().next()?.as_os_str().to_string_lossy().into_owned())
    };
    inside().or_else(|| student::lab_of(dir))
}

/// The check that a command names; otherwise says which there are and gives the exit code.
pub fn check<'a>(lab: &'a Lab, id: &str) -> Result<&'a CheckSpec, ExitCode> {
    lab.checks.iter().find(|spec| spec.card.id == id).ok_or_else(|| {
        let ids: Vec<&str> = lab.checks.iter().map(|c| c.card.id.as_str()).collect();
        shell::complain(&format!(
            "erreur · pas de contrôle « {id} » dans le TP {}\n  à faire  {}",
            lab.id,
            ids.join(", ")
        ));
        ExitCode::Usage
    })
}
