//! What is shown while a folder is watched: the last verdict of every check, and how old it is.

use std::collections::{HashMap, HashSet};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::cli::args::Global;
use crate::cli::output;
use crate::cli::progress::Progress;
use crate::error::ExitCode;
use crate::event::{Checked, Event, Notice, RunStarted};
use crate::french;
use crate::report::{CheckResult, Fold, Report, Standing};
use crate::reporter::human::{self, Age, Options};
use crate::run::Refreshed;

/// Longest list of file names in a title.
const NAMES: usize = 3;

/// Listens to readings, and shows what they come to.
pub struct Screen {
    options: Options,
    inner: Mutex<Inner>,
}

struct Inner {
    progress: Progress,
    /// The reading under way.
    fold: Fold,
    start: Option<RunStarted>,
    notices: Vec<Notice>,
    told: Vec<Notice>,
    board: Board,
}

/// Last verdicts.
#[derive(Default)]
struct Board {
    seen: HashMap<String, (Checked, Instant)>,
    /// Judged on what is there now.
    now: HashSet<String>,
    /// The same, as of the last reading that gave verdicts: they stand when nothing has changed since.
    standing: HashSet<String>,
    /// Why there was no verdict the last time.
    obstacle: Option<ExitCode>,
}

impl Board {
    fn note(&mut self, checked: &Checked, at: Instant) {
        self.now.insert(checked.id.clone());
        self.seen.insert(checked.id.clone(), (checked.clone(), at));
    }

    /// Ends a reading: its verdicts stand, or (`same`) those of the last one still do.
    fn stand(&mut self, same: bool) {
        if same {
            self.now.clone_from(&self.standing);
        } else {
            self.standing.clone_from(&self.now);
        }
    }

    fn age(&self, id: &str, at: Instant) -> Age {
        match self.seen.get(id) {
            None => Age::Never,
            Some(_) if self.now.contains(id) => Age::Now,
            Some((_, seen)) => Age::Old(millis(at, *seen)),
        }
    }

    /// Every check of the lab with its last verdict.
    fn lines(&self, start: &RunStarted, at: Instant) -> Vec<(CheckResult, Age)> {
        let verdicts = start.checks.iter().filter_map(|card| self.seen.get(&card.id));
        let events = std::iter::once(Event::RunStarted(start.clone()))
            .chain(verdicts.map(|(checked, _)| Event::Checked(checked.clone())));
        let checks = Report::fold(events).checks;
        checks.into_iter().map(|check| (self.age(&check.card.id, at), check)).map(|(a, c)| (c, a)).collect()
    }

    /// The exit code of what is known, once there was a whole list: what was never looked at counts for
    /// nothing.
    fn code(&self, lines: &[(CheckResult, Age)]) -> ExitCode {
        let any = |standing| lines.iter().any(|(c, age)| c.standing == standing && *age != Age::Never);
        match self.obstacle {
            Some(code) => code,
            None if self.standing.is_empty() => ExitCode::Interrupted,
            None if any(Standing::Missed) || any(Standing::Blocked) => ExitCode::Failed,
            None if any(Standing::Ungraded) => ExitCode::Environment,
            None => ExitCode::Passed,
        }
    }
}

fn millis(now: Instant, then: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(then).as_millis()).unwrap_or(u64::MAX)
}

