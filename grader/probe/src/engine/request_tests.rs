use super::*;

fn ask(line: &str) -> Result<Option<Request>, Refusal> {
    Request::parse(format!("{line} HTTP/1.1\r\nHost: docker\r\n\r\n").as_bytes())
}

fn status(line: &str) -> u16 {
    ask(line).expect_err(line).status
}

#[test]
fn the_path_table_is_exact() {
    let id = "a".repeat(64);
    let cases = [
        ("/_ping", Route::Ping),
        ("/version", Route::Version),
        ("/info", Route::Info),
        ("/events", Route::Events),
        ("/containers/json", Route::Containers),
        ("/networks", Route::Networks),
        ("/networks/lab_backend", Route::Network("lab_backend".into())),
        ("/images/json", Route::Images),
        ("/images/prom/prometheus:v2.53.0/json", Route::Image("prom/prometheus:v2.53.0".into())),
        ("/images/prom%2Fprometheus%3Av2.53.0/json", Route::Image("prom/prometheus:v2.53.0".into())),
        ("/services", Route::Swarm),
        ("/tasks", Route::Swarm),
        ("/nodes", Route::Swarm),
    ];
    for (path, route) in cases {
        for (prefix, version) in [("", None), ("/v1.24", Some("v1.24")), ("/v1.45", Some("v1.45"))] {
            let asked = ask(&format!("GET {prefix}{path}?x=1")).expect(path).expect(path);
            assert_eq!((&asked.route, asked.version.as_deref()), (&route, version), "{prefix}{path}");
            assert!(ask(&format!("HEAD {prefix}{path}")).expect(path).expect(path).head_only);
        }
    }
    let asked = ask(&format!("GET /v1.45/containers/{id}/json?size=0")).expect("a route").expect("whole");
    assert_eq!(asked.route, Route::Container(id));
}

#[test]
fn everything_else_is_forbidden() {
    for path in [
        "/",
        "",
        "//containers/json",
        "/containers/json/",
        "/containers/../containers/json",
        "/containers/./json",
        "/containers/a/../b/json",
        "/containers/a%2F..%2Fb/json",
        "/containers//json",
        "/containers/a/archive?path=/etc/shadow",
        "/containers/a/export",
        "/containers/a/attach/ws",
        "/containers/a/logs?stdout=1",
        "/containers/a/top",
        "/containers/a/changes",
        "/containers/a/stats",
        "/containers/a/exec",
        "/exec/a/json",
        "/images/a/get",
        "/images/../containers/a/json",
        "/images//json",
        "/images/search?term=x",
        "/images/a/history",
        "/volumes",
        "/volumes/x",
        "/swarm",
        "/secrets",
        "/configs",
        "/plugins",
        "/system/df",
        "/session",
        "/grpc",
        "/build/prune",
        "/v1.45/",
        "/v1.45//info",
        "/v1/info",
        "/v1.45/v1.45/info",
        "/vX.1/info",
        "/INFO",
        "/info#x",
        "http://docker/info",
    ] {
        let line = format!("GET {path}");
        if path.is_empty() {
            assert_eq!(status(&line), 400);
        } else {
            assert_eq!(status(&line), 403, "{path}");
        }
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "get"] {
        assert_eq!(status(&format!("{method} /containers/json")), 403, "{method}");
    }
}

#[test]
fn no_body_and_no_upgrade() {
    for header in
        ["Content-Length: 4", "Transfer-Encoding: chunked", "Connection: Upgrade\r\nUpgrade: h2c", "Upgrade: tcp"]
    {
        let text = format!("GET /info HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
        assert_eq!(Request::parse(text.as_bytes()).expect_err(header).status, 403, "{header}");
    }
    let text = "GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    assert!(Request::parse(text.as_bytes()).is_ok_and(|request| request.is_some()));
}

#[test]
fn heads_have_a_size() {
    assert_eq!(Request::parse(b"GET /info HTTP/1.1\r\nHost"), Ok(None));
    let long = format!("GET /info HTTP/1.1\r\nX: {}", "x".repeat(MAX_HEAD));
    assert_eq!(Request::parse(long.as_bytes()).expect_err("too long").status, 431);
    let many = format!("GET /info HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(MAX_HEADERS + 1));
    assert_eq!(Request::parse(many.as_bytes()).expect_err("too many").status, 400);
}

#[test]
fn queries_are_decoded() {
    let asked = ask("GET /events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D&since=1+2&bad=%zz&all=1");
    let asked = asked.expect("a route").expect("whole");
    assert_eq!(asked.query["filters"], r#"{"type":["container"]}"#);
    assert_eq!(asked.query["since"], "1 2");
    assert!(!asked.query.contains_key("bad") && asked.flag("all") && !asked.flag("size"));
    assert_eq!(decode(&encode("é{\"a\"} /+&"), true).as_deref(), Some("é{\"a\"} /+&"));
}
