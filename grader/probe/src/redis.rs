//! Redis commands in RESP2.
//!
//! No client library: they greet the server with commands of their own (`CLIENT SETINFO`, `HELLO`), which would move
//! the very counters (`INFO commandstats`) that a check reads.

use crate::clock::Deadline;
use crate::connect::{self, Opened};
use crate::fault::{from_io, invalid};
use crate::wire::{Failure, FailureKind, Redis, RedisAnswer, RedisValue, Stage};
use base64::Engine as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most bytes of one reply.
const MAX_REPLY: usize = 8 * 1024 * 1024;

/// The deepest nesting of arrays.
const MAX_DEPTH: usize = 32;

/// Sends the commands one after the other.
///
/// # Errors
/// That of the connection; `auth` when the server refuses the password or wants one; whatever kept the first command
/// from being answered.
pub async fn run(ask: &Redis, deadline: Deadline) -> Result<RedisAnswer, Failure> {
    if ask.commands.is_empty() || ask.commands.iter().any(Vec::is_empty) {
        return Err(invalid("a Redis command without a word"));
    }
    let Opened { stream, about } = connect::open(&ask.host, ask.port, deadline).await?;
    let peer = about.peer;
    let at_peer = |failure: Failure| Failure { peer: Some(peer), ..failure };
    let mut session = Session { stream, unread: Vec::new() };
    if let Some(password) = &ask.password {
        let words = ["AUTH"].into_iter().chain(ask.user.as_deref()).chain([password.as_str()]);
        let reply = session.command(words, Stage::Login, deadline).await.map_err(at_peer)?;
        if let RedisValue::Error { code, message } = reply {
            return Err(at_peer(Failure::new(FailureKind::Auth, Stage::Login, format!("{code} {message}"))));
        }
    }
    let mut answer = RedisAnswer { replies: Vec::new(), fault: None, peer };
    for command in &ask.commands {
        match session.command(command.iter().map(String::as_str), Stage::Command, deadline).await.map_err(at_peer) {
            Ok(RedisValue::Error { code, message }) if answer.replies.is_empty() && code == "NOAUTH" => {
                return Err(at_peer(Failure::new(FailureKind::Auth, Stage::Command, format!("{code} {message}"))));
            }
            Ok(reply) => answer.replies.push(reply),
            Err(failure) if answer.replies.is_empty() => return Err(failure),
            Err(failure) => {
                answer.fault = Some(failure);
                break;
            }
        }
    }
    Ok(answer)
}

struct Session {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Session {
    async fn command<'a>(
        &mut self,
        words: impl Iterator<Item = &'a str>,
        stage: Stage,
        deadline: Deadline,
    ) -> Result<RedisValue, Failure> {
        let bytes = pack(words);
        let sent = deadline.run(Stage::Send, self.stream.write_all(&bytes)).await?;
        sent.map_err(|error| from_io(&error, Stage::Send))?;
        let mut chunk = vec![0; 16 * 1024];
        loop {
            if let Some((value, length)) = parse(&self.unread, 0).map_err(|message| protocol(message, stage))? {
                self.unread.drain(..length);
                return Ok(value);
            }
            if self.unread.len() > MAX_REPLY {
                return Err(protocol("a reply of more than 8 MiB", stage));
            }
            let read = deadline.run(stage, self.stream.read(&mut chunk)).await?;
            match read.map_err(|error| from_io(&error, stage))? {
                0 => return Err(Failure::new(FailureKind::Closed, stage, "closed without a whole reply")),
                length => self.unread.extend_from_slice(&chunk[..length]),
            }
        }
    }
}

fn protocol(message: &str, stage: Stage) -> Failure {
    Failure::new(FailureKind::Protocol, stage, message)
}

