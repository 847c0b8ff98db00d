//! What is judged of Grafana's panels, with a fake `promtool`; and with the real one when
//! `PROMTOOL` says where it is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::testing::FakeWorld;
use super::super::testing::supervision::{FakeGrafana, FakeProm, frame, source};
use super::super::world::{ToolOutcome, ToolRun};
use super::prom::judge;
use super::{fails, passes, unsure};
use crate::event::Verdict;

const RPS: &str = "sum(rate(app_requests_total[1m]))";
const P95: &str = "histogram_quantile(0.95, sum by (le) (rate(app_request_latency_seconds_bucket[1m])))";
const BY: &str = "sum by (endpoint) (rate(app_requests_total[1m]))";

fn panel(title: &str, expr: &str) -> Value {
    json!({"type": "timeseries", "title": title, "targets": [{"refId": "A", "expr": expr}]})
}

fn board(uid: &str, panels: &[Value]) -> Value {
    json!({"uid": uid, "title": uid, "panels": panels})
}

/// The same, of several queries.
fn crowd(title: &str, exprs: &[&str]) -> Value {
    let targets: Vec<Value> = exprs.iter().map(|e| json!({"expr": e})).collect();
    json!({"type": "timeseries", "title": title, "targets": targets})
}

/// A world whose Grafana has these dashboards, every query of which gives a number.
fn world(boards: Vec<Value>) -> FakeWorld {
    let mut frames = BTreeMap::new();
    for panel in boards.iter().flat_map(|b| b["panels"].as_array().expect("panels")) {
        for target in panel["targets"].as_array().expect("targets") {
            frames.insert(target["expr"].as_str().expect("expr").to_owned(), frame(&json!({})));
        }
    }
    let mut world =
        FakeWorld::lab04(FakeProm::default(), FakeGrafana { boards, frames, ..FakeGrafana::default() });
    world.tools = Some(Box::new(fake));
    world
}

fn three(rps: &str, p95: &str, by: &str) -> FakeWorld {
    world(vec![board("api", &[panel("Débit", rps), panel("Latence", p95), panel("Répartition", by)])])
}

/// Plays `promtool` for the few expressions of these tests, whatever their window.
fn fake(run: &ToolRun) -> ToolOutcome {
    let file: Value = serde_json::from_str(&run.files["tests.yml"]).expect("JSON is YAML");
    let mut output = String::from("Unit Testing:  tests.yml\n  FAILED:\n");
    for (scenario, group) in file["tests"].as_array().expect("groups").iter().enumerate() {
        let s = f64::from(u32::try_from(scenario).expect("small")) + 1.0;
        let new = scenario != 3;
        // Where everything counts, a fifth of it is of the routes that may be left out.
        let left = if scenario == 4 { 5.0 } else { 0.0 };
        for test in group["promql_expr_test"].as_array().expect("tests") {
            let expr = test["expr"].as_str().expect("expr");
            let same = expr.replace("[5m]", "[1m]");
            let numbers: Vec<f64> = match same.as_str() {
                RPS if new => vec![s * s + 6.0 + left],
                "sum(rate(app_requests_total{endpoint=~\"/(api|v).*\"}[1m]))" if new => vec![s * s + 6.0],
                "sum(rate(app_requests_total{method=\"GET\"}[1m]))" if new => vec![s * s + 4.0 + left],
                "count by (name) (container_cpu_usage_seconds_total)" => vec![1.0, 1.0],
                "rate(container_cpu_usage_seconds_total[1m])" => vec![s, 2.0 * s],
                BY if new => vec![s * s, 4.0, 2.0],
                // As scenario 1, without the new values.
                RPS | BY => vec![1.0],
                P95 => vec![0.2 * s],
                "sum(rate(app_requests_total[1m])) * 60" if new => vec![60.0 * (s * s + 6.0 + left)],
                "sum(rate(app_requests_total{endpoint=\"/api/data\"}[1m]))" => {
                    vec![if new { s * s } else { 1.0 }]
                }
                other if other.starts_with("vector(") => {
                    vec![other[7..other.len() - 1].parse().expect("number")]
                }
                other if other.contains("0.5") => vec![0.1 * s * s],
                other if other.contains("* 1000") => vec![200.0 * s],
                _ => vec![],
            };
            let time = match scenario {
                0 => "1d2h7s",
                1 => "1d2h8s",
                2 => "1d2h9s",
                3 => "1d2h10s",
                _ => "1d2h11s",
            };
            if expr.contains("broken(") {
                output +=
                    &format!("    expr: {expr:?}, time: {time}, err: 1:1: parse error: unknown function\n\n");
            } else if !numbers.is_empty() {
                let got: Vec<String> =
                    numbers.iter().enumerate().map(|(i, v)| format!("{{n=\"{i}\"}} {v:E}")).collect();
                output += &format!(
                    "    expr: {expr:?}, time: {time},\n        exp: nil\n        got: {}\n\n",
                    got.join(", ")
                );
            }
        }
    }
    ToolOutcome { code: 1, output }
}

