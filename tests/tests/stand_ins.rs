//! What stands in for the engine's socket, seen from inside real containers.

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{Running, docker, until};
use tp_tests::Submission;

/// A small API, Traefik in front of it, and a container that has the socket too.
fn compose(name: &str) -> String {
    let server = "require('http').createServer((q, r) => r.end('NAME')).listen(5000)".replace("NAME", name);
    format!(
        r#"name: {name}
services:
  api:
    image: node:20-alpine
    command: ["node", "-e", "{server}"]
    environment: {{SECRET: hidden-value}}
    labels:
      - traefik.enable=true
      - traefik.http.routers.api.rule=Host(`api.localhost`)
      - traefik.http.services.api.loadbalancer.server.port=5000
    networks: [frontend, backend]
  traefik:
    image: traefik:v2.11
    container_name: {name}-proxy
    command:
      - --providers.docker=true
      - --providers.docker.exposedbydefault=false
      - --providers.docker.network={name}_frontend
      - --entrypoints.web.address=:80
      - --api.insecure=true
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]
    networks: [frontend, backend]
  eye:
    image: node:20-alpine
    command: ["sleep", "600"]
    init: true
    user: "1000"
    volumes: ["/run/docker.sock:/tmp/eye/docker.sock"]
    networks: [frontend]
networks:
  frontend:
  backend:
"#
    )
}

/// Asks the filtered engine from inside `eye`; status and body.
fn ask(run: &Running, method: &str, path: &str) -> (u64, Value) {
    let script = "const [m, p] = process.argv.slice(1); const r = require('http').request({socketPath: '/tmp/eye/docker.sock', method: m, path: p}, a => { let b = ''; a.on('data', d => b += d); a.on('end', () => console.log(JSON.stringify([a.statusCode, b]))) }); r.on('error', e => console.log(JSON.stringify([0, String(e)]))); r.end()";
    let said = run.exec("eye", &["node", "-e", script, method, path]);
    let pair: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
    let body = pair[1].as_str().unwrap_or_default();
    (pair[0].as_u64().unwrap_or_default(), serde_json::from_str(body).unwrap_or_else(|_| body.into()))
}

/// Asks from inside `eye`, and gives up after two seconds: Traefik itself dials a container that has just gone for
/// thirty, and a test that waits with it has asked only once.
fn fetch(run: &Running, url: &str, host: &str) -> String {
    let script = "const [u, h] = process.argv.slice(1); require('http').get(u, {headers: {Host: h}, signal: AbortSignal.timeout(2000)}, r => { let b = ''; r.on('data', d => b += d); r.on('end', () => console.log(b)) }).on('error', e => console.log(String(e)))";
    run.exec("eye", &["node", "-e", script, url, host])
}

fn check_socket(run: &Running, name: &str) {
    let (status, list) = ask(run, "GET", "/v1.45/containers/json?all=1");
    assert_eq!(status, 200, "{list}");
    let names: BTreeSet<String> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["Names"][0].as_str().unwrap_or_default().to_owned())
        .collect();
    let expected = [format!("/{name}-api-1"), format!("/{name}-proxy"), format!("/{name}-eye-1")];
    assert_eq!(names, expected.into());
    let (status, one) = ask(run, "GET", &format!("/containers/{name}-api-1/json"));
    assert_eq!(status, 200);
    let text = one.to_string();
    for hidden in ["hidden-value", "/var/lib/docker", "tp-docker", run.stack.project()] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let networks: BTreeSet<&str> = one["NetworkSettings"]["Networks"]
        .as_object()
        .expect("networks")
        .keys()
        .map(String::as_str)
        .collect();
    let (front, back) = (format!("{name}_frontend"), format!("{name}_backend"));
    assert_eq!(networks, [front.as_str(), back.as_str()].into());
    assert_eq!(ask(run, "GET", &format!("/networks/{name}_frontend")).0, 200);
    assert_eq!(ask(run, "GET", "/networks/bridge").0, 404);
    assert_eq!(ask(run, "GET", "/images/node:20-alpine/json").0, 200);
    assert_eq!(ask(run, "GET", "/info").1["Containers"], json!(3));
    assert_eq!(ask(run, "GET", "/tasks").0, 503);
    for (method, path) in [
        ("POST", format!("/containers/{name}-api-1/stop")),
        ("GET", format!("/containers/{name}-api-1/archive?path=/etc")),
        ("GET", format!("/containers/{name}-api-1/logs?stdout=1")),
        ("GET", "/volumes".to_owned()),
        ("POST", "/build".to_owned()),
    ] {
        let (status, said) = ask(run, method, &path);
        assert_eq!(status, 403, "{method} {path}: {said}");
    }
}

