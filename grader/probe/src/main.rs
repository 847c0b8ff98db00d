//! The probe's program.

fn main() {}
