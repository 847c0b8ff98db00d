//! `check` and `replay`.

use std::cell::Cell;
use std::io::BufReader;

use super::args::{CheckArgs, Format, Global, ReplayArgs};
use super::output::Output;
use super::{places, shell, student};
use crate::engine::Engine;
use crate::error::ExitCode;
use crate::event::Event;
use crate::report::Report;
use crate::reporter::replay as journal;
use crate::run::{RunOptions, run_and_keep};

/// `grader check`
pub async fn check(args: &CheckArgs, global: &Global) -> ExitCode {
    let subject = places::subject("check", args.lab.as_deref(), global.dir.as_deref());
    let places::Subject { labs, lab, dir } = match subject {
        Ok(subject) => subject,
        Err(code) => return code,
    };
    if let Some(only) = &args.only
        && let Err(code) = places::check(&lab, only)
    {
        return code;
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
        Err(e) if global.format == Format::Human => return shell::fault(&e),
        Err(e) => {
            // Whoever reads a document finds the reason in it.
            output.event(Event::Faulted(e));
            return output.finish().exit();
        }
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
    let note = |report: &Report| student::note(&lab, &options.dir, args.only.is_some(), report);
    let noted = Cell::new(false);
    let released = args.keep.then_some(async {
        // The verdicts are there: looking around may last.
        note(&output.so_far());
        noted.set(true);
        shell::released().await;
    });
    let sink = |event| output.event(event);
    run_and_keep(&engine, &lab, &options, shell::interrupted(), released, &sink).await;
    let report = output.finish();
    if !noted.get() {
        note(&report);
    }
    let code = report.exit();
    if global.exit_zero && matches!(code, ExitCode::Failed | ExitCode::Refused) {
        ExitCode::Passed
    } else {
        code
    }
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
