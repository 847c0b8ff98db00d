//! Just enough of PromQL: durations divided, selectors and ranges found. Expressions are not
//! understood beyond that, so whatever a newer Prometheus accepts goes through untouched.

mod lex;

use std::time::Duration;

pub use lex::{Kind, Token, lex};

use super::prom::span;

/// Functions whose result is a number of seconds or counts over a window: a literal beside them is
/// not divided with the durations, so the expression would not mean the same in compressed time.
const ABSOLUTE: &[&str] = &[
    "time",
    "timestamp",
    "predict_linear",
    "increase",
    "delta",
    "idelta",
    "changes",
    "resets",
    "minute",
    "hour",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "days_in_month",
    "month",
    "year",
    "ts_of_min_over_time",
    "ts_of_max_over_time",
    "ts_of_last_over_time",
    "step",
];

/// Aggregations: they may be followed by `by (…)` instead of an argument.
const AGGREGATIONS: &[&str] = &[
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
    "limitk",
    "limit_ratio",
];

/// Words before a list of labels in parentheses.
const GROUPINGS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Other words that are no metric.
const KEYWORDS: &[&str] =
    &["and", "or", "unless", "bool", "offset", "start", "end", "atan2", "inf", "nan", "smoothed", "anchored"];

/// Divides every duration of an expression (ranges, subqueries, offsets) by `factor`. Whatever is
/// not a duration is left as it is, byte for byte.
pub fn compress(expr: &str, factor: u32) -> String {
    let mut out = String::with_capacity(expr.len());
    let mut brackets = 0_usize;
    let mut after_offset = false;
    for token in lex(expr) {
        let divided = match token.kind {
            Kind::Duration if brackets > 0 || after_offset => {
                span::parse(token.text).map(|d| span::write(divide(d, factor)))
            }
            // Since version 3 a number in brackets is a number of seconds.
            Kind::Number if brackets > 0 || after_offset => {
                seconds(token.text).map(|d| span::write(divide(d, factor)))
            }
            _ => None,
        };
        match divided {
            Some(text) => out.push_str(&text),
            None => out.push_str(token.text),
        }
        if token.is('[') {
            brackets += 1;
        } else if token.is(']') {
            brackets = brackets.saturating_sub(1);
        }
        after_offset = match token.kind {
            Kind::Blank => after_offset,
            Kind::Sign => after_offset && (token.is('-') || token.is('+')),
            _ => token.says("offset"),
        };
    }
    out
}

/// A duration divided, never down to nothing.
pub fn divide(duration: Duration, factor: u32) -> Duration {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return Duration::ZERO;
    }
    let factor = u64::from(factor.max(1));
    Duration::from_millis(((ms + factor / 2) / factor).max(1))
}

fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && number >= 0.0).then(|| Duration::from_secs_f64(number.min(1e9)))
}

/// What in an expression does not scale with time, if anything: the name to tell.
pub fn absolute(expr: &str) -> Option<String> {
    let tokens: Vec<Token<'_>> = lex(expr).into_iter().filter(|t| t.kind != Kind::Blank).collect();
    let mut brackets = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        if token.is('[') {
            brackets += 1;
        } else if token.is(']') {
            brackets = brackets.saturating_sub(1);
        }
        let called = next.is_some_and(|n| n.is('('));
        if token.kind == Kind::Word && called && ABSOLUTE.iter().any(|name| token.says(name)) {
            return Some(format!("{}()", token.text.to_lowercase()));
        }
        if token.is('@') && next.is_some_and(|n| n.kind == Kind::Number) {
            return Some("@".to_owned());
        }
        // Arithmetic on durations (version 3).
        let odd = brackets > 0
            && (token.is('*') || token.is('/') || token.is('(') || token.is('^') || token.is('%'));
        let after_offset = token.says("offset") && next.is_some_and(|n| n.is('('));
        if odd || after_offset {
            return Some("une durée calculée".to_owned());
        }
        // A bare duration outside brackets is a number of seconds (version 3).
        let sign = index > 0 && (tokens[index - 1].is('-') || tokens[index - 1].is('+'));
        let before = index.checked_sub(if sign { 2 } else { 1 }).and_then(|i| tokens.get(i));
        if token.kind == Kind::Duration && brackets == 0 && !before.is_some_and(|b| b.says("offset")) {
            return Some(token.text.to_owned());
        }
    }
    None
}

