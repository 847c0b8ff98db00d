//! What a student does between two checks: begin, begin again, see where one stands.

mod chapter;
mod classroom;
mod folder;
mod note;
mod progress;
mod status;

pub use chapter::{chapter, open, show};
pub use classroom::Platform;
pub use folder::{init, reset};
#[cfg(feature = "serve")]
pub use note::known;
pub use note::{lab_of, note, note_hint};
pub use status::{next, status};
