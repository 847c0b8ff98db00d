//! `export`: results handed to a platform.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::Global;
use super::{ci, shell};
use crate::error::ExitCode;
use crate::export::{self, Platform, Source, Wanted};
use crate::french::count;
use crate::reporter::encode::csv::Dialect;

/// Whom results are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// Le fichier exporté de Moodle, rempli
    Moodle,
    /// Le carnet de notes exporté de Canvas, rempli
    Canvas,
    /// Un tableau pour tableur
    Csv,
    /// Le fichier result.json de Classroom 50
    Classroom50,
    /// JUnit XML
    Junit,
    /// Le fichier results.json de Gradescope
    Gradescope,
}

/// `export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Destination : moodle, canvas, csv, classroom50, junit, gradescope
    #[arg(long, value_enum, value_name = "OUTIL", hide_possible_values = true)]
    pub to: To,
    /// Résultats : class.json d'une classe, rapport (--format json) ou journal (.jsonl) d'une copie
    #[arg(long, value_name = "FICHIER")]
    pub from: PathBuf,
    /// Moodle, Canvas : le fichier exporté à remplir (sur place, ou vers -o) ; Gradescope d'une classe : un dossier
    #[arg(long, value_name = "FICHIER")]
    pub into: Option<PathBuf>,
    /// Moodle, Canvas : titre de la colonne des notes, si elle n'est pas reconnue
    #[arg(long, value_name = "TITRE")]
    pub column: Option<String>,
    /// Moodle : remplit aussi la colonne des commentaires
    #[arg(long)]
    pub comments: bool,
    /// Moodle, Canvas : met zéro à ce qui est refusé, invalide ou non rendu (sinon la case reste telle quelle)
    #[arg(long)]
    pub zero: bool,
    /// Tableur : virgule entre les cases et point décimal, plutôt que point-virgule et virgule
    #[arg(long)]
    pub international: bool,
}

/// `grader export`
pub fn export(args: &ExportArgs, global: &Global) -> ExitCode {
    match run(args, global) {
        Ok(()) => ExitCode::Passed,
        Err(message) => {
            shell::complain(&format!("erreur · {message}"));
            ExitCode::Usage
        }
    }
}

fn run(args: &ExportArgs, global: &Global) -> Result<(), String> {
    let source = export::read(&bytes(&args.from)?).map_err(|e| format!("{} : {e}", args.from.display()))?;
    match args.to {
        To::Moodle => filled(args, global, &source, Platform::Moodle),
        To::Canvas => filled(args, global, &source, Platform::Canvas),
        To::Csv => {
            let dialect =
                if args.international { Dialect { delimiter: b',', comma: false } } else { Dialect::FRENCH };
            written(args, global, |out| export::table(&source, dialect, out))
        }
        To::Junit => written(args, global, |out| export::junit(&source, out)),
        To::Gradescope if source.is_class => folder(args, &source),
        To::Gradescope => one(args, global, &source, export::gradescope),
        To::Classroom50 => {
            one(args, global, &source, |row| export::classroom50(row, &ci::submission(global)))
        }
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("« {} » ne se lit pas ({e})", path.display()))
}

/// Fills the file of a platform.
fn filled(args: &ExportArgs, global: &Global, source: &Source, platform: Platform) -> Result<(), String> {
    let Some(into) = &args.into else {
        return Err("il faut le fichier exporté de la plateforme : --into FICHIER".to_owned());
    };
    let wanted = Wanted { column: args.column.clone(), zero: args.zero, comments: args.comments };
    let filled = export::fill(platform, bytes(into)?, &source.rows, &wanted)
        .map_err(|e| format!("{} : {e}", into.display()))?;
    let target = global.output.as_ref().unwrap_or(into);
    replace(target, &filled.bytes).map_err(|e| unwritten(target, &e))?;
    for line in &filled.told {
        shell::complain(line);
    }
    let notes = count(filled.written, "note écrite", "notes écrites");
    let rest =
        if filled.told.is_empty() { String::new() } else { format!(", {} à regarder", filled.told.len()) };
    shell::complain(&format!("{notes} dans « {} »{rest}", target.display()));
    Ok(())
}

/// Writes one document where asked.
fn written(
    args: &ExportArgs,
    global: &Global,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), String> {
    let mut out = Vec::new();
    write(&mut out).map_err(|e| format!("l'export n'a pas pu être écrit ({e})"))?;
    match args.into.as_ref().or(global.output.as_ref()) {
        Some(path) => replace(path, &out).map_err(|e| unwritten(path, &e)),
        None => io::stdout().write_all(&out).map_err(|e| format!("l'export n'a pas pu être écrit ({e})")),
    }
}

/// A document that is made of one submission.
fn one(
    args: &ExportArgs,
    global: &Global,
    source: &Source,
    make: impl FnOnce(&export::Row) -> Option<String>,
) -> Result<(), String> {
    let [row] = source.rows.as_slice() else {
        return Err(
            "ce format décrit une seule copie : donnez son rapport (--format json) ou son journal".to_owned()
        );
    };
    let document = make(row).ok_or_else(|| {
        format!("la copie n'a pas de note définitive ({}) : rien n'est exporté", row.standing.french())
    })?;
    written(args, global, |out| writeln!(out, "{document}"))
}

/// Gradescope's file of each submission, in a folder.
fn folder(args: &ExportArgs, source: &Source) -> Result<(), String> {
    let Some(into) = &args.into else {
        return Err("une classe donne un fichier par copie : --into DOSSIER".to_owned());
    };
    fs::create_dir_all(into).map_err(|e| unwritten(into, &e))?;
    let mut done = 0;
    for row in &source.rows {
        let safe = row.key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let Some(document) = export::gradescope(row).filter(|_| safe && !row.key.starts_with('.')) else {
            let name = crate::reporter::clean::inline(row.name());
            shell::complain(&format!("{} : « {name} » ; aucun fichier n'est écrit", row.standing.french()));
            continue;
        };
        let path = into.join(format!("{}.json", row.key));
        replace(&path, document.as_bytes()).map_err(|e| unwritten(&path, &e))?;
        done += 1;
    }
    shell::complain(&format!(
        "{} dans « {} »",
        count(done, "fichier écrit", "fichiers écrits"),
        into.display()
    ));
    Ok(())
}

fn unwritten(path: &Path, error: &io::Error) -> String {
    format!("« {} » ne s'écrit pas ({error})", path.display())
}

/// Writes a whole file or leaves the old one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(bytes)?;
    match fs::metadata(path) {
        Ok(old) => file.as_file().set_permissions(old.permissions())?,
        #[cfg(unix)]
        Err(_) => {
            use std::os::unix::fs::PermissionsExt as _;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        #[cfg(not(unix))]
        Err(_) => {}
    }
    file.as_file().sync_all()?;
    file.persist(path).map(|_| ()).map_err(|e| e.error)
}