#[tokio::test(start_paused = true)]
async fn honest_dashboards() {
    passes(&judge("panneaux", &three(RPS, P95, BY)).await);
    // In folded rows, with a unit that says milliseconds, beside other panels and dashboards.
    let mut latency = panel("Latence", &format!("{P95} * 1000"));
    latency["fieldConfig"] = json!({"defaults": {"unit": "ms"}});
    let world = world(vec![
        board("autre", &[panel("Débit", RPS)]),
        board("api", &[panel("Débit", RPS), latency, panel("Divers", "up"), panel("Répartition", BY)]),
    ]);
    passes(&judge("panneaux", &world).await);
}

#[tokio::test(start_paused = true)]
async fn wrong_meanings() {
    let median = P95.replace("0.95", "0.5");
    let verdict = judge("panneaux", &three(RPS, &median, BY)).await;
    fails(&verdict, "la médiane");
    let Verdict::Fail(miss) = verdict else { unreachable!("it fails") };
    assert!((miss.earned - 0.25).abs() < 1e-9 && miss.earned_for.contains("répartition"), "{miss:?}");
    fails(&judge("panneaux", &three(BY, P95, BY)).await, "requêtes par seconde");
    fails(&judge("panneaux", &three(&format!("{RPS} * 60"), P95, BY)).await, "par minute");
    fails(&judge("panneaux", &three(RPS, &format!("{P95} * 1000"), BY)).await, "millisecondes");
    fails(&judge("panneaux", &three(RPS, "broken(app_request_latency_seconds_bucket)", BY)).await, "refuse");
    let known = "sum(rate(app_requests_total{endpoint=\"/api/data\"}[1m]))";
    fails(&judge("panneaux", &three(known, P95, BY)).await, "n'y apparaîtrait pas");
    fails(&judge("panneaux", &three(RPS, "up", BY)).await, "aucun autre panneau ne lit");
    let split = world(vec![
        board("un", &[panel("Débit", RPS), panel("Latence", P95)]),
        board("deux", &[panel("Répartition", BY)]),
    ]);
    fails(&judge("panneaux", &split).await, "présent, mais dans");
}

#[tokio::test(start_paused = true)]
async fn a_total_counts_everything() {
    let get = "sum(rate(app_requests_total{method=\"GET\"}[1m]))";
    fails(&judge("panneaux", &three(get, P95, BY)).await, "GET");
    let healthless = "sum(rate(app_requests_total{endpoint=~\"/(api|v).*\"}[1m]))";
    fails(&judge("panneaux", &three(healthless, P95, BY)).await, "/metrics ou /health n'y compte pas");
}

#[tokio::test(start_paused = true)]
async fn frozen_routes_are_not_a_total() {
    // With a single live route its share is the whole, as that of any total.
    let known = "sum(rate(app_requests_total{endpoint=\"/api/data\"}[1m]))";
    let Verdict::Fail(miss) = judge("panneaux", &three(RPS, P95, known)).await else { panic!("it fails") };
    let said = miss.noted.join("\n");
    assert!(said.contains("n'y apparaîtrait pas") && !said.contains("un total"), "{said}");
    assert!(miss.earned.is_sign_positive(), "no negative zero");
}

