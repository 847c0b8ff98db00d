//! French typography: decimal comma, no-break spaces, units, plurals.
//!
//! Texts are written in the code and in `lab.toml` with plain spaces; [`typeset`]
//! puts the right no-break spaces in when a reporter shows them.

/// Narrow no-break space: inside guillemets, before `; ! ?` and units, between thousands.
pub const NARROW: char = '\u{202f}';
/// No-break space: before a colon.
pub const FIXED: char = '\u{a0}';

/// Units that stay on the line of their number.
const UNITS: [&str; 12] = ["s", "ms", "min", "h", "%", "o", "Kio", "Mio", "Gio", "ko", "Mo", "Go"];

/// A number with `places` decimals, a decimal comma and grouped thousands (`1 234,5`).
pub fn decimal(value: f64, places: usize) -> String {
    // Rounds half away from zero, as pupils are taught; `format!` alone would round 14.25 to 14.2.
    let scale = 10_f64.powi(i32::try_from(places).unwrap_or(0));
    let rounded = (value * scale).round() / scale;
    let text = format!("{:.places$}", rounded.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if rounded < 0.0 { "−" } else { "" };
    let mut grouped = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && whole.len() > 3 {
            grouped.push(NARROW);
        }
        grouped.push(digit);
    }
    if !fraction.is_empty() {
        grouped.push(',');
        grouped.push_str(fraction);
    }
    grouped
}

/// A number with at most two decimals, none that are zero: points are told so (`0`, `1,5`, `0,25`).
pub fn number(value: f64) -> String {
    let text = decimal(value, 2);
    text.trim_end_matches('0').trim_end_matches(',').to_owned()
}

/// A mark out of 20: one decimal, none when it is whole (`14,5`, `20`).
pub fn mark(value: f64) -> String {
    let text = decimal(value, 1);
    text.strip_suffix(",0").map_or_else(|| text.clone(), ToOwned::to_owned)
}

/// A whole number with grouped thousands.
pub fn whole(value: u64) -> String {
    let text = value.to_string();
    let mut grouped = String::new();
    for (place, digit) in text.chars().enumerate() {
        if place > 0 && (text.len() - place).is_multiple_of(3) {
            grouped.push(NARROW);
        }
        grouped.push(digit);
    }
    grouped
}

/// A percentage with at most one decimal (`72,5 %`).
pub fn percent(value: f64) -> String {
    let text = decimal(value, 1);
    format!("{}{NARROW}%", text.strip_suffix(",0").unwrap_or(&text))
}

/// The form that agrees with `count`: in French, 0 and 1 are singular.
pub fn agree<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count < 2 { one } else { many }
}

/// A number and its noun, never apart (`0 conteneur`, `3 réseaux`).
pub fn count(count: usize, one: &str, many: &str) -> String {
    let count = count as u64;
    format!("{}{FIXED}{}", whole(count), agree(count, one, many))
}

/// A duration as one says it: `800 ms`, `5,2 s`, `1 min 12 s`, `1 h 05 min`.
pub fn duration(millis: u64) -> String {
    // Rounds before choosing the unit, so that 59,96 s reads `1 min`, never `60,0 s`.
    let seconds = (millis + 500) / 1_000;
    match millis {
        0..1_000 => format!("{millis}{NARROW}ms"),
        1_000..59_950 => {
            let tenths = (millis + 50) / 100;
            format!("{},{}{NARROW}s", tenths / 10, tenths % 10)
        }
        _ if seconds < 3_600 => match seconds % 60 {
            0 => format!("{}{NARROW}min", seconds / 60),
            rest => format!("{}{NARROW}min {rest}{NARROW}s", seconds / 60),
        },
        _ => {
            let minutes = (seconds + 30) / 60;
            format!("{}{NARROW}h {:02}{NARROW}min", whole(minutes / 60), minutes % 60)
        }
    }
}

/// An RFC 3339 instant as one says it (`21/11/2026 à 13:05 UTC`); anything else as it is.
pub fn moment(at: &str) -> String {
    let instant: Result<jiff::Timestamp, _> = at.parse();
    instant.map_or_else(|_| at.to_owned(), |at| at.strftime("%d/%m/%Y à %H:%M UTC").to_string())
}

