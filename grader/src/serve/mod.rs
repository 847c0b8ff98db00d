//! `grader serve`: the course on loopback. Each lab's page has a panel that checks the student's folder, shows the
//! verdicts as they come, draws who reaches whom and opens terminals in the student's own containers.
//!
//! [`guard`] decides on every request before anything else; [`pages`] holds the built book; [`runs`] holds the
//! corrections; what they do outside the site goes through [`Desk`].

mod answer;
mod api;
mod assets;
mod desk;
mod folders;
mod guard;
mod pages;
mod runs;
mod terminal;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use self::answer::Trouble;
pub use self::desk::{Container, Desk, Shell, Sink, Size, Stop};
pub use self::folders::Root;
pub use self::guard::Keys;
use self::guard::Refused;
use self::pages::Pages;
use self::runs::Runs;
use crate::french;
use crate::lab::Lab;

/// Longest wait for the terminals to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(8);

/// Everything that the handlers share.
pub struct Site {
    pages: Pages,
    labs: Vec<Lab>,
    root: Root,
    keys: Keys,
    desk: Arc<dyn Desk>,
    runs: Runs,
    doors: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Site {
    /// The site of a built book (read once, here), for a student's folder.
    ///
    /// # Errors
    ///
    /// A file of the book that cannot be read.
    pub fn new(
        book: &Path,
        labs: Vec<Lab>,
        root: Root,
        keys: Keys,
        desk: Arc<dyn Desk>,
    ) -> std::io::Result<Self> {
        let slug = |lab: &Lab| lab.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let named: Vec<_> = labs.iter().map(|lab| (slug(lab), lab.id.clone())).collect();
        Ok(Self {
            pages: Pages::load(book, &named)?,
            labs,
            root,
            keys,
            runs: Runs::new(Arc::clone(&desk)),
            desk,
            doors: Arc::new(Semaphore::new(terminal::DOORS)),
            closing: watch::Sender::new(false),
        })
    }

    /// Ends the corrections and the terminals, and waits for their clean-up.
    async fn close(&self) {
        self.closing.send_replace(true);
        self.runs.close().await;
        let doors = u32::try_from(terminal::DOORS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(FAREWELL, self.doors.acquire_many(doors)).await;
    }
}

/// Serves until `stop` resolves, then cleans up.
///
/// # Errors
///
/// The listener is not on loopback, or fails.
pub async fn serve(
    site: Arc<Site>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(std::io::Error::other(format!("{address} n'est pas une adresse de cette seule machine")));
    }
    let listener = listener.tap_io(|stream| {
        // What is typed in a terminal goes at once.
        let _ = stream.set_nodelay(true);
    });
    let ends = async {
        stop.await;
        site.close().await;
    };
    tokio::select! {
        served = axum::serve(listener, router(&site)).into_future() => served,
        () = ends => Ok(()),
    }
}

fn router(site: &Arc<Site>) -> Router {
    Router::new()
        .route("/api/labs/{id}", get(api::lab))
        .route("/api/runs", post(api::start))
        .route("/api/runs/{id}", delete(api::cancel))
        .route("/api/runs/{id}/events", get(api::events))
        .route("/api/hints", post(api::hint))
        .route("/api/containers", get(api::containers))
        .route("/api/containers/{id}/terminal", get(terminal::open))
        .fallback(page)
        .layer(from_fn_with_state(Arc::clone(site), guarded))
        .with_state(Arc::clone(site))
}

/// Decides, then sets what every answer says.
async fn guarded(State(site): State<Arc<Site>>, request: Request<Body>, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api");
    let mut response = match site.keys.admit(&request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refusal(refused, api),
    };
    let headers = response.headers_mut();
    let mut set =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    // The book changes with the program: a page of yesterday's would ask today's server.
    set(header::CACHE_CONTROL, if api { "no-store" } else { "no-cache" });
    response
}

fn refusal(refused: Refused, api: bool) -> Response {
    let trouble = Trouble::from(refused);
    if api { trouble.into_response() } else { plain(&trouble) }
}

/// A trouble for who reads a page.
fn plain(Trouble(status, what, todo): &Trouble) -> Response {
    let text = french::typeset(&format!("{what}\nà faire : {todo}\n"));
    (*status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// A file of the book, or the exchange of an address's key for a cookie.
async fn page(State(site): State<Arc<Site>>, request: Request<Body>) -> Response {
    let uri = request.uri();
    if Keys::carries_key(uri.query()) {
        let path = if site.pages.find(uri.path()).is_some() { uri.path() } else { "/" };
        return match uri.query().and_then(|query| site.keys.exchange(query)) {
            Some(cookie) => {
                (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, path.to_owned())])
                    .into_response()
            }
            None => plain(&Trouble::new(
                StatusCode::FORBIDDEN,
                "cette adresse ne vaut pas, ou ne vaut plus",
                "ouvrez celle que « grader serve » affiche dans votre terminal",
            )),
        };
    }
    let (status, page) = match site.pages.find(uri.path()) {
        Some(page) => (StatusCode::OK, page),
        None => match site.pages.missing() {
            Some(page) => (StatusCode::NOT_FOUND, page),
            None => return plain(&Trouble::unknown("cette page n'existe pas")),
        },
    };
    // The guard has seen that it is there and ours.
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let policy = pages::policy(page, host);
    (
        status,
        [(header::CONTENT_TYPE, page.kind.to_owned()), (header::CONTENT_SECURITY_POLICY, policy)],
        page.body.clone(),
    )
        .into_response()
}