/// Two runs at once: each Traefik routes to its own API, by the network that its file names.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the image traefik:v2.11 (make test-all)"]
async fn each_traefik_sees_its_own_run() {
    let write = |name: &str| Submission::empty().with("compose.yaml", &compose(name));
    let (one, two) = (write("un"), write("deux"));
    let (one, two) = tokio::join!(Running::up(&one), Running::up(&two));
    let (one, two) = (one.expect("up"), two.expect("up"));
    for (run, name) in [(&one, "un"), (&two, "deux")] {
        check_socket(run, name);
        let served =
            until(|| fetch(run, "http://traefik/", "api.localhost"), |said| said.trim() == name).await;
        assert!(served.is_ok(), "{served:?}");
        let seen = fetch(run, "http://traefik:8080/api/http/services/api@docker", "x");
        let seen: Value = serde_json::from_str(&seen).unwrap_or_else(|e| panic!("{e}: {seen}"));
        let ip = docker(&[
            "inspect",
            "--format",
            &format!(
                "{{{{(index .NetworkSettings.Networks \"{}_frontend\").IPAddress}}}}",
                run.stack.project()
            ),
            &run.container("api"),
        ]);
        let servers = seen["loadBalancer"]["servers"].as_array().cloned().unwrap_or_default();
        assert_eq!(servers, [json!({ "url": format!("http://{}:5000", ip.trim()) })]);
    }
    // A container that stops disappears from Traefik: events go through.
    docker(&["stop", "-t", "0", &one.container("api")]);
    let gone = until(|| fetch(&one, "http://traefik/", "api.localhost"), |said| said.contains("404")).await;
    assert!(gone.is_ok(), "{gone:?}");
    assert_eq!(fetch(&two, "http://traefik/", "api.localhost").trim(), "deux");

    let (first, second) =
        two.stack.amplified_engine(&["api".to_owned()], 9).await.expect("an engine").expect("asked for");
    assert_ne!(first, second);
    let list = docker(&[
        "run",
        "--rm",
        "--network=none",
        "-v",
        &format!("{second}:/s:ro"),
        "node:20-alpine",
        "node",
        "-e",
        "require('http').get({socketPath: '/s/docker.sock', path: '/containers/json'}, a => { let b = ''; a.on('data', d => b += d); a.on('end', () => console.log(b)) })",
    ]);
    let list: Value = serde_json::from_str(&list).unwrap_or_else(|e| panic!("{e}: {list}"));
    let ids: BTreeSet<&str> =
        list.as_array().expect("a list").iter().filter_map(|one| one["Id"].as_str()).collect();
    assert_eq!(ids.len(), 12);
    assert!(one.down().await.expect("clean-up") & two.down().await.expect("clean-up"));
}

