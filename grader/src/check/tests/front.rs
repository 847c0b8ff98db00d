//! Lab 11: applications beneath a prefix, replicas, images.

use serde_json::json;

use super::super::deep::{Executed, Process, Weight};
use super::super::testing::deep::FakeExec;
use super::super::testing::{FakeWorld, instance};
use super::super::world::{DeclaredPort, wire};
use super::{fails, judge, passes, unsure};

/// What is wrong with the fake proxy, if anything is.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// It leads to another application.
    Crossed,
    /// It writes the cards itself.
    Forged,
    /// It drops what follows the « ? ».
    Deaf,
    /// Links and redirections leave the prefix.
    Rootless,
    /// The last slash is asked for.
    Slashless,
    /// The last replica is never asked.
    Lame,
    /// A replica that is stopped is still asked.
    Stubborn,
}

const APPS: [&str; 5] = ["app1", "app2", "app3", "app4", "app5"];

fn hostname(app: &str, rank: usize) -> String {
    format!("{app}-host-{rank}")
}

fn page(world: &FakeWorld, fault: Fault, ask: &wire::Http) -> (u16, String) {
    let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
    let app = path.split('/').nth(1).filter(|a| APPS.contains(a)).unwrap_or("app5");
    let rest = path.strip_prefix(&format!("/{app}")).unwrap_or(path);
    let turn = {
        let mut memory = world.lock();
        memory.calls += 1;
        usize::try_from(memory.calls).unwrap_or(0)
    };
    let stopped = world.is_cut("app3-0");
    let rank = match (app, fault) {
        ("app3", Fault::Lame) => turn % 4,
        ("app3", _) => turn % 5,
        _ => 0,
    };
    if app == "app3" && stopped && fault == Fault::Stubborn && rank == 0 {
        return (502, "Bad Gateway".into());
    }
    let name = if fault == Fault::Crossed { "app2" } else { app };
    let host = if fault == Fault::Forged { "app2".to_owned() } else { hostname(app, rank) };
    let token = query.strip_prefix("jeton=").filter(|_| fault != Fault::Deaf).unwrap_or_default();
    let prefix = if fault == Fault::Rootless { String::new() } else { format!("/{app}") };
    match rest {
        "" if fault == Fault::Slashless => (404, String::new()),
        "" | "/depart" => (302, String::new()),
        "/" => (200, format!("<link rel=stylesheet href='{prefix}/static/style.css'>")),
        "/static/style.css" => (200, format!("/* {app} */")),
        _ => (200, json!({"application": name, "instance": host, "jeton": token}).to_string()),
    }
}

fn head(fault: Fault, ask: &wire::Http) -> Vec<(String, String)> {
    let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
    let app = path.split('/').nth(1).unwrap_or_default();
    let to = match path.strip_prefix(&format!("/{app}")).unwrap_or_default() {
        "" => format!("http://localhost/{app}/"),
        "/depart" if fault == Fault::Rootless => format!("/arrivee?{query}"),
        "/depart" => format!("/{app}/arrivee?{query}"),
        _ => return vec![("Content-Type".into(), "text/css; charset=utf-8".into())],
    };
    vec![("Location".into(), to)]
}

