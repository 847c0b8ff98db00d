//! Reading the body of an answer, however it is framed and however it is cut on its way.

use super::head::Head;
use crate::wire::{Failure, FailureKind, Stage};

/// The longest line of a chunked body (size and extensions, or a trailer), in bytes.
const MAX_LINE: usize = 8 * 1024;

/// Keeps the first bytes and counts all.
#[derive(Debug)]
pub struct Sink {
    kept: Vec<u8>,
    limit: u64,
    total: u64,
}

impl Sink {
    /// Keeps at most `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { kept: Vec::new(), limit, total: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.limit.saturating_sub(self.kept.len() as u64);
        let taken = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..taken]);
    }

    /// Whether some bytes were only counted.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.total > self.kept.len() as u64
    }

    /// The bytes kept and the number of all.
    #[must_use]
    pub fn finish(self) -> (Vec<u8>, u64) {
        (self.kept, self.total)
    }
}

/// Where a chunked body is.
#[derive(Debug)]
enum Chunk {
    /// In a line of size.
    Size(Vec<u8>),
    /// In the bytes of a chunk, so many to come.
    Bytes(u64),
    /// In the line end after a chunk.
    End(Vec<u8>),
    /// In the trailers.
    Trailer(Vec<u8>),
}

#[derive(Debug)]
enum Framing {
    /// So many bytes to come.
    Length(u64),
    Chunked(Chunk),
    UntilClosed,
}

/// The decoder of one body.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
}

impl Body {
    /// The framing that this head announces.
    ///
    /// # Errors
    /// `protocol` when it contradicts itself.
    pub fn of(head: &Head, to_head_request: bool) -> Result<Self, Failure> {
        if to_head_request || matches!(head.status, 101 | 204 | 304) {
            return Ok(Self { framing: Framing::Length(0) });
        }
        let codings: Vec<String> = head
            .values("transfer-encoding")
            .flat_map(|value| value.split(','))
            .map(|coding| coding.trim().to_ascii_lowercase())
            .filter(|coding| !coding.is_empty())
            .collect();
        if let Some(last) = codings.last() {
            let framing =
                if last == "chunked" { Framing::Chunked(Chunk::Size(Vec::new())) } else { Framing::UntilClosed };
            return Ok(Self { framing });
        }
        let mut length: Option<u64> = None;
        for value in head.values("content-length").flat_map(|value| value.split(',')) {
            let value = value.trim();
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let this =
                value.parse().ok().filter(|_| digits).ok_or_else(|| wrong(&format!("Content-Length {value:?}")))?;
            if length.is_some_and(|length| length != this) {
                return Err(wrong("two Content-Length headers that differ"));
            }
            length = Some(this);
        }
        Ok(Self { framing: length.map_or(Framing::UntilClosed, Framing::Length) })
    }

    /// Takes bytes; `true` when the body is whole (what follows is ignored).
    ///
    /// # Errors
    /// `protocol` when the chunks are malformed.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut Sink) -> Result<bool, Failure> {
        match &mut self.framing {
            Framing::UntilClosed => {
                sink.push(bytes);
                Ok(false)
            }
            Framing::Length(left) => {
                take(left, bytes, sink);
                Ok(*left == 0)
            }
            Framing::Chunked(chunk) => feed_chunks(chunk, bytes, sink),
        }
    }

    /// What the end of the connection means now.
    ///
    /// # Errors
    /// `closed` when the body is not whole.
    pub fn at_end(&self) -> Result<(), Failure> {
        let missing = match &self.framing {
            Framing::UntilClosed | Framing::Length(0) => return Ok(()),
            Framing::Length(left) => format!("closed {left} bytes before the announced length"),
            Framing::Chunked(_) => "closed before the last chunk".to_owned(),
        };
        Err(Failure::new(FailureKind::Closed, Stage::Body, missing))
    }
}

/// Gives the sink what belongs to it and returns its number of bytes.
fn take(left: &mut u64, bytes: &[u8], sink: &mut Sink) -> usize {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    sink.push(&bytes[..length]);
    *left -= length as u64;
    length
}

fn feed_chunks(chunk: &mut Chunk, mut bytes: &[u8], sink: &mut Sink) -> Result<bool, Failure> {
    while !bytes.is_empty() {
        match chunk {
            Chunk::Bytes(left) => {
                let taken = take(left, bytes, sink);
                bytes = &bytes[taken..];
                if *left == 0 {
                    *chunk = Chunk::End(Vec::new());
                }
            }
            Chunk::Size(line) => {
                if let Some(line) = line_of(line, &mut bytes)? {
                    let size = size_of(&line)?;
                    *chunk = if size == 0 { Chunk::Trailer(Vec::new()) } else { Chunk::Bytes(size) };
                }
            }
            Chunk::End(line) => {
                if let Some(line) = line_of(line, &mut bytes)? {
                    if !line.is_empty() {
                        return Err(wrong("a chunk longer than its size"));
                    }
                    *chunk = Chunk::Size(Vec::new());
                }
            }
            Chunk::Trailer(line) => {
                if let Some(line) = line_of(line, &mut bytes)? {
                    if line.is_empty() {
                        return Ok(true);
                    }
                    *chunk = Chunk::Trailer(Vec::new());
                }
            }
        }
    }
    Ok(false)
}

