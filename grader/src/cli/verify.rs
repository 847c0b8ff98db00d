//! `verify`: whether the results of a class are those that were graded.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest, Sha256};

use super::args::{Global, ImageArgs};
use super::batch::{self, BatchArgs, Shown};
use super::{places, regrade, shell};
use crate::batch::{Jobs, Part, fingerprint, ruler};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::french::{self, count};
use crate::report::class::{Class, Diff, Submission, broken};
use crate::reporter::class::Gradebook;
use crate::reporter::clean::inline;

const AFTER: &str = "\
Un reçu montre qu'un résultat a été modifié après coup. Qui sait écrire un résultat sait aussi refaire un reçu : seul un rejeu
(--sample) montre que les verdicts sont bien ceux que donne la copie.

Codes de sortie :
  0  tout est intact, et le rejeu donne les mêmes verdicts
  1  quelque chose a été modifié, ou le rejeu donne un autre verdict
  2  mauvais usage, ou fichier illisible
  4  le rejeu n'a pas pu juger (machine, moteur)
  130 interrompu et nettoyé";

/// `verify`
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct VerifyArgs {
    /// class.json, ou le dossier que « grader batch » a écrit
    #[arg(value_name = "CLASSE")]
    pub class: PathBuf,
    /// Le dossier des copies : dit celles qui ont changé depuis
    #[arg(value_name = "DOSSIER")]
    pub copies: Option<PathBuf>,
    /// Corrige de nouveau N copies prises au hasard, et compare les verdicts
    #[arg(long, value_name = "N", requires = "copies")]
    pub sample: Option<usize>,
    /// Choisit les mêmes copies qu'un autre rejeu
    #[arg(long, value_name = "NOMBRE", requires = "sample")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub images: ImageArgs,
}

/// `grader verify`
pub async fn verify(args: &VerifyArgs, global: &Global) -> ExitCode {
    match check(args, global).await {
        Ok(code) => code,
        Err(e) => shell::fault(&e),
    }
}

async fn check(args: &VerifyArgs, global: &Global) -> Result<ExitCode, Fault> {
    let within = |path: &Path| global.dir.as_deref().unwrap_or(Path::new("")).join(path);
    let given = within(&args.class);
    let file = if given.is_dir() { given.join("class.json") } else { given };
    let class = read(&file)?;
    let copies = args.copies.as_deref().map(within);
    let mut wrong = receipts(&class);
    wrong.extend(gradebook(&class, &file));
    if let Some(copies) = &copies {
        wrong.extend(moved(&class, copies)?);
    }
    let receipts = class.submissions.iter().filter(|one| one.receipt.is_some()).count();
    shell::say(&count(receipts, "reçu lu", "reçus lus"));
    for line in conditions(&class).into_iter().chain(wrong.iter().cloned()) {
        shell::say(&french::typeset(&line));
    }
    if wrong.is_empty() {
        shell::say("rien n'a été modifié");
    }
    let replayed = match (args.sample, &copies) {
        (Some(wanted), Some(copies)) => replay(args, global, &class, copies, wanted).await?,
        _ => ExitCode::Passed,
    };
    Ok(if wrong.is_empty() || replayed == ExitCode::Interrupted { replayed } else { ExitCode::Failed })
}

fn read(file: &Path) -> Result<Class, Fault> {
    let unusable = |e: &dyn std::fmt::Display| {
        let what = format!("« {} » ne se lit pas", file.display());
        Fault::new(FaultKind::Lab, what, "donnez le class.json que « grader batch » a écrit").detail(e)
    };
    let opened = File::open(file).map_err(|e| unusable(&e))?;
    Class::read(BufReader::new(opened)).map_err(|e| unusable(&e))
}

/// What does not hold together, a line each.
fn receipts(class: &Class) -> Vec<String> {
    let told = |one: &Submission| {
        let name = inline(one.name());
        broken(one)
            .into_iter()
            .map(move |what| format!("  {name} : {}", inline(&what.to_string())))
            .collect::<Vec<_>>()
    };
    class.submissions.iter().flat_map(told).collect()
}

