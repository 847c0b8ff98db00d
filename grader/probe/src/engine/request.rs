//! What a client asks: method, API version, path and query, all checked before anything is asked of the engine.

use super::answer::Refusal;
use std::collections::BTreeMap;

/// The longest head of a request, in bytes.
pub const MAX_HEAD: usize = 16 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// A request that may be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `HEAD` rather than `GET`.
    pub head_only: bool,
    /// Whether the client knows chunks.
    pub chunks: bool,
    /// `v1.45`, when the path has one.
    pub version: Option<String>,
    /// What is asked for.
    pub route: Route,
    /// The query, decoded; the last value of a key counts.
    pub query: BTreeMap<String, String>,
}

/// The whole path table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/_ping`
    Ping,
    /// `/version`
    Version,
    /// `/info`
    Info,
    /// `/events`
    Events,
    /// `/containers/json`
    Containers,
    /// `/containers/{id}/json`
    Container(String),
    /// `/networks`
    Networks,
    /// `/networks/{id}`
    Network(String),
    /// `/images/json`
    Images,
    /// `/images/{name}/json`
    Image(String),
    /// `/services`, `/tasks`, `/nodes`: what an engine outside of a swarm does not know.
    Swarm,
}

impl Request {
    /// The request at the beginning of these bytes; nothing when its head is not whole.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Refusal> {
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut slots);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD => {
                return Err(Refusal::new(431, "the head of the request is too long"));
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(Refusal::new(400, &format!("not an HTTP/1 request: {error}"))),
        }
        let head_only = match request.method {
            Some("GET") => false,
            Some("HEAD") => true,
            other => return Err(Refusal::forbidden(other.unwrap_or_default(), request.path.unwrap_or_default())),
        };
        for header in request.headers.iter() {
            let name = header.name.to_ascii_lowercase();
            let has_body = name == "transfer-encoding" || (name == "content-length" && header.value != b"0");
            if has_body || name == "upgrade" {
                return Err(Refusal::new(403, "this filtered engine takes no body and upgrades no connection"));
            }
        }
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (version, route) = route(path).ok_or_else(|| Refusal::forbidden("GET", path))?;
        Ok(Some(Self {
            head_only,
            chunks: request.version == Some(1),
            version: version.map(str::to_owned),
            route,
            query: decode_query(query),
        }))
    }

    /// A flag of the query, as the engine reads it.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        !matches!(self.query.get(key).map(|value| value.trim()), None | Some("" | "0" | "no" | "false" | "none"))
    }
}

fn route(path: &str) -> Option<(Option<&str>, Route)> {
    let rest = path.strip_prefix('/')?;
    let (first, after) = rest.split_once('/').unwrap_or((rest, ""));
    let (version, rest) = if is_version(first) { (Some(first), after) } else { (None, rest) };
    let route = match rest {
        "_ping" => Route::Ping,
        "version" => Route::Version,
        "info" => Route::Info,
        "events" => Route::Events,
        "containers/json" => Route::Containers,
        "networks" => Route::Networks,
        "images/json" => Route::Images,
        "services" | "tasks" | "nodes" => Route::Swarm,
        other => {
            if let Some(id) = other.strip_prefix("containers/").and_then(|rest| rest.strip_suffix("/json")) {
                Route::Container(one_name(id)?)
            } else if let Some(id) = other.strip_prefix("networks/") {
                Route::Network(one_name(id)?)
            } else {
                let name = other.strip_prefix("images/")?.strip_suffix("/json")?;
                Route::Image(image_name(name)?)
            }
        }
    };
    Some((version, route))
}

/// `v1.45`.
fn is_version(text: &str) -> bool {
    let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v').and_then(|rest| rest.split_once('.')).is_some_and(|(a, b)| digits(a) && digits(b))
}

/// The name or the id of one object: never a path.
fn one_name(text: &str) -> Option<String> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let name = !text.is_empty() && text.len() <= 255 && text.bytes().all(fine) && !text.starts_with('.');
    name.then(|| text.to_owned())
}

/// The name of an image: it is looked up among those of the run, never sent on.
fn image_name(text: &str) -> Option<String> {
    let name = decode(text, false);
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b':' | b'@');
    let name = name.filter(|name| !name.is_empty() && name.len() <= 512 && name.bytes().all(fine))?;
    (!name.split('/').any(|part| part.is_empty() || part.starts_with('.'))).then_some(name)
}

fn decode_query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(32);
    pairs
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(key, true)?, decode(value, true)?))
        })
        .collect()
}

/// Undoes `%41`, and `+` in a query.
fn decode(text: &str, plus: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let code = digit(bytes.next())? * 16 + digit(bytes.next())?;
                out.push(u8::try_from(code).ok()?);
            }
            b'+' if plus => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

/// A text as a value of a query.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].map(|half| char::from(b"0123456789ABCDEF"[usize::from(half)])));
        }
    }
    out
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
