//! `regrade`: a class again, and who changes.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Global;
use super::batch::{self, BatchArgs, Shown};
use super::shell;
use crate::error::{ExitCode, Fault, FaultKind};
use crate::french;
use crate::report::Standing;
use crate::report::class::{Cause, Change, Class, Diff, Side};
use crate::reporter::clean::inline;

/// `regrade`
#[derive(Clone, Debug, Args)]
pub struct RegradeArgs {
    #[command(flatten)]
    pub batch: BatchArgs,
    /// Les résultats d'avant (le dossier que « grader batch » a écrit)
    #[arg(long, value_name = "DOSSIER")]
    pub before: PathBuf,
}

/// `grader regrade`
pub async fn regrade(args: &RegradeArgs, global: &Global) -> ExitCode {
    match again(args, global).await {
        Ok(code) => code,
        Err(e) => shell::fault(&e),
    }
}

async fn again(args: &RegradeArgs, global: &Global) -> Result<ExitCode, Fault> {
    let within = |path: &Path| global.dir.as_deref().unwrap_or(Path::new("")).join(path);
    let old = within(&args.before);
    // Read before anything is graded: a wrong folder is told at once.
    let before = read(&old)?;
    let mut name = old.file_name().unwrap_or_default().to_os_string();
    name.push("-nouveaux");
    let into = args.batch.into.as_deref().map_or_else(|| old.with_file_name(name), within);
    let same = |a: &Path, b: &Path| a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    if same(&into, &old) {
        let todo = "donnez un autre dossier (--into) : les anciens résultats restent tels quels";
        return Err(Fault::new(FaultKind::Lab, "les nouveaux résultats iraient dans les anciens", todo));
    }
    let (code, out) =
        batch::grade(&BatchArgs { into: Some(into), ..args.batch.clone() }, global, Shown::Page).await?;
    let Some(out) = out else { return Ok(code) };
    let after = read(&out)?;
    for line in told(&before, &after, &Diff::of(&before, &after)) {
        shell::say(&line);
    }
    Ok(code)
}

fn read(dir: &Path) -> Result<Class, Fault> {
    let file = dir.join("class.json");
    let unusable = |e: &dyn std::fmt::Display| {
        let what = format!("« {} » ne se lit pas", file.display());
        Fault::new(FaultKind::Lab, what, "donnez le dossier que « grader batch » a écrit").detail(e)
    };
    let opened = File::open(&file).map_err(|e| unusable(&e))?;
    Class::read_rows(BufReader::new(opened)).map_err(|e| unusable(&e))
}

/// What changed, a line each.
pub(super) fn told(before: &Class, after: &Class, diff: &Diff) -> Vec<String> {
    let mut lines = vec![String::new()];
    if before.head.lab != after.head.lab {
        lines.push(format!("attention · les anciens résultats sont ceux du TP {}", inline(&before.head.lab)));
    }
    if (before.head.max - after.head.max).abs() > 1e-9 {
        let points = |class: &Class| french::number(class.head.max);
        lines.push(format!("le TP vaut {} points au lieu de {}", points(after), points(before)));
    }
    let changed = french::count(diff.changes.len(), "résultat change", "résultats changent");
    lines.push(format!("{changed}, {}", french::count(diff.same, "reste le même", "restent les mêmes")));
    for change in &diff.changes {
        lines.push(line(change));
        lines.extend(change.checks.iter().map(cause));
    }
    if !diff.checks.is_empty() {
        lines.push("par contrôle".to_owned());
    }
    for (id, gain, lose) in &diff.checks {
        lines.push(format!("    {:<28} {gain} y gagnent, {lose} y perdent", inline(id)));
    }
    lines.into_iter().map(|line| french::typeset(&line)).collect()
}

/// « martin : 14 → 17 (+3) ».
fn line(change: &Change) -> String {
    let side = |side: Option<Side>| match side {
        None => "absent".to_owned(),
        Some(Side { note: Some(note), .. }) => french::mark(note),
        Some(Side { standing, .. }) => standing.french().to_owned(),
    };
    let delta = change.delta().filter(|d| d.abs() > 1e-9).map_or_else(String::new, |d| {
        let sign = if d > 0.0 { "+" } else { "" };
        format!(" ({sign}{})", french::mark(d))
    });
    format!("  {} : {} → {}{delta}", inline(&change.name), side(change.before), side(change.after))
}

fn cause(cause: &Cause) -> String {
    let word = |standing| match standing {
        Standing::Passed => "acquis",
        Standing::Missed => "manqué",
        Standing::Blocked => "non vérifié",
        Standing::Ungraded => "non noté",
    };
    let side = |cell: &Option<crate::report::class::Cell>| {
        cell.as_ref().map_or("absent", |cell| word(cell.standing)).to_owned()
    };
    let gain = cause.gain();
    let sign = if gain > 0.0 { "+" } else { "" };
    let unit = if gain.abs() < 2.0 { "point" } else { "points" };
    let points =
        if gain.abs() > 1e-9 { format!(" ({sign}{} {unit})", french::number(gain)) } else { String::new() };
    format!("    {} : {} → {}{points}", inline(&cause.id), side(&cause.before), side(&cause.after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::class::sample;

    #[test]
    fn who_changes_and_why() {
        let (before, mut after) = (sample::class(), sample::class());
        let one = &mut after.submissions[1];
        one.result.checks[0].standing = Standing::Missed;
        one.result.checks[0].earned = 0.0;
        if let Some(score) = &mut one.result.score {
            score.note = 17.5;
        }
        one.folder = "zoé\u{1b}[2J".into();
        after.submissions.pop();
        let said = told(&before, &after, &Diff::of(&before, &after)).join("\n");
        assert!(said.contains("2\u{a0}résultats changent, 2\u{a0}restent les mêmes"), "{said}");
        assert!(said.contains("zoé␛[2J\u{a0}: 20 → 17,5 (−2,5)"), "{said}");
        assert!(said.contains("demarrage\u{a0}: acquis → manqué (−1 point)"), "{said}");
        assert!(said.contains("etu3\u{a0}: non rendu → absent"), "{said}");
    }
}
