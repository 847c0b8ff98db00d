//! SQL by the simple query protocol.

use crate::clock::Deadline;
use crate::connect::{self, Opened};
use crate::fault::from_io;
use crate::wire::{Failure, FailureKind, Postgres, PostgresAnswer, PostgresResult, Stage};
use futures_core::Stream;
use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};

/// The most bytes of values that are given back.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Logs in, sends the statements and reads their results.
///
/// # Errors
/// That of the connection, `auth` (SQLSTATE class 28), `server` with its SQLSTATE, `protocol` when the peer is not
/// PostgreSQL.
pub async fn run(ask: &Postgres, deadline: Deadline) -> Result<PostgresAnswer, Failure> {
    let Opened { stream, about } = connect::open(&ask.host, ask.port, deadline).await?;
    let peer = about.peer;
    let at_peer = |failure: Failure| Failure { peer: Some(peer), ..failure };
    let mut config = Config::new();
    config.user(&ask.user).dbname(&ask.dbname).application_name("tp-docker-probe");
    if let Some(password) = &ask.password {
        config.password(password);
    }
    let login = deadline.run(Stage::Login, config.connect_raw(stream, NoTls)).await.map_err(at_peer)?;
    let (client, connection) = login.map_err(|error| at_peer(failure_of(&error, Stage::Login)))?;
    let driver = tokio::spawn(connection);
    let read = deadline.run(Stage::Command, query(&client, &ask.sql, ask.max_rows)).await;
    drop(client);
    driver.abort();
    let (results, truncated) = read.map_err(at_peer)?.map_err(|error| at_peer(failure_of(&error, Stage::Command)))?;
    Ok(PostgresAnswer { results, truncated, peer })
}

async fn query(client: &Client, sql: &str, max_rows: u64) -> Result<(Vec<PostgresResult>, bool), Error> {
    let mut stream = pin!(client.simple_query_raw(sql).await?);
    let (mut results, mut truncated) = (Vec::new(), false);
    let (mut kept, mut bytes) = (0, 0);
    let mut current = empty();
    while let Some(message) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        match message? {
            SimpleQueryMessage::RowDescription(columns) => {
                current.columns = columns.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                let size: usize = (0..row.len()).filter_map(|index| row.get(index)).map(str::len).sum();
                if kept < max_rows && bytes + size <= MAX_BYTES {
                    current.rows.push((0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect());
                    kept += 1;
                    bytes += size;
                } else {
                    truncated = true;
                }
            }
            SimpleQueryMessage::CommandComplete(affected) => {
                results.push(PostgresResult { affected, ..std::mem::replace(&mut current, empty()) });
            }
            _ => {}
        }
    }
    Ok((results, truncated))
}

fn empty() -> PostgresResult {
    PostgresResult { columns: Vec::new(), rows: Vec::new(), affected: 0 }
}

fn failure_of(error: &Error, stage: Stage) -> Failure {
    if let Some(server) = error.as_db_error() {
        let code = server.code().code();
        // Class 28 is « invalid authorization specification »: no such role, wrong password, no line in pg_hba.
        let kind = if code.starts_with("28") { FailureKind::Auth } else { FailureKind::Server };
        let failure = Failure::new(kind, stage, format!("{}: {}", server.severity(), server.message()));
        return Failure { sqlstate: Some(code.to_owned()), ..failure };
    }
    let text = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    if let Some(io) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        let mut failure = from_io(io, stage);
        // Without a kernel's number it is the library that could not read what came.
        if failure.errno.is_none() && matches!(failure.kind, FailureKind::Invalid | FailureKind::Internal) {
            failure.kind = FailureKind::Protocol;
        }
        return Failure { message: text, ..failure };
    }
    let kind = if error.is_closed() {
        FailureKind::Closed
    } else if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
        // A method that we do not know, or a password asked for and not given.
        FailureKind::Auth
    } else {
        FailureKind::Protocol
    };
    Failure::new(kind, stage, text)
}
