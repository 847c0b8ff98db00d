//! Labels by which Compose marks what it makes.

/// Project of a container, a network or a volume.
pub const PROJECT: &str = "com.docker.compose.project";

/// Service of a container.
pub const SERVICE: &str = "com.docker.compose.service";

/// Folder of a container's project, on the machine where Compose was called.
pub const FOLDER: &str = "com.docker.compose.project.working_dir";
