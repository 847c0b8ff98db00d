//! Lab 08: secrets, profiles, restarts, and a script that tells the truth or not.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::deep::{Dotenv, Executed, Fallback};
use super::super::doors::{By, Door, Doors};
use super::super::testing::FakeWorld;
use super::super::world::{DeclaredProfile, Health};
use super::super::{Check, Cx, Memo};
use super::{fails, judge, lab, passes};

const SERVICES: [&str; 12] = [
    "zookeeper",
    "kafka",
    "kafka-ui",
    "postgres",
    "timescaledb",
    "influxdb",
    "redis",
    "minio",
    "mlflow",
    "prometheus",
    "grafana",
    "jaeger",
];

/// Twelve healthy services, with their `.env`.
fn stack() -> FakeWorld {
    let mut world = FakeWorld::lab01();
    for (index, service) in SERVICES.iter().enumerate() {
        world.add(service, &[("mantis", &format!("10.3.0.{}", index + 2))], &[]);
        let declared = world.declared.services.get_mut(*service).expect("just added");
        declared.healthcheck = Some(vec!["CMD-SHELL".into(), "test".into()]);
        for instance in world.instances.get_mut(*service).into_iter().flatten() {
            instance.health = Some(Health::Healthy);
        }
        let seen = json!({
            "Id": format!("{service}-0"),
            "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
            "State": {"Running": true, "StartedAt": "2026-11-21T20:00:00Z"},
        });
        world.deep.inspections.insert((*service).to_owned(), vec![seen]);
    }
    let names = &lab("08").experiments.dotenv.expect("a .env").secrets;
    let of =
        |value: &str| names.iter().map(|name| (name.clone(), value.to_owned())).collect::<BTreeMap<_, _>>();
    world.deep.dotenv = Some(Dotenv {
        drawn: of("k0123456789"),
        example: ".env.example".into(),
        offered: Some(of("<mot de passe>")),
        ..Dotenv::default()
    });
    world.deep.revives = true;
    world.files.insert("scripts/test-infrastructure.sh".into(), "exit 0\n".into());
    world
}

#[tokio::test(start_paused = true)]
async fn secrets_in_no_file() {
    let mut world = stack();
    passes(&judge("08", "env-exemple", &world).await);
    passes(&judge("08", "sans-defaut", &world).await);
    let made = world.deep.dotenv.as_mut().expect("a .env");
    made.own.insert("REDIS_PASSWORD".into(), "Sable-Mouvant".into());
    world.files.insert("NOTES.md".into(), "redis-cli -a Sable-Mouvant\n".into());
    fails(&judge("08", "sans-defaut", &world).await, "NOTES.md");
    let made = world.deep.dotenv.as_mut().expect("a .env");
    made.unused.push("INFLUXDB_PASSWORD".into());
    fails(&judge("08", "sans-defaut", &world).await, "ne sert à personne");
    let made = world.deep.dotenv.as_mut().expect("a .env");
    let path = ["services", "redis", "command", "2"].map(str::to_owned).to_vec();
    made.fallbacks.push(Fallback { name: "REDIS_PASSWORD".into(), path });
    fails(&judge("08", "sans-defaut", &world).await, "personne ne la donne");
    let made = world.deep.dotenv.as_mut().expect("a .env");
    made.offered.as_mut().expect("an example").insert("REDIS_PASSWORD".into(), "mantis_redis".into());
    fails(&judge("08", "env-exemple", &world).await, "vraie valeur");
    let made = world.deep.dotenv.as_mut().expect("a .env");
    made.offered.as_mut().expect("an example").remove("REDIS_PASSWORD");
    fails(&judge("08", "env-exemple", &world).await, "ne nomme pas");
    world.deep.dotenv.as_mut().expect("a .env").offered = None;
    fails(&judge("08", "env-exemple", &world).await, "manque");
}

#[tokio::test(start_paused = true)]
async fn a_light_profile() {
    let mut world = stack();
    let light = ["postgres", "redis", "minio", "mlflow", "prometheus", "grafana"];
    let of = |each: Option<u64>| DeclaredProfile {
        services: light.iter().map(|s| ((*s).to_owned(), each)).collect(),
        refused: None,
    };
    let mut with = |profile: DeclaredProfile| world.declared.profiles.insert("leger".into(), profile);
    with(of(Some(256 << 20)));
    passes(&judge("08", "profil-leger", &world).await);
    let mut with = |profile: DeclaredProfile| world.declared.profiles.insert("leger".into(), profile);
    with(of(Some(512 << 20)));
    fails(&judge("08", "profil-leger", &world).await, "3072 Mio");
    let mut with = |profile: DeclaredProfile| world.declared.profiles.insert("leger".into(), profile);
    with(of(None));
    fails(&judge("08", "profil-leger", &world).await, "pas de limite");
    let mut more = of(Some(1 << 20));
    more.services.insert("kafka".into(), Some(1 << 20));
    world.declared.profiles.insert("leger".into(), more);
    fails(&judge("08", "profil-leger", &world).await, "rien à faire");
    let refused = DeclaredProfile { refused: Some("kafka est inconnu".into()), ..DeclaredProfile::default() };
    world.declared.profiles.insert("leger".into(), refused);
    fails(&judge("08", "profil-leger", &world).await, "ne tient pas");
}

