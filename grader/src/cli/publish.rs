//! `publish`: the results of a class by another policy, or what counts of several hand-ins, without grading.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Global;
use super::{batch, shell};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::french::count;
use crate::reporter::clean::inline;

const EXIT_CODES: &str = "\
Codes de sortie :
  0  les résultats sont récrits
  2  mauvais usage, fichier du cours fautif, ou qui ne va pas avec cette classe : rien n'est écrit
  4  le dossier des résultats ne s'écrit pas";

/// `publish`
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct PublishArgs {
    /// Le dossier que « grader batch » a écrit ; plusieurs, dans l'ordre des envois, quand le cours choisit celui qui compte
    #[arg(value_name = "DOSSIER", required = true)]
    pub results: Vec<PathBuf>,
    /// Où écrire ce qui compte de plusieurs envois
    #[arg(long, value_name = "DOSSIER", requires = "course")]
    pub into: Option<PathBuf>,
    /// La politique du cours (TOML) ; sans elle, les notes du TP, rien de caché
    #[arg(long, value_name = "FICHIER")]
    pub course: Option<PathBuf>,
    /// Dossier de vos modèles de page : report.html, class.html, report.css, class.css
    #[arg(long, value_name = "DOSSIER")]
    pub templates: Option<PathBuf>,
}

/// `grader publish`
pub fn publish(args: &PublishArgs, global: &Global) -> ExitCode {
    match again(args, global) {
        Ok(()) => ExitCode::Passed,
        Err(e) => shell::fault(&e),
    }
}

fn again(args: &PublishArgs, global: &Global) -> Result<(), Fault> {
    let within = |path: &Path| global.dir.as_deref().unwrap_or(Path::new("")).join(path);
    let course = args.course.as_deref().map(|file| batch::read_course(&within(file))).transpose()?;
    let theme = batch::theme(args.templates.as_deref().map(within).as_deref())?;
    let dirs: Vec<PathBuf> = args.results.iter().map(|dir| within(dir)).collect();
    let (dir, done) = match (dirs.as_slice(), &args.into, &course) {
        ([dir], None, _) => (dir.clone(), crate::batch::publish(dir, course.as_ref(), &theme)?),
        (dirs, Some(into), Some(course)) => {
            let into = within(into);
            let done = crate::batch::choose(dirs, &into, course, &theme)?;
            (into, done)
        }
        _ => {
            let what = "plusieurs dossiers de résultats : lequel compte, et où l'écrire ?";
            let todo = "donnez --into, et --course dont [attempts] dit quel envoi compte";
            return Err(Fault::new(FaultKind::Lab, what, todo));
        }
    };
    let hidden = match done.hidden {
        0 => String::new(),
        some => format!(", {}", count(some, "contrôle caché", "contrôles cachés")),
    };
    let moved = count(done.moved, "note changée par le cours", "notes changées par le cours");
    let several = match done.several {
        0 => String::new(),
        some => format!(", dont {} plusieurs fois", count(some, "a rendu", "ont rendu")),
    };
    shell::say(&format!("{}{several}, {moved}{hidden}", count(done.students, "étudiant", "étudiants")));
    for line in &done.remarks {
        shell::complain(&inline(line));
    }
    shell::say(&format!("page de la classe : {}", inline(&dir.join("index.html").display().to_string())));
    Ok(())
}
