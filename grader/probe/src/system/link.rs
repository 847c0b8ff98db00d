//! Bringing an interface up or down.

use crate::fault::{from_io, invalid};
use crate::wire::{Failure, Link, LinkAnswer, Stage};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Sets the state and reads it back.
///
/// # Errors
/// `permission` without `NET_ADMIN`, `invalid` without such an interface.
pub fn set(ask: &Link) -> Result<LinkAnswer, Failure> {
    let mut request = request(&ask.name)?;
    // SAFETY: no pointer is passed.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if raw < 0 {
        return Err(last());
    }
    // SAFETY: a descriptor that nobody else has.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    let before = flags(&socket, &mut request)?;
    let up = libc::c_short::try_from(libc::IFF_UP).map_err(|_| invalid("IFF_UP"))?;
    request.ifr_ifru.ifru_flags = if ask.up { before | up } else { before & !up };
    // SAFETY: the request is a local of the right type.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw mut request) } != 0 {
        return Err(last());
    }
    let after = flags(&socket, &mut request)?;
    Ok(LinkAnswer { was_up: before & up != 0, is_up: after & up != 0 })
}

fn request(name: &str) -> Result<libc::ifreq, Failure> {
    // SAFETY: a C structure for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains('\0') {
        return Err(invalid("an interface name has 1 to 15 bytes"));
    }
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = libc::c_char::from_ne_bytes([byte]);
    }
    Ok(request)
}

fn flags(socket: &OwnedFd, request: &mut libc::ifreq) -> Result<libc::c_short, Failure> {
    // SAFETY: the request outlives the call and has the right type.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, ptr(request)) } != 0 {
        return Err(last());
    }
    // SAFETY: the call above has written this field.
    Ok(unsafe { request.ifr_ifru.ifru_flags })
}

fn ptr(request: &mut libc::ifreq) -> *mut libc::ifreq {
    request
}

fn last() -> Failure {
    from_io(&io::Error::last_os_error(), Stage::System)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FailureKind;

    #[test]
    fn names_are_checked_before_the_kernel_sees_them() {
        for name in ["", "a-name-of-sixteen", "a\0b", "absent0"] {
            let failure = set(&Link { name: name.into(), up: true, timeout_ms: 1 });
            assert_eq!(failure.map_err(|failure| failure.kind), Err(FailureKind::Invalid), "{name:?}");
        }
    }
}
