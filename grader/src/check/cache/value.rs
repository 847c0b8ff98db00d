//! Pure functions on values: where a value is stored, changing it in place, reading it back.

use serde_json::Value;

/// Texts of the leaves of a JSON value: what must be found in the store.
pub fn leaves(value: &Value) -> Vec<String> {
    match value {
        Value::Null => vec![],
        Value::Bool(b) => vec![b.to_string()],
        Value::Number(n) => vec![n.to_string()],
        Value::String(s) => vec![s.clone()],
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(map) => map.values().flat_map(leaves).collect(),
    }
}

/// JSON escapes removed, so that a value is found however deep it was encoded.
pub fn bare(text: &str) -> String {
    text.replace("\\u003a", ":").chars().filter(|c| *c != '\\').collect()
}

/// True when every leaf of `value` is in the stored text.
pub fn contains(stored: &str, value: &Value) -> bool {
    let stored = bare(stored);
    let all = leaves(value);
    !all.is_empty() && all.iter().all(|leaf| stored.contains(&bare(leaf)))
}

/// A run of digits in a text: where it begins and its text.
fn digit_runs(text: &str) -> Vec<(usize, &str)> {
    let mut runs = Vec::new();
    let mut start = None;
    for (i, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_ascii_digit(), start) {
            (true, None) => start = Some(i),
            (false, Some(s)) => {
                runs.push((s, &text[s..i]));
                start = None;
            }
            _ => {}
        }
    }
    runs
}

/// True for a year that a clock of today could show, or the shifted clock of the relay.
fn is_year(run: &str) -> bool {
    run.len() == 4 && run.parse::<i32>().is_ok_and(|y| (2000..=2199).contains(&y))
}

/// Seconds of an epoch written in seconds or milliseconds, when it falls in 2001..2286.
fn epoch_seconds(run: &str) -> Option<i64> {
    match run.len() {
        10 => run.parse().ok().filter(|n| *n >= 1_000_000_000),
        13 => run.parse::<i64>().ok().filter(|n| *n >= 1_000_000_000_000).map(|n| n / 1000),
        _ => None,
    }
}

/// Years seen in a text: those written, and those of epoch numbers.
pub fn years(text: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for (_, run) in digit_runs(text) {
        let year = if is_year(run) {
            run.parse().ok()
        } else {
            epoch_seconds(run)
                .and_then(|s| jiff::Timestamp::from_second(s).ok())
                .map(|t| i32::from(t.to_zoned(jiff::tz::TimeZone::UTC).year()))
        };
        found.extend(year.filter(|y| !found.contains(y)));
    }
    found
}

/// A stored text changed in place, and what an answer must show if it really comes from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tampered {
    /// New stored text.
    pub stored: String,
    /// Any of these in an answer proves it.
    pub marks: Vec<String>,
    /// True when the change is a date, which an application may write in another shape.
    pub year: Option<i32>,
}

/// Changes a stored text so that it still has its shape: the year of its date, else an epoch
/// number, else its letters and digits.
pub fn tamper(stored: &str, value: &Value, year: i32) -> Option<Tampered> {
    let runs = digit_runs(stored);
    if let Some((_, old)) = runs.iter().find(|(_, run)| is_year(run)) {
        let mut new = String::with_capacity(stored.len());
        let mut last = 0;
        for (at, run) in runs.iter().filter(|(_, run)| run == old) {
            new.push_str(&stored[last..*at]);
            new.push_str(&year.to_string());
            last = at + run.len();
        }
        new.push_str(&stored[last..]);
        return Some(Tampered { stored: new, marks: vec![], year: Some(year) });
    }
    if let Some((at, old)) = runs.iter().find(|(_, run)| epoch_seconds(run).is_some()) {
        let seconds = epoch_seconds(old)?;
        let now = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
        let moved = now.with().year(i16::try_from(year).ok()?).day(now.day().min(28)).build().ok()?;
        let unit = if old.len() == 13 { 1000 } else { 1 };
        let rest = old.parse::<i64>().ok()? % unit;
        let new = format!("{}", moved.timestamp().as_second() * unit + rest);
        let text = format!("{}{new}{}", &stored[..*at], &stored[at + old.len()..]);
        return Some(Tampered { stored: text, marks: vec![new], year: Some(year) });
    }
    let old =
        leaves(value).into_iter().filter(|l| l.len() >= 3 && stored.contains(l)).max_by_key(String::len)?;
    let new: String = old
        .chars()
        .map(|c| match c {
            'a'..='y' | 'A'..='Y' | '1'..='8' => char::from_u32(u32::from(c) + 1).unwrap_or(c),
            'z' => 'a',
            'Z' => 'A',
            '9' => '1',
            other => other,
        })
        .collect();
    (new != old).then(|| Tampered { stored: stored.replace(&old, &new), marks: vec![new], year: None })
}

