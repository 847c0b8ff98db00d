//! The wire types come back from the wire as they went, on one line.

use grader_probe::wire::*;
use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}
fn peer() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}
fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((text(), text()), 0..3)
}

fn http() -> BoxedStrategy<Http> {
    let tls = prop::option::of(prop::option::of(text()).prop_map(|sni| TlsPart { sni }));
    let to = (prop::option::of(text()), tls);
    (text(), text(), any::<u16>(), text(), pairs(), prop::option::of(text()), to, any::<u64>())
        .prop_map(|(method, host, port, path, headers, body, (connect_to, tls), max_body)| Http {
            method,
            host,
            port,
            path,
            headers,
            body,
            connect_to,
            tls,
            max_body,
            timeout_ms: max_body / 2,
        })
        .boxed()
}

fn ask() -> impl Strategy<Value = Ask> {
    let kind = prop_oneof![Just(DnsKind::A), Just(DnsKind::Aaaa)];
    let signal = prop_oneof![Just(SignalName::Stop), Just(SignalName::Cont)];
    prop_oneof![
        any::<u64>().prop_map(|timeout_ms| Ask::Interfaces(Interfaces { timeout_ms })),
        (text(), prop::option::of(text()), kind, any::<u32>()).prop_map(|(name, server, kind, tries)| Ask::Dns(Dns {
            name,
            server,
            kind,
            tries,
            timeout_ms: 1
        })),
        (text(), any::<u16>()).prop_map(|(host, port)| Ask::Tcp(Tcp::to(host, port))),
        http().prop_map(Ask::Http),
        http().prop_map(Ask::HoldHttp),
        (http(), any::<u32>(), any::<bool>(), prop::collection::vec(text(), 0..2)).prop_map(
            |(request, count, keep_bodies, keep_headers)| Ask::HttpMany(HttpMany {
                request,
                count,
                concurrency: count / 2,
                spacing_ms: 3,
                keep_bodies,
                keep_headers,
                timeout_ms: 4,
            })
        ),
        (text(), text(), prop::option::of(text()), text()).prop_map(|(host, user, password, sql)| Ask::Postgres(
            Postgres { host, port: 5432, user, password, dbname: String::new(), sql, max_rows: 5, timeout_ms: 6 }
        )),
        (text(), prop::option::of(text()), prop::collection::vec(prop::collection::vec(text(), 0..3), 0..3)).prop_map(
            |(host, password, commands)| Ask::Redis(Redis {
                host,
                port: 6379,
                user: password.clone(),
                password,
                commands,
                timeout_ms: 7
            })
        ),
        (text(), any::<bool>()).prop_map(|(name, up)| Ask::Link(Link { name, up, timeout_ms: 8 })),
        signal.prop_map(|signal| Ask::SignalAll(SignalAll { signal, timeout_ms: 9 })),
        prop::collection::vec((text(), text(), any::<u16>()), 0..3).prop_map(|targets| Ask::Matrix(Matrix {
            targets: targets.into_iter().map(|(label, host, port)| Target { label, host, port }).collect(),
            timeout_ms: 10,
        })),
        (text(), any::<u16>(), prop::option::of(text()), prop::collection::vec(text(), 0..3))
            .prop_map(|(host, port, sni, alpn)| Ask::Tls(Tls { host, port, sni, alpn, timeout_ms: 11 })),
    ]
}

fn tls_seen() -> BoxedStrategy<TlsSeen> {
    (text(), prop::option::of(text()), prop::collection::vec(text(), 0..3))
        .prop_map(|(version, alpn, chain)| TlsSeen { version, alpn, chain })
        .boxed()
}

fn failure() -> BoxedStrategy<Failure> {
    use FailureKind as K;
    let kind =
        prop::sample::select(vec![K::Refused, K::Timeout, K::NetUnreachable, K::DnsNxdomain, K::NoAddress, K::Server]);
    let stage = prop::sample::select(vec![Stage::Request, Stage::Resolve, Stage::Connect, Stage::Body, Stage::Login]);
    (
        kind,
        stage,
        text(),
        prop::option::of(peer()),
        prop::collection::vec(any::<IpAddr>(), 0..3),
        prop::option::of(text()),
        prop::option::of(any::<u8>()),
    )
        .prop_map(|(kind, stage, message, peer, addresses, sqlstate, alert)| Failure {
            peer,
            addresses,
            sqlstate,
            alert,
            errno: Some(-1),
            ..Failure::new(kind, stage, message)
        })
        .boxed()
}

fn http_answer() -> BoxedStrategy<HttpAnswer> {
    let tls = (prop::option::of(failure()), prop::option::of(tls_seen().prop_map(Box::new)));
    (any::<u16>(), text(), pairs(), text(), prop::option::of(text()), tls, peer(), any::<u64>())
        .prop_map(|(status, reason, headers, body, body_base64, (body_fault, tls), peer, total_us)| HttpAnswer {
            status,
            reason,
            minor: 1,
            headers,
            body,
            body_base64,
            truncated: status % 2 == 0,
            body_len: total_us,
            body_fault,
            peer,
            local: peer,
            tls,
            timings: HttpTimings { total_us, ..HttpTimings::default() },
        })
        .boxed()
}

