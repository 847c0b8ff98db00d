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

/// Sends the signal to the family of pid 1, and counts.
///
/// Pid 1 ignores a `SIGSTOP` that comes from inside: the grader stops it by the engine (`docker kill --signal STOP`),
/// which sends from outside. What the engine put beside pid 1 (`docker exec`, the runs of a health check, the probe) is
/// left alone: a stopped child of a health check would hold the engine's pipe, and no further run would ever come.
///
/// # Errors
/// `invalid` outside of a container, where this would stop the machine; else that of the kernel.
pub async fn all(ask: &SignalAll) -> Result<SignalAllAnswer, Failure> {
    let namespace = std::fs::read_link("/proc/self/ns/pid").map_err(|error| from_io(&error, Stage::System))?;
    let contained = Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists();
    if namespace.as_os_str() == INITIAL_NAMESPACE || !contained {
        return Err(invalid("signal_all is only for a container's pid namespace"));
    }
    let wanted = matches!(ask.signal, SignalName::Stop);
    let number = if wanted { libc::SIGSTOP } else { libc::SIGCONT };
    let own = std::process::id();
    let end = tokio::time::Instant::now() + SETTLE;
    loop {
        // Again and again: a process may fork between the census and the signal.
        let family = family(&census()?, own);
        let late: Vec<_> = family.iter().filter(|p| p.stopped != wanted).collect();
        if late.is_empty() || tokio::time::Instant::now() >= end {
            let count = |list: usize| u32::try_from(list).unwrap_or(u32::MAX);
            let stopped = family.iter().filter(|p| p.stopped).count();
            return Ok(SignalAllAnswer {
                processes: count(family.len()),
                stopped: count(stopped),
                spared_init: own != 1,
            });
        }
        for process in late {
            send(process.pid, number)?;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn send(pid: i32, number: libc::c_int) -> Result<(), Failure> {
    // SAFETY: no pointer is passed; the pid is that of a single process, above 1.
    if unsafe { libc::kill(pid, number) } != 0 {
        let error = io::Error::last_os_error();
        // It may have ended since the census.
        if error.raw_os_error() != Some(libc::ESRCH) {
            return Err(from_io(&error, Stage::System));
        }
    }
    Ok(())
}

/// A process of the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    stopped: bool,
}

/// The living processes. Zombies are left out.
fn census() -> Result<Vec<Process>, Failure> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").map_err(|error| from_io(&error, Stage::System))?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // A process may end between the listing and the reading.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        match (state(&stat), parent(&stat)) {
            (Some('Z' | 'X') | None, _) | (_, None) => {}
            (Some(state), Some(parent)) => {
                found.push(Process { pid, parent, stopped: matches!(state, 'T' | 't') });
            }
        }
    }
    Ok(found)
}

/// The descendants of pid 1, without pid 1 and without our own process.
fn family(all: &[Process], own: u32) -> Vec<Process> {
    let mut members = vec![1];
    let mut grown = true;
    while grown {
        grown = false;
        for process in all {
            if members.contains(&process.parent) && !members.contains(&process.pid) {
                members.push(process.pid);
                grown = true;
            }
        }
    }
    let ours = |pid: i32| u32::try_from(pid) == Ok(own);
    all.iter().filter(|p| p.pid != 1 && !ours(p.pid) && members.contains(&p.pid)).copied().collect()
}

/// The state letter of a line of `/proc/PID/stat`; the name before it may hold anything, parentheses included.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The parent of a line of `/proc/PID/stat`; 0 for what was put into the namespace from outside.
fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        assert_eq!(state("7 (a) S 1) T 1 7 7 0"), Some('T'));
        assert_eq!(state("7 (node) S 1 7"), Some('S'));
        assert_eq!(state("7"), None);
        assert_eq!(parent("7 (a) S 1) T 4 7 7 0"), Some(4));
        assert_eq!(parent("7 (node) S"), None);
    }

    #[test]
    fn only_the_family_of_pid_1_is_meant() {
        let process = |pid, parent| Process { pid, parent, stopped: false };
        // 1: the server, 5 and 6 its workers; 20: a health check of the engine, 21 its child; 30: the probe.
        let all = [process(6, 5), process(1, 0), process(5, 1), process(20, 0), process(21, 20), process(30, 0)];
        let pids: Vec<i32> = family(&all, 30).iter().map(|p| p.pid).collect();
        assert_eq!(pids, [6, 5]);
    }
}
