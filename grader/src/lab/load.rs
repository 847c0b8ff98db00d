//! Reading a lab folder, with errors that give file, line and column.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draw::{Ticket, render};
use super::file::{LabError, fail, from_toml, position};
use super::spec::{CheckSpec, FORMAT, Lab, RawLab};
use crate::check::RawCheck;
use crate::event::CheckCard;

/// Folders of `labs` that hold a `lab.toml`, sorted by name.
pub fn list(labs: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(labs)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| p.join("lab.toml").is_file())
        .collect();
    dirs.sort();
    dirs
}

/// Loads the lab `id` (`02`, `2`, `02-deploiement`) from the folder `labs`.
pub fn load(labs: &Path, id: &str) -> Result<Lab, LabError> {
    let dirs = list(labs);
    let wanted = |dir: &PathBuf| {
        let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let number = name.split('-').next().unwrap_or_default();
        name == id || number == id || number.trim_start_matches('0') == id
    };
    let Some(dir) = dirs.iter().find(|d| wanted(d)) else {
        let known: Vec<String> =
            dirs.iter().filter_map(|d| d.file_name()).map(|n| n.to_string_lossy().into_owned()).collect();
        return Err(LabError {
            file: labs.display().to_string(),
            at: None,
            what: format!(
                "pas de TP « {id} » ; TP connus : {}",
                if known.is_empty() { "aucun".to_owned() } else { known.join(", ") }
            ),
        });
    };
    let file = dir.join("lab.toml");
    let text = std::fs::read_to_string(&file).map_err(|e| LabError {
        file: file.display().to_string(),
        at: None,
        what: format!("lecture impossible ({e})"),
    })?;
    parse(&file.display().to_string(), &text, dir.clone())
}

/// Parses and checks the text of a `lab.toml`.
pub fn parse(file: &str, text: &str, dir: PathBuf) -> Result<Lab, LabError> {
    let raw: RawLab = from_toml(file, text, FORMAT)?;
    resolve(raw, dir, text).map_err(|(needle, what)| {
        let at = text.find(&needle).map(|i| position(text, i));
        fail(file, at, what)
    })
}

impl Lab {
    /// What was drawn for the student of this folder, when it holds a number that is sealed for this lab.
    pub fn drawn_in(&self, dir: &Path) -> Option<String> {
        let file = dir.join(&self.draw.as_ref()?.file);
        let meta = file.symlink_metadata().ok()?;
        let text =
            (meta.is_file() && meta.len() < 4_096).then(|| std::fs::read_to_string(file).ok()).flatten()?;
        Some(Ticket::read(&text, &self.id).ok()?.told(&self.id))
    }

    /// The same lab with the values of a ticket; itself when nothing is drawn.
    ///
    /// # Errors
    ///
    /// `lab.toml` names what it does not draw, or does not hold together with these values.
    pub fn drawn(&self, ticket: Ticket) -> Result<Self, LabError> {
        let Some(draw) = &self.draw else { return Ok(self.clone()) };
        let file = self.dir.join("lab.toml").display().to_string();
        let text = render(&self.text, &draw.values(ticket)).map_err(|e| LabError {
            file: file.clone(),
            at: None,
            what: format!("valeur tirée : {e}"),
        })?;
        parse(&file, &text, self.dir.clone())
    }
}

/// Checks what types cannot: the error names a text to point at.
fn resolve(raw: RawLab, dir: PathBuf, text: &str) -> Result<Lab, (String, String)> {
    if let Some(draw) = &raw.draw {
        draw.check().map_err(|what| ("[draw]".to_owned(), what))?;
    }
    let mut seen = HashSet::new();
    let mut checks = Vec::new();
    for check in raw.check {
        let needle = format!("id = \"{}\"", check.id);
        let bad = |what: String| (needle.clone(), format!("contrôle « {} » : {what}", check.id));
        let plain = check.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if check.id.is_empty() || !plain {
            return Err(bad("l'identifiant n'admet que a-z, 0-9 et le tiret".into()));
        }
        if !check.points.is_finite() || check.points < 0.0 {
            return Err(bad("le nombre de points doit être positif ou nul".into()));
        }
        if let Some(need) = check.needs.iter().find(|n| !seen.contains(*n)) {
            return Err(bad(format!("needs cite « {need} », qui n'est pas un contrôle précédent")));
        }
        if !seen.insert(check.id.clone()) {
            return Err(bad("identifiant déjà pris".into()));
        }
        let mut kinds = check.kinds();
        if kinds.len() > 1 {
            let names: Vec<_> = kinds.iter().map(|k| k.0).collect();
            return Err(bad(format!("plusieurs natures à la fois : {}", names.join(", "))));
        }
        let Some((kind, judge)) = kinds.pop() else {
            return Err(bad(format!(
                "il faut exactement une nature parmi : {}",
                RawCheck::kind_names().join(", ")
            )));
        };
        judge.validate(&raw.experiment).map_err(bad)?;
        let is_static = judge.is_static();
        checks.push(CheckSpec {
            card: CheckCard {
                id: check.id,
                title: check.title,
                section: check.section,
                points: check.points,
                course: check.course,
                is_static,
            },
            needs: check.needs,
            hints: check.hints,
            kind,
            check: Arc::clone(&judge),
        });
    }
    Ok(Lab {
        id: raw.id,
        dir,
        title: raw.title,
        course: raw.course,
        budget: raw.budget,
        memory: raw.memory.map(|m| m.0),
        images: raw.images,
        answers: raw.answers,
        no_map: raw.no_map,
        draw: raw.draw,
        text: text.to_owned(),
        experiments: raw.experiment,
        checks,
    })
}
