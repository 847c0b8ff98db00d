//! `batch`: a class.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;

use super::args::{Global, ImageArgs};
use super::progress::many::Many;
use super::{places, shell};
use crate::batch::{self, Jobs, Part, Roster, Setup, Total};
use crate::course::{self, Course};
use crate::engine::{self, Engine};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::french;
use crate::report::class::{Fate, Stats};
use crate::reporter::clean::inline;
use crate::reporter::html::Theme;

/// Longest class list, bytes.
const LIST: u64 = 8 << 20;

const EXIT_CODES: &str = "\
Codes de sortie :
  0  chaque copie a un verdict ferme, quelle que soit sa note
  2  mauvais usage, liste ou journal inutilisable
  4  une copie reste « non notée », ou la machine a fait défaut : relancez avec --resume
  130 interrompu et nettoyé : relancez avec --resume";

/// `batch`
#[derive(Clone, Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct BatchArgs {
    /// Le TP, par exemple 02
    #[arg(value_name = "TP")]
    pub lab: String,
    /// Le dossier qui contient un dossier par étudiant
    #[arg(value_name = "DOSSIER")]
    pub copies: PathBuf,
    /// La liste de la classe (CSV) ; la colonne qui désigne le mieux les dossiers est trouvée seule
    #[arg(long, value_name = "FICHIER")]
    pub roster: Option<PathBuf>,
    /// La politique du cours (TOML) : dates, retards, contrôles cachés, ajustements, bonus
    #[arg(long, value_name = "FICHIER")]
    pub course: Option<PathBuf>,
    /// Corrections menées de front : un nombre, ou auto
    #[arg(long, value_parser = jobs, default_value = "auto", value_name = "N")]
    pub jobs: Jobs,
    /// Ne corrige qu'une part de la classe, par exemple 2/5 ; « grader merge » réunit les parts
    #[arg(long, value_parser = Part::shard, value_name = "I/N")]
    pub shard: Option<Part>,
    /// Reprend une correction interrompue : rien de ce qui est noté n'est refait
    #[arg(long)]
    pub resume: bool,
    /// Dossier des résultats (DOSSIER-resultats par défaut)
    #[arg(long, value_name = "DOSSIER")]
    pub into: Option<PathBuf>,
    /// Dossier de vos modèles de page : report.html, class.html, report.css, class.css
    #[arg(long, value_name = "DOSSIER")]
    pub templates: Option<PathBuf>,
    /// Mesure les durées telles quelles, sans les diviser (plus long)
    #[arg(long)]
    pub real_time: bool,
    #[command(flatten)]
    pub images: ImageArgs,
}

fn jobs(text: &str) -> Result<Jobs, String> {
    match text.parse() {
        Ok(n @ 1..=64) => Ok(Jobs::Fixed(n)),
        Ok(_) => Err("de 1 à 64".to_owned()),
        Err(_) if text == "auto" => Ok(Jobs::Auto),
        Err(_) => Err("un nombre, ou auto".to_owned()),
    }
}

/// `grader batch`
pub async fn batch(args: &BatchArgs, global: &Global) -> ExitCode {
    match grade(args, global, Shown::Page).await {
        Ok((code, _)) => code,
        Err(e) => shell::fault(&e),
    }
}

/// What is said of the results of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Where the page of the class is.
    Page,
    /// Nothing: they are only for us.
    Nothing,
}

/// Grades a class; gives the folder of the results, when they were written.
pub async fn grade(
    args: &BatchArgs,
    global: &Global,
    shown: Shown,
) -> Result<(ExitCode, Option<PathBuf>), Fault> {
    let labs = places::labs()?;
    let lab = match places::lab(&labs, &args.lab) {
        Ok(lab) => lab,
        Err(code) => return Ok((code, None)),
    };
    let within = |path: &Path| global.dir.as_deref().unwrap_or(Path::new("")).join(path);
    let copies = within(&args.copies);
    let out = args.into.as_deref().map_or_else(|| beside(&copies), within);
    let usage = |what: String, e: &dyn std::fmt::Display| {
        Fault::new(FaultKind::Lab, what, "vérifiez ce que vous donnez à la commande").detail(e)
    };
    if !copies.is_dir() {
        return Err(usage(format!("le dossier « {} » n'existe pas", copies.display()), &""));
    }
    let roster = args.roster.as_deref().map(|file| read_roster(&within(file))).transpose()?;
    let course = args.course.as_deref().map(|file| read_course(&within(file))).transpose()?;
    let theme = theme(args.templates.as_deref().map(within).as_deref())?;
    let engine = Engine::connect().await?;
    engine::clean(&engine, false).await?;
    let progress = Many::stderr(global.progress.into(), std::io::stderr().is_terminal());
    let progress = Arc::new(Mutex::new(progress));
    let teller = Arc::clone(&progress);
    let setup = Setup {
        engine: engine.clone(),
        lab,
        copies,
        out: out.clone(),
        roster,
        course,
        part: args.shard.clone().unwrap_or_default(),
        resume: args.resume,
        jobs: args.jobs,
        images: args.images.into(),
        recipes: labs.join("images"),
        real_time: args.real_time,
        timeout: global.timeout,
        theme,
    };
    let began = Instant::now();
    let tell = move |told: batch::Told<'_>| teller.lock().unwrap_or_else(PoisonError::into_inner).told(&told);
    let ended = batch::batch(Arc::new(setup), shell::interrupted(), Arc::new(tell)).await;
    progress.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let total = ended?;
    say(&total, (shown == Shown::Page).then_some(out.as_path()), began.elapsed());
    let left = engine::inventory(&engine).await?;
    shell::say(&format!("reste (corrections en cours comprises) : {}", shell::inventory(&left)));
    Ok((code(&total, global.exit_zero), Some(out)))
}