/// A command as the server reads it.
fn pack<'a>(words: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let words: Vec<&str> = words.collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The value at the beginning of these bytes and its length in bytes; nothing when it is not all there.
fn parse(bytes: &[u8], depth: usize) -> Result<Option<(RedisValue, usize)>, &'static str> {
    let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
    if !b"+-:$*".contains(&kind) {
        return Err("not a Redis reply");
    }
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
        return if rest.len() > 64 * 1024 { Err("a reply line of more than 64 KiB") } else { Ok(None) };
    };
    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
    let after = end + 3;
    let number = || line.parse::<i64>().map_err(|_| "a reply with a number that is none");
    Ok(match kind {
        b'+' => Some((RedisValue::Status(line), after)),
        b'-' => {
            let (code, message) = line.split_once(' ').unwrap_or((&line, ""));
            Some((RedisValue::Error { code: code.to_owned(), message: message.to_owned() }, after))
        }
        b':' => Some((RedisValue::Int(number()?), after)),
        b'$' => match usize::try_from(number()?) {
            Err(_) => Some((RedisValue::Nil, after)),
            Ok(length) if length > MAX_REPLY => return Err("a reply of more than 8 MiB"),
            Ok(length) => match bytes.get(after..after + length + 2) {
                None => None,
                Some(framed) if framed.ends_with(b"\r\n") => Some((bulk(&framed[..length]), after + length + 2)),
                Some(_) => return Err("a string longer than its length"),
            },
        },
        _ => match usize::try_from(number()?) {
            Err(_) => Some((RedisValue::Nil, after)),
            Ok(_) if depth >= MAX_DEPTH => return Err("too deep a reply"),
            Ok(length) => array(bytes, after, length, depth)?,
        },
    })
}

fn array(bytes: &[u8], begin: usize, length: usize, depth: usize) -> Result<Option<(RedisValue, usize)>, &'static str> {
    let mut values = Vec::new();
    let mut at = begin;
    for _ in 0..length {
        let Some((value, size)) = parse(&bytes[at..], depth + 1)? else { return Ok(None) };
        values.push(value);
        at += size;
    }
    Ok(Some((RedisValue::Array(values), at)))
}

fn bulk(bytes: &[u8]) -> RedisValue {
    match std::str::from_utf8(bytes) {
        Ok(text) => RedisValue::Bulk(text.to_owned()),
        Err(_) => RedisValue::BulkBase64(base64::engine::general_purpose::STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::redis as oracle;
    use oracle::Value;
    use proptest::prelude::*;

    #[test]
    fn words_are_counted_in_bytes() {
        assert_eq!(pack(["GET", "é\r\n"].into_iter()), "*2\r\n$3\r\nGET\r\n$4\r\né\r\n\r\n".as_bytes());
    }

    #[test]
    fn what_is_not_redis() {
        for bytes in
            [&b"HTTP/1.1 200 OK\r\n"[..], b":x\r\n", b"$3\r\nabcd\r\n", b"$99999999999\r\n", &b"*1\r\n".repeat(40)]
        {
            assert!(parse(bytes, 0).is_err(), "{bytes:?}");
        }
    }

    fn value() -> impl Strategy<Value = (Vec<u8>, RedisValue)> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(|n| (format!(":{n}\r\n").into_bytes(), RedisValue::Int(n))),
            "[ -~]{0,20}".prop_map(|text| (format!("+{text}\r\n").into_bytes(), RedisValue::Status(text))),
            Just((b"$-1\r\n".to_vec(), RedisValue::Nil)),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
                let framed = [format!("${}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
                (framed, bulk(&bytes))
            }),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(|values| {
                let mut bytes = format!("*{}\r\n", values.len()).into_bytes();
                for (framed, _) in &values {
                    bytes.extend_from_slice(framed);
                }
                (bytes, RedisValue::Array(values.into_iter().map(|(_, value)| value).collect()))
            })
        })
    }

    fn same(ours: &RedisValue, theirs: &Value) -> bool {
        match (ours, theirs) {
            (RedisValue::Nil, Value::Nil) => true,
            (RedisValue::Int(ours), Value::Int(theirs)) => ours == theirs,
            (RedisValue::Status(ours), Value::Okay) => ours == "OK",
            (RedisValue::Status(ours), Value::SimpleString(theirs)) => ours == theirs,
            (_, Value::BulkString(theirs)) => *ours == bulk(theirs),
            (RedisValue::Array(ours), Value::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn values_are_read_whole_or_not_yet((bytes, value) in value()) {
            for cut in 0..bytes.len() {
                prop_assert_eq!(parse(&bytes[..cut], 0), Ok(None));
            }
            let theirs = oracle::parse_redis_value(&bytes);
            prop_assert!(theirs.is_ok_and(|theirs| same(&value, &theirs)));
            prop_assert_eq!(parse(&bytes, 0), Ok(Some((value, bytes.len()))));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes, 0);
        }
    }
}
