//! Conditions of a GitHub Actions workflow, as far as they can be known beforehand.

/// A value; [`Value::Unknown`] is what only a real run would tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// Known only when it runs.
    Unknown,
}

impl Value {
    /// Whether it counts as true; `None` when unknown.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Null => Some(false),
            Self::Bool(value) => Some(*value),
            Self::Number(value) => Some(*value != 0.0),
            Self::Text(text) => Some(!text.is_empty()),
            Self::Unknown => None,
        }
    }

    fn number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Number(value) => *value,
            Self::Text(text) if text.trim().is_empty() => 0.0,
            Self::Text(text) => text.trim().parse().unwrap_or(f64::NAN),
            Self::Unknown => f64::NAN,
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Null => Some(String::new()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::Text(text) => Some(text.to_lowercase()),
            Self::Unknown => None,
        }
    }

    fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => None,
            (Self::Text(a), Self::Text(b)) => Some(a.to_lowercase() == b.to_lowercase()),
            (Self::Null, Self::Null) => Some(true),
            #[expect(clippy::float_cmp, reason = "as the language itself compares")]
            (a, b) => Some(a.number() == b.number()),
        }
    }
}

/// What a condition may ask about.
pub trait Facts {
    /// A property, by its path in lower case: `github.ref`.
    fn property(&self, path: &str) -> Value;
    /// `success()`, `failure()`, `always()` or `cancelled()`.
    fn status(&self, function: &str) -> bool;
}

/// Functions that look at how the jobs before ended.
pub const STATUS: &[&str] = &["success", "failure", "always", "cancelled"];

/// The condition without its `${{ }}`.
pub fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("${{").and_then(|t| t.strip_suffix("}}")).map_or(text, str::trim)
}

/// Whether the condition itself asks how the jobs before ended; else `success()` is understood.
pub fn asks_status(text: &str) -> bool {
    let tokens = tokens(bare(text));
    tokens.windows(2).any(|pair| match pair {
        [Token::Word(word), Token::Sign("(")] => STATUS.contains(&word.to_lowercase().as_str()),
        _ => false,
    })
}

/// The value of a condition; unknown when it cannot be read.
pub fn evaluate(text: &str, facts: &dyn Facts) -> Value {
    let tokens = tokens(bare(text));
    let mut reader = Reader { tokens: &tokens, at: 0, facts };
    let value = reader.or();
    if reader.at == tokens.len() { value } else { Value::Unknown }
}

/// Whether an expression may give a text that it holds itself: alone, or on a side of `||` or `&&`.
pub fn falls_back(text: &str) -> bool {
    let inside = text.split("${{").skip(1).filter_map(|part| part.split("}}").next());
    inside.into_iter().any(|expression| {
        let tokens = tokens(expression);
        tokens.iter().enumerate().any(|(at, token)| {
            let own = matches!(token, Token::Text(value) if !value.is_empty());
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            own && matches!(before, None | Some(Token::Sign("||" | "&&"))) && !compared(tokens.get(at + 1))
        })
    })
}

fn compared(sign: Option<&Token>) -> bool {
    matches!(sign, Some(Token::Sign("==" | "!=" | "<" | ">" | "<=" | ">=")))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", ",", "[", "]", "."];

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            // A quote within is written twice.
            let mut value = String::new();
            rest = &rest[1..];
            while let Some(end) = rest.find('\'') {
                value.push_str(&rest[..end]);
                rest = &rest[end + 1..];
                if !rest.starts_with('\'') {
                    break;
                }
                value.push('\'');
                rest = &rest[1..];
            }
            found.push(Token::Text(value));
        } else if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '*');
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len()).max(first.len_utf8());
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    found
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    facts: &'a dyn Facts,
}

