//! What a stack writes on the disk, bounded: a container that writes without end is stopped before
//! the disk is full.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use bollard::query_parameters::{KillContainerOptions, ListContainersOptionsBuilder};

use super::connect::Engine;
use super::session::Session;
use super::sweep::of_session;
use crate::event::{Level, Notice};

/// Most that a container may write in its own layer, bytes. The most demanding lab writes less than a
/// tenth of it.
const MOST: i64 = 2 << 30;
/// Between two looks. A disk of a good machine writes 1 to 2 GiB in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks, as long as it is polled, at what the containers of the session write, and kills the one that
/// writes too much; `tell` says so. What goes to volumes and to the student's folder is not counted.
pub async fn guard_disk(engine: &Engine, session: &Session, tell: &(dyn Fn(Notice) + Sync)) -> Infallible {
    let mut killed: HashSet<String> = HashSet::new();
    let filters = of_session(&session.id);
    loop {
        tokio::time::sleep(PAUSE).await;
        let options = ListContainersOptionsBuilder::new().size(true).filters(&filters).build();
        // An engine that does not answer is the business of whoever asks it something.
        let containers = engine.docker.list_containers(Some(options)).await.unwrap_or_default();
        for container in containers {
            let (Some(id), Some(written)) = (container.id, container.size_rw) else { continue };
            if written <= MOST || !killed.insert(id.clone()) {
                continue;
            }
            // Asked by hand: its restart policy does not bring it back.
            let _ = engine.docker.kill_container(&id, None::<KillContainerOptions>).await;
            let labels = container.labels.unwrap_or_default();
            let service = labels.get("com.docker.compose.service").map_or("?", String::as_str);
            tell(Notice {
                level: Level::Warning,
                text: format!(
                    "le service « {service} » a écrit plus de {} Gio sur le disque : il a été arrêté net",
                    MOST >> 30
                ),
                place: None,
            });
        }
    }
}
