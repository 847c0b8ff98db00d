//! Writing a request, and refusing one that would break its own framing.

use crate::fault::invalid;
use crate::wire::{Failure, Http};

/// The bytes of the request.
///
/// # Errors
/// `invalid` when a part holds what would end it early (line feeds, spaces in the path…).
pub fn build(http: &Http) -> Result<Vec<u8>, Failure> {
    if !is_token(&http.method) {
        return Err(invalid("the method is not a token"));
    }
    if http.path.is_empty() || http.path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(invalid("the path is empty, or has a space or a control character"));
    }
    if http.host.is_empty() || http.host.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/') {
        return Err(invalid("the host is empty, or has a space or a control character"));
    }
    for (name, value) in &http.headers {
        if !is_token(name) {
            return Err(invalid(format!("the header name {name:?} is not a token")));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(invalid(format!("the header {name} has a control character")));
        }
    }
    let has = |wanted: &str| http.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let mut text = format!("{} {} HTTP/1.1\r\n", http.method, http.path);
    let mut add = |name: &str, value: &str| {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    };
    if !has("host") {
        let usual = if http.tls.is_some() { 443 } else { 80 };
        add("Host", &authority(&http.host, http.port, usual));
    }
    if !has("user-agent") {
        add("User-Agent", "tp-docker-probe");
    }
    if !has("accept") {
        add("Accept", "*/*");
    }
    if !has("connection") {
        add("Connection", "close");
    }
    for (name, value) in &http.headers {
        add(name, value);
    }
    if let Some(body) = &http.body
        && !has("content-length")
        && !has("transfer-encoding")
    {
        add("Content-Length", &body.len().to_string());
    }
    text.push_str("\r\n");
    if let Some(body) = &http.body {
        text.push_str(body);
    }
    Ok(text.into_bytes())
}

fn authority(host: &str, port: u16, usual: u16) -> String {
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    if port == usual { host } else { format!("{host}:{port}") }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FailureKind;

    fn text(http: &Http) -> String {
        String::from_utf8(build(http).unwrap_or_default()).unwrap_or_default()
    }

    #[test]
    fn a_plain_get() {
        assert_eq!(
            text(&Http::get("api", 5001, "/health")),
            "GET /health HTTP/1.1\r\nHost: api:5001\r\nUser-Agent: tp-docker-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        assert!(text(&Http::get("::1", 80, "/")).contains("Host: [::1]\r\n"));
        assert!(text(&Http::get("a.localhost", 443, "/").secure()).contains("Host: a.localhost\r\n"));
        assert!(text(&Http::get("a.localhost", 80, "/").secure()).contains("Host: a.localhost:80\r\n"));
    }

    #[test]
    fn given_headers_win_and_a_body_has_its_length() {
        let mut http = Http::get("10.0.0.2", 80, "/");
        http.headers =
            vec![("host".into(), "api.localhost".into()), ("X-A".into(), "1".into()), ("X-A".into(), "2".into())];
        http.body = Some("été".into());
        let text = text(&http);
        assert!(!text.contains("Host: 10.0.0.2") && text.contains("host: api.localhost\r\nX-A: 1\r\nX-A: 2\r\n"));
        assert!(text.ends_with("Content-Length: 5\r\n\r\nété"));
    }

    #[test]
    fn nothing_can_inject_a_header() {
        let plain = Http::get("api", 80, "/");
        let bad = [
            Http { path: "/ HTTP/1.1\r\nX: y".into(), ..plain.clone() },
            Http { path: String::new(), ..plain.clone() },
            Http { host: "a\r\nX: y".into(), ..plain.clone() },
            Http { method: "GET /".into(), ..plain.clone() },
            Http { headers: vec![("X".into(), "a\r\nY: b".into())], ..plain.clone() },
            Http { headers: vec![("X: y\r\nZ".into(), "a".into())], ..plain.clone() },
            Http { headers: vec![("X".into(), "a\0".into())], ..plain },
        ];
        for http in bad {
            assert_eq!(build(&http).map_err(|failure| failure.kind), Err(FailureKind::Invalid), "{http:?}");
        }
    }
}