/// A list as one says it (`a, b et c`).
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} et {last}", first.join(", ")),
    }
}

/// Puts no-break spaces where French wants them, in place of plain ones: inside « », before
/// `; ! ? :` and units, around `±`. Never adds or removes a character.
pub fn typeset(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, &c) in chars.iter().enumerate() {
        out.push(if c == ' ' { space_between(&chars[..at], &chars[at + 1..]) } else { c });
    }
    out
}

/// The space to use between what is `before` and what is `after`.
fn space_between(before: &[char], after: &[char]) -> char {
    let (Some(&last), Some(&next)) = (before.last(), after.first()) else { return ' ' };
    if last == ' ' || next == ' ' {
        return ' ';
    }
    // A mark counts only when it stands alone: `a :b` and `!=` are code, not a sentence.
    let alone = after.get(1).is_none_or(|c| c.is_whitespace() || matches!(c, '»' | ')' | ',' | '.'));
    match (last, next) {
        ('«', _) | (_, '»') => NARROW,
        (_, ':') if alone => FIXED,
        (_, ';' | '!' | '?') if alone => NARROW,
        ('±', _) | (_, '±') => NARROW,
        (digit, _) if digit.is_ascii_digit() && starts_with_unit(after) => NARROW,
        _ => ' ',
    }
}

/// True when `text` begins with a whole word that is a unit.
fn starts_with_unit(text: &[char]) -> bool {
    let word: String = text.iter().take_while(|c| c.is_alphabetic() || **c == '%').collect();
    UNITS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(decimal(14.25, 1), "14,3");
        assert_eq!(decimal(1_234_567.0, 1), "1\u{202f}234\u{202f}567,0");
        assert_eq!(decimal(-0.5, 1), "−0,5");
        assert_eq!(decimal(-0.04, 1), "0,0");
        assert_eq!(number(1.5), "1,5");
        assert_eq!(number(10.0), "10");
        assert_eq!(number(0.0), "0");
        assert_eq!(percent(72.5), "72,5\u{202f}%");
        assert_eq!(percent(100.0), "100\u{202f}%");
        assert_eq!(whole(12_345), "12\u{202f}345");
    }

    #[test]
    fn plurals() {
        assert_eq!(count(0, "réseau", "réseaux"), "0\u{a0}réseau");
        assert_eq!(count(1, "réseau", "réseaux"), "1\u{a0}réseau");
        assert_eq!(count(2, "réseau", "réseaux"), "2\u{a0}réseaux");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b et c");
        assert_eq!(list(&["a".into()]), "a");
    }

    #[test]
    fn durations() {
        assert_eq!(duration(800), "800\u{202f}ms");
        assert_eq!(duration(5_230), "5,2\u{202f}s");
        assert_eq!(duration(59_940), "59,9\u{202f}s");
        assert_eq!(duration(59_960), "1\u{202f}min");
        assert_eq!(duration(72_000), "1\u{202f}min 12\u{202f}s");
        assert_eq!(duration(3_900_000), "1\u{202f}h 05\u{202f}min");
        assert_eq!(duration(u64::MAX / 2).chars().filter(|c| *c == 'h').count(), 1);
    }

    #[test]
    fn no_break_spaces() {
        assert_eq!(
            typeset("« web » : 5 s ; oui ?"),
            "«\u{202f}web\u{202f}»\u{a0}: 5\u{202f}s\u{202f}; oui\u{202f}?"
        );
        assert_eq!(typeset("615 s ± 1 s"), "615\u{202f}s\u{202f}±\u{202f}1\u{202f}s");
        assert_eq!(typeset("  0 s  api"), "  0\u{202f}s  api");
        assert_eq!(typeset("a != b"), "a != b");
        assert_eq!(typeset("5 services"), "5 services");
    }

    proptest::proptest! {
        #[test]
        fn typeset_only_changes_spaces(text in "\\PC*") {
            let set = typeset(&text);
            proptest::prop_assert_eq!(set.chars().count(), text.chars().count());
            for (old, new) in text.chars().zip(set.chars()) {
                proptest::prop_assert!(old == new || old == ' ');
            }
            proptest::prop_assert_eq!(typeset(&set), set);
        }
    }
}
