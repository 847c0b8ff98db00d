use super::super::testing::{FakeWorld, attachment};
use super::super::world::{BringUp, Happening, StackEvent, State, wire};
use super::{fails, judge, passes, unsure};
use crate::event::Verdict;

fn lo() -> wire::Interface {
    let addr = wire::InterfaceAddr { ip: "127.0.0.1".parse().expect("ip"), prefix: 8 };
    wire::Interface { name: "lo".into(), up: true, addrs: vec![addr], mac: None }
}

fn device(name: &str, ip: Option<&str>) -> wire::Interface {
    let addrs = ip.map(|ip| wire::InterfaceAddr { ip: ip.parse().expect("ip"), prefix: 24 });
    wire::Interface { name: name.into(), up: ip.is_some(), addrs: addrs.into_iter().collect(), mac: None }
}

#[tokio::test(start_paused = true)]
async fn honest_lab_01() {
    let mut world = FakeWorld::lab01();
    world.interfaces.insert("muet".into(), vec![lo(), device("tunl0", None), device("sit0", None)]);
    world.files.insert(
        "reponses.yaml".into(),
        "\u{feff}sous_reseau: 172.30.0.0/24\r\npasserelle: '172.30.0.1'\r\nbridge_par_defaut_resout_les_noms: Non\r\ndocker_gwbridge_vient_de: Swarm\r\n".into(),
    );
    for spec in super::lab("01").checks {
        passes(&judge("01", &spec.card.id, &world).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_owned_by_another_container_fails() {
    let mut world = FakeWorld::lab01();
    world.add("leurre", &[("tp", "172.30.0.9")], &[80]);
    world
        .names
        .insert("serveur".into(), vec!["172.30.0.2".parse().expect("ip"), "172.30.0.9".parse().expect("ip")]);
    fails(&judge("01", "dns-serveur", &world).await, "leurre");
    world.names.insert("serveur".into(), vec!["172.30.0.9".parse().expect("ip")]);
    fails(&judge("01", "http-serveur", &world).await, "172.30.0.9");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_must_not_exist() {
    let mut world = FakeWorld::lab01();
    passes(&judge("01", "isole-noms", &world).await);
    // An outside resolver that answers anything: not an address of the stack.
    // (the control then resolves elsewhere too, which is no matter for this check)
    world.instances.get_mut("isole").expect("isole")[0].attachments.push(attachment("tp", "172.30.0.7"));
    fails(&judge("01", "isole-noms", &world).await, "serveur");
    let mut world = FakeWorld::lab01();
    world.add("isole", &[], &[]);
    fails(&judge("01", "isole-noms", &world).await, "résolveur");
    let mut world = FakeWorld::lab01();
    world.instances.remove("serveur");
    unsure(&judge("01", "isole-noms", &world).await);
}

#[tokio::test(start_paused = true)]
async fn isolation_of_lab_01() {
    let world = FakeWorld::lab01();
    passes(&judge("01", "isole-acces", &world).await);

    let mut world = FakeWorld::lab01();
    world.instances.get_mut("isole").expect("isole")[0].attachments.push(attachment("tp", "172.30.0.7"));
    fails(&judge("01", "isole-acces", &world).await, "« tp »");

    // Seen once while networks come and go, then no more: nothing is lost.
    let world = FakeWorld::lab01();
    world.memory.lock().expect("lock").leaks = 1;
    passes(&judge("01", "isole-acces", &world).await);

    // The engine is never quiet: no firm judgement.
    let mut world = FakeWorld::lab01();
    world.calm = false;
    world.memory.lock().expect("lock").leaks = 1;
    unsure(&judge("01", "isole-acces", &world).await);

    // A dead target proves nothing.
    let mut world = FakeWorld::lab01();
    world.open.clear();
    fails(&judge("01", "isole-acces", &world).await, "personne n'écoute");
}

#[tokio::test(start_paused = true)]
async fn isolation_of_lab_02() {
    let world = FakeWorld::lab02();
    passes(&judge("02", "isolation", &world).await);
    let mut world = FakeWorld::lab02();
    world.add("redis", &[("frontend", "10.1.0.4"), ("backend", "10.2.0.4")], &[6379]);
    fails(&judge("02", "isolation", &world).await, "frontend");
    let mut world = FakeWorld::lab02();
    world.declared.networks.remove("frontend");
    fails(&judge("02", "isolation", &world).await, "réseaux déclarés");
    let mut world = FakeWorld::lab02();
    world.add("api", &[("backend", "10.2.0.2")], &[5000]);
    fails(&judge("02", "isolation", &world).await, "api");
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_is_seen_also_when_the_engine_opened_a_bridge_for_an_instant() {
    for leaks in [0, 1] {
        let mut world = FakeWorld::lab02();
        world.add("redis", &[("backend", "10.2.0.4"), ("outils", "10.3.0.4")], &[6379]);
        world.add("commander", &[("frontend", "10.1.0.9"), ("outils", "10.3.0.9")], &[]);
        world.memory.lock().expect("lock").leaks = leaks;
        fails(&judge("02", "isolation", &world).await, "« outils »");
    }
}

#[tokio::test(start_paused = true)]
async fn interfaces_besides_lo() {
    let mut world = FakeWorld::lab01();
    world.interfaces.insert("muet".into(), vec![lo(), device("eth0", Some("172.31.0.9"))]);
    fails(&judge("01", "muet-boucle", &world).await, "eth0");
}

#[tokio::test(start_paused = true)]
async fn networks() {
    let mut world = FakeWorld::lab01();
    world.declared.networks.get_mut("tp").expect("tp").subnets.clear();
    fails(&judge("01", "adressage", &world).await, "sous-réseau");
    let mut world = FakeWorld::lab01();
    world.declared.networks.get_mut("tp").expect("tp").driver = Some("macvlan".into());
    fails(&judge("01", "adressage", &world).await, "macvlan");
    let mut world = FakeWorld::lab01();
    world.declared.services.get_mut("client").expect("client").networks = vec!["autre".into()];
    fails(&judge("01", "adressage", &world).await, "aucun réseau");
    let mut world = FakeWorld::lab01();
    let client = world.declared.services.remove("client").expect("client");
    world.declared.services.insert("cliente".into(), client);
    fails(&judge("01", "adressage", &world).await, "client");
}

#[tokio::test(start_paused = true)]
async fn reach_says_why() {
    let mut world = FakeWorld::lab01();
    world.open.clear();
    fails(&judge("01", "http-serveur", &world).await, "rien n'écoute");
}

#[tokio::test(start_paused = true)]
async fn answers() {
    let mut world = FakeWorld::lab01();
    fails(&judge("01", "reponse-sous-reseau", &world).await, "reponses.yaml");
    let mut with = async |text: &str, check: &str| {
        world.files.insert("reponses.yaml".into(), text.into());
        judge("01", check, &world).await
    };
    fails(&with("sous_reseau: [", "reponse-sous-reseau").await, "YAML");
    fails(&with("sous_reseaux: 172.30.0.0/24", "reponse-sous-reseau").await, "sous_reseaux");
    fails(&with("sous_reseau:", "reponse-sous-reseau").await, "vide");
    fails(&with("sous_reseau: 172.30.0.4/24", "reponse-sous-reseau").await, "hôte");
    fails(&with("bridge_par_defaut_resout_les_noms: oui", "reponse-bridge").await, "contraire");
    passes(&with("bridge_par_defaut_resout_les_noms: false", "reponse-bridge").await);
    let Verdict::Fail(miss) = with("passerelle: 172.30.0.254", "reponse-passerelle").await else { panic!() };
    let said = serde_json::to_string(&miss).expect("json");
    assert!(!said.contains("172.30.0.1\""), "the right answer is never shown: {said}");
}

#[tokio::test(start_paused = true)]
async fn bring_up() {
    let world = FakeWorld::lab02();
    passes(&judge("02", "demarrage", &world).await);

    let mut world = FakeWorld::lab02();
    world.declared.services.get_mut("api").expect("api").dockerfile = Some("app/Dockerfile".into());
    world.files.insert("app/Dockerfile".into(), "FROM node\nRUN npm ci\n".into());
    let log = " > [api 4/6] RUN npm ci:\nnpm error code EUSAGE\nnpm error The `npm ci` command can only install with an existing package-lock.json";
    world.came_up = BringUp { build_failed: Some(("api".into(), log.into())), ..BringUp::default() };
    let verdict = judge("02", "demarrage", &world).await;
    fails(&verdict, "verrouillage");
    let Verdict::Fail(miss) = verdict else { panic!() };
    assert_eq!(miss.place.map(|p| p.mark.line), Some(2));
    assert!(miss.hint.contains("npm install --package-lock-only"));

    let mut world = FakeWorld::lab02();
    world.instances.get_mut("api").expect("api")[0].state = State::Exited;
    world.instances.get_mut("api").expect("api")[0].exit_code = Some(1);
    fails(&judge("02", "demarrage", &world).await, "code 1");

    let mut world = FakeWorld::lab02();
    let api = world.declared.services.remove("api").expect("api");
    world.declared.services.insert("apy".into(), api);
    fails(&judge("02", "demarrage", &world).await, "apy");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_listen_yet_may_be_about_to_fail() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let event = |what| StackEvent {
        service: "api".into(),
        what,
        at_us: i64::try_from(now.as_micros()).expect("fits"),
    };
    let store = |service: &str| StackEvent { service: service.into(), ..event(Happening::Started) };
    let mut waited = Vec::new();
    for listens in [true, false] {
        let mut world = FakeWorld::lab02();
        // Started an hour from now: never old enough to be believed for its age.
        let late = StackEvent {
            at_us: event(Happening::Created).at_us + 3_600_000_000,
            ..event(Happening::Started)
        };
        world.events = vec![store("postgres"), store("redis"), late];
        if !listens {
            world.open.remove(&("api".to_owned(), 5000));
        }
        let start = tokio::time::Instant::now();
        passes(&judge("02", "demarrage", &world).await);
        waited.push(start.elapsed());
    }
    assert!(waited[0] < std::time::Duration::from_secs(1), "{waited:?}");
    assert!(waited[1] > std::time::Duration::from_secs(15), "{waited:?}");

    let mut world = FakeWorld::lab02();
    world.events = vec![event(Happening::Started), event(Happening::Died(1))];
    fails(&judge("02", "demarrage", &world).await, "s'arrête (code 1)");
}
