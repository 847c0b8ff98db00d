//! The engine: the only module that names bollard, and the only one that starts anything.

mod blame;
mod build;
mod connect;
mod containers;
mod crash;
mod deep;
mod disk;
mod door;
mod events;
mod fault;
mod files;
mod host;
mod image_scan;
mod images;
mod kept;
mod labels;
mod pool;
mod probe;
mod processes;
mod recipe;
mod registry;
mod replace;
mod script;
mod session;
mod stack;
mod survey;
mod sweep;
mod terminal;
mod tool;
mod tools;
mod tree;
mod twin;
mod world;

pub use build::{BuildRequest, build};
pub use connect::Engine;
pub use disk::guard_disk;
pub use door::{Ability, version};
pub use images::{
    ImagePolicy, Resolved, ensure_images, is_built, look_for_probes_in, missing_images, probe_image,
    remove_kept_images,
};
pub use recipe::{Recipe, build_recipes, recipes};
pub use session::{Session, reap_main};
pub use stack::{Stack, StackPlan};
pub use survey::Survey;
pub use sweep::{clean, inventory};
pub use terminal::{OwnContainer, Terminal};
pub use tool::Toolbox;
pub use tools::Tools;
pub use world::StackWorld;
