//! Where things are written in the student's files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tree::{Broken, Id, Kind, Tree};
use crate::event::{Mark, Place};

/// One read file.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Path in the submission, with `/`.
    pub name: String,
    /// Its text, without a byte-order mark.
    pub text: String,
    /// Its lines, without their ends.
    pub lines: Vec<String>,
    /// Its tree, or why there is none.
    pub tree: Result<Tree, Broken>,
}

impl SourceFile {
    pub(super) fn new(name: &str, text: String) -> Self {
        let tree = Tree::parse(&text);
        Self { name: name.to_owned(), lines: lines(&text), tree, text }
    }
}

/// Positions in the Compose files of a submission.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    root: PathBuf,
    files: Arc<Vec<SourceFile>>,
    /// Name of the file that the lab lays over the others.
    over: Option<String>,
}

/// How a path was found: the key (or item), its value, and how many segments were followed.
struct Found {
    file: usize,
    key: Option<Id>,
    value: Id,
    depth: usize,
}

impl SourceMap {
    /// Main file first, then its overrides, then included and extended files.
    pub(super) fn new(root: &Path, files: Vec<SourceFile>) -> Self {
        Self { root: root.to_owned(), files: Arc::new(files), over: None }
    }

    /// Says which file is laid over the others, if any.
    pub(super) fn with_over(self, over: Option<String>) -> Self {
        Self { over, ..self }
    }

    /// Name of the file that the lab lays over the others, when it is there.
    pub fn over(&self) -> Option<&str> {
        self.over.as_deref()
    }

    pub(super) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Name of the main file, empty when there is none.
    pub fn main(&self) -> &str {
        self.files.first().map_or("", |f| f.name.as_str())
    }

    /// Position of a node, for instance `["services", "api", "networks"]`; falls back on the
    /// nearest parent that is written. `None` only when nothing of the path is written.
    pub fn place(&self, path: &[&str], label: &str) -> Option<Place> {
        self.shown(&self.find(path, None)?, label)
    }

    /// The same, the file that is laid over left aside.
    pub fn place_alone(&self, path: &[&str], label: &str) -> Option<Place> {
        self.shown(&self.find(path, self.over())?, label)
    }

    fn shown(&self, found: &Found, label: &str) -> Option<Place> {
        let file = self.files.get(found.file)?;
        let tree = file.tree.as_ref().ok()?;
        let value = tree.node(found.value);
        let start = tree.node(found.key.unwrap_or(found.value));
        // A value reached through an alias of another line does not lengthen the mark.
        let one_line = value.line == start.line && value.end_line == start.line;
        let key_end = match &start.kind {
            Kind::Scalar { .. } if start.end_line == start.line => start.end_column,
            _ => start.column + 1,
        };
        let end = if one_line { value.end_column.max(key_end) } else { key_end };
        Some(Self::at(file, start.line, start.column + 1, end.saturating_sub(start.column), label))
    }

    /// Position of a node when all of its path is written.
    pub(super) fn exact(&self, path: &[&str]) -> Option<Place> {
        let found = self.find(path, None)?;
        (found.depth == path.len()).then(|| self.place(path, "")).flatten()
    }

    /// Position of the first line of a file of the submission that contains `needle`.
    pub fn place_in(&self, file: &str, needle: &str, label: &str) -> Option<Place> {
        let read;
        let all: &[String] = if let Some(known) = self.files.iter().find(|f| f.name == file) {
            &known.lines
        } else {
            read = lines(&read_text(&self.root, file)?);
            &read
        };
        all.iter().enumerate().find_map(|(index, line)| {
            let byte = line.find(needle)?;
            let column = line[..byte].chars().count() + 1;
            Some(Place {
                file: file.to_owned(),
                mark: mark(line, index + 1, column, needle.chars().count(), label),
                also: Vec::new(),
            })
        })
    }

    /// The first line further down than `above` that says `text`; `above` itself when none does.
    pub(super) fn below(&self, above: Place, text: &str) -> Place {
        let known = self.files.iter().find(|f| f.name == above.file);
        let found = known.and_then(|file| {
            let lines = file.lines.iter().enumerate().skip(above.mark.line);
            lines
                .into_iter()
                .find(|(_, line)| !text.is_empty() && line.trim() == text)
                .map(|(index, _)| index)
        });
        found.and_then(|index| self.place_line(&above.file, index + 1, "")).unwrap_or(above)
    }

    /// Position given by line and column (from 1) in a file of the submission.
    pub(super) fn place_at(&self, file: &str, line: usize, column: usize, label: &str) -> Option<Place> {
        let known = self.files.iter().find(|f| f.name == file)?;
        known.lines.get(line.checked_sub(1)?)?;
        Some(Self::at(known, line, column, 1, label))
    }

    /// The whole written part of a line.
    pub(super) fn place_line(&self, file: &str, line: usize, label: &str) -> Option<Place> {
        let known = self.files.iter().find(|f| f.name == file)?;
        let text = known.lines.get(line.checked_sub(1)?)?;
        let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let width = text.trim().chars().count();
        Some(Self::at(known, line, column, width, label))
    }

