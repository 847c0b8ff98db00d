//! One-key commands, where there is a terminal.

use std::io::{IsTerminal, Read};
use std::sync::{Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Begin the stack again from nothing.
    Again,
    /// An ordinary run, with what breaks.
    All,
    /// A hint for the first miss.
    Hint,
    /// The statement.
    Open,
    /// The end.
    Quit,
}

/// What the keys do, for people.
pub const FOOTER: &str = "r relancer à neuf · t tout corriger · i indice · o énoncé · q quitter";

impl Key {
    /// The key of a byte read; none for any other.
    pub fn of(byte: u8) -> Option<Self> {
        match byte.to_ascii_lowercase() {
            b'r' => Some(Self::Again),
            b't' => Some(Self::All),
            b'i' => Some(Self::Hint),
            b'o' => Some(Self::Open),
            // Ctrl-D: what one types at an end of input.
            b'q' | 4 => Some(Self::Quit),
            _ => None,
        }
    }
}

/// The terminal as it was.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Gives the terminal back as it was, if it was taken.
pub fn give_back() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
    }
}

/// The keys pressed. Dropping it gives the terminal back.
pub struct Keys {
    pressed: Option<UnboundedReceiver<Key>>,
}

impl Keys {
    /// Takes the keyboard, if there is one.
    pub fn take() -> Self {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stdout().is_terminal() {
            return Self { pressed: None };
        }
        if let Ok(mut now) = tcgetattr(&stdin) {
            *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(now.clone());
            // Keys one by one and unseen; Ctrl-C stays what it is.
            now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            now.special_codes[SpecialCodeIndex::VMIN] = 1;
            now.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _ = tcsetattr(&stdin, OptionalActions::Now, &now);
        }
        let (send, pressed) = unbounded_channel();
        // Ends with the process: a read of a terminal cannot be given up.
        std::thread::spawn(move || {
            for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
                if let Some(key) = Key::of(byte)
                    && send.send(key).is_err()
                {
                    return;
                }
            }
        });
        Self { pressed: Some(pressed) }
    }

    /// Whether there are any.
    pub fn there(&self) -> bool {
        self.pressed.is_some()
    }

    /// The next key; never without a terminal.
    pub async fn next(&mut self) -> Key {
        if let Some(pressed) = &mut self.pressed
            && let Some(key) = pressed.recv().await
        {
            return key;
        }
        std::future::pending().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_both_cases_and_no_other() {
        assert_eq!(Key::of(b'r'), Some(Key::Again));
        assert_eq!(Key::of(b'T'), Some(Key::All));
        assert_eq!(Key::of(b'i'), Some(Key::Hint));
        assert_eq!(Key::of(b'o'), Some(Key::Open));
        assert_eq!(Key::of(b'q'), Some(Key::Quit));
        assert_eq!(Key::of(4), Some(Key::Quit));
        for byte in [b'x', b'\n', 27, 0, 255] {
            assert_eq!(Key::of(byte), None, "{byte}");
        }
    }

    #[test]
    fn the_footer_names_every_key() {
        for (letter, key) in [("r ", Key::Again), ("t ", Key::All), ("i ", Key::Hint), ("o ", Key::Open)] {
            assert!(FOOTER.contains(letter) && Key::of(letter.as_bytes()[0]) == Some(key));
        }
    }
}
