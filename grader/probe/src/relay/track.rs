//! Following a session of PostgreSQL to know the columns of each row.
//!
//! The server answers in the order of the questions. So each question of the client is put in a queue, and the
//! server's messages take them out. A row belongs to the `Execute` or `Query` at the head of the queue. As soon as the
//! two sides do not fit, the tracker doubts, for good, and nothing is changed any more.

use super::frame::Fields;
use super::shift::Column;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The messages of the client that matter.
pub const CLIENT_WANTED: &[u8] = b"PBDECSQF";

/// The messages of the server that matter.
pub const SERVER_WANTED: &[u8] = b"TD123nCsIEZGW";

/// Questions under way at most.
const MAX_QUEUE: usize = 100_000;

/// Statements or portals remembered at most; past that all are forgotten, and so not shifted.
const MAX_NAMES: usize = 4_096;

/// Column types and formats.
pub type Columns = Arc<[Column]>;

type Name = Box<[u8]>;

#[derive(Debug)]
enum Op {
    Parse(Name),
    Bind { portal: Name, statement: Name, formats: Vec<u16> },
    DescribeStatement(Name),
    DescribePortal(Name),
    Execute(Name),
    Close(Name, bool),
    Sync,
    Query,
    Call,
}

/// The state of one session.
#[derive(Debug, Default)]
pub struct Tracker {
    queue: VecDeque<Op>,
    statements: HashMap<Name, Columns>,
    portals: HashMap<Name, Columns>,
    simple: Option<Columns>,
    started: bool,
    /// The server has met an error and skips what the client still sends, up to a `Sync`.
    skipping: bool,
    doubt: bool,
}

impl Tracker {
    /// Whether the two sides have stopped fitting.
    #[must_use]
    pub fn doubts(&self) -> bool {
        self.doubt
    }

    /// Changes nothing any more.
    pub fn doubt(&mut self) {
        self.doubt = true;
        self.queue = VecDeque::new();
        self.statements = HashMap::new();
        self.portals = HashMap::new();
    }

    /// A whole message of the client, of a type of [`CLIENT_WANTED`].
    pub fn client(&mut self, kind: u8, body: &[u8]) {
        if self.doubt {
            return;
        }
        match op(kind, body) {
            Some(Op::Sync) => {
                self.skipping = false;
                self.queue.push_back(Op::Sync);
            }
            Some(_) if self.skipping => {}
            Some(op) if self.queue.len() < MAX_QUEUE => self.queue.push_back(op),
            _ => self.doubt(),
        }
    }

    /// A whole message of the server, of a type of [`SERVER_WANTED`]; the columns when it is a row.
    pub fn server(&mut self, kind: u8, body: &[u8]) -> Option<Columns> {
        if self.doubt {
            return None;
        }
        if kind == b'D' {
            return match self.queue.front()? {
                Op::Execute(portal) => self.portals.get(portal).cloned(),
                Op::Query => self.simple.clone(),
                _ => None,
            };
        }
        if self.settle(kind, body).is_none() {
            self.doubt();
        }
        None
    }

    /// Applies a message that is not a row; nothing when it does not fit.
    fn settle(&mut self, kind: u8, body: &[u8]) -> Option<()> {
        match kind {
            b'E' => {
                self.error();
                return Some(());
            }
            b'Z' if !self.started => {
                self.started = true;
                return Some(());
            }
            // What follows a COPY under the extended protocol is answered out of order.
            b'W' => return None,
            b'G' => return matches!(self.queue.front()?, Op::Query).then_some(()),
            _ => {}
        }
        if matches!(self.queue.front()?, Op::Query) {
            match kind {
                b'T' => self.simple = Some(row_description(body)?),
                b'C' | b'I' => {}
                b'Z' => {
                    self.queue.pop_front();
                    self.simple = None;
                    // A transaction may have ended, and its portals with it: they are bound again before use.
                }
                _ => return None,
            }
            return Some(());
        }
        match (kind, self.queue.pop_front()?) {
            (b'1', Op::Parse(name)) | (b'3', Op::Close(name, true)) => {
                self.statements.remove(&name);
            }
            (b'2', Op::Bind { portal, statement, formats }) => self.bound(portal, &statement, &formats)?,
            (b'3', Op::Close(name, false)) => {
                self.portals.remove(&name);
            }
            (b'T', Op::DescribeStatement(name)) => remember(&mut self.statements, name, row_description(body)?),
            (b'T', Op::DescribePortal(name)) => remember(&mut self.portals, name, row_description(body)?),
            (b'C' | b's' | b'I', Op::Execute(_))
            | (b'n', Op::DescribeStatement(_) | Op::DescribePortal(_))
            | (b'Z', Op::Sync | Op::Call) => {}
            _ => return None,
        }
        Some(())
    }

