//! Lab 10: a model, its mounts, its image, its reverse proxy.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::deep::{Executed, ImageSizes, Process};
use super::super::model::testing::{Api, scoring};
use super::super::testing::FakeWorld;
use super::super::world::{Declared, DeclaredLogging, DeclaredPort, wire};
use super::{fails, judge, passes, unsure};
use crate::event::Verdict;

const PROOFS: [&str; 5] = ["score", "explication", "entrees", "derive", "reference-gardee"];

#[tokio::test(start_paused = true)]
async fn an_honest_model_passes_every_proof() {
    for check in PROOFS {
        passes(&judge("10", check, &scoring(Api::Honest)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn devious_models() {
    for (api, check, word) in [
        (Api::Constant, "score", "ne suit pas"),
        (Api::Raw, "score", "n'est pas une probabilité"),
        (Api::Unsteady, "score", "deux scores"),
        (Api::Shared, "explication", "dépend d'une autre variable"),
        (Api::Baseless, "explication", "ne donnent pas le score"),
        (Api::Crashes, "entrees", "se casse"),
        (Api::Guesses, "entrees", "accepte"),
        (Api::Blind, "derive", "passe inaperçue"),
        (Api::Alarmed, "derive", "pareilles à la référence"),
        (Api::Forgets, "reference-gardee", "ne survit pas"),
    ] {
        fails(&judge("10", check, &scoring(api)).await, word);
    }
}

#[tokio::test(start_paused = true)]
async fn processes_of_root() {
    let mut world = scoring(Api::Honest);
    world.add("streamlit", &[("net", "10.1.0.4")], &[8501]);
    let process = |uid| vec![Process { uid, command: "gunicorn app:app".into() }];
    world.deep.owners = BTreeMap::from([("api".into(), process(1000)), ("streamlit".into(), process(999))]);
    passes(&judge("10", "sans-root", &world).await);
    world.deep.owners.insert("streamlit".into(), process(0));
    fails(&judge("10", "sans-root", &world).await, "droits de root");
    world.deep.owners.insert("streamlit".into(), Vec::new());
    unsure(&judge("10", "sans-root", &world).await);
}

fn mounted(error: &'static str, code: i64) -> FakeWorld {
    let mut world = scoring(Api::Honest);
    world.files.insert("config/seuil.json".into(), "{\"seuil\": 0.5}\n".into());
    world.inside.insert(("api".into(), "/app/config/seuil.json".into()), "{\"seuil\": 0.5}\n".into());
    world.deep.exec = Some(Box::new(move |_, _, _| Executed {
        code: Some(code),
        err: error.into(),
        ..Executed::default()
    }));
    world
}

#[tokio::test(start_paused = true)]
async fn mounts() {
    let mut read_only = mounted("touch: Read-only file system", 1);
    fails(&judge("10", "lecture-seule", &read_only).await, "rien n'est monté");
    let bind = json!({"Mounts": [{"Type": "bind", "Destination": "/app/config"}]});
    read_only.deep.inspections.insert("api".into(), vec![bind]);
    passes(&judge("10", "lecture-seule", &read_only).await);
    fails(&judge("10", "lecture-seule", &mounted("", 0)).await, "peut écrire");
    fails(&judge("10", "lecture-seule", &mounted("touch: Permission denied", 1)).await, "que par les droits");
    unsure(&judge("10", "lecture-seule", &mounted("touch: not found", 127)).await);
    let mut world = mounted("", 1);
    world.inside.insert(("api".into(), "/app/config/seuil.json".into()), "{}".into());
    fails(&judge("10", "lecture-seule", &world).await, "n'est pas le fichier rendu");

    fails(&judge("10", "volume-donnees", &world).await, "aucun volume");
    let volume = json!({"Mounts": [{"Type": "volume", "Destination": "/app"}]});
    world.deep.inspections.insert("api".into(), vec![volume]);
    passes(&judge("10", "volume-donnees", &world).await);
    world.inside.insert(("api".into(), "/app/app.py".into()), String::new());
    fails(&judge("10", "volume-donnees", &world).await, "cache le code");
}

#[tokio::test(start_paused = true)]
async fn images() {
    let mut world = scoring(Api::Honest);
    fails(&judge("10", "poids", &world).await, "n'est pas construite ici");
    if let Some(api) = world.declared.services.get_mut("api") {
        api.build_context = Some("api".into());
    }
    let sizes = |image, stages: &[u64]| ImageSizes {
        image,
        feeders: stages.iter().map(|bytes| ("construction".to_owned(), *bytes)).collect(),
    };
    world.deep.sizes.insert("api".into(), sizes(200 << 20, &[100 << 20, 400 << 20]));
    passes(&judge("10", "poids", &world).await);
    world.deep.sizes.insert("api".into(), sizes(390 << 20, &[400 << 20]));
    fails(&judge("10", "poids", &world).await, "presque autant");
    world.deep.sizes.insert("api".into(), sizes(200 << 20, &[]));
    fails(&judge("10", "poids", &world).await, "ne reprend rien");

    unsure(&judge("10", "sans-compilateur", &world).await);
    world.paths.insert("/etc/passwd".into());
    passes(&judge("10", "sans-compilateur", &world).await);
    world.paths.insert("/usr/bin/gcc".into());
    fails(&judge("10", "sans-compilateur", &world).await, "compilateur");
}

#[tokio::test(start_paused = true)]
async fn two_files() {
    let mut world = scoring(Api::Honest);
    world.add("streamlit", &[("net", "10.1.0.4")], &[8501]);
    let missing = judge("10", "journaux-prod", &world).await;
    fails(&missing, "docker-compose.prod.yml");
    fails(&judge("10", "journaux-dev", &world).await, "aucune clé logging");

    let keeps = |declared: &mut Declared, size: &str, files: &str| {
        for service in declared.services.values_mut() {
            let options = [("max-size", size), ("max-file", files)];
            let options = options.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
            service.logging = Some(DeclaredLogging { driver: None, options });
        }
    };
    let mut alone = world.declared.clone();
    keeps(&mut alone, "10M", "3");
    world.declared.alone = Some(Box::new(alone));
    world.add("nginx", &[("net", "10.1.0.5")], &[80]);
    keeps(&mut world.declared, "50m", "5");
    passes(&judge("10", "journaux-dev", &world).await);
    passes(&judge("10", "journaux-prod", &world).await);
    keeps(&mut world.declared, "50m", "3");
    fails(&judge("10", "journaux-prod", &world).await, "max-file : 3");
    fails(&judge("10", "ports-dev", &world).await, "5000");

    passes(&judge("10", "ports-prod", &world).await);
    let open =
        DeclaredPort { target: 5000, published: Some("5000".into()), host_ip: None, protocol: "tcp".into() };
    let apart = world.declared.alone.as_mut().and_then(|alone| alone.services.get_mut("api"));
    apart.expect("the API").ports.push(open.clone());
    passes(&judge("10", "ports-dev", &world).await);
    world.declared.services.get_mut("api").expect("the API").ports.push(open);
    let Verdict::Fail(miss) = judge("10", "ports-prod", &world).await else { panic!("a miss") };
    assert!(miss.hint.contains("s'ajoutent"), "{miss:#?}");
}

/// Plays a server that opens websockets, or a proxy that does not.
fn opens(world: &mut FakeWorld, service: &str, port: u16, status: u16) {
    world.pages.insert((service.into(), port), Box::new(move |_, _: &wire::Http| (status, String::new())));
}

#[tokio::test(start_paused = true)]
async fn a_101_without_the_proof_of_the_key_is_nothing() {
    let mut world = scoring(Api::Honest);
    world.declared.alone = Some(Box::default());
    world.add("streamlit", &[("net", "10.1.0.4")], &[8501]);
    world.add("nginx", &[("net", "10.1.0.5")], &[80]);
    opens(&mut world, "streamlit", 8501, 101);
    opens(&mut world, "nginx", 80, 101);
    fails(&judge("10", "websocket", &world).await, "sans la preuve de la clé");
}
