//! What a stack writes on the disk, bounded: whoever writes without end is stopped before the disk is
//! full, be it in its own layer, in a volume or in the folder that was handed in.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use bollard::query_parameters::{KillContainerOptions, ListContainersOptionsBuilder};

use self::excess::{Excess, Writer, excesses};
use super::connect::Engine;
use super::session::Session;
use super::sweep::of_session;
use crate::event::{Level, Notice};

mod excess;
mod space;
mod usage;

/// Between two glances at the free space. A disk of a good machine writes 1 to 2 GiB in this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest time without a look where the free space is known.
const UNSEEN: Duration = Duration::from_secs(15);
/// A look walks folders. Rest after one, in times what it took, when the disk fills.
const ALARMED: u32 = 3;
/// The same when it does not, or when that is not known.
const CALM: u32 = 20;

/// Looks, as long as it is polled, at what the session writes, and kills the containers that wrote too
/// much; `tell` says so. A look costs the engine a walk through every folder: where the disk is this
/// machine's, it takes place when the free space shrinks, and every 15 s.
pub async fn guard_disk(engine: &Engine, session: &Session, tell: &(dyn Fn(Notice) + Sync)) -> Infallible {
    let mut space = space::Space::of(engine, session.dir()).await;
    let rest = if space.is_known() { UNSEEN } else { Duration::ZERO };
    let mut killed: HashSet<String> = HashSet::new();
    let (mut seen, mut took, mut alarmed) = (Instant::now(), Duration::ZERO, false);
    loop {
        tokio::time::sleep(PAUSE).await;
        alarmed |= space.is_known() && space.has_shrunk();
        let wait = if alarmed { took * ALARMED } else { rest.max(took * CALM) };
        if seen.elapsed() < wait {
            continue;
        }
        alarmed = false;
        let start = Instant::now();
        let found = look(engine, session).await;
        seen = Instant::now();
        took = seen - start;
        for Excess { containers, text } in found {
            let mut stopped = false;
            for id in containers {
                if killed.insert(id.clone()) {
                    // Asked by hand: its restart policy does not bring it back.
                    let _ = engine.docker.kill_container(&id, None::<KillContainerOptions>).await;
                    stopped = true;
                }
            }
            if stopped {
                tell(Notice { level: Level::Warning, text, place: None });
            }
        }
    }
}

/// What is over the limit now. An engine that does not answer is the business of whoever asks it
/// something.
async fn look(engine: &Engine, session: &Session) -> Vec<Excess> {
    let filters = of_session(&session.id);
    let options = ListContainersOptionsBuilder::new().size(true).filters(&filters).build();
    let (containers, volumes, folder) = tokio::join!(
        engine.docker.list_containers(Some(options)),
        usage::volumes(engine),
        usage::folder(session.dir()),
    );
    let writers: Vec<Writer> = containers.unwrap_or_default().into_iter().filter_map(Writer::of).collect();
    excesses(&writers, &volumes, session.dir(), folder)
}
