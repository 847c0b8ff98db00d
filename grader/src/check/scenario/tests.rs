use serde_json::json;

use super::super::testing::FakeWorld;
use super::super::testing::alerts::{FakeAlert, Look, promtool};
use super::super::tests::{fails, passes, unsure};
use super::super::{Check, Cx, Experiments, Memo};
use super::RuleScenario;
use crate::event::Verdict;

fn check(text: &str) -> RuleScenario {
    toml::from_str(&format!("alert = 'APIDown'\ntarget = 'api'\n{text}")).expect("a check")
}

async fn judge(world: &FakeWorld, check: &RuleScenario) -> Verdict {
    let (experiments, memo) = (Experiments::default(), Memo::default());
    let cx = Cx { world, experiments: &experiments, memo: &memo, second: None };
    assert_eq!(check.validate(&experiments), Ok(()));
    match check.judge(&cx).await {
        Ok(verdict) => verdict,
        Err(fault) => Verdict::Inconclusive { fault, facts: vec![] },
    }
}

fn down() -> RuleScenario {
    check("scenarios = ['target-down']\nfor = '60s'\n")
}

/// A world whose promtool plays an alert on the API's target.
fn with(
    fake: FakeAlert,
    hold: u64,
    holds: impl Fn(&Look<'_>, usize) -> bool + Send + Sync + 'static,
) -> FakeWorld {
    let mut world = fake.world();
    world.tools = Some(promtool(hold, json!({"job": "express-api", "instance": "api:5000"}), holds));
    world
}

fn api_is_down(look: &Look<'_>, step: usize) -> bool {
    look("job=\"express-api\"", step) == Some(0.0)
}

#[tokio::test(start_paused = true)]
async fn an_honest_rule_passes() {
    let world = with(FakeAlert::default(), 60, api_is_down);
    passes(&judge(&world, &down()).await);
    passes(&judge(&world, &RuleScenario { recovery: true, ..down() }).await);
    let words = check(
        "scenarios = ['target-down']\nfor = '60s'\nlabels = { severity = 'critical' }\nannotations = ['summary']\n",
    );
    passes(&judge(&world, &words).await);
    let words = check("scenarios = ['target-down']\nfor = '60s'\nlabels = { severity = 'page' }\n");
    fails(&judge(&world, &words).await, "critical");
    let words = check("scenarios = ['target-down']\nfor = '60s'\nannotations = ['description']\n");
    fails(&judge(&world, &words).await, "annotation description");
}

#[tokio::test(start_paused = true)]
async fn each_mistake_has_its_words() {
    let late = with(FakeAlert { hold: 600, ..FakeAlert::default() }, 600, api_is_down);
    fails(&judge(&late, &down()).await, "10 min plus tard");
    let hasty = with(FakeAlert { hold: 0, ..FakeAlert::default() }, 0, api_is_down);
    fails(&judge(&hasty, &down()).await, "n'attend pas");
    let short = with(FakeAlert { hold: 30, ..FakeAlert::default() }, 30, api_is_down);
    fails(&judge(&short, &down()).await, "30 s de « pending »");
    let blind = FakeAlert { expr: "up{job=\"api\"} == 0", ..FakeAlert::default() };
    fails(
        &judge(&with(blind, 60, |_, _| false), &down()).await,
        "n'existe pas (vus : « express-api » et « prometheus »)",
    );
    let missing = FakeAlert { expr: "api_up == 0", ..FakeAlert::default() };
    fails(&judge(&with(missing, 60, |_, _| false), &down()).await, "aucune série « api_up »");
    let always = with(FakeAlert::default(), 60, |_, _| true);
    fails(&judge(&always, &down()).await, "tout va bien");
    // It never forgets.
    let endless = with(FakeAlert::default(), 60, |look, step| (0..=step).any(|s| api_is_down(look, s)));
    passes(&judge(&endless, &down()).await);
    fails(&judge(&endless, &RuleScenario { recovery: true, ..down() }).await, "ne se termine pas");
    let mut other = FakeAlert::default().world();
    other.tools = Some(promtool(60, json!({"job": "prometheus"}), api_is_down));
    fails(&judge(&other, &down()).await, "pour ce qui va bien");
}

#[tokio::test(start_paused = true)]
async fn of_several_rules_of_one_name_the_hasty_one_is_shown() {
    let twice = FakeAlert { again: Some(15), ..FakeAlert::default() };
    let verdict = judge(&with(twice, 15, api_is_down), &down()).await;
    fails(&verdict, "2 règles portent le nom");
    let Verdict::Fail(miss) = &verdict else { panic!("a miss") };
    assert_eq!(miss.place.as_ref().map(|p| p.mark.text.trim()), Some("for: 15s"));
}

#[tokio::test(start_paused = true)]
async fn only_an_outage_of_the_service_is_one() {
    let all = check("scenarios = ['target-down', 'other-down', 'one-miss']\nfor = '60s'\n");
    passes(&judge(&with(FakeAlert::default(), 60, api_is_down), &all).await);
    // Any target, or none in particular.
    let any = |look: &Look<'_>, step: usize| {
        ["job=\"express-api\"", "job=\"prometheus\""].iter().any(|job| look(job, step) == Some(0.0))
    };
    fails(&judge(&with(FakeAlert::default(), 60, any), &all).await, "quand une autre cible tombe");
    // One failed scrape is remembered for two minutes.
    let recent = |look: &Look<'_>, step: usize| (step.saturating_sub(8)..=step).any(|s| api_is_down(look, s));
    fails(&judge(&with(FakeAlert::default(), 60, recent), &all).await, "une seule lecture manquée");
    // Two samples in a row are not missed by chance, and five are what is asked.
    let both =
        |look: &Look<'_>, step: usize| step > 0 && api_is_down(look, step) && api_is_down(look, step - 1);
    passes(&judge(&with(FakeAlert::default(), 60, both), &all).await);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_costs_nothing() {
    let mut world = FakeAlert::default().world();
    unsure(&judge(&world, &down()).await);
    world.tools = Some(Box::new(|_| super::super::world::ToolOutcome { code: 1, output: "panic".into() }));
    unsure(&judge(&world, &down()).await);
    world.open.remove(&("prometheus".to_owned(), 9090));
    fails(&judge(&world, &down()).await, "ne répond pas");
    let unnamed = FakeAlert { name: "Autre", ..FakeAlert::default() };
    fails(&judge(&with(unnamed, 60, api_is_down), &down()).await, "Autre");
}

fn latency() -> RuleScenario {
    check("scenarios = ['latency-low', 'latency-high']\nfor = '60s'\n")
}

/// Share of the requests between two samples that are slower than the limit.
fn slow(look: &Look<'_>, step: usize) -> f64 {
    let grows = |needle: &str| {
        let at = |step: usize| look(needle, step).unwrap_or(0.0);
        if step == 0 { 0.0 } else { at(step) - at(step - 1) }
    };
    let (below, all) = (grows("le=\"1\""), grows("le=\"+Inf\""));
    if all > 0.0 { 1.0 - below / all } else { 0.0 }
}

#[tokio::test(start_paused = true)]
async fn quantiles_are_told_apart() {
    let expr = "histogram_quantile(0.95, rate(app_request_latency_seconds_bucket[1m])) > 1";
    let fake = || FakeAlert { expr, ..FakeAlert::default() };
    passes(&judge(&with(fake(), 60, |look, step| slow(look, step) > 0.05), &latency()).await);
    fails(&judge(&with(fake(), 60, |look, step| slow(look, step) > 0.5), &latency()).await, "70 %");
    fails(
        &judge(&with(fake(), 60, |look, step| slow(look, step) > 0.01), &latency()).await,
        "95 % des requêtes",
    );
    let expr = "histogram_quantile(0.95, rate(app_request_latency_seconds_bucket[1m])) > 1000";
    let ms = FakeAlert { expr, ..FakeAlert::default() };
    fails(&judge(&with(ms, 60, |_, _| false), &latency()).await, "les requêtes lentes durent 1,75 s");
}

#[tokio::test(start_paused = true)]
async fn the_limit_itself_is_looked_for_and_silence_is_not_slowness() {
    let expr = "histogram_quantile(0.95, rate(app_request_latency_seconds_bucket[1m])) > 1";
    let fake = || FakeAlert { expr, ..FakeAlert::default() };
    let all = check("scenarios = ['latency-high', 'latency-edge', 'latency-idle']\nfor = '60s'\n");
    passes(&judge(&with(fake(), 60, |look, step| slow(look, step) > 0.05), &all).await);
    // As a limit of 1.4 s would.
    fails(&judge(&with(fake(), 60, |look, step| slow(look, step) > 0.08), &all).await, "vaut 1,15 s");
    // Whoever is not fast is slow.
    let idle = |look: &Look<'_>, step: usize| {
        let all = |step: usize| look("le=\"+Inf\"", step).unwrap_or(0.0);
        slow(look, step) > 0.05 || step == 0 || all(step) <= all(step - 1)
    };
    fails(&judge(&with(fake(), 60, idle), &all).await, "aucune requête");
    // What it sees is one minute and three quarters old, and its window is a minute.
    let expr = "histogram_quantile(0.95, rate(app_request_latency_seconds_bucket[1m] offset 1m)) > 1";
    let late = FakeAlert { expr, ..FakeAlert::default() };
    let before = |look: &Look<'_>, step: usize| step > 7 && slow(look, step - 7) > 0.05;
    fails(&judge(&with(late, 60, before), &all).await, "« pending » trop tard");
}

