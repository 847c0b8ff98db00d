//! What is behind a reverse proxy, and behind which one: Traefik, seen from outside (requests,
//! certificates) and by its own API.

mod acme;
mod allow_list;
mod api;
mod certificate;
mod chosen;
mod dashboard;
mod ejects;
mod exposed;
mod gate;
mod planted;
mod redirect;
mod replicas;
mod route;
mod rule;
mod said;
mod servers;
mod spread;

pub use acme::Acme;
pub use allow_list::AllowList;
pub use certificate::Certificate;
pub use chosen::ChosenNetwork;
pub use dashboard::Dashboard;
pub use ejects::Ejects;
pub use exposed::ExposedOnly;
pub(super) use gate::Gate;
pub use planted::Planted;
pub use redirect::Redirect;
pub use route::Route;
pub use spread::Spread;

use super::world::{self, wire};
use super::{Check, Cx, Experiments, Stage, http, kit, metrics, tell};

fn port_http() -> u16 {
    80
}

fn port_https() -> u16 {
    443
}

/// Where the labs serve Traefik's dashboard and API.
fn dashboard_host() -> String {
    "traefik.localhost".to_owned()
}

/// The counter of requests of the labs' API.
fn counter() -> String {
    "app_requests_total".to_owned()
}

fn metrics_path() -> String {
    "/metrics".to_owned()
}

/// Whether a service is Traefik, by its image.
fn is_traefik(world: &dyn world::World, service: &str) -> bool {
    let image = world.declared().services.get(service).and_then(|s| s.image.as_deref());
    image.is_some_and(|image| image.contains("traefik"))
}

/// The end of Traefik's own 404.
const NOT_FOUND: &str = "404 page not found";

/// Whether Traefik itself says that no router wants the request.
fn is_unrouted(answer: &wire::HttpAnswer) -> bool {
    answer.status == 404 && answer.body.trim() == NOT_FOUND
}

/// A host name as the kinds want it: not empty, no port, no path.
fn check_host(key: &str, host: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || !host.chars().all(legal) {
        return Err(format!("{key} : « {host} » n'est pas un nom d'hôte"));
    }
    Ok(())
}

/// A path as the kinds want it.
fn check_path(key: &str, path: &str) -> Result<(), String> {
    if path.starts_with('/') && !path.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(format!("{key} : « {path} » n'est pas un chemin qui commence par /"))
}