fn redis_value() -> impl Strategy<Value = RedisValue> {
    let leaf = prop_oneof![
        Just(RedisValue::Nil),
        any::<i64>().prop_map(RedisValue::Int),
        text().prop_map(RedisValue::Bulk),
        (text(), text()).prop_map(|(code, message)| RedisValue::Error { code, message }),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(RedisValue::Array))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        failure().prop_map(Outcome::Failed),
        (any::<u16>(), prop::collection::vec(any::<IpAddr>(), 0..3), peer()).prop_map(|(code, records, server)| {
            Outcome::Dns(DnsAnswer { status: DnsStatus::Other(code), records, ttl_s: None, server, tries: 1 })
        }),
        http_answer().prop_map(Outcome::Http),
        (tls_seen(), peer(), any::<u64>()).prop_map(|(seen, peer, handshake_us)| {
            Outcome::Tls(TlsAnswer { seen, peer, local: peer, handshake_us })
        }),
        (http_answer(), any::<u64>()).prop_map(|(answer, at_us)| {
            let started = Instant2 { at_us, boot_us: at_us };
            Outcome::HoldHttp(HoldHttpAnswer {
                started,
                finished: started,
                outcome: HttpOutcome::Answered(Box::new(answer)),
            })
        }),
        (any::<u16>(), failure()).prop_map(|(status, failure)| Outcome::HttpMany(HttpManyAnswer {
            sent: 1,
            maybe_sent: 0,
            not_begun: 2,
            by_status: [(status, 1)].into(),
            by_failure: [(failure.kind, 3)].into(),
            each: vec![HttpManyOne {
                at_us: 1,
                elapsed_us: 2,
                status: Some(status),
                failure: Some(failure),
                peer: None,
                body: None,
                headers: Vec::new(),
            }],
        })),
        (prop::collection::vec(redis_value(), 0..3), peer()).prop_map(|(replies, peer)| Outcome::Redis(RedisAnswer {
            replies,
            fault: None,
            peer
        })),
        (text(), peer(), failure()).prop_map(|(label, _, failure)| Outcome::Matrix(MatrixAnswer {
            results: vec![MatrixOne { label, outcome: TcpOutcome::Failed(failure), elapsed_us: 1 }],
        })),
        (text(), prop::option::of(text()), peer()).prop_map(|(name, cell, peer)| Outcome::Postgres(PostgresAnswer {
            results: vec![PostgresResult { columns: vec![name], rows: vec![vec![cell]], affected: 1 }],
            truncated: false,
            peer,
        })),
        (text(), any::<IpAddr>()).prop_map(|(name, ip)| Outcome::Interfaces(InterfacesAnswer {
            interfaces: vec![Interface { name, up: true, addrs: vec![InterfaceAddr { ip, prefix: 24 }], mac: None }],
        })),
    ]
}

proptest! {
    #[test]
    fn requests(id in any::<u64>(), ask in ask()) {
        let request = Request { id, ask };
        let line = to_line(&request).unwrap_or_default();
        prop_assert_eq!(line.find(['\n', '\r']), Some(line.len() - 1));
        prop_assert_eq!(serde_json::from_str::<Request>(&line).ok(), Some(request));
    }

    #[test]
    fn replies(id in any::<u64>(), at_us in any::<u64>(), outcome in outcome()) {
        let line = Line::Reply(Box::new(Reply { id, answer: Answer { at_us, boot_us: at_us / 2, elapsed_us: 7, outcome } }));
        let written = to_line(&line).unwrap_or_default();
        prop_assert_eq!(written.find(['\n', '\r']), Some(written.len() - 1));
        prop_assert_eq!(serde_json::from_str::<Line>(&written).ok(), Some(line));
    }
}

#[test]
fn the_words_on_the_wire() {
    let read = |line: &str| serde_json::from_str::<Request>(line).map(|request| request.ask);
    assert!(matches!(
        read(r#"{"id":1,"ask":{"tcp":{"host":"a","port":1}}}"#),
        Ok(Ask::Tcp(Tcp { timeout_ms: 5000, .. }))
    ));
    assert!(matches!(
        read(r#"{"id":1,"ask":{"dns":{"name":"a","kind":"AAAA","tries":1}}}"#),
        Ok(Ask::Dns(Dns { kind: DnsKind::Aaaa, tries: 1, server: None, .. }))
    ));
    assert!(matches!(
        read(r#"{"id":1,"ask":{"signal_all":{"signal":"STOP"}}}"#),
        Ok(Ask::SignalAll(SignalAll { signal: SignalName::Stop, .. }))
    ));
    assert!(matches!(read(r#"{"id":1,"ask":{"interfaces":{}}}"#), Ok(Ask::Interfaces(_))));
    assert!(matches!(
        read(r#"{"id":1,"ask":{"http":{"host":"a","port":443,"tls":{"sni":"a"}}}}"#),
        Ok(Ask::Http(Http { tls: Some(TlsPart { sni: Some(_) }), .. }))
    ));
    assert!(matches!(
        read(r#"{"id":1,"ask":{"tls":{"host":"a","port":443}}}"#),
        Ok(Ask::Tls(Tls { sni: None, timeout_ms: 5000, .. }))
    ));
    assert!(read(r#"{"id":1,"ask":{"tcp":{"host":"a","port":1,"time":2}}}"#).is_err());
    let hello = Line::Hello(Hello { version: VERSION, interfaces: Vec::new(), fault: None });
    assert_eq!(to_line(&hello).ok().as_deref(), Some("{\"hello\":{\"version\":1,\"interfaces\":[]}}\n"));
    assert!(serde_json::from_str::<Line>("{\"id\":1}").is_err());
}
