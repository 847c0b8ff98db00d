//! Building a student's image with Buildx, under a name and labels of our own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::blame::{Blame, of_build};
use super::connect::Engine;
use super::fault::from_text;
use super::session::Session;
use crate::check::world::BuildOutcome;
use crate::error::{Fault, FaultKind};

/// Longest build, download of dependencies included.
pub const BUILD_DEADLINE: Duration = Duration::from_secs(600);

/// One build.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// Build context on this machine.
    pub context: PathBuf,
    /// Dockerfile, absolute.
    pub dockerfile: PathBuf,
    /// Build arguments; `None` stays unset.
    pub args: Vec<(String, Option<String>)>,
    /// Labels of the image.
    pub labels: Vec<(String, String)>,
    /// Further contexts by name.
    pub contexts: Vec<(String, PathBuf)>,
    /// Secrets by id.
    pub secrets: Vec<(String, PathBuf)>,
    /// Without network.
    pub no_network: bool,
    /// Target stage.
    pub target: Option<String>,
    /// The stages that the final one copies from: name, and the Dockerfile as far as their end.
    pub feeders: Vec<(String, String)>,
    /// Tag of the image; `None` builds without keeping anything.
    pub tag: Option<String>,
}

/// Builds. `Ok` with `ok: false` when the student's build fails; `Err` when the machine does.
pub async fn build(
    engine: &Engine,
    session: &Session,
    request: &BuildRequest,
) -> Result<BuildOutcome, Fault> {
    let mut args: Vec<String> =
        vec!["build".into(), "--progress".into(), "plain".into(), "--pull=false".into()];
    if let Some(tag) = &request.tag {
        args.extend(["--load".into(), "--tag".into(), tag.clone()]);
    } else {
        args.extend(["--output".into(), "type=cacheonly".into()]);
    }
    // One without a value would be taken from our own environment.
    for (key, value) in request.args.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
        args.extend(["--build-arg".into(), format!("{key}={value}")]);
    }
    for (key, value) in &request.labels {
        args.extend(["--label".into(), format!("{key}={value}")]);
    }
    // Ours last: of two values the last one counts.
    for (key, value) in session.labels().iter().filter(|_| request.tag.is_some()) {
        args.extend(["--label".into(), format!("{key}={value}")]);
    }
    for (name, path) in &request.contexts {
        args.extend(["--build-context".into(), format!("{name}={}", path.display())]);
    }
    for (id, path) in &request.secrets {
        args.extend(["--secret".into(), format!("id={id},{}", field(&format!("src={}", path.display())))]);
    }
    if request.no_network {
        args.extend(["--network".into(), "none".into()]);
    }
    args.extend(["--build-arg".into(), format!("BUILDKIT_CACHE_MOUNT_NS={}", session.id)]);
    args.extend(["--provenance=false".into(), "--file".into(), request.dockerfile.display().to_string()]);
    if let Some(target) = &request.target {
        args.extend(["--target".into(), target.clone()]);
    }
    args.push(request.context.display().to_string());
    let tools = &engine.tools;
    let none = BTreeMap::new();
    let work = || tools.run(session, &tools.buildx, &args, &none, BUILD_DEADLINE);
    let mut said = work().await?;
    if said.failed() && of_build(&said.text) != Blame::Project {
        said = work().await?;
    }
    if said.timed_out {
        return Err(Fault::new(
            FaultKind::Deadline,
            format!("la construction de l'image n'est pas finie après {} s", BUILD_DEADLINE.as_secs()),
            "relancez quand la machine est moins chargée, ou vérifiez l'accès au dépôt de paquets",
        ));
    }
    if said.failed() && of_build(&said.text) == Blame::Machine {
        return Err(from_text("la construction de l'image", &said.text));
    }
    Ok(BuildOutcome { ok: said.ok, log: said.text })
}

/// A field of a comma-separated option, whatever is in it.
fn field(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