/// Completes the line with these bytes; the line without its end once it is whole.
fn line_of(line: &mut Vec<u8>, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let (part, whole) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], true),
        None => (*bytes, false),
    };
    line.extend_from_slice(part);
    *bytes = &bytes[part.len() + usize::from(whole)..];
    if line.len() > MAX_LINE {
        return Err(wrong("a chunk line of more than 8 KiB"));
    }
    if !whole {
        return Ok(None);
    }
    let mut line = std::mem::take(line);
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

fn size_of(line: &[u8]) -> Result<u64, Failure> {
    let text = String::from_utf8_lossy(line);
    let size = text.split(';').next().unwrap_or_default().trim();
    if size.is_empty() || size.len() > 15 || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong("a chunk size that is not hexadecimal"));
    }
    u64::from_str_radix(size, 16).map_err(|_| wrong("a chunk size that is not hexadecimal"))
}

fn wrong(message: &str) -> Failure {
    Failure::new(FailureKind::Protocol, Stage::Body, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(headers: &[(&str, &str)]) -> Head {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Head { status: 200, reason: String::new(), minor: 1, headers }
    }

    /// The whole body read in two parts: its bytes, and whether it was whole, or the failure.
    fn read(head: &Head, first: &[u8], second: &[u8]) -> Result<(Vec<u8>, bool), FailureKind> {
        let mut sink = Sink::new(u64::MAX);
        let mut body = Body::of(head, false).map_err(|failure| failure.kind)?;
        let whole = body.feed(first, &mut sink).map_err(|failure| failure.kind)?
            || body.feed(second, &mut sink).map_err(|failure| failure.kind)?;
        if !whole {
            body.at_end().map_err(|failure| failure.kind)?;
        }
        Ok((sink.finish().0, whole))
    }

    const CHUNKED: &[(&str, &str)] = &[("Transfer-Encoding", "Chunked"), ("Content-Length", "3")];

    #[test]
    fn chunks_with_extensions_and_trailers() {
        let bytes = b"4;x=y\r\nWiki\r\n00A\r\n pedia in\n\r\n0\r\nX: y\r\n\r\nignored";
        assert_eq!(read(&head(CHUNKED), bytes, b""), Ok((b"Wiki pedia in\n".to_vec(), true)));
    }

    #[test]
    fn broken_chunks() {
        for bytes in [&b"zz\r\n"[..], b"\r\n", b"-1\r\n", b"3\r\nabcd\r\n", b"ffffffffffffffffff\r\n", &[b'1'; 9000]] {
            assert_eq!(read(&head(CHUNKED), bytes, b""), Err(FailureKind::Protocol), "{bytes:?}");
        }
        assert_eq!(read(&head(CHUNKED), b"5\r\nab", b""), Err(FailureKind::Closed));
        assert_eq!(read(&head(CHUNKED), b"1\r\na\r\n0\r\n", b""), Err(FailureKind::Closed));
    }

    #[test]
    fn lengths() {
        assert_eq!(read(&head(&[("content-length", "3")]), b"ab", b"cdef"), Ok((b"abc".to_vec(), true)));
        assert_eq!(read(&head(&[("content-length", "3, 3")]), b"abc", b""), Ok((b"abc".to_vec(), true)));
        assert_eq!(read(&head(&[("content-length", "3")]), b"ab", b""), Err(FailureKind::Closed));
        for value in ["+3", "-1", "", "3,4", "99999999999999999999"] {
            assert_eq!(read(&head(&[("content-length", value)]), b"abc", b""), Err(FailureKind::Protocol), "{value}");
        }
        assert_eq!(read(&head(&[]), b"until ", b"closed"), Ok((b"until closed".to_vec(), false)));
    }

    #[test]
    fn some_answers_have_no_body() {
        let mut sink = Sink::new(10);
        let announced = Head { status: 304, ..head(&[("content-length", "3")]) };
        assert!(matches!(Body::of(&announced, false).and_then(|mut body| body.feed(b"", &mut sink)), Ok(true)));
        let announced = head(&[("content-length", "3")]);
        assert!(matches!(Body::of(&announced, true).and_then(|mut body| body.feed(b"", &mut sink)), Ok(true)));
    }

    #[test]
    fn the_sink_counts_what_it_drops() {
        let mut sink = Sink::new(4);
        sink.push(b"abc");
        assert!(!sink.truncated());
        sink.push(b"def");
        assert!(sink.truncated());
        assert_eq!(sink.finish(), (b"abcd".to_vec(), 6));
    }

    proptest! {
        #[test]
        fn a_cut_changes_nothing(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6), cut in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            let cut = cut.index(bytes.len());
            prop_assert_eq!(read(&head(CHUNKED), &bytes[..cut], &bytes[cut..]), Ok((chunks.concat(), true)));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&head(CHUNKED), &bytes, b"");
            let _ = super::super::head::parse(&bytes);
        }
    }
}
