//! `grader serve` on a real engine: a run asked over HTTP and read to its end, a server that is stopped in the
//! middle of one, containers that are not the student's. The pages themselves: `make serve-browser`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tp_tests::{Ended, Submission, copy, ours, root, signal, start};

const VARIANT: &str = "labs/01-reseaux/variants/ko-isole-sur-commun";

/// A server for a folder with a wrong submission of lab 01 in `tp-01`.
struct Server {
    child: Child,
    host: String,
    token: String,
    _home: Submission,
}

impl Server {
    fn start() -> Self {
        let home = Submission::empty();
        let work = home.path().join("tp-01");
        copy(&root().join("labs/01-reseaux/solution"), &work);
        copy(&root().join(VARIANT), &work);
        let dir = home.path().display().to_string();
        let mut child = start(&["serve", "-C", &dir, "--port", "0", "--no-open", "--offline"]);
        let lines = child.stdout.take().map(BufReader::new);
        let address = lines
            .into_iter()
            .flat_map(BufRead::lines)
            .map_while(Result::ok)
            .find_map(|l| l.find("http://").map(|at| l[at + "http://".len()..].to_owned()))
            .unwrap_or_else(|| panic!("no address"));
        let (host, token) = address.split_once("/?jeton=").unwrap_or_else(|| panic!("{address}"));
        Self { child, host: host.to_owned(), token: token.to_owned(), _home: home }
    }

    /// One request, as a tool with the key makes it. HTTP/1.0: the answer ends with the connection.
    fn send(&self, method: &str, path: &str, body: &str, more: &str) -> (u16, String) {
        let (host, token) = (&self.host, &self.token);
        let mut stream = TcpStream::connect(host).unwrap_or_else(|e| panic!("{host}: {e}"));
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nOrigin: http://{host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{more}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap_or_else(|e| panic!("{e}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default();
        (status, body.to_owned())
    }

    /// Starts a run; gives its id.
    fn check(&self) -> String {
        let (status, said) =
            self.send("POST", "/api/runs", &json!({"lab": "01", "dir": "tp-01"}).to_string(), "");
        assert_eq!(status, 201, "{said}");
        let said: Value = serde_json::from_str(&said).unwrap_or_default();
        said["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Every message of a run, to its end.
    fn events(&self, run: &str) -> Vec<Value> {
        let (status, stream) = self.send("GET", &format!("/api/runs/{run}/events"), "", "");
        assert_eq!(status, 200, "{stream}");
        let data = stream.lines().filter_map(|l| l.strip_prefix("data: "));
        data.map(|d| serde_json::from_str(d).unwrap_or_else(|e| panic!("{e}: {d}"))).collect()
    }

    /// Ctrl-C, and what the server leaves.
    fn stop(mut self) -> Ended {
        signal(&self.child, Signal::INT);
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let _ = self.child.kill();
        self.child.wait_with_output().map(Ended::from).unwrap_or_else(|e| panic!("{e}"))
    }
}

/// The ids that the variant must miss.
fn expected() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(VARIANT).join("expect.toml")).unwrap_or_default();
    let list = text.lines().find_map(|l| l.strip_prefix("fail = ")).unwrap_or_default();
    serde_json::from_str(list).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_wrong_submission_misses_what_it_must_and_leaves_nothing() {
    let server = Server::start();
    let events = server.events(&server.check());
    let missed: BTreeSet<String> = events
        .iter()
        .filter(|e| e["checked"]["verdict"]["fail"].is_object())
        .filter_map(|e| e["checked"]["id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(missed, expected(), "{events:#?}");
    let report = events.last().cloned().unwrap_or_default();
    assert_eq!(report["outcome"], "graded", "{report}");
    assert_eq!(report["inventory"]["containers"], 0, "{report}");
    assert_eq!(ours(), [0; 4]);
    let ended = server.stop();
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn a_server_that_stops_ends_its_runs_and_cleans() {
    let server = Server::start();
    let run = server.check();
    let busy = server.send("POST", "/api/runs", &json!({"lab": "01", "dir": "tp-01"}).to_string(), "");
    assert_eq!(busy.0, 409, "{}", busy.1);
    let deadline = Instant::now() + Duration::from_secs(60);
    while ours()[0] == 0 {
        assert!(Instant::now() < deadline, "nothing was ever started");
        std::thread::yield_now();
    }
    let ended = std::thread::scope(|scope| {
        let reader = &server;
        let events = scope.spawn(|| reader.events(&run));
        signal(&server.child, Signal::INT);
        events.join().unwrap_or_default()
    });
    assert!(ended.iter().any(|e| e["faulted"]["kind"] == "interrupted"), "{ended:#?}");
    assert!(ended.iter().any(|e| e["cleaned"]["containers"] == 0), "{ended:#?}");
    let ended = server.child.wait_with_output().map(Ended::from).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ours(), [0; 4]);
}

#[test]
fn no_terminal_into_what_is_not_the_student_s() {
    let server = Server::start();
    let (status, found) = server.send("GET", "/api/containers", "", "");
    assert_eq!((status, found.as_str()), (200, "[]"));
    // Somebody's running container, if there is one.
    let running = std::process::Command::new("docker").args(["ps", "-q", "--no-trunc"]).output();
    let running = running.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let other = running.lines().next().map_or_else(|| "0".repeat(64), str::to_owned);
    let mut stream = TcpStream::connect(&server.host).unwrap_or_else(|e| panic!("{e}"));
    let (host, token) = (&server.host, &server.token);
    let request = format!(
        "GET /api/containers/{other}/terminal HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Authorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap_or_else(|e| panic!("{e}"));
    assert!(line.starts_with("HTTP/1.1 404"), "{line}");
    let ended = server.stop();
    assert_eq!(ended.code, 0, "{}", ended.err);
}
