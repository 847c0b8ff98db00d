//! Dates as platforms and teachers write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Forms of a date without an offset.
const FORMS: [&str; 4] = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];

/// Reads RFC 3339, or `AAAA-MM-JJ HH:MM` at `offset` seconds of UTC.
pub fn read(text: &str, offset: i32) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let civil = FORMS.iter().find_map(|form| DateTime::strptime(form, text).ok())?;
    Offset::from_seconds(offset).ok()?.to_timestamp(civil).ok()
}

/// Reads `+01:00`, `-03:30` or `Z`, in seconds.
pub fn offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |part: &str| (part.len() == 2).then(|| part.parse::<i32>().ok().filter(|n| *n >= 0)).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// « 20/11/2026 à 23:59 », at `offset` seconds of UTC.
pub fn told(at: Timestamp, offset: i32) -> String {
    let civil = Offset::from_seconds(offset).unwrap_or(Offset::UTC).to_datetime(at);
    civil.strftime("%d/%m/%Y à %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_platforms_write() {
        let at: Timestamp = "2026-11-20T22:59:00Z".parse().expect("a date");
        for text in
            ["2026-11-20T22:59:00Z", "2026-11-20T23:59:00+01:00", " 2026-11-20 23:59 ", "2026-11-20 23:59:00"]
        {
            assert_eq!(read(text, 3_600), Some(at), "{text}");
        }
        for text in ["", "hier", "2026-13-01 00:00", "20/11/2026 23:59", "2026-11-20"] {
            assert_eq!(read(text, 3_600), None, "{text}");
        }
        assert_eq!(told(at, 3_600), "20/11/2026 à 23:59");
        assert_eq!((offset("+01:00"), offset("-03:30"), offset("Z")), (Some(3_600), Some(-12_600), Some(0)));
        for text in ["01:00", "+1:00", "+15:00", "+01:60", "", "+", "Europe/Paris", "+0é:00"] {
            assert_eq!(offset(text), None, "{text}");
        }
    }
}
