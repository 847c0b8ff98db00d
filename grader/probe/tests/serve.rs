//! A probe process, driven over its pipes against servers of this machine.

mod support;

use grader_probe::wire::*;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Probe, canned, closed_port, echo, silent};

fn failed(outcome: Outcome) -> (FailureKind, Stage) {
    match outcome {
        Outcome::Failed(failure) => (failure.kind, failure.stage),
        other => panic!("no failure: {other:?}"),
    }
}

fn http(outcome: Outcome) -> HttpAnswer {
    match outcome {
        Outcome::Http(answer) => answer,
        other => panic!("no HTTP answer: {other:?}"),
    }
}

#[test]
fn tcp_tells_open_from_closed() {
    let mut probe = Probe::start();
    let open = echo();
    match probe.ask(&json!({"tcp": {"host": "localhost", "port": open}})) {
        Outcome::Tcp(about) => assert_eq!((about.peer.port(), about.via), (open, Via::Hosts)),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        failed(probe.ask(&json!({"tcp": {"host": "127.0.0.1", "port": closed_port()}}))),
        (FailureKind::Refused, Stage::Connect)
    );
    assert_eq!(failed(probe.ask(&json!({"tcp": {"host": "", "port": 1}}))), (FailureKind::Invalid, Stage::Request));
}

#[test]
fn tcp_sends_what_it_is_given() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        std::io::read_to_string(stream).expect("text")
    });
    let seen = Probe::start().ask(&json!({"tcp": {"host": "127.0.0.1", "port": port, "send": "une ligne\nune été"}}));
    assert!(matches!(seen, Outcome::Tcp(_)), "{seen:?}");
    assert_eq!(heard.join().expect("no panic"), "une ligne\nune été");
}

