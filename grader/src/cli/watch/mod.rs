//! `watch`: a stack kept warm, its verdicts given again at each save.

mod keys;
mod saves;
mod screen;

use std::collections::{HashMap, VecDeque};
use std::pin::{Pin, pin};
use std::time::Instant;

use clap::Args;

pub use self::keys::give_back;
use self::keys::{FOOTER, Key, Keys};
use self::saves::Saves;
use self::screen::Screen;
use super::args::{Format, Global, HintArgs, ImageArgs};
use super::output::Output;
use super::places::{self, Subject};
use super::{labs, shell, student};
use crate::engine::Engine;
use crate::error::{ExitCode, Fault};
use crate::reporter::human;
use crate::run::{Refreshed, RunOptions, Warm, run};

/// `watch`
#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    /// Le TP (celui du dossier par défaut)
    #[arg(value_name = "TP")]
    pub lab: Option<String>,
    /// Relit le dossier sans cesse, sans compter sur les événements du système
    #[arg(long)]
    pub poll: bool,
    #[command(flatten)]
    pub images: ImageArgs,
}

/// Why the work ends.
enum End {
    /// By its key.
    Quit,
    /// By a signal.
    Interrupted,
}

/// What is asked next.
enum Next {
    Read { fresh: bool },
    Key(Key),
    End(End),
}

/// The first interruption.
type Interrupted<'a> = Pin<&'a mut dyn Future<Output = ()>>;

/// `grader watch`
pub async fn watch(args: &WatchArgs, global: &Global) -> ExitCode {
    if global.format != Format::Human || global.output.is_some() {
        shell::complain(
            "erreur · watch ne parle qu'à l'écran\n  à faire  pour un rapport dans un fichier : grader check",
        );
        return ExitCode::Usage;
    }
    let subject = match places::subject("watch", args.lab.as_deref(), global.dir.as_deref()) {
        Ok(subject) => subject,
        Err(code) => return code,
    };
    match session(args, global, &subject).await {
        Ok(code) => code,
        Err(e) => shell::fault(&e),
    }
}

/// From the first reading to the clean-up.
async fn session(args: &WatchArgs, global: &Global, subject: &Subject) -> Result<ExitCode, Fault> {
    let engine = Engine::connect().await?;
    let saves = Saves::of(&subject.dir, args.poll)?;
    let options = RunOptions {
        label: subject.dir.display().to_string(),
        dir: subject.dir.clone(),
        images: args.images.into(),
        recipes: subject.labs.join("images"),
        only: None,
        real_time: false,
        timeout: global.timeout,
    };
    let screen = Screen::new(global);
    let sink = |event| screen.event(event);
    let mut warm = Warm::open(&engine, &subject.lab, &options, &sink).await?;
    let how = if saves.polled() { ", relu sans cesse faute d'événements" } else { "" };
    shell::say(&format!(
        "TP {} · {} · surveille « {} »{how} ; Ctrl-C pour finir",
        subject.lab.id,
        subject.lab.title,
        subject.dir.display()
    ));
    let desk = Desk { global, subject, engine: &engine, options: &options, saves: &saves, screen: &screen };
    let interrupted = pin!(shell::interrupted());
    let end = desk.work(&mut warm, Keys::take(), interrupted).await;
    screen.clear();
    let left = warm.close().await?;
    let text = human::household(&left, screen.options());
    shell::say(text.trim_end());
    Ok(match end {
        _ if !left.is_empty() => ExitCode::Leftovers,
        End::Quit => ExitCode::Passed,
        End::Interrupted => screen.code(),
    })
}

/// All that the work needs besides the stack.
struct Desk<'a> {
    global: &'a Global,
    subject: &'a Subject,
    engine: &'a Engine,
    options: &'a RunOptions,
    saves: &'a Saves,
    screen: &'a Screen,
}

