//! « TP Docker » grader: brings a student's real stack up in throwaway Docker
//! networks, observes what happens, judges it and explains it in French.
//!
//! One flow, each stage a type (see `ARCHITECTURE.md`):
//! `Submission → ComposeModel → ApprovedModel → SandboxedModel → RunningStack →
//! Observation → Verdict → Event → Report`.

pub mod batch;
#[cfg(feature = "book")]
pub mod book;
#[cfg(feature = "bundle")]
pub mod bundle;
pub mod check;
pub mod cli;
pub mod compare;
pub mod compose;
pub mod course;
pub mod engine;
pub mod error;
pub mod event;
pub mod export;
pub mod french;
pub mod lab;
pub mod report;
pub mod reporter;
pub mod run;
#[cfg(feature = "serve")]
pub mod serve;
pub mod time;
