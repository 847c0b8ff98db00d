//! Stopping and continuing all processes of the pid namespace that the probe shares.

use crate::fault::{from_io, invalid};
use crate::wire::{Failure, SignalAll, SignalAllAnswer, SignalName, Stage};
use std::io;
use std::path::Path;
use std::time::Duration;

/// The inode of the first pid namespace of a kernel (`PROC_PID_INIT_INO`).
const INITIAL_NAMESPACE: &str = "pid:[4026531836]";

/// How long the effect is waited for.
const SETTLE: Duration = Duration::from_millis(200);

/// Sends the signal to all but pid 1 and the probe, and counts.
///
/// The kernel never sends a « to all » signal to pid 1 of the namespace, and pid 1 ignores a `SIGSTOP` that comes
/// from inside: the grader stops it by the engine (`docker kill --signal STOP`), which sends from outside.
///
/// # Errors
/// `invalid` outside of a container, where this would stop the machine; else that of the kernel.
pub async fn all(ask: &SignalAll) -> Result<SignalAllAnswer, Failure> {
    let namespace = std::fs::read_link("/proc/self/ns/pid").map_err(|error| from_io(&error, Stage::System))?;
    let contained = Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists();
    if namespace.as_os_str() == INITIAL_NAMESPACE || !contained {
        return Err(invalid("signal_all is only for a container's pid namespace"));
    }
    let number = match ask.signal {
        SignalName::Stop => libc::SIGSTOP,
        SignalName::Cont => libc::SIGCONT,
    };
    let own = std::process::id();
    let (processes, _) = census(own)?;
    // SAFETY: no pointer is passed. -1 spares the caller's process and pid 1.
    if unsafe { libc::kill(-1, number) } != 0 {
        let error = io::Error::last_os_error();
        // Nobody to signal: the probe and pid 1 are alone.
        if error.raw_os_error() != Some(libc::ESRCH) {
            return Err(from_io(&error, Stage::System));
        }
    }
    let wanted = matches!(ask.signal, SignalName::Stop);
    let end = tokio::time::Instant::now() + SETTLE;
    loop {
        let (now, stopped) = census(own)?;
        let settled = if wanted { stopped >= now } else { stopped == 0 };
        if settled || tokio::time::Instant::now() >= end {
            return Ok(SignalAllAnswer { processes, stopped, spared_init: own != 1 });
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The processes other than pid 1 and our own, and how many of them are stopped. Zombies count neither way.
fn census(own: u32) -> Result<(u32, u32), Failure> {
    let (mut processes, mut stopped) = (0, 0);
    for entry in std::fs::read_dir("/proc").map_err(|error| from_io(&error, Stage::System))?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == 1 || pid == own {
            continue;
        }
        // A process may end between the listing and the reading.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        match state(&stat) {
            Some('Z' | 'X') | None => {}
            Some('T' | 't') => {
                processes += 1;
                stopped += 1;
            }
            Some(_) => processes += 1,
        }
    }
    Ok((processes, stopped))
}

/// The state letter of a line of `/proc/PID/stat`; the name before it may hold anything, parentheses included.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        assert_eq!(state("7 (a) S 1) T 1 7 7 0"), Some('T'));
        assert_eq!(state("7 (node) S 1 7"), Some('S'));
        assert_eq!(state("7"), None);
    }
}