/// The folder of the results when none is given.
fn beside(copies: &Path) -> PathBuf {
    let name =
        copies.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let name = format!("{}-resultats", name.as_deref().unwrap_or("copies"));
    match copies.file_name() {
        Some(_) => copies.with_file_name(name),
        // `.` or `..`: beside it, not in it.
        None => copies.join("..").join(name),
    }
}

/// The templates of the pages.
pub fn theme(dir: Option<&Path>) -> Result<Theme, Fault> {
    let Some(dir) = dir else { return Ok(Theme::default()) };
    Theme::from_dir(dir).map_err(|e| {
        let what = format!("vos modèles de « {} » ne se lisent pas", dir.display());
        Fault::new(FaultKind::Lab, what, "vérifiez ce que vous donnez à la commande").detail(e)
    })
}

/// The file of the course.
pub fn read_course(file: &Path) -> Result<Course, Fault> {
    let todo = "corrigez le fichier du cours ; docs/CLASSE.md en décrit les clés";
    let text = std::fs::read_to_string(file).map_err(|e| {
        let what = format!("le fichier du cours « {} » ne se lit pas", file.display());
        Fault::new(FaultKind::Lab, what, "donnez un fichier TOML en UTF-8").detail(e)
    })?;
    course::parse(&file.display().to_string(), &text)
        .map_err(|e| Fault::new(FaultKind::Lab, e.to_string(), todo))
}

fn read_roster(file: &Path) -> Result<Roster, Fault> {
    let unusable = |e: &dyn std::fmt::Display| {
        let what = format!("la liste « {} » ne se lit pas", file.display());
        Fault::new(FaultKind::Lab, what, "donnez un fichier CSV avec une ligne de titres").detail(e)
    };
    let size = std::fs::metadata(file).map_err(|e| unusable(&e))?.len();
    if size > LIST {
        return Err(unusable(&"plus de 8 Mio"));
    }
    Roster::read(&std::fs::read(file).map_err(|e| unusable(&e))?).map_err(|e| unusable(&e))
}

fn say(total: &Total, out: Option<&Path>, took: Duration) {
    let took = french::duration(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    if let Some(stats) = &total.stats {
        shell::say(&format!("{}, en {took}", counts(stats)));
    }
    if let Some(out) = out {
        let page = out.join("index.html").display().to_string();
        shell::say(&format!("page de la classe : {}", inline(&page)));
    }
    if total.interrupted {
        shell::complain("interrompu à votre demande ; --resume reprend où la correction s'est arrêtée");
    }
    if let Some(fault) = &total.fault {
        shell::fault(fault);
        shell::complain("ce qui est noté est gardé ; --resume reprend où la correction s'est arrêtée");
    }
}

/// « 28 notés (moyenne 14,5 sur 20), 1 refusé ».
pub fn counts(stats: &Stats) -> String {
    let told = |fate: Fate, one: &str, many: &str| {
        let count = stats.count(fate);
        (count > 0).then(|| french::count(count, one, many))
    };
    let mean = stats.mean.map_or_else(String::new, |m| format!(" (moyenne {} sur 20)", french::mark(m)));
    let parts: Vec<String> = [
        told(Fate::Graded, "noté", "notés").map(|text| text + &mean),
        told(Fate::Provisional, "note provisoire", "notes provisoires"),
        told(Fate::Refused, "refusé", "refusés"),
        told(Fate::Invalid, "invalide", "invalides"),
        told(Fate::NotGraded, "non noté", "non notés"),
        told(Fate::Missing, "non rendu", "non rendus"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "aucune copie".to_owned() } else { parts.join(", ") }
}

/// 0 when every submission has a firm verdict, whatever the notes.
fn code(total: &Total, exit_zero: bool) -> ExitCode {
    if total.interrupted {
        return ExitCode::Interrupted;
    }
    if let Some(fault) = &total.fault {
        return fault.exit_code();
    }
    let doubtful = total.stats.as_ref().map_or(0, |s| s.count(Fate::NotGraded) + s.count(Fate::Provisional));
    if doubtful > 0 && !exit_zero { ExitCode::Environment } else { ExitCode::Passed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_never_among_the_submissions() {
        assert_eq!(beside(Path::new("/nowhere/copies")), Path::new("/nowhere/copies-resultats"));
        assert!(beside(Path::new(".")).starts_with("./.."));
        assert_eq!(jobs("3"), Ok(Jobs::Fixed(3)));
        assert_eq!(jobs("auto"), Ok(Jobs::Auto));
        assert!(jobs("0").is_err() && jobs("trois").is_err());
    }
}
