//! Hand-built event lists, close to the samples that set the grader's voice.

mod hostile;

use serde_json::json;

pub use hostile::hostile;

use crate::error::{Fault, FaultKind};
use crate::event::{
    CheckCard, Checked, Event, FORMAT, Fact, Grade, ImageUse, Inventory, Kept, KeptService, Level, Mark,
    Miss, Notice, Offline, Place, Problem, Reach, ReachCell, ReachTarget, Refusal, RunFinished, RunStarted,
    Step, StepState, Verdict,
};

pub fn card(id: &str, points: f64, section: &str, title: &str) -> CheckCard {
    CheckCard {
        id: id.into(),
        title: title.into(),
        section: section.into(),
        points,
        course: format!("02-deploiement#{id}"),
        is_static: false,
    }
}

pub fn started(checks: Vec<CheckCard>) -> Event {
    Event::RunStarted(RunStarted {
        format: FORMAT,
        run: "5f3a90c1".into(),
        grader: "0.1.0".into(),
        at: "2026-11-21T01:35:00Z".into(),
        lab: "02".into(),
        lab_title: "Déployer une API, sa base et son cache".into(),
        submission: "rendus/martin".into(),
        budget_ms: Some(90_000),
        checks,
    })
}

pub fn checked(id: &str, verdict: Verdict) -> Event {
    Event::Checked(Checked { id: id.into(), verdict, elapsed_ms: 1_250, at_ms: 0 })
}

pub fn pass(id: &str, fact: Fact) -> Event {
    checked(id, Verdict::Pass { facts: vec![fact] })
}

pub fn fail(id: &str, miss: Miss) -> Event {
    checked(id, Verdict::Fail(Box::new(miss)))
}

pub fn mark(line: usize, column: usize, width: usize, text: &str, label: &str) -> Mark {
    Mark { line, column, width, text: text.into(), label: label.into() }
}

pub fn place(file: &str, mark: Mark, also: Vec<Mark>) -> Place {
    Place { file: file.into(), mark, also }
}

pub fn step(name: &str, text: &str, state: StepState, at_ms: u64) -> Event {
    Event::Step(Step { name: name.into(), text: text.into(), state, at_ms })
}

pub fn finished() -> [Event; 2] {
    [Event::Cleaned(Inventory::default()), Event::RunFinished(RunFinished { elapsed_ms: 72_300 })]
}

fn cards() -> Vec<CheckCard> {
    let mut ports =
        card("non-publies", 1.0, "Réseaux", "« postgres » et « redis » ne sont publiés sur aucun port");
    ports.is_static = true;
    vec![
        card(
            "demarrage",
            1.0,
            "Construction et démarrage",
            "la pile se construit et les trois services démarrent",
        ),
        card("sante-api", 1.0, "API", "GET /health répond 200 avec status = healthy"),
        card("cache-source", 3.0, "Cache", "la réponse vient de la base, puis du cache"),
        card("cache-ttl", 2.0, "Cache", "la durée de vie écrite dans Redis est de 60 s"),
        card("dns-bdd", 2.0, "Réseaux", "« web » trouve « bdd » par son nom"),
        card("isol-bdd", 3.0, "Réseaux", "« web » n'atteint pas « bdd »"),
        ports,
        card("alerte-delai", 3.0, "Alertes", "« APIDown » se déclenche dans la bonne fenêtre"),
        card("alerte-memoire", 2.0, "Alertes", "« ContainerHighMemory » se tait sans limite"),
    ]
}