/// cAdvisor and the node exporter as their documentation has them, without the machine's files.
const MONITORS: &str = r#"name: mesures
services:
  api:
    image: node:20-alpine
    command: ["node", "-e", "require('http').createServer((q, r) => r.end('x'.repeat(1000))).listen(5000)"]
    container_name: mon-api
    mem_limit: 128m
    networks: [supervision]
  cadvisor:
    image: gcr.io/cadvisor/cadvisor:v0.49.1
    privileged: true
    devices: [/dev/kmsg]
    volumes:
      - /:/rootfs:ro
      - /var/run:/var/run:ro
      - /sys:/sys:ro
      - /var/lib/docker/:/var/lib/docker:ro
      - /dev/disk/:/dev/disk:ro
    networks: [supervision]
  node-exporter:
    image: prom/node-exporter:v1.8.1
    pid: host
    command: ["--path.procfs=/host/proc", "--path.rootfs=/rootfs", "--path.sysfs=/host/sys"]
    volumes: ["/proc:/host/proc:ro", "/sys:/host/sys:ro", "/:/rootfs:ro"]
    networks: [supervision]
  eye:
    image: node:20-alpine
    command: ["sleep", "600"]
    init: true
    networks: [supervision]
networks:
  supervision:
"#;

/// The value of a series with these labels.
fn value(text: &str, series: &str, labels: &[&str]) -> Option<f64> {
    let line = text.lines().find(|line| {
        line.strip_prefix(series).is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|label| line.contains(label))
    })?;
    let mut words = line.rsplit("} ").next()?.split(' ');
    words.next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_measure_the_run_and_only_the_run() {
    let run = Running::up(&Submission::empty().with("compose.yaml", MONITORS)).await.expect("up");
    let metrics = || fetch(&run, "http://cadvisor:8080/metrics", "x");
    let api = [
        "name=\"mon-api\"",
        "image=\"node:20-alpine\"",
        "container_label_com_docker_compose_service=\"api\"",
    ];
    let (has, wanted) = (
        |text: &str, series: &str| value(text, series, &api),
        [
            "container_memory_usage_bytes",
            "container_memory_working_set_bytes",
            "container_spec_memory_limit_bytes",
            "container_cpu_usage_seconds_total",
            "container_network_receive_bytes_total",
            "container_network_transmit_bytes_total",
        ],
    );
    let whole = until(metrics, |text| wanted.iter().all(|series| has(text, series).is_some())).await;
    let text = whole.unwrap_or_else(|text| {
        let log = docker(&["logs", &run.container("cadvisor")]);
        panic!(
            "missing: {:?}\n{log}",
            wanted.iter().filter(|series| has(&text, series).is_none()).collect::<Vec<_>>()
        )
    });
    assert_eq!(has(&text, "container_spec_memory_limit_bytes"), Some(134_217_728.0));
    // No container of anybody else, under any name; the machine as a whole remains.
    let ids: BTreeSet<&str> = text
        .lines()
        .filter(|line| line.starts_with("container_memory_usage_bytes{"))
        .filter_map(|line| line.split("id=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(ids.len(), 5, "{ids:?}");
    assert!(!text.contains("tp-docker") && !text.contains(run.stack.project()));

    // The counters move with the traffic.
    let sent = |text: &str| has(text, "container_network_transmit_bytes_total").unwrap_or_default();
    let before = sent(&text);
    for _ in 0..20 {
        fetch(&run, "http://api:5000/", "x");
    }
    let moved = until(metrics, |text| sent(text) >= before + 20_000.0).await;
    assert!(moved.is_ok(), "from {before}");

    // Nothing of the machine can be written, nor read beyond the counters.
    let said = run.exec("cadvisor", &["sh", "-c", "ls /rootfs /rootfs/proc; touch /sys/fs/cgroup/x /rootfs/x /var/run/x; mkdir /sys/fs/cgroup/memory/x /sys/fs/cgroup/x"]);
    assert!(!said.contains("etc") && said.matches("Read-only file system").count() >= 4, "{said}");

    let node = fetch(&run, "http://node-exporter:9100/metrics", "x");
    let total = value(&node, "node_cpu_seconds_total", &["mode=\"idle\""]);
    assert!(
        total.is_some() && node.contains("\nnode_memory_MemTotal_bytes "),
        "{}",
        &node[..node.len().min(2000)]
    );
    assert!(run.down().await.expect("clean-up"));
}
