//! The search index: one entry a section, as the reader sees it. Accents and plurals are folded by the page's
//! script, on the words of the index and on those of the question alike.

use serde::Serialize;

use super::html::{Token, decode, tokens};

/// A section of a page.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Address, anchor included.
    pub u: String,
    /// Chapter.
    pub c: String,
    /// Heading, empty for what comes before the first one.
    pub t: String,
    /// Text.
    pub x: String,
}

/// Sections of a page: what follows a heading of level 1 to 3 that has an id.
pub fn sections(file: &str, html: &str) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    let mut chapter = String::new();
    let (mut in_main, mut heading, mut silent) = (false, None::<&str>, 0_usize);
    for token in tokens(html) {
        match token {
            Token::Open(tag) if tag.name == "main" => in_main = true,
            Token::Close("main", _) => break,
            _ if !in_main => {}
            Token::Open(tag) => {
                // Titles of diagrams are said by their text; buttons and menus say nothing.
                if silent > 0 || tag.name == "button" || tag.name == "svg" {
                    silent += usize::from(!tag.is_void());
                } else if matches!(tag.name, "h1" | "h2" | "h3") && tag.attr("id").is_some() {
                    heading = Some(tag.name);
                    let anchor = tag.attr("id").unwrap_or_default();
                    let u = if tag.name == "h1" { file.to_owned() } else { format!("{file}#{anchor}") };
                    found.push(Section { u, c: chapter.clone(), ..Section::default() });
                } else if let Some(section) = found.last_mut().filter(|_| !is_inline(tag.name)) {
                    section.x.push(' ');
                }
            }
            Token::Close(name, _) => {
                if silent > 0 {
                    silent -= 1;
                } else if heading == Some(name) {
                    heading = None;
                    if name == "h1"
                        && let Some(section) = found.last_mut()
                    {
                        chapter.clone_from(&section.t);
                        section.c.clone_from(&section.t);
                    }
                } else if let Some(section) = found.last_mut().filter(|_| !is_inline(name)) {
                    section.x.push(' ');
                }
            }
            Token::Text(text) if silent == 0 => {
                if let Some(section) = found.last_mut() {
                    let into = if heading.is_some() { &mut section.t } else { &mut section.x };
                    into.push_str(&decode(text));
                }
            }
            Token::Text(_) | Token::Raw(_) => {}
        }
    }
    for section in &mut found {
        section.t = squeeze(&section.t);
        section.c = squeeze(&section.c);
        section.x = squeeze(&section.x);
    }
    found
}

/// Elements that do not part words.
fn is_inline(name: &str) -> bool {
    matches!(name, "a" | "b" | "code" | "em" | "i" | "kbd" | "span" | "strong")
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A script, because a page opened from the disk may load a script and nothing else.
pub fn script(sections: &[Section]) -> String {
    let json = serde_json::to_string(sections).unwrap_or_default();
    // `</script>` cannot occur in a file that is loaded, but costs nothing to forbid.
    format!("window.tpIndex = {};\n", json.replace("</", "<\\/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_holds_what_follows_its_heading() {
        let html = "<nav>Menu</nav><main><h1 id=\"a\"><a href=\"#a\">Réseaux</a></h1><p>Un <b>pont</b>.</p>\
                    <h2 id=\"dns\">Noms</h2><svg><title>x</title><path/></svg><p>127.0.0.11 &amp; co</p></main>";
        let found = sections("r.html", html);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].u.as_str(), found[0].t.as_str(), found[0].x.as_str()),
            ("r.html", "Réseaux", "Un pont.")
        );
        assert_eq!((found[1].u.as_str(), found[1].c.as_str()), ("r.html#dns", "Réseaux"));
        assert_eq!(found[1].x, "127.0.0.11 & co");
    }
}
