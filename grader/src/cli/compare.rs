//! `compare`: submissions of a class that look alike.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::args::{Format, Global};
use super::{export, places, shell};
use crate::batch::list;
use crate::compare::{self, Comparison, Work};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::french;
use crate::reporter::clean::inline;

/// Pairs told on the screen.
const TOLD: usize = 15;

const AFTER: &str = "\
Une ressemblance est une raison de regarder, jamais un verdict.

Codes de sortie :
  0  la comparaison est faite, quoi qu'elle trouve
  2  mauvais usage, ou dossier illisible
  4  la page ne s'écrit pas";

/// `compare`
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct CompareArgs {
    /// Le dossier qui contient un dossier par étudiant
    #[arg(value_name = "DOSSIER")]
    pub copies: PathBuf,
    /// Le TP, par exemple 02 : son point de départ est retiré de la comparaison
    #[arg(long, value_name = "TP")]
    pub lab: Option<String>,
    /// La page à écrire
    #[arg(long, value_name = "FICHIER", default_value = "ressemblances.html")]
    pub into: PathBuf,
}

/// `grader compare`
pub fn compare(args: &CompareArgs, global: &Global) -> ExitCode {
    match run(args, global) {
        Ok(code) => code,
        Err(e) => shell::fault(&e),
    }
}

fn run(args: &CompareArgs, global: &Global) -> Result<ExitCode, Fault> {
    let within = |path: &Path| global.dir.as_deref().unwrap_or(Path::new("")).join(path);
    let lab = match &args.lab {
        None => None,
        Some(id) => match places::lab(&places::labs()?, id) {
            Ok(lab) => Some(lab),
            Err(code) => return Ok(code),
        },
    };
    let copies = within(&args.copies);
    let found = list(&copies, Path::new("")).map_err(|e| {
        let what = format!("le dossier « {} » ne se lit pas", copies.display());
        Fault::new(FaultKind::Lab, what, "donnez le dossier qui contient un dossier par étudiant").detail(e)
    })?;
    let except: Vec<&str> = lab.iter().filter_map(|lab| lab.answers.as_deref()).collect();
    let work = |folder: &crate::batch::Folder| Work {
        draw: lab.as_ref().and_then(|lab| lab.drawn_in(&folder.path)),
        ..compare::read(&folder.path, &folder.name, &except)
    };
    let all: Vec<Work> = found.folders.iter().map(work).collect();
    let starter =
        lab.as_ref().map(|lab| compare::read(&lab.dir.join("starter"), "", &[]).files).unwrap_or_default();
    let result = compare::compare(&all, &starter);
    let title = lab.as_ref().map_or_else(|| "la classe".to_owned(), |lab| format!("TP {}", lab.id));
    let drawing = |e| Fault::new(FaultKind::Bug, "la page ne se dessine pas", "signalez-le").detail(e);
    let page = compare::page(&title, &all, &result).map_err(drawing)?;
    let into = within(&args.into);
    export::replace(&into, page.as_bytes()).map_err(|e| {
        let what = format!("« {} » ne s'écrit pas", into.display());
        Fault::new(FaultKind::Disk, what, "vérifiez la place et les droits, ou donnez --into").detail(e)
    })?;
    if global.format == Format::Json {
        shell::say(&document(&all, &result));
    } else {
        for line in told(&all, &result) {
            shell::say(&french::typeset(&line));
        }
    }
    shell::complain(&format!("côte à côte : {}", inline(&into.display().to_string())));
    Ok(ExitCode::Passed)
}

fn told(all: &[Work], found: &Comparison) -> Vec<String> {
    let pairs = french::count(found.pairs.len(), "paire se ressemble", "paires se ressemblent");
    let mut lines =
        vec![format!("{} copies, {pairs} : une raison de regarder, jamais un verdict", all.len())];
    for pair in found.pairs.iter().take(TOLD) {
        let share = |part: f64| french::percent((part * 100.0).round());
        let draw = if pair.same_draw { " · même tirage" } else { "" };
        lines.push(format!(
            "  {} et {} : {} de la première chez la seconde, {} de la seconde chez la première{draw}",
            inline(&all[pair.a].name),
            inline(&all[pair.b].name),
            share(pair.of_a),
            share(pair.of_b)
        ));
    }
    if found.pairs.len() > TOLD {
        lines.push(format!("  et {} autres, dans la page", found.pairs.len() - TOLD));
    }
    if !found.little.is_empty() {
        let little = french::count(found.little.len(), "copie non comparée", "copies non comparées");
        lines.push(format!("  {little} : trop peu de travail propre"));
    }
    lines
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told<'a> {
    first: &'a str,
    second: &'a str,
    of_first: f64,
    of_second: f64,
    shared: usize,
    same_draw: bool,
}

/// The pairs, for a program.
fn document(all: &[Work], found: &Comparison) -> String {
    let pairs: Vec<Told<'_>> = found
        .pairs
        .iter()
        .map(|pair| Told {
            first: &all[pair.a].name,
            second: &all[pair.b].name,
            of_first: pair.of_a,
            of_second: pair.of_b,
            shared: pair.shared,
            same_draw: pair.same_draw,
        })
        .collect();
    let json = serde_json::to_string_pretty(&serde_json::json!({ "format": 1, "pairs": pairs }));
    crate::reporter::clean::json(&json.unwrap_or_default())
}
