//! Every key of the official Compose schema is classified, whatever the Compose installed here.

use super::super::policy::{Table, Verdict, tables};

fn table_of(section: &str) -> Option<&'static Table> {
    tables().find(|(name, _)| *name == section).map(|(_, table)| table)
}

/// True for what lies below a key that is dropped or refused as a whole.
fn is_covered(section: &str) -> bool {
    let Some((parent, key)) = section.rsplit_once('.') else { return false };
    match table_of(parent) {
        Some(table) => {
            matches!(table.verdict(key), Some(Verdict::Neutralise(_) | Verdict::Refuse(_)))
        }
        None => is_covered(parent),
    }
}

#[test]
fn every_key_of_the_official_schema_is_classified() {
    let schema = include_str!("schema-keys.txt");
    let mut missing = Vec::new();
    let mut seen = 0;
    for line in schema.lines().filter(|line| !line.starts_with('#')) {
        let (section, keys) = line.split_once(": ").expect("section: keys");
        for key in keys.split(' ') {
            seen += 1;
            let known = match table_of(section) {
                Some(table) => table.rules.iter().any(|rule| rule.key == key),
                None => is_covered(section),
            };
            if !known {
                missing.push(format!("{section}.{key}"));
            }
        }
    }
    assert!(seen > 300, "the list was not read");
    assert!(missing.is_empty(), "not classified: {missing:?}");
}

/// A key that is classified twice would be judged by the first line alone.
#[test]
fn no_key_is_classified_twice() {
    for (section, table) in tables() {
        let mut keys: Vec<&str> = table.rules.iter().map(|rule| rule.key).collect();
        keys.sort_unstable();
        let all = keys.len();
        keys.dedup();
        assert_eq!(all, keys.len(), "{section}");
    }
}
