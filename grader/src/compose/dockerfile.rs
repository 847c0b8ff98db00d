//! A Dockerfile read just enough: the images it needs, and what it must not do.

mod scope;

use std::path::{Path, PathBuf};

use super::model::BuildPlan;
pub(super) use scope::Scope;
use scope::unquote;

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

/// An instruction with its continuation lines joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// First line, from 1.
    pub line: usize,
    /// Upper case.
    pub name: String,
    pub rest: String,
    /// `true` under `ONBUILD`.
    pub onbuild: bool,
}

/// What a Dockerfile says.
#[derive(Clone, Debug, Default)]
pub(super) struct Dockerfile {
    /// `# syntax=` and its line.
    pub syntax: Option<(String, usize)>,
    pub instructions: Vec<Instruction>,
}

/// Text of the Dockerfile of a build.
pub(super) fn text_of(root: &Path, plan: &BuildPlan) -> Option<String> {
    match (&plan.inline, &plan.dockerfile) {
        (Some(inline), _) => Some(inline.clone()),
        (None, Some(path)) => super::source::read_text(root, &path.to_string_lossy()),
        (None, None) => None,
    }
}

/// Splits a Dockerfile into instructions.
pub(super) fn parse(text: &str) -> Dockerfile {
    let mut file = Dockerfile::default();
    let lines = super::source::lines(text);
    let mut escape = '\\';
    let mut directives = true;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim();
        at += 1;
        if let Some(comment) = line.strip_prefix('#') {
            if let Some((key, value)) = comment.split_once('=') {
                match key.trim().to_ascii_lowercase().as_str() {
                    // Further down than BuildKit looks, to be sure.
                    "syntax" if file.instructions.is_empty() => {
                        file.syntax = Some((value.trim().to_owned(), at));
                    }
                    "escape" if directives && value.trim() == "`" => escape = '`',
                    _ => {}
                }
            }
            continue;
        }
        if line.is_empty() {
            directives = false;
            continue;
        }
        directives = false;
        let first = at;
        let mut joined = String::new();
        let mut piece = line.to_owned();
        loop {
            let Some(head) = piece.strip_suffix(escape) else {
                joined.push_str(&piece);
                break;
            };
            joined.push_str(head);
            joined.push(' ');
            // Comments and empty lines inside a continued instruction are skipped.
            while at < lines.len() && (lines[at].trim().is_empty() || lines[at].trim().starts_with('#')) {
                at += 1;
            }
            let Some(next) = lines.get(at) else { break };
            next.trim_end().clone_into(&mut piece);
            at += 1;
        }
        at = skip_heredocs(&joined, &lines, at);
        push(&mut file.instructions, first, &joined, false);
    }
    file
}

/// The text with a line turned into an empty comment, its number kept.
pub(super) fn without_line(text: &str, line: usize) -> String {
    text.split_inclusive('\n').enumerate().map(|(n, l)| if n + 1 == line { "#\n" } else { l }).collect()
}

fn push(all: &mut Vec<Instruction>, line: usize, text: &str, onbuild: bool) {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let name = name.to_ascii_uppercase();
    if name == "ONBUILD" {
        return push(all, line, rest, true);
    }
    all.push(Instruction { line, name, rest: rest.trim().to_owned(), onbuild });
}

/// Line after the here-documents that `text` opens.
fn skip_heredocs(text: &str, lines: &[String], mut at: usize) -> usize {
    let name = text.split_whitespace().next().unwrap_or("").to_ascii_uppercase();
    if !matches!(name.as_str(), "RUN" | "COPY" | "ADD" | "ONBUILD") {
        return at;
    }
    for part in text.split("<<").skip(1) {
        let (strip, part) = part.strip_prefix('-').map_or((false, part), |p| (true, p));
        let end: String = part
            .trim_start_matches(['"', '\''])
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        // `<<<` and `1 << 2` open nothing; an end that never comes closes nothing either.
        if end.is_empty() || end.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let closes = |line: &String| (if strip { line.trim_start_matches('\t') } else { line }) == end;
        if let Some(offset) = lines[at.min(lines.len())..].iter().position(closes) {
            at += offset + 1;
        }
    }
    at
}

/// `--flag=value` before the arguments, then the arguments.
pub(super) fn split_flags(rest: &str) -> (Vec<&str>, Vec<&str>) {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let flags = words.iter().take_while(|w| w.starts_with("--")).count();
    let (flags, words) = words.split_at(flags);
    (flags.to_vec(), words.to_vec())
}

/// Images that a build starts from or copies from, in order, each once.
pub(super) fn from_images(root: &Path, service: &str, plan: &BuildPlan) -> Vec<FromImage> {
    let Some(text) = text_of(root, plan) else { return Vec::new() };
    let mut found: Vec<FromImage> = Vec::new();
    let mut stages: Vec<String> = plan.contexts.keys().map(|name| name.to_lowercase()).collect();
    let mut count = 0usize;
    let mut scope = Scope::new(plan);
    for instruction in parse(&text).instructions {
        let (flags, words) = split_flags(&instruction.rest);
        let mut wanted: Vec<String> = Vec::new();
        match instruction.name.as_str() {
            "FROM" => {
                wanted.extend(words.first().map(|w| scope.fill_global(unquote(w))));
            }
            "COPY" | "ADD" => {
                wanted.extend(flags.iter().filter_map(|f| f.strip_prefix("--from=")).map(|f| scope.fill(f)));
            }
            "RUN" => {
                let mounts = flags.iter().filter_map(|f| f.strip_prefix("--mount="));
                wanted.extend(
                    mounts
                        .flat_map(|m| m.split(','))
                        .filter_map(|p| p.strip_prefix("from="))
                        .map(|f| scope.fill(f)),
                );
            }
            _ => {}
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

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

    #[test]
    fn the_last_syntax_line_before_instructions_counts() {
        assert_eq!(parse("#syntax = evil/x\nFROM a\n# syntax=b\n").syntax, Some(("evil/x".to_owned(), 1)));
        assert_eq!(parse("\n# syntax=b\nFROM a\n").syntax, Some(("b".to_owned(), 2)));
    }
}
