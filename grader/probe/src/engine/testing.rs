//! A run for the tests.

use crate::wire::EngineView;
use serde_json::{Value, json};

/// `lab`, run as `tp0a`.
pub(crate) fn view() -> EngineView {
    let text = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    EngineView {
        project: "tp0a".into(),
        shown_project: "lab".into(),
        networks: text(&[("tp0a_frontend", "frontal"), ("tp0a_backend", "lab_backend")]),
        volumes: text(&[("tp0a_pg", "lab_pg")]),
        images: text(&[("tp-run-0/s-api:copie", "lab-api")]),
        containers: text(&[("traefik", "proxy")]),
        hidden_services: ["tp-relay-postgres".to_owned()].into(),
        hidden_labels: vec!["tp-docker.".into()],
        hidden_volumes: ["tp0a_tp-engine".to_owned()].into(),
        ..EngineView::default()
    }
}

/// Labels of a container of a project.
pub(crate) fn labels(project: &str, service: &str) -> Value {
    json!({
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": "1",
        "com.docker.compose.project.working_dir": "/tmp/tp-docker-0/session",
        "com.docker.compose.project.config_files": "/tmp/tp-docker-0/session/tp0a.json",
        "tp-docker.session": "0",
        "traefik.enable": "true",
    })
}
