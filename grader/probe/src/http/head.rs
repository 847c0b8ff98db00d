//! Reading the head of an answer.

use crate::wire::{Failure, FailureKind, Stage};

/// The most headers that are read.
const MAX_HEADERS: usize = 200;

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Minor version.
    pub minor: u8,
    /// Headers, as they came.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// All the values of a header.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The head at the beginning of these bytes and its length in bytes; nothing when it is not all there yet.
///
/// # Errors
/// `protocol` when this cannot become a head.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Failure> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut slots);
    match response.parse(bytes) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(length)) => {
            let headers = response.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
            let head = Head {
                status: response.code.unwrap_or(0),
                reason: response.reason.unwrap_or_default().to_owned(),
                minor: response.version.unwrap_or(1),
                headers,
            };
            Ok(Some((head, length)))
        }
        Err(error) => {
            let begins: String = text(&bytes[..bytes.len().min(40)]).escape_debug().collect();
            let message = format!("not an HTTP/1 answer ({error}): it begins with « {begins} »");
            Err(Failure::new(FailureKind::Protocol, Stage::Head, message))
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_lossless() {
        let bytes = b"HTTP/1.1 200 Tout va bien\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX: \xe9\r\n\r\nbody";
        let Ok(Some((head, length))) = parse(bytes) else { panic!("no head") };
        assert_eq!((head.status, head.reason.as_str(), head.minor), (200, "Tout va bien", 1));
        assert_eq!(head.values("SET-COOKIE").collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert_eq!(head.values("x").collect::<Vec<_>>(), ["\u{fffd}"]);
        assert_eq!(&bytes[length..], b"body");
    }

    #[test]
    fn a_head_is_whole_or_not_yet() {
        let bytes = b"HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\n";
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        assert!(matches!(parse(bytes), Ok(Some((Head { status: 404, minor: 0, .. }, _)))));
    }

    #[test]
    fn other_protocols_are_named() {
        for bytes in [
            &b"-ERR wrong\r\n"[..],
            b"SSH-2.0-x\r\n",
            b"\x15\x03\x01\x00\x02",
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 2\r\n\r\n",
        ] {
            assert_eq!(parse(bytes).map_err(|failure| failure.kind), Err(FailureKind::Protocol), "{bytes:?}");
        }
    }
}
