//! The workflow of lab 11: actionlint, order of the jobs, events, secrets.

use super::super::testing::FakeWorld;
use super::super::world::ToolOutcome;
use super::{fails, judge, passes, unsure};
use crate::event::Verdict;

const FILE: &str = ".github/workflows/ci.yml";
const GOOD: &str = "on: {push: {branches: [main]}, pull_request: }
jobs:
  a:
    steps: [{run: pytest}]
  b:
    needs: a
    steps: [{run: docker compose build}]
  c:
    needs: [b]
    if: github.event_name == 'push'
    steps: [{uses: docker/login-action@v3, with: {password: '${{ secrets.X }}'}}, {run: docker compose push}]
";

fn world(text: &str) -> FakeWorld {
    let mut world = FakeWorld::lab01();
    world.files.insert(FILE.into(), text.to_owned());
    world
}

async fn order(text: &str) -> Verdict {
    judge("11", "ci-ordre", &world(text)).await
}

#[tokio::test]
async fn jobs_are_known_by_what_they_do() {
    passes(&order(GOOD).await);
    fails(&order(&GOOD.replace("needs: [b]", "needs: []")).await, "sans attendre les tests");
    fails(&order(&GOOD.replace("    needs: a\n", "")).await, "sans attendre les tests");
    fails(&order(&GOOD.replace("needs: [b]", "needs: [a]")).await, "ait construit");
    fails(
        &order(&GOOD.replace("    needs: a\n", "").replace("needs: [b]", "needs: [a, b]")).await,
        "construit sans attendre",
    );
    fails(&order(&GOOD.replace("run: pytest", "run: pytest || true")).await, "ne peuvent pas échouer");
    fails(&order(&GOOD.replace("run: pytest", "run: echo pytest")).await, "sans attendre les tests");
    fails(&order(&GOOD.replace("docker compose push", "git push")).await, "aucune tâche ne publie");
    for always in ["always() && github.event_name == 'push'", "failure() || true"] {
        let text = GOOD.replace("github.event_name == 'push'", &format!("${{{{ {always} }}}}"));
        fails(&order(&text).await, "tests échouent");
    }
    let text = GOOD.replace("github.event_name == 'push'", "${{ !cancelled() }}");
    assert!(matches!(order(&text).await, Verdict::Fail(_)));
    passes(
        &order(&GOOD.replace("github.event_name == 'push'", "always() && needs.b.result == 'success'")).await,
    );
    // Two jobs of tests, one of which is enough to publish.
    let two = GOOD
        .replace("  b:\n    needs: a\n", "  d:\n    steps: [{run: ./tests.sh}]\n  b:\n    needs: [a, d]\n    if: always() && (needs.a.result == 'success' || needs.d.result == 'success')\n")
        .replace("github.event_name == 'push'", "always() && needs.b.result == 'success'");
    fails(&order(&two).await, "tests échouent");
    passes(&order(&two.replace("|| needs.d", "&& needs.d")).await);
    passes(&order(&format!("{GOOD}  e:\n    needs: c\n    steps: [{{run: ./tests.sh}}]\n")).await);
    fails(&order(&format!("{GOOD}  e:\n    steps: [{{run: ./tests.sh}}]\n")).await, "tests échouent");
    let skipped = "run: pytest, if: github.event_name == 'pull_request'";
    fails(&order(&GOOD.replace("run: pytest", skipped)).await, "aucun test n'ait tourné");
    passes(&order(&GOOD.replace("run: pytest", "run: pytest, if: hashFiles('x') != ''")).await);
    let careless = GOOD.replace("  a:\n", "  a:\n    continue-on-error: ${{ true }}\n");
    fails(&order(&careless).await, "ne peuvent pas échouer");
    fails(&order("on: push").await, "aucune");
    fails(&order("a: [").await, "YAML");
    fails(&judge("11", "ci-ordre", &FakeWorld::lab01()).await, "manque");
}

#[tokio::test]
async fn a_pull_request_pushes_nothing() {
    let events = |text: String| async move { judge("11", "ci-pull-request", &world(&text)).await };
    let with = |condition: &str| GOOD.replace("github.event_name == 'push'", condition);
    passes(&events(GOOD.into()).await);
    passes(&events(with("github.ref == 'refs/heads/main'")).await);
    passes(&events(with("github.event_name != 'pull_request' && vars.X == '1'")).await);
    passes(&events(GOOD.replace("branches: [main]", "tags: ['v*']")).await);
    fails(&events(with("true")).await, "publie des images");
    fails(
        &events(with("github.event_name == 'push' || github.base_ref == 'main'")).await,
        "publie des images",
    );
    fails(&events(with("vars.X")).await, "publie des images");
    fails(&events(with("github.event_name == 'release'")).await, "rien ne publie");
    fails(&events(GOOD.replace(", pull_request: ", "")).await, "ne lance pas");
    // It runs on the branch that is aimed at.
    fails(
        &events(with("github.ref == 'refs/heads/main'").replace("pull_request:", "pull_request_target:"))
            .await,
        "publie des images",
    );
    let late = GOOD.replace("  a:\n", "  a:\n    if: github.event_name == 'push'\n");
    fails(&events(late).await, "n'est pas testée");
    let step = GOOD.replace("run: pytest", "run: pytest, if: github.event_name == 'push'");
    fails(&events(step).await, "n'est pas testée");
    fails(&events(GOOD.replace("pull_request: ", "pull_request: {types: [closed]}")).await, "qu'on ouvre");
    passes(&events(GOOD.replace("pull_request: ", "pull_request: {types: [opened, labeled]}")).await);
    let merged = "github.event_name == 'push' || github.event.pull_request.merged";
    fails(
        &events(with(merged).replace("pull_request: ", "pull_request: {types: [opened, closed]}")).await,
        "publie",
    );
    // That tests cannot fail is missed once, by the order.
    passes(&events(GOOD.replace("run: pytest", "run: pytest || true")).await);
}

#[tokio::test]
async fn actionlint_and_secrets() {
    passes(&judge("11", "ci-secrets", &world(GOOD)).await);
    fails(&judge("11", "ci-secrets", &world(&GOOD.replace("${{ secrets.X }}", "azerty"))).await, "password");
    let lint = |code, output: &str| {
        let mut world = world(GOOD);
        let outcome = ToolOutcome { code, output: output.to_owned() };
        world.tools = Some(Box::new(move |_| outcome.clone()));
        world
    };
    passes(&judge("11", "ci-valide", &lint(0, "")).await);
    fails(&judge("11", "ci-valide", &lint(1, "ci.yml:3:5: unknown job [job-needs]\n")).await, "unknown job");
    unsure(&judge("11", "ci-valide", &lint(3, "no such file")).await);
}
