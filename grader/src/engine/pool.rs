//! Our own pool of subnets, shared by all installs and users of this machine.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::Ipv4Net;
use rand::Rng;

use super::connect::Engine;
use super::fault::engine_fault;
use crate::error::{Fault, FaultKind};

/// 198.18.0.0/15: kept for benches, so no private range that a student writes contains it by accident.
/// First byte, then the bounds of the second.
const POOL: (u8, u8, u8) = (198, 18, 19);
/// A claim older than that was left by a session that died, and whose install was never used again.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Where the claims are: two users of one engine must not draw the same subnet, so it is nobody's own.
fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join("tp-docker-pool");
    if std::fs::create_dir(&folder).is_ok() {
        // As the temporary folder itself: everyone writes, nobody removes what is another's.
        #[cfg(unix)]
        let _ = std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o1777));
    }
    folder
}

/// Claims `count` free /24 of the pool: not used by a network of the engine, not routed by this
/// machine, not claimed by another session.
pub(super) async fn claim(engine: &Engine, session: &str, count: usize) -> Result<Vec<Ipv4Net>, Fault> {
    let networks =
        engine.docker.list_networks(None).await.map_err(|e| engine_fault("la liste des réseaux", &e))?;
    let mut taken: Vec<Ipv4Net> = networks
        .into_iter()
        .filter_map(|n| n.ipam?.config)
        .flatten()
        .filter_map(|c| c.subnet?.parse().ok())
        .collect();
    taken.extend(host_routes());
    let (folder, mut free) = (folder(), Vec::new());
    for _ in 0..4096 {
        if free.len() == count {
            return Ok(free);
        }
        let (second, third) = {
            let mut rng = rand::rng();
            (rng.random_range(POOL.1..=POOL.2), rng.random::<u8>())
        };
        let Ok(net) = Ipv4Net::new(std::net::Ipv4Addr::new(POOL.0, second, third, 0), 24) else { continue };
        if taken.iter().chain(&free).any(|t| t.contains(&net) || net.contains(t)) {
            continue;
        }
        if is_ours(&folder.join(format!("{second}.{third}")), session) {
            free.push(net);
        }
    }
    Err(Fault::new(
        FaultKind::Engine,
        "plus de sous-réseau libre pour les réseaux jetables",
        "supprimez les réseaux inutiles (docker network prune), puis « grader clean »",
    ))
}

/// Writes a claim down. True also where none can be written: then the engine alone arbitrates.
fn is_ours(claim: &Path, session: &str) -> bool {
    match OpenOptions::new().write(true).create_new(true).open(claim) {
        Ok(mut file) => {
            let _ = file.write_all(session.as_bytes());
            true
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let age = std::fs::symlink_metadata(claim).ok().and_then(|m| m.modified().ok()?.elapsed().ok());
            age.is_some_and(|age| age > STALE)
        }
        Err(_) => true,
    }
}

/// Gives the subnets of a session back.
pub(super) fn release(session: &str) {
    for entry in std::fs::read_dir(folder()).into_iter().flatten().flatten() {
        if std::fs::read_to_string(entry.path()).is_ok_and(|owner| owner == session) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Routes of this machine (Linux only; elsewhere the engine lives in a VM of its own).
fn host_routes() -> Vec<Ipv4Net> {
    let text = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let number = |i: usize| u32::from_str_radix(fields.get(i)?, 16).ok().map(u32::swap_bytes);
            let (destination, mask) = (number(1)?, number(7)?);
            if mask == 0 {
                return None;
            }
            let length = u8::try_from(mask.leading_ones()).ok()?;
            Ipv4Net::new(destination.into(), length).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_of_one_session_until_it_is_old() {
        let folder = tempfile::tempdir().expect("folder");
        let claim = folder.path().join("18.7");
        assert!(is_ours(&claim, "aaaaaaaa"));
        assert!(!is_ours(&claim, "bbbbbbbb"));
        let file = std::fs::File::options().write(true).open(&claim).expect("claim");
        file.set_modified(std::time::SystemTime::now() - STALE * 2).expect("dated");
        assert!(is_ours(&claim, "bbbbbbbb"));
        assert!(is_ours(&folder.path().join("absent/18.7"), "aaaaaaaa"), "no folder: no claim");
    }
}