fn shop(fault: Fault) -> FakeWorld {
    let mut world = FakeWorld::lab01();
    world.declared.services.clear();
    world.add("frontal", &[("default", "10.1.0.2")], &[80]);
    for (rank, app) in APPS.iter().enumerate() {
        let ip = format!("10.1.0.{}", 10 + rank * 10);
        world.add(app, &[("default", &ip)], &[5000, 8000, 9005]);
        let copies = if *app == "app3" { 5 } else { 1 };
        let all = (0..copies).map(|n| {
            let mut one = instance(app, &format!("10.1.0.{}", 10 + rank * 10 + n));
            one.attachments[0].network = "default".into();
            one
        });
        world.instances.insert((*app).into(), all.collect());
        let seen = (0..copies).map(|n| json!({"Config": {"Hostname": hostname(app, n), "User": "vitrine"}}));
        world.deep.inspections.insert((*app).into(), seen.collect());
        let service = world.declared.services.get_mut(*app).expect("declared");
        service.build_context = Some((*app).into());
        service.image = Some(format!("localhost:5000/vitrine-{app}:1.0.0"));
        let weight = Weight { bytes: 220_000_000, base: "python:3.11-slim".into(), base_bytes: 200_000_000 };
        world.deep.weights.insert((*app).into(), weight);
        world.deep.owners.insert((*app).into(), vec![Process { uid: 10_001, command: "gunicorn".into() }]);
    }
    for (service, host, target) in [("frontal", "80", 80), ("app5", "9005", 8000)] {
        let port =
            DeclaredPort { target, published: Some(host.into()), host_ip: None, protocol: "tcp".into() };
        world.declared.services.get_mut(service).expect("declared").ports.push(port);
    }
    world.deep.exec =
        Some(Box::new(|_, _, _| Executed { code: Some(0), out: b"10001\n".to_vec(), err: String::new() }));
    for (service, port) in [("frontal", 80), ("app5", 8000)] {
        world.pages.insert((service.into(), port), Box::new(move |world, ask| page(world, fault, ask)));
        world.heads.insert((service.into(), port), Box::new(move |ask| head(fault, ask)));
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_path_leads_to_its_application() {
    passes(&judge("11", "chemin-app1", &shop(Fault::None)).await);
    passes(&judge("11", "direct-app5", &shop(Fault::None)).await);
    fails(&judge("11", "chemin-app1", &shop(Fault::Crossed)).await, "une autre application");
    fails(&judge("11", "chemin-app1", &shop(Fault::Forged)).await, "aucun conteneur");
    fails(&judge("11", "chemin-app1", &shop(Fault::Deaf)).await, "jeton");
    let mut world = shop(Fault::None);
    world.instances.remove("frontal");
    fails(&judge("11", "chemin-app1", &world).await, "pas en marche");
}

#[tokio::test(start_paused = true)]
async fn what_is_beneath_a_prefix_stays_there() {
    for check in ["statiques", "redirections", "barre-finale"] {
        passes(&judge("11", check, &shop(Fault::None)).await);
    }
    fails(&judge("11", "statiques", &shop(Fault::Rootless)).await, "sortent du préfixe");
    fails(&judge("11", "redirections", &shop(Fault::Rootless)).await, "sort du préfixe");
    fails(&judge("11", "redirections", &shop(Fault::Deaf)).await, "jeton");
    fails(&judge("11", "barre-finale", &shop(Fault::Slashless)).await, "404");
}

#[tokio::test(start_paused = true)]
async fn replicas_by_their_host_names() {
    passes(&judge("11", "repliques", &shop(Fault::None)).await);
    fails(&judge("11", "repliques", &shop(Fault::Lame)).await, "ne répondent jamais");
    fails(&judge("11", "repliques", &shop(Fault::Forged)).await, "à la place");
    fails(&judge("11", "repliques", &shop(Fault::Deaf)).await, "ne viennent pas");
    let mut world = shop(Fault::None);
    world.instances.get_mut("app3").expect("declared").pop();
    fails(&judge("11", "repliques", &world).await, "4 réplique(s) au lieu de 5");
    passes(&judge("11", "perte", &shop(Fault::None)).await);
    fails(&judge("11", "perte", &shop(Fault::Stubborn)).await, "appels manqués");
    // The same addresses again prove nothing.
    unsure(&judge("11", "recreees", &shop(Fault::None)).await);
    passes(&judge("11", "retard", &shop(Fault::None)).await);
}

#[tokio::test(start_paused = true)]
async fn images_hold_what_runs() {
    for check in ["poids", "sans-outils", "non-root", "registre", "ports"] {
        passes(&judge("11", check, &shop(Fault::None)).await);
    }
    let mut world = shop(Fault::None);
    world.deep.weights.get_mut("app2").expect("weight").bytes = 290_000_000;
    fails(&judge("11", "poids", &world).await, "90,0 Mo");
    world.deep.weights.insert(
        "app2".into(),
        Weight { bytes: 900_000_000, base: "python:3.11".into(), base_bytes: 890_000_000 },
    );
    fails(&judge("11", "poids", &world).await, "base trop lourde");
    let mut world = shop(Fault::None);
    world.paths.insert("/usr/bin/gcc".into());
    fails(&judge("11", "sans-outils", &world).await, "compilateur");
    let mut world = shop(Fault::None);
    world.paths.insert("/root/.cache/pip".into());
    fails(&judge("11", "sans-outils", &world).await, "cache de pip");
    let mut world = shop(Fault::None);
    let found =
        b"/usr/local/lib/python3.11/ensurepip/_bundled/pip.whl\n/wheels/flask-3.0.3-py3-none-any.whl\n";
    let exec = |said: &'static [u8]| -> Option<FakeExec> {
        Some(Box::new(move |_, _, _| Executed { code: Some(0), out: said.to_vec(), err: String::new() }))
    };
    world.deep.exec = exec(found);
    fails(&judge("11", "sans-outils", &world).await, "archives");
    world.deep.exec = exec(b"/usr/bin/x86_64-linux-gnu-gcc-12\n");
    fails(&judge("11", "sans-outils", &world).await, "gcc-12");
    world.deep.exec = exec(b"/usr/lib/x86_64-linux-gnu/libgcc_s.so.1\n/usr/bin/c++filt\n");
    passes(&judge("11", "sans-outils", &world).await);
    let mut world = shop(Fault::None);
    world.deep.owners.insert("app2".into(), vec![Process { uid: 0, command: "gunicorn".into() }]);
    fails(&judge("11", "non-root", &world).await, "root");
}

#[tokio::test(start_paused = true)]
async fn names_that_can_be_published() {
    for (image, word) in [
        (None, "pas de clé image"),
        (Some("vitrine-app2:1.0.0"), "pas publiable"),
        (Some("localhost:5000/vitrine-app2"), "pas publiable"),
        (Some("localhost:5000/vitrine-app4:1.0.0"), "porte le même nom"),
    ] {
        let mut world = shop(Fault::None);
        world.declared.services.get_mut("app2").expect("declared").image = image.map(str::to_owned);
        fails(&judge("11", "registre", &world).await, word);
    }
    for (service, published) in
        [("app2", Some("9002")), ("app2", None), ("app2", Some("80")), ("app5", Some("9006"))]
    {
        let mut world = shop(Fault::None);
        let ports = &mut world.declared.services.get_mut(service).expect("declared").ports;
        let published = published.map(str::to_owned);
        ports.push(DeclaredPort { target: 5000, published, host_ip: None, protocol: "tcp".into() });
        fails(&judge("11", "ports", &world).await, "de trop");
    }
    let mut world = shop(Fault::None);
    world.declared.services.get_mut("app5").expect("declared").ports.clear();
    fails(&judge("11", "ports", &world).await, "9005");
}
