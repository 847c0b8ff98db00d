//! Moving back the dates of now that a client sends: read again, they come back as its own clock had them, not as
//! PostgreSQL's.

use super::calendar::{DAY_S, POSTGRES_EPOCH_DAYS, civil_from_days};
use super::frame::Fields;
use super::shift::{Rule, US_PER_S, binary_float, date_at, epoch};

/// A whole message of the client (its type and its body) as the server is to see it; nothing when it is to stay as
/// it is, or when it is not understood. Only what is within a day of now is moved.
#[must_use]
pub fn body(kind: u8, body: &[u8], rule: Rule) -> Option<Vec<u8>> {
    let rule = Rule { years: -rule.years, ..rule };
    match kind {
        b'Q' => sql(body, rule),
        b'P' => {
            let mut fields = Fields(body);
            let name = fields.string()?;
            let text = sql(fields.string()?, rule)?;
            Some([name, &[0], &text, &[0], fields.0].concat())
        }
        b'B' => bind(body, rule),
        _ => None,
    }
}

/// A `Bind` with its parameters moved.
fn bind(body: &[u8], rule: Rule) -> Option<Vec<u8>> {
    let mut fields = Fields(body);
    fields.string()?;
    fields.string()?;
    let mut formats = Vec::new();
    for _ in 0..fields.u16()? {
        formats.push(fields.u16()?);
    }
    let count = fields.u16()?;
    let mut out = body[..body.len() - fields.0.len()].to_vec();
    let mut moved = false;
    for index in 0..usize::from(count) {
        let Some(bytes) = fields.value()? else {
            out.extend_from_slice(&u32::MAX.to_be_bytes());
            continue;
        };
        let format = if formats.len() == 1 { formats[0] } else { formats.get(index).copied().unwrap_or(0) };
        let changed = if format == 1 { binary(bytes, rule) } else { sql(bytes, rule) };
        moved |= changed.is_some();
        let bytes = changed.as_deref().unwrap_or(bytes);
        out.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_be_bytes());
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(fields.0);
    moved.then_some(out)
}

/// A parameter of eight bytes: a timestamp, or an instant counted from 1970.
fn binary(bytes: &[u8], rule: Rule) -> Option<Vec<u8>> {
    let number = i64::from_be_bytes(bytes.try_into().ok()?);
    let moved = epoch(number, rule).or_else(|| {
        let origin = POSTGRES_EPOCH_DAYS * DAY_S * US_PER_S;
        Some(epoch(number.checked_add(origin)?, rule)? - origin)
    });
    moved.map(|moved| moved.to_be_bytes().to_vec()).or_else(|| binary_float(bytes, rule))
}

/// A text with its instants of now moved: ISO dates, numbers of seconds and their thousandths, and, in a text that
/// tells an hour, the year that stands alone (`Sun Nov 22 2026 13:02:11`).
fn sql(bytes: &[u8], rule: Rule) -> Option<Vec<u8>> {
    let (year, ..) = civil_from_days(rule.now_s.div_euclid(DAY_S));
    let this_year = format!("{year:04}");
    let then = format!("{:04}", year + rule.years);
    let tells_an_hour = bytes.windows(5).any(is_hour);
    let mut out = Vec::with_capacity(bytes.len());
    let mut moved = false;
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let run = &bytes[at..at + digits];
        let changed = if digits == 4 && bytes.get(at + 4) == Some(&b'-') {
            date_at(&bytes[at..], rule).filter(|_| is_now(&bytes[at..], rule)).map(|year| year.to_vec())
        } else if tells_an_hour && run == this_year.as_bytes() {
            Some(then.clone().into_bytes())
        } else {
            std::str::from_utf8(run)
                .ok()
                .and_then(|text| text.parse().ok())
                .and_then(|whole| epoch(whole, rule).map(|whole| whole.to_string().into_bytes()))
        };
        moved |= changed.is_some();
        out.extend_from_slice(changed.as_deref().unwrap_or(run));
        at += digits;
    }
    moved.then_some(out)
}

/// `hh:mm`.
fn is_hour(five: &[u8]) -> bool {
    five[2] == b':' && [0, 1, 3, 4].iter().all(|at| five[*at].is_ascii_digit())
}

/// Whether an ISO date is that of now, whatever the time zone.
fn is_now(bytes: &[u8], rule: Rule) -> bool {
    let today = rule.now_s.div_euclid(DAY_S);
    (today - 1..=today + 1).any(|day| {
        let (year, month, day) = civil_from_days(day);
        bytes.starts_with(format!("{year:04}-{month:02}-{day:02}").as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::frame::message;
    use proptest::prelude::*;

    /// 2025-11-21 01:24:33 UTC, four years more.
    const RULE: Rule = Rule { years: 4, now_s: 1_763_688_273 };

    fn text(before: &str) -> String {
        let moved = sql(before.as_bytes(), Rule { years: -RULE.years, ..RULE });
        moved.map_or_else(|| before.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn an_instant_of_now_is_moved() {
        assert_eq!(
            text("select '2025-11-21T01:24:33.5Z'::timestamptz"),
            "select '2021-11-21T01:24:33.5Z'::timestamptz"
        );
        assert_eq!(text("2025-11-20"), "2021-11-20");
        assert_eq!(text("Fri Nov 21 2025 01:24:33 GMT+0000"), "Fri Nov 21 2021 01:24:33 GMT+0000");
        assert_eq!(text("select to_timestamp(1763688273.123)"), "select to_timestamp(1637457873.123)");
        assert_eq!(text("1763688273123"), "1637457873123");
    }

    #[test]
    fn the_rest_is_left() {
        for same in [
            "select now()",
            "select * from visits where day > '2024-01-01' and id = 2025",
            "2025",
            "2025-11-19",
            "le 2025-99-99",
            "17636882731",
        ] {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn a_parameter_is_moved_in_its_message() {
        let bind = |value: &[u8], format: u8| {
            let length = u8::try_from(value.len()).expect("short");
            let head = [0, 0, 0, 1, 0, format, 0, 2, 255, 255, 255, 255, 0, 0, 0, length];
            [&head[..], value, &[0, 1, 0, 0]].concat()
        };
        let moved = |value: &[u8], format| body(b'B', &bind(value, format), RULE);
        assert_eq!(moved(b"1763688273", 0), Some(bind(b"1637457873", 0)));
        assert_eq!(moved(b"x", 0), None);
        let micros = |unix: i64| ((unix - POSTGRES_EPOCH_DAYS * DAY_S) * 1_000_000).to_be_bytes();
        assert_eq!(moved(&micros(1_763_688_273), 1), Some(bind(&micros(1_637_457_873), 1)));
        assert_eq!(moved(&42_i64.to_be_bytes(), 1), None);
        let parse = |sql: &[u8]| [b"s\0", sql, b"\0\0\0"].concat();
        assert_eq!(body(b'P', &parse(b"select '2025-11-21'"), RULE), Some(parse(b"select '2021-11-21'")));
        assert_eq!(message(b'Q', &body(b'Q', b"select '2025-11-21'\0", RULE).expect("moved")).len(), 25);
    }

    proptest! {
        /// Whatever a client sends, nothing breaks, and a message that is not moved stays.
        #[test]
        fn anything_may_be_sent(kind in prop::sample::select(b"QPBDES".to_vec()), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(moved) = body(kind, &bytes, RULE) {
                prop_assert_ne!(moved, bytes);
            }
        }
    }
}