fn misses() -> Vec<Event> {
    vec![
        fail("cache-source", Miss {
            headline: "la réponse ne vient jamais du cache".into(),
            expected: "source = database, puis source = cache, en 10 appels au plus".into(),
            observed: "database × 10 (GET /api/data, 5,2 s)".into(),
            noted: vec!["Redis : 0 connexion reçue, 0 clé écrite".into()],
            place: Some(place("compose.yaml", mark(19, 7, 21, "      REDIS_HOST: localhost", ""), vec![])),
            hint: "dans un conteneur, « localhost » désigne le conteneur lui-même".into(),
            ..Miss::default()
        }),
        checked("cache-ttl", Verdict::Blocked { by: vec!["cache-source".into()] }),
        fail("dns-bdd", Miss {
            headline: "« web » ne trouve pas « bdd » par son nom".into(),
            expected: "le nom « bdd » répond depuis le conteneur web".into(),
            observed: "NXDOMAIN, 5 essais en 10,0 s (résolveur 127.0.0.11)".into(),
            place: Some(place(
                "compose.yaml",
                mark(8, 15, 9, "    networks: [frontal]", "web n'est que sur « frontal »"),
                vec![mark(11, 5, 8, "    networks: [dorsal]", "bdd n'est que sur « dorsal »")],
            )),
            hint: "deux services ne se voient que s'ils partagent un réseau".into(),
            try_it: "docker compose exec web getent hosts bdd".into(),
            ..Miss::default()
        }),
        fail("isol-bdd", Miss {
            headline: "« web » atteint « bdd », alors que ce doit être impossible".into(),
            expected: "aucune connexion de web vers bdd:5432".into(),
            observed: "connexion établie en 0,8 ms par le réseau « default »".into(),
            control: "api → bdd:5432 répond : la base marche bien".into(),
            place: Some(place(
                "compose.yaml",
                mark(14, 1, 1, "", "« bdd » n'a pas de clé networks: ; Compose l'a mise sur « default »"),
                vec![],
            )),
            hint: "quels services ont vraiment besoin de la base ?".into(),
            ..Miss::default()
        }),
        fail("alerte-delai", Miss {
            headline: "« APIDown » se déclenche trop tard".into(),
            expected: "« firing » entre 60 s et 90 s après l'arrêt de « api »\n(for 1 min + collecte 15 s + évaluation 15 s)".into(),
            observed: "615 s ± 1 s\n    0 s  api arrêtée\n   12 s  up = 0, alerte « pending »\n   90 s  limite\n  615 s  alerte « firing »".into(),
            place: Some(place(
                "prometheus/alert.rules.yml",
                mark(6, 14, 3, "        for: 10m", "cette attente dépasse déjà la limite"),
                vec![],
            )),
            earned: 1.0,
            earned_for: "l'alerte se déclenche bien".into(),
            ..Miss::default()
        }),
    ]
}

fn reach() -> Event {
    let by = |network: &str| ReachCell::Reached { network: network.into() };
    Event::Reach(Reach {
        from: vec!["api".into(), "web".into(), "bdd".into()],
        to: vec![
            ReachTarget { service: "api".into(), port: 5000 },
            ReachTarget { service: "bdd".into(), port: 5432 },
            ReachTarget { service: "redis".into(), port: 6379 },
        ],
        cells: vec![
            vec![ReachCell::Itself, by("dorsal"), by("dorsal")],
            vec![by("frontal"), by("default"), ReachCell::Apart],
            vec![by("dorsal"), ReachCell::Itself, ReachCell::Closed],
        ],
        elapsed_ms: 900,
    })
}

/// A run with every kind of verdict but « non noté ».
pub fn missed() -> Vec<Event> {
    let mut events = vec![
        started(cards()),
        step("config", "lecture de compose.yaml", StepState::Done, 300),
        step("service:api", "démarrage", StepState::Started, 4_200),
        step("service:api", "santé", StepState::Done, 9_800),
        Event::Notice(Notice {
            level: Level::Warning,
            text: "la clé « version » ne sert plus à rien".into(),
            place: Some(place("compose.yaml", mark(1, 1, 14, "version: \"3.8\"", ""), vec![])),
        }),
        Event::Image(ImageUse {
            image: "redis:7-alpine".into(),
            id: "sha256:0a1b".into(),
            offline: Some(Offline {
                grade: Grade::Equivalent,
                inside: "Valkey 8.1".into(),
                differs: "le numéro de version donné par INFO".into(),
            }),
        }),
        Event::Image(ImageUse {
            image: "postgres:16-alpine".into(),
            id: "sha256:2c3d".into(),
            offline: None,
        }),
        reach(),
        pass("demarrage", Fact::new("ready-ms", 9_800, "pile prête en 9,8 s")),
        pass("sante-api", Fact::new("status", 200, "GET /health : 200, status = healthy")),
        pass("non-publies", Fact::new("ports", 0, "aucune clé ports: sur postgres ni redis")),
        pass("alerte-memoire", Fact::new("alerts", 0, "0 alerte en 6 min de temps virtuel")),
    ];
    events.extend(misses());
    events.extend(finished());
    events
}

