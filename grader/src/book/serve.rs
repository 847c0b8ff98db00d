//! `grader book serve`: the built book on loopback, built again when a source changes. Files and nothing
//! else; the student's site with its live button is another command.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Order, build};

const PERIOD: Duration = Duration::from_millis(700);
const HEAD_LIMIT: usize = 16 * 1024;

/// Serves `order.out` until `stop` resolves; `tell` receives what happens, in French.
pub async fn serve(
    order: &Order,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
    tell: &(dyn Fn(String) + Sync),
) {
    let accept = async {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                let root = order.out.clone();
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(Duration::from_secs(10), answer(stream, &root)).await;
                });
            }
        }
    };
    let watch = async {
        let mut seen = newest(order);
        let mut tick = tokio::time::interval(PERIOD);
        loop {
            tick.tick().await;
            let now = newest(order);
            if now != seen {
                seen = now;
                match build(order) {
                    Ok(built) => {
                        tell(format!("reconstruit en {} ms : rechargez la page", built.took.as_millis()));
                    }
                    Err(e) => tell(format!("erreur · {e}")),
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = watch => {}
        () = stop => {}
    }
}

/// Latest change and number of the sources.
fn newest(order: &Order) -> (Option<SystemTime>, usize) {
    let mut folders = vec![order.book.clone(), order.labs.clone()];
    let (mut latest, mut count) = (None, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                let skipped =
                    name == "variants" || name == "images" || name == "node_modules" || path == order.out;
                if !skipped {
                    folders.push(path);
                }
            } else {
                count += 1;
                latest = latest.max(entry.metadata().and_then(|m| m.modified()).ok());
            }
        }
    }
    (latest, count)
}

async fn answer(mut stream: TcpStream, root: &Path) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") && head.len() < HEAD_LIMIT {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&piece[..read]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (status, kind, body) = respond(&head, root);
    let length = body.len();
    let fields = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\
         Content-Security-Policy: default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; frame-ancestors 'none'\r\n\r\n"
    );
    stream.write_all(fields.as_bytes()).await?;
    if !head.starts_with("HEAD ") {
        stream.write_all(&body).await?;
    }
    stream.shutdown().await
}

/// Status, type and body for a request.
fn respond(head: &str, root: &Path) -> (&'static str, &'static str, Vec<u8>) {
    const TEXT: &str = "text/plain; charset=utf-8";
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split_whitespace();
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    if !matches!(method, "GET" | "HEAD") {
        return ("405 Method Not Allowed", TEXT, "lecture seule\n".into());
    }
    // Another name for this address is another site's page trying to read ours.
    let host = lines.find_map(|l| {
        l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case("host")).map(|(_, v)| v.trim())
    });
    let name = host.map(|h| h.rsplit_once(':').map_or(h, |(name, _)| name));
    if !matches!(name, Some("localhost" | "127.0.0.1" | "[::1]")) {
        return ("403 Forbidden", TEXT, "hôte inconnu\n".into());
    }
    match file(root, target) {
        Some(path) => match std::fs::read(&path) {
            Ok(body) => ("200 OK", content_type(&path), body),
            Err(_) => missing(root),
        },
        None => missing(root),
    }
}

fn missing(root: &Path) -> (&'static str, &'static str, Vec<u8>) {
    let body = std::fs::read(root.join("404.html")).unwrap_or_else(|_| "introuvable\n".into());
    ("404 Not Found", "text/html; charset=utf-8", body)
}

/// The file that a target names; plain names only, so that nothing outside `root` can be asked for.
fn file(root: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let mut found = root.to_owned();
    for part in path.split('/').filter(|p| !p.is_empty()) {
        let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !plain || part.starts_with('.') {
            return None;
        }
        found.push(part);
    }
    if path.is_empty() || path.ends_with('/') {
        found.push("index.html");
    }
    found.is_file().then_some(found)
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_book_is_served_and_only_to_its_own_name() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("index.html"), "accueil").expect("written");
        std::fs::write(dir.path().join(".secret"), "x").expect("written");
        let ask =
            |line: &str, host: &str| respond(&format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"), dir.path());
        assert_eq!(ask("GET /", "127.0.0.1:3000").2, b"accueil");
        assert_eq!(ask("GET /index.html?x", "localhost").0, "200 OK");
        for bad in
            ["GET /../Cargo.toml", "GET /.secret", "GET /%2e%2e/x", "GET /absent.html", "GET index.html"]
        {
            assert_eq!(ask(bad, "localhost").0, "404 Not Found", "{bad}");
        }
        assert_eq!(ask("GET /", "evil.test").0, "403 Forbidden");
        assert_eq!(ask("POST /", "localhost").0, "405 Method Not Allowed");
    }
}