fn memory(scenarios: &str) -> RuleScenario {
    check(&format!("scenarios = [{scenarios}]\nfor = '60s'\n"))
}

fn ratio(look: &Look<'_>, step: usize) -> f64 {
    ratio_of("tp-api-1", look, step)
}

fn ratio_of(name: &str, look: &Look<'_>, step: usize) -> f64 {
    let labels = format!("instance=\"cadvisor:8080\",job=\"cadvisor\",name=\"{name}\"");
    let of = |metric: &str| look(&format!("{metric}{{{labels}"), step).unwrap_or(0.0);
    of("container_memory_usage_bytes") / of("container_spec_memory_limit_bytes")
}

#[tokio::test(start_paused = true)]
async fn memory_is_judged_on_both_sides_of_its_limit() {
    let expr = "container_memory_usage_bytes / container_spec_memory_limit_bytes > 0.8";
    let world = |holds: fn(f64) -> bool| {
        let mut world = FakeAlert { expr, ..FakeAlert::default() }.world();
        world.tools =
            Some(promtool(60, json!({"name": "tp-api-1"}), move |look, step| holds(ratio(look, step))));
        world
    };
    let limits = memory("'memory-70', 'memory-81', 'memory-95'");
    passes(&judge(&world(|r| r > 0.8 && r.is_finite()), &limits).await);
    fails(&judge(&world(|r| r > 0.6), &limits).await, "70 %");
    let limits = memory("'memory-70', 'memory-79', 'memory-81', 'memory-95'");
    passes(&judge(&world(|r| r > 0.8 && r.is_finite()), &limits).await);
    fails(&judge(&world(|r| r > 0.75), &limits).await, "79 %");
    fails(&judge(&world(|r| r > 0.9), &limits).await, "à 150 % de la limite");
    fails(&judge(&world(|r| r < 0.8), &limits).await, "tout va bien");
    fails(&judge(&world(|r| r > 80.0), &memory("'memory-95'")).await, "ne se déclenche pas");
    let unlimited = memory("'memory-no-limit'");
    passes(&judge(&world(|r| r > 0.8 && r.is_finite()), &unlimited).await);
    fails(&judge(&world(|r| r > 0.8), &unlimited).await, "sans limite");
}

#[tokio::test(start_paused = true)]
async fn memory_of_any_container_counts() {
    let expr = "container_memory_usage_bytes / container_spec_memory_limit_bytes > 0.8";
    let world = |names: &'static [&'static str], who: &str| {
        let mut world = FakeAlert { expr, ..FakeAlert::default() }.world();
        let full = |r: f64| r > 0.8 && r.is_finite();
        let who = json!({"name": who});
        world.tools = Some(promtool(60, who, move |look, step| {
            names.iter().any(|name| full(ratio_of(name, look, step)))
        }));
        world
    };
    let both = memory("'memory-95', 'memory-other'");
    fails(&judge(&world(&["tp-api-1"], "tp-api-1"), &both).await, "pour le conteneur de « api »");
    passes(&judge(&world(&["tp-redis-1"], "tp-redis-1"), &memory("'memory-other'")).await);
    // An alert for the one that is well.
    fails(
        &judge(&world(&["tp-redis-1"], "tp-api-1"), &memory("'memory-other'")).await,
        "pour ce qui va bien",
    );
    let nobody = check("scenarios = ['down-again']\nfor = '60s'\n");
    assert!(nobody.validate(&Experiments::default()).is_err());
}
