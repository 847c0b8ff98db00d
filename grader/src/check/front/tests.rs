//! A front with static files and two applications behind it, honest or devious.

use std::io::Write as _;

use base64::Engine as _;
use flate2::{Compression, write::GzEncoder};

use super::super::experiment::Written;
use super::super::testing::FakeWorld;
use super::super::tests::{fails, passes};
use super::super::{Memo, Verdict};
use super::assets::{Assets, AssetsProof};
use super::*;

/// What the front does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Front {
    Honest,
    NoGzip,
    SaysGzip,
    PacksImages,
    NoCache,
    KeepsPage,
    NoTag,
    KeepsPrefix,
    LeavesBase,
    Other,
}

const SHEET: &str = "body { color: black } body { color: black } body { color: black }";

fn packed(text: &str) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    let bytes = encoder.finish().expect("memory");
    format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn accepts(ask: &wire::Http) -> bool {
    ask.headers.iter().any(|(k, v)| k == "Accept-Encoding" && v == "gzip")
}

fn is_asked_again(ask: &wire::Http) -> bool {
    ask.headers.iter().any(|(k, _)| k == "If-None-Match")
}

fn head(front: Front, ask: &wire::Http) -> Vec<(String, String)> {
    let image = ask.path.strip_suffix(".png").is_some();
    let mut headers = Vec::new();
    let mut add = |key: &str, value: &str| headers.push((key.to_owned(), value.to_owned()));
    if accepts(ask) && (!image || front == Front::PacksImages) && front != Front::NoGzip {
        add("Content-Encoding", "gzip");
    }
    if ask.path == "/" {
        add("Cache-Control", if front == Front::KeepsPage { "max-age=864000" } else { "no-cache" });
    } else if front != Front::NoCache {
        add("Cache-Control", "public, max-age=864000");
    }
    if front != Front::NoTag {
        add("ETag", "\"1\"");
    }
    if ask.path == "/kibana/" {
        add("Location", if front == Front::LeavesBase { "/app/home" } else { "/kibana/app/home" });
    }
    headers
}

fn page(world: &FakeWorld, front: Front, ask: &wire::Http) -> (u16, String) {
    let noted = || world.lock().sent.last().cloned().unwrap_or_default();
    match ask.path.as_str() {
        "/kibana/" => (302, String::new()),
        "/kibana/app/home" => (200, "<script src=\"/kibana/boot.js\"></script><a href=\"#x\">".into()),
        "/kibana/boot.js" => (200, String::new()),
        "/kibana/api/status" => {
            (200, format!("{{\"uuid\": \"{}\"}}", if front == Front::Other { "other" } else { "mine" }))
        }
        "/api/sources" if front == Front::KeepsPrefix => (404, "no route".into()),
        "/api/sources" => {
            world.lock().sent.extend(ask.body.clone());
            (201, String::new())
        }
        path if path.starts_with("/api/sources/") => (200, noted()),
        _ if is_asked_again(ask) => (304, String::new()),
        path if path.strip_suffix(".png").is_some() => (200, "base64:iVBORw==".into()),
        _ if accepts(ask) && !matches!(front, Front::NoGzip | Front::SaysGzip) => (200, packed(SHEET)),
        _ => (200, SHEET.to_owned()),
    }
}

/// `api` is the front, `redis` the API on port 8000, `postgres` Kibana on port 5601.
fn world(front: Front) -> FakeWorld {
    let mut world = FakeWorld::lab02();
    for (service, port) in [("api", 443), ("redis", 8000), ("postgres", 5601)] {
        world.open.insert((service.into(), port));
    }
    world.pages.insert(("api".into(), 443), Box::new(move |world, ask| page(world, front, ask)));
    world.heads.insert(("api".into(), 443), Box::new(move |ask| head(front, ask)));
    let own =
        |world: &FakeWorld, _: &wire::Http| (200, world.lock().sent.last().cloned().unwrap_or_default());
    world.pages.insert(("redis".into(), 8000), Box::new(own));
    world.pages.insert(("postgres".into(), 5601), Box::new(|_, _| (200, "{\"uuid\": \"mine\"}".into())));
    world
}

async fn judged(check: &dyn Check, front: Front) -> Verdict {
    let (memo, experiments, world) = (Memo::default(), Experiments::default(), world(front));
    let cx = Cx { world: &world, experiments: &experiments, memo: &memo, second: None };
    check.validate(&experiments).expect("valid");
    check.judge(&cx).await.expect("no fault")
}

fn assets(proof: AssetsProof) -> Assets {
    Assets {
        via: "api".into(),
        port: 443,
        host: "logs.localhost".into(),
        proof,
        text: vec!["/".into(), "/static/style.css".into()],
        packed: vec!["/static/logo.png".into()],
        page: "/".into(),
        days: 7,
    }
}

#[tokio::test(start_paused = true)]
async fn text_is_packed_and_nothing_else() {
    let check = assets(AssetsProof::Gzip);
    passes(&judged(&check, Front::Honest).await);
    fails(&judged(&check, Front::NoGzip).await, "n'est pas compressé");
    fails(&judged(&check, Front::SaysGzip).await, "ne se décompresse pas");
    fails(&judged(&check, Front::PacksImages).await, "seconde fois");
}

#[tokio::test(start_paused = true)]
async fn files_are_kept_and_the_page_is_not() {
    let check = assets(AssetsProof::Cache);
    passes(&judged(&check, Front::Honest).await);
    fails(&judged(&check, Front::NoCache).await, "assez longtemps");
    fails(&judged(&check, Front::KeepsPage).await, "peut rester");
    fails(&judged(&check, Front::NoTag).await, "seconde fois");
}

#[tokio::test(start_paused = true)]
async fn a_prefix_leads_to_its_service() {
    let check = Relayed {
        via: "api".into(),
        port: 443,
        host: "logs.localhost".into(),
        prefix: "/api".into(),
        write: Written {
            service: "redis".into(),
            port: 8000,
            method: "POST".into(),
            path: "/sources".into(),
            body: Some("{\"nom\": \"{token}\"}".into()),
        },
        read: "/sources/{token}".into(),
    };
    passes(&judged(&check, Front::Honest).await);
    fails(&judged(&check, Front::KeepsPrefix).await, "répond 404");
}

#[tokio::test(start_paused = true)]
async fn an_application_stays_beneath_its_base() {
    let check = Based {
        via: "api".into(),
        port: 443,
        host: "logs.localhost".into(),
        base: "/kibana".into(),
        service: "postgres".into(),
        to_port: 5601,
        status: "/api/status".into(),
        same: vec!["/uuid".into()],
    };
    passes(&judged(&check, Front::Honest).await);
    fails(&judged(&check, Front::LeavesBase).await, "hors de /kibana");
    fails(&judged(&check, Front::Other).await, "n'est pas « postgres »");
}