/// All that an expression looks back, at most: ranges, subqueries and offsets added up.
pub fn looks_back(expr: &str) -> Duration {
    let mut total = Duration::ZERO;
    let mut brackets = 0_usize;
    let mut step = false;
    let mut after_offset = false;
    for token in lex(expr).into_iter().filter(|t| t.kind != Kind::Blank) {
        let length = match token.kind {
            Kind::Duration => span::parse(token.text),
            Kind::Number => seconds(token.text),
            _ => None,
        };
        if let Some(length) = length.filter(|_| (brackets > 0 && !step) || after_offset) {
            total += length;
        }
        if token.is('[') {
            (brackets, step) = (brackets + 1, false);
        } else if token.is(']') {
            brackets = brackets.saturating_sub(1);
        } else if token.is(':') && brackets > 0 {
            step = true;
        }
        after_offset = token.says("offset") || (after_offset && (token.is('-') || token.is('+')));
    }
    total
}

/// A vector selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Metric; `None` when it is only in the matchers.
    pub metric: Option<String>,
    /// As written, without its range: a query of its own.
    pub text: String,
    /// Label and value of its `=` matchers.
    pub equals: Vec<(String, String)>,
}

/// Vector selectors of an expression, in order.
pub fn selectors(expr: &str) -> Vec<Selector> {
    let tokens: Vec<Token<'_>> = lex(expr).into_iter().filter(|t| t.kind != Kind::Blank).collect();
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let next = tokens.get(index + 1);
        if token.kind == Kind::Word && GROUPINGS.iter().any(|w| token.says(w)) {
            if next.is_some_and(|n| n.is('(')) {
                index = closing(&tokens, index + 1, '(', ')');
            }
            index += 1;
            continue;
        }
        let called = next.is_some_and(|n| n.is('('));
        let grouped = next.is_some_and(|n| n.says("by") || n.says("without"));
        let taken = KEYWORDS.iter().any(|w| token.says(w));
        let aggregates = AGGREGATIONS.iter().any(|w| token.says(w)) && grouped;
        let name = token.kind == Kind::Word && !taken && !called && !aggregates;
        if name || token.is('{') {
            let open = if name { index + 1 } else { index };
            let braces = tokens.get(open).is_some_and(|t| t.is('{'));
            let end = if braces { closing(&tokens, open, '{', '}') } else { index };
            let inner = if braces { tokens.get(open + 1..end).unwrap_or_default() } else { &[] };
            let text: String = tokens[index..=end.min(tokens.len() - 1)].iter().map(|t| t.text).collect();
            found.push(Selector {
                metric: name.then(|| token.text.to_owned()).or_else(|| named(inner)),
                text,
                equals: equals(inner),
            });
            index = end;
        }
        index += 1;
    }
    found
}

/// Index of the sign that closes the one at `open`, or the last token.
fn closing(tokens: &[Token<'_>], open: usize, opens: char, closes: char) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.is(opens) {
            depth += 1;
        } else if token.is(closes) {
            depth -= 1;
            if depth == 0 {
                return index;
            }
        }
    }
    tokens.len() - 1
}

fn unquoted(text: &str) -> String {
    text.trim_matches(|c| matches!(c, '"' | '\'' | '`')).replace("\\\"", "\"").replace("\\\\", "\\")
}

/// `label="value"` pairs.
fn equals(inner: &[Token<'_>]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (index, window) in inner.windows(3).enumerate() {
        // `!=` begins with another sign, `=~` goes on with one.
        let negated = index > 0 && inner[index - 1].is('!');
        if let [label, sign, value] = window
            && label.kind == Kind::Word
            && sign.is('=')
            && value.kind == Kind::Text
            && !negated
        {
            pairs.push((label.text.to_owned(), unquoted(value.text)));
        }
    }
    pairs
}

fn named(inner: &[Token<'_>]) -> Option<String> {
    equals(inner).into_iter().find(|(label, _)| label == "__name__").map(|(_, value)| value)
}

/// Numbers written in an expression, outside brackets.
pub fn numbers(expr: &str) -> Vec<f64> {
    let mut brackets = 0_usize;
    let mut found = Vec::new();
    for token in lex(expr) {
        if token.is('[') {
            brackets += 1;
        } else if token.is(']') {
            brackets = brackets.saturating_sub(1);
        } else if token.kind == Kind::Number && brackets == 0 {
            found.extend(token.text.parse::<f64>());
        }
    }
    found
}

#[cfg(test)]
mod tests;
