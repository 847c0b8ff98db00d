use super::super::testing::FakeWorld;
use super::super::testing::alerts::FakeAlert;
use super::super::tests::{fails, passes, unsure};
use super::super::{Check, Cx, Experiments, Memo};
use super::Alert;
use crate::event::{Timeline, Verdict};

fn alert() -> Alert {
    toml::from_str(
        "name = 'APIDown'\nafter = { stop = 'api' }\nnot-before = '60s'\nby = '90s'\npartial = 1.0\n",
    )
    .expect("an alert")
}

async fn judge_on(world: &FakeWorld) -> Verdict {
    let (experiments, memo) = (Experiments::default(), Memo::default());
    let cx = Cx { world, experiments: &experiments, memo: &memo, second: None };
    let check = alert();
    assert_eq!(check.validate(&experiments), Ok(()));
    check.prepare(&cx).await;
    match check.judge(&cx).await {
        Ok(verdict) => verdict,
        Err(fault) => Verdict::Inconclusive { fault, facts: vec![] },
    }
}

async fn judge(fake: FakeAlert) -> Verdict {
    judge_on(&fake.world()).await
}

fn timeline(verdict: &Verdict) -> Timeline {
    let facts = match verdict {
        Verdict::Pass { facts } => facts,
        Verdict::Fail(miss) => &miss.facts,
        other => panic!("{other:?}"),
    };
    *facts.iter().find_map(|f| f.timeline.clone()).expect("a timeline")
}

#[tokio::test(start_paused = true)]
async fn an_honest_alert_passes_in_divided_time() {
    let world = FakeAlert::default().world();
    let verdict = judge_on(&world).await;
    passes(&verdict);
    let line = timeline(&verdict);
    assert_eq!(line.factor, 10);
    assert_eq!(line.asked.map(|a| (a.from_ms, a.to_ms)), Some((60_000, 90_000)));
    let at = |key: &str| line.moments.iter().find(|m| m.key == key).expect("a moment");
    let firing = at("firing");
    let (after, until) = (firing.after_ms, firing.until_ms.expect("seen"));
    assert!(after >= 59_000 && until <= 92_000 && until - after <= 3_000, "{firing:?}");
    let said = at("pending").said_ms.expect("said");
    assert!((0..=31_000).contains(&said), "{said}");
    assert!(at("scrape-failed").after_ms <= at("pending").until_ms.expect("seen"));
    assert!(at("resolved").until_ms > Some(until));
    // The stack is given back, and the copy had its durations divided.
    assert!(world.lock().frozen.is_empty());
    let twin = world.lock().twins[0].clone();
    assert_eq!((twin.name.as_str(), twin.service.as_str()), ("temps-prometheus", "prometheus"));
    let config = &twin.files["/etc/prometheus/prometheus.yml"];
    assert!(config.contains("1s500ms"), "{config}");
    assert!(twin.files["/etc/prometheus/alert.rules.yml"].contains("\"6s\""));
    assert!(twin.extra_args.iter().any(|a| a == "--query.lookback-delta=30s"), "{:?}", twin.extra_args);
}

#[tokio::test(start_paused = true)]
async fn an_engine_slow_to_acknowledge_does_not_make_an_alert_early() {
    let mut world = FakeAlert::default().world();
    world.slow_stop = std::time::Duration::from_millis(2_500);
    let verdict = judge_on(&world).await;
    passes(&verdict);
    let line = timeline(&verdict);
    let firing = line.moments.iter().find(|m| m.key == "firing").expect("a moment");
    let (after, until) = (firing.after_ms, firing.until_ms.expect("seen"));
    assert!(after >= 59_000 && until <= 92_000 && until - after <= 3_000, "{firing:?}");
}

