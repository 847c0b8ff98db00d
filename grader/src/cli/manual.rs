//! `completions` and `man`: what a package installs beside the binary.

use std::path::Path;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::shell;
use crate::error::ExitCode;

/// `completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// L'interpréteur de commandes
    #[arg(
        value_name = "INTERPRÉTEUR",
        hide_possible_values = true,
        help = "bash, zsh, fish, powershell ou elvish"
    )]
    pub shell: Shell,
}

/// `man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Dossier à remplir
    #[arg(long, value_name = "DOSSIER")]
    pub into: std::path::PathBuf,
}

/// `grader completions`
pub fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "grader", &mut text);
    shell::say(String::from_utf8_lossy(&text).trim_end());
    ExitCode::Passed
}

/// `grader man`: a page for the program and one for each command.
pub fn man(args: &ManArgs) -> ExitCode {
    match pages(&args.into) {
        Ok(count) => {
            shell::say(&format!("{count} pages écrites dans {}", args.into.display()));
            ExitCode::Passed
        }
        Err(e) => {
            shell::complain(&format!(
                "erreur · {} : {e}\n  à faire  vérifiez le chemin et les droits",
                args.into.display()
            ));
            ExitCode::Usage
        }
    }
}

fn pages(into: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(into)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write(into, &command, 0)
}

fn write(into: &Path, command: &clap::Command, written: usize) -> std::io::Result<usize> {
    let name = command.get_display_name().unwrap_or("grader").replace(' ', "-");
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    std::fs::write(into.join(format!("{name}.1")), french(&String::from_utf8_lossy(&text)))?;
    command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .try_fold(written + 1, |written, sub| write(into, sub, written))
}

/// The headings that the library writes in English.
fn french(page: &str) -> String {
    let headings =
        [(".SH NAME", ".SH NOM"), (".SH SUBCOMMANDS", ".SH COMMANDES"), (".SH EXTRA", ".SH COMPLÉMENT")];
    page.lines()
        .map(|line| headings.iter().find(|(from, _)| line == *from).map_or(line, |(_, to)| to))
        .map(|line| line.replace("[default: ", "[par défaut : "))
        .fold(String::new(), |text, line| text + &line + "\n")
}
