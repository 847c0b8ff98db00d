//! Who wrote too much, and where: pure.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::ContainerSummary;

use super::super::labels::SERVICE;

/// Most that a container may write in its own layer, in one volume, or with others in the folder that
/// was handed in, bytes. The most demanding lab writes less than a tenth of it.
pub(super) const MOST: u64 = 2 << 30;

/// A container and where it may write.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer {
    pub id: String,
    /// Service of the student; `?` for what has none.
    pub service: String,
    /// Bytes in its own layer.
    pub layer: u64,
    /// Names of its volumes, for the engine.
    pub volumes: Vec<String>,
    /// Paths of this machine that it may write to.
    pub folders: Vec<String>,
}

impl Writer {
    /// From a listing with sizes.
    pub fn of(container: ContainerSummary) -> Option<Self> {
        let labels = container.labels.unwrap_or_default();
        let mounts = container.mounts.unwrap_or_default();
        let of_type = |kind: &'static str| {
            mounts.iter().filter(move |m| m.typ.as_deref() == Some(kind) && m.rw != Some(false))
        };
        Some(Self {
            id: container.id?,
            service: labels.get(SERVICE).map_or("?", String::as_str).to_owned(),
            layer: container.size_rw.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            volumes: of_type("volume").filter_map(|m| m.name.clone()).collect(),
            folders: of_type("bind").filter_map(|m| m.source.clone()).collect(),
        })
    }
}

/// One limit passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// Containers to stop.
    pub containers: Vec<String>,
    /// What is told, French.
    pub text: String,
}

/// What is over [`MOST`]: layers, volumes of these containers (`volumes`: bytes by name), and the folder
/// of the session (`written` bytes).
pub(super) fn excesses(
    writers: &[Writer],
    volumes: &HashMap<String, u64>,
    folder: &Path,
    written: u64,
) -> Vec<Excess> {
    let gib = MOST >> 30;
    let mut found: Vec<Excess> = writers
        .iter()
        .filter(|writer| writer.layer > MOST)
        .map(|writer| Excess {
            containers: vec![writer.id.clone()],
            text: format!(
                "le service « {} » a écrit plus de {gib} Gio sur le disque : il a été arrêté net",
                writer.service
            ),
        })
        .collect();
    let mut names: Vec<&String> = writers.iter().flat_map(|writer| &writer.volumes).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| volumes.get(*name).is_some_and(|size| *size > MOST)) {
        let guilty = |writer: &&Writer| writer.volumes.contains(name);
        found.push(stopped(writers, guilty, "un volume"));
    }
    if written > MOST {
        let guilty = |writer: &&Writer| writer.folders.iter().any(|path| Path::new(path).starts_with(folder));
        found.push(stopped(writers, guilty, "le dossier rendu"));
    }
    found.retain(|excess| !excess.containers.is_empty());
    found
}

fn stopped(writers: &[Writer], guilty: impl Fn(&&Writer) -> bool, place: &str) -> Excess {
    let guilty: Vec<&Writer> = writers.iter().filter(guilty).collect();
    let mut services: Vec<String> = guilty.iter().map(|writer| format!("« {} »", writer.service)).collect();
    services.sort_unstable();
    services.dedup();
    Excess {
        containers: guilty.iter().map(|writer| writer.id.clone()).collect(),
        text: format!(
            "{place} dépasse {} Gio : arrêté net, qui y écrivait ({})",
            MOST >> 30,
            services.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(id: &str, layer: u64, volumes: &[&str], folders: &[&str]) -> Writer {
        let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
        Writer {
            id: id.to_owned(),
            service: id.to_uppercase(),
            layer,
            volumes: owned(volumes),
            folders: owned(folders),
        }
    }

    fn ids(found: &[Excess]) -> Vec<Vec<&str>> {
        found.iter().map(|e| e.containers.iter().map(String::as_str).collect()).collect()
    }

    #[test]
    fn nobody_is_stopped_at_the_limit_itself() {
        let writers = [writer("a", MOST, &["v"], &["/run/x/copie"])];
        let volumes = HashMap::from([("v".to_owned(), MOST)]);
        assert!(excesses(&writers, &volumes, Path::new("/run/x"), MOST).is_empty());
    }

    #[test]
    fn each_place_has_its_own_limit_and_its_own_writers() {
        let writers = [
            writer("a", MOST + 1, &[], &[]),
            writer("b", 0, &["v", "w"], &[]),
            writer("c", 0, &["w"], &["/run/x/copie/donnees"]),
            writer("d", 0, &[], &["/run/xyz", "/etc"]),
        ];
        let volumes = HashMap::from([("w".to_owned(), MOST + 1), ("v".to_owned(), 1)]);
        let found = excesses(&writers, &volumes, Path::new("/run/x"), MOST + 1);
        assert_eq!(ids(&found), [vec!["a"], vec!["b", "c"], vec!["c"]]);
        assert_eq!(found[1].text, "un volume dépasse 2 Gio : arrêté net, qui y écrivait (« B », « C »)");
    }

    #[test]
    fn a_volume_of_somebody_else_is_nobodys_fault() {
        let volumes = HashMap::from([("autre".to_owned(), u64::MAX)]);
        assert!(excesses(&[writer("a", 0, &["v"], &[])], &volumes, Path::new("/run/x"), u64::MAX).is_empty());
    }
}
