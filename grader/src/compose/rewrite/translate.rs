//! Addresses and ranges written in texts follow the subnets that moved, and lists of ranges keep
//! their meaning.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::Value;

use super::ranges::Moves;

/// An address or a range found in a text.
struct Found {
    start: usize,
    end: usize,
    address: IpAddr,
    /// Length of the prefix of a range; `None` for an address alone.
    prefix: Option<u8>,
}

/// `text` with every moved address and range replaced, or `None` when nothing changes. Only whole
/// addresses count: `10.0.0.1` is not found in `10.0.0.10`, nor in `110.0.0.1`.
pub(super) fn text(text: &str, moves: &Moves) -> Option<String> {
    if moves.is_empty() {
        return None;
    }
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    let mut at = 0;
    let mut previous = None;
    while let Some(next) = text[at..].chars().next() {
        let free = !previous.is_some_and(|c| joins(c) || (c == ':' && next == ':'));
        if let Some(found) = free.then(|| find(text, at, moves.has_v6())).flatten() {
            at = found.end;
            previous = text[..at].chars().next_back();
            edits.extend(edit(text, &found, moves));
        } else {
            at += next.len_utf8();
            previous = Some(next);
        }
    }
    if edits.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 64);
    let mut done = 0;
    for (start, end, new) in edits {
        // Two ranges of one statement: the first edit has copied it whole.
        if start < done {
            continue;
        }
        out.push_str(&text[done..start]);
        out.push_str(&new);
        done = end;
    }
    out.push_str(&text[done..]);
    Some(out)
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

