//! One encoder an output. What comes from outside enters a Markdown text, a workflow command, an XML
//! document or a CSV file through its type here, and through nothing else.

pub mod command;
pub mod csv;
pub mod markdown;
pub mod xml;

#[cfg(test)]
pub mod tests;
