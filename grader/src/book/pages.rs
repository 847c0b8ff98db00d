//! Finishing touches on every page: French spaces, the place of the page in the table of contents, the index.

use std::path::Path;

use super::html::{Token, decode, tokens};
use super::{BookError, Material, search};
use crate::french;

/// Pages that are not chapters.
pub const EXTRA: &[&str] = &["index.html", "print.html", "404.html"];

/// Code of so many characters stays on one line.
const SHORT: usize = 22;

/// Name of the search index.
pub const INDEX: &str = "recherche-index.js";

/// Finishes the pages of `out`; returns how many chapters there are.
pub fn finish(out: &Path, material: &Material) -> Result<usize, BookError> {
    let mut sections = Vec::new();
    let mut chapters = 0;
    let first = first_chapter(material)?;
    for file in html_files(out) {
        let path = out.join(&file);
        let html = super::material::read(&path)?;
        // The one text of mdBook's that no template reaches.
        let html = typeset(&html.replace("<title>Page not found", "<title>Page introuvable"));
        let here = if file == "index.html" { first.as_str() } else { file.as_str() };
        let html = mark_place(&html, here);
        std::fs::write(&path, &html).map_err(|e| BookError::io(&path, &e))?;
        if !EXTRA.contains(&file.as_str()) {
            chapters += 1;
            sections.extend(search::sections(&file, &html));
        }
    }
    let index = out.join(INDEX);
    std::fs::write(&index, search::script(&sections)).map_err(|e| BookError::io(&index, &e))?;
    Ok(chapters)
}

/// HTML files of a build, sorted.
pub fn html_files(out: &Path) -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(out)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| super::material::extension(n) == "html")
        .collect();
    files.sort();
    files
}

/// The page that `index.html` repeats.
fn first_chapter(material: &Material) -> Result<String, BookError> {
    let summary = super::material::read(&material.book.join("src").join("SUMMARY.md"))?;
    let link = summary.split_once("](").and_then(|(_, rest)| rest.split_once(".md)"));
    Ok(link.map_or_else(String::new, |(name, _)| format!("{name}.html")))
}

/// Puts no-break spaces in the text of a page, code left alone.
pub fn typeset(html: &str) -> String {
    let mut out = String::with_capacity(html.len() + 256);
    let mut code = 0_usize;
    let tokens = tokens(html);
    for (at, token) in tokens.iter().copied().enumerate() {
        match token {
            Token::Open(tag) => {
                // A short word of code is not cut at the end of a line.
                let short = tokens
                    .get(at + 1)
                    .is_some_and(|t| matches!(t, Token::Text(t) if t.chars().count() <= SHORT));
                out.push_str(if code == 0 && tag.raw == "<code>" && short {
                    "<code class=\"court\">"
                } else {
                    tag.raw
                });
                code += usize::from(is_code(tag.name));
            }
            Token::Close(name, raw) => {
                code = code.saturating_sub(usize::from(is_code(name)));
                out.push_str(raw);
            }
            Token::Text(text) if code == 0 => out.push_str(&typeset_text(text)),
            Token::Text(raw) | Token::Raw(raw) => out.push_str(raw),
        }
    }
    out
}

fn is_code(name: &str) -> bool {
    matches!(name, "pre" | "code" | "kbd" | "samp" | "textarea")
}

/// As [`french::typeset`], also at the edges, where the neighbour is in another element (`« <code>`).
fn typeset_text(text: &str) -> String {
    let (left, right) = (text.starts_with(' '), text.ends_with(' ') && text.len() > 1);
    let framed = format!("{}{text}{}", if left { "x" } else { "" }, if right { "x" } else { "" });
    // Line ends are spaces too: a `:` at the start of a source line must not start a line.
    let set = french::typeset(&join_lines(&framed));
    let set = if left { &set[1..] } else { &set };
    let set = &lab_numbers(set);
    apostrophes(if right { &set[..set.len() - 1] } else { set })
}

