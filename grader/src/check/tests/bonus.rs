//! The challenges of lab 07: replicas, sick replicas, alerts, secrets.

use serde_json::{Value, json};

use super::super::deep::{Delivery, Drawn, Trace};
use super::super::testing::FakeWorld;
use super::super::world::wire;
use super::{fails, judge, passes};

/// How the fake proxy chooses among the replicas.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    /// In turn, and the sick ones no more, two seconds after they got sick.
    Healthy,
    /// In turn, sick or not.
    Blind,
    /// In turn, but a replica that was sick once is left out for ever.
    Grudge,
    /// Always the same.
    Sticky,
}

const REPLICAS: [&str; 3] = ["api", "api2", "api3"];

fn rawdata(interval: &str) -> String {
    let servers =
        ["10.1.0.2", "10.1.0.12", "10.1.0.13"].map(|ip| json!({"url": format!("http://{ip}:5000")}));
    let check = json!({"path": "/ready", "interval": interval, "timeout": "1s"});
    let balancer = if interval.is_empty() {
        json!({"servers": servers})
    } else {
        json!({"servers": servers, "healthCheck": check})
    };
    json!({"routers": {}, "services": {"api@docker": {"loadBalancer": balancer, "status": "enabled"}}})
        .to_string()
}

/// Whether a replica is in the pool.
fn is_in(world: &FakeWorld, choice: Choice, name: &str) -> bool {
    let now = world.unix_us();
    let Some((since, until)) = world.lock().cut.get(&format!("{name}-0")).copied() else { return true };
    let out = now - since > 2_000_000;
    match choice {
        Choice::Healthy => !out || until.is_some_and(|until| now - until > 2_000_000),
        Choice::Grudge => !out,
        Choice::Blind | Choice::Sticky => true,
    }
}

fn proxy(world: &FakeWorld, choice: Choice, path: &str) -> (u16, String) {
    let pool: Vec<&str> = REPLICAS.iter().copied().filter(|name| is_in(world, choice, name)).collect();
    let turn = {
        let mut memory = world.lock();
        memory.calls += 1;
        usize::try_from(memory.calls).unwrap_or(0)
    };
    let name = if choice == Choice::Sticky { "api2" } else { pool[turn % pool.len()] };
    serve(world, name, path)
}

fn serve(world: &FakeWorld, name: &str, path: &str) -> (u16, String) {
    let key = format!("{name}{path}");
    if path == "/metrics" {
        let n = world.lock().counted.get(&format!("{name}/api/data")).copied().unwrap_or(0);
        return (200, format!("app_requests_total{{endpoint=\"/api/data\",method=\"GET\"}} {n}\n"));
    }
    *world.lock().counted.entry(key).or_default() += 1;
    if world.is_cut(&format!("{name}-0")) { (503, "{}".into()) } else { (200, "{}".into()) }
}

fn farm(choice: Choice, interval: &'static str) -> FakeWorld {
    let mut world = FakeWorld::lab02();
    world.add("api2", &[("frontend", "10.1.0.12"), ("backend", "10.2.0.12")], &[5000]);
    world.add("api3", &[("frontend", "10.1.0.13"), ("backend", "10.2.0.13")], &[5000]);
    world.add("traefik", &[("frontend", "10.1.0.9")], &[80, 443]);
    for name in REPLICAS {
        let page = move |world: &FakeWorld, ask: &wire::Http| serve(world, name, &ask.path);
        world.pages.insert((name.into(), 5000), Box::new(page));
    }
    let page = move |world: &FakeWorld, ask: &wire::Http| match ask.path.as_str() {
        "/api/rawdata" => (200, rawdata(interval)),
        path => proxy(world, choice, path),
    };
    world.pages.insert(("traefik".into(), 443), Box::new(page));
    world
}

#[tokio::test(start_paused = true)]
async fn replicas_that_share() {
    passes(&judge("07", "repartition", &farm(Choice::Blind, "2s")).await);
    fails(&judge("07", "repartition", &farm(Choice::Sticky, "2s")).await, "ne reçoit rien");
    let mut world = farm(Choice::Blind, "2s");
    world.instances.remove("api3");
    fails(&judge("07", "repartition", &world).await, "2 répliques au lieu de 3");
    fails(&judge("07", "repartition", &FakeWorld::lab02()).await, "traefik");
}

#[tokio::test(start_paused = true)]
async fn a_sick_replica_leaves_and_comes_back() {
    passes(&judge("07", "malade-ecartee", &farm(Choice::Healthy, "2s")).await);
    fails(&judge("07", "malade-ecartee", &farm(Choice::Blind, "2s")).await, "reçoit toujours des visiteurs");
    fails(&judge("07", "malade-ecartee", &farm(Choice::Grudge, "2s")).await, "ne revient pas");
    fails(&judge("07", "malade-ecartee", &farm(Choice::Healthy, "30s")).await, "trop rarement");
    fails(&judge("07", "malade-ecartee", &farm(Choice::Healthy, "")).await, "défi non fait");
}

