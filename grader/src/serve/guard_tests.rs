//! The decision table, and what no mixture of headers can do.

use axum::http::request::Builder;
use proptest::prelude::*;

use super::*;

const PORT: u16 = 4000;

fn request(method: &str, path: &str) -> Builder {
    Request::builder().method(method).uri(path)
}

fn decide(keys: &Keys, method: &str, path: &str, headers: &[(&str, String)]) -> Result<(), Refused> {
    let mut builder = request(method, path);
    for (name, value) in headers {
        builder = builder.header(*name, value);
    }
    keys.admit(&builder.body(()).expect("a request"))
}

#[test]
fn the_table() {
    let keys = Keys::new(PORT);
    let host = || ("host", "127.0.0.1:4000".to_owned());
    let cookie = || ("cookie", format!("a=b; grader-4000={}; c=d", keys.cookie));
    let ours = || ("origin", "http://127.0.0.1:4000".to_owned());
    let with = |name: &'static str, value: &str| (name, value.to_owned());
    let page = |headers: &[(&str, String)]| decide(&keys, "GET", "/02-deploiement.html", headers);
    let read = |headers: &[(&str, String)]| decide(&keys, "GET", "/api/labs/02", headers);
    let write = |headers: &[(&str, String)]| decide(&keys, "POST", "/api/runs", headers);
    let cases = [
        // Pages: the name only.
        (page(&[host()]), Ok(())),
        (page(&[with("host", "localhost:4000")]), Ok(())),
        (page(&[]), Err(Refused::Host)),
        (page(&[with("host", "127.0.0.1")]), Err(Refused::Host)),
        (page(&[with("host", "127.0.0.1:4001")]), Err(Refused::Host)),
        (page(&[with("host", "evil.test:4000")]), Err(Refused::Host)),
        (page(&[with("host", "127.0.0.1.evil.test:4000")]), Err(Refused::Host)),
        (page(&[with("host", "[::1]:4000")]), Err(Refused::Host)),
        (page(&[host(), host()]), Err(Refused::Host)),
        (decide(&keys, "POST", "/", &[host(), cookie(), ours()]), Err(Refused::Method)),
        (decide(&keys, "GET", "http://evil.test/", &[host()]), Err(Refused::Host)),
        // Reading the API.
        (read(&[host(), cookie()]), Ok(())),
        (read(&[host(), with("authorization", &format!("Bearer {}", keys.token))]), Ok(())),
        (read(&[host()]), Err(Refused::Key)),
        (read(&[host(), with("cookie", &format!("grader-4000={}", keys.token))]), Err(Refused::Key)),
        (read(&[host(), with("cookie", &format!("grader-4001={}", keys.cookie))]), Err(Refused::Key)),
        (read(&[host(), with("authorization", &format!("Bearer {}", keys.cookie))]), Err(Refused::Key)),
        (read(&[host(), with("authorization", "Bearer ")]), Err(Refused::Key)),
        (read(&[host(), cookie(), ours()]), Ok(())),
        (read(&[host(), cookie(), with("origin", "http://127.0.0.1:5001")]), Err(Refused::Origin)),
        (read(&[host(), cookie(), with("origin", "null")]), Err(Refused::Origin)),
        (read(&[host(), cookie(), with("sec-fetch-site", "same-origin")]), Ok(())),
        (read(&[host(), cookie(), with("sec-fetch-site", "same-site")]), Err(Refused::Origin)),
        (read(&[host(), cookie(), with("sec-fetch-site", "cross-site")]), Err(Refused::Origin)),
        (read(&[with("host", "evil.test:4000"), cookie()]), Err(Refused::Host)),
        // Changing something: an origin, and ours.
        (write(&[host(), cookie(), ours()]), Ok(())),
        (write(&[host(), cookie()]), Err(Refused::Origin)),
        (write(&[host(), ours()]), Err(Refused::Key)),
        (write(&[host(), cookie(), ours(), ours()]), Err(Refused::Origin)),
        (write(&[host(), cookie(), with("origin", "https://127.0.0.1:4000")]), Err(Refused::Origin)),
        (write(&[host(), cookie(), with("origin", "http://localhost:4000")]), Err(Refused::Origin)),
        (write(&[host(), cookie(), with("origin", "http://evil.test")]), Err(Refused::Origin)),
        (write(&[host(), cookie(), with("referer", "http://127.0.0.1:4000/")]), Err(Refused::Origin)),
        // A websocket is asked by GET.
        (read(&[host(), cookie(), with("upgrade", "websocket")]), Err(Refused::Origin)),
        (read(&[host(), cookie(), with("upgrade", "websocket"), ours()]), Ok(())),
        (read(&[host(), ours(), with("upgrade", "websocket")]), Err(Refused::Key)),
        // What begins like the API is it, what merely looks like it is a page.
        (decide(&keys, "GET", "/api", &[host()]), Err(Refused::Key)),
        (decide(&keys, "GET", "/apis.html", &[host()]), Ok(())),
    ];
    for (at, (got, wanted)) in cases.into_iter().enumerate() {
        assert_eq!(got, wanted, "case {at}");
    }
}

