//! Words on the screen, interruption, and `clean`.

use std::io::Write;

use super::args::CleanArgs;
use crate::engine::{self, Engine};
use crate::error::{ExitCode, Fault};
use crate::event::Inventory;
use crate::reporter::clean::inline;

/// A line on standard output; a closed pipe is not an error of ours.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on standard error.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A fault in the usual form; returns its exit code.
pub fn fault(fault: &Fault) -> ExitCode {
    complain(&format!("erreur · {}\n  à faire  {}", inline(&fault.what), inline(&fault.todo)));
    for line in fault.detail.lines().take(12) {
        complain(&format!("  détail   {}", inline(line)));
    }
    fault.exit_code()
}

/// Resolves at the first interruption asked for (Ctrl-C, SIGTERM); a second one ends at once. Listens from
/// the call on, not from when it is first waited for.
pub fn interrupted() -> impl Future<Output = ()> {
    let first = a_signal();
    async {
        first.await;
        let second = a_signal();
        tokio::spawn(async {
            second.await;
            super::watch::give_back();
            complain("interrompu une seconde fois : le surveillant termine le nettoyage");
            #[expect(clippy::disallowed_methods, reason = "asked for twice: the supervisor cleans after us")]
            std::process::exit(ExitCode::Interrupted as i32);
        });
    }
}

/// Says that the stack stays up, and resolves when it may go: Enter or the end of the terminal's input, a
/// signal. Without a terminal, a signal only.
pub async fn released() {
    use std::io::IsTerminal;
    let terminal = std::io::stdin().is_terminal();
    let how = if terminal { "Entrée ou Ctrl-C" } else { "Ctrl-C (ou SIGTERM)" };
    complain(&format!("la pile reste en marche ; {how} pour la supprimer"));
    let entered = async {
        if terminal {
            let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = entered => {}
        () = interrupted() => {}
    }
}

/// The next signal that asks to end.
fn a_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let listening = {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        kinds.map(signal)
    };
    async move {
        #[cfg(unix)]
        if let [Ok(mut int), Ok(mut term), Ok(mut hup)] = listening {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
                _ = hup.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// `3 conteneurs, 1 réseau, …`
pub fn inventory(left: &Inventory) -> String {
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n > 1 { many } else { one });
    [
        count(left.containers, "conteneur", "conteneurs"),
        count(left.networks, "réseau", "réseaux"),
        count(left.volumes, "volume", "volumes"),
        count(left.images, "image", "images"),
        count(left.dirs, "dossier", "dossiers"),
    ]
    .join(", ")
}

/// `grader clean`
pub async fn clean(args: &CleanArgs) -> ExitCode {
    let work = async {
        let engine = Engine::connect().await?;
        let (removed, left) = engine::clean(&engine, args.dry_run).await?;
        let kept = if args.all && !args.dry_run { engine::remove_kept_images(&engine).await? } else { 0 };
        let now = engine::inventory(&engine).await?;
        Ok::<_, Fault>((removed, left, kept, now))
    };
    match work.await {
        Ok((removed, left, kept, now)) => {
            let verb = if args.dry_run { "à supprimer" } else { "supprimé" };
            say(&format!("{verb} : {}", inventory(&removed)));
            if args.all && !args.dry_run {
                say(&format!("images de la sonde et images hors ligne supprimées : {kept}"));
            }
            if left.is_empty() {
                let rest = if now.is_empty() { "il ne reste rien" } else { "reste (corrections en cours)" };
                say(&format!("{rest} : {}", inventory(&now)));
                ExitCode::Passed
            } else {
                complain(&format!("reste : {}\n  à faire  relancez « grader clean »", inventory(&left)));
                ExitCode::Leftovers
            }
        }
        Err(e) => fault(&e),
    }
}
