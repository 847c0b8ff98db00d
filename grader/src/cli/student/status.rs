//! `status`: where a student stands, lab by lab.

use std::path::Path;

use super::progress::{Journal, Record};
use crate::cli::{places, shell};
use crate::error::ExitCode;
use crate::{french, lab};

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
    // What is begun comes first.
    let (mut next, mut fresh) = (None, None);
    for dir in lab::list(&labs) {
        let Ok(lab) = places::lab_in(&labs, &dir) else { continue };
        let record = journal.lab(&lab.id);
        shell::say(&line(&lab.id, &lab.title, lab.checks.len(), record));
        let whole = record.and_then(|r| r.best.as_ref()).is_some_and(|m| m.points >= m.total);
        if !whole {
            let slot = if record.is_some_and(|r| r.folder.is_some()) { &mut next } else { &mut fresh };
            slot.get_or_insert_with(|| advice(&lab.id, record));
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

/// `02  Titre   14/20 au mieux (16 contrôles sur 19 au dernier essai, 3 essais, 2 indices)`
fn line(id: &str, title: &str, checks: usize, record: Option<&Record>) -> String {
    let told = match record {
        None => "pas commencé".to_owned(),
        Some(record) => match &record.best {
            None => "commencé, pas encore corrigé".to_owned(),
            Some(best) => {
                let hints: usize = record.hints.values().sum();
                let plural = |n: usize| french::agree(n as u64, "", "s");
                let attempts = usize::try_from(record.attempts).unwrap_or(usize::MAX);
                format!(
                    "{}/{} au mieux · {} contrôle{} sur {checks} au dernier essai · {attempts} essai{} · {hints} indice{}",
                    french::number(best.points),
                    french::number(best.total),
                    record.passed.len(),
                    plural(record.passed.len()),
                    plural(attempts),
                    plural(hints),
                )
            }
        },
    };
    format!("{id}  {title:<46} {told}")
}

/// The command that goes on with a lab.
fn advice(id: &str, record: Option<&Record>) -> String {
    match record.and_then(|r| r.folder.as_deref()) {
        Some(folder) => format!("grader check {id} -C {folder}"),
        None => format!("grader init {id}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::progress::Mark;
    use super::*;

    #[test]
    fn each_state_has_its_words() {
        assert!(line("01", "Réseaux", 12, None).ends_with("pas commencé"));
        let mut record = Record { folder: Some("tp-01".into()), ..Record::default() };
        assert!(line("01", "Réseaux", 12, Some(&record)).ends_with("commencé, pas encore corrigé"));
        let mark = Mark { points: 14.5, total: 20.0, at: String::new() };
        record.note(mark, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        record.hints.insert("a".into(), 2);
        assert!(
            line("01", "Réseaux", 12, Some(&record))
                .ends_with("14,5/20 au mieux · 2 contrôles sur 12 au dernier essai · 1 essai · 2 indices")
        );
        assert_eq!(advice("01", Some(&record)), "grader check 01 -C tp-01");
        assert_eq!(advice("02", None), "grader init 02");
    }
}
