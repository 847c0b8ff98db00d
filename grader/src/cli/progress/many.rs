//! Progress of a class: a line a submission under way and a bar with the time left on a terminal, a plain
//! line a submission elsewhere.

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Mode;
use super::board::Board;
use crate::batch::Told;
use crate::event::Event;
use crate::french;
use crate::report::class::{Fate, Summary};
use crate::reporter::clean::inline;

/// How often the spinners turn.
const TICK: Duration = Duration::from_millis(150);

/// Shows a batch while it goes.
pub struct Many {
    view: View,
    began: Instant,
    boards: HashMap<String, Board>,
}

enum View {
    Silent,
    Plain(Box<dyn Write + Send>),
    Live(Live),
}

struct Live {
    all: MultiProgress,
    bar: Option<ProgressBar>,
    lines: HashMap<String, ProgressBar>,
}

impl Many {
    /// Progress on stderr; `terminal` says whether stderr is one.
    pub fn stderr(mode: Mode, terminal: bool) -> Self {
        match mode {
            Mode::None => Self::view(View::Silent),
            Mode::Auto if terminal => Self::live(ProgressDrawTarget::stderr()),
            Mode::Auto | Mode::Plain => Self::plain(std::io::stderr()),
        }
    }

    /// Plain lines to `out`.
    pub fn plain(out: impl Write + Send + 'static) -> Self {
        Self::view(View::Plain(Box::new(out)))
    }

    /// Live lines on `target`.
    pub fn live(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        Self::view(View::Live(Live { all, bar: None, lines: HashMap::new() }))
    }

    fn view(view: View) -> Self {
        Self { view, began: Instant::now(), boards: HashMap::new() }
    }

    /// Takes what a batch says. Progress never fails a batch: what cannot be written is dropped.
    pub fn told(&mut self, told: &Told<'_>) {
        match told {
            Told::Opened { total, due, most } => {
                let kept = total - due;
                let kept = if kept > 0 { format!(", {kept} déjà faites") } else { String::new() };
                let copies = french::count(*total, "copie", "copies");
                self.say(&format!("{copies}{kept}, {most} de front au plus"));
                if let View::Live(live) = &mut self.view {
                    live.open(*total, kept_of(*total, *due));
                }
            }
            Told::Remark(text) => self.say(&inline(text)),
            Told::Began { key, name, alone } => {
                self.boards.insert((*key).to_owned(), Board::default());
                let name = inline(name);
                match &mut self.view {
                    View::Live(live) => live.begin(key, &name),
                    View::Silent | View::Plain(_) => {}
                }
                if let Some(why) = alone {
                    self.say(&format!("{name} : relancé seul ({})", inline(why)));
                }
            }
            Told::Event(key, event) => self.event(key, event),
            Told::Ended { key, name, result, again, done, left } => {
                self.boards.remove(*key);
                if let View::Live(live) = &mut self.view {
                    live.end(key, done.0, *left);
                }
                let again =
                    again.map_or_else(String::new, |why| format!(" · à relancer seul : {}", inline(why)));
                let tally = format!("{}/{}{}", done.0, done.1, remaining(*left));
                self.say(&format!("{} : {}{again} · {tally}", inline(name), outcome(result)));
            }
        }
    }

    fn event(&mut self, key: &str, event: &Event) {
        let Some(board) = self.boards.get_mut(key) else { return };
        if let (Some(change), View::Live(live)) = (board.change(event), &self.view) {
            live.show(key, &change.said());
        }
    }

    fn say(&mut self, text: &str) {
        let at = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &mut self.view {
            View::Silent => {}
            View::Plain(out) => {
                let _ = writeln!(out, "[{:>10}] {}", french::duration(at), french::typeset(text));
                let _ = out.flush();
            }
            View::Live(live) => {
                let _ = live.all.println(french::typeset(text));
            }
        }
    }

    /// Takes the live lines away.
    pub fn clear(&mut self) {
        if let View::Live(live) = &mut self.view {
            for (_, line) in live.lines.drain() {
                line.finish_and_clear();
            }
            if let Some(bar) = live.bar.take() {
                bar.finish_and_clear();
            }
            let _ = live.all.clear();
        }
    }
}

impl Live {
    fn open(&mut self, total: usize, done: usize) {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} · {elapsed}{msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
        let bar = self.all.add(ProgressBar::new(total as u64).with_style(style));
        bar.set_position(done as u64);
        bar.enable_steady_tick(Duration::from_secs(1));
        self.bar = Some(bar);
    }

    fn begin(&mut self, key: &str, name: &str) {
        let style = ProgressStyle::with_template("{spinner} {prefix:<24!} {wide_msg} {elapsed:>5}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let line = ProgressBar::new_spinner().with_style(style).with_prefix(name.to_owned());
        let line = match &self.bar {
            Some(bar) => self.all.insert_before(bar, line),
            None => self.all.add(line),
        };
        line.enable_steady_tick(TICK);
        self.lines.insert(key.to_owned(), line);
    }

    fn show(&self, key: &str, text: &str) {
        if let Some(line) = self.lines.get(key) {
            line.set_message(text.to_owned());
        }
    }

    fn end(&mut self, key: &str, done: usize, left: Option<Duration>) {
        if let Some(line) = self.lines.remove(key) {
            line.finish_and_clear();
            self.all.remove(&line);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_message(remaining(left));
        }
    }
}

fn kept_of(total: usize, due: usize) -> usize {
    total.saturating_sub(due)
}

/// « · reste environ 1 min 20 s ».
fn remaining(left: Option<Duration>) -> String {
    let left = left.map(|left| left.as_secs()).filter(|left| *left > 0);
    // A guess: minutes past two, tens of seconds before.
    let round = |secs: u64| if secs > 120 { secs.div_ceil(60) * 60 } else { secs.div_ceil(10) * 10 };
    left.map_or_else(String::new, |secs| {
        format!(" · reste environ {}", french::duration(round(secs) * 1_000))
    })
}

/// « 14,5/20 (9,1 s) », « refusé : … ».
fn outcome(result: &Summary) -> String {
    let took = result.elapsed_ms.map_or_else(String::new, |ms| format!(" ({})", french::duration(ms)));
    match (&result.score, result.standing) {
        (Some(score), Fate::Graded) => format!("{}/20{took}", french::mark(score.note)),
        (Some(score), _) => {
            format!("entre {} et {}/20{took}", french::mark(score.note), french::mark(score.note_max))
        }
        (None, standing) => format!("{} : {}{took}", standing.french(), inline(&result.why)),
    }
}
