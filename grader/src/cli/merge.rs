//! `merge`: the parts of a class, put together.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Global;
use super::{batch, shell};
use crate::error::{ExitCode, Fault};
use crate::report::class::Fate;
use crate::reporter::clean::inline;

const EXIT_CODES: &str = "\
Codes de sortie :
  0  chaque copie a un verdict ferme, quelle que soit sa note
  2  mauvais usage ; une part manque, est donnée deux fois ou vient d'une autre classe
  4  une copie reste « non notée », ou les résultats ne s'écrivent pas";

/// `merge`
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct MergeArgs {
    /// Les dossiers que « grader batch --shard » a écrits, dans n'importe quel ordre
    #[arg(value_name = "PART", required = true)]
    pub parts: Vec<PathBuf>,
    /// Dossier des résultats de toute la classe
    #[arg(long, value_name = "DOSSIER")]
    pub into: PathBuf,
    /// Dossier de vos modèles de page : report.html, class.html, report.css, class.css
    #[arg(long, value_name = "DOSSIER")]
    pub templates: Option<PathBuf>,
}

/// `grader merge`
pub fn merge(args: &MergeArgs, global: &Global) -> ExitCode {
    match together(args, global) {
        Ok(code) => code,
        Err(e) => shell::fault(&e),
    }
}

fn together(args: &MergeArgs, global: &Global) -> Result<ExitCode, Fault> {
    let within = |path: &Path| global.dir.as_deref().unwrap_or(Path::new("")).join(path);
    let theme = batch::theme(args.templates.as_deref().map(within).as_deref())?;
    let parts: Vec<PathBuf> = args.parts.iter().map(|part| within(part)).collect();
    let into = within(&args.into);
    let stats = crate::batch::merge(&parts, &into, &theme)?;
    shell::say(&batch::counts(&stats));
    shell::say(&format!("page de la classe : {}", inline(&into.join("index.html").display().to_string())));
    let doubtful = stats.count(Fate::NotGraded) + stats.count(Fate::Provisional) > 0 && !global.exit_zero;
    Ok(if doubtful { ExitCode::Environment } else { ExitCode::Passed })
}
