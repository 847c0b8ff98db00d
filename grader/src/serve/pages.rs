//! The built book, held in memory: a path either is the name of one of its files or is nothing, so none can
//! lead elsewhere. The pages of the labs get the panel, which the plain book does not have.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::assets;

/// A file as it is sent.
#[derive(Clone)]
pub struct Page {
    /// `Content-Type`.
    pub kind: &'static str,
    /// Body.
    pub body: Bytes,
    /// Hashes of its inline scripts, and of its style attributes, as a policy names them.
    pub allowed: (String, String),
    /// The page of a terminal: it may be framed by ours, and its library writes style elements.
    pub is_terminal: bool,
}

/// Every file of the site, by path from the root (`css/general.css`).
pub struct Pages(HashMap<String, Page>);

impl Pages {
    /// Reads a built book. `labs` gives the page (without `.html`) and the id of each lab.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub fn load(book: &Path, labs: &[(String, String)]) -> io::Result<Self> {
        let mut pages = HashMap::new();
        read(book, "", &mut pages)?;
        for (slug, lab) in labs {
            if let Some(page) = pages.get_mut(&format!("{slug}.html")) {
                page.body = with_panel(&page.body, lab).into();
            }
        }
        for (path, kind, body) in assets::ALL {
            let is_terminal = *path == assets::TERMINAL;
            let page =
                Page { kind, body: Bytes::from_static(body), allowed: Default::default(), is_terminal };
            pages.insert((*path).to_owned(), page);
        }
        Ok(Self(pages))
    }

    /// The file that a path of a request names.
    pub fn find(&self, path: &str) -> Option<&Page> {
        let path = path.strip_prefix('/')?;
        let path = if path.is_empty() { "index.html" } else { path };
        self.0.get(path)
    }

    /// What is shown for anything else.
    pub fn missing(&self) -> Option<&Page> {
        self.0.get("404.html")
    }
}

fn read(dir: &Path, inside: &str, pages: &mut HashMap<String, Page>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{inside}{name}");
        if entry.file_type()?.is_dir() {
            read(&entry.path(), &format!("{path}/"), pages)?;
        } else if !name.starts_with('.') {
            let body = std::fs::read(entry.path())?;
            let kind = content_type(&name);
            let html = kind.starts_with("text/html").then(|| String::from_utf8_lossy(&body));
            let allowed = html.map(|html| (scripts(&html), styles(&html))).unwrap_or_default();
            pages.insert(path, Page { kind, body: body.into(), allowed, is_terminal: false });
        }
    }
    Ok(())
}

fn content_type(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

/// The page of a lab, with what makes it live.
fn with_panel(body: &[u8], lab: &str) -> String {
    let html = String::from_utf8_lossy(body);
    let style = format!("<link rel=\"stylesheet\" href=\"/{}\">\n</head>", assets::PANEL_STYLE);
    let script =
        format!("<script type=\"module\" src=\"/{}\" data-tp=\"{lab}\"></script>\n</body>", assets::PANEL);
    html.replacen("</head>", &style, 1).replacen("</body>", &script, 1)
}

/// Hashes of the inline scripts of a page.
fn scripts(html: &str) -> String {
    let bodies = html.split("<script>").skip(1).filter_map(|rest| rest.split_once("</script>"));
    hashes(bodies.map(|(body, _)| body))
}

/// Hashes of the style attributes of a page (mdBook writes some for the columns of tables).
fn styles(html: &str) -> String {
    let values = html.split(" style=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    hashes(values.map(|(value, _)| value))
}

fn hashes<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let different: BTreeSet<&str> = texts.collect();
    different.iter().map(|t| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(t)))).collect()
}

/// `Content-Security-Policy` of a page, for a server reached as `host`.
pub fn policy(page: &Page, host: &str) -> String {
    if page.is_terminal {
        return format!(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws://{host}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        );
    }
    let (scripts, styles) = &page.allowed;
    let attributes = if styles.is_empty() { "" } else { " 'unsafe-hashes'" };
    format!(
        "default-src 'none'; script-src 'self'{scripts}; style-src 'self'{attributes}{styles}; img-src 'self' data:; \
         font-src 'self'; connect-src 'self' ws://{host}; frame-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> (tempfile::TempDir, Pages) {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("written");
        };
        write("livre/index.html", "<html><head></head><body><script>a()</script></body></html>");
        write("livre/02-x.html", "<html><head></head><body><td style=\"text-align: right\"></body></html>");
        write("livre/css/general.css", "");
        write("livre/.marque", "");
        write("secret.txt", "secret");
        let labs = [("02-x".to_owned(), "02".to_owned())];
        let pages = Pages::load(&dir.path().join("livre"), &labs).expect("read");
        (dir, pages)
    }

    #[test]
    fn only_the_files_of_the_book_have_a_path() {
        let (_dir, pages) = book();
        assert!(pages.find("/").is_some_and(|p| p.body.starts_with(b"<html>")));
        assert!(pages.find("/css/general.css").is_some_and(|p| p.kind.starts_with("text/css")));
        for bad in [
            "/../secret.txt",
            "/..%2fsecret.txt",
            "/%2e%2e/secret.txt",
            "//index.html",
            "/css/../../secret.txt",
            "/css/",
            "/css",
            "/.marque",
            "/./index.html",
            "index.html",
            "/index.html%00.css",
            "/secret.txt",
            "",
        ] {
            assert!(pages.find(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_panel_comes_with_the_labs_only() {
        let (_dir, pages) = book();
        let text = |path: &str| String::from_utf8_lossy(&pages.find(path).expect("a page").body).into_owned();
        assert!(!text("/").contains(assets::PANEL));
        assert!(text("/02-x.html").contains("data-tp=\"02\""));
        assert!(text("/02-x.html").contains(assets::PANEL_STYLE));
        assert!(pages.find(&format!("/{}", assets::PANEL)).is_some());
    }

    #[test]
    fn what_is_inline_is_named_by_its_hash() {
        let (_dir, pages) = book();
        let index = policy(pages.find("/").expect("a page"), "127.0.0.1:4000");
        // printf 'a()' | openssl dgst -sha256 -binary | base64
        assert!(
            index.contains("script-src 'self' 'sha256-qVpDBgj7bpq5hMAcGp3AOc79J3Y1Z4HvySTwKrWDoy4='"),
            "{index}"
        );
        assert!(!index.contains("unsafe"), "{index}");
        let lab = policy(pages.find("/02-x.html").expect("a page"), "127.0.0.1:4000");
        assert!(lab.contains("script-src 'self';"), "{lab}");
        assert!(lab.contains("style-src 'self' 'unsafe-hashes' 'sha256-"), "{lab}");
        assert!(!lab.contains("unsafe-inline"), "{lab}");
    }
}
