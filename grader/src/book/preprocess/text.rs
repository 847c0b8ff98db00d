//! Small pieces of Markdown and HTML.

/// Follows fenced code, so that what is inside is left alone.
#[derive(Default)]
pub struct Fence {
    open: Option<(char, usize)>,
}

impl Fence {
    /// True between the opening line and the closing one.
    pub fn inside(&self) -> bool {
        self.open.is_some()
    }

    /// Takes one more line; true when that line is part of a fence, its marks included.
    pub fn see(&mut self, line: &str) -> bool {
        // A fence in a list or in a quotation is indented, or comes after `>`.
        let line = line.trim_start_matches([' ', '>']);
        let first = line.chars().next().filter(|c| matches!(c, '`' | '~'));
        let count = first.map_or(0, |f| line.chars().take_while(|c| *c == f).count());
        match self.open {
            None if count >= 3 && !line[count..].contains('`') => {
                self.open = first.map(|f| (f, count));
                true
            }
            None => false,
            Some((mark, width)) => {
                if first == Some(mark) && count >= width && line[count..].trim().is_empty() {
                    self.open = None;
                }
                true
            }
        }
    }
}

/// Text in HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The inline Markdown of titles, choices and labels: code, strong and emphasis.
pub fn inline(text: &str) -> String {
    let mut out = String::new();
    for (at, piece) in text.split('`').enumerate() {
        if at % 2 == 1 {
            out.push_str(&format!("<code>{}</code>", escape(piece)));
        } else {
            out.push_str(&pairs(&pairs(&escape(piece), "**", "strong"), "*", "em"));
        }
    }
    out
}

/// Replaces pairs of `mark` by an element; a lonely mark stays.
fn pairs(text: &str, mark: &str, tag: &str) -> String {
    let pieces: Vec<&str> = text.split(mark).collect();
    if pieces.len().is_multiple_of(2) {
        return text.to_owned();
    }
    let mut out = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        if at % 2 == 1 {
            out.push_str(&format!("<{tag}>{piece}</{tag}>"));
        } else {
            out.push_str(piece);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_markdown() {
        assert_eq!(
            inline("le nom `a<b` est **là**, *ici*"),
            "le nom <code>a&lt;b</code> est <strong>là</strong>, <em>ici</em>"
        );
        assert_eq!(inline("2 * 3"), "2 * 3");
    }

    #[test]
    fn fences_are_followed() {
        let mut fence = Fence::default();
        let seen: Vec<bool> =
            ["a", "```yaml", "# not a title", "````", "b"].iter().map(|l| fence.see(l)).collect();
        assert_eq!(seen, [false, true, true, true, false]);
        let mut fence = Fence::default();
        assert!(fence.see("> ```bash") && fence.see("> x") && fence.see("> ```") && !fence.inside());
        assert!(!fence.see("```a``` in a line"));
    }
}
