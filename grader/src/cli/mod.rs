//! The command line: English names as docker's, French text.

mod args;
mod batch;
#[cfg(feature = "book")]
mod book;
mod check;
mod ci;
mod compare;
mod doctor;
mod explain;
mod export;
mod images;
mod labs;
mod manual;
mod merge;
mod output;
mod places;
mod policy;
pub mod progress;
mod publish;
mod regrade;
#[cfg(feature = "serve")]
mod serve;
mod shell;
mod starter;
mod student;
mod usage;
mod variants;
mod verify;
mod watch;

use std::process::ExitCode as ProcessCode;

use clap::Parser;

use self::args::{Cli, Command, Global, ImagesCommand, LabCommand};
use crate::error::ExitCode;

/// Stack of the runtime's threads, bytes.
const WORKER_STACK: usize = 8 << 20;

/// Parses the arguments and runs the command.
pub fn main() -> ProcessCode {
    let raw: Vec<String> = std::env::args().collect();
    if let [_, verb, id] = raw.as_slice()
        && verb == "__reap"
    {
        return crate::engine::reap_main(id);
    }
    install_panic_hook();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage::explain(&e),
    };
    // No engine, no runtime: these must answer at once.
    let command = match cli.command {
        None => return student::next(cli.global.dir.as_deref()).into(),
        Some(Command::List) => return labs::list().into(),
        Some(Command::Export(args)) => return export::export(&args, &cli.global).into(),
        Some(Command::Compare(args)) => return compare::compare(&args, &cli.global).into(),
        Some(Command::Merge(args)) => return merge::merge(&args, &cli.global).into(),
        Some(Command::Publish(args)) => return publish::publish(&args, &cli.global).into(),
        Some(Command::Completions(args)) => return manual::completions(&args).into(),
        Some(Command::Man(args)) => return manual::man(&args).into(),
        Some(command) => command,
    };
    // A whole run is one deep future: a worker (« serve ») needs the room that the main thread has.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.enable_all().thread_stack_size(WORKER_STACK).build() {
        Ok(runtime) => runtime,
        Err(e) => {
            shell::complain(&format!("erreur · le système refuse de créer les fils d'exécution ({e})"));
            return ExitCode::Environment.into();
        }
    };
    if let Ok(Some(release)) = places::carried() {
        crate::engine::look_for_probes_in(release);
    }
    let code = runtime.block_on(run(command, cli.global));
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    code.into()
}

async fn run(command: Command, global: Global) -> ExitCode {
    match command {
        Command::Doctor => doctor::doctor(global.dir.as_deref()).await,
        Command::List => labs::list(),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
        Command::Init(args) => student::init(&args, global.dir.as_deref()),
        Command::Reset(args) => student::reset(&args, global.dir.as_deref()),
        Command::Status => student::status(global.dir.as_deref()),
        Command::Check(args) => check::check(&args, &global).await,
        Command::Batch(args) => batch::batch(&args, &global).await,
        Command::Regrade(args) => regrade::regrade(&args, &global).await,
        Command::Watch(args) => watch::watch(&args, &global).await,
        Command::Clean(args) => shell::clean(&args).await,
        Command::Replay(args) => check::replay(&args, &global),
        Command::Export(args) => export::export(&args, &global),
        Command::Publish(args) => publish::publish(&args, &global),
        Command::Merge(args) => merge::merge(&args, &global),
        Command::Verify(args) => verify::verify(&args, &global).await,
        Command::Compare(args) => compare::compare(&args, &global),
        Command::Policy(args) => policy::policy(&args, &global).await,
        Command::Explain(args) => explain::explain(&args, global.dir.as_deref()),
        Command::Open(args) => student::open(&args, global.dir.as_deref()),
        Command::Hint(args) => labs::hint(&args, global.dir.as_deref()),
        Command::Images { command: ImagesCommand::List } => images::list().await,
        Command::Images { command: ImagesCommand::Build(args) } => images::build(&args).await,
        Command::Images { command: ImagesCommand::Ready(args) } => images::ready(&args).await,
        Command::Lab { command: LabCommand::Test(args) } => variants::test(&args, &global).await,
        Command::Lab { command: LabCommand::Lint(args) } => labs::lint(&args),
        Command::Lab { command: LabCommand::Schema } => labs::schema(),
        #[cfg(feature = "book")]
        Command::Book { command } => book::run(command).await,
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::serve(&args, &global).await,
    }
}

/// A panic is a bug of ours: exit code 101, in French, never a zero for the student.
fn install_panic_hook() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        shell::complain(
            "erreur · défaut du correcteur : rien n'est noté. Joignez le texte qui suit à un signalement.",
        );
        default(info);
    }));
}
