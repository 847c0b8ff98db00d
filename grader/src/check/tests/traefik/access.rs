//! Who may read what, what is exposed, and by which network.

use std::time::Duration;

use super::super::super::testing::{Behind, FakeWorld, raw};
use super::super::super::world::HostAnswer;
use super::{facts, fails, judge, passes, route, unsure, with};

fn ranges(text: &str) -> Vec<ipnet::IpNet> {
    vec![text.parse().expect("a range")]
}

#[tokio::test(start_paused = true)]
async fn an_allow_list_that_leaks() {
    fails(&judge("list", &with(|t| t.allowed = None)).await, "ouvert à tous");
    fails(&judge("list", &with(|t| t.allowed = Some(ranges("10.0.0.0/8")))).await, "ouvert à tous");
    fails(&judge("list", &with(|t| t.believes = true)).await, "prétend venir");
    fails(&judge("list", &with(|t| t.clear = None)).await, "servi en clair");
    let exact: fn(&str) -> bool = |path| path.split('?').next() == Some("/metrics");
    fails(&judge("list", &with(|t| t.protects = exact)).await, "autre écriture");
    let machine = "10.3.0.1".parse().expect("an address");
    let verdict = judge("list", &with(|t| t.machine = machine)).await;
    fails(&verdict, "ouvert à la machine");
    // Case is told, and judged where the lab asks for it.
    let world = FakeWorld::lab03();
    let verdict = judge("list", &world).await;
    passes(&verdict);
    assert!(facts(&verdict).contains("ne distingue pas la casse"), "{}", facts(&verdict));
    fails(&judge("list-case", &world).await, "/METRICS");
}

#[tokio::test(start_paused = true)]
async fn an_allow_list_that_serves_the_metrics_in_clear() {
    let world = with(|t| {
        t.clear = Some(|_, _| (200, String::new()));
    });
    // Nothing of the metrics in it: no leak.
    passes(&judge("list", &world).await);
}

#[tokio::test(start_paused = true)]
async fn an_allow_list_that_shuts_too_much() {
    fails(&judge("list", &with(|t| t.allowed = Some(ranges("192.168.7.0/24")))).await, "refusé même depuis");
    fails(&judge("list", &with(|t| t.protects = |_| true)).await, "ferme tout le site");
    fails(&judge("list", &with(|t| t.refusal = 404)).await, "pas refusé par 403");
    fails(&judge("list", &route("api.localhost", Behind::Status(502))).await, "ne répond pas");
    fails(&judge("list", &route("api.localhost", Behind::Status(403))).await, "refusé même depuis");
    let page = "# TYPE app_requests_total counter\napp_requests_total{endpoint=\"/health\"} 3\n";
    fails(&judge("list", &route("api.localhost", Behind::Fixed(page.into()))).await, "figées");
    let mut world = FakeWorld::lab03();
    world.add("traefik", &[("frontend", "10.1.0.9")], &[80, 443]);
    fails(&judge("list", &world).await, "n'est pas sur le réseau « supervision »");
    // The control itself fails from the machine: nothing is said.
    let mut world = FakeWorld::lab03();
    world.host = HostAnswer { error: Some("reset".into()), ..HostAnswer::default() };
    world.instances.get_mut("traefik").expect("traefik")[0].published.clear();
    passes(&judge("list", &world).await);
}

#[tokio::test(start_paused = true)]
async fn exposed_services() {
    let routers = [("api.localhost", "api"), ("traefik.localhost", "api@internal")];
    let exposed = with(|t| {
        let servers: &[(&str, &[&str])] =
            &[("api@docker", &["http://10.1.0.2:5000"]), ("redis-tp@docker", &["http://10.2.0.4:6379"])];
        t.raw = raw(&routers, servers);
    });
    fails(&judge("exposed", &exposed).await, "redis-tp@docker");
    // Seen by Traefik two seconds after the rest, which it shows at once.
    let late = with(|t| {
        let api = ("api@docker", &["http://10.1.0.2:5000"] as &[&str]);
        t.raw = raw(&routers, &[api, ("redis-tp@docker", &["http://10.2.0.4:6379"])]);
        t.early = Some((Duration::from_secs(2), raw(&routers, &[api])));
    });
    fails(&judge("exposed", &late).await, "redis-tp@docker");
    let empty = with(|t| t.raw = raw(&routers, &[]));
    fails(&judge("exposed", &empty).await, "aucun service");
    let silent = with(|t| {
        t.routes.remove("traefik.localhost");
    });
    fails(&judge("exposed", &silent).await, "404");
    // By the default rule, whatever the API says.
    let by_default = route("postgres-tpfake", Behind::Status(502));
    fails(&judge("exposed", &by_default).await, "postgres-tpfake");
    let mut stopped = FakeWorld::lab03();
    stopped.instances.remove("redis");
    unsure(&judge("exposed", &stopped).await);
}

#[tokio::test(start_paused = true)]
async fn a_network_left_to_chance() {
    let routers = [("api.localhost", "api"), ("traefik.localhost", "api@internal")];
    let with_servers = |now: &[&str], drawn: Option<&[&str]>| {
        with(|t| {
            t.raw = raw(&routers, &[("api@docker", now)]);
            t.twin = drawn.map(|d| raw(&routers, &[("api@docker", d)]));
        })
    };
    let (front, back) = ("http://10.1.0.2:5000", "http://10.2.0.2:5000");
    fails(&judge("network", &with_servers(&[front], Some(&[front, back]))).await, "hasard");
    fails(&judge("network", &with_servers(&[back], Some(&[front]))).await, "hasard");
    fails(&judge("network", &with_servers(&[back], Some(&[back]))).await, "autre réseau");
    passes(&judge("network", &with_servers(&["http://api:5000"], Some(&["http://api:5000"]))).await);
    fails(
        &judge("network", &with_servers(&["http://10.9.9.9:1"], Some(&[front]))).await,
        "ne mène à « api »",
    );
    unsure(&judge("network", &with_servers(&[front], None)).await);
    unsure(&judge("network", &with_servers(&[front], Some(&[]))).await);
    let mut away = FakeWorld::lab03();
    away.add("api", &[("backend", "10.2.0.2")], &[5000]);
    fails(&judge("network", &away).await, "n'est pas sur le réseau");
}

#[tokio::test(start_paused = true)]
async fn a_port_that_must_be_closed() {
    let mut world = FakeWorld::lab03();
    passes(&judge("closed", &world).await);
    world.open.insert(("traefik".into(), 8080));
    fails(&judge("closed", &world).await, "8080");
}