impl Reader<'_> {
    fn take(&mut self, sign: &str) -> bool {
        let here = matches!(self.tokens.get(self.at), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(here);
        here
    }

    fn or(&mut self) -> Value {
        let mut left = self.and();
        while self.take("||") {
            let right = self.and();
            left = match left.truth() {
                Some(true) => left,
                Some(false) => right,
                None if right.truth() == Some(true) => Value::Bool(true),
                None => Value::Unknown,
            };
        }
        left
    }

    fn and(&mut self) -> Value {
        let mut left = self.compared();
        while self.take("&&") {
            let right = self.compared();
            left = match left.truth() {
                Some(true) => right,
                Some(false) => left,
                None if right.truth() == Some(false) => Value::Bool(false),
                None => Value::Unknown,
            };
        }
        left
    }

    fn compared(&mut self) -> Value {
        let left = self.single();
        for sign in ["==", "!=", "<=", ">=", "<", ">"] {
            if self.take(sign) {
                let right = self.single();
                let seen = match sign {
                    "==" => left.equals(&right),
                    "!=" => left.equals(&right).map(|same| !same),
                    _ => None,
                };
                return seen.map_or(Value::Unknown, Value::Bool);
            }
        }
        left
    }

    fn single(&mut self) -> Value {
        if self.take("!") {
            return self.single().truth().map_or(Value::Unknown, |t| Value::Bool(!t));
        }
        if self.take("(") {
            let inner = self.or();
            self.take(")");
            return inner;
        }
        match self.tokens.get(self.at).cloned() {
            Some(Token::Text(text)) => {
                self.at += 1;
                Value::Text(text)
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                self.named(&word)
            }
            // Read past what cannot be read, so that reading ends.
            _ => {
                self.at += 1;
                Value::Unknown
            }
        }
    }

    fn named(&mut self, word: &str) -> Value {
        if self.take("(") {
            let mut given = Vec::new();
            while !self.take(")") && self.at < self.tokens.len() {
                given.push(self.or());
                self.take(",");
            }
            return self.call(&word.to_lowercase(), &given);
        }
        let mut path = word.to_lowercase();
        loop {
            if self.take(".") {
                let Some(Token::Word(next)) = self.tokens.get(self.at) else { return Value::Unknown };
                path = format!("{path}.{}", next.to_lowercase());
                self.at += 1;
            } else if self.take("[") {
                let key = self.or();
                self.take("]");
                path = format!("{path}.{}", key.text().unwrap_or_default());
            } else {
                break;
            }
        }
        match path.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            _ => match path.parse() {
                Ok(number) if !path.contains(char::is_alphabetic) => Value::Number(number),
                _ => self.facts.property(&path),
            },
        }
    }

    fn call(&self, name: &str, given: &[Value]) -> Value {
        if STATUS.contains(&name) {
            return Value::Bool(self.facts.status(name));
        }
        let (Some(Some(a)), Some(Some(b))) = (given.first().map(Value::text), given.get(1).map(Value::text))
        else {
            return Value::Unknown;
        };
        match name {
            "startswith" => Value::Bool(a.starts_with(&b)),
            "endswith" => Value::Bool(a.ends_with(&b)),
            "contains" => Value::Bool(a.contains(&b)),
            _ => Value::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Push;

    impl Facts for Push {
        fn property(&self, path: &str) -> Value {
            match path {
                "github.event_name" => Value::Text("push".into()),
                "github.ref" => Value::Text("refs/heads/main".into()),
                "github.event.pull_request" => Value::Null,
                _ => Value::Unknown,
            }
        }
        fn status(&self, function: &str) -> bool {
            matches!(function, "always" | "failure")
        }
    }

    #[test]
    fn conditions() {
        let truth = |text| evaluate(text, &Push).truth();
        for text in [
            "github.event_name == 'push'",
            "${{ github.event_name != 'pull_request' }}",
            "github['event_name'] == 'PUSH' && startsWith(github.ref, 'refs/heads/')",
            "!github.event.pull_request",
            "always()",
            "failure() || vars.X",
            "contains('it''s', '''') && 1 == 1",
            "(false || true) && !false",
        ] {
            assert_eq!(truth(text), Some(true), "{text}");
        }
        for text in [
            "github.ref == 'refs/tags/v1'",
            "success() && vars.X",
            "false",
            "vars.X && github.event_name == 'pull_request'",
            "null",
            "endsWith(github.ref, '/dev')",
        ] {
            assert_eq!(truth(text), Some(false), "{text}");
        }
        for text in ["vars.X", "github.ref > 3", "hashFiles('a') != ''", "(", "a b", "== ==", "é", "x["] {
            assert_eq!(truth(text), None, "{text}");
        }
        assert!(asks_status("${{ !cancelled() }}") && asks_status("Always( )"));
        assert!(!asks_status("github.event_name == 'success()'") && !asks_status("success"));
    }
}
