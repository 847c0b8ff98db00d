//! `book build`, `book serve`, `book test`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{places, shell};
use crate::book::{self, Built, Edition, Order};
use crate::error::ExitCode;
use crate::french;

/// `book …`
#[derive(Debug, Subcommand)]
pub enum BookCommand {
    /// Construit le livre
    Build(BookBuild),
    /// Construit le livre et le montre sur cette machine, à jour à chaque changement
    Serve(BookServe),
    /// Construit le livre et vérifie ses liens, ses pages et ce qu'il ne doit pas contenir
    Test(BookTest),
}

/// `book build`
#[derive(Clone, Debug, Args)]
pub struct BookBuild {
    /// Édition de l'enseignant, avec les solutions
    #[arg(long)]
    pub teacher: bool,
    /// Dossier à écrire (book/build, ou book/build-enseignant)
    #[arg(long, value_name = "DOSSIER")]
    pub into: Option<PathBuf>,
}

/// `book serve`
#[derive(Clone, Debug, Args)]
pub struct BookServe {
    #[command(flatten)]
    pub build: BookBuild,
    /// Port sur 127.0.0.1
    #[arg(long, default_value_t = 4000, value_name = "PORT")]
    pub port: u16,
}

/// `book test`
#[derive(Clone, Copy, Debug, Args)]
pub struct BookTest {
    /// Vérifie l'édition de l'enseignant
    #[arg(long)]
    pub teacher: bool,
}

/// Runs a command of the book.
pub async fn run(command: BookCommand) -> ExitCode {
    match command {
        BookCommand::Build(args) => build(&args),
        BookCommand::Serve(args) => serve(&args).await,
        BookCommand::Test(args) => test(args),
    }
}

pub(super) fn order(teacher: bool, into: Option<PathBuf>) -> Result<Order, ExitCode> {
    let labs = places::labs().map_err(|e| shell::fault(&e))?;
    let book = labs.parent().map(|root| root.join("book")).unwrap_or_default();
    if !book.join("book.toml").is_file() {
        shell::complain(&format!(
            "erreur · le dossier du livre est introuvable ({})\n  à faire  lancez la commande dans le projet",
            book.display()
        ));
        return Err(ExitCode::Usage);
    }
    let edition = if teacher { Edition::Teacher } else { Edition::Student };
    let out = into.unwrap_or_else(|| book.join(if teacher { "build-enseignant" } else { "build" }));
    Ok(Order { labs, book, edition, out })
}

fn told(order: &Order, built: &Built) {
    shell::say(&format!(
        "livre construit · {}, dont {} TP, en {}\n  ouvrir   {}",
        french::count(built.pages, "chapitre", "chapitres"),
        built.labs,
        french::duration(u64::try_from(built.took.as_millis()).unwrap_or(u64::MAX)),
        order.out.join("index.html").display()
    ));
    for warning in &built.warnings {
        shell::complain(&format!("attention · {warning}"));
    }
}

fn failed(error: &book::BookError) -> ExitCode {
    shell::complain(&format!("erreur · {error}"));
    ExitCode::Usage
}

fn build(args: &BookBuild) -> ExitCode {
    let order = match order(args.teacher, args.into.clone()) {
        Ok(order) => order,
        Err(code) => return code,
    };
    match book::build(&order) {
        Ok(built) => {
            told(&order, &built);
            ExitCode::Passed
        }
        Err(e) => failed(&e),
    }
}

async fn serve(args: &BookServe) -> ExitCode {
    let order = match order(args.build.teacher, args.build.into.clone()) {
        Ok(order) => order,
        Err(code) => return code,
    };
    match book::build(&order) {
        Ok(built) => told(&order, &built),
        Err(e) => return failed(&e),
    }
    let listener = match tokio::net::TcpListener::bind(("127.0.0.1", args.port)).await {
        Ok(listener) => listener,
        Err(e) => {
            shell::complain(&format!(
                "erreur · le port {} de 127.0.0.1 ne se laisse pas prendre ({e})\n  à faire  --port 4001",
                args.port
            ));
            return ExitCode::Environment;
        }
    };
    let port = listener.local_addr().map_or(args.port, |a| a.port());
    shell::say(&format!("  lire     http://127.0.0.1:{port}/ (Ctrl-C pour arrêter)"));
    book::serve(&order, listener, shell::interrupted(), &|text| shell::say(&text)).await;
    ExitCode::Passed
}

fn test(args: BookTest) -> ExitCode {
    let dir = match tempfile::Builder::new().prefix("tp-livre-test-").tempdir() {
        Ok(dir) => dir,
        Err(e) => {
            shell::complain(&format!("erreur · dossier provisoire impossible à créer ({e})"));
            return ExitCode::Environment;
        }
    };
    let order = match order(args.teacher, Some(dir.path().join("livre"))) {
        Ok(order) => order,
        Err(code) => return code,
    };
    let found = book::build(&order).and_then(|built| Ok((book::verify(&order.out, &built)?, built)));
    match found {
        Ok((found, built)) => {
            for finding in &found {
                shell::complain(&format!("✗ {} · {}", finding.file, finding.what));
            }
            shell::say(&format!(
                "{}, dont {} TP : {}",
                french::count(built.pages, "chapitre", "chapitres"),
                built.labs,
                french::count(found.len(), "défaut", "défauts")
            ));
            if found.is_empty() { ExitCode::Passed } else { ExitCode::Failed }
        }
        Err(e) => failed(&e),
    }
}
