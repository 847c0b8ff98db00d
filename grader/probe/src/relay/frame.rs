//! Cutting a stream of PostgreSQL v3 messages: a type byte, a length that counts itself, a body.

/// The longest message that is held whole, in bytes; a longer one goes through as it comes.
pub const MAX_HELD: usize = 16 * 1024 * 1024;

/// The longest message that PostgreSQL itself accepts, in bytes.
const MAX_LENGTH: usize = 1024 * 1024 * 1024;

/// A piece of the stream; the pieces put together are the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A whole message of a wanted type: its type and its body.
    Message(u8, &'a [u8]),
    /// Bytes to pass on.
    Raw(&'a [u8]),
    /// Bytes to pass on from a wanted message too long to hold: its content is unknown.
    TooLong(u8, &'a [u8]),
    /// This is no such stream: bytes to pass on, and all those that follow come as [`Piece::Raw`].
    Lost(&'a [u8]),
}

/// The cutter.
#[derive(Debug)]
pub struct Framer {
    wanted: &'static [u8],
    /// The bytes held of the message under way, header included.
    held: Vec<u8>,
    /// Bytes still to pass on of a message that is not held.
    passing: usize,
    lost: bool,
}

impl Framer {
    /// Holds the messages of these types and passes the others on.
    #[must_use]
    pub fn new(wanted: &'static [u8]) -> Self {
        Self { wanted, held: Vec::new(), passing: 0, lost: false }
    }

    /// Takes bytes and gives the pieces.
    pub fn feed(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Piece)) {
        while !bytes.is_empty() {
            if self.lost {
                each(Piece::Raw(bytes));
                return;
            }
            if self.passing > 0 {
                let length = self.passing.min(bytes.len());
                each(Piece::Raw(&bytes[..length]));
                self.passing -= length;
                bytes = &bytes[length..];
                continue;
            }
            let missing = self.whole().saturating_sub(self.held.len()).min(bytes.len());
            self.held.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            self.step(each);
        }
    }

    /// What is held when the stream ends inside a message.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// The length of the message under way, header included; of the header while it is not whole.
    fn whole(&self) -> usize {
        self.held
            .get(1..5)
            .and_then(|four| <[u8; 4]>::try_from(four).ok())
            .map_or(5, |four| usize::try_from(u32::from_be_bytes(four)).unwrap_or(usize::MAX).saturating_add(1))
    }

    fn step(&mut self, each: &mut dyn FnMut(Piece)) {
        if self.held.len() < 5 {
            return;
        }
        let kind = self.held[0];
        let whole = self.whole();
        let wanted = self.wanted.contains(&kind);
        if !(5..=MAX_LENGTH).contains(&whole) || !kind.is_ascii_graphic() {
            self.lost = true;
            each(Piece::Lost(&self.held));
            self.held.clear();
        } else if !wanted || whole > MAX_HELD {
            // Only the header is held here.
            let piece = if wanted { Piece::TooLong(kind, &self.held) } else { Piece::Raw(&self.held) };
            each(piece);
            self.passing = whole - self.held.len();
            self.held.clear();
        } else if self.held.len() == whole {
            each(Piece::Message(kind, &self.held[5..]));
            self.held.clear();
        }
    }
}

/// A message written.
#[must_use]
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Reads the fields of a body; each gives nothing past its end.
#[derive(Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// So many bytes.
    pub fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// 16 bits.
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    /// 32 bits.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// A value: its length, or -1 for NULL, then its bytes.
    pub fn value(&mut self) -> Option<Option<&'a [u8]>> {
        match self.u32()? {
            u32::MAX => Some(None),
            length => Some(Some(self.bytes(usize::try_from(length).ok()?)?)),
        }
    }

    /// A string ended by zero, without it.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Some(text)
    }
}