impl Tampered {
    /// True when an answer shows the change.
    pub fn shows_in(&self, value: &Value) -> bool {
        let text = bare(&leaves(value).join(" "));
        self.marks.iter().any(|m| text.contains(&bare(m)))
            || self.year.is_some_and(|y| years(&text).contains(&y))
    }
}

/// The instant that a value shows, in milliseconds, when its shape is a known one.
pub fn instant(value: &Value) -> Option<i64> {
    leaves(value).iter().find_map(|leaf| instant_of(leaf))
}

fn instant_of(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    // PostgreSQL: « 2026-11-21 02:49:15.123+00 » ; JavaScript: « Sat Nov 21 2026 02:49:15 GMT+0000 (…) ».
    let head = text.split(" (").next().unwrap_or(text);
    for format in ["%a %b %d %Y %H:%M:%S GMT%z", "%a, %d %b %Y %H:%M:%S GMT%z"] {
        if let Ok(at) = jiff::Timestamp::strptime(format, head) {
            return Some(at.as_millisecond());
        }
    }
    let padded = if head.len() > 3 && matches!(head.as_bytes()[head.len() - 3], b'+' | b'-') {
        format!("{head}:00")
    } else {
        head.to_owned()
    };
    if let Ok(at) = padded.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    if let Ok(local) = head.trim_end_matches(" GMT").parse::<jiff::civil::DateTime>() {
        return local.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp().as_millisecond());
    }
    let digits = text.split('.').next().unwrap_or(text);
    epoch_seconds(digits)?;
    let number: i64 = digits.parse().ok()?;
    Some(if digits.len() == 13 { number } else { number * 1000 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_value_is_found_however_encoded() {
        let value = json!({"now": "2026-11-21T01:49:15.123Z"});
        assert!(contains("{\"now\":\"2026-11-21T01:49:15.123Z\"}", &value));
        assert!(contains("\"{\\\"now\\\":\\\"2026-11-21T01:49:15.123Z\\\"}\"", &value));
        assert!(!contains("{\"now\":\"2026-11-21T01:49:16.123Z\"}", &value));
        assert!(!contains("anything", &json!(null)));
    }

    #[test]
    fn tampering_keeps_the_shape_of_dates() {
        let iso = tamper("\"2026-11-21T01:49:15.123Z\"", &json!("x"), 2047).expect("tampered");
        assert_eq!(iso.stored, "\"2047-11-21T01:49:15.123Z\"");
        assert!(iso.shows_in(&json!("Thu Nov 21 2047 01:49:15 GMT+0000 (Coordinated Universal Time)")));
        assert!(!iso.shows_in(&json!("2026-11-21T01:49:15.123Z")));
        let ms = tamper("{\"t\":1795225755123}", &json!(1), 2047).expect("tampered");
        assert_eq!(ms.stored.len(), "{\"t\":1795225755123}".len());
        assert!(ms.shows_in(&json!({"t": "2047-01-01"})));
        let word = tamper("bonjour", &json!("bonjour"), 2047).expect("tampered");
        assert!(word.shows_in(&json!("cpokpvs")) && !word.shows_in(&json!("bonjour")));
    }

    #[test]
    fn instants() {
        let same = [
            json!("2026-11-21T01:49:15.000Z"),
            json!("2026-11-21 01:49:15+00"),
            json!("Sat Nov 21 2026 01:49:15 GMT+0000 (Coordinated Universal Time)"),
            json!(1_795_225_755_000_i64),
            json!({"now": "2026-11-21 01:49:15"}),
        ];
        for value in &same {
            assert_eq!(instant(value), Some(1_795_225_755_000), "{value}");
        }
        assert_eq!(instant(&json!("hier")), None);
    }

    proptest! {
        /// No text makes these functions panic, and an untouched answer never shows a change.
        #[test]
        fn total(stored in ".{0,60}", answer in ".{0,60}", year in 2031i32..2090) {
            let value = json!(answer);
            let _ = instant(&value);
            if let Some(tampered) = tamper(&stored, &value, year) {
                prop_assert!(!tampered.shows_in(&json!("rien")));
                if tampered.year.is_some() && tampered.marks.is_empty() {
                    prop_assert_eq!(tampered.stored.len(), stored.len());
                }
            }
        }
    }
}
