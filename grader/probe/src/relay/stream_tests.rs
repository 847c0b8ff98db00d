use super::*;
use proptest::prelude::*;

const RULE: Rule = Rule { years: 4, now_s: 1_763_688_273 };

fn text(bytes: &[u8]) -> Vec<u8> {
    [bytes, &[0]].concat()
}

fn description(columns: &[(u32, u16)]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).unwrap_or(0).to_be_bytes().to_vec();
    for (oid, format) in columns {
        body.extend_from_slice(b"name\0\0\0\0\0\0\0");
        body.extend_from_slice(&oid.to_be_bytes());
        body.extend_from_slice(&[0, 8, 0, 0, 0, 0]);
        body.extend_from_slice(&format.to_be_bytes());
    }
    message(b'T', &body)
}

fn data(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap_or(0).to_be_bytes().to_vec();
    for value in values {
        let length = value.map_or(u32::MAX, |bytes| u32::try_from(bytes.len()).unwrap_or(0));
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(value.unwrap_or_default());
    }
    message(b'D', &body)
}

fn bind(portal: &[u8], statement: &[u8], formats: &[u16]) -> Vec<u8> {
    let mut body = [text(portal), text(statement)].concat();
    // One parameter format, one NULL and one value.
    body.extend_from_slice(&[0, 1, 0, 0, 0, 2, 255, 255, 255, 255, 0, 0, 0, 1, b'x']);
    body.extend_from_slice(&u16::try_from(formats.len()).unwrap_or(0).to_be_bytes());
    for format in formats {
        body.extend_from_slice(&format.to_be_bytes());
    }
    message(b'B', &body)
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// The session, the questions all known before the answers, which come cut at `cut`.
fn run(client: &[u8], server: &[u8], cut: usize) -> (Vec<u8>, Counts, bool) {
    let mut tracker = Tracker::default();
    let (mut question, mut sent) = (ClientStream::default(), Vec::new());
    question.feed(client, RULE, &mut tracker, &mut sent);
    sent.extend(question.finish());
    assert_eq!(sent, client);
    let (mut stream, mut out) = (ServerStream::default(), Vec::new());
    stream.feed(&server[..cut], RULE, &mut tracker, &mut out);
    stream.feed(&server[cut..], RULE, &mut tracker, &mut out);
    out.extend(stream.finish());
    (out, stream.counts, tracker.doubts())
}

const NOW: &[u8] = b"2025-11-21 01:24:33.5+00";
const LATER: &[u8] = b"2029-11-21 01:24:33.5+00";
/// Four years in days: 2000-01-01 and 2004-01-01.
const BEFORE: [u8; 4] = [0, 0, 0, 0];
const AFTER: [u8; 4] = [0, 0, 5, 181];

#[test]
fn a_simple_query() {
    let client = message(b'Q', b"select\0");
    let server = |value: &[u8]| {
        [ready(), description(&[(1184, 0), (23, 0)]), data(&[Some(value), None]), message(b'C', b"SELECT 1\0"), ready()]
            .concat()
    };
    let (before, after) = (server(NOW), server(LATER));
    for cut in 0..=before.len() {
        assert_eq!(run(&client, &before, cut), (after.clone(), Counts { rows: 1, shifted: 1 }, false), "cut at {cut}");
    }
}

#[test]
fn node_pg_describes_the_portal() {
    let client = [
        message(b'P', b"\0select\0\0\0"),
        bind(b"", b"", &[0]),
        message(b'D', b"P\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ]
    .concat();
    let server = |value: &[u8]| {
        [
            ready(),
            message(b'1', b""),
            message(b'2', b""),
            description(&[(1114, 0)]),
            data(&[Some(value)]),
            message(b'C', b"SELECT 1\0"),
            ready(),
        ]
        .concat()
    };
    assert_eq!(run(&client, &server(NOW), 9), (server(LATER), Counts { rows: 1, shifted: 1 }, false));
}

#[test]
fn a_statement_described_once_is_bound_in_binary() {
    let client = [
        message(b'P', b"s1\0select\0\0\0"),
        message(b'D', b"Ss1\0"),
        message(b'S', b""),
        bind(b"", b"s1", &[1]),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
        bind(b"p", b"s1", &[]),
        message(b'E', b"p\0\0\0\0\0"),
        message(b'C', b"Pp\0"),
        message(b'S', b""),
    ]
    .concat();
    let server = |binary: &[u8], written: &[u8]| {
        [
            ready(),
            message(b'1', b""),
            message(b't', &[0, 0]),
            description(&[(1082, 0)]),
            ready(),
            message(b'2', b""),
            data(&[Some(binary)]),
            message(b'C', b"SELECT 1\0"),
            ready(),
            message(b'2', b""),
            data(&[Some(written)]),
            message(b'C', b"SELECT 1\0"),
            message(b'3', b""),
            ready(),
        ]
        .concat()
    };
    let (before, after) = (server(&BEFORE, b"2000-01-01"), server(&AFTER, b"2004-01-01"));
    for cut in 0..=before.len() {
        assert_eq!(run(&client, &before, cut), (after.clone(), Counts { rows: 2, shifted: 2 }, false), "cut at {cut}");
    }
}

#[test]
fn an_error_skips_to_the_next_sync() {
    let client = [
        message(b'P', b"\0bad\0\0\0"),
        bind(b"", b"", &[]),
        message(b'D', b"P\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
        message(b'Q', b"select\0"),
    ]
    .concat();
    let server = |value: &[u8]| {
        [
            ready(),
            message(b'E', b"S\0"),
            ready(),
            description(&[(1114, 0)]),
            data(&[Some(value)]),
            message(b'C', b"SELECT 1\0"),
            ready(),
        ]
        .concat()
    };
    assert_eq!(run(&client, &server(NOW), 0), (server(LATER), Counts { rows: 1, shifted: 1 }, false));
}

#[test]
fn what_the_client_sends_after_the_error_is_skipped_too() {
    let mut tracker = Tracker::default();
    let (mut client, mut server, mut out) = (ClientStream::default(), ServerStream::default(), Vec::new());
    client.feed(&message(b'P', b"\0bad\0\0\0"), RULE, &mut tracker, &mut Vec::new());
    server.feed(&[ready(), message(b'E', b"S\0")].concat(), RULE, &mut tracker, &mut out);
    let late =
        [bind(b"", b"", &[]), message(b'E', b"\0\0\0\0\0"), message(b'Q', b"skipped\0"), message(b'S', b"")].concat();
    client.feed(&[late, message(b'Q', b"select\0")].concat(), RULE, &mut tracker, &mut Vec::new());
    let rest = |value: &[u8]| {
        [ready(), description(&[(1114, 0)]), data(&[Some(value)]), message(b'C', b"SELECT 1\0"), ready()].concat()
    };
    out.clear();
    server.feed(&rest(NOW), RULE, &mut tracker, &mut out);
    assert!(out == rest(LATER) && !tracker.doubts());
}

#[test]
fn an_unknown_statement_is_left_alone() {
    let client = [bind(b"", b"prepared-in-sql", &[1]), message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat();
    let server = [ready(), message(b'2', b""), data(&[Some(&BEFORE)]), message(b'C', b"SELECT 1\0"), ready()].concat();
    assert_eq!(run(&client, &server, 0), (server, Counts { rows: 1, shifted: 0 }, false));
}

#[test]
fn doubt_changes_nothing_any_more() {
    let after = [description(&[(1114, 0)]), data(&[Some(NOW)])].concat();
    let query = message(b'Q', b"select\0");
    for odd in [
        message(b'2', b""),
        message(b'W', b""),
        message(b'T', b"\0\x02x"),
        b"\x01\0\0\0\0".to_vec(),
        b"R\0\0\0\x01".to_vec(),
    ] {
        let server = [ready(), odd.clone(), after.clone()].concat();
        for cut in 0..=server.len() {
            let (out, counts, doubts) = run(&query, &server, cut);
            assert!(out == server && counts.shifted == 0 && doubts, "{odd:?}, cut at {cut}");
        }
    }
    let row_that_does_not_fit = [ready(), description(&[(1114, 0)]), data(&[Some(NOW), Some(NOW)])].concat();
    assert_eq!(run(&query, &row_that_does_not_fit, 0).0, row_that_does_not_fit);
    // A client that speaks otherwise.
    let (out, _, doubts) = run(b"\x16\x03\x01\x02\x00\x01", &after, 3);
    assert!(doubts && out == after);
}

fn cell() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop_oneof![
        Just(NOW.to_vec()),
        Just(b"1763688273.25".to_vec()),
        Just(b"{\"at\":\"2025-11-21T01:24:33Z\"}".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ])
}

proptest! {
    #[test]
    fn a_cut_changes_nothing(
        columns in prop::collection::vec((prop::sample::select(vec![16_u32, 20, 25, 114, 701, 1082, 1114, 1184, 1700]), 0_u16..2), 1..5),
        cells in prop::collection::vec(prop::collection::vec(cell(), 5), 0..4),
    ) {
        let mut server = [ready(), description(&columns)].concat();
        for row in &cells {
            let values: Vec<Option<&[u8]>> = row[..columns.len()].iter().map(Option::as_deref).collect();
            server.extend(data(&values));
        }
        server.extend([message(b'C', b"SELECT\0"), ready()].concat());
        let client = message(b'Q', b"select\0");
        let whole = run(&client, &server, 0);
        prop_assert!(!whole.2);
        prop_assert_eq!(whole.1.rows, cells.len() as u64);
        for cut in 0..=server.len() {
            prop_assert_eq!(&run(&client, &server, cut), &whole);
        }
        // A shift back gives the first stream again, where nothing but text dates were moved.
        let mut tracker = Tracker::default();
        ClientStream::default().feed(&client, RULE, &mut tracker, &mut Vec::new());
        let (mut back, mut again) = (ServerStream::default(), Vec::new());
        let later = Rule { years: -4, now_s: RULE.now_s + 1_461 * 86_400 };
        back.feed(&whole.0, later, &mut tracker, &mut again);
        prop_assert_eq!(again.len(), server.len());
    }

    #[test]
    fn garbage_goes_through(client in prop::collection::vec(any::<u8>(), 0..80), server in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(server.len() + 1);
        prop_assert_eq!(run(&client, &server, cut).0, server);
    }
}
