//! What a Dockerfile must not ask of the machine.

use std::path::Path;

use super::Judge;
use super::images::{self, Values};
use super::paths::is_remote;
use crate::compose::dockerfile::{
    Instruction, arguments, copied_from, mount, parse, text_of, without_line, words,
};
use crate::compose::model::BuildPlan;
use crate::event::{Change, Place};

/// The official front end: the built-in one does the same.
const FRONTENDS: [&str; 4] =
    ["docker/dockerfile", "docker.io/docker/dockerfile", "docker/dockerfile-upstream", "dockerfile"];

/// Judges the Dockerfile of a build.
pub(super) fn judge(judge: &mut Judge<'_>, path: &[&str], plan: &BuildPlan) {
    let name = plan.dockerfile.as_deref().map(|p| p.to_string_lossy().into_owned());
    let Some(text) = text_of(&judge.model.root, plan) else {
        // One that is not there is the build's own failure; one that cannot be read is not judged.
        if plan.dockerfile.as_ref().is_some_and(|file| judge.model.root.join(file).exists()) {
            let place = judge.model.source.place(path, "");
            judge.refuse_at("dockerfile-form", path, name.as_deref().unwrap_or_default(), place);
        }
        return;
    };
    let source = judge.model.source.clone();
    let lines = crate::compose::source::lines(&text);
    let place = |line: usize| -> Option<Place> {
        let Some(name) = &name else {
            let mut at = path.to_vec();
            at.push("dockerfile_inline");
            let said = lines.get(line.checked_sub(1)?).map_or("", |l| l.trim());
            return source.place(&at, "").map(|key| source.below(key, said));
        };
        let text = lines.get(line.checked_sub(1)?)?;
        let mark = crate::compose::source::mark(text, line, 1, text.trim_end().chars().count(), "");
        Some(Place { file: name.clone(), mark, also: Vec::new() })
    };
    let file = parse(&text);
    if let Some(line) = file.odd {
        judge.refuse_at("dockerfile-form", path, name.as_deref().unwrap_or_default(), place(line));
    }
    for (syntax, line) in &file.syntax {
        let image = syntax.split([':', '@', ' ']).next().unwrap_or_default();
        if !FRONTENDS.contains(&image) {
            judge.refuse_at("dockerfile-syntax", path, syntax, place(*line));
        } else if let Some(name) = &name {
            judge.blank.push((name.into(), *line));
            judge.changes.push(Change {
                path: path.join("."),
                text: format!("la ligne « # syntax={syntax} » de {name} est ignorée : le constructeur intégré lit ce Dockerfile"),
            });
        }
    }
    let values = Values::of(plan, &file.every);
    for instruction in &file.every {
        if let Some((id, value)) = fault(instruction, &values) {
            judge.refuse_at(id, path, &value, place(instruction.line));
        }
    }
}

/// What an instruction asks for and must not: the rule and the words to quote.
fn fault(instruction: &Instruction, values: &Values) -> Option<(&'static str, String)> {
    let name = instruction.name.as_str();
    if name == "ADD" {
        for source in arguments(&instruction.rest) {
            if is_remote(&source) {
                return Some(("dockerfile-add-remote", source));
            }
        }
        // A variable may come from the image that it starts from: nobody can tell what it holds.
        let sources = arguments(&instruction.rest);
        if let Some(source) = sources.split_last().and_then(|(_, s)| s.iter().find(|s| s.contains('$'))) {
            return Some(("dockerfile-add-variable", source.clone()));
        }
    }
    if name == "RUN"
        && let Some(flag) = instruction.flags.iter().find(|flag| is_risky(flag))
    {
        return Some(("dockerfile-run", flag.clone()));
    }
    let mut wanted = copied_from(instruction);
    if wanted.iter().any(|image| image.contains('$')) {
        return Some(("dockerfile-image", wanted.remove(0)));
    }
    if name == "FROM"
        && let Some(image) = words(&instruction.rest).first()
    {
        match values.all(image) {
            Some(all) => wanted.extend(all),
            None => return Some(("dockerfile-image", image.clone())),
        }
    }
    wanted.into_iter().find(|image| images::is_local(image)).map(|image| ("image-local", image))
}

/// True for an option of `RUN` that reaches out of the build.
fn is_risky(flag: &str) -> bool {
    let lower = flag.to_ascii_lowercase();
    let (key, value) = lower.split_once('=').unwrap_or((&lower, ""));
    match key {
        "--mount" => mount(value).is_none_or(|parts| parts.iter().any(|(k, v)| k == "type" && v == "ssh")),
        "--network" => !matches!(value, "default" | "none"),
        _ => true,
    }
}

/// Turns a line of a staged file into a plain comment, its number kept.
pub(super) fn blank_line(file: &Path, line: usize) {
    let Ok(text) = std::fs::read_to_string(file) else { return };
    // A failure leaves the line in place: the build then says why it stops.
    let _ = std::fs::write(file, without_line(&text, line));
}
