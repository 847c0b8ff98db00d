//! A Dockerfile read just enough: the images it needs, and what it must not do.

mod parse;
mod scope;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::model::BuildPlan;
pub(super) use parse::{Instruction, arguments, mount, parse, words};
use scope::Scope;

/// An image that a build needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromImage {
    /// Service built.
    pub service: String,
    /// Image, variables substituted.
    pub image: String,
    /// Dockerfile relative to the root; `None` when it is written in the Compose file.
    pub dockerfile: Option<PathBuf>,
    /// Line of the Dockerfile, from 1.
    pub line: usize,
}

/// Text of the Dockerfile of a build.
pub(super) fn text_of(root: &Path, plan: &BuildPlan) -> Option<String> {
    match (&plan.inline, &plan.dockerfile) {
        (Some(inline), _) => Some(inline.clone()),
        (None, Some(path)) => super::source::read_text(root, &path.to_string_lossy()),
        (None, None) => None,
    }
}

/// The text with a line turned into an empty comment, its number kept.
pub(super) fn without_line(text: &str, line: usize) -> String {
    text.split_inclusive('\n').enumerate().map(|(n, l)| if n + 1 == line { "#\n" } else { l }).collect()
}

/// The images that an instruction other than `FROM` copies from, as written.
pub(super) fn copied_from(instruction: &Instruction) -> Vec<String> {
    let values = |prefix: &str| -> Vec<String> {
        instruction.flags.iter().filter_map(|f| f.strip_prefix(prefix)).map(str::to_owned).collect()
    };
    match instruction.name.as_str() {
        "COPY" | "ADD" => values("--from="),
        "RUN" => values("--mount=")
            .iter()
            .flat_map(|value| mount(value).unwrap_or_default())
            .filter(|(key, value)| key == "from" && !value.is_empty())
            .map(|(_, value)| value)
            .collect(),
        _ => Vec::new(),
    }
}

/// Images that a build starts from or copies from, in order, each once.
pub(super) fn from_images(root: &Path, service: &str, plan: &BuildPlan) -> Vec<FromImage> {
    let Some(text) = text_of(root, plan) else { return Vec::new() };
    let mut found: Vec<FromImage> = Vec::new();
    let mut stages: Vec<String> = plan.contexts.keys().map(|name| name.to_lowercase()).collect();
    let mut count = 0usize;
    let mut scope = Scope::new(plan);
    for instruction in parse(&text).instructions {
        let words = words(&instruction.rest);
        let wanted: Vec<String> = match instruction.name.as_str() {
            "FROM" => words.first().map(|w| scope.fill_global(w)).into_iter().collect(),
            _ => copied_from(&instruction).iter().map(|from| scope.fill(from)).collect(),
        };
        for image in wanted {
            let stage = stages.contains(&image.to_lowercase());
            let number = instruction.name != "FROM" && image.parse::<usize>().is_ok_and(|n| n < count);
            let known = found.iter().any(|f| f.image == image);
            if !stage && !number && !known && image != "scratch" && !image.is_empty() {
                found.push(FromImage {
                    service: service.to_owned(),
                    image,
                    dockerfile: plan.dockerfile.clone(),
                    line: instruction.line,
                });
            }
        }
        if instruction.name == "FROM" {
            count += 1;
            if let [_, as_word, name, ..] = words.as_slice()
                && as_word.eq_ignore_ascii_case("as")
            {
                stages.push(name.to_lowercase());
            }
        }
        scope.read(&instruction);
    }
    found
}

