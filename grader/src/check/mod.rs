//! Check kinds. A new kind is one file here and two lines in this one:
//! its `mod` line and its line in [`kinds!`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::Fault;
use crate::event::Verdict;

pub mod cx;
pub mod deep;
pub mod experiment;
pub mod memo;
pub mod world;

pub use cx::{Cx, Stage};
pub use deep::Deep;
pub use experiment::Experiments;
pub use memo::Memo;
pub use world::World;

mod advice;
mod alert;
mod answer;
mod apart;
mod backup;
mod basic_auth;
mod build;
mod cache;
mod database;
mod datasource;
mod delivered;
mod dns;
mod doors;
mod dotenv;
mod follows;
mod front;
mod grafana;
mod healthcheck;
mod http;
mod ingest;
mod inside;
mod installed;
mod interfaces;
mod intervals;
mod kit;
mod lacks;
mod lasting;
mod limits;
mod login;
mod metrics;
mod model;
mod mount;
mod multi_stage;
mod network;
mod no_dev;
mod non_root;
mod order;
mod origin;
mod outage;
mod panels;
mod persists;
mod ports;
mod profile;
mod prom;
mod promql;
mod published_only;
mod pushed;
mod reach;
mod restarts;
mod retention;
mod rewinds;
mod rotation;
mod rules;
mod scenario;
mod script;
mod secret;
mod slim;
mod survives;
mod targets;
mod tell;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod traefik;
mod up;
mod websocket;
mod workflow;
mod yaml;

/// One declared check, ready to judge.
#[async_trait]
pub trait Check: Send + Sync {
    /// When it runs.
    fn stage(&self, experiments: &Experiments) -> Stage;

    /// English description of what is wrong with the declaration, if anything is.
    fn validate(&self, _experiments: &Experiments) -> Result<(), String> {
        Ok(())
    }

    /// True when only the file is looked at (said in the report).
    fn is_static(&self) -> bool {
        false
    }

    /// True when a miss says that something did not come, or not in time: on a saturated machine that may be
    /// the machine's doing. False for what is declared, or seen where it must not be.
    fn can_be_late(&self) -> bool {
        true
    }

    /// True when it may be judged before what it needs is known (its verdict is only told after):
    /// it looks at nothing that a failed need could falsify.
    fn is_early(&self) -> bool {
        false
    }

    /// Services that it stops, recreates or otherwise disturbs while it runs. For information and
    /// scheduling: what must not overlap on one copy is held apart by [`Memo::alone`] in any case.
    fn disturbs(&self, _experiments: &Experiments) -> Vec<String> {
        Vec::new()
    }

    /// True when it judges how the stack came up rather than how it is: once its services are replaced
    /// one by one there is nothing to see.
    fn looks_back(&self) -> bool {
        false
    }

    /// Of a check judged on the second copy: the keys of [`Memo`] of what it makes on the first,
    /// which is removed once they are known.
    fn on_first(&self, _experiments: &Experiments) -> Vec<String> {
        Vec::new()
    }

    /// Gets ready, as soon as the stack is up and beside everything else, what `judge` would
    /// otherwise have to wait for. Faults show when it judges.
    async fn prepare(&self, _cx: &Cx<'_>) {}

    /// Longest judgement.
    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }

    /// Official images whose programs it runs through [`World::tool`].
    fn tools(&self) -> Vec<String> {
        Vec::new()
    }

    /// Observes and judges. `Err` becomes `inconclusive`.
    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault>;
}

/// The name of a kind as `lab.toml` writes it, from its field.
fn written(field: &'static str) -> &'static str {
    match field {
        "no_dev" => "no-dev",
        "rules_loaded" => "rules-loaded",
        "rule_scenario" => "rule-scenario",
        "allow_list" => "allow-list",
        "exposed_only" => "exposed-only",
        "chosen_network" => "chosen-network",
        "published_only" => "published-only",
        "secret_used" => "secret-used",
        "secret_hidden" => "secret-hidden",
        "non_root" => "non-root",
        "multi_stage" => "multi-stage",
        "basic_auth" => "basic-auth",
        other => other,
    }
}

/// Declares the kinds: one optional field per kind, exactly one of which is set.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $field:ident : $ty:ty ),+ $(,)?) => {
        /// A `[[check]]` as written: the common keys and one optional field per kind.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct RawCheck {
            /// Id, unique in the lab, kebab-case.
            pub id: String,
            /// Points it is worth.
            pub points: f64,
            /// French title, a statement that is true when the check passes.
            pub title: String,
            /// French section of the report.
            #[serde(default)]
            pub section: String,
            /// Ids that must pass first.
            #[serde(default)]
            pub needs: Vec<String>,
            /// Anchor in the course, `chapter#anchor`.
            #[serde(default)]
            pub course: String,
            /// Hints, from the vaguest to the most precise.
            #[serde(default)]
            pub hints: Vec<String>,
            $( $(#[$doc])* #[serde(default)] pub $field: Option<$ty>, )+
        }

        impl RawCheck {
            /// The kinds set on this check, by their names in `lab.toml`.
            pub fn kinds(&self) -> Vec<(&'static str, Arc<dyn Check>)> {
                let mut found: Vec<(&'static str, Arc<dyn Check>)> = Vec::new();
                $( if let Some(kind) = &self.$field {
                    found.push((written(stringify!($field)), Arc::new(kind.clone())));
                } )+
                found
            }

            /// Names of all kinds, for messages.
            pub fn kind_names() -> Vec<&'static str> {
                vec![$( written(stringify!($field)) ),+]
            }
        }
    };
}