/// A gradebook that is beside must be the one that these results make.
fn gradebook(class: &Class, file: &Path) -> Option<String> {
    let there = std::fs::read(file.with_file_name("gradebook.csv")).ok()?;
    let made = || {
        let mut book = Gradebook::new(Vec::new(), &class.head)?;
        class.submissions.iter().try_for_each(|one| book.push(one))?;
        book.finish()
    };
    let same = made().is_ok_and(|made| made == there);
    (!same).then(|| "  gradebook.csv n'est pas celui que donnent ces résultats (modifié, ou enregistré par un tableur)".to_owned())
}

/// Submissions that are not what was graded.
fn moved(class: &Class, copies: &Path) -> Result<Vec<String>, Fault> {
    if !copies.is_dir() {
        let what = format!("le dossier « {} » n'existe pas", copies.display());
        return Err(Fault::new(
            FaultKind::Lab,
            what,
            "donnez le dossier qui contient un dossier par étudiant",
        ));
    }
    let told = |one: &Submission| {
        let receipt = one.receipt.as_ref()?;
        let dir = place(copies, one)?;
        let why = if !dir.is_dir() {
            "la copie n'est plus là"
        } else if fingerprint(&dir) != receipt.content {
            "la copie a changé depuis sa correction"
        } else {
            return None;
        };
        Some(format!("  {} : {why}", inline(one.name())))
    };
    Ok(class.submissions.iter().filter_map(told).collect())
}

/// The folder of a submission, which a file may not place elsewhere.
fn place(copies: &Path, one: &Submission) -> Option<PathBuf> {
    let plain = !one.folder.is_empty()
        && !one.folder.contains(['/', '\\'])
        && !matches!(one.folder.as_str(), "." | "..");
    plain.then(|| copies.join(&one.folder))
}

/// With what these results were made, and whether it is what is here.
fn conditions(class: &Class) -> Vec<String> {
    let short = |sum: &str| sum.chars().take(12).collect::<String>();
    let rulers: BTreeSet<(String, String, String)> = class
        .submissions
        .iter()
        .filter_map(|one| one.receipt.as_ref())
        .map(|r| (r.ruler.grader.clone(), r.ruler.binary.clone(), r.ruler.lab.clone()))
        .collect();
    let here = places::labs().ok().and_then(|labs| crate::lab::load(&labs, &class.head.lab).ok());
    let here = here.and_then(|lab| ruler(&lab).ok());
    let mut lines = Vec::new();
    for (grader, binary, lab) in &rulers {
        lines.push(format!(
            "corrigé par grader {} ({}), TP {} ({})",
            inline(grader),
            short(binary),
            inline(&class.head.lab),
            short(lab)
        ));
        if let Some(here) = &here {
            if *lab != here.lab {
                lines.push("  le TP d'ici est un autre : un rejeu peut donner d'autres verdicts".to_owned());
            }
            if *binary != here.binary {
                lines.push(
                    "  le correcteur d'ici est un autre : un rejeu peut donner d'autres verdicts".to_owned(),
                );
            }
        }
    }
    if rulers.len() > 1 {
        lines.push(format!("attention · {} règles différentes ont servi pour cette classe", rulers.len()));
    }
    lines
}

