//! The probe of TP Docker, and the words it speaks.
//!
//! A probe is a small static program started inside the network namespace of a student's service. It is asked
//! questions (« does this name resolve? », « does this port answer? ») one JSON line at a time, and it answers what it
//! saw. It knows no expected answer and no engine API: judging is the grader's work.
//!
//! With `default-features = false` this crate is only [`wire`]: the serde types of both directions.

pub mod wire;
