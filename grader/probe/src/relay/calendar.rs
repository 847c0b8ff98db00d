//! Days and years of the Gregorian calendar.

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
pub const POSTGRES_EPOCH_DAYS: i64 = 10_957;

/// Days from 1970-01-01 to a date.
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March, in eras of 400: the leap day comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year, month and day that many days after 1970-01-01.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// The same day and month `years` later, in days from 1970-01-01; nothing when there is no such day or when the year
/// leaves 1..=9999.
#[must_use]
pub fn shift_days(days: i64, years: i64) -> Option<i64> {
    // What cannot be a date of these years overflows nothing.
    if !(-800_000..=3_000_000).contains(&days) {
        return None;
    }
    let (year, month, day) = civil_from_days(days);
    let to = year.checked_add(years).filter(|to| (1..=9_999).contains(to))?;
    let shifted = days_from_civil(to, month, day);
    (civil_from_days(shifted) == (to, month, day)).then_some(shifted)
}

/// The seconds between an instant of the Unix clock and the same one `years` later.
#[must_use]
pub fn shift_seconds(unix_s: i64, years: i64) -> Option<i64> {
    let days = unix_s.div_euclid(DAY_S);
    Some((shift_days(days, years)? - days) * DAY_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(days_from_civil(2000, 1, 1), POSTGRES_EPOCH_DAYS);
        assert_eq!(days_from_civil(2024, 2, 29), 19_782);
        assert_eq!(civil_from_days(19_782), (2024, 2, 29));
        assert_eq!(shift_days(days_from_civil(2024, 2, 29), 8), Some(days_from_civil(2032, 2, 29)));
        // 2100 is no leap year.
        assert_eq!(shift_days(days_from_civil(2096, 2, 29), 4), None);
        assert_eq!(shift_seconds(1_763_688_273, 4), Some(1_461 * DAY_S));
        assert_eq!(shift_days(i64::MAX, 4), None);
        assert_eq!(shift_days(0, i64::MAX), None);
    }

    proptest! {
        #[test]
        fn there_and_back(days in -700_000_i64..2_900_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert!((1..=12).contains(&month) && (1..=31).contains(&day));
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