#[tokio::test(start_paused = true)]
async fn what_is_killed_comes_back() {
    let mut world = stack();
    passes(&judge("08", "redemarrage", &world).await);
    world.deep.revives = false;
    fails(&judge("08", "redemarrage", &world).await, "ne revient pas");
    let mut world = stack();
    let seen = world.deep.inspections.get_mut("redis").expect("inspected");
    seen[0]["HostConfig"]["RestartPolicy"]["Name"] = json!("always");
    fails(&judge("08", "redemarrage", &world).await, "politique");
}

/// A script whose lines are made from the name of a service and whether it is well now.
fn told(
    line: impl Fn(&str, bool) -> Option<String> + Send + Sync + 'static,
    code: fn(bool) -> i64,
) -> FakeWorld {
    let mut world = stack();
    world.deep.script = Some(Box::new(move |world, _| {
        let broken = |service: &str| {
            let memory = world.lock();
            memory.frozen.contains_key(service)
                || memory.ended.iter().any(|(name, _, until)| name == service && until.is_none())
        };
        let lines: Vec<String> = SERVICES.iter().filter_map(|s| line(s, !broken(s))).collect();
        let all = SERVICES.iter().all(|s| !broken(s));
        Executed { code: Some(code(all)), out: lines.join("\n").into_bytes(), err: String::new() }
    }));
    world
}

#[expect(clippy::unnecessary_wraps, reason = "a script may be silent about a service")]
fn honest(service: &str, well: bool) -> Option<String> {
    Some(format!("{service} : {}", if well { "OK" } else { "ECHEC" }))
}

#[tokio::test(start_paused = true)]
async fn a_script_that_tells_the_truth() {
    let world = told(honest, |well| i64::from(!well));
    for check in ["script-sain", "script-panne", "script-code"] {
        passes(&judge("08", check, &world).await);
    }
}

#[tokio::test(start_paused = true)]
async fn scripts_that_do_not() {
    fails(&judge("08", "script-code", &told(honest, |_| 0)).await, "code 0");
    fails(&judge("08", "script-sain", &told(honest, |_| 1)).await, "code 1");
    let blind = |service: &str, _: bool| Some(format!("{service} OK"));
    passes(&judge("08", "script-sain", &told(blind, |_| 0)).await);
    fails(&judge("08", "script-panne", &told(blind, |_| 1)).await, "est en panne");
    let silent = |service: &str, well: bool| well.then(|| format!("{service} OK"));
    fails(&judge("08", "script-panne", &told(silent, |_| 1)).await, "ne dit rien");
    let sad = |service: &str, _: bool| Some(format!("{service} ECHEC"));
    fails(&judge("08", "script-sain", &told(sad, |_| 1)).await, "qui va bien");
    let mut world = told(honest, |_| 0);
    world.files.clear();
    fails(&judge("08", "script-sain", &world).await, "manque");
}

#[tokio::test(start_paused = true)]
async fn a_door_and_its_key() {
    let mut world = stack();
    world.open.insert(("postgres".into(), 5432));
    world.deep.password = Some("k0123456789".into());
    let door = Door {
        service: "postgres".into(),
        secret: "POSTGRES_PASSWORD".into(),
        by: By::Postgres,
        port: 5432,
        user: "mantis".into(),
        database: String::new(),
        path: String::new(),
    };
    let (lab, memo) = (lab("08"), Memo::default());
    let doors = Doors { to: vec![door] };
    for (password, word) in [
        (Some("k0123456789"), ""),
        (Some("mantis_password"), "n'a pas pour secret"),
        (None, "sans la valeur"),
    ] {
        world.deep.password = password.map(str::to_owned);
        let cx = Cx { world: &world, experiments: &lab.experiments, memo: &memo, second: None };
        let verdict = doors.judge(&cx).await.expect("no fault");
        if word.is_empty() { passes(&verdict) } else { fails(&verdict, word) }
    }
}
