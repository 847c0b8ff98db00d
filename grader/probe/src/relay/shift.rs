//! Moving a value of PostgreSQL by some years, when it is a date.

use super::calendar::{DAY_S, POSTGRES_EPOCH_DAYS, civil_from_days, days_from_civil, shift_days, shift_seconds};
use super::numeric;

/// How far, and around which instant a number counts as a date.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Years to add, a multiple of 4.
    pub years: i64,
    /// Now, in seconds of the Unix clock: only a number within a day of it is taken for a date.
    pub now_s: i64,
}

/// The type of a column (its OID) and its format (0 text, 1 binary).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// OID of the type.
    pub oid: u32,
    /// 0 for text, 1 for binary.
    pub format: u16,
}

const DATE: u32 = 1082;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;
const INT8: u32 = 20;
const INT4: u32 = 23;
const FLOAT8: u32 = 701;
const NUMERIC: u32 = 1700;

/// text, name, json, unknown, bpchar, varchar, jsonb: their binary format is their text (after a version byte for
/// jsonb).
const TEXTS: [u32; 7] = [25, 19, 114, 705, 1042, 1043, 3802];

/// Arrays of text and of dates: only in text format.
const ARRAYS: [u32; 5] = [1009, 1015, 1115, 1182, 1185];

pub(super) const US_PER_S: i64 = 1_000_000;
const US_PER_DAY: i64 = DAY_S * US_PER_S;

/// The value moved; nothing when it is to stay as it is.
#[must_use]
pub fn value(bytes: &[u8], column: Column, rule: Rule) -> Option<Vec<u8>> {
    match (column.oid, column.format) {
        (DATE | TIMESTAMP | TIMESTAMPTZ, 0) => leading_date(bytes, rule),
        (TIMESTAMP | TIMESTAMPTZ, 1) => binary_timestamp(bytes, rule),
        (DATE, 1) => binary_date(bytes, rule),
        (INT8 | INT4 | FLOAT8 | NUMERIC, 0) => text_number(bytes, column.oid, rule),
        (INT8, 1) => {
            let number = i64::from_be_bytes(bytes.try_into().ok()?);
            Some(epoch(number, rule)?.to_be_bytes().to_vec())
        }
        (INT4, 1) => {
            let number = i32::from_be_bytes(bytes.try_into().ok()?);
            Some(i32::try_from(epoch(number.into(), rule)?).ok()?.to_be_bytes().to_vec())
        }
        (FLOAT8, 1) => binary_float(bytes, rule),
        (NUMERIC, 1) => numeric::shift(bytes, |whole| epoch(whole, rule)),
        (oid, format) if TEXTS.contains(&oid) || (format == 0 && ARRAYS.contains(&oid)) => {
            dates_inside(bytes, rule).or_else(|| text_number(bytes, NUMERIC, rule))
        }
        _ => None,
    }
}

/// A number of seconds, milliseconds or microseconds within a day of now, moved.
pub(super) fn epoch(number: i64, rule: Rule) -> Option<i64> {
    for unit in [1, 1_000, US_PER_S] {
        let seconds = number.div_euclid(unit);
        if (seconds - rule.now_s).abs() <= DAY_S {
            return number.checked_add(shift_seconds(seconds, rule.years)?.checked_mul(unit)?);
        }
    }
    None
}

/// Digits, perhaps with decimals.
fn text_number(bytes: &[u8], oid: u32, rule: Rule) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || !digits(whole) || !digits(rest.strip_prefix('.').unwrap_or(rest)) {
        return None;
    }
    let moved = epoch(whole.parse().ok()?, rule)?;
    if oid == INT4 {
        i32::try_from(moved).ok()?;
    }
    Some(format!("{moved}{rest}").into_bytes())
}

pub(super) fn binary_float(bytes: &[u8], rule: Rule) -> Option<Vec<u8>> {
    let number = f64::from_be_bytes(bytes.try_into().ok()?);
    // Beyond, a float no longer counts by ones; a NaN fails too.
    if !(0.0..9.0e15).contains(&number) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)] // within the range just tested
    let whole = number.trunc() as i64;
    let added = epoch(whole, rule)? - whole;
    #[allow(clippy::cast_precision_loss)] // a number of days in microseconds at most: under 2^53
    let moved = number + added as f64;
    Some(moved.to_be_bytes().to_vec())
}

fn binary_timestamp(bytes: &[u8], rule: Rule) -> Option<Vec<u8>> {
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    // `infinity` and `-infinity` fall out of the calendar.
    let days = micros.div_euclid(US_PER_DAY) + POSTGRES_EPOCH_DAYS;
    let added = (shift_days(days, rule.years)? - days).checked_mul(US_PER_DAY)?;
    Some(micros.checked_add(added)?.to_be_bytes().to_vec())
}

fn binary_date(bytes: &[u8], rule: Rule) -> Option<Vec<u8>> {
    let days = i64::from(i32::from_be_bytes(bytes.try_into().ok()?)) + POSTGRES_EPOCH_DAYS;
    let moved = shift_days(days, rule.years)? - POSTGRES_EPOCH_DAYS;
    Some(i32::try_from(moved).ok()?.to_be_bytes().to_vec())
}

/// `YYYY-MM-DD…` in ISO style; a year before our era stays.
fn leading_date(bytes: &[u8], rule: Rule) -> Option<Vec<u8>> {
    if bytes.ends_with(b" BC") {
        return None;
    }
    let mut moved = bytes.to_vec();
    moved[..4.min(bytes.len())].copy_from_slice(&date_at(bytes, rule)?);
    Some(moved)
}

/// Every `20YY-MM-DD` inside a text, and the year of now wherever it stands alone (`21/11/2026`): a query may dress
/// its date as it likes.
fn dates_inside(bytes: &[u8], rule: Rule) -> Option<Vec<u8>> {
    let mut moved: Option<Vec<u8>> = None;
    let (year, ..) = civil_from_days(rule.now_s.div_euclid(DAY_S));
    let (this_year, next_year) = (format!("{year:04}"), format!("{:04}", year + rule.years));
    if next_year.len() != 4 {
        return None;
    }
    let mut at = 0;
    while at + 4 <= bytes.len() {
        let free = at == 0 || !bytes[at - 1].is_ascii_digit();
        if free
            && bytes[at..].starts_with(b"20")
            && let Some(year) = date_at(&bytes[at..], rule)
        {
            moved.get_or_insert_with(|| bytes.to_vec())[at..at + 4].copy_from_slice(&year);
            at += 10;
        } else if free
            && bytes[at..].starts_with(this_year.as_bytes())
            && !bytes.get(at + 4).is_some_and(u8::is_ascii_digit)
        {
            moved.get_or_insert_with(|| bytes.to_vec())[at..at + 4].copy_from_slice(next_year.as_bytes());
            at += 4;
        } else {
            at += 1;
        }
    }
    moved
}

/// The year moved of the ISO date at the beginning of these bytes.
pub(super) fn date_at(bytes: &[u8], rule: Rule) -> Option<[u8; 4]> {
    let date = bytes.get(..10)?;
    if date[4] != b'-' || date[7] != b'-' || bytes.get(10).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let (year, month, day) = (number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    let (moved, _, _) = civil_from_days(shift_days(days, rule.years)?);
    format!("{moved:04}").into_bytes().try_into().ok()
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
#[path = "shift_tests.rs"]
mod tests;
