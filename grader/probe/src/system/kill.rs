//! Ending one process of one container from outside, as a crash would: pid 1 of a container is deaf to what comes
//! from inside.

use std::io;

/// Sends `SIGKILL` to process `pid`, as seen by this process, if it is one of `container`.
///
/// # Errors
/// `NotFound` when it has ended or belongs to something else; else that of the kernel.
pub fn one(pid: i32, container: &str) -> io::Result<()> {
    let other = || io::Error::new(io::ErrorKind::NotFound, "this process is not of that container");
    if pid <= 1 || container.len() < 12 || !container.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(other());
    }
    // Held from here on: a number that is given again to another process does not change whom it means.
    // SAFETY: no pointer is passed.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    if !is_of(&groups, container) {
        return Err(other());
    }
    let nothing = std::ptr::null_mut::<libc::siginfo_t>();
    // SAFETY: the descriptor is open, and a null pointer asks for the ordinary information.
    if unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, nothing, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether these control groups are those of a container.
fn is_of(groups: &str, container: &str) -> bool {
    groups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).any(|path| path.contains(container))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_of_its_container() {
        let id = "0123456789abcdef";
        assert!(is_of("12:memory:/docker/0123456789abcdef\n", id));
        assert!(is_of("0::/../docker-0123456789abcdef.scope\n", id));
        assert!(!is_of("0::/init.scope\n12:cpu:/docker/fedcba\n", id));
    }

    #[test]
    fn nothing_else_is_ended() {
        let own = i32::try_from(std::process::id()).expect("a pid");
        assert!(one(own, "0123456789abcdef").is_err());
        assert!(one(1, "0123456789abcdef").is_err());
        assert!(one(own, "").is_err());
    }
}