/// Alertmanager: whether it tells the end, and whether it groups.
fn alerting(resolved: bool, grouped: bool) -> FakeWorld {
    let mut world = farm(Choice::Blind, "2s");
    world.add("prometheus", &[("backend", "10.2.0.20")], &[9090]);
    world.add("alertmanager", &[("backend", "10.2.0.21")], &[9093]);
    world.add("recepteur", &[("backend", "10.2.0.22")], &[8080]);
    world.pages.insert(
        ("prometheus".into(), 9090),
        Box::new(|_, _| (200, json!({"data": {"groups": []}}).to_string())),
    );
    let given = |world: &FakeWorld, ask: &wire::Http| {
        if ask.method == "POST" {
            let all: Vec<Value> = serde_json::from_str(ask.body.as_deref().unwrap_or("[]")).expect("alerts");
            world.lock().given.extend(all);
        }
        (200, "[]".to_owned())
    };
    world.pages.insert(("alertmanager".into(), 9093), Box::new(given));
    world.deep.deliveries = Some(Box::new(move |world| deliveries(world, resolved, grouped)));
    world
}

fn deliveries(world: &FakeWorld, resolved: bool, grouped: bool) -> Vec<Delivery> {
    let now = world.unix_us();
    let from = "10.2.0.21".parse().ok();
    let message = |at_us, alerts: Vec<Value>| Delivery {
        at_us,
        from,
        path: "/a".into(),
        body: json!({"alerts": alerts}),
    };
    let mut sent = Vec::new();
    let memory = world.lock();
    if let Some((since, until)) = memory.cut.values().next().copied() {
        let starts = jiff::Timestamp::from_microsecond(since + 12_000_000).expect("a date").to_string();
        let alert = |status: &str| json!({"status": status, "startsAt": starts, "labels": {"alertname": "APIDown", "instance": "x"}});
        sent.push(message(since + 20_000_000, vec![alert("firing")]));
        if let Some(until) = until.filter(|_| resolved) {
            sent.push(message(until + 9_000_000, vec![alert("resolved")]));
        }
    }
    sent.retain(|d| d.at_us <= now);
    let given =
        memory.given.iter().map(|a| json!({"status": "firing", "startsAt": "x", "labels": a["labels"]}));
    if grouped {
        sent.push(message(now, given.collect()));
    } else {
        sent.extend(given.map(|alert| message(now, vec![alert])));
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn alerts_that_arrive() {
    for check in ["alerte-recue", "alerte-finie", "alertes-groupees"] {
        passes(&judge("07", check, &alerting(true, true)).await);
    }
    fails(&judge("07", "alerte-finie", &alerting(false, true)).await, "la fin");
    fails(&judge("07", "alertes-groupees", &alerting(true, false)).await, "autant de messages");
    let mut world = alerting(true, true);
    world.deep.deliveries = Some(Box::new(|world| {
        let mut all = deliveries(world, true, true);
        for one in &mut all {
            one.from = "10.2.0.99".parse().ok();
        }
        all
    }));
    fails(&judge("07", "alerte-recue", &world).await, "venues d'ailleurs");
    fails(&judge("07", "alerte-recue", &farm(Choice::Blind, "2s")).await, "défi non fait");
}

fn with_secret(password: &str) -> FakeWorld {
    let mut world = farm(Choice::Blind, "2s");
    world.deep.drawn = Some(Drawn {
        name: "mot_de_passe_bdd".into(),
        file: "secrets/x.txt".into(),
        value: "Tirage1Tirage2".into(),
        was: "ancien".into(),
    });
    world.deep.password = Some(password.to_owned());
    world
}

#[tokio::test(start_paused = true)]
async fn secrets_that_are_used_and_hidden() {
    passes(&judge("07", "secret-employe", &with_secret("Tirage1Tirage2")).await);
    fails(&judge("07", "secret-employe", &with_secret("ancien")).await, "est donc écrit ailleurs");
    let mut trusting = with_secret("");
    trusting.deep.password = None;
    fails(&judge("07", "secret-employe", &trusting).await, "n'importe quel mot de passe");
    fails(&judge("07", "secret-employe", &farm(Choice::Blind, "2s")).await, "défi non fait");

    passes(&judge("07", "secret-cache", &with_secret("Tirage1Tirage2")).await);
    let mut world = with_secret("Tirage1Tirage2");
    world.deep.inspections.insert("api".into(), vec![json!({"Config": {"Env": ["PASS=Tirage1Tirage2"]}})]);
    fails(&judge("07", "secret-cache", &world).await, "Config.Env (PASS)");
    let mut world = with_secret("Tirage1Tirage2");
    world.deep.processes.insert("api".into(), vec!["node app.js --p=Tirage1Tirage2".into()]);
    fails(&judge("07", "secret-cache", &world).await, "docker top");
    let mut world = with_secret("Tirage1Tirage2");
    world.deep.traces.insert("api".into(), vec![Trace::Layer]);
    fails(&judge("07", "secret-cache", &world).await, "couche");
}

#[tokio::test(start_paused = true)]
async fn challenges_left_aside_are_said_to_be() {
    let world = farm(Choice::Blind, "2s");
    for check in ["acme-emis", "alerte-recue", "secret-employe", "sauvegarde"] {
        fails(&judge("07", check, &world).await, "défi non fait");
    }
}
