//! Names that people write, compared and made safe for a file system.

use std::collections::HashSet;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest part of a key that comes from the name.
const LONGEST: usize = 60;

/// A name as people compare it: without case, accents, nor what separates its words. A name
/// composed on macOS and one composed elsewhere are the same.
pub fn folded(name: &str) -> String {
    let letters = name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let spaced: String = letters.map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True when `part` stands in `whole` as whole words (both [`folded`]).
pub fn contains(whole: &str, part: &str) -> bool {
    !part.is_empty() && format!(" {whole} ").contains(&format!(" {part} "))
}

/// Keys already given. On some file systems `A` and `a` are the same name, so here too.
#[derive(Default)]
pub struct Keys {
    taken: HashSet<String>,
}

impl Keys {
    /// A safe file name for `name`, that nobody has: itself where it is one already.
    pub fn give(&mut self, name: &str) -> String {
        let plain = plain(name);
        let mut key = if plain == name { plain.clone() } else { tagged(&plain, name) };
        let mut again = 0;
        while !self.taken.insert(key.to_lowercase()) {
            again += 1;
            key = tagged(&plain, &format!("{name}\0{again}"));
        }
        key
    }
}

/// `name` in ASCII letters, digits, `.`, `_` and `-`; never empty, hidden or taken for an option.
fn plain(name: &str) -> String {
    let mut out = String::new();
    for c in name.nfkd().filter(|c| !is_combining_mark(*c)) {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
        if !(c == '-' && out.ends_with('-')) {
            out.push(c);
        }
        if out.len() == LONGEST {
            break;
        }
    }
    let out = out.trim_matches(['-', '.']);
    if out.is_empty() { "copie".to_owned() } else { out.to_owned() }
}

fn tagged(plain: &str, name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    format!("{plain}-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_people_write() {
        assert_eq!(folded("  Élodie_MARTIN-Œuf "), "elodie martin œuf");
        assert_eq!(folded("E\u{301}lodie Martin Œuf"), folded("Élodie-Martin.Œuf"));
        assert!(contains(&folded("tp01-jdupont"), "jdupont"));
        assert!(!contains(&folded("tp01-jdupontel"), "jdupont"));
        let mut keys = Keys::default();
        assert_eq!(keys.give("martin"), "martin");
        assert!(keys.give("Martin").starts_with("Martin-"));
        assert!(keys.give("Zoé d'Été 🐳").starts_with("Zoe-d-Ete-"));
        assert!(keys.give("../../etc/passwd").starts_with("etc-passwd-"));
        assert!(keys.give("").starts_with("copie-"));
    }

    proptest! {
        #[test]
        fn keys_are_safe_and_unique(names in prop::collection::hash_set("\\PC{0,80}|\\.{1,3}", 0..40)) {
            let mut keys = Keys::default();
            let given: Vec<String> = names.iter().map(|n| keys.give(n)).collect();
            let lower: HashSet<String> = given.iter().map(|k| k.to_lowercase()).collect();
            prop_assert_eq!(lower.len(), names.len());
            for key in &given {
                prop_assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{}", key);
                prop_assert!(!key.starts_with(['.', '-']) && !key.is_empty() && key.len() < 80, "{}", key);
            }
        }
    }
}
