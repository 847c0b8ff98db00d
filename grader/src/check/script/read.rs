//! What a report says of each service.

use std::collections::BTreeMap;

/// What a report says of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It is well.
    Ok,
    /// It is not.
    Failed,
    /// Both, on different lines.
    Both,
}

fn verdict(word: &str) -> Option<Word> {
    match word.to_uppercase().as_str() {
        "OK" => Some(Word::Ok),
        "ECHEC" | "ÉCHEC" => Some(Word::Failed),
        _ => None,
    }
}

/// What the first two words of each line say: a service and a verdict, in whichever order.
pub(super) fn report(text: &str, services: &[String]) -> BTreeMap<String, Word> {
    let mut seen: BTreeMap<String, Word> = BTreeMap::new();
    for line in console::strip_ansi_codes(text).lines() {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
        let words: Vec<&str> =
            words.map(|w| w.trim_matches(['-', '_'])).filter(|w| !w.is_empty()).take(2).collect();
        let [first, second] = words[..] else { continue };
        let (name, word) = match (verdict(first), verdict(second)) {
            (None, Some(word)) => (first, word),
            (Some(word), None) => (second, word),
            _ => continue,
        };
        let Some(service) = services.iter().find(|s| s.as_str() == name) else { continue };
        let before = seen.get(service).copied();
        let word = if before.is_some_and(|before| before != word) { Word::Both } else { word };
        seen.insert(service.clone(), word);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, Word)> {
        let services = ["kafka", "kafka-ui", "redis"].map(str::to_owned);
        report(text, &services).into_iter().collect()
    }

    #[test]
    fn lines_of_all_styles() {
        let text = "=== État ===\nkafka : OK (healthy)\n\u{1b}[32m✓\u{1b}[0m kafka-ui ........ OK\n[ÉCHEC] redis : unhealthy\nTotal : 2 OK, 1 ECHEC\n";
        let want = [("kafka", Word::Ok), ("kafka-ui", Word::Ok), ("redis", Word::Failed)];
        assert_eq!(of(text), want.map(|(name, word)| (name.to_owned(), word)));
    }

    #[test]
    fn nothing_is_guessed() {
        assert_eq!(of("le service kafka est OK\nkafka healthy OK\nkafkaOK\nkafka-ui-1 OK\nOK\n\n"), []);
        assert_eq!(of("redis OK\nredis ECHEC\n"), [("redis".to_owned(), Word::Both)]);
        assert_eq!(of("- redis - OK\n"), [("redis".to_owned(), Word::Ok)]);
    }
}