/// Grades some again, and compares.
async fn replay(
    args: &VerifyArgs,
    global: &Global,
    class: &Class,
    copies: &Path,
    wanted: usize,
) -> Result<ExitCode, Fault> {
    let seed = args.seed.unwrap_or_else(rand::random);
    let keys = drawn(class, copies, wanted, seed);
    let replayed = class.submissions.iter().filter(|one| keys.contains(&one.key));
    let names = replayed.map(|one| inline(one.name())).collect::<Vec<_>>();
    shell::say(&format!(
        "rejeu de {} (--seed {seed}) : {}",
        count(keys.len(), "copie", "copies"),
        names.join(", ")
    ));
    if keys.is_empty() {
        return Ok(ExitCode::Passed);
    }
    let temp = |e| {
        Fault::new(FaultKind::Disk, "le dossier temporaire ne s'écrit pas", "libérez de la place").detail(e)
    };
    let out = tempfile::tempdir().map_err(temp)?;
    let batch = BatchArgs {
        lab: class.head.lab.clone(),
        copies: copies.to_owned(),
        roster: None,
        course: None,
        jobs: Jobs::Auto,
        shard: Some(Part::Keys(keys.clone())),
        resume: false,
        into: Some(out.path().to_owned()),
        templates: None,
        real_time: false,
        images: args.images,
    };
    // Paths are whole already.
    let global = Global { dir: None, exit_zero: false, ..global.clone() };
    let (code, done) = batch::grade(&batch, &global, Shown::Nothing).await?;
    if done.is_none() || matches!(code, ExitCode::Interrupted | ExitCode::Usage) {
        return Ok(code);
    }
    let only = |class: &Class| Class {
        head: class.head.clone(),
        submissions: class.submissions.iter().filter(|one| keys.contains(&one.key)).cloned().collect(),
    };
    let (before, after) = (only(class), only(&read(&out.path().join("class.json"))?));
    let diff = Diff::of(&before, &after);
    for line in regrade::told(&before, &after, &diff) {
        shell::say(&line);
    }
    let settled = after.submissions.iter().all(|one| one.result.standing.is_settled());
    Ok(match (settled, diff.changes.is_empty()) {
        (false, _) => ExitCode::Environment,
        (true, true) => ExitCode::Passed,
        (true, false) => ExitCode::Failed,
    })
}

/// Some of those who have a verdict and a folder, the same for a seed.
fn drawn(class: &Class, copies: &Path, wanted: usize, seed: u64) -> BTreeSet<String> {
    let there = |one: &&Submission| {
        one.graded_as.is_empty()
            && one.attempts > 0
            && one.result.standing.is_settled()
            && place(copies, one).is_some_and(|dir| dir.is_dir())
    };
    let mut all: Vec<&str> = class.submissions.iter().filter(there).map(|one| one.key.as_str()).collect();
    all.sort_by_cached_key(|key| Sha256::digest(format!("{seed} {key}")).to_vec());
    all.into_iter().take(wanted).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::class::{Receipt, Ruler, sample};

    #[test]
    fn what_was_edited_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let copies = dir.path().join("copies");
        let mut class = sample::class();
        for one in &mut class.submissions {
            let Some(report) = &one.report else { continue };
            let folder = copies.join(&one.folder);
            std::fs::create_dir_all(&folder).expect("made");
            std::fs::write(folder.join("compose.yaml"), "services: {}\n").expect("written");
            one.receipt = Some(Receipt::of(&Ruler::default(), &fingerprint(&folder), None, report));
        }
        let file = dir.path().join("class.json");
        assert_eq!(receipts(&class), Vec::<String>::new());
        assert_eq!(moved(&class, &copies).expect("read"), Vec::<String>::new());
        assert_eq!(gradebook(&class, &file), None, "there is none");
        std::fs::write(file.with_file_name("gradebook.csv"), "nom;note\r\n").expect("written");
        assert!(gradebook(&class, &file).is_some());
        std::fs::write(copies.join("etu1/compose.yaml"), "services: {a: {}}\n").expect("written");
        class.submissions[1].result.checks[0].earned = 0.0;
        assert_eq!(
            moved(&class, &copies).expect("read"),
            ["  etu1 : la copie a changé depuis sa correction"]
        );
        assert_eq!(receipts(&class).len(), 1);
        class.submissions[0].folder = "../etu1".to_owned();
        assert_eq!(place(&copies, &class.submissions[0]), None);
        assert_eq!(drawn(&class, &copies, 5, 1).into_iter().collect::<Vec<_>>(), ["etu1"]);
    }
}
