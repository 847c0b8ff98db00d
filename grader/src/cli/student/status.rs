//! `status`: where a student stands, lab by lab.

use std::path::Path;

use unicode_width::UnicodeWidthStr;

use super::progress::{Journal, Record};
use crate::cli::{places, shell};
use crate::error::ExitCode;
use crate::french;
use crate::lab::{self, Lab};

/// Widest column of titles: with it a line has 80 columns.
const TITLE: usize = 53;

/// `grader status`
pub fn status(dir: Option<&Path>) -> ExitCode {
    let labs = match places::labs() {
        Ok(labs) => labs,
        Err(e) => return shell::fault(&e),
    };
    let journal = match Journal::find(dir.unwrap_or(Path::new("."))) {
        Ok(Some(journal)) => journal,
        Ok(None) => {
            shell::say("Aucun TP commencé ici.\n  ensuite  grader init 01");
            return ExitCode::Passed;
        }
        Err(e) => {
            shell::complain(&format!(
                "erreur · votre progression (.grader/progress.json) ne se lit pas ({e}) : elle est laissée telle quelle\n  \
                 à faire  renommez ce fichier pour repartir d'une progression vide"
            ));
            return ExitCode::Usage;
        }
    };
    let labs: Vec<Lab> = lab::list(&labs).iter().filter_map(|dir| places::lab_in(&labs, dir).ok()).collect();
    let column = labs.iter().map(|lab| lab.title.width()).max().unwrap_or(0).min(TITLE);
    // What is begun comes first.
    let (mut next, mut fresh) = (None, None);
    for lab in &labs {
        let record = journal.lab(&lab.id);
        shell::say(&lines(&lab.id, &lab.title, column, lab.checks.len(), record));
        let whole = record.and_then(|r| r.best.as_ref()).is_some_and(|m| m.points >= m.total);
        if !whole {
            let slot = if record.is_some_and(|r| r.folder.is_some()) { &mut next } else { &mut fresh };
            let folder = record.and_then(|r| r.folder.as_deref()).map(|folder| journal.root().join(folder));
            slot.get_or_insert_with(|| advice(&lab.id, folder.as_deref()));
        }
    }
    match next.or(fresh) {
        Some(next) => shell::say(&format!("\n  ensuite  {next}")),
        None => shell::say("\nTous les TP sont acquis."),
    }
    ExitCode::Passed
}

/// Bare `grader`: what to do next.
pub fn next(dir: Option<&Path>) -> ExitCode {
    if let Ok(Some(_)) = Journal::find(dir.unwrap_or(Path::new("."))) {
        return status(dir);
    }
    shell::say(
        "TP Docker : des travaux pratiques, et un correcteur qui démarre votre pile pour de vrai.\n\n  \
         grader doctor          vérifie cette machine\n  \
         grader list            montre les TP\n  \
         grader init 01         commence le premier, dans tp-01\n  \
         grader check 01 -C …   corrige un dossier\n  \
         grader --help          montre tout le reste",
    );
    ExitCode::Passed
}

/// `02  Titre   14/20 au mieux`, then what the last attempt was: 80 columns at most.
fn lines(id: &str, title: &str, column: usize, checks: usize, record: Option<&Record>) -> String {
    let best = record.and_then(|record| Some((record, record.best.as_ref()?)));
    let state = match (record, best) {
        (None, _) => "pas commencé".to_owned(),
        (Some(_), None) => "commencé, non corrigé".to_owned(),
        (_, Some((_, best))) => {
            format!("{}/{} au mieux", french::number(best.points), french::number(best.total))
        }
    };
    let indent = " ".repeat(id.width() + 2);
    // A longer title has its line for itself.
    let head = match column.checked_sub(title.width()) {
        Some(room) => format!("{id}  {title}{}", " ".repeat(room)),
        None => format!("{id}  {title}\n{indent}{}", " ".repeat(column)),
    };
    let last = best.map_or_else(String::new, |(record, _)| {
        let hints: usize = record.hints.values().sum();
        let plural = |n: usize| french::agree(n as u64, "", "s");
        let attempts = usize::try_from(record.attempts).unwrap_or(usize::MAX);
        format!(
            "\n{indent}{} contrôle{} sur {checks} au dernier essai · {attempts} essai{} · {hints} indice{}",
            record.passed.len(),
            plural(record.passed.len()),
            plural(attempts),
            plural(hints),
        )
    });
    format!("{head}  {state}{last}")
}

/// A path as a shell takes it.
fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/\\:._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The command that goes on with a lab, as one would type it from here.
fn advice(id: &str, folder: Option<&Path>) -> String {
    let Some(folder) = folder else { return format!("grader init {id}") };
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (folder, here) = (whole(folder), whole(Path::new(".")));
    match folder.strip_prefix(&here) {
        Ok(inside) if inside.as_os_str().is_empty() => format!("grader check {id}"),
        Ok(inside) => format!("grader check {id} -C {}", typed(inside)),
        Err(_) => format!("grader check {id} -C {}", typed(&folder)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::progress::Mark;
    use super::*;

    #[test]
    fn each_state_has_its_words() {
        let line = |record: Option<&Record>| lines("01", "Réseaux", 20, 12, record);
        assert_eq!(line(None), "01  Réseaux               pas commencé");
        let mut record = Record { folder: Some("tp-01".into()), ..Record::default() };
        assert!(line(Some(&record)).ends_with("  commencé, non corrigé"));
        let mark = Mark { points: 14.5, total: 20.0, at: String::new() };
        record.note(mark, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        record.hints.insert("a".into(), 2);
        assert_eq!(
            line(Some(&record)),
            "01  Réseaux               14,5/20 au mieux\n    2 contrôles sur 12 au dernier essai · 1 essai · 2 indices"
        );
        for title in ["Court", &"é".repeat(TITLE), &"é".repeat(70)] {
            for record in [None, Some(&Record::default()), Some(&record)] {
                let told = lines("01", title, TITLE, 12, record);
                assert!(told.lines().all(|line| line.width() <= 80), "{told}");
            }
        }
        // Tests run in the folder of the crate.
        assert_eq!(advice("01", Some(Path::new("src"))), "grader check 01 -C src");
        assert_eq!(advice("01", Some(Path::new("."))), "grader check 01");
        assert_eq!(typed(Path::new("l'été 1/tp")), "'l'\\''été 1/tp'");
        assert_eq!(advice("02", None), "grader init 02");
    }
}
