//! Usage errors and help, in French.

use std::process::ExitCode as ProcessCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::shell;
use crate::error::ExitCode;

/// Says a usage error (or the help that was asked for) in French.
pub fn explain(error: &clap::Error) -> ProcessCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let text = error.to_string();
        shell::say(french_help(&text).trim_end());
        return ExitCode::Passed.into();
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        shell::complain(french_help(&error.to_string()).trim_end());
        return ExitCode::Usage.into();
    }
    let get = |kind| match error.get(kind) {
        Some(ContextValue::String(s)) => s.clone(),
        Some(ContextValue::Strings(list)) => list.join(", "),
        _ => String::new(),
    };
    let (arg, value) = (get(ContextKind::InvalidArg), get(ContextKind::InvalidValue));
    let what = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            format!("commande inconnue : « {} »", get(ContextKind::InvalidSubcommand))
        }
        ErrorKind::UnknownArgument => format!("argument inconnu : « {arg} »"),
        ErrorKind::MissingRequiredArgument => format!("il manque : {arg}"),
        ErrorKind::InvalidValue if value.is_empty() => format!("« {arg} » attend une valeur"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let valid = get(ContextKind::ValidValue);
            let valid = if valid.is_empty() { valid } else { format!(" ; valeurs admises : {valid}") };
            format!("« {value} » ne convient pas à {arg}{valid}")
        }
        ErrorKind::ArgumentConflict => format!("« {arg} » ne va pas avec un autre argument"),
        _ => error.to_string(),
    };
    shell::complain(&format!(
        "erreur · {what}\n  à faire  grader --help montre les commandes et leurs options"
    ));
    ExitCode::Usage.into()
}

/// The few words that clap writes by itself.
fn french_help(text: &str) -> String {
    text.replace("Usage: ", "Usage : ")
        .replace("<COMMAND>", "<COMMANDE>")
        .replace("Arguments:", "Arguments :")
        .replace("Options:", "Options :")
        .replace("Options communes:", "Options communes :")
        .replace("Commands:", "Commandes :")
        .replace("Commandes:", "Commandes :")
        .replace("[default: ", "[par défaut : ")
        .replace("[possible values: ", "[valeurs : ")
}
