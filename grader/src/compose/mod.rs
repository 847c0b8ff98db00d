//! From a student's folder to a stack that may be started.
//!
//! `stage` copies the folder, `canonical` asks the official Compose for its canonical model,
//! `approve` judges it (deny by default) and `sandbox` rewrites it for a throwaway run. Each
//! stage is a type, and only `sandbox` makes a [`SandboxedModel`].

mod canonical;
mod choose;
mod consistency;
mod dockerfile;
mod dotenv;
mod fallbacks;
mod gate;
mod grants;
mod messages;
mod model;
mod opinion;
mod policy;
mod print;
mod rewrite;
mod source;
mod stage;
mod tool;
pub(crate) mod tree;
mod typography;
mod wishes;

#[cfg(test)]
mod tests;

pub use canonical::{ConfigError, canonical};
pub use dockerfile::{FromImage, feeders};
pub use fallbacks::{fallbacks, unused};
pub use model::{BuildPlan, ComposeModel, ImageNeed};
pub use opinion::opinion;
pub use policy::{ApprovedModel, approve};
pub use print::{fingerprint, is_scratch};
pub use rewrite::{
    Copy, EngineAccess, Plan, Receiver, Relay, RelayTruth, SandboxedModel, SandboxedNetwork,
    SandboxedService, sandbox,
};
pub use source::SourceMap;
pub use stage::{Limits, Staged, stage, stage_for};
pub use tool::ComposeTool;
pub use wishes::{DotenvWish, Wishes};
