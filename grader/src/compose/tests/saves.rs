//! From one reading of a folder to the next: what stays and what makes place.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const COMPOSE: &str = "services:
  db: { image: postgres:16-alpine, networks: [dorsal] }
  api: { image: busybox, networks: [dorsal, frontal], depends_on: [db], labels: { essai: '1' } }
  prometheus:
    image: busybox
    networks: [frontal]
    volumes: [./prometheus:/etc/prometheus:ro]
  grafana:
    image: busybox
    networks: [frontal]
    volumes: [./grafana:/etc/grafana:ro]
networks: { dorsal: , frontal: }
";

/// The model of a reading of the folder as it is, in a folder of its own.
async fn reading(folder: &Folder, n: usize, kept: BTreeMap<PathBuf, PathBuf>) -> Option<SandboxedModel> {
    let into = folder.target().join(n.to_string());
    std::fs::create_dir_all(&into).expect("folder");
    let staged = stage(&folder.origin(), &into, &Limits::default()).expect("staged");
    let model = canonical(&staged, &tool()?).await.expect("canonical");
    Some(sandbox(&approve(model).expect("approved"), &Plan { kept, ..plan() }))
}

fn save(folder: &Folder, file: &str, text: &str) {
    std::fs::write(folder.origin().join(file), text).expect("written");
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn what_makes_place_after_each_save() {
    let folder = Folder::new(&[
        ("compose.yaml", COMPOSE),
        ("prometheus/prometheus.yml", "targets: ['api:5000']\n"),
        ("grafana/source.yml", "url: http://prometheus:9090\n"),
    ]);
    let Some(first) = reading(&folder, 1, BTreeMap::new()).await else { return };
    let gone = |next: &SandboxedModel| first.replaced_by(next, &BTreeSet::new());

    // Nothing has changed but the place: files that are kept keep their services.
    let inside = |model: &SandboxedModel, name: &str| {
        let mounted = model.mounts().keys().find(|path| path.ends_with(name));
        mounted.expect("mounted").clone()
    };
    let moved = reading(&folder, 2, BTreeMap::new()).await.expect("tool");
    assert_eq!(gone(&moved), Some(set(&["grafana", "prometheus"])));
    let keep = |n: usize| -> BTreeMap<PathBuf, PathBuf> {
        let root = folder.target().canonicalize().expect("folder").join(n.to_string()).join("copie");
        ["prometheus", "grafana"].map(|name| (root.join(name), inside(&first, name))).into()
    };
    let same = reading(&folder, 3, keep(3)).await.expect("tool");
    assert_eq!(gone(&same), Some(set(&[])));

    // Who names the service that changed may remember it; who names that one has nothing to forget.
    save(&folder, "compose.yaml", &COMPOSE.replace("essai: '1'", "essai: '2'"));
    let label = reading(&folder, 4, keep(4)).await.expect("tool");
    assert_eq!(gone(&label), Some(set(&["api", "prometheus"])));

    save(
        &folder,
        "compose.yaml",
        &COMPOSE.replace("networks: { dorsal: ,", "networks: { dorsal: { internal: true },"),
    );
    let network = reading(&folder, 5, keep(5)).await.expect("tool");
    assert_eq!(gone(&network), None);
}