impl Desk<'_> {
    /// Reads, shows, waits, until the end is asked for.
    async fn work(&self, warm: &mut Warm<'_>, mut keys: Keys, mut interrupted: Interrupted<'_>) -> End {
        let mut pressed: VecDeque<Key> = VecDeque::new();
        let mut hints: HashMap<String, usize> = HashMap::new();
        let mut next = Next::Read { fresh: false };
        loop {
            next = match next {
                Next::End(end) => return end,
                Next::Read { fresh } => {
                    let read = self.read(warm, fresh, (&mut keys, &mut pressed), &mut interrupted).await;
                    match read {
                        Some(next) => next,
                        None => self.wait((&mut keys, &mut pressed), &mut interrupted).await,
                    }
                }
                Next::Key(Key::Quit) => Next::End(End::Quit),
                Next::Key(Key::Again) => Next::Read { fresh: true },
                Next::Key(key) => {
                    let ended = match key {
                        Key::All => self.all(&mut interrupted).await,
                        Key::Hint => self.hint(&mut hints),
                        Key::Open => {
                            let chapter = student::chapter(&self.subject.labs, &self.subject.lab.dir);
                            shell::say(&student::show(&chapter));
                            None
                        }
                        Key::Again | Key::Quit => None,
                    };
                    match ended {
                        Some(end) => Next::End(end),
                        None => self.wait((&mut keys, &mut pressed), &mut interrupted).await,
                    }
                }
            };
        }
    }

    /// One reading. `Some` when something must come before the wait for the next save.
    async fn read(
        &self,
        warm: &mut Warm<'_>,
        fresh: bool,
        (keys, pressed): (&mut Keys, &mut VecDeque<Key>),
        interrupted: &mut Interrupted<'_>,
    ) -> Option<Next> {
        let (since, files) = (Instant::now(), self.saves.take());
        self.screen.begin();
        let mut reading = pin!(warm.refresh(fresh, self.saves.pending()));
        let refreshed = loop {
            tokio::select! {
                refreshed = &mut reading => break refreshed,
                () = interrupted.as_mut() => return Some(Next::End(End::Interrupted)),
                key = keys.next() => match key {
                    Key::Quit => return Some(Next::End(End::Quit)),
                    other => pressed.push_back(other),
                },
            }
        };
        self.screen.show(refreshed, &files, since);
        // The whole stack was asked for, and the newer save must not make one forget it.
        (refreshed == Refreshed::Superseded).then_some(Next::Read { fresh })
    }

    /// Waits for a save, a key or the end.
    async fn wait(
        &self,
        (keys, pressed): (&mut Keys, &mut VecDeque<Key>),
        interrupted: &mut Interrupted<'_>,
    ) -> Next {
        if let Some(key) = pressed.pop_front() {
            return Next::Key(key);
        }
        if keys.there() {
            shell::say(FOOTER);
        }
        tokio::select! {
            () = self.saves.pending() => Next::Read { fresh: false },
            () = interrupted.as_mut() => Next::End(End::Interrupted),
            key = keys.next() => Next::Key(key),
        }
    }

    /// An ordinary run, in copies of its own beside the warm one; noted as any other.
    async fn all(&self, interrupted: &mut Interrupted<'_>) -> Option<End> {
        let output = match Output::open(self.global, false) {
            Ok(output) => output,
            Err(e) => {
                shell::complain(&format!("erreur · {e}"));
                return None;
            }
        };
        let stopped = std::cell::Cell::new(false);
        let cancel = async {
            interrupted.as_mut().await;
            stopped.set(true);
        };
        let sink = |event| {
            self.screen.verdict(&event);
            output.event(event);
        };
        self.screen.begin();
        run(self.engine, &self.subject.lab, self.options, cancel, &sink).await;
        self.screen.verdicts();
        let report = output.finish();
        student::note(&self.subject.lab, &self.subject.dir, false, &report);
        stopped.get().then_some(End::Interrupted)
    }

    /// The next hint of the first miss.
    fn hint(&self, given: &mut HashMap<String, usize>) -> Option<End> {
        let Some(id) = self.screen.first_miss() else {
            shell::say("rien n'est manqué parmi ce qui a été vu");
            return None;
        };
        let all = self.subject.lab.checks.iter().find(|spec| spec.card.id == id).map_or(0, |s| s.hints.len());
        let level = given.entry(id.clone()).or_default();
        *level = (*level + 1).min(all);
        let hint = HintArgs { lab: Some(self.subject.lab.id.clone()), check: Some(id), level: *level };
        labs::hint(&hint, Some(&self.subject.dir));
        None
    }
}