/// « TP 02 » stays on one line.
fn lab_numbers(text: &str) -> String {
    let mut pieces = text.split("TP ");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(if piece.starts_with(|c: char| c.is_ascii_digit()) { "TP\u{a0}" } else { "TP " });
        out.push_str(piece);
    }
    out
}

/// The printer's apostrophe, after a letter (`l'API`, `« l'<code>`).
fn apostrophes(text: &str) -> String {
    let text = text.replace("&#x27;", "'").replace("&#39;", "'");
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        out.push(if c == '\'' && before.is_alphabetic() { '’' } else { c });
        before = c;
    }
    out
}

/// A line end before a high mark, or after an opening guillemet, as a plain space.
fn join_lines(text: &str) -> String {
    let mut out = text.to_owned();
    for (from, to) in
        [("\n:", " :"), ("\n;", " ;"), ("\n!", " !"), ("\n?", " ?"), ("\n»", " »"), ("«\n", "« ")]
    {
        if out.contains(from) {
            out = out.replace(from, to);
        }
    }
    out
}

/// Marks the page in the table of contents and lists its sections there.
fn mark_place(html: &str, file: &str) -> String {
    // mdBook wraps separators and titles of parts in a chapter's item.
    let html = html
        .replace(
            "<li class=\"chapter-item expanded \"><li class=\"part-title\">",
            "<li class=\"part-title\">",
        )
        .replace("<li class=\"chapter-item expanded \"><li class=\"spacer\">", "<li class=\"spacer\">");
    let Some(nav) = html.find("id=\"sommaire\"") else { return html };
    let link = format!("<a href=\"{file}\">");
    let Some(at) = html[nav..].find(&link).map(|i| nav + i) else { return html };
    let Some(end) = html[at..].find("</span>").map(|i| at + i + "</span>".len()) else { return html };
    let list: String = headings(&html)
        .iter()
        .map(|(id, title)| format!("<li><a href=\"{file}#{id}\">{title}</a></li>"))
        .collect();
    let list = if list.is_empty() { list } else { format!("<ol class=\"ici\">{list}</ol>") };
    let after_link = at + link.len();
    format!(
        "{}<a href=\"{file}\" aria-current=\"page\">{}{list}{}",
        &html[..at],
        &html[after_link..end],
        &html[end..]
    )
}

/// Ids and titles (HTML text) of the headings of level 2 of the main text.
fn headings(html: &str) -> Vec<(String, String)> {
    let Some(main) = html.find("<main") else { return Vec::new() };
    let mut found: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for token in tokens(&html[main..]) {
        match token {
            Token::Open(tag) if tag.name == "h2" => {
                if let Some(id) = tag.attr("id") {
                    open = true;
                    found.push((id, String::new()));
                }
            }
            Token::Close("h2", _) => open = false,
            Token::Close("main", _) => break,
            Token::Text(text) if open => {
                if let Some((_, title)) = found.last_mut() {
                    title.push_str(text);
                }
            }
            _ => {}
        }
    }
    found.retain(|(id, title)| !decode(title).trim().is_empty() && !id.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_set_across_elements() {
        assert_eq!(
            typeset("<p>« <code>a : b</code> » : oui\n? non</p>"),
            "<p>«\u{202f}<code class=\"court\">a : b</code>\u{202f}»\u{a0}: oui\u{202f}? non</p>"
        );
        assert_eq!(typeset("<a title=\"a : b\">l'API</a>"), "<a title=\"a : b\">l’API</a>");
    }

    #[test]
    fn the_page_is_marked_in_the_contents() {
        let html = "<nav id=\"sommaire\"><li class=\"chapter-item expanded \"><span><a href=\"a.html\">A</a></span></li></nav>\
                    <main><h2 id=\"x\"><a href=\"#x\">X &amp; Y</a></h2></main>";
        let marked = mark_place(html, "a.html");
        assert!(marked.contains("<a href=\"a.html\" aria-current=\"page\">A</a></span><ol class=\"ici\"><li><a href=\"a.html#x\">X &amp; Y</a></li></ol>"), "{marked}");
    }
}
