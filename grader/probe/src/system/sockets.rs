//! Hiding the named Unix sockets of the namespace that the probe shares, and giving them back.
//!
//! A suspended server still has its socket file: the kernel accepts the connection and the client waits for its own
//! time limit. With the file renamed the client is told at once that nobody is there.

use crate::fault::from_io;
use crate::wire::{Failure, Sockets, SocketsAnswer, Stage};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Added to the name of a hidden socket.
const SUFFIX: &str = ".tp-hidden";

/// Hides or gives back; a socket that cannot be reached is only counted as missed.
///
/// # Errors
/// When `/proc/net/unix` cannot be read.
pub fn set(ask: &Sockets) -> Result<SocketsAnswer, Failure> {
    let table = std::fs::read_to_string("/proc/net/unix").map_err(|error| from_io(&error, Stage::System))?;
    let mut answer = SocketsAnswer { moved: 0, missed: 0 };
    for name in named(&table) {
        // The file system of the service is that of its pid 1, not ours.
        let shown = PathBuf::from(format!("/proc/1/root{name}"));
        let hidden = PathBuf::from(format!("/proc/1/root{name}{SUFFIX}"));
        let (from, to) = if ask.hidden { (shown, hidden) } else { (hidden, shown) };
        match std::fs::rename(&from, &to) {
            Ok(()) => answer.moved += 1,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => answer.missed += 1,
        }
    }
    Ok(answer)
}

/// Paths of the listening sockets that have one (flag `__SO_ACCEPTCON`, 0x10000).
fn named(table: &str) -> BTreeSet<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
            let path = fields.nth(3)?;
            (flags & 0x1_0000 != 0 && path.starts_with('/')).then(|| path.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn only_listening_sockets_with_a_path() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 44 /run/postgresql/.s.PGSQL.5432\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 45 /run/postgresql/.s.PGSQL.5432\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 46 @abstract\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 47\n";
        let found: Vec<String> = named(table).into_iter().collect();
        assert_eq!(found, ["/run/postgresql/.s.PGSQL.5432"]);
    }
}
