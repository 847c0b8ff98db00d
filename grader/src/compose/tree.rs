//! A position-keeping YAML tree that keeps aliases as references.
//!
//! Expanding aliases is what makes an alias bomb explode, so the tree never does:
//! [`Tree::expanded`] tells how large it would become, and lookups follow the references.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

/// Index of a node in its [`Tree`].
pub(crate) type Id = usize;

/// Deepest nesting read; deeper files are refused before they can exhaust the stack.
const DEPTH: usize = 100;

/// A node and where it is written (lines from 1, columns from 0, in characters).
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar { text: String, plain: bool },
    Seq(Vec<Id>),
    Map(Vec<(Id, Id)>),
    Alias(Id),
}

/// Why a file could not be read.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// Line from 1; 0 when unknown.
    pub line: usize,
    /// Column from 1.
    pub column: usize,
    /// English reason.
    pub reason: String,
    /// Why, for the caller's choice of message.
    pub cause: Cause,
}

/// Family of a [`Broken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Syntax,
    Tag,
    Depth,
}

/// All documents of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// Root of each document.
    pub docs: Vec<Id>,
}

/// A container being filled.
struct Open {
    id: Id,
    children: Vec<Id>,
}

impl Tree {
    /// Reads every document of `text`.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        let mut tree = Self::default();
        let mut open: Vec<Open> = Vec::new();
        let mut anchors: Vec<Option<Id>> = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|e| Broken {
                line: e.marker().line(),
                column: e.marker().col() + 1,
                reason: e.info().to_owned(),
                cause: if e.info().contains("recursion") { Cause::Depth } else { Cause::Syntax },
            })?;
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    check_tag(tag.as_deref(), span)?;
                    let kind =
                        Kind::Scalar { text: text.into_owned(), plain: matches!(style, ScalarStyle::Plain) };
                    let id = tree.push(span, kind);
                    remember(&mut anchors, anchor, id);
                    tree.attach(&mut open, id);
                }
                Event::Alias(anchor) => {
                    let target = anchors.get(anchor).copied().flatten().ok_or_else(|| Broken {
                        line: span.start.line(),
                        column: span.start.col() + 1,
                        reason: "unknown anchor referenced".to_owned(),
                        cause: Cause::Syntax,
                    })?;
                    let id = tree.push(span, Kind::Alias(target));
                    tree.attach(&mut open, id);
                }
                Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                    check_tag(tag.as_deref(), span)?;
                    if open.len() >= DEPTH {
                        return Err(Broken {
                            line: span.start.line(),
                            column: span.start.col() + 1,
                            reason: "too deeply nested".to_owned(),
                            cause: Cause::Depth,
                        });
                    }
                    let id = tree.push(span, Kind::Seq(Vec::new()));
                    remember(&mut anchors, anchor, id);
                    open.push(Open { id, children: Vec::new() });
                }
                Event::SequenceEnd => tree.close(&mut open, span, false),
                Event::MappingEnd => tree.close(&mut open, span, true),
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
            }
        }
        Ok(tree)
    }

    fn push(&mut self, span: Span, kind: Kind) -> Id {
        self.nodes.push(Node {
            line: span.start.line(),
            column: span.start.col(),
            end_line: span.end.line(),
            end_column: span.end.col(),
            kind,
        });
        self.nodes.len() - 1
    }

    fn attach(&mut self, open: &mut [Open], id: Id) {
        match open.last_mut() {
            Some(parent) => parent.children.push(id),
            None => self.docs.push(id),
        }
    }

    fn close(&mut self, open: &mut Vec<Open>, end: Span, map: bool) {
        let Some(done) = open.pop() else { return };
        let kind = if map {
            Kind::Map(done.children.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
        } else {
            Kind::Seq(done.children)
        };
        let node = &mut self.nodes[done.id];
        node.kind = kind;
        node.end_line = end.end.line();
        node.end_column = end.end.col();
        self.attach(open, done.id);
    }

    /// The node, aliases as they are.
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The node that `id` stands for, aliases followed.
    pub fn real(&self, id: Id) -> Id {
        let mut at = id;
        // Anchors always precede their aliases, so this ends.
        while let Kind::Alias(target) = self.nodes[at].kind {
            at = target;
        }
        at
    }

    /// Text of a scalar, aliases followed.
    pub fn text(&self, id: Id) -> Option<&str> {
        match &self.nodes[self.real(id)].kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Pairs of a mapping as written, merge keys included, aliases followed.
    pub fn pairs(&self, id: Id) -> &[(Id, Id)] {
        match &self.nodes[self.real(id)].kind {
            Kind::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// Items of a sequence, aliases followed.
    pub fn items(&self, id: Id) -> &[Id] {
        match &self.nodes[self.real(id)].kind {
            Kind::Seq(items) => items,
            _ => &[],
        }
    }

    /// Key and value of `key` in the mapping `id`; merge keys are followed when it is not there.
    pub fn get(&self, id: Id, key: &str) -> Option<(Id, Id)> {
        self.get_within(id, key, 20)
    }

    fn get_within(&self, id: Id, key: &str, depth: usize) -> Option<(Id, Id)> {
        let pairs = self.pairs(id);
        if let Some(found) = pairs.iter().rev().find(|(k, _)| self.text(*k) == Some(key)) {
            return Some(*found);
        }
        if depth == 0 {
            return None;
        }
        pairs.iter().filter(|(k, _)| self.is_merge(*k)).find_map(|(_, merged)| {
            let items = self.items(*merged);
            if items.is_empty() {
                self.get_within(*merged, key, depth - 1)
            } else {
                items.iter().find_map(|item| self.get_within(*item, key, depth - 1))
            }
        })
    }

    fn is_merge(&self, key: Id) -> bool {
        matches!(&self.nodes[key].kind, Kind::Scalar { text, plain: true } if text == "<<")
    }

    /// Every node, in the order in which they are written.
    pub fn all(&self) -> impl Iterator<Item = (Id, &Node)> {
        self.nodes.iter().enumerate()
    }

    /// Number of nodes after expansion of the aliases, saturating.
    pub fn expanded(&self) -> u64 {
        let mut size = vec![None; self.nodes.len()];
        self.docs.iter().fold(0, |sum: u64, doc| sum.saturating_add(self.size(*doc, &mut size, 0)))
    }

    fn size(&self, id: Id, known: &mut [Option<u64>], depth: usize) -> u64 {
        if let Some(size) = known[id] {
            return size;
        }
        if depth > DEPTH * 3 {
            return u64::MAX;
        }
        let mut sum: u64 = 1;
        match &self.nodes[id].kind {
            Kind::Scalar { .. } => {}
            Kind::Alias(target) => sum = self.size(*target, known, depth + 1),
            Kind::Seq(items) => {
                for item in items {
                    sum = sum.saturating_add(self.size(*item, known, depth + 1));
                }
            }
            Kind::Map(pairs) => {
                for (key, value) in pairs {
                    sum = sum.saturating_add(self.size(*key, known, depth + 1));
                    sum = sum.saturating_add(self.size(*value, known, depth + 1));
                }
            }
        }
        known[id] = Some(sum);
        sum
    }
}

impl Tree {
    /// Deepest nesting after expansion of the aliases.
    pub fn expanded_depth(&self) -> usize {
        let mut deep = vec![None; self.nodes.len()];
        self.docs.iter().map(|doc| self.depth(*doc, &mut deep, 0)).max().unwrap_or(0)
    }

    fn depth(&self, id: Id, known: &mut [Option<usize>], at: usize) -> usize {
        if let Some(depth) = known[id] {
            return depth;
        }
        if at > DEPTH * 3 {
            return at;
        }
        let mut below = |id: Id| self.depth(id, known, at + 1);
        let depth = match &self.nodes[id].kind {
            Kind::Scalar { .. } => 0,
            Kind::Alias(target) => below(*target),
            Kind::Seq(items) => 1 + items.iter().map(|item| below(*item)).max().unwrap_or(0),
            Kind::Map(pairs) => {
                1 + pairs.iter().map(|(key, value)| below(*key).max(below(*value))).max().unwrap_or(0)
            }
        };
        known[id] = Some(depth);
        depth
    }
}

fn remember(anchors: &mut Vec<Option<Id>>, anchor: usize, id: Id) {
    if anchor == 0 {
        return;
    }
    if anchors.len() <= anchor {
        anchors.resize(anchor + 1, None);
    }
    anchors[anchor] = Some(id);
}

/// Tags could make Compose read another value than the one seen here (`!!binary`).
fn check_tag(tag: Option<&Tag>, span: Span) -> Result<(), Broken> {
    let Some(tag) = tag else { return Ok(()) };
    let known = if tag.handle == "!" {
        matches!(tag.suffix.as_str(), "reset" | "override" | "")
    } else {
        matches!(tag.suffix.as_str(), "str" | "int" | "float" | "bool" | "null" | "map" | "seq" | "merge")
            && tag.is_yaml_core_schema()
    };
    if known {
        return Ok(());
    }
    Err(Broken {
        line: span.start.line(),
        column: span.start.col() + 1,
        reason: format!("tag {}{}", tag.handle, tag.suffix),
        cause: Cause::Tag,
    })
}

#[cfg(test)]
mod tests;
