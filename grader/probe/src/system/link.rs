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
    if ask.name == "lo" {
        loopback_address(&socket, ask.up)?;
        reject_loopback(&socket, !ask.up)?;
    }
    let after = flags(&socket, &mut request)?;
    Ok(LinkAnswer { was_up: before & up != 0, is_up: after & up != 0 })
}

/// `struct rtentry` of `<net/route.h>`, which libc does not carry for every C library.
#[repr(C)]
struct RtEntry {
    pad1: libc::c_ulong,
    dst: libc::sockaddr_in,
    gateway: libc::sockaddr_in,
    genmask: libc::sockaddr_in,
    flags: libc::c_ushort,
    pad2: libc::c_short,
    pad3: libc::c_ulong,
    tos: *mut libc::c_void,
    metric: libc::c_short,
    dev: *mut libc::c_char,
    mtu: libc::c_ulong,
    window: libc::c_ulong,
    irtt: libc::c_ushort,
}

/// `<linux/sockios.h>` and `<linux/route.h>`.
const SIOCSIFADDR: libc::c_ulong = 0x8916;
const SIOCSIFNETMASK: libc::c_ulong = 0x891C;
const SIOCADDRT: libc::c_ulong = 0x890B;
const SIOCDELRT: libc::c_ulong = 0x890C;
const RTF_UP: libc::c_ushort = 0x0001;
const RTF_REJECT: libc::c_ushort = 0x0200;

/// Gives 127.0.0.1/8 back to `lo`, or takes it away: the routes of the local table that come with it outlive `lo`
/// being down, and what they lead to is lost without a word.
fn loopback_address(socket: &OwnedFd, up: bool) -> Result<(), Failure> {
    let steps: &[(libc::c_ulong, [u8; 4])] = if up {
        &[(SIOCSIFADDR, [127, 0, 0, 1]), (SIOCSIFNETMASK, [255, 0, 0, 0])]
    } else {
        &[(SIOCSIFADDR, [0, 0, 0, 0])]
    };
    for (operation, bytes) in steps {
        let mut request = request("lo")?;
        // SAFETY: a C structure for which all zeros is a value.
        let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        address.sin_family = libc::sa_family_t::try_from(libc::AF_INET).map_err(|_| invalid("AF_INET"))?;
        address.sin_addr.s_addr = u32::from_ne_bytes(*bytes);
        // SAFETY: both are plain 16-byte socket addresses.
        request.ifr_ifru.ifru_addr = unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(address) };
        // SAFETY: the request is a local of the right type.
        if unsafe { libc::ioctl(socket.as_raw_fd(), *operation as _, &raw mut request) } != 0 {
            return Err(last());
        }
    }
    Ok(())
}

/// Without `lo` and its address, a packet to 127.0.0.0/8 would leave by the default route and be lost: a client would
/// hang until its own time limit. This route makes it fail at once instead.
fn reject_loopback(socket: &OwnedFd, reject: bool) -> Result<(), Failure> {
    // SAFETY: a C structure for which all zeros is a value.
    let mut route: RtEntry = unsafe { std::mem::zeroed() };
    for (address, bytes) in
        [(&mut route.dst, [127, 0, 0, 0]), (&mut route.gateway, [0; 4]), (&mut route.genmask, [255, 0, 0, 0])]
    {
        address.sin_family = libc::sa_family_t::try_from(libc::AF_INET).map_err(|_| invalid("AF_INET"))?;
        address.sin_addr.s_addr = u32::from_ne_bytes(bytes);
    }
    route.flags = RTF_UP | RTF_REJECT;
    let request = if reject { SIOCADDRT } else { SIOCDELRT };
    // SAFETY: the route is a local of the type that the kernel expects.
    if unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &raw mut route) } == 0 {
        return Ok(());
    }
    match io::Error::last_os_error().raw_os_error() {
        // Already as wanted.
        Some(libc::EEXIST | libc::ESRCH | libc::ENOENT) => Ok(()),
        _ => Err(last()),
    }
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
