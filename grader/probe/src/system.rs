//! What is asked of the kernel: interfaces, links, signals. The unsafe code of the probe is here and in `clock`.

pub mod interfaces;
pub mod kill;
pub mod link;
pub mod signal;
pub mod sockets;
