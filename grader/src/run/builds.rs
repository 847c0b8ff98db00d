//! The images that a submission builds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;
use sha2::{Digest, Sha256};

use super::{Ctx, Stop};
use crate::compose;
use crate::engine::{self, BuildRequest};
use crate::error::{Fault, FaultKind};
use crate::event::StepState;

/// A build of the staged copy under a name of ours.
pub(super) fn build_request(
    cx: &Ctx<'_>,
    root: &Path,
    service: &str,
    plan: compose::BuildPlan,
) -> Result<BuildRequest, Stop> {
    let context = root.join(&plan.context);
    let dockerfile = match (&plan.inline, &plan.dockerfile) {
        (Some(text), _) => {
            let file = cx.session.dir().join(format!("Dockerfile.{}", image_name(service)));
            std::fs::write(&file, text).map_err(|e| {
                Fault::new(
                    FaultKind::Disk,
                    "le dossier temporaire est plein ou interdit",
                    "libérez de la place",
                )
                .detail(e)
            })?;
            file
        }
        (None, Some(file)) => root.join(file),
        (None, None) => context.join("Dockerfile"),
    };
    Ok(BuildRequest {
        feeders: compose::feeders(root, &plan),
        context,
        dockerfile,
        args: plan.args.into_iter().collect(),
        labels: plan.labels.into_iter().collect(),
        contexts: plan.contexts.into_iter().map(|(name, path)| (name, root.join(path))).collect(),
        secrets: plan.secrets.into_iter().map(|(id, path)| (id, root.join(path))).collect(),
        no_network: plan.no_network,
        target: plan.target,
        tag: Some(format!("tp-run-{}/{}:copie", cx.session.id, image_name(service))),
    })
}

/// An image name without the tag that is meant anyway.
fn bare(image: &str) -> &str {
    image.strip_suffix(":latest").unwrap_or(image)
}

/// A service name as part of an image name; another one for each service.
fn image_name(service: &str) -> String {
    let name: String =
        service.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name == service {
        return format!("s-{name}");
    }
    let digest = hex::encode(&Sha256::digest(service.as_bytes())[..4]);
    format!("s-{name}-{digest}").replace("--", "-")
}

/// Services that can start before anything is built.
pub(super) fn early(
    declared: &crate::check::world::Declared,
    builds: &BTreeMap<String, BuildRequest>,
) -> Vec<String> {
    let mut late: BTreeSet<&str> = builds.keys().map(String::as_str).collect();
    // A service may run the image that another one builds.
    let tags: BTreeSet<&str> =
        late.iter().filter_map(|name| declared.services.get(*name)?.image.as_deref()).map(bare).collect();
    let shares =
        |s: &crate::check::world::DeclaredService| s.image.as_deref().is_some_and(|i| tags.contains(bare(i)));
    late.extend(declared.services.iter().filter(|(_, s)| shares(s)).map(|(name, _)| name.as_str()));
    loop {
        let more: Vec<&str> = declared
            .services
            .iter()
            .filter(|(name, s)| {
                let mode = s.network_mode.as_deref().and_then(|m| m.strip_prefix("service:"));
                !late.contains(name.as_str())
                    && (s.depends_on.keys().any(|d| late.contains(d.as_str()))
                        || mode.is_some_and(|m| late.contains(m)))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if more.is_empty() {
            break;
        }
        late.extend(more);
    }
    declared.services.keys().filter(|s| !late.contains(s.as_str())).cloned().collect()
}

/// Builds every image; `Some` names the service whose build failed and gives the log.
pub(super) async fn build_all(
    cx: &Ctx<'_>,
    builds: &BTreeMap<String, BuildRequest>,
) -> Result<Option<(String, String)>, Stop> {
    let builds = builds.iter().map(|(service, request)| async move {
        let name = format!("image:{service}");
        let text = format!("construction de {service}");
        cx.step(&name, &text, StepState::Started);
        let outcome = engine::build(cx.engine, &cx.session, request).await?;
        let state = if outcome.ok { StepState::Done } else { StepState::Failed };
        cx.step(&name, &text, state);
        Ok::<_, Stop>((service.clone(), outcome))
    });
    for outcome in join_all(builds).await {
        let (service, outcome) = outcome?;
        if !outcome.ok {
            return Ok(Some((service, outcome.log)));
        }
    }
    Ok(None)
}
