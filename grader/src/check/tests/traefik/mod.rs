//! The kinds of lab 03 on a fake proxy.

mod access;

use std::path::PathBuf;

use super::super::Memo;
use super::super::testing::{App, Behind, FakeWorld, Secure, Traefik, certificate, raw};
use super::{fails, judge_with, passes, unsure};
use crate::event::Verdict;
use crate::lab::{self, Lab};

const LAB: &str = r#"
format = 1
id = "03"
title = "t"
course = "c"
budget = "60s"

[[check]]
id = "route"
points = 1
title = "t"
route = { via = "traefik", host = "api.localhost", path = "/health", status = 200, json = { status = "healthy" }, to = "api", to-port = 5000 }

[[check]]
id = "redirect"
points = 1
title = "t"
redirect = { via = "traefik", port = 80, host = "api.localhost", hosts = ["traefik.localhost"], path = "/api/data?page=2" }

[[check]]
id = "certificate"
points = 1
title = "t"
certificate = { via = "traefik", port = 443, host = "api.localhost", subject = "tp-docker", names = ["api.localhost", "traefik.localhost"], valid = "30d" }

[[check]]
id = "list"
points = 1
title = "t"
allow-list = { via = "traefik", host = "api.localhost", path = "/metrics", inside = "supervision", outside = "frontend", alive = "/health" }

[[check]]
id = "list-case"
points = 1
title = "t"
allow-list = { via = "traefik", host = "api.localhost", path = "/metrics", inside = "supervision", outside = "frontend", alive = "/health", spellings = ["/METRICS"] }

[[check]]
id = "dashboard"
points = 1
title = "t"
dashboard = { via = "traefik", host = "traefik.localhost", lists = ["api.localhost", "traefik.localhost"] }

[[check]]
id = "exposed"
points = 1
title = "t"
exposed-only = { via = "traefik", host = "traefik.localhost", hidden = ["postgres", "redis"] }

[[check]]
id = "network"
points = 1
title = "t"
chosen-network = { via = "traefik", host = "traefik.localhost", service = "api", network = "frontend" }

[[check]]
id = "closed"
points = 1
title = "t"
apart = { from-network = "frontend", to = [{ service = "traefik", port = 8080 }], closed = true, control = { network = "frontend", to = { service = "api", port = 5000 } } }
"#;

fn lab03() -> Lab {
    lab::parse("lab.toml", LAB, PathBuf::new()).unwrap_or_else(|e| panic!("{e}"))
}

async fn judge(check: &str, world: &FakeWorld) -> Verdict {
    judge_with(&lab03(), check, world, None, (&Memo::default(), &Memo::default())).await
}

/// An honest stack whose proxy is changed.
fn with(change: impl FnOnce(&mut Traefik)) -> FakeWorld {
    let mut world = FakeWorld::lab03();
    let mut traefik = world.traefik.take().expect("a proxy");
    change(&mut traefik);
    world.publish(&traefik, [80, 443]);
    world.traefik = Some(traefik);
    world
}

fn route(host: &str, behind: Behind) -> FakeWorld {
    with(|t| {
        t.routes.insert(host.into(), behind);
    })
}