    fn at(file: &SourceFile, line: usize, column: usize, width: usize, label: &str) -> Place {
        let text = file.lines.get(line.saturating_sub(1)).map_or("", String::as_str);
        Place { file: file.name.clone(), mark: mark(text, line, column, width, label), also: Vec::new() }
    }

    /// The longest written part of `path`, overriding files first, one file left aside.
    fn find(&self, path: &[&str], aside: Option<&str>) -> Option<Found> {
        (0..self.files.len())
            .rev()
            .filter(|&index| Some(self.files[index].name.as_str()) != aside)
            .filter_map(|index| self.find_in(index, path, 8))
            .reduce(|best, other| if other.depth > best.depth { other } else { best })
    }

    fn find_in(&self, index: usize, path: &[&str], hops: usize) -> Option<Found> {
        let file = self.files.get(index)?;
        let tree = file.tree.as_ref().ok()?;
        let mut best: Option<Found> = None;
        for doc in tree.docs.iter().rev() {
            let found = self.follow(index, tree, *doc, path, hops);
            if found.depth > best.as_ref().map_or(0, |b| b.depth) {
                best = Some(found);
            }
        }
        best
    }

    fn follow(&self, index: usize, tree: &Tree, doc: Id, path: &[&str], hops: usize) -> Found {
        let mut at = Found { file: index, key: None, value: doc, depth: 0 };
        for (depth, segment) in path.iter().enumerate() {
            let Some((key, value)) = step(tree, at.value, segment) else {
                break;
            };
            at = Found { file: index, key, value, depth: depth + 1 };
        }
        if at.depth >= 2
            && at.depth < path.len()
            && path[0] == "services"
            && hops > 0
            && let Some(further) = self.extended(index, tree, doc, path, hops)
            && further.depth > at.depth
        {
            return further;
        }
        at
    }

    /// Looks in the service that this one extends.
    fn extended(&self, index: usize, tree: &Tree, doc: Id, path: &[&str], hops: usize) -> Option<Found> {
        let (_, services) = tree.get(doc, "services")?;
        let (_, service) = tree.get(services, path[1])?;
        let (_, extends) = tree.get(service, "extends")?;
        let part = |key| tree.get(extends, key).and_then(|(_, v)| tree.text(v));
        let base = tree.text(extends).or_else(|| part("service"))?;
        let target = match part("file") {
            None => index,
            Some(file) => {
                let here = Path::new(&self.files[index].name).parent().unwrap_or(Path::new(""));
                let wanted = super::gate::clean(&here.join(file));
                self.files.iter().position(|f| Path::new(&f.name) == wanted)?
            }
        };
        if target == index && base == path[1] {
            return None;
        }
        let mut other: Vec<&str> = path.to_vec();
        other[1] = base;
        self.find_in(target, &other, hops - 1)
    }
}

/// One segment down: a key of a mapping, an index or a matching item of a sequence.
fn step(tree: &Tree, at: Id, segment: &str) -> Option<(Option<Id>, Id)> {
    if let Some((key, value)) = tree.get(at, segment) {
        return Some((Some(key), value));
    }
    let items = tree.items(at);
    if let Some(item) = segment.parse::<usize>().ok().and_then(|n| items.get(n)) {
        return Some((None, *item));
    }
    items
        .iter()
        .find(|item| {
            let name = tree.get(**item, "source").and_then(|(_, v)| tree.text(v));
            [tree.text(**item), name].into_iter().flatten().any(|text| {
                text.strip_prefix(segment).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '=']))
            })
        })
        .map(|item| (None, *item))
}

/// A mark kept inside its line.
pub(super) fn mark(text: &str, line: usize, column: usize, width: usize, label: &str) -> Mark {
    let length = text.chars().count();
    let column = column.clamp(1, length.max(1));
    let width = width.clamp(1, (length + 1).saturating_sub(column).max(1));
    Mark { line, column, width, text: text.to_owned(), label: label.to_owned() }
}

/// Lines without their ends; `\r\n`, `\n` and `\r` all end one.
pub(super) fn lines(text: &str) -> Vec<String> {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    unix.strip_suffix('\n').unwrap_or(&unix).split('\n').map(str::to_owned).collect()
}

/// A text file beneath `root`, at most 1 MiB, as Compose decodes it.
pub(super) fn read_text(root: &Path, name: &str) -> Option<String> {
    let path = root.join(super::gate::clean(Path::new(name)));
    let meta = std::fs::symlink_metadata(&path).ok()?;
    let real = if meta.is_symlink() { path.canonicalize().ok()? } else { path };
    if !real.starts_with(root) || real.metadata().ok()?.len() > 1 << 20 {
        return None;
    }
    decode(&std::fs::read(real).ok()?)
}

/// UTF-8 or UTF-16 with a byte-order mark, as Go's YAML reader does; the mark is dropped.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let wide = |little: bool| {
        let units = bytes[2..].chunks_exact(2).map(|pair| {
            if little {
                u16::from_le_bytes([pair[0], pair[1]])
            } else {
                u16::from_be_bytes([pair[0], pair[1]])
            }
        });
        char::decode_utf16(units).collect::<Result<String, _>>().ok()
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(true),
        [0xfe, 0xff, ..] => wide(false),
        _ => {
            let text = std::str::from_utf8(bytes).ok()?;
            Some(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
        }
    }
}
