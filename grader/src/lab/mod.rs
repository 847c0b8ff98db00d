//! Labs: `lab.toml` read, validated and exported as a JSON Schema.

pub mod draw;
mod load;
mod spec;

pub use load::{LabError, list, load, parse};
pub use spec::{CheckSpec, FORMAT, Lab, RawLab, json_schema};
