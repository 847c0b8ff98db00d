//! The jobs of a workflow, what they need, and when they run.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;
use super::expr::{Facts, Value, asks_status, evaluate};
use super::shell::Shell;
use super::steps::{Deeds, Push, deeds, is_true};

/// A job.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Jobs it needs.
    pub needs: Vec<String>,
    /// Condition.
    pub condition: Option<String>,
    /// What its steps do, each with its condition.
    pub steps: Vec<(Option<String>, Deeds)>,
    /// Whether its own failure counts for nothing.
    pub careless: bool,
    /// Line of its first text.
    pub line: usize,
}

impl Job {
    /// Whether its tests can fail it.
    pub fn tests(&self) -> bool {
        !self.careless && self.steps.iter().any(|(_, d)| d.tests)
    }

    /// Whether it has tests whose failure is swallowed.
    pub fn tests_in_vain(&self) -> bool {
        self.steps.iter().any(|(_, d)| d.tests_in_vain || (self.careless && d.tests))
    }

    /// Whether it builds images.
    pub fn builds(&self) -> bool {
        self.steps.iter().any(|(_, d)| d.builds)
    }

    /// Whether it ever pushes images.
    pub fn pushes(&self) -> bool {
        self.steps.iter().any(|(_, d)| d.pushes != Push::No)
    }
}

/// A moment at which the workflow may run.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// `github.event_name`.
    pub event: String,
    /// `github.ref`.
    pub reference: String,
    /// Jobs that run and fail.
    pub failing: BTreeSet<String>,
    /// A pull request that is neither opened nor changed: closed, labelled…
    pub late: bool,
}

/// The jobs of a workflow.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// By name.
    pub jobs: BTreeMap<String, Job>,
}

fn texts(node: Option<&Node>) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    match node.text() {
        Some(text) => vec![text.to_owned()],
        None => node.items().iter().filter_map(Node::text).map(str::to_owned).collect(),
    }
}

fn condition(node: &Node) -> Option<String> {
    node.get("if").and_then(Node::text).map(str::to_owned)
}

impl Graph {
    /// The jobs of a workflow.
    pub fn of(workflow: &Node) -> Self {
        let Some(Node::Map(jobs)) = workflow.get("jobs") else { return Self::default() };
        let usual = Shell::of_all(workflow).unwrap_or_default();
        let job = |node: &Node| Job {
            needs: texts(node.get("needs")),
            condition: condition(node),
            steps: node
                .get("steps")
                .map_or(&[][..], Node::items)
                .iter()
                .map(|s| (condition(s), deeds(s, Shell::of_all(node).unwrap_or(usual))))
                .collect(),
            careless: is_true(node.get("continue-on-error")),
            line: node.line(),
        };
        Self {
            jobs: jobs.iter().filter_map(|(name, node)| Some((name.text()?.to_owned(), job(node)))).collect(),
        }
    }

    /// All that a job needs, directly or not.
    pub fn ancestors(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut todo = vec![name.to_owned()];
        while let Some(next) = todo.pop() {
            for need in self.jobs.get(&next).into_iter().flat_map(|j| &j.needs) {
                if found.insert(need.clone()) {
                    todo.push(need.clone());
                }
            }
        }
        found
    }

    /// Names of the jobs that are so.
    pub fn those(&self, is: impl Fn(&Job) -> bool) -> Vec<String> {
        self.jobs.iter().filter(|(_, job)| is(job)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether a job runs at that moment; `None` when only a real run would tell.
    pub fn runs(&self, name: &str, moment: &Moment) -> Option<bool> {
        let Some(job) = self.jobs.get(name) else { return Some(false) };
        let ancestors = self.ancestors(name);
        // A circle is not a workflow; its jobs never run.
        if ancestors.contains(name) {
            return Some(false);
        }
        let results: BTreeMap<String, Option<bool>> = ancestors
            .iter()
            .map(|n| (n.clone(), if moment.failing.contains(n) { Some(false) } else { self.runs(n, moment) }))
            .collect();
        let success = results.values().try_fold(true, |all, one| one.map(|one| all && one));
        let certain = results.values().any(|one| *one == Some(false));
        let understood = if certain { Some(false) } else { success };
        let around = Around { moment, results: &results, success: !certain };
        let Some(text) = &job.condition else { return understood };
        let own = evaluate(text, &around).truth();
        if asks_status(text) { own } else { both(understood, own) }
    }

    /// Whether a job runs tests at that moment, those whose failure is swallowed included; `None` when only a real
    /// run would tell.
    pub fn tests_at(&self, name: &str, moment: &Moment) -> Option<bool> {
        let Some(job) = self.jobs.get(name) else { return Some(false) };
        let none = BTreeMap::new();
        let around = Around { moment, results: &none, success: true };
        let mut any = Some(false);
        for (condition, _) in job.steps.iter().filter(|(_, deeds)| deeds.tests || deeds.tests_in_vain) {
            any = either(any, around.holds(condition.as_deref()));
        }
        both(self.runs(name, moment), any)
    }

    /// Whether a job pushes images at that moment.
    pub fn publishes(&self, name: &str, moment: &Moment) -> Option<bool> {
        let runs = self.runs(name, moment);
        let Some(job) = self.jobs.get(name) else { return Some(false) };
        let none = BTreeMap::new();
        let around = Around { moment, results: &none, success: true };
        let mut any = Some(false);
        for (condition, deeds) in &job.steps {
            let flag = match &deeds.pushes {
                Push::No => continue,
                Push::Always => Some(true),
                Push::When(text) => around.holds(Some(text)),
            };
            any = either(any, both(around.holds(condition.as_deref()), flag));
        }
        both(runs, any)
    }
}

fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn either(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// What a condition sees.
struct Around<'a> {
    moment: &'a Moment,
    results: &'a BTreeMap<String, Option<bool>>,
    success: bool,
}

impl Around<'_> {
    /// Whether a condition holds; what has none always goes on.
    fn holds(&self, condition: Option<&str>) -> Option<bool> {
        condition.map_or(Some(true), |text| evaluate(text, self).truth())
    }
}

impl Facts for Around<'_> {
    fn property(&self, path: &str) -> Value {
        let Moment { event, reference, .. } = self.moment;
        let request = event.starts_with("pull_request");
        let text = |value: &str| Value::Text(value.to_owned());
        if let Some(job) = path.strip_prefix("needs.").and_then(|p| p.strip_suffix(".result")) {
            let seen = self.results.iter().find(|(name, _)| name.to_lowercase() == job);
            return match seen {
                Some((name, _)) if self.moment.failing.contains(name) => text("failure"),
                Some((_, Some(true))) => text("success"),
                Some((_, Some(false))) => text("skipped"),
                _ => Value::Unknown,
            };
        }
        match path {
            "github.event_name" => text(event),
            "github.ref" => text(reference),
            "github.ref_name" => text(reference.splitn(3, '/').nth(2).unwrap_or_default()),
            "github.ref_type" => text(if reference.starts_with("refs/tags/") { "tag" } else { "branch" }),
            "github.base_ref" | "github.event.repository.default_branch"
                if request || path.ends_with("branch") =>
            {
                text("main")
            }
            "github.head_ref" if request => text("une-branche"),
            "github.base_ref" | "github.head_ref" => text(""),
            _ if path.starts_with("github.event.pull_request") && !request => Value::Null,
            "github.event.pull_request" => Value::Bool(true),
            _ => Value::Unknown,
        }
    }

    fn status(&self, function: &str) -> bool {
        match function {
            "always" => true,
            "success" => self.success,
            "failure" => !self.moment.failing.is_empty(),
            _ => false,
        }
    }
}
