//! `init` and `reset`: the starter of a lab, in a folder of the student's, nothing lost.

use std::io;
use std::path::{Path, PathBuf};

use super::classroom::{Course, Platform, template};
use super::progress::{FOLDER, Journal};
use crate::cli::args::{InitArgs, ResetArgs};
use crate::cli::{places, shell, starter};
use crate::error::ExitCode;
use crate::lab::Lab;

/// `grader init`
pub fn init(args: &InitArgs, dir: Option<&Path>) -> ExitCode {
    let lab = match places::find_lab(&args.lab) {
        Ok(lab) => lab,
        Err(code) => return code,
    };
    let here = dir.unwrap_or(Path::new("."));
    let name = args.folder.clone().unwrap_or_else(|| PathBuf::from(format!("tp-{}", lab.id)));
    let folder = dir.map_or_else(|| name.clone(), |dir| dir.join(&name));
    if !is_free(&folder) {
        shell::complain(&format!(
            "erreur · le dossier « {} » existe déjà et n'est pas vide : rien n'a été touché\n  à faire  choisissez un autre \
             dossier (grader init {} AUTRE), ou repartez de zéro en gardant une sauvegarde : grader reset {} -C {}",
            folder.display(),
            lab.id,
            lab.id,
            folder.display()
        ));
        return ExitCode::Usage;
    }
    if let Some(platform) = args.classroom {
        return model(&lab, &folder, args.course.as_deref(), platform);
    }
    match begin(&lab, &folder, here) {
        Ok(()) => {
            shell::say(&format!("TP {} · {} : prêt dans « {} »", lab.id, lab.title, folder.display()));
            shell::say(&format!("  énoncé   grader open {}", lab.id));
            shell::say(&format!("  ensuite  cd {} && grader check {}", folder.display(), lab.id));
            ExitCode::Passed
        }
        Err(e) => trouble(&folder, &e),
    }
}

/// `grader init --classroom`
fn model(lab: &Lab, folder: &Path, course: Option<&str>, platform: Platform) -> ExitCode {
    let course = match Course::new(course) {
        Ok(course) => course,
        Err(e) => {
            shell::complain(&format!("erreur · {e}"));
            return ExitCode::Usage;
        }
    };
    let made =
        starter::lay(lab, folder, starter::ticket()).and_then(|()| template(lab, folder, &course, platform));
    match made {
        Ok(next) => {
            shell::say(&format!(
                "TP {} · {} : dépôt modèle prêt dans « {} »",
                lab.id,
                lab.title,
                folder.display()
            ));
            if lab.draw.is_some() {
                shell::say("  tirage   le même pour tous les dépôts faits de ce modèle");
            }
            shell::say(&format!("  ensuite  {next}"));
            ExitCode::Passed
        }
        Err(e) => trouble(folder, &e),
    }
}

/// `grader reset`
pub fn reset(args: &ResetArgs, dir: Option<&Path>) -> ExitCode {
    let lab = match places::find_lab(&args.lab) {
        Ok(lab) => lab,
        Err(code) => return code,
    };
    let known = Journal::find(dir.unwrap_or(Path::new("."))).ok().flatten();
    let folder = dir.map(Path::to_path_buf).or_else(|| {
        let journal = known.as_ref()?;
        Some(journal.root().join(journal.lab(&lab.id)?.folder.as_ref()?))
    });
    let Some(folder) = folder.filter(|f| f.is_dir()) else {
        shell::complain(&format!(
            "erreur · quel dossier faut-il remettre à zéro ?\n  à faire  grader reset {} -C votre-dossier",
            lab.id
        ));
        return ExitCode::Usage;
    };
    let at = jiff::Zoned::now().strftime("%Y-%m-%d-%Hh%M-%S").to_string();
    let home = known.as_ref().map_or_else(|| folder.clone(), |j| j.root().to_path_buf());
    // Beginning again is with the same draw.
    let ticket = known
        .as_ref()
        .and_then(|journal| journal.ticket(&lab.id))
        .or_else(|| starter::held(&lab, &folder))
        .unwrap_or_else(starter::ticket);
    let backup = home.join(FOLDER).join("sauvegardes").join(format!("tp-{}-{at}", lab.id));
    let work = || {
        std::fs::create_dir_all(&backup)?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name() != FOLDER {
                std::fs::rename(entry.path(), backup.join(entry.file_name()))?;
            }
        }
        starter::lay(&lab, &folder, ticket)
    };
    match work() {
        Ok(()) => {
            shell::say(&format!("TP {} : « {} » est remis à son départ", lab.id, folder.display()));
            shell::say(&format!("  votre travail est gardé dans {}", backup.display()));
            ExitCode::Passed
        }
        Err(e) => trouble(&folder, &e),
    }
}

fn trouble(folder: &Path, error: &io::Error) -> ExitCode {
    shell::complain(&format!(
        "erreur · « {} » n'a pas pu être préparé ({error})\n  à faire  vérifiez les droits et la place sur le disque",
        folder.display()
    ));
    ExitCode::Environment
}

/// True for a folder that is not there, or holds nothing but what is ours.
fn is_free(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.all(|e| e.is_ok_and(|e| e.file_name() == FOLDER)),
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

fn begin(lab: &Lab, folder: &Path, here: &Path) -> io::Result<()> {
    let mut journal = Journal::open(here)?;
    let ticket = journal.ticket(&lab.id).unwrap_or_else(starter::ticket);
    starter::lay(lab, folder, ticket)?;
    let whole = folder.canonicalize()?;
    let relative = whole.strip_prefix(journal.root()).unwrap_or(&whole).to_string_lossy().into_owned();
    let record = journal.lab_mut(&lab.id);
    record.folder = Some(relative);
    record.draw = lab.draw.as_ref().map(|_| ticket.told(&lab.id));
    journal.save()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_not_free() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(is_free(dir.path()));
        assert!(is_free(&dir.path().join("absent")));
        std::fs::create_dir(dir.path().join(FOLDER)).expect("folder");
        assert!(is_free(dir.path()));
        std::fs::write(dir.path().join("notes.txt"), "à moi").expect("written");
        assert!(!is_free(dir.path()));
    }
}