    /// After an error of the extended protocol the server skips everything up to the next `Sync`.
    ///
    /// That `Sync` may not have been sent yet, nor some of what is to be skipped.
    fn error(&mut self) {
        if matches!(self.queue.front(), None | Some(Op::Query | Op::Call | Op::Sync)) {
            return;
        }
        while self.queue.pop_front_if(|op| !matches!(op, Op::Sync)).is_some() {}
        self.skipping = self.queue.is_empty();
    }

    /// A portal takes the columns of its statement, with its own formats: none (text), one for all, or one each.
    fn bound(&mut self, portal: Name, statement: &[u8], formats: &[u16]) -> Option<()> {
        self.portals.remove(&portal);
        let Some(columns) = self.statements.get(statement) else { return Some(()) };
        let format = |index: usize| match formats {
            [] => Some(0),
            [one] => Some(*one),
            each => each.get(index).copied(),
        };
        let columns: Option<Columns> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| Some(Column { format: format(index)?, ..*column }))
            .collect();
        remember(&mut self.portals, portal, columns?);
        Some(())
    }
}

fn remember(map: &mut HashMap<Name, Columns>, name: Name, columns: Columns) {
    if map.len() >= MAX_NAMES {
        map.clear();
    }
    map.insert(name, columns);
}

fn op(kind: u8, body: &[u8]) -> Option<Op> {
    let mut fields = Fields(body);
    Some(match kind {
        b'P' => Op::Parse(fields.string()?.into()),
        b'B' => bind(&mut fields)?,
        b'D' | b'C' => {
            let statement = match fields.bytes(1)? {
                b"S" => true,
                b"P" => false,
                _ => return None,
            };
            let name: Name = fields.string()?.into();
            match (kind, statement) {
                (b'D', true) => Op::DescribeStatement(name),
                (b'D', false) => Op::DescribePortal(name),
                _ => Op::Close(name, statement),
            }
        }
        b'E' => Op::Execute(fields.string()?.into()),
        b'S' => Op::Sync,
        b'Q' => Op::Query,
        b'F' => Op::Call,
        _ => return None,
    })
}

fn bind(fields: &mut Fields) -> Option<Op> {
    let portal = fields.string()?.into();
    let statement = fields.string()?.into();
    for _ in 0..fields.u16()? {
        fields.u16()?;
    }
    for _ in 0..fields.u16()? {
        fields.value()?;
    }
    let mut formats = Vec::new();
    for _ in 0..fields.u16()? {
        formats.push(fields.u16()?);
    }
    fields.0.is_empty().then_some(Op::Bind { portal, statement, formats })
}

fn row_description(body: &[u8]) -> Option<Columns> {
    let mut fields = Fields(body);
    let mut columns = Vec::new();
    for _ in 0..fields.u16()? {
        fields.string()?;
        // Table and attribute.
        fields.bytes(6)?;
        let oid = fields.u32()?;
        // Size and modifier.
        fields.bytes(6)?;
        columns.push(Column { oid, format: fields.u16()? });
    }
    fields.0.is_empty().then(|| columns.into())
}
