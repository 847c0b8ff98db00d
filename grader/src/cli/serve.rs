//! `serve`: the course on loopback, and what its pages may do.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use tokio::net::TcpListener;

use super::args::{Global, ImageArgs};
use super::{places, shell, student};
use crate::book;
use crate::engine::{Engine, ImagePolicy, Terminal};
use crate::error::{ExitCode, Fault};
use crate::event::Event;
use crate::lab::{self, Lab};
use crate::report::Fold;
use crate::run::{RunOptions, run};
use crate::serve::{self, Container, Desk, Keys, Root, Shell, Sink, Site, Size, Stop};

/// `serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Port sur 127.0.0.1 (0 : le premier libre)
    #[arg(long, default_value_t = 4000, value_name = "PORT")]
    pub port: u16,
    /// N'ouvre pas le navigateur
    #[arg(long)]
    pub no_open: bool,
    #[command(flatten)]
    pub images: ImageArgs,
}

/// `grader serve`
pub async fn serve(args: &ServeArgs, global: &Global) -> ExitCode {
    let dir = global.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let root = match Root::new(&dir) {
        Ok(root) if root.path().is_dir() => root,
        _ => {
            shell::complain(&format!(
                "erreur · le dossier « {} » n'existe pas\n  à faire  vérifiez le chemin donné à -C",
                dir.display()
            ));
            return ExitCode::Usage;
        }
    };
    let listener = match TcpListener::bind(("127.0.0.1", args.port)).await {
        Ok(listener) => listener,
        Err(e) => {
            shell::complain(&format!(
                "erreur · le port {} de 127.0.0.1 ne se laisse pas prendre ({e})\n  à faire  grader serve --port 4001",
                args.port
            ));
            return ExitCode::Environment;
        }
    };
    let keys = Keys::new(listener.local_addr().map_or(args.port, |a| a.port()));
    let (address, ticket) = (keys.address(), keys.ticket_address());
    let shown = root.path().display().to_string();
    let site = match site(args, global, root, keys) {
        Ok(site) => Arc::new(site),
        Err(code) => return code,
    };
    shell::say(&format!("cours ouvert · dossier vérifié : {shown}"));
    shell::say(&format!("  ouvrir   {address}"));
    shell::say("  Cette adresse contient votre clé : ne la donnez à personne. Ctrl-C pour arrêter.");
    if !args.no_open && std::io::stdout().is_terminal() {
        // A machine without a browser shows the address all the same.
        let _ = ticket.map(open::that_detached);
    }
    let stop = async {
        shell::interrupted().await;
        shell::say("arrêt : fin des corrections en cours et nettoyage");
    };
    match serve::serve(site, listener, stop).await {
        Ok(()) => ExitCode::Passed,
        Err(e) => {
            shell::complain(&format!(
                "erreur · le serveur s'est arrêté ({e})\n  à faire  relancez « grader serve »"
            ));
            ExitCode::Environment
        }
    }
}

/// Reads the student's book: the one that a release carries, else built from the sources into a folder
/// that is gone at once.
fn site(args: &ServeArgs, global: &Global, root: Root, keys: Keys) -> Result<Site, ExitCode> {
    let unread = |e: std::io::Error| {
        shell::complain(&format!(
            "erreur · le livre ne se lit pas ({e})\n  à faire  vérifiez la place et les droits du dossier temporaire"
        ));
        ExitCode::Environment
    };
    let refused = |e: &dyn std::fmt::Display| {
        shell::complain(&format!("erreur · {e}"));
        ExitCode::Usage
    };
    let temp = tempfile::Builder::new().prefix("tp-livre-serve-").tempdir().map_err(unread)?;
    let (built, labs_dir) = match places::carried().map_err(|e| shell::fault(&e))? {
        Some(release) => (release.join("book"), release.join("labs")),
        None => {
            let order = super::book::order(false, Some(temp.path().join("livre")))?;
            book::build(&order).map_err(|e| refused(&e))?;
            (order.out, order.labs)
        }
    };
    let mut labs = Vec::new();
    for dir in lab::list(&labs_dir) {
        labs.push(places::lab_in(&labs_dir, &dir).map_err(|e| refused(&e))?);
    }
    let desk = Own {
        root: root.path().to_owned(),
        recipes: labs_dir.join("images"),
        images: args.images.into(),
        timeout: global.timeout,
    };
    Site::new(&built, labs, root, keys, Arc::new(desk)).map_err(unread)
}

/// The desk of a student: this machine's engine, the journal of the folder.
struct Own {
    root: PathBuf,
    recipes: PathBuf,
    images: ImagePolicy,
    timeout: Duration,
}

#[async_trait]
impl Desk for Own {
    fn folder(&self, lab: &str) -> Option<PathBuf> {
        student::known(lab, &self.root).folder
    }

    fn hints(&self, lab: &str, dir: &Path) -> BTreeMap<String, usize> {
        student::known(lab, dir).hints
    }

    fn note_hint(&self, lab: &str, check: &str, level: usize, dir: &Path) {
        student::note_hint(lab, check, level, Some(dir));
    }

    async fn check(&self, lab: &Lab, dir: &Path, stop: Stop, sink: Sink) -> serde_json::Value {
        let fold = Mutex::new(Fold::default());
        let take = |event: Event| {
            fold.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
            sink(event);
        };
        let inside = dir.strip_prefix(&self.root).ok().filter(|p| !p.as_os_str().is_empty());
        let options = RunOptions {
            dir: dir.to_owned(),
            label: inside.unwrap_or(dir).display().to_string(),
            images: self.images,
            recipes: self.recipes.clone(),
            only: None,
            real_time: false,
            timeout: self.timeout,
        };
        match Engine::connect().await {
            Ok(engine) => run(&engine, lab, &options, stop.asked(), &take).await,
            Err(fault) => take(Event::Faulted(fault)),
        }
        let report = fold.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
        student::note(lab, dir, false, &report);
        serde_json::to_value(report).unwrap_or_default()
    }

    async fn containers(&self, folders: &[PathBuf]) -> Result<Vec<Container>, Fault> {
        let own = Engine::connect().await?.own_containers(folders).await?;
        let shown = |c: crate::engine::OwnContainer| Container {
            id: c.id,
            name: c.name,
            service: c.service,
            folder: c.folder,
        };
        Ok(own.into_iter().map(shown).collect())
    }

    async fn shell(&self, container: &str, size: Size) -> Result<Box<dyn Shell>, Fault> {
        let terminal = Engine::connect().await?.terminal(container, size).await?;
        Ok(Box::new(OwnShell(terminal)))
    }
}

struct OwnShell(Terminal);

#[async_trait]
impl Shell for OwnShell {
    async fn read(&mut self) -> Option<bytes::Bytes> {
        self.0.read().await
    }

    async fn write(&mut self, typed: &[u8]) -> std::io::Result<()> {
        self.0.write(typed).await
    }

    async fn resize(&mut self, size: Size) {
        self.0.resize(size).await;
    }

    async fn close(self: Box<Self>) {
        self.0.close().await;
    }
}
