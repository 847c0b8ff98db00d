//! The copy of the student's Prometheus that lives in compressed time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::prom::{Health, Prom, Target, Trouble};
use super::super::rules::files::{self, Files};
use super::super::world::{TWIN_SCRATCH, TwinPlan, Vantage};
use super::super::{Cx, kit};
use super::compress;
use crate::error::{Fault, FaultKind};

/// Longest wait for Prometheus to answer.
const READY: Duration = Duration::from_secs(30);
/// Longest wait for the first scrape of every target, besides one interval.
const FIRST_SCRAPE: Duration = Duration::from_secs(20);

/// What is known of the student's Prometheus, and its copy when there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Twin {
    /// The configuration that runs.
    pub files: Files,
    /// Divides every duration; 1 without a copy.
    pub factor: u32,
    /// French: why there is no copy although time could have been compressed.
    pub why_real: Option<String>,
    /// French: why the student's Prometheus could not even be asked.
    pub trouble: Option<String>,
}

/// Name of the copy of a service.
fn name(service: &str) -> String {
    format!("temps-{service}")
}

/// The copy as seen by a client.
pub fn client<'a>(cx: &Cx<'a>, service: &str, port: u16) -> Prom<'a> {
    Prom::at(cx.world, Vantage::Twin(name(service)), "127.0.0.1", port)
}

/// The copy of a service's Prometheus, started once.
pub async fn shared(cx: &Cx<'_>, service: &str, port: u16) -> Result<Arc<Twin>, Fault> {
    cx.memo.once(&format!("alert-twin:{service}:{port}"), Box::pin(start(cx, service, port))).await
}

async fn start(cx: &Cx<'_>, service: &str, port: u16) -> Result<Twin, Fault> {
    let known = files::known(cx, service, port).await?;
    let (files, flags) = match known.as_ref() {
        Ok((files, flags)) => (files.clone(), flags),
        Err(why) => return Ok(Twin { factor: 1, trouble: Some(why.clone()), ..Twin::default() }),
    };
    let mut twin = Twin { factor: 1, files, ..Twin::default() };
    if cx.world.real_time() {
        return Ok(twin);
    }
    let factor = compress::factor(&twin.files);
    if factor < 2 {
        twin.why_real = Some("un intervalle d'une seconde ou moins ne se divise plus".to_owned());
        return Ok(twin);
    }
    let compressed = match compressed(&twin.files, factor) {
        Ok(compressed) => compressed,
        Err(why) => {
            twin.why_real = Some(why);
            return Ok(twin);
        }
    };
    let lookback = compress::lookback(flags.get("query.lookback-delta").map(String::as_str), factor);
    let extra_args = vec![
        format!("--storage.tsdb.path={TWIN_SCRATCH}/donnees"),
        format!("--query.lookback-delta={lookback}"),
        format!("--web.listen-address=0.0.0.0:{port}"),
        "--web.route-prefix=/".to_owned(),
    ];
    let plan = TwinPlan {
        name: name(service),
        service: service.to_owned(),
        files: compressed,
        extra_args,
        amplify: Vec::new(),
    };
    cx.world.twin(plan).await?;
    let prom = client(cx, service, port);
    if let Err(trouble) = prom.ready(READY).await? {
        return Err(broken(&trouble.told()));
    }
    twin.factor = factor;
    Ok(twin)
}

fn broken(why: &str) -> Fault {
    Fault::new(
        FaultKind::Engine,
        "la copie de Prometheus en temps divisé ne démarre pas",
        "relancez avec --real-time ; si cela se répète, signalez ce défaut du correcteur",
    )
    .detail(why)
}

/// Every file of the copy, or why they cannot be made.
fn compressed(files: &Files, factor: u32) -> Result<BTreeMap<String, String>, String> {
    let unread = |path: &str| format!("le fichier {path} n'a pas pu être relu");
    let text = files.text.as_deref().ok_or_else(|| unread(&files.path))?;
    let mut made = BTreeMap::new();
    made.insert(files.path.clone(), compress::config(text, factor).map_err(|_| unread(&files.path))?);
    for path in files.rule_paths() {
        let text = files.texts.get(path).ok_or_else(|| unread(path))?;
        made.insert(path.clone(), compress::rules(text, factor).map_err(|_| unread(path))?);
    }
    for path in files.scrapes.iter().flat_map(|n| &n.paths) {
        let text = files.texts.get(path).ok_or_else(|| unread(path))?;
        made.insert(path.clone(), compress::scrapes(text, factor).map_err(|_| unread(path))?);
    }
    Ok(made)
}

/// Longest wait for a Prometheus that has just started to list its targets.
const LISTED: Duration = Duration::from_secs(8);

/// The targets, once one of a service is among them or it certainly will not be.
pub async fn listed(
    prom: &Prom<'_>,
    service: &str,
    addresses: &[std::net::IpAddr],
) -> Result<Result<Vec<Target>, Trouble>, Fault> {
    let there = |seen: &Result<Vec<Target>, Trouble>| {
        seen.as_ref().is_ok_and(|targets| targets.iter().any(|t| super::concerns(t, service, addresses)))
    };
    kit::patiently(LISTED, there, || prom.targets()).await
}

/// Waits (bounded) until every target has been scraped once, and gives them.
pub async fn scraped(prom: &Prom<'_>, interval: Duration) -> Result<Result<Vec<Target>, Trouble>, Fault> {
    let all = |seen: &Result<Vec<Target>, Trouble>| {
        seen.as_ref()
            .is_ok_and(|targets| !targets.is_empty() && targets.iter().all(|t| t.health != Health::Unknown))
    };
    kit::patiently(FIRST_SCRAPE + interval, all, || prom.targets()).await
}
