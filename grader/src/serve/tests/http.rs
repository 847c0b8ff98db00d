//! The site as a browser speaks to it, without a network.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::super::{Keys, Root, Site, router};
use super::{EVENTS, Fake, lab};

struct Trial {
    _dirs: [tempfile::TempDir; 2],
    site: Arc<Site>,
    desk: Arc<Fake>,
    cookie: String,
}

fn trial(desk: Fake) -> Trial {
    let (book, home) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let write = |path: std::path::PathBuf, text: &str| {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("written");
    };
    write(book.path().join("index.html"), "<html><head></head><body>accueil</body></html>");
    write(book.path().join("404.html"), "<html><head></head><body>introuvable</body></html>");
    write(book.path().join("01-reseaux.html"), "<html><head></head><body>tp</body></html>");
    write(home.path().join("tp-01/compose.yaml"), "services: {}");
    let keys = Keys::new(4000);
    let address = keys.address();
    let query = address.split_once('?').expect("a key").1;
    let cookie = keys.exchange(query).expect("a cookie");
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let desk = Arc::new(desk);
    let root = Root::new(home.path()).expect("a root");
    let site = Site::new(book.path(), vec![lab("01")], root, keys, Arc::clone(&desk) as _).expect("a site");
    Trial { _dirs: [book, home], site: Arc::new(site), desk, cookie }
}

impl Trial {
    async fn send(&self, request: Request<Body>) -> Response<Body> {
        router(&self.site).oneshot(request).await.expect("infallible")
    }

