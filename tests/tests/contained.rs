//! What the policy lets through of the hostile corpus, on an engine, beside an honest submission:
//! nothing outside is touched, no point is gained, and the neighbour keeps its score. Long: run by
//! `make security`.

use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;
use tp_tests::Ended;
use tp_tests::cases::corpus;
use tp_tests::grader::{Grader, output, solution};
use tp_tests::private::Private;

/// Images that the cases and lab 01 name.
const IMAGES: [&str; 4] = ["nginx:alpine", "alpine:3", "busybox:latest", "redis:7-alpine"];
/// The same under the names of the cases.
const TAGS: [[&str; 2]; 2] = [["nginx:alpine", "nginx:1.27-alpine"], ["alpine:3", "alpine:3.20"]];
/// Contained by what the run imposes, whatever their note says of the engine.
const ALSO: [&str; 2] = ["logflood", "health-1ms"];

/// Whatever belongs to others on the engine and on the machine.
fn canaries(engine: &Private) -> Vec<String> {
    let docker = |args: &[&str]| engine.docker(args);
    vec![
        // Tags: what they name. The probe is ours.
        docker(&["images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"])
            .lines()
            .filter(|line| !line.starts_with("tp-docker-probe"))
            .collect::<Vec<_>>()
            .join("\n"),
        docker(&[
            "inspect",
            "voisin",
            "--format",
            "{{.Id}} {{.State.StartedAt}} {{.RestartCount}} {{.NetworkSettings.Networks}}",
        ]),
        docker(&[
            "exec",
            "voisin",
            "sh",
            "-c",
            "cat /donnees/secret; ls -la /donnees | wc -l; cat /entendu 2>/dev/null",
        ]),
        docker(&[
            "network",
            "inspect",
            "voisin_default",
            "bridge",
            "--format",
            "{{.Id}} {{range .Containers}}{{.Name}} {{end}}",
        ]),
        docker(&["volume", "ls", "-q"]),
        docker(&["network", "ls", "-q", "--no-trunc"]),
        engine.machine(&["ip", "-4", "route", "show", "table", "all"]),
        std::fs::read_to_string("/etc/passwd").unwrap_or_default(),
        std::fs::read_to_string("/etc/hosts").unwrap_or_default(),
    ]
}

fn earned(ended: &Ended) -> f64 {
    let report = serde_json::from_str::<Value>(&ended.out).unwrap_or_default();
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    checks.iter().filter_map(|check| check["earned"].as_f64()).sum()
}

#[test]
#[ignore = "some minutes: each contained attack beside an honest submission"]
fn attacks_are_contained_beside_an_honest_submission() {
    let Some(engine) = Private::start(&IMAGES) else {
        println!("non vérifié : un moteur à part demande root et « unshare »");
        return;
    };
    for [from, to] in TAGS {
        let _ = engine.docker(&["tag", from, to]);
    }
    let neighbour =
        "mkdir -p /donnees; echo rubis > /donnees/secret; nc -lk -p 80 -e sh -c 'echo x >> /entendu'";
    let _ = engine.docker(&["network", "create", "voisin_default"]);
    let _ = engine.docker(&[
        "run",
        "-d",
        "--name",
        "voisin",
        "--network",
        "voisin_default",
        "--network-alias",
        "postgres",
        "-v",
        "voisin_donnees:/donnees",
        "-v",
        "voisin_secrets:/secrets",
        "alpine:3",
        "sh",
        "-c",
        neighbour,
    ]);
    let _ = engine.docker(&["network", "connect", "bridge", "voisin"]);
    let (attacker, honest) = (Grader::on(&engine.host()), Grader::on(&engine.host()));
    let good = solution("01");
    let alone = output(honest.check("01", &good));
    assert_eq!(alone.code, 0, "{}\n{}", alone.out, alone.err);
    assert!(earned(&alone) > 0.0, "{}", alone.out);
    let word = std::env::var("TP_CASE").unwrap_or_default();
    let mut cases = corpus("hostile");
    cases.retain(|case| {
        let runs = !case.expect.engine.is_empty() || ALSO.contains(&case.name.as_str());
        runs && case.expect.outcome == "accepted" && case.name.contains(&word)
    });
    let (mut as_expected, mut touched) = (0, 0);
    for case in &cases {
        let Ok(Some(ready)) = case.ready() else { continue };
        let before = canaries(&engine);
        let start = Instant::now();
        let spawn = |grader: &Grader, dir: &std::path::Path| {
            let child = grader.check("01", dir).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            child.unwrap_or_else(|e| panic!("{e}"))
        };
        let (bad, fair) = (spawn(&attacker, &ready.path()), spawn(&honest, &good));
        let ended = |child: std::process::Child| {
            child.wait_with_output().map(Ended::from).unwrap_or_else(|e| panic!("{e}"))
        };
        let (fair, bad) = (ended(fair), ended(bad));
        let mut faults = Vec::new();
        let left = [attacker.left(), honest.left()];
        if left != [[0; 4]; 2] {
            faults.push(format!("restes {left:?}"));
        }
        let after = canaries(&engine);
        let moved: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).collect();
        touched += moved.len();
        if !moved.is_empty() {
            faults.push(format!("témoins touchés : {moved:?}"));
        }
        if fair.code != 0 {
            let report = serde_json::from_str::<Value>(&fair.out).unwrap_or_default();
            let checks = report["checks"].as_array().cloned().unwrap_or_default();
            let lost: Vec<_> =
                checks.iter().filter(|c| c["standing"] != "passed").map(|c| &c["verdict"]).collect();
            faults.push(format!(
                "le voisin honnête a perdu : code {}, {} {lost:?}",
                fair.code, report["outcome"]
            ));
        }
        let points = earned(&bad);
        if ![1, 4, 5].contains(&bad.code) || points > 0.0 {
            faults.push(format!("code {} et {points} points", bad.code));
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "  {} {} : code {}, {points} point, {seconds:.0} s",
            if faults.is_empty() { "✓" } else { "✗" },
            case.name,
            bad.code
        );
        for fault in &faults {
            println!("      {fault}");
        }
        as_expected += usize::from(faults.is_empty());
    }
    println!(
        "attaques contenues à côté d'un rendu honnête : {as_expected}/{}, témoins touchés : {touched}",
        cases.len()
    );
    assert_eq!(as_expected, cases.len());
}
