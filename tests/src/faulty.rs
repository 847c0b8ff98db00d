//! A way to the engine that counts what is asked and lets one request fail.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What happens to the request that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The engine answers 500.
    Answered,
    /// The connection ends without an answer.
    Dropped,
    /// The engine does what is asked, but its answer is lost.
    Lost,
}

/// A socket in front of the engine's.
pub struct Faulty {
    dir: tempfile::TempDir,
    state: Arc<State>,
}

struct State {
    engine: PathBuf,
    asked: AtomicUsize,
    plan: Mutex<Option<(usize, Failure)>>,
    hit: Mutex<Option<String>>,
}

/// Longest head of a request.
const HEAD: usize = 64 * 1024;

impl Faulty {
    /// Listens in front of the engine that listens at `engine`.
    ///
    /// # Errors
    ///
    /// No temporary folder, or no socket in it.
    pub fn before(engine: &Path) -> std::io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let listener = UnixListener::bind(dir.path().join("docker.sock"))?;
        let state = Arc::new(State {
            engine: engine.to_owned(),
            asked: AtomicUsize::new(0),
            plan: Mutex::new(None),
            hit: Mutex::new(None),
        });
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&served);
                std::thread::spawn(move || state.serve(client));
            }
        });
        Ok(Self { dir, state })
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("docker.sock").display())
    }

    /// Counts from zero again; the request of this number (from 0) will fail.
    pub fn plan(&self, plan: Option<(usize, Failure)>) {
        *lock(&self.state.plan) = plan;
        *lock(&self.state.hit) = None;
        self.state.asked.store(0, Ordering::SeqCst);
    }

    /// Requests since the last plan.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// The request that failed, if it came.
    pub fn hit(&self) -> Option<String> {
        lock(&self.state.hit).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// One connection, one request: `Connection: close` is asked for in its place, but for those that
    /// take the connection over.
    fn serve(&self, mut client: UnixStream) {
        let Some((head, rest)) = head(&mut client) else { return };
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let failure = lock(&self.plan).filter(|(k, _)| *k == number).map(|(_, failure)| failure);
        let line = head.lines().next().unwrap_or_default().to_owned();
        if failure.is_some() {
            *lock(&self.hit) = Some(line);
        }
        match failure {
            Some(Failure::Dropped) => return,
            Some(Failure::Answered) => {
                let body = "{\"message\":\"write /var/lib/docker/x: input/output error\"}";
                let _ = write!(
                    client,
                    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                return;
            }
            Some(Failure::Lost) | None => {}
        }
        let Ok(mut engine) = UnixStream::connect(&self.engine) else { return };
        let upgrade = head.to_ascii_lowercase().contains("\r\nupgrade:");
        let sent = if upgrade { head } else { alone(&head) };
        if engine.write_all(sent.as_bytes()).and_then(|()| engine.write_all(&rest)).is_err() {
            return;
        }
        let (Ok(from), Ok(to)) = (client.try_clone(), engine.try_clone()) else { return };
        std::thread::spawn(move || pour(from, &to, Shutdown::Write));
        if failure.is_some() {
            // Until the engine has done it.
            let _ = engine.read(&mut [0; 1]);
            let _ = engine.shutdown(Shutdown::Both);
            let _ = client.shutdown(Shutdown::Both);
            return;
        }
        pour(engine, &client, Shutdown::Both);
    }
}

/// The head of a request, and what came after it.
fn head(client: &mut UnixStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).ok()?, rest));
        }
        match client.read(&mut chunk) {
            Ok(n) if n > 0 && bytes.len() < HEAD => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

/// The same head, the connection to be closed after the answer.
fn alone(head: &str) -> String {
    let lines = head.trim_end().lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut text: String = lines.map(|line| format!("{line}\r\n")).collect();
    text.push_str("Connection: close\r\n\r\n");
    text
}

fn pour(mut from: UnixStream, mut to: &UnixStream, how: Shutdown) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(how);
}
