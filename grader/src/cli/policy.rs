//! `policy`: the decision on any Compose project and the model that would run, nothing started.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::args::{Format, Global};
use super::output::target;
use super::{places, shell};
use crate::compose::{self, Wishes};
use crate::error::{ExitCode, Fault, FaultKind};
use crate::event::Opinion;
use crate::reporter::{clean, human};
use crate::run;

/// `policy`
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Le projet
    #[arg(value_name = "DOSSIER")]
    pub dir: PathBuf,
    /// Lit le dossier comme ce TP le demande (profils, `.env` tiré, fichier de production)
    #[arg(long, value_name = "TP")]
    pub lab: Option<String>,
    /// Montre aussi le fichier réécrit qui serait démarré
    #[arg(long)]
    pub model: bool,
}

/// `grader policy`
pub async fn policy(args: &PolicyArgs, global: &Global) -> ExitCode {
    let wishes = match args.lab.as_deref().map(places::find_lab).transpose() {
        // No engine will hear of these secrets.
        Ok(lab) => lab.map(|lab| run::wishes(&lab, "policy")).unwrap_or_default(),
        Err(code) => return code,
    };
    let opinion = match ask(args, &wishes).await {
        Ok(opinion) => opinion,
        Err(fault) => return shell::fault(&fault),
    };
    if let Err(message) = tell(&opinion, args, global) {
        shell::complain(&format!("erreur · {message}"));
        return ExitCode::Usage;
    }
    if global.exit_zero { ExitCode::Passed } else { opinion.exit() }
}

async fn ask(args: &PolicyArgs, wishes: &Wishes) -> Result<Opinion, Fault> {
    let temp = tempfile::tempdir().map_err(|e| {
        Fault::new(FaultKind::Disk, "pas de dossier temporaire", "vérifiez la place sur le disque").detail(e)
    })?;
    compose::opinion(&args.dir, temp.path(), wishes).await
}

/// `Err` is a French message.
fn tell(opinion: &Opinion, args: &PolicyArgs, global: &Global) -> Result<(), String> {
    let (mut out, options) = target(global, true)?;
    let failed = |e: &dyn std::fmt::Display| format!("l'avis n'a pas pu être écrit ({e})");
    let text = match global.format {
        Format::Human => {
            let asked = args.model.then_some(opinion.model.as_ref()).flatten();
            let model = asked.map(serde_saphyr::to_string).transpose().map_err(|e| failed(&e))?;
            human::opinion(opinion, model.as_deref(), options)
        }
        Format::Json => serde_json::to_string_pretty(opinion).map_err(|e| failed(&e))? + "\n",
        Format::Html | Format::Junit | Format::Github | Format::Classroom50 => {
            return Err("l'avis ne se donne pas sous cette forme ; prenez --format human ou json".to_owned());
        }
        Format::Jsonl => serde_json::to_string(opinion).map_err(|e| failed(&e))? + "\n",
    };
    let text = if global.format == Format::Human { text } else { clean::json(&text) };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(failed(&e)),
        _ => Ok(()),
    }
}
