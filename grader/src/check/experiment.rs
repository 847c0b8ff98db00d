//! Experiments that several checks of a lab judge together, declared once in `lab.toml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::time::Span;

/// An HTTP GET to a service, by its name and container port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Request {
    /// Service.
    pub service: String,
    /// Container port.
    pub port: u16,
    /// Path, with its leading slash.
    pub path: String,
}

/// The experiments of a lab.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Experiments {
    /// A cache in front of a database.
    #[serde(default)]
    pub cache: Option<CacheExperiment>,
    /// Requests counted by the application's own metrics.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    /// Services that are broken, and what is asked meanwhile.
    #[serde(default)]
    pub outage: Vec<Outage>,
    /// The second copy of the stack.
    #[serde(default)]
    pub second: Option<Second>,
    /// A top-level file secret whose value is drawn for each run.
    #[serde(default)]
    pub secret: Option<String>,
    /// A service whose place is taken by the receiver of the run.
    #[serde(default)]
    pub receiver: Option<Receiver>,
    /// Names of a file that is laid over the main Compose file, the first that is there: the stack that runs
    /// is made of both, and what the main files declare alone is judged apart.
    #[serde(default)]
    pub over: Vec<String>,
    /// A linear model that scores what it is given.
    #[serde(default)]
    pub scoring: Option<Scoring>,
    /// Services that are removed and created anew, with what must survive it.
    #[serde(default)]
    pub survival: Vec<Survival>,
    /// The profile that is brought up, as `--profile` would.
    #[serde(default)]
    pub profile: Option<String>,
    /// Profiles that are read besides, and never run.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// The `.env` that the run writes, as somebody who has just received the project would.
    #[serde(default)]
    pub dotenv: Option<Dotenv>,
    /// A script of the student's that tells whether the stack is well.
    #[serde(default)]
    pub script: Option<Script>,
}

/// A service that is removed and created anew, with what must survive it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Survival {
    /// Service.
    pub service: String,
    /// Services that are made anew after it, before the data are read: a memory is no storage.
    #[serde(default)]
    pub also: Vec<String>,
    /// A Redis service (port 6379) that is emptied before the data are read again: a cache is no storage either.
    #[serde(default)]
    pub emptied: Option<String>,
    /// How something is written; `{token}` is drawn for the run.
    pub write: Written,
    /// How it is read: a 2xx whose body holds the token.
    pub read: Written,
    /// What the service itself answers whenever it is there.
    #[serde(default)]
    pub alive: Option<Request>,
    /// What is asked meanwhile of a service that depends on it.
    #[serde(default)]
    pub health: Option<Request>,
}

/// An HTTP exchange; `{token}` in its path and body is drawn for the run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Written {
    /// Service.
    pub service: String,
    /// Container port.
    pub port: u16,
    /// Method.
    #[serde(default = "get")]
    pub method: String,
    /// Path, with its leading slash.
    pub path: String,
    /// JSON body.
    #[serde(default)]
    pub body: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The `.env` that the run writes: what the example says, secrets drawn.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dotenv {
    /// The file that names the variables, relative to the submission.
    pub example: String,
    /// Variables that are secrets: their values are drawn for each run.
    pub secrets: Vec<String>,
}

/// A script of the student's that tells, service by service, whether the stack is well.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Script {
    /// The file, relative to the submission; run by bash.
    pub file: String,
    /// Services that it must speak of.
    pub services: Vec<String>,
    /// Those among which the broken ones are drawn.
    pub breakable: Vec<String>,
    /// Longest run.
    pub deadline: Span,
}

/// A service that scores transactions with a linear model, explains its scores and tells a drift.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scoring {
    /// Service.
    pub service: String,
    /// Container port.
    pub port: u16,
    /// Variables of a transaction.
    pub variables: Vec<Variable>,
}

/// A variable of a transaction.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Variable {
    /// Its key.
    pub name: String,
    /// Lowest value drawn.
    pub from: f64,
    /// Highest value drawn.
    pub to: f64,
    /// Only whole values make sense.
    #[serde(default)]
    pub whole: bool,
    /// What more of it does to the score.
    pub effect: Effect,
}

/// What more of a variable does to the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The score goes up.
    Raises,
    /// The score goes down.
    Lowers,
}

/// A service whose place is taken by the receiver of the run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Receiver {
    /// Service.
    pub service: String,
    /// Port on which it listens.
    pub port: u16,
}

/// A cache in front of a database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CacheExperiment {
    /// The request that is cached.
    pub request: Request,
    /// Redis service.
    pub store: String,
    /// Port of Redis.
    pub store_port: u16,
    /// JSON field that says where the answer comes from.
    pub source_field: String,
    /// JSON field of the value.
    pub value_field: String,
    /// Value of the source field for a fresh answer.
    pub fresh: String,
    /// Value of the source field for a cached answer.
    pub cached: String,
    /// Life of the key just after it is written: not before.
    pub not_before: Span,
    /// Life of the key just after it is written: at most.
    pub by: Span,
}

/// Requests counted by the application's own metrics.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Traffic {
    /// Where the metrics are read.
    pub metrics: Request,
    /// Paths that receive a random number of requests (same service and port).
    pub paths: Vec<String>,
}

/// A service that is broken without ending its container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outage {
    /// Service that is frozen.
    pub service: String,
    /// On the second copy rather than on the first.
    #[serde(default)]
    pub second: bool,
    /// Its health check is not judged: it is neither made more frequent nor watched.
    #[serde(default)]
    pub unwatched: bool,
    /// Beside the other outages that say so, as far as no health check may ask another broken service.
    #[serde(default)]
    pub together: bool,
    /// Its health check must ask the server: that its port is open is not enough.
    #[serde(default)]
    pub queried: bool,
    /// Request kept open meanwhile.
    #[serde(default)]
    pub request: Option<Request>,
    /// When the request must not be served from the cache, its keys are removed first.
    #[serde(default)]
    pub cold_cache: bool,
    /// Values of the source field (see `cache`) that are a lie while the service is broken;
    /// an empty list means that no success at all is honest.
    #[serde(default)]
    pub lies: Vec<String>,
}

/// The second copy of the stack.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Second {
    /// Services whose first health check comes late, so that an order that only luck gives shows.
    #[serde(default)]
    pub late: Vec<String>,
    /// Delay of that first health check.
    #[serde(default)]
    pub delay: Option<Span>,
    /// PostgreSQL service seen through a relay that shifts the years of its timestamps.
    #[serde(default)]
    pub relay: Option<String>,
}