fn facts(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass { facts } => facts.iter().map(|f| f.text.clone()).collect::<Vec<_>>().join("\n"),
        Verdict::Fail(miss) => miss.facts.iter().map(|f| f.text.clone()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_honest_proxy() {
    for ports in [(80, 443), (8000, 8443)] {
        let world = with(|t| t.ports = ports);
        for spec in lab03().checks.iter().filter(|s| s.card.id != "list-case") {
            passes(&judge(&spec.card.id, &world).await);
        }
        assert_eq!(world.lock().twins.first().map(|t| t.amplify.clone()), Some(vec!["api".to_owned()]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_does_not_serve() {
    let mut unrouted = with(|t| {
        t.routes.remove("api.localhost");
        t.raw = raw(&[("traefik.localhost", "api@internal")], &[]);
    });
    fails(&judge("route", &unrouted).await, "ne connaît aucun routeur");
    unrouted.traefik.as_mut().expect("proxy").raw = serde_json::json!({"routers": {"api@docker": {
        "rule": "Host(`api.localhost`)", "entryPoints": ["web"], "status": "enabled"}}});
    fails(&judge("route", &unrouted).await, "requêtes en clair");
    unrouted.traefik.as_mut().expect("proxy").raw = serde_json::json!({"routers": {"api@docker": {
        "rule": "Host(`api.localhost`)", "tls": {}, "status": "disabled", "error": ["the service x does not exist"]}}});
    fails(&judge("route", &unrouted).await, "does not exist");

    for (behind, word) in [
        (Behind::Status(502), "502 Bad Gateway"),
        (Behind::Status(504), "504"),
        (Behind::Status(503), "aucun serveur"),
        (Behind::Silence, "aucune réponse de Traefik"),
        (Behind::Loop, "vers elle-même"),
        (Behind::Status(401), "401"),
        (Behind::Status(404), "répond 404"),
        (Behind::Fixed("bonjour".into()), "pas du JSON"),
        (Behind::Fixed("{\"status\":\"ok\"}".into()), "« status »"),
        (Behind::Sometimes, "pas toujours"),
    ] {
        fails(&judge("route", &route("api.localhost", behind)).await, word);
    }
    fails(&judge("route", &with(|t| t.secure = Secure::Clear)).await, "ne parle pas TLS");
    fails(&judge("route", &with(|t| t.secure = Secure::Strict)).await, "unrecognized_name");
    let mut closed = FakeWorld::lab03();
    closed.open.remove(&("traefik".into(), 443));
    closed.traefik.as_mut().expect("proxy").ports.1 = 444;
    fails(&judge("route", &closed).await, "n'écoute pas sur le port 443");
}

#[tokio::test(start_paused = true)]
async fn the_answer_must_be_that_of_the_api() {
    let canned = route("api.localhost", Behind::Fixed("{\"status\":\"healthy\"}".into()));
    fails(&judge("route", &canned).await, "0 comptées");
    // Without metrics, the answers are compared.
    let mut world = route("api.localhost", Behind::Fixed("{\"status\":\"healthy\"}".into()));
    world.app = App::CannedMetrics;
    fails(&judge("route", &world).await, "directement");
    let mut world = FakeWorld::lab03();
    world.app = App::CannedMetrics;
    passes(&judge("route", &world).await);
}

#[tokio::test(start_paused = true)]
async fn the_servers_behind_a_gateway_error_are_told() {
    let world = with(|t| {
        t.routes.insert("api.localhost".into(), Behind::Status(504));
        t.raw = raw(
            &[("api.localhost", "api"), ("traefik.localhost", "api@internal")],
            &[("api@docker", &["http://10.2.0.2:5000"])],
        );
    });
    let verdict = judge("route", &world).await;
    fails(&verdict, "« api » sur « backend »");
    let Verdict::Fail(miss) = verdict else { panic!() };
    assert!(miss.hint.contains("« traefik » n'est pas sur « backend »"), "{miss:#?}");
    assert!(miss.control.contains("« api » répond 200"), "{miss:#?}");
}

#[tokio::test(start_paused = true)]
async fn redirections() {
    for (clear, word) in [
        ((|h, p| (302, format!("https://{h}{p}"))) as fn(&str, &str) -> (u16, String), "temporaire"),
        (|h, p| (307, format!("https://{h}{p}")), "temporaire"),
        (|h, p| (301, format!("https://{h}:8443{p}")), "8443"),
        (|h, _| (301, format!("https://{h}/")), "ne mène pas"),
        (|_, p| (301, format!("https://www.localhost{p}")), "ne mène pas"),
        (|h, p| (301, format!("http://{h}{p}")), "ne mène pas"),
        (|_, _| (301, String::new()), "sans en-tête Location"),
        (|_, _| (200, String::new()), "servi en clair"),
        (|_, _| (404, String::new()), "404"),
        (
            |h, p| (if h.starts_with("api") { 301 } else { 404 }, format!("https://{h}{p}")),
            "traefik.localhost",
        ),
    ] {
        fails(&judge("redirect", &with(|t| t.clear = Some(clear))).await, word);
    }
    let kept: fn(&str, &str) -> (u16, String) = |h, p| (308, format!("https://{h}:443{p}"));
    passes(&judge("redirect", &with(|t| t.clear = Some(kept))).await);
    let named: fn(&str, &str) -> (u16, String) =
        |h, p| if h.starts_with("hote-") { (404, String::new()) } else { (301, format!("https://{h}{p}")) };
    let verdict = judge("redirect", &with(|t| t.clear = Some(named))).await;
    passes(&verdict);
    assert!(facts(&verdict).contains("celle de routeurs"), "{}", facts(&verdict));
    let mut deaf = FakeWorld::lab03();
    deaf.open.remove(&("traefik".into(), 80));
    deaf.traefik.as_mut().expect("proxy").ports.0 = 81;
    fails(&judge("redirect", &deaf).await, "n'écoute pas en clair");
}

#[tokio::test(start_paused = true)]
async fn certificates() {
    let both = ["api.localhost", "traefik.localhost"];
    for (subject, names, days, word) in [
        ("tp-docker", &both[..], (-1, 7), "expire bientôt"),
        ("tp-docker", &both, (-20, -2), "a expiré"),
        ("tp-docker", &both, (3, 300), "pas encore valable"),
        ("tp-docker", &[], (-1, 300), "aucun nom"),
        ("tp-docker", &both[..1], (-1, 300), "ne vaut pas pour traefik.localhost"),
        ("api.localhost", &both, (-1, 300), "sujet"),
        ("tp-docker", &["*.localhost"], (-1, 300), "ne vaut pas"),
    ] {
        let shown = certificate(subject, names, days);
        let world = with(|t| t.shown = [(String::new(), shown)].into());
        fails(&judge("certificate", &world).await, word);
    }
    // Traefik's own, because none of the names is in the student's.
    let world = with(|t| {
        let own = certificate("tp-docker", &[], (-1, 300));
        t.shown.retain(|name, _| name.is_empty());
        t.shown.insert("tp-docker".into(), own);
    });
    fails(&judge("certificate", &world).await, "votre certificat est chargé");
    // The right one for one name only.
    let world = with(|t| {
        t.shown.remove("traefik.localhost");
    });
    let verdict = judge("certificate", &world).await;
    fails(&verdict, "certificat par défaut pour traefik.localhost");
    let Verdict::Fail(miss) = verdict else { panic!() };
    assert!(miss.control.contains("api.localhost"), "{miss:#?}");
    let world = with(|t| t.shown = [(String::new(), "AAAA".into())].into());
    fails(&judge("certificate", &world).await, "illisible");
    fails(&judge("certificate", &with(|t| t.secure = Secure::Strict)).await, "unrecognized_name");
    fails(&judge("certificate", &with(|t| t.secure = Secure::Clear)).await, "ne parle pas TLS");
}

#[tokio::test(start_paused = true)]
async fn dashboards() {
    let own = "traefik.localhost";
    let none = with(|t| {
        t.routes.remove(own);
    });
    fails(&judge("dashboard", &none).await, "ne montre pas");
    fails(&judge("dashboard", &route(own, Behind::Status(401))).await, "401");
    fails(&judge("dashboard", &route(own, Behind::OnlyPage)).await, "sans ses données");
    fails(&judge("dashboard", &route(own, Behind::Fixed("<html>".into()))).await, "autre chose");
    let unlisted = with(|t| t.raw = raw(&[(own, "api@internal")], &[]));
    fails(&judge("dashboard", &unlisted).await, "aucun routeur en vigueur pour api.localhost");
    let borrowed = with(|t| t.raw = raw(&[("api.localhost", "api"), (own, "soi")], &[]));
    fails(&judge("dashboard", &borrowed).await, "« soi »");
}

#[tokio::test(start_paused = true)]
async fn faults_cost_nothing() {
    let mut world = FakeWorld::lab03();
    world.probe_broken = true;
    for check in ["route", "redirect", "certificate", "list", "dashboard", "exposed", "network"] {
        unsure(&judge(check, &world).await);
    }
    let mut world = FakeWorld::lab03();
    world.declared.services.remove("traefik");
    for check in ["route", "redirect", "certificate", "list", "dashboard", "exposed", "network"] {
        fails(&judge(check, &world).await, "traefik");
    }
}

#[test]
fn faulty_declarations_are_refused() {
    for (kind, word) in [
        (
            "route = { via = \"t\", host = \"a b\", path = \"/\", status = 200, to = \"a\", to-port = 1 }",
            "nom d'hôte",
        ),
        ("redirect = { via = \"t\", host = \"a\", path = \"x\" }", "commence par /"),
        ("certificate = { via = \"t\", host = \"a\", subject = \"s\", names = [], valid = \"1d\" }", "names"),
        (
            "allow-list = { via = \"t\", host = \"a\", path = \"/\", inside = \"n\", outside = \"n\", alive = \"/\" }",
            "inside",
        ),
        ("exposed-only = { via = \"t\", host = \"a\", hidden = [] }", "hidden"),
        ("dashboard = { via = \"t\", host = \"a\", lists = [\"b/\"] }", "nom d'hôte"),
        ("chosen-network = { via = \"t\", host = \"\", service = \"a\", network = \"n\" }", "nom d'hôte"),
    ] {
        let head = LAB.split("[[check]]").next().unwrap_or_default();
        let text = format!("{head}[[check]]\nid = \"a\"\npoints = 1\ntitle = \"t\"\n{kind}\n");
        match lab::parse("lab.toml", &text, PathBuf::new()) {
            Ok(_) => panic!("accepted: {kind}"),
            Err(error) => assert!(error.what.contains(word), "{kind}: {error}"),
        }
    }
}
