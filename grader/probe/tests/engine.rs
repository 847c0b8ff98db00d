//! The filtered engine in front of a small false one, over real sockets.

use grader_probe::engine::{self, Options};
use grader_probe::wire::EngineView;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const OURS: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const THEIRS: &str = "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2";

fn labels(project: &str) -> Value {
    json!({"com.docker.compose.project": project, "com.docker.compose.service": "api",
        "com.docker.compose.container-number": "1"})
}

fn inspected(id: &str, project: &str) -> Value {
    json!({"Id": id, "Name": format!("/{project}-api-1"), "State": {"Running": true, "Pid": 4242},
        "Config": {"Labels": labels(project), "Env": ["SECRET=1"]}, "HostConfig": {"NetworkMode": "tp0a_frontend"},
        "NetworkSettings": {"Networks": {"tp0a_frontend": {"IPAddress": "198.18.0.2"}}}})
}

/// A false engine that does not filter at all: what is filtered is so by the proxy.
fn answer(path: &str) -> (u16, Value) {
    let path = path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/v1.45").unwrap_or(path);
    let listed = |id: &str, project: &str| json!({"Id": id, "Names": [format!("/{project}-api-1")], "Image": "x", "ImageID": "i", "Labels": labels(project), "State": "running"});
    match path {
        "/version" => (200, json!({"Version": "26.1.5", "ApiVersion": "1.45", "Secret": 1})),
        "/info" => (200, json!({"Name": "the-host", "ID": "id", "Containers": 99, "DockerRootDir": "/data", "NCPU": 2})),
        "/containers/json" => (200, json!([listed(OURS, "tp0a"), listed(THEIRS, "other")])),
        _ if path == format!("/containers/{OURS}/json") => (200, inspected(OURS, "tp0a")),
        _ if path == format!("/containers/{THEIRS}/json") => (200, inspected(THEIRS, "other")),
        _ if path.ends_with("/stats") => (200, json!({"networks": {"eth0": {"rx_bytes": 77}}})),
        _ => (404, json!({"message": "no"})),
    }
}

async fn engine_session(mut stream: UnixStream, seen: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().expect("alive").push(format!("{} {path}", text.split(' ').next().unwrap_or_default()));
    if path.contains("/events") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
        for project in ["tp0a", "other", "tp0a"] {
            let event = json!({"Type": "container", "Action": "start", "Actor": {"ID": OURS, "Attributes": labels(project)}});
            let text = format!("{event}\n");
            let (one, two) = text.split_at(20);
            for part in [one, two] {
                stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        return Ok(());
    }
    let (status, value) = answer(&path);
    let body = value.to_string();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes()).await
}

struct Bench {
    _dir: tempfile::TempDir,
    door: PathBuf,
    stand_ins: PathBuf,
    seen: Arc<Mutex<Vec<String>>>,
}

async fn bench(amplify: u32) -> Bench {
    let dir = tempfile::tempdir().expect("a folder");
    let (real, door, stand_ins) = (dir.path().join("real.sock"), dir.path().join("docker.sock"), dir.path().join("s"));
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = UnixListener::bind(&real).expect("bound");
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(engine_session(stream, Arc::clone(&kept)));
        }
    });
    let view = EngineView {
        project: "tp0a".into(),
        shown_project: "lab".into(),
        networks: BTreeMap::from([("tp0a_frontend".into(), "frontal".into())]),
        amplify: BTreeMap::from([("api".into(), amplify)]),
        also: ["engine.sock".to_owned()].into(),
        ..EngineView::default()
    };
    let at = door.clone();
    let options = Options { upstream: real, view, stand_ins: (amplify == 0).then(|| stand_ins.clone()) };
    tokio::spawn(async move { engine::run(options, &at).await });
    for _ in 0..200 {
        if door.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Bench { _dir: dir, door, stand_ins, seen }
}

async fn raw(door: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(door).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("read");
    String::from_utf8(bytes).expect("text")
}

async fn get(bench: &Bench, path: &str) -> (u16, Value) {
    let text = raw(&bench.door, &format!("GET {path} HTTP/1.1\r\nHost: docker\r\n\r\n")).await;
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
}

