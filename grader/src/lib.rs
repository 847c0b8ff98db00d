//! « TP Docker » grader: brings a student's real stack up in throwaway Docker
//! networks, observes what happens, judges it and explains it in French.
//!
//! One flow, each stage a type (see `ARCHITECTURE.md`):
//! `Submission → ComposeModel → ApprovedModel → SandboxedModel → RunningStack →
//! Observation → Verdict → Event → Report`.

pub mod check;
pub mod compose;
pub mod error;
pub mod event;
pub mod lab;
pub mod time;
