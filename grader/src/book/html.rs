//! The HTML that mdBook writes, as a list of tokens. Attributes are always quoted there.

/// A piece of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Text, entities included.
    Text(&'a str),
    /// `<name attributes>`.
    Open(Tag<'a>),
    /// `</name>`.
    Close(&'a str, &'a str),
    /// Comment, doctype, content of a script or of a style.
    Raw(&'a str),
}

/// An opening tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Name, as written.
    pub name: &'a str,
    /// The whole tag.
    pub raw: &'a str,
}

impl Tag<'_> {
    /// Value of an attribute, entities decoded; empty when it has none.
    pub fn attr(&self, name: &str) -> Option<String> {
        let inside = self.raw.get(1 + self.name.len()..self.raw.len() - 1)?;
        let mut rest = inside.trim_end_matches('/').trim_start();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            let (value, next) = match after.strip_prefix("=\"") {
                Some(quoted) => quoted.split_once('"')?,
                None => match after.strip_prefix('=') {
                    Some(bare) => bare.split_at(bare.find(char::is_whitespace).unwrap_or(bare.len())),
                    None => ("", after),
                },
            };
            if key.eq_ignore_ascii_case(name) {
                return Some(decode(value));
            }
            rest = next.trim_start();
        }
        None
    }

    /// True for elements without a closing tag.
    pub fn is_void(&self) -> bool {
        self.raw.ends_with("/>")
            || matches!(
                self.name,
                "area" | "base" | "br" | "col" | "hr" | "img" | "input" | "link" | "meta" | "source"
            )
    }
}

/// Cuts a page into tokens; putting them together again gives the page.
pub fn tokens(html: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            found.push(Token::Text(rest));
            break;
        };
        if at > 0 {
            found.push(Token::Text(&rest[..at]));
            rest = &rest[at..];
        }
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map_or(rest.len(), |e| e + 3)
        } else {
            tag_end(rest)
        };
        let (raw, after) = rest.split_at(end);
        rest = after;
        if raw.starts_with("<!") {
            found.push(Token::Raw(raw));
        } else if let Some(name) = raw.strip_prefix("</") {
            found.push(Token::Close(name.trim_end_matches('>').trim(), raw));
        } else {
            let inside = &raw[1..];
            let width =
                inside.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).unwrap_or(inside.len());
            let tag = Tag { name: &inside[..width], raw };
            found.push(Token::Open(tag));
            if matches!(tag.name, "script" | "style") {
                let close = rest.find(&format!("</{}", tag.name)).unwrap_or(rest.len());
                found.push(Token::Raw(&rest[..close]));
                rest = &rest[close..];
            }
        }
    }
    found
}

/// End of a tag, quoted attributes skipped.
fn tag_end(text: &str) -> usize {
    let mut quote = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quote = !quote,
            '>' if !quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The few entities that mdBook writes.
pub fn decode(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&nbsp;", "\u{a0}")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_attributes() {
        let page = r#"<p class="a b" id="x&amp;y">Un <code>a &lt; b</code><br>"c"</p><script>if (a < b) {}</script>"#;
        let all = tokens(page);
        let Token::Open(tag) = all[0] else { panic!("{all:?}") };
        assert_eq!((tag.name, tag.attr("id").as_deref(), tag.attr("href")), ("p", Some("x&y"), None));
        assert!(all.contains(&Token::Raw("if (a < b) {}")));
        let again: String = all
            .iter()
            .map(|t| match t {
                Token::Text(t) | Token::Raw(t) | Token::Close(_, t) => *t,
                Token::Open(tag) => tag.raw,
            })
            .collect();
        assert_eq!(again, page);
    }

    #[test]
    fn attributes_without_value() {
        let all = tokens(r#"<input hidden type="radio" data-juste="oui" />"#);
        let Token::Open(tag) = all[0] else { panic!("{all:?}") };
        assert_eq!(tag.attr("hidden").as_deref(), Some(""));
        assert_eq!(tag.attr("data-juste").as_deref(), Some("oui"));
        assert!(tag.is_void());
    }
}