#[tokio::test(start_paused = true)]
async fn a_panel_for_each() {
    let median = P95.replace("0.95", "0.5");
    let one = world(vec![board("api", &[crowd("Tout", &[RPS, P95, BY])])]);
    fails(&judge("panneaux", &one).await, "une seule courbe");
    let two = world(vec![board("api", &[panel("Débit", RPS), crowd("Le reste", &[P95, BY])])]);
    fails(&judge("panneaux", &two).await, "un panneau pour chacun");
    let many = world(vec![board(
        "api",
        &[crowd("Débit", &[RPS, BY]), crowd("Latence", &[P95, &median]), panel("Répartition", BY)],
    )]);
    fails(&judge("panneaux", &many).await, "une seule courbe");
    let beside = world(vec![board(
        "api",
        &[panel("Débit", RPS), crowd("Latence", &[P95, &median, BY]), crowd("Répartition", &[BY, RPS])],
    )]);
    passes(&judge("panneaux", &beside).await);
    let mut hidden = crowd("Débit", &[RPS, BY]);
    hidden["targets"][1]["hide"] = json!(true);
    let hidden = world(vec![board("api", &[hidden, panel("Latence", P95), panel("Répartition", BY)])]);
    passes(&judge("panneaux", &hidden).await);
    let mut text = panel("Répartition", BY);
    text["type"] = json!("text");
    let text = world(vec![board("api", &[panel("Débit", RPS), panel("Latence", P95), text])]);
    fails(&judge("panneaux", &text).await, "répartition");
}