#[test]
fn a_ticket_works_once_and_the_token_as_long_as_the_server() {
    let keys = Keys::new(PORT);
    let query = |address: String| address.split_once('?').map(|(_, q)| q.to_owned()).unwrap_or_default();
    let ticket = query(keys.ticket_address().expect("a ticket"));
    assert!(keys.exchange(&ticket).is_some());
    assert!(keys.exchange(&ticket).is_none());
    assert!(keys.ticket_address().is_none());
    let token = query(keys.address());
    for _ in 0..2 {
        let cookie = keys.exchange(&token).expect("a cookie");
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        assert!(!cookie.contains(&keys.token), "the address does not show what the browser keeps");
    }
    assert!(keys.exchange("jeton=").is_none());
    assert!(keys.exchange("autre=1").is_none());
}

#[test]
fn keys_are_long_and_differ() {
    let (a, b) = (Keys::new(PORT), Keys::new(PORT));
    let all = [&a.token, &a.cookie, &b.token, &b.cookie];
    assert!(all.iter().all(|k| k.len() == 64));
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}

proptest! {
    /// Whatever else is sent: without a key of ours nothing of the API answers, and nothing changes
    /// for a page of another origin.
    #[test]
    fn no_mixture_of_headers_opens_the_api(
        method in prop::sample::select(vec!["GET", "POST", "DELETE", "HEAD", "PUT"]),
        path in "/api(/[a-z0-9/]{0,20})?",
        host in prop::sample::select(vec!["127.0.0.1:4000", "localhost:4000", "evil.test:4000", "127.0.0.1:80"]),
        origin in prop::option::of(prop::sample::select(vec![
            "http://127.0.0.1:4000", "http://localhost:4000", "http://evil.test", "null", "http://127.0.0.1:5001",
        ])),
        site in prop::option::of(prop::sample::select(vec!["same-origin", "same-site", "cross-site", "none"])),
        cookie in prop::option::of("[a-z0-9=; -]{0,40}"),
        with_key in any::<bool>(),
        upgrade in any::<bool>(),
    ) {
        let keys = Keys::new(PORT);
        let mut headers = vec![("host", host.to_owned())];
        headers.extend(origin.map(|o| ("origin", o.to_owned())));
        headers.extend(site.map(|s| ("sec-fetch-site", s.to_owned())));
        headers.extend(cookie.map(|c| ("cookie", c)));
        if with_key {
            headers.push(("cookie", format!("grader-4000={}", keys.cookie)));
        }
        if upgrade {
            headers.push(("upgrade", "websocket".to_owned()));
        }
        if decide(&keys, method, &path, &headers).is_ok() {
            prop_assert!(with_key);
            prop_assert!(host == "127.0.0.1:4000" || host == "localhost:4000");
            prop_assert!(!matches!(site, Some("same-site" | "cross-site")));
            let own = format!("http://{host}");
            prop_assert!(origin.is_none_or(|o| o == own));
            let reads = matches!(method, "GET" | "HEAD") && !upgrade;
            prop_assert!(reads || origin == Some(own.as_str()));
        }
    }
}
