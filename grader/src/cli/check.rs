//! `check` and `replay`.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::args::{CheckArgs, Global, ReplayArgs};
use super::output::Output;
use super::{places, shell, student};
use crate::engine::Engine;
use crate::error::ExitCode;
use crate::reporter::replay as journal;
use crate::run::{RunOptions, run};

/// `grader check`
pub async fn check(args: &CheckArgs, global: &Global) -> ExitCode {
    let labs = match places::labs() {
        Ok(labs) => labs,
        Err(e) => return shell::fault(&e),
    };
    let dir = global.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let Some(id) = args.lab.clone().or_else(|| guess_lab(&labs, &dir)).or_else(|| student::lab_of(&dir))
    else {
        shell::complain(
            "erreur · quel TP faut-il corriger ?\n  à faire  grader check 02 -C mon-dossier (grader list montre les TP)",
        );
        return ExitCode::Usage;
    };
    let lab = match places::lab(&labs, &id) {
        Ok(lab) => lab,
        Err(code) => return code,
    };
    if let Some(only) = &args.only
        && let Err(code) = places::check(&lab, only)
    {
        return code;
    }
    if !dir.is_dir() {
        shell::complain(&format!(
            "erreur · le dossier « {} » n'existe pas\n  à faire  vérifiez le chemin donné à -C",
            dir.display()
        ));
        return ExitCode::Usage;
    }
    let output = match Output::open(global, args.explain) {
        Ok(output) => output,
        Err(e) => {
            shell::complain(&format!("erreur · {e}"));
            return ExitCode::Usage;
        }
    };
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(e) => return shell::fault(&e),
    };
    let options = RunOptions {
        label: dir.display().to_string(),
        dir,
        images: args.images.into(),
        recipes: labs.join("images"),
        only: args.only.clone(),
        real_time: args.real_time,
        timeout: global.timeout,
    };
    run(&engine, &lab, &options, shell::interrupted(), &|event| output.event(event)).await;
    let report = output.finish();
    student::note(&lab, &options.dir, args.only.is_some(), &report);
    let code = report.exit();
    if global.exit_zero && matches!(code, ExitCode::Failed | ExitCode::Refused) {
        ExitCode::Passed
    } else {
        code
    }
}

/// A folder inside a lab's own folder (`labs/02-…/solution`) names its lab.
fn guess_lab(labs: &Path, dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let labs = labs.canonicalize().ok()?;
    let inside = dir.strip_prefix(&labs).ok()?;
    Some(inside.components().next()?.as_os_str().to_string_lossy().into_owned())
}

/// `grader replay`
pub fn replay(args: &ReplayArgs, global: &Global) -> ExitCode {
    let events = std::fs::File::open(&args.file)
        .map_err(journal::ReplayError::from)
        .and_then(|file| journal::read(BufReader::new(file)));
    let events = match events {
        Ok(events) => events,
        Err(e) => {
            shell::complain(&format!("erreur · {} : {e}", args.file.display()));
            return ExitCode::Usage;
        }
    };
    match Output::open(global, true) {
        Ok(output) => {
            for event in events {
                output.event(event);
            }
            output.finish().exit()
        }
        Err(e) => {
            shell::complain(&format!("erreur · {e}"));
            ExitCode::Usage
        }
    }
}
