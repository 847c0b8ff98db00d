//! Tokens of PromQL, comments and strings told apart. Every byte of the text is in exactly one
//! token, so that a rewrite leaves alone what it does not mean to change.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// White space or a comment.
    Blank,
    /// A string, quotes included.
    Text,
    /// A number.
    Number,
    /// A duration (`5m`, `1h30m`).
    Duration,
    /// A name or a keyword.
    Word,
    /// Anything else, one character.
    Sign,
}

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// Kind.
    pub kind: Kind,
    /// As written.
    pub text: &'a str,
}

impl Token<'_> {
    /// True for this sign.
    pub fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign && self.text.starts_with(sign)
    }

    /// True for this word, in any case.
    pub fn says(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// Splits an expression.
pub fn lex(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut brackets = 0_usize;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            c if c.is_whitespace() => (Kind::Blank, run(rest, char::is_whitespace)),
            '#' => (Kind::Blank, rest.find('\n').unwrap_or(rest.len())),
            '"' | '\'' | '`' => (Kind::Text, string(rest, first)),
            '0'..='9' | '.' => number(rest),
            c if c.is_alphabetic() || c == '_' || (c == ':' && brackets == 0) => {
                let inside = |c: char| c.is_alphanumeric() || c == '_' || (c == ':' && brackets == 0);
                (Kind::Word, run(rest, inside))
            }
            c => {
                match c {
                    '[' => brackets += 1,
                    ']' => brackets = brackets.saturating_sub(1),
                    _ => {}
                }
                (Kind::Sign, c.len_utf8())
            }
        };
        let (token, after) = rest.split_at(length.max(first.len_utf8()));
        tokens.push(Token { kind, text: token });
        rest = after;
    }
    tokens
}

/// Bytes of the longest prefix whose characters are `good`.
fn run(text: &str, good: impl Fn(char) -> bool) -> usize {
    text.find(|c| !good(c)).unwrap_or(text.len())
}

/// Bytes of a string, up to its closing quote or the end.
fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// A number or a duration.
fn number(text: &str) -> (Kind, usize) {
    let whole = run(text, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
    let candidate = &text[..whole];
    if super::super::prom::span::parse(candidate).is_some() && candidate != "0" {
        return (Kind::Duration, whole);
    }
    // An exponent may have a sign: `1e-3`.
    let lower = candidate.to_ascii_lowercase();
    let hexadecimal = lower.starts_with("0x");
    if !hexadecimal && lower.ends_with('e') && text[whole..].starts_with(['+', '-']) {
        let digits = run(&text[whole + 1..], |c| c.is_ascii_digit());
        return (Kind::Number, whole + 1 + digits);
    }
    (Kind::Number, whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        lex(text).into_iter().filter(|t| t.kind != Kind::Blank).map(|t| (t.kind, t.text)).collect()
    }

    #[test]
    fn usual_tokens() {
        use Kind::{Duration, Number, Sign, Text, Word};
        assert_eq!(
            kinds("rate(a:b{x=~\"[5m]\"}[5m:30s]) > 1e-3 # [9m]\nor up offset -1h30m"),
            [
                (Word, "rate"),
                (Sign, "("),
                (Word, "a:b"),
                (Sign, "{"),
                (Word, "x"),
                (Sign, "="),
                (Sign, "~"),
                (Text, "\"[5m]\""),
                (Sign, "}"),
                (Sign, "["),
                (Duration, "5m"),
                (Sign, ":"),
                (Duration, "30s"),
                (Sign, "]"),
                (Sign, ")"),
                (Sign, ">"),
                (Number, "1e-3"),
                (Word, "or"),
                (Word, "up"),
                (Word, "offset"),
                (Sign, "-"),
                (Duration, "1h30m"),
            ]
        );
        assert_eq!(
            kinds("0x5d .5 1e3 'a\\'b' `c\\`"),
            [(Number, "0x5d"), (Number, ".5"), (Number, "1e3"), (Text, "'a\\'b'"), (Text, "`c\\`"),]
        );
        assert_eq!(kinds("0 - 0s"), [(Number, "0"), (Sign, "-"), (Duration, "0s")]);
    }

    proptest! {
        /// No byte is lost, none is invented.
        #[test]
        fn tokens_make_the_text(text in "\\PC{0,80}") {
            let back: String = lex(&text).iter().map(|t| t.text).collect();
            prop_assert_eq!(back, text);
        }
    }
}