kinds! {
    /// The stack builds, starts and gets ready.
    up: up::Up,
    /// Declared network shared by services.
    network: network::Network,
    /// A name resolves (or must not).
    dns: dns::Dns,
    /// A TCP port is reached.
    reach: reach::Reach,
    /// TCP ports must not be reached.
    apart: apart::Apart,
    /// Interfaces of a container.
    interfaces: interfaces::Interfaces,
    /// A closed question of `reponses.yaml`.
    answer: answer::Answer,
    /// An HTTP answer.
    http: http::Http,
    /// A port published on the host.
    published: ports::Published,
    /// Services that publish nothing.
    unpublished: ports::Unpublished,
    /// The cache experiment.
    cache: cache::Cache,
    /// Prometheus metrics that move by exactly what was sent.
    metrics: metrics::Metrics,
    /// A value that really travelled from the database.
    origin: origin::Origin,
    /// What the API answers while a store is broken.
    outage: outage::OutageCheck,
    /// A health check that can fail.
    healthcheck: healthcheck::Healthcheck,
    /// Start order by health.
    order: order::Order,
    /// Data that survives `down` then `up`.
    persists: persists::Persists,
    /// The image installs from the lock file.
    lockfile: build::Lockfile,
    /// No development dependency in the image.
    no_dev: no_dev::NoDev,
    /// An alert fires in its window after a service is stopped, measured live.
    alert: alert::Alert,
    /// Alerts of the running Prometheus.
    rules_loaded: rules::RulesLoaded,
    /// What an alert does in a scenario, in virtual time.
    rule_scenario: scenario::RuleScenario,
    /// Prometheus collects these services.
    targets: targets::Targets,
    /// A counter seen through PromQL follows the traffic.
    follows: follows::Follows,
    /// Grafana's data source leads to Prometheus.
    datasource: datasource::Datasource,
    /// A Grafana dashboard shows what is asked.
    panels: panels::Panels,
    /// How long Prometheus keeps its samples.
    retention: retention::Retention,
    /// How often Prometheus scrapes and evaluates.
    intervals: intervals::Intervals,
    /// A host served by a service through the reverse proxy.
    route: traefik::Route,
    /// Requests in clear that are redirected to HTTPS.
    redirect: traefik::Redirect,
    /// The certificate that the reverse proxy presents.
    certificate: traefik::Certificate,
    /// A path that only one network may read.
    allow_list: traefik::AllowList,
    /// Traefik's dashboard and API.
    dashboard: traefik::Dashboard,
    /// A value just written in a store, served by an application through the reverse proxy.
    planted: traefik::Planted,
    /// A PostgreSQL server that asks for a password.
    login: login::Login,
    /// Services that the reverse proxy does not lead to.
    exposed_only: traefik::ExposedOnly,
    /// The network by which the reverse proxy reaches a service.
    chosen_network: traefik::ChosenNetwork,
    /// Requests are spread over all the replicas.
    spread: traefik::Spread,
    /// A replica made sick leaves the pool.
    ejects: traefik::Ejects,
    /// A certificate issued by a local ACME server.
    acme: traefik::Acme,
    /// What the receiver of the run is sent.
    delivered: delivered::Delivered,
    /// A file secret opens the database.
    secret_used: secret::SecretUsed,
    /// A file secret is nowhere to be seen.
    secret_hidden: secret::SecretHidden,
    /// Applications published beneath a prefix.
    prefixed: front::Prefixed,
    /// The copies of one service behind a proxy that leads by path.
    replicas: front::Replicas,
    /// A reverse proxy that starts without one of its applications.
    late: front::Late,
    /// A GitHub Actions workflow.
    workflow: workflow::Workflow,
    /// The only ports of the host that the stack publishes.
    published_only: published_only::PublishedOnly,
    /// Images that hold what runs and nothing of what made them.
    slim: slim::Slim,
    /// Images pushed to a throwaway registry and pulled back.
    pushed: pushed::Pushed,
    /// Dumps of a database that are kept and restored.
    backup: backup::Backup,
    /// A database given back as it was at an instant.
    rewinds: rewinds::Rewinds,
    /// A model that scores, explains itself and tells a drift.
    model: model::Model,
    /// A websocket opened through a reverse proxy.
    websocket: websocket::Websocket,
    /// No process belongs to root.
    non_root: non_root::NonRoot,
    /// What is mounted in a service.
    mount: mount::Mount,
    /// An image without what built it.
    multi_stage: multi_stage::MultiStage,
    /// How long a log may grow.
    rotation: rotation::Rotation,
    /// Memory and processors that services may take at most.
    limits: limits::Limits,
    /// A line sent by TCP is found in Elasticsearch.
    ingest: ingest::Ingest,
    /// What is written survives the removal of a container.
    survives: survives::Survives,
    /// A page that asks for a name and a password.
    basic_auth: basic_auth::BasicAuth,
    /// Static files, compressed and kept by browsers.
    assets: front::Assets,
    /// What is asked of a reverse proxy beneath a prefix reaches a service.
    relayed: front::Relayed,
    /// An application that lives beneath a base path.
    based: front::Based,
    /// Services that the engine starts again when their process is killed.
    restarts: restarts::Restarts,
    /// A profile that is not run.
    profile: profile::Profile,
    /// Secrets that are in no file that is handed in.
    dotenv: dotenv::Dotenv,
    /// Services that open to the secret drawn for the run, and to no other.
    doors: doors::Doors,
    /// A script of the student's that tells whether the stack is well.
    script: script::Script,
}
