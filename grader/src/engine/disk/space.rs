//! The free space of the disks that a stack writes to, where they are this machine's.

use std::path::{Path, PathBuf};

use super::super::connect::Engine;

/// Bytes that may go before somebody looks at who took them.
const STEP: u64 = 256 << 20;

/// What was free at the last look, place by place.
pub(super) struct Space {
    places: Vec<(PathBuf, u64)>,
}

impl Space {
    /// Of the engine's own folder and of `dir`; unknown when the engine is not of this machine.
    pub async fn of(engine: &Engine, dir: &Path) -> Self {
        let root = engine.docker.info().await.ok().and_then(|info| {
            // Docker Desktop's folder is in its virtual machine.
            let here = info.operating_system.as_deref() != Some("Docker Desktop");
            info.docker_root_dir.filter(|_| here && engine.host.starts_with("unix://"))
        });
        let places = [root.map(PathBuf::from), Some(dir.to_owned())];
        let places: Option<Vec<_>> =
            places.into_iter().map(|place| place.and_then(|p| free(&p).map(|bytes| (p, bytes)))).collect();
        Self { places: places.unwrap_or_default() }
    }

    /// True when the free space can be read.
    pub fn is_known(&self) -> bool {
        !self.places.is_empty()
    }

    /// True when much of it went since the last time that this said so.
    pub fn has_shrunk(&mut self) -> bool {
        let now: Vec<u64> = self.places.iter().map(|(place, _)| free(place).unwrap_or_default()).collect();
        let shrunk = now.iter().zip(&self.places).any(|(now, (_, then))| now + STEP <= *then);
        for (now, (_, then)) in now.into_iter().zip(&mut self.places) {
            // What was given back counts from there.
            if shrunk || now > *then {
                *then = now;
            }
        }
        shrunk
    }
}

#[cfg(unix)]
fn free(place: &Path) -> Option<u64> {
    let of = rustix::fs::statvfs(place).ok()?;
    of.f_bavail.checked_mul(of.f_frsize)
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}
