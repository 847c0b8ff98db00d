//! The stream from the server to the client, with its dates moved.

use super::back;
use super::frame::{Fields, Framer, Piece, message};
use super::shift::{Rule, value};
use super::track::{CLIENT_WANTED, Columns, SERVER_WANTED, Tracker};

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows seen.
    pub rows: u64,
    /// Values moved.
    pub shifted: u64,
}

/// The client's side: the dates of now that it sends go back as many years.
#[derive(Debug)]
pub struct ClientStream(Framer);

impl Default for ClientStream {
    fn default() -> Self {
        Self(Framer::new(CLIENT_WANTED))
    }
}

impl ClientStream {
    /// Takes bytes of the client, before they are sent, and writes to `out` those for the server.
    pub fn feed(&mut self, bytes: &[u8], rule: Rule, tracker: &mut Tracker, out: &mut Vec<u8>) {
        if tracker.doubts() {
            out.extend_from_slice(&self.0.finish());
            out.extend_from_slice(bytes);
            return;
        }
        self.0.feed(bytes, &mut |piece| match piece {
            Piece::Message(kind, body) => {
                tracker.client(kind, body);
                let moved = back::body(kind, body, rule);
                out.extend_from_slice(&message(kind, moved.as_deref().unwrap_or(body)));
            }
            Piece::Raw(bytes) => out.extend_from_slice(bytes),
            Piece::TooLong(_, bytes) | Piece::Lost(bytes) => {
                tracker.doubt();
                out.extend_from_slice(bytes);
            }
        });
    }

    /// What is held when the client closes inside a message.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        self.0.finish()
    }
}

/// The server's side: it rewrites rows.
#[derive(Debug)]
pub struct ServerStream {
    framer: Framer,
    /// What went through so far.
    pub counts: Counts,
}

impl Default for ServerStream {
    fn default() -> Self {
        Self { framer: Framer::new(SERVER_WANTED), counts: Counts::default() }
    }
}

impl ServerStream {
    /// Takes bytes of the server and writes to `out` those for the client.
    pub fn feed(&mut self, bytes: &[u8], rule: Rule, tracker: &mut Tracker, out: &mut Vec<u8>) {
        let Self { framer, counts } = self;
        if tracker.doubts() {
            out.extend_from_slice(&framer.finish());
            out.extend_from_slice(bytes);
            return;
        }
        framer.feed(bytes, &mut |piece| match piece {
            Piece::Message(kind, body) => {
                let columns = tracker.server(kind, body);
                counts.rows += u64::from(kind == b'D');
                let moved = columns.and_then(|columns| row(body, &columns, rule));
                if let Some((body, shifted)) = moved {
                    counts.shifted += shifted;
                    out.extend_from_slice(&message(kind, &body));
                } else {
                    out.extend_from_slice(&message(kind, body));
                }
            }
            // A row too long to hold is only a row not shifted.
            Piece::Raw(bytes) | Piece::TooLong(b'D', bytes) => out.extend_from_slice(bytes),
            Piece::TooLong(_, bytes) | Piece::Lost(bytes) => {
                tracker.doubt();
                out.extend_from_slice(bytes);
            }
        });
    }

    /// What is held when the server closes inside a message.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        self.framer.finish()
    }
}

/// The body of a row with its dates moved and their number; nothing when there is none, or when the row does not fit
/// its columns.
fn row(body: &[u8], columns: &Columns, rule: Rule) -> Option<(Vec<u8>, u64)> {
    let mut fields = Fields(body);
    let count = fields.u16()?;
    if usize::from(count) != columns.len() {
        return None;
    }
    let mut out = count.to_be_bytes().to_vec();
    let mut shifted = 0;
    for column in columns.iter() {
        let Some(bytes) = fields.value()? else {
            out.extend_from_slice(&u32::MAX.to_be_bytes());
            continue;
        };
        let moved = value(bytes, *column, rule);
        shifted += u64::from(moved.is_some());
        let bytes = moved.as_deref().unwrap_or(bytes);
        out.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_be_bytes());
        out.extend_from_slice(bytes);
    }
    (fields.0.is_empty() && shifted > 0).then_some((out, shifted))
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
