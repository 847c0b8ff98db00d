use super::super::testing::FakeWorld;
use super::super::testing::alerts::FakeAlert;
use super::super::tests::{fails, passes};
use super::super::world::{State, ToolOutcome};
use super::super::{Check, Cx, Experiments, Memo};
use super::RulesLoaded;
use crate::event::Verdict;

async fn judge(world: &FakeWorld) -> Verdict {
    let (experiments, memo) = (Experiments::default(), Memo::default());
    let cx = Cx { world, experiments: &experiments, memo: &memo, second: None };
    let check: RulesLoaded = toml::from_str("alerts = ['APIDown']").expect("a check");
    assert_eq!(check.validate(&experiments), Ok(()));
    match check.judge(&cx).await {
        Ok(verdict) => verdict,
        Err(fault) => Verdict::Inconclusive { fault, facts: vec![] },
    }
}

fn inside(path: &str) -> (String, String) {
    ("prometheus".to_owned(), format!("/etc/prometheus/{path}"))
}

#[tokio::test(start_paused = true)]
async fn a_loaded_alert_passes() {
    passes(&judge(&FakeAlert::default().world()).await);
}

#[tokio::test(start_paused = true)]
async fn each_way_to_lose_a_file_has_its_words() {
    let unloaded = || FakeAlert { name: "Autre", ..FakeAlert::default() }.world();

    let mut world = unloaded();
    world.inside.remove(&inside("alert.rules.yml"));
    world.tools = Some(Box::new(|run| {
        assert_eq!(run.command, ["promtool", "check", "config", "racine/etc/prometheus/prometheus.yml"]);
        let output =
            "  FAILED: \"racine/etc/prometheus/alert.rules.yml\" does not point to an existing file\n";
        ToolOutcome { code: 1, output: output.into() }
    }));
    let verdict = judge(&world).await;
    fails(&verdict, "absent du conteneur");
    fails(&verdict, "promtool check config");
    fails(&verdict, "does not point to an existing file");
    let Verdict::Fail(miss) = verdict else { panic!("a miss") };
    assert!(miss.place.is_some_and(|p| p.mark.text.contains("alert.rules.yml")));

    let mut world = unloaded();
    world.inside.insert(inside("prometheus.yml"), "global:\n  scrape_interval: 15s\n".into());
    let verdict = judge(&world).await;
    fails(&verdict, "rule_files n'est pas");
    fails(&verdict, "« /etc/prometheus/alert.rules.yml » est bien dans le conteneur");

    let near = FakeAlert { name: "ApiDown2", ..FakeAlert::default() }.world();
    let verdict = judge(&near).await;
    fails(&verdict, "ApiDown2");
    let Verdict::Fail(miss) = verdict else { panic!("a miss") };
    assert!(miss.hint.contains("ressemble"), "{miss:#?}");
    assert!(miss.place.is_some_and(|p| p.mark.text.contains("ApiDown2")));

    // The file that is read is not the one that was written.
    let mut world = unloaded();
    let written = FakeAlert::default().files().1;
    world.files.insert("prometheus/alerts.yml".into(), written);
    let verdict = judge(&world).await;
    let Verdict::Fail(miss) = verdict else { panic!("a miss") };
    assert!(miss.hint.contains("prometheus/alerts.yml"), "{miss:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_does_not_start_says_why() {
    let mut world = FakeAlert::default().world();
    for instance in world.instances.get_mut("prometheus").into_iter().flatten() {
        instance.state = State::Exited;
        instance.exit_code = Some(1);
    }
    fails(&judge(&world).await, "n'est pas en marche");
    world.log = "ts=1 level=error component=\"rule manager\" msg=\"loading groups failed\" err=\"/etc/prometheus/alert.rules.yml: yaml: line 5: did not find expected key\"\n\
        ts=2 level=error err=\"error loading config from \\\"/etc/prometheus/prometheus.yml\\\": one or more errors occurred\"\n".into();
    let verdict = judge(&world).await;
    fails(&verdict, "line 5: did not find expected key");
    let Verdict::Fail(miss) = verdict else { panic!("a miss") };
    assert_eq!(miss.place.map(|p| (p.file, p.mark.line)), Some(("prometheus/alert.rules.yml".into(), 5)));
}
