//! Markdown as forges render it (tables, HTML, mentions, links made from bare addresses).

use std::fmt::Write as _;

use crate::french;
use crate::reporter::clean;

/// A Markdown text in the making. Only texts of this program enter it as they are: the others are foreign.
#[derive(Clone, Debug, Default)]
pub struct Markdown(String);

impl Markdown {
    /// Markup or words of this program.
    pub fn ours(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// A foreign text on one line, cut when long; also fit for a table's cell.
    pub fn text(&mut self, text: &str) -> &mut Self {
        encode(&mut self.0, &french::typeset(&clean::inline(text)));
        self
    }

    /// The same over several lines, cut when long.
    pub fn lines(&mut self, text: &str) -> &mut Self {
        for (index, line) in clean::block(text).iter().enumerate() {
            if index > 0 {
                self.0.push_str("<br>");
            }
            encode(&mut self.0, &french::typeset(line));
        }
        self
    }

    /// A foreign text shown as code, on one line; also fit for a table's cell.
    pub fn code(&mut self, text: &str) -> &mut Self {
        self.0.push_str("<code>");
        encode(&mut self.0, &clean::inline(text));
        self.0.push_str("</code>");
        self
    }

    /// Foreign lines shown as they are, a block of their own.
    pub fn fence(&mut self, text: &str) -> &mut Self {
        let lines = clean::block(text);
        let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = write!(self.0, "\n\n{fence}text\n{}\n{fence}\n\n", lines.join("\n"));
        self
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a whole part.
    pub fn append(&mut self, part: &Self) -> &mut Self {
        self.0.push_str(&part.0);
        self
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Every ASCII sign becomes a reference, which never means markup. After `@` and `#` a word joiner
/// keeps a forge from making a mention or a link to an issue of what follows.
fn encode(out: &mut String, text: &str) {
    let last = text.chars().count().saturating_sub(1);
    for (index, c) in text.chars().enumerate() {
        match c {
            '@' | '#' => _ = write!(out, "&#{};&#8288;", u32::from(c)),
            ',' | '\'' | ';' => out.push(c),
            ' ' if index == 0 || index == last => out.push_str("&#32;"),
            _ if c.is_ascii_punctuation() => _ = write!(out, "&#{};", u32::from(c)),
            _ => out.push(c),
        }
    }
}
