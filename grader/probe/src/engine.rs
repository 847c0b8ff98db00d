//! A filtered, read-only view of the engine for one run: what a student's Traefik or cAdvisor gets for a socket.
//!
//! The path table is closed ([`request::Route`]), nothing of the client's path goes to the engine, each list is asked
//! with the label of the run and looked at again, and each object is rebuilt from the members that may be shown, under
//! the names that it would have on the student's own machine.

pub mod amplify;
pub mod answer;
pub mod events;
pub mod filters;
pub mod names;
pub mod request;
pub mod run;
pub mod stand_ins;
pub mod upstream;

#[cfg(test)]
pub(crate) mod testing;

use crate::wire::EngineView;
use answer::Refusal;
use names::Names;
use request::{Request, Route};
use run::Run;
use stand_ins::StandIns;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use upstream::Upstream;

/// Connections served at once; the next ones wait.
const CONNECTIONS: usize = 64;

/// Streams of events among them; the next ones are refused.
const STREAMS: usize = 16;

/// How long a client may take to send its request, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a proxy is given.
#[derive(Clone, Debug)]
pub struct Options {
    /// The engine's socket.
    pub upstream: PathBuf,
    /// What is shown.
    pub view: EngineView,
    /// Folder of the stand-ins for the machine's files, for cAdvisor.
    pub stand_ins: Option<PathBuf>,
}

/// A running proxy.
pub(crate) struct Proxy {
    run: Run,
    stand_ins: Option<StandIns>,
    /// The engine's own API version, for the heads.
    api: String,
    streams: Semaphore,
}

/// Listens at `path`, under a temporary name until it does: who sees the socket can connect. Its other names are links.
///
/// # Errors
/// Those of the file system.
pub fn listen(path: &Path, view: &EngineView) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let early = path.with_extension("early");
    let _ = std::fs::remove_file(&early);
    let listener = UnixListener::bind(&early)?;
    // Whoever gets the mount may use it, whatever user its image chose: there is nothing more behind it.
    std::fs::set_permissions(&early, std::fs::Permissions::from_mode(0o666))?;
    let own = path.file_name().unwrap_or_default();
    for name in view.also.iter().filter(|name| name.as_str() != own && !name.contains('/')) {
        let link = path.with_file_name(name);
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(own, link)?;
    }
    std::fs::rename(&early, path)?;
    Ok(listener)
}

/// Asks the engine for its version, then listens and serves for ever.
///
/// # Errors
/// When the engine does not answer, or the socket cannot be made.
pub async fn run(options: Options, at: &Path) -> io::Result<()> {
    let upstream = Upstream::at(&options.upstream);
    let version = upstream.get(None, "/version").await.map_err(|refusal| io::Error::other(refusal.message))?;
    let api = version.get("ApiVersion").and_then(serde_json::Value::as_str).unwrap_or("1.41").to_owned();
    let listener = listen(at, &options.view)?;
    let proxy = Arc::new(Proxy {
        run: Run { upstream, names: Names { view: options.view } },
        stand_ins: options.stand_ins.map(StandIns::at),
        api,
        streams: Semaphore::new(STREAMS),
    });
    if proxy.stand_ins.is_some() {
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            if let Some(stand_ins) = &proxy.stand_ins {
                stand_ins.keep_fresh(&proxy.run).await;
            }
        });
    }
    proxy.serve(listener).await
}

impl Proxy {
    async fn serve(self: Arc<Self>, listener: UnixListener) -> io::Result<()> {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
            match listener.accept().await {
                Ok((client, _)) => {
                    let proxy = Arc::clone(&self);
                    tokio::spawn(async move {
                        let _ = proxy.client(client).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// One request, one answer.
    async fn client(&self, mut client: UnixStream) -> io::Result<()> {
        let asked = match tokio::time::timeout(PATIENCE, receive(&mut client)).await {
            Ok(Ok(Some(asked))) => asked,
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(refusal)) => return self.refuse(&mut client, &refusal, false).await,
            Err(_) => {
                let refusal = Refusal::new(408, "the request is too slow");
                return self.refuse(&mut client, &refusal, false).await;
            }
        };
        if asked.route == Route::Events && !asked.head_only {
            let Ok(_place) = self.streams.try_acquire() else {
                let refusal = Refusal::new(503, "too many streams of events");
                return self.refuse(&mut client, &refusal, false).await;
            };
            return match events::open(&self.run, &asked).await {
                Ok(stream) => events::copy(&self.run, stream, &mut client, &asked, &self.api).await,
                Err(refusal) => self.refuse(&mut client, &refusal, false).await,
            };
        }
        if asked.route == Route::Ping {
            return self.send(&mut client, 200, "text/plain; charset=utf-8", b"OK", asked.head_only).await;
        }
        match self.answer(&asked).await {
            Ok(value) => {
                let mut text = value.to_string().into_bytes();
                text.push(b'\n');
                self.send(&mut client, 200, "application/json", &text, asked.head_only).await
            }
            Err(refusal) => self.refuse(&mut client, &refusal, asked.head_only).await,
        }
    }

    async fn answer(&self, asked: &Request) -> Result<serde_json::Value, Refusal> {
        match &asked.route {
            Route::Version => self.run.version(asked).await,
            Route::Info => self.run.info(asked).await,
            Route::Containers => self.run.containers(asked).await,
            Route::Container(name) => {
                let (seen, shown) = self.run.container(asked, name).await?;
                if let Some(stand_ins) = &self.stand_ins {
                    // cAdvisor looks for them as soon as it has this answer.
                    stand_ins.add(&self.run, &seen).await;
                }
                Ok(shown)
            }
            Route::Networks => self.run.networks(asked).await,
            Route::Network(name) => self.run.network(asked, name).await,
            Route::Images => self.run.images(asked).await,
            Route::Image(name) => self.run.image(asked, name).await,
            Route::Swarm => Err(Refusal::no_swarm()),
            // Answered before.
            Route::Ping | Route::Events => Ok(serde_json::Value::Null),
        }
    }

    async fn refuse(&self, client: &mut UnixStream, refusal: &Refusal, head_only: bool) -> io::Result<()> {
        let text = format!("{}\n", refusal.body());
        self.send(client, refusal.status, "application/json", text.as_bytes(), head_only).await
    }

    async fn send(
        &self,
        client: &mut UnixStream,
        status: u16,
        kind: &str,
        body: &[u8],
        head_only: bool,
    ) -> io::Result<()> {
        let mut bytes = answer::head(status, kind, &self.api, Some(body.len()), false).into_bytes();
        if !head_only {
            bytes.extend_from_slice(body);
        }
        let work = async {
            client.write_all(&bytes).await?;
            client.shutdown().await
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Reads a request; nothing from a client that closes.
async fn receive(client: &mut UnixStream) -> Result<Option<Request>, Refusal> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some(asked) = Request::parse(&bytes)? {
            return Ok(Some(asked));
        }
        match client.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
    }
}