impl Screen {
    /// An empty screen.
    pub fn new(global: &Global) -> Self {
        let progress = Progress::stderr(global.progress.into(), std::io::stderr().is_terminal());
        Self {
            options: output::human(global, std::io::stdout().is_terminal()),
            inner: Mutex::new(Inner {
                progress,
                fold: Fold::default(),
                start: None,
                notices: Vec::new(),
                told: Vec::new(),
                board: Board::default(),
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How things are shown.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Takes the next event of a reading.
    pub fn event(&self, event: Event) {
        let mut inner = self.inner();
        match &event {
            Event::RunStarted(start) => {
                inner.start = Some(start.clone());
                inner.notices.clear();
            }
            Event::Notice(notice) => inner.notices.push(notice.clone()),
            Event::Checked(checked) => inner.board.note(checked, Instant::now()),
            _ => {}
        }
        inner.progress.event(&event);
        inner.fold.push(event);
    }

    /// Takes the verdicts of an ordinary run.
    pub fn verdict(&self, event: &Event) {
        if let Event::Checked(checked) = event {
            self.inner().board.note(checked, Instant::now());
        }
    }

    /// An ordinary run is over.
    pub fn verdicts(&self) {
        self.inner().board.stand(false);
    }

    /// A reading begins: what was judged before is judged on something older.
    pub fn begin(&self) {
        self.inner().board.now.clear();
    }

    /// Shows what a reading came to. `files` are those saved, `since` the instant when that was noticed.
    pub fn show(&self, refreshed: Refreshed, files: &[PathBuf], since: Instant) {
        let mut inner = self.inner();
        inner.progress.clear();
        let report = std::mem::take(&mut inner.fold).finish();
        let head = head(files, millis(Instant::now(), since));
        let Inner { start: Some(start), board, notices, told, .. } = &mut *inner else { return };
        let text = match refreshed {
            Refreshed::Superseded => return,
            Refreshed::Stopped => {
                board.obstacle = Some(report.exit());
                human::obstacle(&head, &report.outcome, !board.seen.is_empty(), self.options)
            }
            Refreshed::Same | Refreshed::Judged => {
                board.obstacle = None;
                board.stand(refreshed == Refreshed::Same);
                let lines = board.lines(start, Instant::now());
                let news = if notices == told { &[][..] } else { &notices[..] };
                human::brief(&head, news, &lines, &start.lab, self.options)
            }
        };
        told.clone_from(notices);
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// Takes the live lines away.
    pub fn clear(&self) {
        self.inner().progress.clear();
    }

    /// The first check that is missed.
    pub fn first_miss(&self) -> Option<String> {
        let inner = self.inner();
        let lines = inner.board.lines(inner.start.as_ref()?, Instant::now());
        let missed = lines.iter().find(|(check, _)| check.standing == Standing::Missed);
        missed.map(|(check, _)| check.card.id.clone())
    }

    /// The exit code of the last verdict.
    pub fn code(&self) -> ExitCode {
        let inner = self.inner();
        let lines = inner.start.as_ref().map(|start| inner.board.lines(start, Instant::now()));
        inner.board.code(&lines.unwrap_or_default())
    }
}

/// `14:32:07 · app/app.js, compose.yaml · 2,4 s`
fn head(files: &[PathBuf], took: u64) -> String {
    let mut names: Vec<String> = files.iter().take(NAMES).map(|f| f.display().to_string()).collect();
    if files.len() > NAMES {
        names.push("…".to_owned());
    }
    if names.is_empty() {
        names.push("tout le dossier".to_owned());
    }
    let at = jiff::Zoned::now().strftime("%H:%M:%S");
    format!("{at} · {} · {}", names.join(", "), french::duration(took))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{Event, Miss, Verdict};
    use crate::report::sample;

    fn start() -> RunStarted {
        let cards = ["a", "b"].map(|id| sample::card(id, 1.0, "", "titre")).to_vec();
        match sample::started(cards) {
            Event::RunStarted(start) => start,
            other => panic!("{other:?}"),
        }
    }

    fn checked(id: &str, pass: bool) -> Checked {
        let verdict =
            if pass { Verdict::Pass { facts: vec![] } } else { Verdict::Fail(Box::<Miss>::default()) };
        Checked { id: id.to_owned(), verdict, elapsed_ms: 0, at_ms: 0 }
    }

    #[test]
    fn a_verdict_grows_old_when_it_is_not_given_again() {
        let (mut board, at) = (Board::default(), Instant::now());
        board.note(&checked("a", true), at);
        let ages = |board: &Board, later| -> Vec<Age> {
            board.lines(&start(), at + Duration::from_secs(later)).into_iter().map(|(_, age)| age).collect()
        };
        assert_eq!(ages(&board, 5), [Age::Now, Age::Never]);
        board.now.clear();
        board.note(&checked("b", false), at);
        assert_eq!(ages(&board, 5), [Age::Old(5_000), Age::Now]);
        board.stand(false);
        board.now.clear();
        assert_eq!(ages(&board, 5), [Age::Old(5_000), Age::Old(5_000)]);
        board.stand(true);
        assert_eq!(ages(&board, 5), [Age::Old(5_000), Age::Now]);
    }

    #[test]
    fn the_code_is_that_of_what_is_known() {
        let mut board = Board::default();
        let code = |board: &Board| board.code(&board.lines(&start(), Instant::now()));
        board.note(&checked("a", true), Instant::now());
        assert_eq!(code(&board), ExitCode::Interrupted);
        board.stand(false);
        assert_eq!(code(&board), ExitCode::Passed);
        board.note(&checked("b", false), Instant::now());
        assert_eq!(code(&board), ExitCode::Failed);
        board.obstacle = Some(ExitCode::Refused);
        assert_eq!(code(&board), ExitCode::Refused);
    }

    #[test]
    fn the_title_says_which_files() {
        let files: Vec<PathBuf> = ["a", "b", "c", "d"].map(PathBuf::from).to_vec();
        assert!(head(&files, 2_400).contains(" · a, b, c, … · 2,4"));
        assert!(head(&[], 900).contains("tout le dossier"));
    }
}
