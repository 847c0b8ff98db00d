//! The network interfaces of this namespace.

use crate::fault::from_io;
use crate::wire::{Failure, Interface, InterfaceAddr, Stage};
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// All interfaces, sorted by name.
///
/// # Errors
/// That of the kernel.
pub fn list() -> Result<Vec<Interface>, Failure> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: `first` is a local that the call fills; it is freed below, once.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(from_io(&io::Error::last_os_error(), Stage::System));
    }
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    let mut next = first;
    // SAFETY: the list is the kernel's until `freeifaddrs`; each pointer is null or valid.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: the name is a string ended by zero.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned();
        let up = entry.ifa_flags & libc::IFF_UP.cast_unsigned() != 0;
        let interface =
            found.entry(name.clone()).or_insert_with(|| Interface { name, up, addrs: Vec::new(), mac: None });
        // SAFETY: null, or valid and of the length that its family says.
        match unsafe { address(entry.ifa_addr) } {
            Some(Address::Ip(ip)) => {
                // SAFETY: as above.
                let mask = unsafe { address(entry.ifa_netmask) };
                let prefix = if let Some(Address::Ip(mask)) = mask { prefix(mask) } else { 0 };
                interface.addrs.push(InterfaceAddr { ip, prefix });
            }
            Some(Address::Mac(mac)) => interface.mac = Some(mac),
            None => {}
        }
    }
    // SAFETY: what `getifaddrs` gave, once.
    unsafe { libc::freeifaddrs(first) };
    Ok(found.into_values().collect())
}

enum Address {
    Ip(IpAddr),
    Mac(String),
}

/// # Safety
/// `raw` is null or points to a socket address as long as its family says.
unsafe fn address(raw: *const libc::sockaddr) -> Option<Address> {
    // SAFETY: by contract; the family is in every socket address.
    let family = i32::from(unsafe { raw.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: by contract, of this type.
            let inet = unsafe { ptr::read_unaligned(raw.cast::<libc::sockaddr_in>()) };
            Some(Address::Ip(Ipv4Addr::from(u32::from_be(inet.sin_addr.s_addr)).into()))
        }
        libc::AF_INET6 => {
            // SAFETY: by contract, of this type.
            let inet = unsafe { ptr::read_unaligned(raw.cast::<libc::sockaddr_in6>()) };
            Some(Address::Ip(Ipv6Addr::from(inet.sin6_addr.s6_addr).into()))
        }
        libc::AF_PACKET => {
            // SAFETY: by contract, of this type.
            let link = unsafe { ptr::read_unaligned(raw.cast::<libc::sockaddr_ll>()) };
            let bytes = link.sll_addr.get(..usize::from(link.sll_halen))?;
            if bytes.is_empty() || bytes.iter().all(|byte| *byte == 0) {
                return None;
            }
            let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(Address::Mac(pairs.join(":")))
        }
        _ => None,
    }
}

fn prefix(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => u32::from(mask).count_ones(),
        IpAddr::V6(mask) => u128::from(mask).count_ones(),
    };
    u8::try_from(ones).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_there() {
        let all = list().unwrap_or_default();
        let Some(lo) = all.iter().find(|interface| interface.name == "lo") else { panic!("no lo in {all:?}") };
        assert!(lo.up && lo.mac.is_none());
        assert!(lo.addrs.contains(&InterfaceAddr { ip: Ipv4Addr::LOCALHOST.into(), prefix: 8 }));
    }
}