/// The address or range that begins here.
fn find(text: &str, start: usize, v6: bool) -> Option<Found> {
    let rest = &text[start..];
    let run = |fine: fn(u8) -> bool| rest.bytes().take_while(|b| fine(*b)).count();
    let four = run(|b| b.is_ascii_digit() || b == b'.').min(16);
    let trimmed = rest[..four].trim_end_matches('.');
    let (address, length) = match trimmed.parse::<Ipv4Addr>() {
        Ok(address) => (IpAddr::V4(address), trimmed.len()),
        Err(_) if v6 => {
            let six = run(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
            let trimmed = rest[..six].trim_end_matches('.');
            (IpAddr::V6(trimmed.parse::<Ipv6Addr>().ok()?), trimmed.len())
        }
        Err(_) => return None,
    };
    let after = &rest[length..];
    // `http://10.0.0.1/24` has a path, not a prefix.
    let in_url = text[..start].ends_with("//") || text[..start].ends_with('@');
    if let Some(slash) = after.strip_prefix('/').filter(|_| !in_url) {
        let digits = slash.bytes().take_while(u8::is_ascii_digit).count();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = slash[..digits].parse::<u8>().ok().filter(|p| *p <= longest);
        if digits > 0 && ends(&slash[digits..]) {
            let end = start + length + 1 + digits;
            return prefix.map(|prefix| Found { start, end, address, prefix: Some(prefix) });
        }
    }
    ends(after).then_some(Found { start, end: start + length, address, prefix: None })
}

/// What takes the place of what was found: where, and the new text.
fn edit(text: &str, found: &Found, moves: &Moves) -> Option<(usize, usize, String)> {
    let Some(prefix) = found.prefix else {
        let new = moves.address(found.address)?;
        return (new != found.address).then(|| (found.start, found.end, new.to_string()));
    };
    let range = IpNet::new(found.address, prefix).ok()?;
    let new = moves.range(range)?;
    let single = |net: &IpNet| {
        // `10.0.0.1/24` is an address and its subnet.
        let own = moves.address(found.address).filter(|own| found.address != range.network() && net.contains(own));
        own.map_or_else(|| net.to_string(), |own| format!("{own}/{}", net.prefix_len()))
    };
    match new.as_slice() {
        [net] if *net == range => None,
        [net] => Some((found.start, found.end, single(net))),
        many => {
            let many: Vec<String> = many.iter().map(ToString::to_string).collect();
            Some(beside(text, found, &many))
        }
    }
}

/// Writes several ranges where one was, in the way of the list that it is in.
fn beside(text: &str, found: &Found, many: &[String]) -> (usize, usize, String) {
    let line_start = text[..found.start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[found.end..].find('\n').map_or(text.len(), |i| found.end + i);
    let (before, after) = (&text[line_start..found.start], &text[found.end..line_end]);
    let quote = before.chars().next_back().filter(|q| matches!(q, '"' | '\'') && after.starts_with(*q));
    let inner = quote.map_or(before, |q| before.strip_suffix(q).unwrap_or(before));
    let outer = quote.map_or(after, |q| after.strip_prefix(q).unwrap_or(after));
    // `  - range`, alone on its line.
    let dash = inner.trim_start();
    let only = outer.trim();
    if dash.starts_with('-') && dash[1..].trim().is_empty() && dash.len() > 1 && (only.is_empty() || only.starts_with('#'))
    {
        let lines: Vec<String> = many.iter().map(|range| wrapped(range, quote)).collect();
        let new = lines.join(&format!("\n{inner}"));
        let from = found.start - quote.map_or(0, char::len_utf8);
        return (from, found.end + quote.map_or(0, char::len_utf8), new);
    }
    // `allow range;`, or a line of pg_hba: the whole statement again.
    if let Some((start, end, head, tail)) = statement(text, found, line_start, line_end) {
        let said: Vec<String> = many.iter().map(|range| format!("{head}{range}{tail}")).collect();
        let indent: String = text[line_start..start].chars().take_while(|c| c.is_whitespace()).collect();
        return (start, end, said.join(&format!("\n{indent}")));
    }
    // `["range", …]` in YAML, JSON or TOML, on one line or more.
    let previous = text[..line_start + inner.len()].trim_end().chars().next_back();
    let next = text[line_end - outer.len()..].trim_start().chars().next();
    let listed = matches!(previous, Some('[' | ',')) || matches!(next, Some(']' | ','));
    if let (Some(q), true) = (quote, listed) {
        return (found.start, found.end, many.join(&format!("{q}, {q}")));
    }
    let separator = if matches!(previous, Some('[')) || matches!(next, Some(']')) {
        ", "
    } else if inner.ends_with(';') || outer.starts_with(';') {
        ";"
    } else if is_spaced(inner, outer) {
        " "
    } else {
        ","
    };
    (found.start, found.end, many.join(separator))
}

fn wrapped(range: &str, quote: Option<char>) -> String {
    quote.map_or_else(|| range.to_owned(), |q| format!("{q}{range}{q}"))
}

/// True when the neighbours are ranges with only a space between.
fn is_spaced(before: &str, after: &str) -> bool {
    let address = |word: Option<&str>| {
        let word = word.unwrap_or_default().trim_matches(['"', '\'']);
        word.parse::<IpNet>().is_ok() || word.parse::<IpAddr>().is_ok()
    };
    (before.ends_with(' ') && address(before.split_whitespace().next_back()))
        || (after.starts_with(' ') && address(after.split_whitespace().next()))
}

/// The statement of a configuration by statements: its bounds, what comes before the range and
/// what comes after.
fn statement<'a>(
    text: &'a str,
    found: &Found,
    line_start: usize,
    line_end: usize,
) -> Option<(usize, usize, &'a str, &'a str)> {
    let (before, after) = (&text[line_start..found.start], &text[found.end..line_end]);
    let word = before.split_whitespace().next().unwrap_or_default();
    let start = line_start + before.len() - before.trim_start().len();
    if matches!(word, "host" | "hostssl" | "hostnossl" | "hostgssenc" | "hostnogssenc") {
        let end = line_end - (after.len() - after.trim_end().len());
        return Some((start, end, &text[start..found.start], &text[found.end..end]));
    }
    // nginx: the range is a word of its own, and a semicolon ends the statement.
    let end = found.end + after.find(';')? + 1;
    let start = line_start + before.rfind(['{', ';', '}']).map_or(before.len() - before.trim_start().len(), |i| {
        let rest = &before[i + 1..];
        i + 1 + rest.len() - rest.trim_start().len()
    });
    let head = &text[start..found.start];
    // `range value;` of a map; a range alone before `;` is a list.
    let begins = head.is_empty() && !text[found.end..end - 1].trim().is_empty();
    let follows = head.ends_with(char::is_whitespace);
    ((begins || follows) && !head.contains(['=', '"', '\'', '#', ':']))
        .then(|| (start, end, head, &text[found.end..end]))
}

/// Translates every text of a value (keys stay); true when something changed.
pub(super) fn value(node: &mut Value, moves: &Moves) -> bool {
    match node {
        Value::String(old) => match text(old, moves) {
            Some(new) => {
                *old = new;
                true
            }
            None => false,
        },
        // Every member is translated, whatever came before.
        Value::Array(items) => items.iter_mut().map(|item| value(item, moves)).filter(|hit| *hit).count() > 0,
        Value::Object(members) => {
            members.values_mut().map(|item| value(item, moves)).filter(|hit| *hit).count() > 0
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
