//! The probe's main life: questions in, answers out.

use crate::clock::{self, Deadline, micros};
use crate::fault::{from_io, internal, invalid};
use crate::system::{interfaces, link, signal, sockets};
use crate::wire::{
    self, Answer, Ask, Failure, Hello, InterfacesAnswer, Line, Matrix, MatrixAnswer, MatrixOne, Outcome, Reply,
    Request, Stage, Tcp, TcpAnswer, TcpOutcome,
};
use crate::{connect, dns, http, postgres, redis, secure};
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A probe that is asked nothing for so long ends itself.
pub const IDLE_CAP: Duration = Duration::from_mins(15);

/// How long the answers under way are waited for once no question can come any more.
pub const DRAIN: Duration = Duration::from_secs(2);

/// How long past its own limit a question may run before the probe gives it up.
const SLACK_MS: u64 = 1_000;

/// The most targets of a matrix.
const MAX_TARGETS: usize = 1_000;

/// Questions at once; the next ones wait.
const MAX_AT_ONCE: usize = 512;

/// Serves until the input ends or nothing is asked for [`IDLE_CAP`].
///
/// # Errors
/// That of the output.
pub async fn run<I, O>(input: I, output: O) -> io::Result<()>
where
    I: BufRead + Send + 'static,
    O: Write + Send + 'static,
{
    let (lines, mut asked) = mpsc::channel(64);
    let (answers, to_write) = mpsc::channel(64);
    std::thread::Builder::new().name("reader".into()).spawn(move || read(input, &lines))?;
    let writer = std::thread::Builder::new().name("writer".into()).spawn(move || write(output, to_write))?;
    if answers.send(Line::Hello(hello())).await.is_err() {
        return finished(writer);
    }
    let permits = Arc::new(Semaphore::new(MAX_AT_ONCE));
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            line = tokio::time::timeout(IDLE_CAP, asked.recv()) => match line {
                Ok(Some(line)) => {
                    let (answers, permits) = (answers.clone(), Arc::clone(&permits));
                    tasks.spawn(async move {
                        let _permit = permits.acquire().await;
                        let _ = answers.send(Line::Reply(Box::new(reply(line).await))).await;
                    });
                }
                Ok(None) => break,
                Err(_) if tasks.is_empty() => break,
                Err(_) => {}
            },
            // The reader of our answers is gone: nobody is left to work for.
            () = answers.closed() => return finished(writer),
            Some(_) = tasks.join_next() => {}
        }
    }
    let _ = tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
    drop(answers);
    finished(writer)
}

fn finished(writer: std::thread::JoinHandle<io::Result<()>>) -> io::Result<()> {
    writer.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")))
}

/// A line of input, or why there is none.
type Asked = Result<Vec<u8>, Failure>;

fn read(mut input: impl BufRead, lines: &mpsc::Sender<Asked>) {
    let most = wire::MAX_REQUEST_LINE as u64;
    loop {
        let mut line = Vec::new();
        match input.by_ref().take(most + 1).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let asked = if line.len() > wire::MAX_REQUEST_LINE && line.last() != Some(&b'\n') {
            if input.skip_until(b'\n').is_err() {
                return;
            }
            Err(invalid("a request line of more than 1 MiB"))
        } else if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        } else {
            Ok(line)
        };
        if lines.blocking_send(asked).is_err() {
            return;
        }
    }
}

