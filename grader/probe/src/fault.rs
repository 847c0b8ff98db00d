//! From the kernel's errors to ours.

use crate::wire::{Failure, FailureKind, Stage};
use std::io;
use std::net::SocketAddr;

/// The failure that an I/O error means at that stage.
#[must_use]
pub fn from_io(error: &io::Error, stage: Stage) -> Failure {
    let kind = match error.raw_os_error() {
        Some(code) => kind_of(code),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => FailureKind::Closed,
            io::ErrorKind::InvalidData => FailureKind::Protocol,
            io::ErrorKind::TimedOut => FailureKind::Timeout,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => FailureKind::Reset,
            io::ErrorKind::InvalidInput => FailureKind::Invalid,
            _ => FailureKind::Internal,
        },
    };
    Failure { errno: error.raw_os_error(), ..Failure::new(kind, stage, error.to_string()) }
}

/// The same with the peer; an IPv6 address that this namespace has no use for counts as without route.
#[must_use]
pub fn from_io_peer(error: &io::Error, stage: Stage, peer: SocketAddr) -> Failure {
    let mut failure = from_io(error, stage);
    if peer.is_ipv6() && matches!(failure.errno, Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT)) {
        failure.kind = FailureKind::NetUnreachable;
    }
    failure.peer = Some(peer);
    failure
}

fn kind_of(code: i32) -> FailureKind {
    match code {
        libc::ECONNREFUSED => FailureKind::Refused,
        libc::ETIMEDOUT => FailureKind::Timeout,
        libc::ENETUNREACH | libc::ENETDOWN => FailureKind::NetUnreachable,
        libc::EHOSTUNREACH | libc::EHOSTDOWN => FailureKind::HostUnreachable,
        libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED => FailureKind::Reset,
        libc::EPERM | libc::EACCES => FailureKind::Permission,
        libc::ENODEV | libc::ENXIO | libc::EINVAL => FailureKind::Invalid,
        _ => FailureKind::Internal,
    }
}

/// A failure of the probe itself.
#[must_use]
pub fn internal(stage: Stage, message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Internal, stage, message)
}

/// A question that cannot be asked.
#[must_use]
pub fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Invalid, Stage::Request, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_errors_have_a_kind() {
        for (code, kind) in [
            (libc::ECONNREFUSED, FailureKind::Refused),
            (libc::ENETUNREACH, FailureKind::NetUnreachable),
            (libc::EHOSTUNREACH, FailureKind::HostUnreachable),
            (libc::ECONNRESET, FailureKind::Reset),
            (libc::EMFILE, FailureKind::Internal),
        ] {
            let failure = from_io(&io::Error::from_raw_os_error(code), Stage::Connect);
            assert_eq!((failure.kind, failure.errno), (kind, Some(code)));
        }
        assert!(FailureKind::Internal.is_ours());
    }

    #[test]
    fn ipv6_without_a_stack_is_no_route() {
        let error = io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
        let failure = from_io_peer(&error, Stage::Connect, SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 80)));
        assert_eq!(failure.kind, FailureKind::NetUnreachable);
        let failure = from_io_peer(&error, Stage::Connect, SocketAddr::from(([127, 0, 0, 1], 80)));
        assert_eq!(failure.kind, FailureKind::Internal);
    }
}
