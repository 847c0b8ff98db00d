use super::*;
use proptest::prelude::*;

/// 2025-11-21 01:24:33 UTC, four years more.
const RULE: Rule = Rule { years: 4, now_s: 1_763_688_273 };

fn text(value_: &str, oid: u32) -> String {
    let moved = value(value_.as_bytes(), Column { oid, format: 0 }, RULE);
    moved.map_or_else(|| value_.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn timestamps_in_text() {
    assert_eq!(text("2025-11-21 01:24:33.123456+00", TIMESTAMPTZ), "2029-11-21 01:24:33.123456+00");
    assert_eq!(text("2024-02-29 00:00:00", TIMESTAMP), "2028-02-29 00:00:00");
    assert_eq!(text("1999-12-31", DATE), "2003-12-31");
    for same in [
        "infinity",
        "-infinity",
        "0044-03-15 BC",
        "12025-01-01",
        "Fri 21 Nov 2025",
        "",
        "2025",
        "2025-13-01",
        "2025-02-30",
    ] {
        assert_eq!(text(same, TIMESTAMP), same);
    }
}

#[test]
fn dates_inside_texts() {
    assert_eq!(
        text(r#"{"a":"2025-11-21T01:24:33Z","b":["2024-02-29"]}"#, 114),
        r#"{"a":"2029-11-21T01:24:33Z","b":["2028-02-29"]}"#
    );
    assert_eq!(text("le 2025-11-21 à midi", 25), "le 2029-11-21 à midi");
    assert_eq!(text("{2025-11-21,NULL}", 1182), "{2029-11-21,NULL}");
    for same in ["12025-11-21", "2024-11-211", "1999-01-01", "2024-1-1", "20251121", "2024-11-2"] {
        assert_eq!(text(same, 1043), same);
    }
    // The year of now, however the date is dressed.
    assert_eq!(text("21/11/2025 02:24:33", 25), "21/11/2029 02:24:33");
    assert_eq!(text("1763688273.5", 25), text("1763688273.5", 1700));
    // A uuid is no text.
    assert_eq!(text("00000000-2025-11-21-000000000000", 2950), "00000000-2025-11-21-000000000000");
}

#[test]
fn epochs() {
    assert_eq!(text("1763688273", INT8), "1889918673");
    assert_eq!(text("1763688273", INT4), "1889918673");
    assert_eq!(text("1763688273.123456", NUMERIC), "1889918673.123456");
    assert_eq!(text("1763688273123.5", FLOAT8), "1889918673123.5");
    assert_eq!(text("1763688273123456", INT8), "1889918673123456");
    for same in ["1763488273", "42", "-1763688273", "1.763688273e+09", "NaN", "", ".5", "17636882731"] {
        assert_eq!(text(same, NUMERIC), same);
    }
    // Past 2038 an int4 has no room.
    let far = Rule { years: 16, ..RULE };
    assert_eq!(value(b"1763688273", Column { oid: INT4, format: 0 }, far), None);
}

#[test]
fn binary_formats() {
    let column = |oid| Column { oid, format: 1 };
    let micros = (1_763_688_273 - POSTGRES_EPOCH_DAYS * DAY_S) * US_PER_S + 5;
    let moved = value(&micros.to_be_bytes(), column(TIMESTAMPTZ), RULE);
    assert_eq!(moved, Some((micros + 1_461 * US_PER_DAY).to_be_bytes().to_vec()));
    assert_eq!(value(&i64::MAX.to_be_bytes(), column(TIMESTAMP), RULE), None);
    assert_eq!(value(&i64::MIN.to_be_bytes(), column(TIMESTAMP), RULE), None);
    assert_eq!(value(&0_i32.to_be_bytes(), column(DATE), RULE), Some(1_461_i32.to_be_bytes().to_vec()));
    assert_eq!(value(&i32::MAX.to_be_bytes(), column(DATE), RULE), None);
    assert_eq!(
        value(&1_763_688_273.25_f64.to_be_bytes(), column(FLOAT8), RULE),
        Some(1_889_918_673.25_f64.to_be_bytes().to_vec())
    );
    assert_eq!(value(&f64::NAN.to_be_bytes(), column(FLOAT8), RULE), None);
    assert_eq!(value(b"abc", column(TIMESTAMP), RULE), None);
    assert_eq!(value(b"\x01{\"a\":\"2025-11-21\"}", column(3802), RULE), Some(b"\x01{\"a\":\"2029-11-21\"}".to_vec()));
}

proptest! {
    #[test]
    fn text_and_binary_agree(seconds in 0_i64..4_102_444_800, years in (-2_i64..4).prop_map(|blocks| blocks * 4)) {
        let rule = Rule { years, ..RULE };
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_S));
        let clock = seconds.rem_euclid(DAY_S);
        let written = |year: i64| format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", clock / 3_600, clock / 60 % 60, clock % 60);
        let by_text = value(written(year).as_bytes(), Column { oid: TIMESTAMP, format: 0 }, rule);
        let micros = (seconds - POSTGRES_EPOCH_DAYS * DAY_S) * US_PER_S;
        let by_bytes = value(&micros.to_be_bytes(), Column { oid: TIMESTAMP, format: 1 }, rule);
        prop_assert_eq!(by_text.is_some(), by_bytes.is_some());
        if let (Some(by_text), Some(by_bytes)) = (by_text, by_bytes) {
            prop_assert_eq!(String::from_utf8_lossy(&by_text).into_owned(), written(year + years));
            let micros: [u8; 8] = by_bytes.try_into().unwrap_or_default();
            let seconds = i64::from_be_bytes(micros) / US_PER_S + POSTGRES_EPOCH_DAYS * DAY_S;
            let moved = civil_from_days(seconds.div_euclid(DAY_S));
            prop_assert_eq!(moved, (year + years, month, day));
            prop_assert_eq!(seconds.rem_euclid(DAY_S), clock);
        }
    }

    #[test]
    fn any_bytes_of_any_type(bytes in prop::collection::vec(any::<u8>(), 0..60), oid in prop::sample::select(vec![20_u32, 23, 25, 114, 701, 1082, 1114, 1184, 1700, 3802]), format in 0_u16..2) {
        let _ = value(&bytes, Column { oid, format }, RULE);
    }
}
