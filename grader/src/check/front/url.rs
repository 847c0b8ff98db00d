//! Addresses as a browser reads them: what is relative starts from the page.

/// Where a reference leads, seen from the page at `base` on host `host`; `Err` gives another host, or the same one by
/// another scheme, which nobody may listen to.
pub fn resolve(host: &str, base: &str, reference: &str) -> Result<String, String> {
    from_page(host, base, reference, false)
}

/// The same from a page served by HTTPS: what is asked in clear is redirected to it.
pub fn resolve_secure(host: &str, base: &str, reference: &str) -> Result<String, String> {
    from_page(host, base, reference, true)
}

fn from_page(host: &str, base: &str, reference: &str, page_is_secure: bool) -> Result<String, String> {
    let reference = reference.split('#').next().unwrap_or_default().trim();
    let secure =
        if reference.starts_with("//") { page_is_secure } else { starts_with(reference, "https://") };
    let rest = reference.strip_prefix("//").or_else(|| {
        let scheme = ["http://", "https://"].iter().find(|s| starts_with(reference, s))?;
        reference.get(scheme.len()..)
    });
    if let Some(rest) = rest {
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let name = authority.strip_suffix(if secure { ":443" } else { ":80" }).unwrap_or(authority);
        if secure && !page_is_secure {
            return Err(format!("https://{authority}"));
        }
        if !name.eq_ignore_ascii_case(host) {
            return Err(authority.to_owned());
        }
        return Ok(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") });
    }
    if reference.starts_with('/') {
        return Ok(reference.to_owned());
    }
    let page = base.split('?').next().unwrap_or_default();
    if reference.starts_with('?') {
        return Ok(format!("{page}{reference}"));
    }
    let folder = page.rfind('/').map_or("", |at| &page[..at]);
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    let mut parts: Vec<&str> = folder.split('/').collect();
    let steps: Vec<&str> = path.split('/').collect();
    for step in &steps {
        match *step {
            ".." if parts.len() > 1 => drop(parts.pop()),
            "." | ".." => {}
            other => parts.push(other),
        }
    }
    if matches!(steps.last(), Some(&("." | ".."))) {
        parts.push("");
    }
    Ok(format!("{}{query}", parts.join("/")))
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Values of an attribute in a page, as they are written.
pub fn links(page: &str, attribute: &str) -> Vec<String> {
    let mut found = Vec::new();
    let low = page.to_ascii_lowercase();
    for (at, _) in low.match_indices(attribute) {
        // The end of another attribute (`data-href`) is not this one.
        if page[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            continue;
        }
        let part = page[at + attribute.len()..].trim_start();
        let Some(value) = part.strip_prefix('=').map(str::trim_start) else { continue };
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
            _ => value.split(|c: char| c.is_whitespace() || c == '>').next(),
        };
        found.push(value.unwrap_or_default().replace("&amp;", "&"));
    }
    found
}

/// References of a page to style sheets, as they are written.
pub fn sheets(page: &str) -> Vec<String> {
    let is_sheet = |value: &String| {
        value.split(['?', '#']).next().is_some_and(|path| path.to_ascii_lowercase().ends_with(".css"))
    };
    links(page, "href").into_iter().filter(is_sheet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_a_browser_does() {
        let at = |reference| resolve("localhost", "/app1/", reference);
        assert_eq!(at("static/style.css"), Ok("/app1/static/style.css".into()));
        assert_eq!(at("/static/style.css"), Ok("/static/style.css".into()));
        assert_eq!(at("./a?b=1#c"), Ok("/app1/a?b=1".into()));
        assert_eq!(at("../app2/"), Ok("/app2/".into()));
        assert_eq!(at(".."), Ok("/".into()));
        assert_eq!(at("http://localhost:80/x"), Ok("/x".into()));
        assert_eq!(at("HTTP://LOCALHOST/x"), Ok("/x".into()));
        assert_eq!(at("//app1:8000/x"), Err("app1:8000".into()));
        assert_eq!(at("http://localhost:8080/x"), Err("localhost:8080".into()));
        assert_eq!(at("https://localhost/x"), Err("https://localhost".into()));
        assert_eq!(resolve_secure("localhost", "/", "https://localhost:443/x"), Ok("/x".into()));
        assert_eq!(resolve_secure("localhost", "/", "//localhost/x"), Ok("/x".into()));
        assert_eq!(at("?a=1"), Ok("/app1/?a=1".into()));
        assert_eq!(resolve("localhost", "/app1/depart?x=1", "arrivee"), Ok("/app1/arrivee".into()));
        assert_eq!(resolve("localhost", "/app1", "arrivee"), Ok("/arrivee".into()));
    }

    #[test]
    fn sheets_of_a_page() {
        let page = "<a href='/x'>x</a><link rel=stylesheet href=\"/a/b.css?v=1\"><link href = 'c.css'><link href=d.css>";
        assert_eq!(sheets(page), ["/a/b.css?v=1", "c.css", "d.css"]);
        assert_eq!(sheets("<LINK REL=stylesheet HREF='/a.css' DATA-HREF='/b.css'>"), ["/a.css"]);
        assert!(sheets("<p>href</p>").is_empty());
    }
}
