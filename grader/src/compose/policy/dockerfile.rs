//! What a Dockerfile must not ask of the machine.

use std::path::Path;

use super::Judge;
use crate::compose::dockerfile::{Scope, parse, split_flags, text_of, without_line};
use crate::compose::model::BuildPlan;
use crate::event::{Change, Place};

/// The official front end: the built-in one does the same.
const FRONTENDS: [&str; 4] =
    ["docker/dockerfile", "docker.io/docker/dockerfile", "docker/dockerfile-upstream", "dockerfile"];

/// Judges the Dockerfile of a build.
pub(super) fn judge(judge: &mut Judge<'_>, path: &[&str], plan: &BuildPlan) {
    let Some(text) = text_of(&judge.model.root, plan) else { return };
    let source = judge.model.source.clone();
    let name = plan.dockerfile.as_deref().map(|p| p.to_string_lossy().into_owned());
    let lines = crate::compose::source::lines(&text);
    let place = |line: usize| -> Option<Place> {
        let Some(name) = &name else {
            let mut at = path.to_vec();
            at.push("dockerfile_inline");
            return source.place(&at, "");
        };
        let text = lines.get(line.checked_sub(1)?)?;
        let mark = crate::compose::source::mark(text, line, 1, text.trim_end().chars().count(), "");
        Some(Place { file: name.clone(), mark, also: Vec::new() })
    };
    // Other ways that BuildKit has to name a front end.
    let head = lines.iter().map(|l| l.trim()).find(|l| !l.is_empty() && !l.starts_with('#'));
    if head.is_some_and(|l| l.starts_with("//") || l.starts_with('{')) {
        judge.refuse_at("dockerfile-form", path, "", place(1));
    }
    let file = parse(&text);
    if let Some((syntax, line)) = &file.syntax {
        let image = syntax.split([':', '@']).next().unwrap_or_default();
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
    let mut scope = Scope::new(plan);
    for instruction in &file.instructions {
        let (flags, words) = split_flags(&instruction.rest);
        match instruction.name.as_str() {
            "ADD" => {
                let sources = words.split_last().map_or(&[][..], |(_, sources)| sources);
                let json = instruction.rest.contains('[');
                let sources = if json { words.as_slice() } else { sources };
                if let Some(bad) = sources.iter().map(|s| scope.fill(s)).find(|s| is_remote(s)) {
                    let bad = bad.trim_matches(['[', ']', '"', ',']).to_owned();
                    judge.refuse_at("dockerfile-add-remote", path, &bad, place(instruction.line));
                }
            }
            "RUN" => {
                let risky = |flag: &&&str| {
                    let flag = flag.to_ascii_lowercase();
                    flag.starts_with("--security")
                        || (flag.starts_with("--network=") && !matches!(&flag[10..], "default" | "none"))
                        || (flag.starts_with("--mount=") && flag.split([',', '=']).any(|p| p == "ssh"))
                        || flag.starts_with("--device")
                };
                if let Some(flag) = flags.iter().find(risky) {
                    judge.refuse_at("dockerfile-run", path, flag, place(instruction.line));
                }
            }
            _ => {}
        }
        scope.read(instruction);
    }
}

/// True when `ADD` would fetch this, or when it cannot be told.
fn is_remote(source: &str) -> bool {
    let source = source.trim_start_matches(['[', '"']);
    let lower = source.to_ascii_lowercase();
    lower.contains("://")
        || lower.starts_with("git@")
        || lower.starts_with("github.com/")
        || source.contains('$')
}

/// Turns a line of a staged file into a plain comment, its number kept.
pub(super) fn blank_line(file: &Path, line: usize) {
    let Ok(text) = std::fs::read_to_string(file) else { return };
    // A failure leaves the line in place: the build then says why it stops.
    let _ = std::fs::write(file, without_line(&text, line));
}
