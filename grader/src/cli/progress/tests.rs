//! Both displays, and silence.

use std::io;
use std::sync::{Arc, Mutex};

use indicatif::{ProgressDrawTarget, TermLike};

use super::*;
use crate::event::{StepState, Verdict};
use crate::report::sample;

#[derive(Clone, Debug, Default)]
struct Screen(Arc<Mutex<String>>);

impl Screen {
    fn text(&self) -> String {
        self.0.lock().expect("not poisoned").clone()
    }
    fn push(&self, text: &str) {
        self.0.lock().expect("not poisoned").push_str(text);
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.push(text);
        self.push("\n");
        Ok(())
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.push(text);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn events() -> Vec<Event> {
    let mut events = vec![
        sample::started(vec![sample::card("a", 1.0, "S", "A"), sample::card("b", 1.0, "S", "B")]),
        sample::step("config", "lecture de compose.yaml", StepState::Started, 0),
        sample::step("config", "lecture de compose.yaml", StepState::Done, 310),
        sample::step("service:api", "création", StepState::Started, 2_050),
        sample::step("service:api", "création", StepState::Started, 2_100),
        sample::step("service:api", "santé", StepState::Done, 9_800),
        sample::step("service:re\x1b[2Jdis", "santé", StepState::Failed, 12_000),
        sample::checked("a", Verdict::Pass { facts: vec![] }),
        sample::checked("b", Verdict::Fail(Box::default())),
    ];
    events.extend(sample::finished());
    events
}

#[test]
fn plain_lines() {
    let screen = Screen::default();
    let mut progress = Progress::plain(screen.clone());
    for event in &events() {
        progress.event(event);
    }
    insta::assert_snapshot!(screen.text());
}

#[test]
fn live_lines() {
    let screen = Screen::default();
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let mut progress = Progress::live(target);
    for event in &events() {
        progress.event(event);
        // Forces a frame: the draw rate is limited.
        progress.suspend(|| ());
    }
    progress.clear();
    let text = screen.text();
    assert!(text.contains("api") && text.contains("✓ santé"), "{text}");
    assert!(text.contains("contrôles 2/2 · ✗ manqué : b"), "{text}");
    assert!(!text.contains("\x1b[2J"), "{text:?}");
}

#[test]
fn silence() {
    let mut progress = Progress::stderr(Mode::None, true);
    for event in &events() {
        progress.event(event);
    }
    assert_eq!(progress.suspend(|| 3), 3);
}
