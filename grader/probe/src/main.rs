//! The probe's program: see the library for what it does.

use grader_probe::relay::Relay;
use grader_probe::{echo, engine, receive, serve, system};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage:
  grader-probe serve                       questions on stdin, answers on stdout, one JSON document a line
  grader-probe relay --listen ADDR:PORT --upstream HOST:PORT --shift-years N
                                           PostgreSQL relay that moves dates by N years (a multiple of 4)
  grader-probe echo --listen ADDR:PORT     HTTP server that answers what it received
  grader-probe receive --listen ADDR:PORT  webhook receiver that tells what it is sent, one JSON document a line
  grader-probe engine --upstream SOCKET --listen SOCKET --view JSON [--stand-ins DIR]
                                           filtered, read-only view of a Docker engine for one run
  grader-probe kill --pid N --container ID ends process N, when it is one of that container
  grader-probe idle                        waits for SIGTERM, SIGINT, or the end of stdin (not of /dev/null)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let mode = match Mode::of(&words) {
        Ok(mode) => mode,
        Err(message) => return fail(&format!("{message}\n{USAGE}"), 2),
    };
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(mode.run()));
    #[allow(clippy::disallowed_methods, reason = "a thread may be blocked on stdin for ever")]
    match result {
        // Threads may still be blocked on stdin: leave without waiting for them.
        Ok(()) => std::process::exit(0),
        // Whoever read our answers is gone.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => fail(&error.to_string(), 1),
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    eprintln!("grader-probe: {message}");
    ExitCode::from(code)
}

enum Mode {
    Serve,
    Relay(String, Relay),
    Echo(String),
    Receive(String),
    Engine(Box<engine::Options>, PathBuf),
    Kill(i32, String),
    Idle,
}

impl Mode {
    fn of(words: &[String]) -> Result<Self, String> {
        let Some((mode, rest)) = words.split_first() else { return Err("no mode".to_owned()) };
        let mut options = BTreeMap::new();
        for pair in rest.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} has no value", pair.concat())) };
            options.insert(name.as_str(), value.clone());
        }
        let stand_ins = options.remove("--stand-ins").map(PathBuf::from);
        if stand_ins.is_some() && mode != "engine" {
            return Err("unknown option --stand-ins".to_owned());
        }
        let mut take = |name: &str| options.remove(name).ok_or_else(|| format!("{name} is missing"));
        let mode = match mode.as_str() {
            "serve" => Self::Serve,
            "idle" => Self::Idle,
            "kill" => {
                let pid = take("--pid")?.parse().map_err(|_| "--pid is not a number")?;
                Self::Kill(pid, take("--container")?)
            }
            "echo" => Self::Echo(take("--listen")?),
            "receive" => Self::Receive(take("--listen")?),
            "relay" => {
                let listen = take("--listen")?;
                let upstream = take("--upstream")?;
                let (host, port) = upstream.rsplit_once(':').ok_or("--upstream is not HOST:PORT")?;
                let port = port.parse().map_err(|_| "--upstream is not HOST:PORT")?;
                let years: i64 = take("--shift-years")?.parse().map_err(|_| "--shift-years is not a number")?;
                if years % 4 != 0 || !(-400..=400).contains(&years) {
                    return Err("--shift-years must be a multiple of 4, 400 at most: 29 February must exist".to_owned());
                }
                Self::Relay(listen, Relay { host: host.to_owned(), port, years })
            }
            "engine" => {
                let view = serde_json::from_str(&take("--view")?).map_err(|error| format!("--view: {error}"))?;
                let upstream = PathBuf::from(take("--upstream")?);
                let options = engine::Options { upstream, view, stand_ins };
                Self::Engine(Box::new(options), PathBuf::from(take("--listen")?))
            }
            other => return Err(format!("unknown mode {other}")),
        };
        match options.keys().next() {
            Some(name) => Err(format!("unknown option {name}")),
            None => Ok(mode),
        }
    }

    async fn run(self) -> io::Result<()> {
        // As pid 1 nothing ends us but what we ask for.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let work = async {
            match self {
                Self::Serve => serve::run(io::BufReader::new(io::stdin()), io::stdout()).await,
                Self::Relay(listen, relay) => relay.run(TcpListener::bind(listen_on(&listen)?).await?).await,
                Self::Echo(listen) => echo::run(TcpListener::bind(listen_on(&listen)?).await?).await,
                Self::Receive(listen) => receive::run(TcpListener::bind(listen_on(&listen)?).await?).await,
                Self::Engine(options, at) => engine::run(*options, &at).await,
                Self::Kill(pid, container) => system::kill::one(pid, &container),
                Self::Idle => idle().await,
            }
        };
        tokio::select! {
            result = work => result,
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    }
}

/// An address, never a name: binding a name would call the system's resolver.
fn listen_on(text: &str) -> io::Result<std::net::SocketAddr> {
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("« {text} » is not ADDRESS:PORT")))
}

/// Waits for the end of stdin. An input that ends at once is no input (`docker run` without `-i` gives /dev/null):
/// then only a signal ends the wait.
async fn idle() -> io::Result<()> {
    let (ended, end) = tokio::sync::oneshot::channel();
    let start = std::time::Instant::now();
    std::thread::Builder::new().spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    })?;
    let _ = end.await;
    if start.elapsed() < std::time::Duration::from_millis(100) {
        std::future::pending::<()>().await;
    }
    Ok(())
}
