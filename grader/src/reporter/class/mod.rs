//! What tells a whole class: its gradebook and its page.

mod gradebook;
mod page;

pub use gradebook::Gradebook;
pub use page::{About, page};
