//! The probe of TP Docker, and the words it speaks.
//!
//! A probe is a small static program started inside the network namespace of a student's service. It is asked
//! questions (« does this name resolve? », « does this port answer? ») one JSON line at a time, and it answers what it
//! saw. It knows no expected answer and no engine API: judging is the grader's work.
//!
//! With `default-features = false` this crate is only [`wire`]: the serde types of both directions. The feature `tls`
//! adds the TLS client that accepts any certificate, which the grader uses too.

pub mod wire;

#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "bin")]
pub mod clock;
#[cfg(feature = "bin")]
pub mod connect;
#[cfg(feature = "bin")]
pub mod dns;
#[cfg(feature = "bin")]
pub mod echo;
#[cfg(feature = "bin")]
pub mod engine;
#[cfg(feature = "bin")]
pub mod fault;
#[cfg(feature = "bin")]
pub mod http;
#[cfg(feature = "bin")]
pub mod postgres;
#[cfg(feature = "bin")]
pub mod receive;
#[cfg(feature = "bin")]
pub mod redis;
#[cfg(feature = "bin")]
pub mod relay;
#[cfg(feature = "bin")]
pub mod resolv;
#[cfg(feature = "bin")]
pub mod secure;
#[cfg(feature = "bin")]
pub mod serve;
#[cfg(feature = "bin")]
pub mod system;
