//! XML 1.0 text.

use quick_junit::XmlString;

use crate::french;
use crate::reporter::clean;

/// A text that an XML document may hold: what is hidden is visible, what XML forbids too. Quoting is the
/// writer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xml(String);

impl Xml {
    /// A foreign text on one line, cut when long.
    pub fn line(text: &str) -> Self {
        Self(allowed(&french::typeset(&clean::inline(text))))
    }

    /// A foreign text of several lines, cut when long.
    pub fn block(text: &str) -> Self {
        let lines: Vec<String> = clean::block(text).iter().map(|line| french::typeset(line)).collect();
        Self(allowed(&lines.join("\n")))
    }

    /// The text, before the writer quotes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Xml> for XmlString {
    fn from(text: Xml) -> Self {
        Self::new(text.0)
    }
}

/// [`clean`] leaves no control character but line ends; U+FFFE and U+FFFF are no characters of XML either.
fn allowed(text: &str) -> String {
    text.replace('\u{fffe}', "⟨U+FFFE⟩").replace('\u{ffff}', "⟨U+FFFF⟩")
}
