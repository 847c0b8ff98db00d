//! Progress of a run on stderr: live lines on a terminal, one plain line per change elsewhere.

mod board;
mod live;
pub mod many;

use std::io::Write;

use self::board::{Board, Change};
use self::live::Live;
use crate::event::Event;
use crate::french;

/// What `--progress` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Live on a terminal, plain elsewhere.
    #[default]
    Auto,
    /// One plain line per change of state.
    Plain,
    /// Nothing.
    None,
}

/// Shows a run while it goes. Feed it every event; drop it, or call [`Progress::clear`], at the end.
pub struct Progress {
    board: Board,
    view: View,
}

enum View {
    Silent,
    Plain(Box<dyn Write + Send>),
    Live(Live),
}

impl Progress {
    /// Progress on stderr; `terminal` says whether stderr is one.
    pub fn stderr(mode: Mode, terminal: bool) -> Self {
        match mode {
            Mode::None => Self::view(View::Silent),
            Mode::Auto if terminal => Self::live(indicatif::ProgressDrawTarget::stderr()),
            Mode::Auto | Mode::Plain => Self::plain(std::io::stderr()),
        }
    }

    /// Plain lines to `out`.
    pub fn plain(out: impl Write + Send + 'static) -> Self {
        Self::view(View::Plain(Box::new(out)))
    }

    /// Live lines on `target`.
    pub fn live(target: indicatif::ProgressDrawTarget) -> Self {
        Self::view(View::Live(Live::new(target)))
    }

    fn view(view: View) -> Self {
        Self { board: Board::default(), view }
    }

    /// Takes the next event. Progress never fails a run: what cannot be written is dropped.
    pub fn event(&mut self, event: &Event) {
        let Some(change) = self.board.change(event) else { return };
        match &mut self.view {
            View::Silent => {}
            View::Plain(out) => {
                let _ = writeln!(out, "{}", plain(&change));
                let _ = out.flush();
            }
            View::Live(live) => live.show(&change),
        }
    }

    /// Runs `write` with the live lines out of the way. Use this to print while a run goes:
    /// indicatif's own `println` prints nothing when stderr is not a terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.view {
            View::Silent | View::Plain(_) => write(),
            View::Live(live) => live.suspend(write),
        }
    }

    /// Takes the live lines away.
    pub fn clear(&mut self) {
        if let View::Live(live) = &mut self.view {
            live.clear();
        }
    }
}

/// `[   5,2 s] api : démarrage`
fn plain(change: &Change) -> String {
    let at = change.at_ms.map(french::duration).unwrap_or_default();
    let mark = change.mark();
    format!("[{at:>8}] {}{mark}", change.said())
}

#[cfg(test)]
mod tests;
