//! Lines of text for a terminal of a given width. Every string that enters a page is made safe
//! here, so nothing above can forget to.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use crate::french::typeset;
use crate::reporter::clean;

/// Column at which the text of a label begins.
const COLUMN: usize = 11;
/// Narrower than this, lines run over rather than break at every word.
const NARROWEST: usize = 40;
/// Wider than this, lines are tiring to read.
const WIDEST: usize = 100;

/// What a piece of text is; decides its colour, when there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Running text.
    Plain,
    /// Titles.
    Strong,
    /// « acquis ».
    Good,
    /// « manqué », « refusé ».
    Bad,
    /// « non noté », remarks.
    Doubt,
    /// Labels, gutters.
    Dim,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default().bold(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Doubt => AnsiColor::Yellow.on_default().bold(),
            Self::Dim => AnsiColor::Cyan.on_default(),
        }
    }
}

/// A page being written.
pub struct Page {
    width: usize,
    color: bool,
    text: String,
}

impl Page {
    /// An empty page; `width` is the terminal's.
    pub fn new(width: usize, color: bool) -> Self {
        Self { width: width.clamp(NARROWEST, WIDEST), color, text: String::new() }
    }

    /// Columns that lines may take.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The text written so far.
    pub fn into_text(self) -> String {
        self.text
    }

    /// An empty line, unless the page ends with one already (or is empty).
    pub fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// One line made of pieces, as they are; spaces at its end are dropped.
    pub fn line(&mut self, pieces: &[(Tone, &str)]) {
        let mut pieces: Vec<(Tone, String)> =
            pieces.iter().map(|(tone, piece)| (*tone, clean::visible(piece))).collect();
        while let Some((_, last)) = pieces.last_mut() {
            last.truncate(last.trim_end().len());
            if !last.is_empty() {
                break;
            }
            pieces.pop();
        }
        for (tone, piece) in &pieces {
            let style = tone.style();
            if self.color && *tone != Tone::Plain && !piece.trim().is_empty() {
                let _ = write!(self.text, "{style}{piece}{style:#}");
            } else {
                self.text.push_str(piece);
            }
        }
        self.text.push('\n');
    }

    /// A title: `symbol text … right`, the text wrapped under itself.
    pub fn title(&mut self, tone: Tone, symbol: &str, text: &str, right: &str) {
        self.item(tone, symbol, Tone::Strong, text, right);
    }

    /// Like a title, in running text.
    pub fn item(&mut self, tone: Tone, symbol: &str, body: Tone, text: &str, right: &str) {
        let hang = symbol.width() + 1;
        let room = self.width - hang;
        let reserved = if right.is_empty() { 0 } else { right.width() + 2 };
        let lines = wrap(&typeset(&clean::inline(text)), room - reserved, room);
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                self.line(&[(Tone::Plain, &" ".repeat(hang)), (body, line)]);
                continue;
            }
            let gap = (room - reserved.min(room)).saturating_sub(line.width()) + 2;
            let end = if right.is_empty() { String::new() } else { format!("{}{right}", " ".repeat(gap)) };
            self.line(&[(tone, symbol), (Tone::Plain, " "), (body, line), (Tone::Plain, &end)]);
        }
    }

    /// A labelled text; its own line breaks and their indents are kept, the rest is wrapped.
    pub fn field(&mut self, label: &str, text: &str) {
        self.wide_field(label, COLUMN, text);
    }

    /// A labelled text whose text begins at `column`.
    pub fn wide_field(&mut self, label: &str, column: usize, text: &str) {
        let mut label = label;
        for line in clean::block(text) {
            let line = typeset(&line);
            let body = line.trim_start_matches(' ');
            let indent = (line.len() - body.len()).min(self.width / 4);
            let room = self.width - column - indent;
            for piece in wrap(body, room, room) {
                self.labelled(label, column, &format!("{}{piece}", " ".repeat(indent)));
                label = "";
            }
        }
    }

    /// A labelled command: neither wrapped nor typeset, so that it can be copied.
    pub fn command(&mut self, label: &str, command: &str) {
        let mut label = label;
        for line in clean::block(command) {
            self.labelled(label, COLUMN, &line);
            label = "";
        }
    }

    fn labelled(&mut self, label: &str, column: usize, text: &str) {
        let pad = " ".repeat(column.saturating_sub(2 + label.width()));
        self.line(&[(Tone::Plain, "  "), (Tone::Dim, label), (Tone::Plain, &pad), (Tone::Plain, text)]);
    }

    /// Running text, wrapped at the left margin.
    pub fn text(&mut self, tone: Tone, text: &str) {
        for line in wrap(&typeset(&clean::inline(text)), self.width, self.width) {
            self.line(&[(tone, &line)]);
        }
    }
}

/// Breaks `text` at plain spaces into lines of `first`, then `rest` columns. Spaces inside a line
/// are kept; a word longer than a line is broken.
pub fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let (first, rest) = (first.max(8), rest.max(8));
    let mut lines: Vec<String> = vec![String::new()];
    let mut spaces = 0;
    for word in text.split(' ') {
        if word.is_empty() {
            spaces += 1;
            continue;
        }
        let room = if lines.len() == 1 { first } else { rest };
        let current = lines.last_mut().map_or(0, |line| line.width());
        if current > 0 && current + spaces + word.width() > room {
            lines.push(String::new());
        } else if let Some(line) = lines.last_mut() {
            line.push_str(&" ".repeat(spaces));
        }
        spaces = 1;
        for c in word.chars() {
            let room = if lines.len() == 1 { first } else { rest };
            let full = lines.last().is_some_and(|line| {
                let mut longer = line.clone();
                longer.push(c);
                !line.is_empty() && longer.width() > room
            });
            if full {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_words() {
        assert_eq!(wrap("un deux trois quatre", 8, 12), ["un deux", "trois quatre"]);
        assert_eq!(wrap("abcdefghijkl", 8, 8), ["abcdefgh", "ijkl"]);
        assert_eq!(wrap("a  b", 8, 8), ["a  b"]);
        assert_eq!(wrap("", 8, 8), [""]);
    }

    proptest::proptest! {
        #[test]
        fn wrapping_loses_no_word(text in "[a-zé«» ]{0,200}", width in 8_usize..60) {
            let lines = wrap(&text, width, width);
            let bare = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            proptest::prop_assert_eq!(bare(&lines.concat()), bare(&text));
            proptest::prop_assert!(lines.iter().all(|line| line.trim_end().width() <= width));
        }
    }
}
