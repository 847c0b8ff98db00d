//! Having the images: local, else pulled, else an offline recipe; each with its honest label.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::connect::Engine;
use super::fault::{engine_fault, is_gone};
use super::recipe::{Recipe, build_recipes, give_name, label_of};
use super::session::Session;
use crate::error::{Fault, FaultKind};
use crate::event::ImageUse;

/// What may be done to have an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImagePolicy {
    /// Pulling is allowed.
    pub pull: bool,
    /// Offline recipes are allowed.
    pub recipes: bool,
}

/// An image made ready, or why not.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// Ready.
    Ready(ImageUse),
    /// The registry says that it does not exist: the student's fault.
    Unknown {
        /// As written.
        image: String,
        /// What the registry said.
        detail: String,
    },
    /// It cannot be had on this machine.
    Unavailable {
        /// As written.
        image: String,
        /// What was tried.
        detail: String,
    },
}

/// `docker.io/library/nginx` and `nginx` are `nginx:latest`.
pub(super) fn normal(image: &str) -> String {
    let short = ["docker.io/library/", "index.docker.io/library/", "library/", "docker.io/"]
        .iter()
        .find_map(|p| image.strip_prefix(p))
        .unwrap_or(image);
    let has_tag = short.rsplit('/').next().is_some_and(|last| last.contains(':')) || short.contains('@');
    if has_tag { short.to_owned() } else { format!("{short}:latest") }
}

/// Makes images ready. A missing image is an outcome, not a fault.
pub async fn ensure_images(
    engine: &Engine,
    session: &Session,
    images: &[String],
    recipes: &BTreeMap<String, Recipe>,
    policy: ImagePolicy,
    say: &(dyn Fn(&str, bool) + Sync),
) -> Result<Vec<Resolved>, Fault> {
    let mut done = Vec::new();
    for image in images {
        done.push(ensure(engine, session, image, recipes, policy, say).await?);
    }
    Ok(done)
}

/// Of `images`, those that a run would have to pull or build.
pub async fn missing_images(
    engine: &Engine,
    images: &[String],
    recipes: &BTreeMap<String, Recipe>,
) -> Result<Vec<String>, Fault> {
    let mut missing = Vec::new();
    for image in images {
        let name = normal(image);
        let recipe = recipes.values().find(|r| r.covers(&name));
        if local(engine, &name, recipe).await?.is_none() {
            missing.push(image.clone());
        }
    }
    Ok(missing)
}

/// Whether the current recipe is built.
pub async fn is_built(engine: &Engine, recipe: &Recipe) -> bool {
    engine.docker.inspect_image(&recipe.tag()).await.is_ok()
}

/// Removes the probe's images and the offline images; gives how many.
pub async fn remove_kept_images(engine: &Engine) -> Result<usize, Fault> {
    let mut count = 0;
    for label in ["tp-docker.role=probe", super::recipe::OFFLINE] {
        let filters = std::collections::HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let list = engine
            .docker
            .list_images(Some(options))
            .await
            .map_err(|e| engine_fault("la liste des images", &e))?;
        for image in list {
            let force = RemoveImageOptionsBuilder::new().force(true).build();
            count += usize::from(engine.docker.remove_image(&image.id, Some(force), None).await.is_ok());
        }
    }
    Ok(count)
}

/// The image under that name on this engine, unless it is an offline one of an older recipe.
async fn local(
    engine: &Engine,
    name: &str,
    recipe: Option<&Recipe>,
) -> Result<Option<(String, Option<crate::event::Offline>)>, Fault> {
    let there = match engine.docker.inspect_image(name).await {
        Ok(there) => there,
        Err(e) if is_gone(&e) => return Ok(None),
        Err(e) => return Err(engine_fault(&format!("la lecture de l'image {name}"), &e)),
    };
    let label = label_of(there.config.as_ref().and_then(|c| c.labels.as_ref()));
    if let (Some((_, hash)), Some(recipe)) = (&label, recipe)
        && !hash.starts_with(&recipe.hash)
    {
        return Ok(None);
    }
    Ok(Some((there.id.unwrap_or_default(), label.map(|(offline, _)| offline))))
}

async fn ensure(
    engine: &Engine,
    session: &Session,
    image: &str,
    recipes: &BTreeMap<String, Recipe>,
    policy: ImagePolicy,
    say: &(dyn Fn(&str, bool) + Sync),
) -> Result<Resolved, Fault> {
    let name = normal(image);
    let recipe = recipes.values().find(|r| policy.recipes && r.covers(&name));
    if let Some((id, offline)) = local(engine, &name, recipe).await? {
        return Ok(Resolved::Ready(ImageUse { image: image.to_owned(), id, offline }));
    }
    let mut tried = String::from("absente de ce moteur");
    if policy.pull {
        say(image, false);
        match pull(engine, &name).await {
            Ok(()) => {
                say(image, true);
                let there = engine
                    .docker
                    .inspect_image(&name)
                    .await
                    .map_err(|e| engine_fault(&format!("la lecture de l'image {name}"), &e))?;
                return Ok(Resolved::Ready(ImageUse {
                    image: image.to_owned(),
                    id: there.id.unwrap_or_default(),
                    offline: None,
                }));
            }
            Err(text) if is_unknown(&text) && recipe.is_none() => {
                return Ok(Resolved::Unknown { image: image.to_owned(), detail: text });
            }
            Err(text) => tried = format!("{tried} ; téléchargement : {text}"),
        }
    }
    let Some(recipe) = recipe else {
        return Ok(Resolved::Unavailable { image: image.to_owned(), detail: tried });
    };
    build_recipes(engine, session, recipes, std::slice::from_ref(&recipe.folder), say).await?;
    give_name(engine, recipe, &name).await?;
    let there = engine
        .docker
        .inspect_image(&name)
        .await
        .map_err(|e| engine_fault(&format!("la lecture de l'image {name}"), &e))?;
    Ok(Resolved::Ready(ImageUse {
        image: image.to_owned(),
        id: there.id.unwrap_or_default(),
        offline: Some(recipe.offline.clone()),
    }))
}