/// The stages of a build whose files the stage that is built copies, itself or through others: their names, and the Dockerfile as
/// far as their end, which builds them.
pub fn feeders(root: &Path, plan: &BuildPlan) -> Vec<(String, String)> {
    let Some(text) = text_of(root, plan) else { return Vec::new() };
    let instructions = parse(&text).instructions;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut scope = Scope::new(plan);
    let mut stages: Vec<BuildStage> = Vec::new();
    for instruction in &instructions {
        if instruction.name == "FROM" {
            let words = words(&instruction.rest);
            let name = words.get(2).filter(|_| words[1].eq_ignore_ascii_case("as")).cloned();
            let from = words.first().map(|w| scope.fill_global(w)).unwrap_or_default();
            if let Some(last) = stages.last_mut() {
                last.end = instruction.line - 1;
            }
            stages.push(BuildStage { name, from, copies: Vec::new(), end: lines.len() });
        } else if let Some(stage) = stages.last_mut() {
            stage.copies.extend(copied_from(instruction).iter().map(|from| scope.fill(from)));
        }
        scope.read(instruction);
    }
    let named = |wanted: &str, before: usize| {
        let number = wanted.parse::<usize>().ok().filter(|n| *n < before);
        let same = |s: &BuildStage| s.name.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(wanted));
        number.or_else(|| stages[..before].iter().rposition(same))
    };
    let last = match &plan.target {
        Some(target) => named(target, stages.len()),
        None => stages.len().checked_sub(1),
    };
    let mut found: BTreeSet<usize> = BTreeSet::new();
    let mut todo: Vec<usize> = last.into_iter().collect();
    while let Some(index) = todo.pop() {
        for copied in stages[index].copies.iter().filter_map(|from| named(from, index)) {
            if found.insert(copied) {
                todo.push(copied);
            }
        }
        // What it starts from is a part of it.
        todo.extend(named(&stages[index].from, index));
    }
    let told = |index: usize| {
        let stage = &stages[index];
        let name = stage.name.clone().unwrap_or_else(|| format!("n° {index}"));
        (name, lines[..stage.end.min(lines.len())].concat())
    };
    found.into_iter().map(told).collect()
}

/// A stage of a Dockerfile.
struct BuildStage {
    name: Option<String>,
    /// What it starts from.
    from: String,
    /// What it copies from, as written.
    copies: Vec<String>,
    /// Its last line, from 1.
    end: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn stages_that_feed_the_last_one() {
        let told = |text: &str| -> Vec<(String, usize)> {
            let found = feeders(Path::new("/"), &inline(text));
            found.into_iter().map(|(name, text)| (name, text.lines().count())).collect()
        };
        let two = "FROM a AS Build\nRUN x\nFROM b AS unused\nFROM c\nCOPY --from=build /x /y\nCOPY --from=nginx /x /y\n";
        assert_eq!(told(two), [("Build".to_owned(), 2)]);
        assert_eq!(told("FROM a\nRUN x\nFROM b\nCOPY --from=0 /x /y"), [("n° 0".to_owned(), 2)]);
        let base =
            "FROM a AS make\nFROM b AS base\nRUN --mount=from=make,target=/m cp /m/x /\nFROM base\nRUN x\n";
        assert_eq!(told(base), [("make".to_owned(), 1)]);
        let through = "FROM a AS make\nRUN x\nFROM scratch AS parcel\nCOPY --from=make /x /\nFROM c\nCOPY --from=parcel /x /y\n";
        assert_eq!(told(through), [("make".to_owned(), 2), ("parcel".to_owned(), 4)]);
        assert!(told("FROM a AS make\nRUN x\nFROM make\nRUN y\n").is_empty());
        assert!(told("FROM a\nRUN x\n").is_empty());
        let target = BuildPlan {
            target: Some("make".to_owned()),
            ..inline("FROM a AS make\nFROM b\nCOPY --from=make /x /y\n")
        };
        assert!(feeders(Path::new("/"), &target).is_empty());
    }

    fn inline(text: &str) -> BuildPlan {
        BuildPlan { inline: Some(text.to_owned()), ..BuildPlan::default() }
    }

    #[test]
    fn images_of_a_multi_stage_build() {
        let plan = BuildPlan {
            args: BTreeMap::from([("V".to_owned(), Some("22".to_owned()))]),
            ..inline(
                "# syntax=docker/dockerfile:1\nARG V=20\nARG W\nFROM --platform=$BUILDPLATFORM node:${V}-alpine AS build\nRUN <<EOF\nFROM nothing\nEOF\nRUN npm ci \\\n  # comment\n  && FROM x\nFROM build AS test\nFROM nginx:${W:-1.27}\nCOPY --from=build /a /b\nCOPY --from=0 /a /b\nCOPY --from=busybox:1 /bin/sh /x\nRUN --mount=type=bind,from=alpine:3,target=/m ls\nFROM scratch\n",
            )
        };
        let images: Vec<(String, usize)> =
            from_images(Path::new("/"), "api", &plan).into_iter().map(|f| (f.image, f.line)).collect();
        assert_eq!(
            images,
            [
                ("node:22-alpine".to_owned(), 4),
                ("nginx:1.27".to_owned(), 12),
                ("busybox:1".to_owned(), 15),
                ("alpine:3".to_owned(), 16)
            ]
        );
    }
}
