//! What tells a whole class: its gradebook and its page.

mod gradebook;
mod junit;
mod page;

pub use gradebook::Gradebook;
pub use junit::Suites;
pub use page::{About, page};