    /// As our own page asks.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:4000")
            .header("origin", "http://127.0.0.1:4000")
            .header("cookie", &self.cookie);
        if body.is_some() {
            request = request.header("content-type", "application/json; charset=utf-8");
        }
        let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
        let answer = self.send(request.body(body).expect("a request")).await;
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let status = answer.status();
        let text = text(answer).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

async fn text(answer: Response<Body>) -> String {
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn get(path: &str) -> Request<Body> {
    Request::builder().uri(path).header("host", "127.0.0.1:4000").body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn pages_say_what_they_may_load() {
    let trial = trial(Fake::default());
    for (path, status) in [
        ("/", 200),
        ("/01-reseaux.html", 200),
        ("/_grader/panel.js", 200),
        ("/_grader/terminal.html", 200),
        ("/absent", 404),
        ("/../Cargo.toml", 404),
        ("/%2e%2e/Cargo.toml", 404),
        ("/_grader/../../Cargo.toml", 404),
    ] {
        let answer = trial.send(get(path)).await;
        assert_eq!(answer.status(), status, "{path}");
        let headers = answer.headers();
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("script-src 'self' 'unsafe"), "{policy}");
        assert_eq!(policy.contains("frame-ancestors 'self'"), path.ends_with("terminal.html"), "{policy}");
    }
}

#[tokio::test]
async fn the_key_of_the_address_becomes_a_cookie() {
    let trial = trial(Fake::default());
    let address = trial.site.keys.address();
    let query = address.split_once("/?").expect("a key").1;
    let answer = trial.send(get(&format!("/01-reseaux.html?{query}"))).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[header::LOCATION], "/01-reseaux.html");
    let cookie = answer.headers()[header::SET_COOKIE].to_str().expect("text");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    // Never to another place than a page of ours.
    let answer = trial.send(get(&format!("//evil.test/?{query}"))).await;
    assert_eq!(answer.headers()[header::LOCATION], "/");
    let answer = trial.send(get("/?jeton=0123")).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(!answer.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn nothing_of_the_api_answers_without_the_key() {
    let trial = trial(Fake::default());
    for path in ["/api/labs/01", "/api/containers", "/api/runs/x/events", "/api/nothing", "/api"] {
        let answer = trial.send(get(path)).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(text(answer).await.contains("grader serve"));
    }
    let other = Request::builder()
        .method("POST")
        .uri("/api/runs")
        .header("host", "127.0.0.1:4000")
        .header("origin", "http://127.0.0.1:5001")
        .header("cookie", &trial.cookie)
        .body(Body::from(json!({"lab": "01", "dir": "tp-01"}).to_string()));
    assert_eq!(trial.send(other.expect("a request")).await.status(), StatusCode::FORBIDDEN);
    assert!(trial.desk.noted.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn a_lab_says_its_folders_and_hints() {
    let trial = trial(Fake::default());
    let (status, lab) = trial.ask("GET", "/api/labs/01", None).await;
    assert_eq!(status, 200);
    assert_eq!(lab["folders"], json!([{"dir": "tp-01", "name": "tp-01"}]));
    assert_eq!(lab["chosen"], "tp-01");
    assert_eq!(lab["run"], Value::Null);
    assert!(lab["checks"].as_array().is_some_and(|c| c.iter().any(|c| c["read"] == 1)));
    assert_eq!(trial.ask("GET", "/api/labs/99", None).await.0, 404);
    let check = lab["checks"][0]["id"].clone();
    let hint = |level: usize| json!({"lab": "01", "dir": "tp-01", "check": check, "level": level});
    let (status, first) = trial.ask("POST", "/api/hints", Some(hint(1))).await;
    assert_eq!(status, 200);
    assert!(first["text"].as_str().is_some_and(|t| !t.is_empty()));
    for wrong in [0, 99] {
        assert_eq!(trial.ask("POST", "/api/hints", Some(hint(wrong))).await.0, 404);
    }
    assert_eq!(trial.desk.noted.lock().expect("not poisoned").len(), 1, "only what was shown counts");
}

#[tokio::test]
async fn a_run_is_started_read_and_ended() {
    let trial = trial(Fake { go: Some(Arc::new(tokio::sync::Semaphore::new(0))), ..Fake::default() });
    let start = json!({"lab": "01", "dir": "tp-01"});
    let (status, run) = trial.ask("POST", "/api/runs", Some(start.clone())).await;
    assert_eq!(status, 201);
    let id = run["id"].as_str().expect("an id").to_owned();
    let (status, busy) = trial.ask("POST", "/api/runs", Some(start.clone())).await;
    assert_eq!(status, 409);
    assert!(busy["what"].as_str().is_some_and(|w| w.contains("déjà en cours")), "{busy}");
    assert_eq!(trial.ask("DELETE", "/api/runs/absent", None).await.0, 404);
    assert_eq!(trial.ask("DELETE", &format!("/api/runs/{id}"), None).await.0, 202);
    let (status, stream) = trial.ask("GET", &format!("/api/runs/{id}/events"), None).await;
    assert_eq!(status, 200);
    let stream = stream.as_str().expect("a stream");
    assert!(stream.contains("event: report") && stream.contains("cancelled"), "{stream}");
    assert_eq!(trial.ask("POST", "/api/runs", Some(start)).await.0, 201);
}

#[tokio::test]
async fn a_stream_goes_on_from_the_line_that_was_read() {
    let trial = trial(Fake::default());
    let (_, run) = trial.ask("POST", "/api/runs", Some(json!({"lab": "01", "dir": "tp-01"}))).await;
    let path = format!("/api/runs/{}/events", run["id"].as_str().expect("an id"));
    let from = |last: &str| {
        let mut request = get(&path);
        request.headers_mut().insert("cookie", trial.cookie.parse().expect("a value"));
        request.headers_mut().insert("last-event-id", last.parse().expect("a value"));
        trial.send(request)
    };
    let ids = |text: &str| {
        text.lines().filter_map(|l| l.strip_prefix("id: ")?.parse().ok()).collect::<Vec<usize>>()
    };
    let whole = trial.ask("GET", &path, None).await.1;
    let whole = whole.as_str().expect("a stream");
    assert_eq!(ids(whole), (0..=EVENTS).collect::<Vec<_>>());
    let rest = text(from("1").await).await;
    assert_eq!(ids(&rest), (2..=EVENTS).collect::<Vec<_>>());
    assert!(whole.ends_with(&rest));
    assert_eq!(from(&EVENTS.to_string()).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(ids(&text(from("abc").await).await).len(), EVENTS + 1);
}

#[tokio::test]
async fn only_small_json_about_folders_of_the_root() {
    let trial = trial(Fake::default());
    let cases = [
        (json!({"lab": "01", "dir": ".."}), 403),
        (json!({"lab": "01", "dir": "/etc"}), 403),
        (json!({"lab": "01", "dir": "absent"}), 403),
        (json!({"lab": "99", "dir": "tp-01"}), 404),
        (json!({"lab": "01"}), 400),
        (json!({"lab": "01", "dir": "tp-01", "timeout": 1}), 400),
        (json!({"lab": "01", "dir": "x".repeat(5000)}), 413),
    ];
    for (body, status) in cases {
        let (got, said) = trial.ask("POST", "/api/runs", Some(body)).await;
        assert_eq!(got, status, "{said}");
        assert!(said["what"].is_string() && said["todo"].is_string(), "{said}");
    }
    let form = Request::builder()
        .method("POST")
        .uri("/api/runs")
        .header("host", "127.0.0.1:4000")
        .header("origin", "http://127.0.0.1:4000")
        .header("cookie", &trial.cookie)
        .header("content-type", "text/plain")
        .body(Body::from(json!({"lab": "01", "dir": "tp-01"}).to_string()));
    let answer = trial.send(form.expect("a request")).await;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(trial.desk.noted.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn containers_are_those_of_the_root() {
    let trial = trial(Fake::default());
    let (status, found) = trial.ask("GET", "/api/containers", None).await;
    assert_eq!(status, 200);
    assert_eq!(found, json!([{"id": "c1", "name": "tp-1", "service": "api", "dir": "tp-01"}]));
    // Without an upgrade there is no terminal.
    let (status, _) = trial.ask("GET", "/api/containers/c1/terminal", None).await;
    assert!(status.is_client_error(), "{status}");
}

#[tokio::test]
async fn the_server_refuses_to_be_seen_from_elsewhere() {
    let trial = trial(Fake::default());
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", 0)).await.expect("a port");
    let served = super::super::serve(Arc::clone(&trial.site), listener, std::future::pending()).await;
    assert!(served.is_err());
}
