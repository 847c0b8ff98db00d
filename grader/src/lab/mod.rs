//! Labs: `lab.toml` read, validated and exported as a JSON Schema.

pub mod draw;
pub mod file;
mod load;
mod spec;

pub use file::LabError;
pub use load::{list, load, parse};
pub use spec::{CheckSpec, FORMAT, Lab, RawLab, json_schema};
