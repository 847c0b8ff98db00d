//! Tokens of a YAML file: the same whatever its layout, the order of its keys, and the names of its services,
//! networks and volumes. Aliases are not followed: what they stand for is there once already.

use std::collections::HashSet;

use super::lex;
use super::print::{Token, hash};
use crate::compose::tree::{Id, Kind, Tree};

/// Sections of a Compose file whose keys are names that the student chooses.
const NAMED: [&str; 5] = ["services", "networks", "volumes", "secrets", "configs"];

/// The tokens; nothing when it is not YAML.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let tree = Tree::parse(text).ok()?;
    let mut reader = Reader { names: HashSet::new(), tree: &tree };
    for doc in &tree.docs {
        if tree.get(*doc, "services").is_some() {
            let sections = NAMED.iter().filter_map(|section| tree.get(*doc, section));
            let keys = sections.flat_map(|(_, section)| tree.pairs(section).iter().map(|(key, _)| *key));
            reader.names.extend(keys.filter_map(|key| tree.text(key)).map(str::to_owned));
        }
    }
    Some(tree.docs.iter().flat_map(|doc| reader.read(*doc)).collect())
}

struct Reader<'a> {
    tree: &'a Tree,
    names: HashSet<String>,
}

impl Reader<'_> {
    fn read(&self, id: Id) -> Vec<Token> {
        let node = self.tree.node(id);
        match &node.kind {
            Kind::Scalar { text, .. } if text.trim_end().contains('\n') => lex::words(text, node.line),
            // Nothing, however it is written.
            Kind::Scalar { text, plain: true } if matches!(text.trim(), "" | "~" | "null") => Vec::new(),
            Kind::Scalar { text, .. } => self.scalar(text, node.line),
            Kind::Alias(_) => vec![Token { hash: hash(b"\0alias"), line: node.line }],
            Kind::Seq(items) => sorted(items.iter().map(|item| self.read(*item)).collect()),
            Kind::Map(pairs) => {
                let pair = |(key, value): &(Id, Id)| {
                    let mut both = self.read(*key);
                    both.extend(self.read(*value));
                    both
                };
                sorted(pairs.iter().map(pair).collect())
            }
        }
    }

    /// `KEY=value` is what `KEY: value` is.
    fn scalar(&self, text: &str, line: usize) -> Vec<Token> {
        let is_key = |key: &&str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_');
        match text.split_once('=').filter(|(key, _)| is_key(key)) {
            Some((key, value)) => vec![self.token(key, line), self.token(value, line)],
            None => vec![self.token(text, line)],
        }
    }

    /// A text in which every name that the student chose is the same, where it is a name: alone, as a host, as
    /// the source of a mount. A folder that happens to be called so is not.
    fn token(&self, text: &str, line: usize) -> Token {
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let opens = |before: &str| {
            before.is_empty() || before.ends_with(['@', '=', ',', ' ']) || before.ends_with("//")
        };
        let (mut said, mut rest) = (String::new(), text.trim());
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
            if end == 0 {
                said.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let (word, after) = rest.split_at(end);
            let is_name = opens(&said) && (after.is_empty() || after.starts_with([':', '/', ',', ' ']));
            said.push_str(if is_name && self.names.contains(word) { "\u{1}" } else { word });
            rest = after;
        }
        Token { hash: hash(said.as_bytes()), line }
    }
}

/// In an order that neither the author nor their names decide.
fn sorted(mut parts: Vec<Vec<Token>>) -> Vec<Token> {
    let key = |part: &Vec<Token>| part.iter().map(|token| token.hash).collect::<Vec<u64>>();
    parts.sort_by_cached_key(key);
    parts.into_iter().flatten().collect()
}
