//! All allow-lists, by section of the Compose schema.

use super::{Table, Verdict, refusal};
use super::{build, service, service_checks as checks, top};
use crate::compose::source::SourceMap;
use crate::event::Refusal;

/// Every section with its table; some share one.
pub(in crate::compose) fn all() -> impl Iterator<Item = (&'static str, &'static Table)> {
    [top::TABLES, service::TABLES, checks::TABLES, build::TABLES].into_iter().flatten().copied()
}

/// The table of a section.
pub(in crate::compose) fn table_of(section: &str) -> Option<&'static Table> {
    all().find(|(name, _)| *name == section).map(|(_, table)| table)
}

/// Every classified key of a service.
pub(in crate::compose) fn service_keys() -> Vec<&'static str> {
    table_of("service").map(|t| t.rules.iter().map(|rule| rule.key).collect()).unwrap_or_default()
}

/// Section of a path of the model: `["services", "api", "ports", "0"]` is `service.ports`.
fn section(path: &[&str]) -> String {
    let family = match path {
        [] => return "root".to_owned(),
        ["services", _, ..] => "service",
        ["networks", _, ..] => "network",
        ["volumes", _, ..] => "volume",
        ["secrets", _, ..] => "secret",
        ["configs", _, ..] => "config",
        [..] => return String::new(),
    };
    let rest = path[2..].iter().filter(|part| part.parse::<usize>().is_err());
    std::iter::once(family).chain(rest.copied()).collect::<Vec<_>>().join(".")
}

/// What is known of a key that this version of Compose does not know.
pub(in crate::compose) enum Newer {
    /// It would be refused.
    Refused(Box<Refusal>),
    /// It would not: Compose is too old for this file.
    Known,
}

/// What the policy says of a key that Compose refuses to read; `None` when nobody knows it.
pub(in crate::compose) fn refused_key(path: &[&str], key: &str, source: &SourceMap) -> Option<Newer> {
    let mut at = path.to_vec();
    at.push(key);
    match table_of(&section(path))?.verdict(key)? {
        Verdict::Refuse(id) => Some(Newer::Refused(Box::new(refusal(id, &at, key, source.place(&at, ""))))),
        _ => Some(Newer::Known),
    }
}
