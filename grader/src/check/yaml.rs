//! YAML as a tree that can be changed and written back: scalars keep their very text, so that
//! nothing that we do not touch changes its meaning on the way.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Deepest nesting read.
const DEPTH: usize = 60;
/// Nodes kept in all, aliases expanded.
const NODES: usize = 50_000;

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A scalar: its text, whether it was written without quotes, its line (from 1; 0 for ours).
    Scalar {
        /// Text, quotes and folds undone.
        text: String,
        /// Written without quotes.
        plain: bool,
        /// Line of its beginning, from 1.
        line: usize,
    },
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping, in order.
    Map(Vec<(Node, Node)>),
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Line from 1; 0 when unknown.
    pub line: usize,
    /// English.
    pub reason: String,
}

struct Open {
    anchor: usize,
    is_map: bool,
    children: Vec<Node>,
}

/// Reads the first document of a text; an empty one is an empty mapping. Aliases and merge keys
/// (`<<`) are resolved.
pub fn parse(text: &str) -> Result<Node, Broken> {
    let broken = |line: usize, reason: &str| Broken { line, reason: reason.to_owned() };
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: Vec<(usize, Node)> = Vec::new();
    let mut root = None;
    let mut count = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| broken(e.marker().line(), e.info()))?;
        let line = span.start.line();
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = matches!(style, ScalarStyle::Plain);
                (anchor, Node::Scalar { text: text.into_owned(), plain, line })
            }
            Event::Alias(anchor) => {
                let found = anchors.iter().rev().find(|(id, _)| *id == anchor);
                (0, found.ok_or_else(|| broken(line, "unknown anchor"))?.1.clone())
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) if open.len() >= DEPTH => {
                return Err(broken(line.max(anchor.min(1)), "too deeply nested"));
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open { anchor, is_map: false, children: vec![] });
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open { anchor, is_map: true, children: vec![] });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = open.pop() else { continue };
                let node = if done.is_map { map(done.children) } else { Node::Seq(done.children) };
                (done.anchor, node)
            }
            Event::DocumentEnd => break,
            _ => continue,
        };
        count += node.size();
        if count > NODES {
            return Err(broken(line, "too many nodes"));
        }
        if anchor > 0 {
            anchors.push((anchor, node.clone()));
        }
        match open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => root = Some(node),
        }
    }
    Ok(match root {
        Some(Node::Scalar { text, plain: true, .. }) if text.is_empty() => Node::Map(vec![]),
        Some(root) => root,
        None => Node::Map(vec![]),
    })
}

/// Pairs keys and values, merge keys resolved.
fn map(children: Vec<Node>) -> Node {
    let mut pairs: Vec<(Node, Node)> = Vec::new();
    let mut merged: Vec<Node> = Vec::new();
    let mut rest = children.into_iter();
    while let (Some(key), Some(value)) = (rest.next(), rest.next()) {
        match (&key, value) {
            (Node::Scalar { text, plain: true, .. }, Node::Seq(all)) if text == "<<" => merged.extend(all),
            (Node::Scalar { text, plain: true, .. }, value) if text == "<<" => merged.push(value),
            (_, value) => pairs.push((key, value)),
        }
    }
    for source in merged {
        let Node::Map(more) = source else { continue };
        for (key, value) in more {
            if !pairs.iter().any(|(k, _)| k.text() == key.text()) {
                pairs.push((key, value));
            }
        }
    }
    Node::Map(pairs)
}

impl Node {
    /// A string of ours.
    pub fn string(text: impl Into<String>) -> Self {
        Self::Scalar { text: text.into(), plain: false, line: 0 }
    }