#[test]
fn http_is_lossless() {
    let mut probe = Probe::start();
    let answer = http(probe.ask(&json!({"http": {
        "method": "POST", "host": "api.localhost", "connect_to": "127.0.0.1", "port": echo(), "path": "/status/418?x=1",
        "headers": [["X-A", "1"], ["X-A", "2"]], "body": "été"
    }})));
    assert_eq!(answer.status, 418);
    let seen: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    assert_eq!(seen["body"], "été");
    let headers = seen["headers"].to_string();
    assert!(headers.contains(r#"["X-A","1"],["X-A","2"]"#) && headers.contains("api.localhost"), "{headers}");
    assert!(
        answer.is_whole()
            && answer.timings.total_us >= answer.timings.first_byte_us
            && answer.timings.first_byte_us > 0
    );
}

#[test]
fn hostile_answers_stay_in_their_line() {
    let mut probe = Probe::start();
    let port = canned(
        b"HTTP/1.1 200 OK\r\nX: \x1b]52;c;\x07\r\n\r\n{\"id\":99,\"answer\":{}}\n{\"hello\":{}}\n::error::x\n\xff",
    );
    let outcome = probe.ask(&json!({"http": {"host": "127.0.0.1", "port": port}}));
    // An escape character in a header is no HTTP.
    assert_eq!(failed(outcome), (FailureKind::Protocol, Stage::Head));
    let port = canned(b"HTTP/1.1 200 OK\r\n\r\n{\"id\":99,\"answer\":{}}\n{\"hello\":{}}\n::error::x\n\xff\x1b[2J");
    let answer = http(probe.ask(&json!({"http": {"host": "127.0.0.1", "port": port}})));
    assert!(answer.body.contains("::error::x\n") && answer.body_base64.is_some());

    for (bytes, kind, stage) in [
        (&b""[..], FailureKind::Closed, Stage::Head),
        (b"HTTP/1.1 200 OK\r\nX", FailureKind::Closed, Stage::Head),
        (b"-ERR not HTTP\r\n", FailureKind::Protocol, Stage::Head),
    ] {
        let port = canned(bytes);
        assert_eq!(
            failed(probe.ask(&json!({"http": {"host": "127.0.0.1", "port": port}}))),
            (kind, stage),
            "{bytes:?}"
        );
    }
    let port = canned(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
    let answer = http(probe.ask(&json!({"http": {"host": "127.0.0.1", "port": port}})));
    assert_eq!((answer.status, answer.body.as_str()), (200, "short"));
    assert_eq!(
        answer.body_fault.map(|failure| (failure.kind, failure.stage)),
        Some((FailureKind::Closed, Stage::Body))
    );
    assert_eq!(
        failed(probe.ask(&json!({"http": {"host": "127.0.0.1", "port": port, "path": "/ x"}}))),
        (FailureKind::Invalid, Stage::Request)
    );
}

#[test]
fn a_long_body_is_cut_and_counted() {
    let mut probe = Probe::start();
    let body = "é".repeat(100_000);
    let port = canned(
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
            .as_bytes(),
    );
    let answer = http(probe.ask(&json!({"http": {"host": "127.0.0.1", "port": port, "max_body": 1001}})));
    assert_eq!((answer.body.len(), answer.body_len, answer.truncated, answer.body_base64), (1000, 200_000, true, None));
}

#[test]
fn answers_come_as_they_finish() {
    let mut probe = Probe::start();
    let slow = probe.send(&json!({"hold_http": {"host": "127.0.0.1", "port": silent(), "timeout_ms": 400}}));
    let quick = probe.send(&json!({"http": {"host": "127.0.0.1", "port": echo(), "path": "/delay/50"}}));
    let first = probe.next();
    assert_eq!(first.id, quick);
    assert!((50_000..400_000).contains(&first.answer.elapsed_us), "{}", first.answer.elapsed_us);
    let second = probe.next();
    assert_eq!(second.id, slow);
    let Outcome::HoldHttp(held) = second.answer.outcome else { panic!("{:?}", second.answer) };
    assert!(
        matches!(&held.outcome, HttpOutcome::Failed(Failure { kind: FailureKind::Timeout, stage: Stage::Head, .. })),
        "{held:?}"
    );
    let lasted = held.finished.boot_us - held.started.boot_us;
    assert!((400_000..600_000).contains(&lasted), "{lasted} µs");
    assert!(held.started.at_us >= second.answer.at_us);
}

#[test]
fn many_requests_are_counted_exactly() {
    let mut probe = Probe::start();
    let port = echo();
    let ask = json!({"http_many": {
        "request": {"host": "127.0.0.1", "port": port, "path": "/status/503"}, "count": 40, "concurrency": 8,
        "keep_headers": ["content-type"], "keep_bodies": true
    }});
    let Outcome::HttpMany(many) = probe.ask(&ask) else { panic!("no answer") };
    assert_eq!((many.sent, many.maybe_sent, many.not_begun, many.by_status.get(&503)), (40, 0, 0, Some(&40)));
    assert!(many.each.iter().all(|one| one.body.is_some() && one.headers.len() == 1));

    let ask = json!({"http_many": {"request": {"host": "127.0.0.1", "port": closed_port()}, "count": 5}});
    let Outcome::HttpMany(many) = probe.ask(&ask) else { panic!("no answer") };
    assert_eq!((many.sent, many.by_failure.get(&FailureKind::Refused)), (0, Some(&5)));

    let ask = json!({"http_many": {
        "request": {"host": "127.0.0.1", "port": port}, "count": 100, "spacing_ms": 50, "timeout_ms": 300
    }});
    let Outcome::HttpMany(many) = probe.ask(&ask) else { panic!("no answer") };
    assert!((2..=7).contains(&many.sent) && many.sent + many.maybe_sent + many.not_begun == 100, "{many:?}");
}

#[test]
fn a_matrix_keeps_its_order() {
    let mut probe = Probe::start();
    let (open, closed) = (echo(), closed_port());
    let ask = json!({"matrix": {"targets": [
        {"label": "closed", "host": "127.0.0.1", "port": closed}, {"label": "open", "host": "127.0.0.1", "port": open}
    ]}});
    let Outcome::Matrix(matrix) = probe.ask(&ask) else { panic!("no answer") };
    let labels: Vec<(&str, bool)> = matrix
        .results
        .iter()
        .map(|one| (one.label.as_str(), matches!(one.outcome, TcpOutcome::Connected(_))))
        .collect();
    assert_eq!(labels, [("closed", false), ("open", true)]);
}

#[test]
fn redis_and_its_refusals() {
    let mut probe = Probe::start();
    let port = canned(b"+OK\r\n$2\r\n\xff\xfe\r\n-WRONGTYPE no\r\n");
    let ask = json!({"redis": {"host": "127.0.0.1", "port": port, "password": "x", "commands": [["GET", "a"], ["LLEN", "a"], ["GET", "b"]]}});
    let Outcome::Redis(redis) = probe.ask(&ask) else { panic!("no answer") };
    assert_eq!(redis.replies.len(), 2);
    assert_eq!(redis.replies.first(), Some(&RedisValue::BulkBase64("//4=".into())));
    assert!(redis.fault.is_some());
    for (bytes, kind) in [
        (&b"-NOAUTH Authentication required.\r\n"[..], FailureKind::Auth),
        (b"HTTP/1.1 400\r\n", FailureKind::Protocol),
        (b"", FailureKind::Closed),
    ] {
        let port = canned(bytes);
        let ask = json!({"redis": {"host": "127.0.0.1", "port": port, "commands": [["PING"]]}});
        assert_eq!(failed(probe.ask(&ask)).0, kind, "{bytes:?}");
    }
}

#[test]
fn postgres_errors_are_typed() {
    let mut probe = Probe::start();
    let error = |code: &str| {
        let body = format!("SFATAL\0VFATAL\0C{code}\0Mno\0\0");
        [b"E".as_slice(), &u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes(), body.as_bytes()].concat()
    };
    for (bytes, kind, state) in [
        (error("28P01"), FailureKind::Auth, Some("28P01")),
        (error("3D000"), FailureKind::Server, Some("3D000")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), FailureKind::Protocol, None),
        (Vec::new(), FailureKind::Closed, None),
    ] {
        let port = canned(&bytes);
        let ask =
            json!({"postgres": {"host": "127.0.0.1", "port": port, "user": "u", "dbname": "d", "sql": "select 1"}});
        match probe.ask(&ask) {
            Outcome::Failed(failure) => {
                assert_eq!((failure.kind, failure.sqlstate.as_deref()), (kind, state), "{failure:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn dns_says_which_silence_it_was() {
    let mut probe = Probe::start();
    let dead = closed_port();
    let ask = json!({"dns": {"name": "web", "server": format!("127.0.0.1:{dead}")}});
    assert_eq!(failed(probe.ask(&ask)), (FailureKind::Refused, Stage::Resolve));
    let mute = support::mute_udp();
    let ask = json!({"dns": {"name": "web", "server": format!("127.0.0.1:{mute}"), "tries": 3, "timeout_ms": 300}});
    assert_eq!(failed(probe.ask(&ask)), (FailureKind::DnsTimeout, Stage::Resolve));
    for (rcode, status) in [
        (0, DnsStatus::Empty),
        (2, DnsStatus::Servfail),
        (3, DnsStatus::Nxdomain),
        (5, DnsStatus::Refused),
        (4, DnsStatus::Other(4)),
    ] {
        let server = support::dns(rcode);
        let Outcome::Dns(answer) =
            probe.ask(&json!({"dns": {"name": "my_service.", "server": format!("127.0.0.1:{server}")}}))
        else {
            panic!("no answer")
        };
        assert_eq!((answer.status, answer.tries), (status, 1));
    }
    assert_eq!(failed(probe.ask(&json!({"dns": {"name": "a..b", "server": "127.0.0.1:1"}}))).0, FailureKind::Invalid);
}

#[test]
fn wrong_lines_are_answered_and_survived() {
    let mut probe = Probe::start();
    probe.raw("nonsense\n\n{\"id\":41,\"ask\":{\"fly\":{}}}\n");
    let (first, second) = (probe.next(), probe.next());
    let mut ids = [first.id, second.id];
    ids.sort_unstable();
    assert_eq!(ids, [0, 41]);
    assert_eq!(failed(first.answer.outcome).0, FailureKind::Invalid);
    assert!(matches!(probe.ask(&json!({"interfaces": {}})), Outcome::Interfaces(_)));
}

#[test]
fn signals_and_links_are_refused_outside_of_a_container() {
    let mut probe = Probe::start();
    if std::path::Path::new("/.dockerenv").exists() {
        return;
    }
    assert_eq!(failed(probe.ask(&json!({"signal_all": {"signal": "CONT"}}))).0, FailureKind::Invalid);
    assert_eq!(failed(probe.ask(&json!({"link": {"name": "absent0", "up": true}}))).0, FailureKind::Invalid);
}

#[test]
fn the_end_of_input_is_the_end() {
    let mut probe = Probe::start();
    probe.send(&json!({"hold_http": {"host": "127.0.0.1", "port": silent(), "timeout_ms": 60000}}));
    let took = probe.end();
    assert!(took < Duration::from_secs(4), "{took:?}");
}
