//! `check`, `replay` and `policy`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use super::args::{CheckArgs, Global, PolicyArgs, ReplayArgs};
use super::output::Output;
use super::{places, shell, student};
use crate::compose::{self, ComposeTool, ConfigError};
use crate::engine::Engine;
use crate::error::{ExitCode, Fault, FaultKind};
use crate::event::{Event, FORMAT, Inventory, Problem, Refusal, RunFinished, RunStarted};
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

/// What the policy says of a project.
enum Opinion {
    Invalid(Vec<Problem>),
    Refused(Vec<Refusal>),
    Accepted(serde_json::Value),
}

/// `grader policy`: the decision and the model that would run, nothing started.
pub async fn policy(args: &PolicyArgs, global: &Global) -> ExitCode {
    let opinion = match opinion(&args.dir).await {
        Ok(opinion) => opinion,
        Err(e) => return shell::fault(&e),
    };
    let (invalid, refused) = match opinion {
        Opinion::Accepted(model) => {
            shell::say(&serde_json::to_string_pretty(&model).unwrap_or_default());
            return ExitCode::Passed;
        }
        Opinion::Invalid(problems) => (problems, Vec::new()),
        Opinion::Refused(refusals) => (Vec::new(), refusals),
    };
    let output = match Output::open(global, true) {
        Ok(output) => output,
        Err(e) => {
            shell::complain(&format!("erreur · {e}"));
            return ExitCode::Usage;
        }
    };
    output.event(Event::RunStarted(RunStarted {
        format: FORMAT,
        run: "00000000".to_owned(),
        grader: env!("CARGO_PKG_VERSION").to_owned(),
        at: jiff::Timestamp::now().to_string(),
        lab: "--".to_owned(),
        lab_title: "avis de la politique, rien n'est démarré".to_owned(),
        submission: args.dir.display().to_string(),
        budget_ms: None,
        checks: Vec::new(),
    }));
    if refused.is_empty() {
        output.event(Event::Invalid(invalid));
    } else {
        output.event(Event::Refused(refused));
    }
    output.event(Event::Cleaned(Inventory::default()));
    output.event(Event::RunFinished(RunFinished { elapsed_ms: 0 }));
    output.finish().exit()
}

async fn opinion(dir: &Path) -> Result<Opinion, Fault> {
    let temp = tempfile::tempdir().map_err(|e| {
        Fault::new(FaultKind::Disk, "pas de dossier temporaire", "vérifiez la place sur le disque").detail(e)
    })?;
    let staged = match compose::stage(dir, temp.path(), &compose::Limits::default()) {
        Ok(staged) => staged,
        Err(problems) => return Ok(Opinion::Invalid(problems)),
    };
    let tool = ComposeTool::find()?;
    let model = match compose::canonical(&staged, &tool).await {
        Ok(model) => model,
        Err(ConfigError::Student(problems)) => return Ok(Opinion::Invalid(problems)),
        Err(ConfigError::Refused(refusals)) => return Ok(Opinion::Refused(refusals)),
        Err(ConfigError::Machine(fault)) => return Err(fault),
    };
    Ok(match compose::approve(model) {
        Err(refusals) => Opinion::Refused(refusals),
        Ok(approved) => {
            let plan = compose::Plan { images: BTreeMap::new(), ..compose::Plan::default() };
            Opinion::Accepted(compose::sandbox(&approved, &plan).file().clone())
        }
    })
}