    fn size(&self) -> usize {
        match self {
            Self::Scalar { .. } => 1,
            Self::Seq(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Self::Map(pairs) => 1 + pairs.iter().map(|(k, v)| k.size() + v.size()).sum::<usize>(),
        }
    }

    /// Text of a scalar; `None` for what is not one, or is null.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar { text, plain, .. } => {
                let null = *plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
                (!null).then_some(text.as_str())
            }
            _ => None,
        }
    }

    /// Line of its first scalar, from 1.
    pub fn line(&self) -> usize {
        match self {
            Self::Scalar { line, .. } => *line,
            Self::Seq(items) => items.first().map_or(0, Self::line),
            Self::Map(pairs) => pairs.first().map_or(0, |(k, _)| k.line()),
        }
    }

    /// Items of a sequence; none for anything else.
    pub fn items(&self) -> &[Node] {
        match self {
            Self::Seq(items) => items,
            _ => &[],
        }
    }

    /// Items of a sequence, to be changed.
    pub fn items_mut(&mut self) -> &mut [Node] {
        match self {
            Self::Seq(items) => items,
            _ => &mut [],
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Map(pairs) => pairs.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match self {
            Self::Map(pairs) => pairs.iter_mut().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Sets a key of a mapping; a null becomes a mapping first.
    pub fn set(&mut self, key: &str, value: Node) {
        if matches!(self, Self::Scalar { .. }) && self.text().is_none() {
            *self = Self::Map(vec![]);
        }
        let Self::Map(pairs) = self else { return };
        match pairs.iter_mut().find(|(k, _)| k.text() == Some(key)) {
            Some((_, old)) => *old = value,
            None => pairs.push((Self::string(key), value)),
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        if let Self::Map(pairs) = self {
            pairs.retain(|(k, _)| k.text() != Some(key));
        }
    }

    /// Writes the tree as one line of flow YAML.
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.put(&mut out);
        out.push('\n');
        out
    }

    fn put(&self, out: &mut String) {
        match self {
            Self::Scalar { text, plain, .. } if *plain && is_bare(text) => out.push_str(text),
            Self::Scalar { text, plain: true, .. } if text.is_empty() => out.push_str("null"),
            Self::Scalar { text, .. } => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Self::Seq(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.put(out);
                }
                out.push(']');
            }
            Self::Map(pairs) => {
                out.push('{');
                for (index, (key, value)) in pairs.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    key.put(out);
                    out.push_str(": ");
                    value.put(out);
                }
                out.push('}');
            }
        }
    }
}

/// True for what may be a number, a boolean, a date or a null, and reads the same in flow style.
/// Any other plain scalar is a string, and quoting it changes nothing.
fn is_bare(text: &str) -> bool {
    let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-' | '~');
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '~' || c == '+')
        || (text.starts_with('-') && text.len() > 1 && !text.starts_with("---"));
    starts && text.chars().all(simple)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn aliases_and_merges() {
        let tree = parse("base: &b {a: 1, c: x}\nmore:\n  <<: *b\n  c: 'y'\nlist: [*b]\n").expect("yaml");
        let more = tree.get("more").expect("more");
        assert_eq!(more.get("a").and_then(Node::text), Some("1"));
        assert_eq!(more.get("c").and_then(Node::text), Some("y"));
        assert_eq!(tree.get("list").map(|l| l.items().len()), Some(1));
        assert!(parse("a: [").is_err());
        assert_eq!(parse("# nothing\n"), Ok(Node::Map(vec![])));
    }

    #[test]
    fn texts_are_kept() {
        let tree = parse("a: 0123\nb: '0123'\nc: yes\nd: 1e3\ne: |\n  x {a=\"b\"}\n  > 1\nf:\ng: -\"\n")
            .expect("yaml");
        let out = r#"{a: 0123, b: "0123", c: yes, d: 1e3, e: "x {a=\"b\"}\n> 1\n", f: null, g: "-\""}"#;
        assert_eq!(tree.write().trim_end(), out);
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let list = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{list}]\n"));
        }
        assert_eq!(parse(&bomb).map_err(|e| e.reason), Err("too many nodes".to_owned()));
    }

    fn forget_lines(node: &Node) -> Node {
        match node {
            // Only what is not a string needs to stay unquoted.
            Node::Scalar { text, plain, .. } => Node::Scalar {
                text: text.clone(),
                plain: *plain && (is_bare(text) || node.text().is_none()),
                line: 0,
            },
            Node::Seq(items) => Node::Seq(items.iter().map(forget_lines).collect()),
            Node::Map(pairs) => {
                Node::Map(pairs.iter().map(|(k, v)| (forget_lines(k), forget_lines(v))).collect())
            }
        }
    }

    fn tree() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            "[ -~é\n]{0,12}".prop_map(Node::string),
            "[a-z0-9][a-z0-9.]{0,6}".prop_map(|text| Node::Scalar { text, plain: true, line: 0 }),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Node::Seq),
                proptest::collection::btree_map("[a-z_]{1,8}", inner, 0..5).prop_map(|pairs| {
                    Node::Map(pairs.into_iter().map(|(k, v)| (Node::string(k), v)).collect())
                }),
            ]
        })
    }

    proptest! {
        /// What is written is read back as it was.
        #[test]
        fn round_trip(tree in tree()) {
            let text = tree.write();
            let back = parse(&text).map_err(|e| TestCaseError::fail(format!("{e:?}: {text}")))?;
            prop_assert_eq!(forget_lines(&back), forget_lines(&tree), "{}", text);
        }

        #[test]
        fn nothing_panics(text in "[ -~\n]{0,80}") {
            let _ = parse(&text).map(|t| t.write());
        }
    }
}