#[tokio::test]
async fn only_the_run_is_seen_under_its_own_names() {
    let bench = bench(0).await;
    let (status, list) = get(&bench, "/v1.45/containers/json?all=1&size=1").await;
    assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(list[0]["Names"], json!(["/lab-api-1"]));
    let asked = bench.seen.lock().expect("alive").last().cloned().unwrap_or_default();
    assert!(asked.starts_with("GET /v1.45/containers/json?all=1&filters="), "{asked}");
    assert!(asked.contains("com.docker.compose.project%3Dtp0a") && !asked.contains("size"), "{asked}");

    for name in [OURS, "a1a1a1a1a1a1", "lab-api-1"] {
        let (status, one) = get(&bench, &format!("/containers/{name}/json")).await;
        assert_eq!((status, &one["Name"]), (200, &json!("/lab-api-1")), "{name}");
        assert!(!one.to_string().contains("SECRET"));
    }
    for name in [THEIRS, "b2b2b2b2b2b2", "other-api-1", "tp0a-api-1", "nobody"] {
        let (status, one) = get(&bench, &format!("/containers/{name}/json")).await;
        assert_eq!((status, one), (404, json!({"message": format!("No such container: {name}")})));
    }
    let (_, info) = get(&bench, "/info").await;
    assert_eq!((&info["Containers"], &info["Name"], &info["NCPU"]), (&json!(1), &json!("docker"), &json!(2)));
    assert_eq!(get(&bench, "/version").await.1, json!({"Version": "26.1.5", "ApiVersion": "1.45"}));
    assert_eq!(get(&bench, "/_ping").await, (200, Value::String("OK".into())));
    assert_eq!(get(&bench, "/nodes").await.0, 503);
    assert!(bench.seen.lock().expect("alive").iter().all(|line| line.starts_with("GET /")));
}

#[tokio::test]
async fn nothing_else_reaches_the_engine() {
    let bench = bench(1).await;
    let before = bench.seen.lock().expect("alive").len();
    for request in [
        format!("GET /containers/{OURS}/archive?path=/etc/passwd HTTP/1.1\r\n\r\n"),
        format!("GET /containers/{OURS}/attach/ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        format!("POST /containers/{OURS}/stop HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
        "GET /info HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n".to_owned(),
        "GET /containers/../info HTTP/1.1\r\n\r\n".to_owned(),
        "DELETE /containers/x HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        let text = raw(&bench.door, &request).await;
        assert!(text.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{request}: {text}");
        assert!(text.contains("{\"message\":\""), "{text}");
    }
    assert!(raw(&bench.door, "\0\0\0\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    let head = raw(&bench.door, "HEAD /_ping HTTP/1.1\r\n\r\n").await;
    assert!(head.contains("Api-Version: 1.45\r\n") && head.ends_with("\r\n\r\n"));
    assert_eq!(bench.seen.lock().expect("alive").len(), before);
}

#[tokio::test]
async fn events_flow_while_others_ask() {
    let bench = bench(1).await;
    let mut stream = UnixStream::connect(bench.door.with_file_name("engine.sock")).await.expect("connected");
    stream.write_all(b"GET /v1.45/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D HTTP/1.1\r\n\r\n").await.expect("sent");
    let mut text = String::new();
    let read = async {
        while text.matches("\"Action\":\"start\"").count() < 2 {
            let mut chunk = [0; 4096];
            let length = stream.read(&mut chunk).await.expect("read");
            assert!(length > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
    };
    tokio::time::timeout(Duration::from_secs(5), read).await.expect("two events");
    assert!(text.contains("Transfer-Encoding: chunked") && text.contains("lab-api-1") && !text.contains("other"));
    assert_eq!(get(&bench, "/_ping").await.0, 200);
    assert!(bench.seen.lock().expect("alive").iter().any(|line| line.contains("container%22") && line.contains("tp0a")));
}

#[tokio::test]
async fn a_service_can_be_shown_many_times() {
    let bench = bench(3).await;
    let (_, list) = get(&bench, "/containers/json").await;
    let ids: std::collections::BTreeSet<&str> =
        list.as_array().expect("a list").iter().filter_map(|one| one["Id"].as_str()).collect();
    assert_eq!(ids.len(), 4);
    for one in list.as_array().expect("a list") {
        let id = one["Id"].as_str().expect("an id");
        let (status, seen) = get(&bench, &format!("/containers/{id}/json")).await;
        assert_eq!((status, seen["Id"].as_str()), (200, Some(id)));
        assert_eq!(seen["Name"], one["Names"][0]);
        assert_eq!(seen["NetworkSettings"]["Networks"]["frontal"]["IPAddress"], "198.18.0.2");
    }
}

#[tokio::test]
async fn stand_ins_are_there_when_the_answer_is() {
    let bench = bench(0).await;
    assert_eq!(get(&bench, &format!("/containers/{OURS}/json")).await.0, 200);
    for files in ["docker", "rootfs/var/lib/docker"] {
        let id = bench.stand_ins.join(format!("{files}/image/overlay2/layerdb/mounts/{OURS}/mount-id"));
        assert_eq!(std::fs::read_to_string(id).expect("there"), OURS);
        assert!(bench.stand_ins.join(format!("{files}/overlay2/{OURS}/diff")).is_dir());
    }
    assert!(bench.stand_ins.join("rootfs/proc/cpuinfo").is_file());
    let counts = std::fs::read_to_string(bench.stand_ins.join("rootfs/proc/4242/net/dev")).expect("there");
    assert!(counts.contains("eth0: 77 "), "{counts}");
}
