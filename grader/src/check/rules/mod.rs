//! `rules-loaded`: the alerts asked for are in the running Prometheus, and healthy.

pub mod files;
