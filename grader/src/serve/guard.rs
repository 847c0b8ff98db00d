//! Who may ask what: the whole security of the site is decided here, before any handler.
//!
//! Three doors are watched. A page of another site that a browser shows (it may send requests to loopback): `Host`,
//! `Origin`, `Sec-Fetch-Site`, and a cookie of `SameSite=Strict`. A name that resolves to 127.0.0.1 (DNS
//! rebinding): `Host`. Another user of this machine: a key that only the student's terminal shows.

use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, Method, Request, header};
use rand::RngCore;
use subtle::ConstantTimeEq;

/// Path under which everything needs the key.
const API: &str = "/api";

/// Name of the parameter that carries a key in an address.
const PARAMETER: &str = "jeton=";

/// The secrets of one run of the server, made anew at each start.
pub struct Keys {
    port: u16,
    /// In the address that the terminal shows.
    token: String,
    /// In the browser, never in an address.
    cookie: String,
    /// In the address that we open ourselves: it works once, because arguments of programs are no secret.
    ticket: Mutex<Option<String>>,
}

impl Keys {
    /// New random keys for a server on this port.
    pub fn new(port: u16) -> Self {
        Self { port, token: secret(), cookie: secret(), ticket: Mutex::new(Some(secret())) }
    }

    /// The address to show.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/?{PARAMETER}{}", self.port, self.token)
    }

    /// An address that works once.
    pub fn ticket_address(&self) -> Option<String> {
        let ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner);
        Some(format!("http://127.0.0.1:{}/?{PARAMETER}{}", self.port, ticket.as_deref()?))
    }

    /// `Set-Cookie` in exchange for the key of an address; `None` when it is not one.
    pub fn exchange(&self, query: &str) -> Option<String> {
        let given = query.split('&').find_map(|p| p.strip_prefix(PARAMETER))?;
        let mut ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner);
        let once = ticket.take_if(|t| same(t, given)).is_some();
        (once || same(&self.token, given))
            .then(|| format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name(), self.cookie))
    }

    /// True for an address that carries a key, good or bad.
    pub fn carries_key(query: Option<&str>) -> bool {
        query.is_some_and(|q| q.split('&').any(|p| p.starts_with(PARAMETER)))
    }

    /// Cookies know no port: two servers need two names.
    fn cookie_name(&self) -> String {
        format!("grader-{}", self.port)
    }

    /// `host`, when it is one of ours.
    fn is_host(&self, host: &str) -> bool {
        ["127.0.0.1", "localhost"].iter().any(|name| host == format!("{name}:{}", self.port))
    }

    fn holds_key(&self, headers: &HeaderMap) -> bool {
        let bearer = one(headers, &header::AUTHORIZATION).ok().flatten();
        if bearer.and_then(|v| v.strip_prefix("Bearer ")).is_some_and(|v| same(v, &self.token)) {
            return true;
        }
        let name = self.cookie_name();
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let values = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        // No early end: the time says nothing of which cookie was the right one.
        values.filter(|(key, _)| *key == name).fold(false, |found, (_, v)| found | same(v, &self.cookie))
    }

    /// Decides on a request by its head alone.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn admit<B>(&self, request: &Request<B>) -> Result<(), Refused> {
        let headers = request.headers();
        let host = one(headers, &header::HOST)?.ok_or(Refused::Host)?;
        let named = request.uri().authority().is_none_or(|a| a.as_str() == host);
        if !named || !self.is_host(host) {
            return Err(Refused::Host);
        }
        let path = request.uri().path();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if path != API && !path.starts_with("/api/") {
            return if reads { Ok(()) } else { Err(Refused::Method) };
        }
        let origin = one(headers, &header::ORIGIN)?;
        let upgrades = headers.contains_key(header::UPGRADE);
        let ours = origin == Some(format!("http://{host}").as_str());
        if !(ours || origin.is_none() && reads && !upgrades) {
            return Err(Refused::Origin);
        }
        // Says « same-site » for another port of this machine, which the cookie alone does not tell apart.
        let site = one(headers, &header::HeaderName::from_static("sec-fetch-site"))?;
        if !matches!(site, None | Some("same-origin" | "none")) {
            return Err(Refused::Origin);
        }
        if self.holds_key(headers) { Ok(()) } else { Err(Refused::Key) }
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Sent to a name that is not ours.
    Host,
    /// Sent by a page that is not ours.
    Origin,
    /// Without the key.
    Key,
    /// Only reading is possible there.
    Method,
}

/// The only value of a header; none at all is fine, two are not.
fn one<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Result<Option<&'a str>, Refused> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match (first.to_str(), values.next()) {
        (Ok(value), None) => Ok(Some(value)),
        _ => Err(if *name == header::HOST { Refused::Host } else { Refused::Origin }),
    }
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// 32 random bytes, in hexadecimal.
fn secret() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
