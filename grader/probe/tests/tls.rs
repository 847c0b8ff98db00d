//! TLS seen by a probe process, against servers of this machine.

mod support;

use base64::Engine as _;
use grader_probe::wire::*;
use serde_json::json;
use support::{Probe, TlsServer, canned, closed_port, silent, tls};
use tokio_rustls::rustls::version::{TLS12, TLS13};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn server() -> TlsServer {
    TlsServer { names: &["api.localhost"], strict: false, versions: vec![&TLS13, &TLS12] }
}

fn failed(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

#[test]
fn a_handshake_shows_the_certificate() {
    let mut probe = Probe::start();
    let (port, der) = tls(&server(), ANSWER);
    let ask = json!({"tls": {"host": "127.0.0.1", "port": port, "sni": "whatever.example", "alpn": ["h2"]}});
    let Outcome::Tls(answer) = probe.ask(&ask) else { panic!("no handshake") };
    assert_eq!((answer.seen.version.as_str(), answer.seen.alpn.as_deref()), ("1.3", Some("h2")));
    assert_eq!(answer.seen.chain, [base64::engine::general_purpose::STANDARD.encode(&der)]);
    assert_eq!(answer.peer.port(), port);

    let (port, _) = tls(&TlsServer { versions: vec![&TLS12], ..server() }, ANSWER);
    let Outcome::Tls(answer) = probe.ask(&json!({"tls": {"host": "127.0.0.1", "port": port}})) else { panic!("no") };
    assert_eq!((answer.seen.version.as_str(), answer.seen.alpn), ("1.2", None));
}

#[test]
fn http_through_tls() {
    let mut probe = Probe::start();
    let (port, der) = tls(&server(), ANSWER);
    let ask = json!({"http": {
        "host": "api.localhost", "connect_to": "127.0.0.1", "port": port, "tls": {"sni": "api.localhost"}
    }});
    let Outcome::Http(answer) = probe.ask(&ask) else { panic!("no answer") };
    assert_eq!((answer.status, answer.body.as_str(), answer.is_whole()), (200, "ok", true));
    let seen = answer.tls.expect("TLS");
    assert_eq!(seen.alpn.as_deref(), Some("http/1.1"));
    assert_eq!(seen.chain, [base64::engine::general_purpose::STANDARD.encode(&der)]);
    assert!(answer.timings.secured_us >= answer.timings.connected_us && answer.timings.secured_us > 0);

    let ask = json!({"http_many": {"request": {"host": "127.0.0.1", "port": port, "tls": {}}, "count": 7}});
    let Outcome::HttpMany(many) = probe.ask(&ask) else { panic!("no answer") };
    assert_eq!((many.sent, many.by_status.get(&200)), (7, Some(&7)));
}

#[test]
fn a_body_that_ends_with_the_connection() {
    let mut probe = Probe::start();
    let (port, _) = tls(&server(), b"HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let Outcome::Http(answer) = probe.ask(&json!({"http": {"host": "127.0.0.1", "port": port, "tls": {}}})) else {
        panic!("no answer")
    };
    assert_eq!((answer.body.as_str(), answer.is_whole()), ("until the end", true));
}

#[test]
fn every_failure_has_its_kind() {
    let mut probe = Probe::start();
    let mut ask = |port: u16, sni: &str| {
        failed(probe.ask(&json!({"tls": {"host": "127.0.0.1", "port": port, "sni": sni, "timeout_ms": 400}})))
    };
    for says in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9\r\n", b"-ERR unknown command\r\n"] {
        let failure = ask(canned(says), "a.localhost");
        assert!(failure.is_not_tls(), "{says:?}: {failure:?}");
    }
    let (strict, _) = tls(&TlsServer { strict: true, ..server() }, ANSWER);
    let failure = ask(strict, "other.localhost");
    assert_eq!((failure.kind, failure.stage), (FailureKind::Tls, Stage::Tls), "{failure:?}");
    assert!(failure.alert.is_some(), "{failure:?}");
    let failure = ask(canned(b""), "a.localhost");
    assert_eq!((failure.kind, failure.stage), (FailureKind::Closed, Stage::Tls), "{failure:?}");
    let failure = ask(silent(), "a.localhost");
    assert_eq!((failure.kind, failure.stage), (FailureKind::Timeout, Stage::Tls), "{failure:?}");
    let failure = ask(closed_port(), "a.localhost");
    assert_eq!((failure.kind, failure.stage), (FailureKind::Refused, Stage::Connect), "{failure:?}");
    let failure = ask(strict, "a b");
    assert_eq!((failure.kind, failure.stage), (FailureKind::Invalid, Stage::Request), "{failure:?}");
}