/// The same with one check « non noté ».
pub fn mixed() -> Vec<Event> {
    let fault = Fault::new(
        FaultKind::Noise,
        "la machine était saturée (charge 7,9 sur 2 cœurs) ; relancé seul, même résultat",
        "fermez ce qui occupe la machine, puis relancez ce contrôle",
    );
    let doubt = Verdict::Inconclusive { fault, facts: vec![Fact::new("load", 7.9, "charge : 7,9")] };
    let mut events = missed();
    for event in &mut events {
        if let Event::Checked(checked) = event
            && checked.id == "alerte-memoire"
        {
            checked.verdict = doubt.clone();
        }
    }
    events
}

/// Every check passes.
pub fn perfect() -> Vec<Event> {
    let mut events = vec![started(cards())];
    events.extend(cards().iter().map(|card| pass(&card.id, Fact::new("ok", true, "comme attendu"))));
    events.extend(finished());
    events
}

/// A stack that stays up.
pub fn kept() -> Kept {
    let service = |name: &str, published: &[(u16, &str)]| KeptService {
        service: name.to_owned(),
        running: true,
        published: published.iter().map(|(port, address)| (*port, (*address).to_owned())).collect(),
    };
    Kept {
        project: "tp0badcafea".to_owned(),
        services: vec![service("api", &[(5000, "127.0.0.1:32768")]), service("redis", &[])],
        networks: vec!["tp0badcafea_backend".to_owned(), "tp0badcafea_frontend".to_owned()],
        at_ms: 21_000,
    }
}

/// Refused by the policy.
pub fn refused() -> Vec<Event> {
    let label = "donne accès à toutes les interfaces de la machine";
    let refusal = Refusal {
        rule: "network-mode-host".into(),
        what: "le service « api » demande le réseau de l'hôte".into(),
        place: Some(place("compose.yaml", mark(12, 5, 18, "    network_mode: host", label), vec![])),
        why: "un TP se corrige dans des réseaux jetables ; ce réglage en sort".into(),
        instead: "ports: [\"5001:5000\"] publie le seul port utile".into(),
    };
    let mut events = vec![started(cards()), Event::Refused(vec![refusal])];
    events.extend(finished());
    events
}

/// A file that is not YAML, with a hostile detail.
pub fn invalid() -> Vec<Event> {
    let problem = Problem {
        code: "yaml-syntax".into(),
        what: "« compose.yaml » n'est pas du YAML valide".into(),
        place: Some(place(
            "compose.yaml",
            mark(4, 3, 1, "  \timage: redis", "une tabulation ne peut pas indenter"),
            vec![],
        )),
        todo: "remplacez la tabulation par des espaces".into(),
        detail: "found character '\\t' \x1b]52;c;ZXZpbA==\x07 that cannot start any token".into(),
    };
    let mut events = vec![started(cards()), Event::Invalid(vec![problem])];
    events.extend(finished());
    events
}

/// No engine.
pub fn not_graded() -> Vec<Event> {
    let fault = Fault::new(
        FaultKind::NoEngine,
        "aucun moteur Docker ne répond",
        "démarrez Docker (« sudo systemctl start docker », ou Docker Desktop), puis relancez",
    )
    .detail("connect unix:///var/run/docker.sock: no such file or directory");
    vec![started(cards()), Event::Faulted(fault), Event::RunFinished(RunFinished { elapsed_ms: 210 })]
}

/// A value that a journal must carry whole.
pub fn awkward() -> Event {
    pass("demarrage", Fact::new("raw", json!({"t": "\u{202e}\x1b[2J\n", "n": [1.5, null]}), "l1\nl2\u{9b}"))
}
