//! The canonical model, from the official Compose run on the copy.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use super::consistency;
use super::gate;
use super::messages;
use super::model::ComposeModel;
use super::policy::Newer;
use super::stage::Staged;
use super::tool::{ComposeTool, Said, Stopped};
use super::typography;
use crate::error::{Fault, FaultKind};
use crate::event::{Problem, Refusal};

/// Why there is no canonical model.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigError {
    /// The student's files are wrong.
    Student(Vec<Problem>),
    /// The student's files ask for what is refused even before Compose reads them.
    Refused(Vec<Refusal>),
    /// The machine is.
    Machine(Fault),
}

/// Asks Compose for the canonical model: once with the active profiles (what runs), once with
/// all of them (what the policy judges).
pub async fn canonical(staged: &Staged, compose: &ComposeTool) -> Result<ComposeModel, ConfigError> {
    match ask(staged, compose).await {
        Ok(mut model) => {
            model.notices = typography::typeset_notices(model.notices);
            Ok(model)
        }
        Err(ConfigError::Student(problems)) => {
            Err(ConfigError::Student(typography::typeset_problems(problems)))
        }
        Err(ConfigError::Refused(refusals)) => {
            Err(ConfigError::Refused(typography::typeset_refusals(refusals)))
        }
        Err(fault) => Err(fault),
    }
}

async fn ask(staged: &Staged, compose: &ComposeTool) -> Result<ComposeModel, ConfigError> {
    if let Some(stop) = gate::inspect(staged) {
        return Err(if stop.refusals.is_empty() {
            ConfigError::Student(stop.problems)
        } else {
            ConfigError::Refused(stop.refusals)
        });
    }
    let active: Vec<&str> = staged.choice.profiles.iter().map(String::as_str).collect();
    let files = &staged.choice.files;
    let alone = staged.choice.alone.as_ref().map(|files| arguments(staged, files, &active));
    let besides = staged.profiles.iter().map(|name| profile(staged, compose, name));
    let (active, all) = (arguments(staged, files, &active), arguments(staged, files, &["*"]));
    let (besides, active, all, alone) = tokio::join!(
        futures_util::future::try_join_all(besides),
        compose.run(&active, &staged.root),
        compose.run(&all, &staged.root),
        futures_util::future::OptionFuture::from(
            alone.as_ref().map(|alone| compose.run(alone, &staged.root))
        ),
    );
    let besides = besides?;
    let (active, active_said) = read(staged, active)?;
    let (all, all_said) = read(staged, all)?;
    let alone = alone.map(|said| read(staged, said)).transpose()?.map(|(alone, _)| alone);
    let mut notices = staged.notices.clone();
    let mut seen = BTreeSet::new();
    for said in [&active_said, &all_said] {
        for notice in messages::warnings(&said.stderr, &staged.source) {
            if seen.insert(notice.text.clone()) {
                notices.push(notice);
            }
        }
    }
    let model = ComposeModel {
        root: staged.root.clone(),
        left_out: staged.left_out.clone(),
        source: staged.source.clone(),
        environment: staged.choice.env.values.clone(),
        project: active.get("name").and_then(Value::as_str).unwrap_or("projet").to_owned(),
        active,
        all,
        alone,
        profiles: besides.into_iter().collect(),
        dotenv: staged.dotenv.clone(),
        notices,
    };
    let problems = consistency::problems(&model);
    if problems.is_empty() { Ok(model) } else { Err(ConfigError::Student(problems)) }
}

/// What Compose makes of a profile that is not run, or why it refuses it.
async fn profile(
    staged: &Staged,
    compose: &ComposeTool,
    name: &str,
) -> Result<(String, Result<Value, String>), ConfigError> {
    let said = compose.run(&arguments(staged, &staged.choice.files, &[name]), &staged.root).await;
    let read = match read(staged, said) {
        Ok((value, _)) => Ok(value),
        Err(ConfigError::Student(problems)) => {
            Err(problems.first().map_or_else(String::new, |problem| problem.what.clone()))
        }
        Err(other) => return Err(other),
    };
    Ok((name.to_owned(), read))
}

fn arguments(staged: &Staged, files: &[String], profiles: &[&str]) -> Vec<OsString> {
    arguments_with(staged, &staged.env_file, files, profiles)
}

/// The arguments of `config`, with the variables of this file.
pub(super) fn arguments_with(
    staged: &Staged,
    env_file: &Path,
    files: &[String],
    profiles: &[&str],
) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--project-directory".into(), staged.root.clone().into()];
    args.extend(["--env-file".into(), env_file.into()]);
    if let Some(project) = &staged.choice.project {
        args.extend(["-p".into(), project.into()]);
    }
    for file in files {
        args.extend(["-f".into(), staged.root.join(file).into()]);
    }
    for profile in profiles {
        args.extend(["--profile".into(), profile.into()]);
    }
    args.extend(["config", "--format", "json"].map(OsString::from));
    args
}

fn read(staged: &Staged, run: Result<Said, Stopped>) -> Result<(Value, Said), ConfigError> {
    let said = match run {
        Ok(said) => said,
        Err(Stopped::Machine(fault)) => return Err(ConfigError::Machine(fault)),
        Err(Stopped::Slow) => return Err(ConfigError::Refused(vec![messages::too_slow()])),
        Err(Stopped::Big) => return Err(ConfigError::Refused(vec![messages::too_big()])),
    };
    if !said.status.success() {
        match messages::newer(&said.stderr, &staged.source) {
            Some((Newer::Refused(refusal), _)) => return Err(ConfigError::Refused(vec![*refusal])),
            Some((Newer::Known, key)) => {
                return Err(ConfigError::Machine(Fault::new(
                    FaultKind::Engine,
                    format!("Docker Compose, sur cette machine, est trop ancien pour la clé « {key} »"),
                    "mettez Docker Compose à jour, puis relancez",
                )));
            }
            None => {}
        }
        return Err(ConfigError::Student(messages::problems(&said.stderr, &staged.source, &staged.root)));
    }
    match serde_json::from_slice(&said.stdout) {
        Ok(value) => Ok((value, said)),
        Err(e) => Err(ConfigError::Machine(
            Fault::new(
                FaultKind::Engine,
                "Docker Compose a donné un modèle illisible",
                "mettez Docker Compose à jour (2.26 ou plus récent)",
            )
            .detail(e),
        )),
    }
}