#[tokio::test(start_paused = true)]
async fn real_time_starts_no_copy() {
    let mut world = FakeAlert::default().world();
    world.real_time = true;
    let verdict = judge_on(&world).await;
    passes(&verdict);
    assert_eq!(timeline(&verdict).factor, 1);
    assert!(world.lock().twins.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_divide_is_measured_in_real_time() {
    let verdict = judge(FakeAlert { expr: "up == 0 and on() time() > 5", ..FakeAlert::default() }).await;
    passes(&verdict);
    assert_eq!(timeline(&verdict).factor, 1);
    let Verdict::Pass { facts } = verdict else { panic!("a pass") };
    assert!(facts.iter().any(|f| f.key == "real-time" && f.text.contains("time()")), "{facts:?}");
}

#[tokio::test(start_paused = true)]
async fn promises_outside_of_the_window_fail() {
    let verdict = judge(FakeAlert { evaluation: 60, ..FakeAlert::default() }).await;
    fails(&verdict, "135 s");
    let Verdict::Fail(miss) = &verdict else { panic!("a miss") };
    assert!(miss.headline.contains("trop tard") && miss.hint.contains("evaluation_interval"), "{miss:#?}");
    assert!((miss.earned - 1.0).abs() < f64::EPSILON);
    assert_eq!(miss.place.as_ref().map(|p| p.mark.text.as_str()), Some("global:"));

    let verdict = judge(FakeAlert { hold: 600, ..FakeAlert::default() }).await;
    fails(&verdict, "se déclenche trop tard");
    let Verdict::Fail(miss) = &verdict else { panic!("a miss") };
    assert_eq!(miss.place.as_ref().map(|p| p.mark.text.trim()), Some("for: 600s"));
    assert_eq!(timeline(&verdict).moments[3].until_ms, None);

    let verdict = judge(FakeAlert { hold: 0, ..FakeAlert::default() }).await;
    fails(&verdict, "sans for");
    fails(&verdict, "trop tôt");
}

#[tokio::test(start_paused = true)]
async fn rules_of_one_name_are_one_alert() {
    let verdict = judge(FakeAlert { again: Some(15), ..FakeAlert::default() }).await;
    fails(&verdict, "trop tôt");
    fails(&verdict, "entre 15 s et 45 s");
    let Verdict::Fail(miss) = &verdict else { panic!("a miss") };
    assert_eq!(miss.place.as_ref().map(|p| p.mark.text.trim()), Some("for: 15s"));
    // A second one that waits longer, to tell somebody else: the first decides.
    passes(&judge(FakeAlert { again: Some(300), ..FakeAlert::default() }).await);
    passes(&judge(FakeAlert { hold: 300, again: Some(60), ..FakeAlert::default() }).await);
    fails(&judge(FakeAlert { hold: 300, again: Some(600), ..FakeAlert::default() }).await, "trop tard");
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_sees_nothing_fails() {
    let blind = FakeAlert { sees: false, expr: "up{job=\"api\"} == 0", ..FakeAlert::default() };
    let verdict = judge(blind).await;
    fails(&verdict, "ne voit pas l'arrêt");
    fails(&verdict, "express-api");
    fails(&verdict, "up = 0");
}

#[tokio::test(start_paused = true)]
async fn an_alert_on_another_target_sees_nothing_even_when_that_one_falls_too() {
    let about = Some(("prometheus", "localhost:9090"));
    fails(&judge(FakeAlert { about, shaken: true, ..FakeAlert::default() }).await, "ne voit pas l'arrêt");
    // The right one, and one that does not tell.
    passes(&judge(FakeAlert { shaken: true, ..FakeAlert::default() }).await);
    passes(&judge(FakeAlert { about: None, ..FakeAlert::default() }).await);
    unsure(&judge(FakeAlert { about: None, shaken: true, ..FakeAlert::default() }).await);
    fails(
        &judge(FakeAlert { about: None, shaken: true, hold: 600, ..FakeAlert::default() }).await,
        "trop tard",
    );
}

#[tokio::test(start_paused = true)]
async fn what_keeps_from_measuring() {
    fails(&judge(FakeAlert { name: "ApiDown", ..FakeAlert::default() }).await, "n'est pas chargée");
    fails(&judge(FakeAlert { up: false, sees: false, ..FakeAlert::default() }).await, "déjà en échec");
    fails(&judge(FakeAlert { early: true, ..FakeAlert::default() }).await, "alors que tout va bien");
    fails(&judge(FakeAlert { ends: false, ..FakeAlert::default() }).await, "ne se termine pas");
    let mut world = FakeAlert::default().world();
    world.open.remove(&("prometheus".to_owned(), 9090));
    fails(&judge_on(&world).await, "ne répond pas");
    let mut world = FakeAlert::default().world();
    world.declared.services.remove("prometheus");
    fails(&judge_on(&world).await, "n'est pas dans le fichier");
    let mut world = FakeAlert::default().world();
    world.probe_broken = true;
    unsure(&judge_on(&world).await);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_does_not_follow_costs_nothing() {
    // Evaluations come four times too rarely: the alert is late through no fault of the student.
    let world = {
        let mut world = FakeAlert::default().world();
        let slow = FakeAlert { lags: 4, ..FakeAlert::default() }.world();
        world.pages.extend(slow.pages.into_iter().filter(|((name, _), _)| name.starts_with("twin:")));
        world
    };
    unsure(&judge_on(&world).await);
}

#[test]
fn targets_are_told_by_name_or_address() {
    use super::super::prom::Target;
    let of = |url: &str| Target { scrape_url: url.into(), ..Target::default() };
    let ips = ["10.2.0.2".parse().expect("an address")];
    for url in ["http://api:5000/metrics", "http://api.backend:5000/metrics", "https://10.2.0.2:5000/m?x=y"] {
        assert!(super::concerns(&of(url), "api", &ips), "{url}");
    }
    for url in ["http://cadvisor:8080/metrics", "http://10.2.0.3:5000/metrics", "http://api2/metrics", ""] {
        assert!(!super::concerns(&of(url), "api", &ips), "{url}");
    }
}