fn is_unknown(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["manifest unknown", "repository does not exist", "not found: manifest", "pull access denied"]
        .iter()
        .any(|sign| lower.contains(sign))
}

async fn pull(engine: &Engine, name: &str) -> Result<(), String> {
    let options = CreateImageOptionsBuilder::new().from_image(name).build();
    let mut stream = engine.docker.create_image(Some(options), None, None);
    let pulling = async {
        while let Some(step) = stream.next().await {
            step.map_err(|e| e.to_string())?;
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(900), pulling)
        .await
        .unwrap_or_else(|_| Err("pas fini après 15 min".to_owned()))
}

/// The probe's image, built from the static binary when its content changed. Refer to it by id.
pub async fn probe_image(engine: &Engine, session: &Session) -> Result<String, Fault> {
    let binary = probe_binary(engine).await?;
    let bytes = std::fs::read(&binary).map_err(|e| missing_probe(&e.to_string()))?;
    let hash = hex::encode(&Sha256::digest(&bytes)[..6]);
    let tag = format!("tp-docker-probe:{hash}");
    if let Ok(there) = engine.docker.inspect_image(&tag).await {
        return Ok(there.id.unwrap_or(tag));
    }
    let context = session.dir().join("probe-image");
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&context)?;
        std::fs::copy(&binary, context.join("grader-probe"))?;
        std::fs::write(
            context.join("Dockerfile"),
            "FROM scratch\nCOPY --chmod=755 grader-probe /grader-probe\nENTRYPOINT [\"/grader-probe\"]\n",
        )
    };
    write().map_err(|e| missing_probe(&e.to_string()))?;
    let folder = context.display().to_string();
    let args: Vec<String> =
        ["build", "--load", "--provenance=false", "--label", "tp-docker.role=probe", "--tag", &tag, &folder]
            .iter()
            .map(|s| (*s).to_owned())
            .collect();
    let said = engine
        .tools
        .run(session, &engine.tools.buildx, &args, &BTreeMap::new(), Duration::from_secs(120))
        .await?;
    if !said.ok {
        return Err(super::fault::from_text("la construction de l'image de la sonde", &said.text));
    }
    let there = engine
        .docker
        .inspect_image(&tag)
        .await
        .map_err(|e| engine_fault("la lecture de l'image de la sonde", &e))?;
    Ok(there.id.unwrap_or(tag))
}

fn missing_probe(detail: &str) -> Fault {
    Fault::new(
        FaultKind::Probe,
        "le programme de la sonde est introuvable",
        "dans ce projet : « make build » ; avec une archive : gardez grader-probe à côté de grader",
    )
    .detail(detail)
}

static PROBES: OnceLock<PathBuf> = OnceLock::new();

/// Says where else the probe's binaries may be (those that a release carries inside).
pub fn look_for_probes_in(dir: PathBuf) {
    // Said once a process; a second time would be the same.
    let _ = PROBES.set(dir);
}

/// The static Linux binary for the engine's architecture: beside `grader`, where Cargo puts it, or
/// where it was unpacked.
async fn probe_binary(engine: &Engine) -> Result<PathBuf, Fault> {
    let version =
        engine.docker.version().await.map_err(|e| engine_fault("la lecture de son architecture", &e))?;
    let arch = match version.arch.as_deref() {
        Some("arm64" | "aarch64") => "aarch64",
        _ => "x86_64",
    };
    if let Some(path) = std::env::var_os("TP_DOCKER_PROBE").map(PathBuf::from) {
        return Ok(path);
    }
    let exe = std::env::current_exe().map_err(|e| missing_probe(&e.to_string()))?;
    let mut tried = Vec::new();
    for dir in exe.ancestors().skip(1).take(4) {
        for candidate in [
            dir.join(format!("grader-probe-{arch}")),
            dir.join(format!("{arch}-unknown-linux-musl/probe/grader-probe")),
            dir.join(format!("{arch}-unknown-linux-gnu/probe/grader-probe")),
        ] {
            if is_file(&candidate) {
                return Ok(candidate);
            }
            tried.push(candidate.display().to_string());
        }
    }
    if let Some(carried) = PROBES.get().map(|dir| dir.join(format!("grader-probe-{arch}"))) {
        if is_file(&carried) {
            return Ok(carried);
        }
        tried.push(carried.display().to_string());
    }
    Err(missing_probe(&format!("cherché : {}", tried.join(", "))))
}

fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() > 0)
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn names() {
        assert_eq!(normal("nginx"), "nginx:latest");
        assert_eq!(normal("docker.io/library/redis:7-alpine"), "redis:7-alpine");
        assert_eq!(normal("localhost:5000/a"), "localhost:5000/a:latest");
        assert_eq!(normal("a/b@sha256:0"), "a/b@sha256:0");
    }
}
