//! Literal addresses inside texts follow the addresses that moved.

use std::collections::BTreeMap;

use serde_json::Value;

/// `text` with every moved address or subnet replaced, or `None` when it holds none. Only
/// whole addresses count: `10.0.0.1` is not found in `10.0.0.10`, nor in `110.0.0.1`.
pub(super) fn text(text: &str, moved: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    let mut at = 0;
    let mut previous = None;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        // The longest match wins: a subnet before its network address.
        let hit = (!previous.is_some_and(joins))
            .then(|| {
                moved
                    .iter()
                    .filter(|(from, _)| rest.starts_with(from.as_str()) && ends(&rest[from.len()..]))
                    .max_by_key(|(from, _)| from.len())
            })
            .flatten();
        if let Some((from, to)) = hit {
            out.push_str(to);
            at += from.len();
            previous = from.chars().next_back();
            changed = true;
        } else {
            out.push(next);
            at += next.len_utf8();
            previous = Some(next);
        }
    }
    changed.then_some(out)
}

/// True for a character that would make the address part of something longer.
fn joins(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '_'
}

fn ends(rest: &str) -> bool {
    let mut after = rest.chars();
    match after.next() {
        Some('.') => !after.next().is_some_and(|c| c.is_ascii_alphanumeric()),
        Some(c) => !c.is_ascii_alphanumeric() && c != '_',
        None => true,
    }
}

/// Translates every text of a value (keys stay); true when something changed.
pub(super) fn value(node: &mut Value, moved: &BTreeMap<String, String>) -> bool {
    match node {
        Value::String(old) => match text(old, moved) {
            Some(new) => {
                *old = new;
                true
            }
            None => false,
        },
        // Every member is translated, whatever came before.
        Value::Array(items) => items.iter_mut().map(|item| value(item, moved)).filter(|hit| *hit).count() > 0,
        Value::Object(members) => {
            members.values_mut().map(|item| value(item, moved)).filter(|hit| *hit).count() > 0
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_addresses_move() {
        let moved = BTreeMap::from([
            ("10.0.0.1".to_owned(), "10.9.0.1".to_owned()),
            ("10.0.0.0/24".to_owned(), "10.9.0.0/28".to_owned()),
        ]);
        let t = |s: &str| text(s, &moved);
        assert_eq!(t("http://10.0.0.1:80/x").as_deref(), Some("http://10.9.0.1:80/x"));
        assert_eq!(t("10.0.0.0/24, 10.0.0.1.").as_deref(), Some("10.9.0.0/28, 10.9.0.1."));
        assert_eq!(t("10.0.0.10 110.0.0.1 10.0.0.1.example 10.0.0.0/240"), None);
        assert_eq!(t("é10.0.0.1").as_deref(), Some("é10.9.0.1"));
    }
}
