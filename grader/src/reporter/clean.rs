//! What comes from outside (student's text, logs, engine messages) made safe to show.
//!
//! For a terminal every character that could move the cursor, hide or reorder text becomes
//! visible: control characters as their pictures (`␛`), the others as `⟨U+202E⟩`. For JSON they
//! are escaped, which loses nothing.

use std::fmt::Write as _;

use crate::french;

/// Characters shown of a value, and lines of one.
const MAX_CHARS: usize = 2_000;
const MAX_INLINE: usize = 400;
const MAX_LINES: usize = 40;

/// True when a terminal would not simply draw `c`, or would draw nothing.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // fillers
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' // zero-width, direction marks
            | '\u{2028}'..='\u{202e}' // line separators, bidi overrides
            | '\u{2060}'..='\u{206f}' // joiners, bidi isolates
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}') // tags
}

/// `text` on one line for a terminal, uncut: what is hidden is made visible, tabs are 4 spaces.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push_str("    "),
            '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + u32::from(c))),
            '\x7f' => out.push('␡'),
            _ if is_hidden(c) => _ = write!(out, "⟨U+{:04X}⟩", u32::from(c)),
            _ => out.push(c),
        }
    }
    out
}

/// A short value on one line for a terminal, cut when long.
pub fn inline(text: &str) -> String {
    cut(text, MAX_INLINE)
}

/// A value of several lines for a terminal, cut when long.
pub fn block(text: &str) -> Vec<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut lines: Vec<String> = text
        .split('\n')
        .take(MAX_LINES)
        .map(|line| cut(line.strip_suffix('\r').unwrap_or(line), MAX_CHARS))
        .collect();
    let all = text.split('\n').count();
    if all > MAX_LINES {
        lines.push(format!("… (coupé, {} lignes)", french::whole(all as u64)));
    }
    lines
}

/// Cuts at `max` characters and says how many there were.
fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => visible(text),
        Some((end, _)) => {
            let all = text.chars().count() as u64;
            format!("{} … (coupé, {} caractères)", visible(&text[..end]), french::whole(all))
        }
    }
}

/// Finished JSON, safe for a terminal: hidden characters become `\u` escapes. They can only
/// stand inside strings there, so the document says the same.
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        if is_hidden(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hidden_things_show() {
        assert_eq!(visible("a\x1b[31mb\tc\u{202e}d\u{9b}\x7f"), "a␛[31mb    c⟨U+202E⟩d⟨U+009B⟩␡");
        assert_eq!(visible("a\nb\rc"), "a␊b␍c");
        assert_eq!(visible("« été » 🐳"), "« été » 🐳");
        assert_eq!(block("a\r\nb\n"), ["a", "b"]);
    }

    #[test]
    fn cuts_are_said() {
        let long = "x".repeat(3_204);
        assert!(inline(&long).ends_with("x … (coupé, 3\u{202f}204 caractères)"));
        let many = "y\n".repeat(1_000);
        let lines = block(&many);
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert_eq!(lines[MAX_LINES], "… (coupé, 1\u{202f}000 lignes)");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in any::<String>()) {
            prop_assert!(!visible(&text).contains(is_hidden));
            prop_assert!(!inline(&text).contains(is_hidden));
            prop_assert!(!block(&text).iter().any(|line| line.contains(is_hidden)));
            prop_assert_eq!(visible(&visible(&text)), visible(&text));
        }

        #[test]
        fn json_says_the_same(text in any::<String>()) {
            let document = json(&serde_json::to_string(&text).expect("a string"));
            prop_assert!(!document.contains(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&document).expect("still JSON"), text);
        }
    }
}