fn write(mut output: impl Write, mut lines: mpsc::Receiver<Line>) -> io::Result<()> {
    while let Some(line) = lines.blocking_recv() {
        output.write_all(wire::to_line(&line)?.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

fn hello() -> Hello {
    match interfaces::list() {
        Ok(interfaces) => Hello { version: wire::VERSION, interfaces, fault: None },
        Err(failure) => Hello { version: wire::VERSION, interfaces: Vec::new(), fault: Some(failure.message) },
    }
}

/// Answers one line, whatever it is.
async fn reply(asked: Asked) -> Reply {
    let (id, failure) = match asked {
        Err(failure) => (0, failure),
        Ok(line) => match request(&line) {
            Ok(request) => return Reply { id: request.id, answer: answer(request.ask).await },
            Err((id, message)) => (id, invalid(message)),
        },
    };
    Reply { id, answer: stamp(clock::now(), Instant::now(), Outcome::Failed(failure)) }
}

/// Reads a request; when it is none, its `id` all the same where there is one.
fn request(line: &[u8]) -> Result<Request, (u64, String)> {
    serde_json::from_slice(line).map_err(|error| {
        let value: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        let id = value.and_then(|value| value.get("id")?.as_u64()).unwrap_or(0);
        (id, format!("not a request: {error}"))
    })
}

/// Answers one question, within its time limit.
pub async fn answer(ask: Ask) -> Answer {
    let started = clock::now();
    let start = Instant::now();
    let limit = Duration::from_millis(ask.timeout_ms()).min(clock::MAX_TIMEOUT) + Duration::from_millis(SLACK_MS);
    // A task of its own: a panic in it is an answer too.
    let task = tokio::spawn(async move { tokio::time::timeout(limit, outcome(&ask)).await });
    let outcome = match task.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Outcome::Failed(internal(Stage::System, "the probe overran its own time limit")),
        Err(error) => Outcome::Failed(internal(Stage::System, format!("the probe failed: {error}"))),
    };
    stamp(started, start, outcome)
}

fn stamp(started: wire::Instant2, start: Instant, outcome: Outcome) -> Answer {
    let wire::Instant2 { at_us, boot_us } = started;
    Answer { at_us, boot_us, elapsed_us: micros(start.elapsed()), outcome }
}

async fn outcome(ask: &Ask) -> Outcome {
    let deadline = Deadline::after_ms(ask.timeout_ms());
    let result = match ask {
        Ask::Interfaces(_) => interfaces::list().map(|interfaces| Outcome::Interfaces(InterfacesAnswer { interfaces })),
        Ask::Dns(ask) => dns::ask(ask, deadline).await.map(Outcome::Dns),
        Ask::Tcp(ask) => tcp(ask, deadline).await.map(Outcome::Tcp),
        Ask::Http(ask) => http::exchange(ask, deadline).await.map(Outcome::Http),
        Ask::HoldHttp(ask) => Ok(Outcome::HoldHttp(http::hold(ask, deadline).await)),
        Ask::HttpMany(ask) => http::many::run(ask, deadline).await.map(Outcome::HttpMany),
        Ask::Postgres(ask) => postgres::run(ask, deadline).await.map(Outcome::Postgres),
        Ask::Redis(ask) => redis::run(ask, deadline).await.map(Outcome::Redis),
        Ask::Link(ask) => link::set(ask).map(Outcome::Link),
        Ask::SignalAll(ask) => signal::all(ask).await.map(Outcome::SignalAll),
        Ask::Sockets(ask) => sockets::set(ask).map(Outcome::Sockets),
        Ask::Matrix(ask) => matrix(ask).await.map(Outcome::Matrix),
        Ask::Tls(ask) => secure::ask(ask, deadline).await.map(Outcome::Tls),
    };
    result.unwrap_or_else(Outcome::Failed)
}

async fn tcp(ask: &Tcp, deadline: Deadline) -> Result<TcpAnswer, Failure> {
    let connect::Opened { mut stream, about } = connect::open(&ask.host, ask.port, deadline).await?;
    if let Some(text) = &ask.send {
        let sending = async {
            stream.write_all(text.as_bytes()).await?;
            // The end of what is sent is said, so that a last line without a line feed counts too.
            stream.shutdown().await
        };
        let sent = deadline.run(Stage::Send, sending).await?;
        sent.map_err(|error| Failure { peer: Some(about.peer), ..from_io(&error, Stage::Send) })?;
    }
    Ok(about)
}

async fn matrix(ask: &Matrix) -> Result<MatrixAnswer, Failure> {
    if ask.targets.len() > MAX_TARGETS {
        return Err(invalid(format!("more than {MAX_TARGETS} targets")));
    }
    let mut tasks = Vec::new();
    for target in &ask.targets {
        let one = Tcp { timeout_ms: ask.timeout_ms, ..Tcp::to(target.host.clone(), target.port) };
        tasks.push(tokio::spawn(async move {
            let deadline = Deadline::after_ms(one.timeout_ms);
            let result = tcp(&one, deadline).await;
            (result, deadline.elapsed_us())
        }));
    }
    let mut results = Vec::new();
    for (task, target) in tasks.into_iter().zip(&ask.targets) {
        let (result, elapsed_us) = task.await.map_err(|error| internal(Stage::System, error.to_string()))?;
        let outcome = match result {
            Ok(about) => TcpOutcome::Connected(about),
            Err(failure) => TcpOutcome::Failed(failure),
        };
        results.push(MatrixOne { label: target.label.clone(), outcome, elapsed_us });
    }
    Ok(MatrixAnswer { results })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FailureKind;

    #[test]
    fn a_wrong_request_keeps_its_id() {
        let wrong = |line: &str| request(line.as_bytes()).map_err(|(id, _)| id);
        assert_eq!(wrong(r#"{"id":7,"ask":{"fly":{}}}"#), Err(7));
        assert_eq!(wrong(r#"{"id":8,"ask":{"tcp":{"host":"a","port":1,"prot":2}}}"#), Err(8));
        assert_eq!(wrong("{"), Err(0));
        assert!(request(br#"{"id":9,"ask":{"tcp":{"host":"a","port":1}}}"#).is_ok());
    }

    /// Time goes by itself here: the clock jumps when nothing else is to do.
    #[tokio::test(start_paused = true)]
    async fn a_forgotten_probe_ends_itself() {
        let Ok((input, kept_open)) = io::pipe() else { panic!("no pipe") };
        let start = Instant::now();
        assert!(run(io::BufReader::new(input), io::sink()).await.is_ok());
        assert!(start.elapsed() >= IDLE_CAP && start.elapsed() < IDLE_CAP * 2);
        drop(kept_open);
    }

    #[test]
    fn lines_are_read_one_by_one_whatever_their_length() {
        let long = [vec![b'x'; wire::MAX_REQUEST_LINE + 10], b"\n{}\n\n{\"last\":1}".to_vec()].concat();
        let (lines, mut asked) = mpsc::channel(8);
        read(long.as_slice(), &lines);
        drop(lines);
        let mut got = Vec::new();
        while let Some(line) = asked.blocking_recv() {
            got.push(line.map_err(|failure| failure.kind));
        }
        assert_eq!(got, [Err(FailureKind::Invalid), Ok(b"{}\n".to_vec()), Ok(b"{\"last\":1}".to_vec())]);
    }
}