#[tokio::test(start_paused = true)]
async fn dashboards_that_show_nothing() {
    fails(&judge("panneaux", &world(vec![])).await, "liste vide");
    let boards = vec![board("api", &[panel("Débit", RPS), panel("Latence", P95), panel("Répartition", BY)])];
    let mut empty = FakeWorld::lab04(
        FakeProm::default(),
        FakeGrafana { boards: boards.clone(), ..FakeGrafana::default() },
    );
    empty.tools = Some(Box::new(fake));
    fails(&judge("panneaux", &empty).await, "réponse vide");
    let mut lost = boards;
    lost[0]["panels"][1]["datasource"] = json!("${DS_PROMETHEUS}");
    fails(&judge("panneaux", &world(lost)).await, "DS_PROMETHEUS");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_fails_is_nobody_s_fault() {
    let mut broken = three(RPS, P95, BY);
    broken.tools = Some(Box::new(|_| ToolOutcome { code: 2, output: "no such file".into() }));
    unsure(&judge("panneaux", &broken).await);
    broken.tools = None;
    unsure(&judge("panneaux", &broken).await);
}

/// A world whose Grafana draws these panels, each query of which gives the series of these
/// containers, under one label.
fn containers(panels: &[Value], label: &str, names: &[&str]) -> FakeWorld {
    let fields: Vec<Value> =
        names.iter().map(|n| json!({"name": "Value", "type": "number", "labels": {label: n}})).collect();
    let values: Vec<Value> = names.iter().map(|_| json!([0.5])).collect();
    let frame = json!({"schema": {"fields": fields}, "data": {"values": values}});
    let exprs = panels.iter().flat_map(|p| p["targets"].as_array().expect("targets"));
    let frames = exprs.map(|t| (t["expr"].as_str().expect("expr").to_owned(), frame.clone())).collect();
    let grafana = FakeGrafana {
        boards: vec![board("docker", panels)],
        sources: vec![source()],
        frames,
        ..FakeGrafana::default()
    };
    let prom = FakeProm { containers: vec!["tp0-api-1", "tp0-postgres-1"], ..FakeProm::default() };
    let mut world = FakeWorld::lab04(prom, grafana);
    world.tools = Some(Box::new(fake));
    world
}

const CPU: &str = "rate(container_cpu_usage_seconds_total[1m])";
const COUNT: &str = "count by (name) (container_cpu_usage_seconds_total)";
const BOTH: &[&str] = &["tp0-api-1", "tp0-postgres-1", "tp0-redis-1"];

#[tokio::test(start_paused = true)]
async fn containers_of_the_stack() {
    let world = |names: &[&str]| containers(&[panel("Processeur", CPU)], "name", names);
    passes(&judge("conteneurs", &world(BOTH)).await);
    fails(&judge("conteneurs", &world(&["tp0-api-1", "tp0-redis-1"])).await, "postgres");
}

#[tokio::test(start_paused = true)]
async fn a_number_of_containers_is_not_what_they_use() {
    let world = containers(&[panel("Processeur", COUNT)], "name", BOTH);
    fails(&judge("conteneurs", &world).await, "ne bouge pas");
    let beside = containers(&[panel("Nombre", COUNT), panel("Processeur", CPU)], "name", BOTH);
    passes(&judge("conteneurs", &beside).await);
}

#[tokio::test(start_paused = true)]
async fn the_legend_says_which_container() {
    let world = |legend: &str, label: &str, names: &[&str]| {
        let mut panel = panel("Processeur", CPU);
        panel["targets"][0]["legendFormat"] = json!(legend);
        containers(&[panel], label, names)
    };
    for legend in ["", "__auto", "{{name}}", "CPU, {{ name }}"] {
        passes(&judge("conteneurs", &world(legend, "name", BOTH)).await);
    }
    fails(&judge("conteneurs", &world("processeur", "name", BOTH)).await, "« processeur »");
    fails(&judge("conteneurs", &world("{{id}}", "name", BOTH)).await, "ne dit pas de quel conteneur");
    // A query a container, its legend written by hand.
    let one = |service: &str| json!({"expr": format!("{CPU} # {service}"), "legendFormat": service});
    let both = json!({"type": "timeseries", "title": "Deux", "targets": [one("api"), one("postgres")]});
    passes(&judge("conteneurs", &containers(&[both], "name", BOTH)).await);
}

/// Runs the real `promtool`.
fn real(run: &ToolRun) -> ToolOutcome {
    let tool = std::env::var("PROMTOOL").expect("PROMTOOL=/path/to/promtool");
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in &run.files {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    let said = std::process::Command::new(&tool)
        .args(&run.command[1..])
        .current_dir(dir.path())
        .output()
        .expect("promtool runs");
    let output = [said.stdout, said.stderr].concat();
    ToolOutcome { code: 1, output: String::from_utf8_lossy(&output).into_owned() }
}

/// Judges a dashboard with the real `promtool`.
async fn really(rps: &str, p95: &str, by: &str) -> Verdict {
    let mut world = three(rps, p95, by);
    world.tools = Some(Box::new(real));
    judge("panneaux", &world).await
}

#[tokio::test(start_paused = true)]
#[ignore = "needs the real promtool: PROMTOOL=/usr/bin/promtool cargo test -- --ignored"]
async fn measures_with_the_real_promtool() {
    let judged = async |expr: &str| {
        let mut world = containers(&[panel("Processeur", expr)], "name", BOTH);
        world.tools = Some(Box::new(real));
        judge("conteneurs", &world).await
    };
    let c = "container_cpu_usage_seconds_total";
    for expr in [
        format!("sum by (name) (rate({c}[5m]))"),
        format!("100 * sum by (name) (irate({c}[2m])) / scalar(sum(irate({c}[2m])))"),
        format!(r#"sum by (s) (label_replace(rate({c}[5m]), "s", "$1", "name", ".+-(.+)-.+"))"#),
        format!("rate({c}[5m]) / on(name) container_spec_cpu_quota"),
        c.to_owned(),
    ] {
        passes(&judged(&expr).await);
    }
    for expr in [
        format!("count by (name) ({c})"),
        format!("count_over_time({c}[5m])"),
        format!("{c} / {c}"),
        format!("rate({c}[5m]) >= bool 0"),
    ] {
        fails(&judged(&expr).await, "ne bouge pas");
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "needs the real promtool: PROMTOOL=/usr/bin/promtool cargo test -- --ignored"]
async fn many_ways_with_the_real_promtool() {
    let b = "app_request_latency_seconds_bucket";
    for rps in [
        "sum(irate(app_requests_total[1m]))",
        "sum(rate(app_requests_total[1h]))",
        "sum without (endpoint, method, instance, job) (rate(app_requests_total[5m]))",
        "sum(increase(app_requests_total[5m])) / 300",
        "sum(rate(app_requests_total{job=\"express-api\"}[5m])) or vector(0)",
        "sum(rate({__name__=\"app_requests_total\"}[5m]))",
        "sum(deriv(app_requests_total[5m]))",
        "avg_over_time(sum(rate(app_requests_total[5m]))[10m:15s])",
        "sum(rate(app_requests_total[1m])) and on() (up{job=\"nope\"} or vector(1))",
    ] {
        passes(&really(rps, P95, BY).await);
    }
    for (rps, word) in [
        ("app_requests_total", "requêtes par seconde"),
        ("sum(app_requests_total)", "depuis le démarrage"),
        ("rate(app_requests_total[5m])", "détaillé"),
        ("sum(rate(app_requests_total[5m])) * 60", "par minute"),
        ("sum(increase(app_requests_total[1m]))", "par minute"),
        ("sum(rate(app_requests_total{endpoint=\"/api/data\"}[5m]))", "n'y apparaîtrait pas"),
        ("sum(rate(app_requests_total{endpoint=~\"/(api|v).*\"}[2m]))", "n'y compte pas"),
        ("sum(rate(app_requests_total{method=\"GET\"}[5m]))", "les seules requêtes GET"),
        ("sum(rate(app_requests_total{method=~\"GET|POST\"}[5m]))", "requêtes par seconde"),
        ("sum(rate(app_request_latency_seconds_count[5m]))", "aucun autre panneau ne lit"),
        ("sum(rate(app_requests_total[15s]))", "aucune valeur"),
        ("avg(rate(app_requests_total[5m]))", "requêtes par seconde"),
        ("sum(rate(app_requests_total[5m])", "refuse"),
        ("sum(rate(app_requests_total))", "refuse"),
    ] {
        fails(&really(rps, P95, BY).await, word);
    }
    for p95 in [
        format!("histogram_quantile(0.95, sum by (le) (irate({b}[1m])))"),
        format!("histogram_quantile(0.95, sum by (le) (increase({b}[10m])))"),
        format!("histogram_quantile(0.95, sum by (endpoint, le) (rate({b}[5m])))"),
        format!("histogram_quantile(0.95, rate({b}[5m]))"),
        format!("histogram_quantile(0.95, sum without (endpoint, instance, job) (rate({b}[5m])))"),
    ] {
        passes(&really(RPS, &p95, BY).await);
    }
    for (p95, word) in [
        (format!("histogram_quantile(0.5, sum by (le) (rate({b}[5m])))"), "la médiane"),
        (format!("histogram_quantile(0.99, sum by (le) (rate({b}[5m])))"), "le p99"),
        (format!("histogram_quantile(95, sum by (le) (rate({b}[5m])))"), "latence p95"),
        (format!("histogram_quantile(0.95, sum(rate({b}[5m])))"), "aucune valeur"),
        (format!("histogram_quantile(0.95, sum by (le) ({b}))"), "depuis le démarrage"),
        (format!("1000 * histogram_quantile(0.95, sum by (le) (rate({b}[5m])))"), "millisecondes"),
        (format!("avg(histogram_quantile(0.95, rate({b}[5m])))"), "latence p95"),
        (
            "sum(rate(app_request_latency_seconds_sum[5m])) / sum(rate(app_request_latency_seconds_count[5m]))".into(),
            "une moyenne",
        ),
    ] {
        fails(&really(RPS, &p95, BY).await, word);
    }
    for by in [
        "sum by (endpoint) (increase(app_requests_total[15m]))",
        "sum by (endpoint) (rate(app_requests_total[5m])) / scalar(sum(rate(app_requests_total[5m])))",
        "sort_desc(sum by (endpoint) (irate(app_requests_total[5m])))",
        "topk(10, sum by (endpoint) (rate(app_requests_total[5m])))",
        "rate(app_requests_total[5m])",
        "label_replace(sum by (endpoint) (rate(app_requests_total[5m])), \"chemin\", \"$1\", \"endpoint\", \"(.*)\")",
    ] {
        passes(&really(RPS, P95, by).await);
    }
    for (by, word) in [
        ("sum by (job) (rate(app_requests_total[5m]))", "un total"),
        (
            "sum by (endpoint) (rate(app_requests_total{endpoint=~\"/api/data|/health\"}[5m]))",
            "n'y apparaîtrait pas",
        ),
        ("count by (endpoint) (app_requests_total)", "répartition"),
        ("sum by (endpoint) (app_requests_total)", "répartition"),
    ] {
        fails(&really(RPS, P95, by).await, word);
    }
}
