//! Offline image recipes: `labs/images/<folder>/recipe.toml`, content-hashed, built once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bollard::query_parameters::TagImageOptionsBuilder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::connect::Engine;
use super::fault::engine_fault;
use super::session::Session;
use crate::error::{Fault, FaultKind};
use crate::event::{Grade, LACKS, Offline};

/// Label that carries the grade of an offline image.
pub(super) const OFFLINE: &str = "tp-docker.offline";
const INSIDE: &str = "tp-docker.offline.inside";
const DIFFERS: &str = "tp-docker.offline.differs";
/// Label that carries the hash of the recipe.
pub(super) const RECIPE: &str = "tp-docker.recipe";

/// `recipe.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    image: Option<String>,
    #[serde(default)]
    also: Vec<String>,
    grade: Grade,
    inside: String,
    differs: String,
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    prepare: Option<String>,
    #[serde(default)]
    host_packages: Vec<String>,
}

/// A recipe.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Folder name.
    pub folder: String,
    /// Official name it stands for; `None` for an inner base.
    pub image: Option<String>,
    /// Globs of other official names.
    pub also: Vec<String>,
    /// Honest label.
    pub offline: Offline,
    /// Words that tell what it lacks ([`LACKS`]).
    pub lacks: Vec<String>,
    /// Recipes built first.
    pub needs: Vec<String>,
    /// Hash of the folder and of what it needs, 12 hexadecimal digits.
    pub hash: String,
    prepare: Option<String>,
    host_packages: Vec<String>,
    dir: PathBuf,
}

impl Recipe {
    /// Name under which it is kept whatever happens to the official name.
    pub fn tag(&self) -> String {
        format!("tp-docker-offline/{}:{}", self.folder, self.hash)
    }

    /// Whether it stands for an official image (`name:tag`).
    pub fn covers(&self, image: &str) -> bool {
        self.image.as_deref() == Some(image) || self.also.iter().any(|pattern| glob(pattern, image))
    }
}

/// `*` stands for any run of characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Reads every recipe of a folder.
pub fn recipes(dir: &Path) -> Result<BTreeMap<String, Recipe>, Fault> {
    let bad = |what: String| Fault::new(FaultKind::Lab, what, "corrigez la recette d'image");
    let mut raws: BTreeMap<String, (Raw, PathBuf, String)> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let folder = entry.file_name().to_string_lossy().into_owned();
        let file = entry.path().join("recipe.toml");
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let raw: Raw = toml::from_str(&text).map_err(|e| bad(format!("{} : {e}", file.display())))?;
        let own = hash_folder(&entry.path()).map_err(|e| bad(format!("{} : {e}", file.display())))?;
        raws.insert(folder, (raw, entry.path(), own));
    }
    let mut done = BTreeMap::new();
    for folder in raws.keys() {
        let hash = full_hash(folder, &raws, &mut HashSet::new()).map_err(bad)?;
        let (raw, path, _) = &raws[folder];
        done.insert(
            folder.clone(),
            Recipe {
                folder: folder.clone(),
                image: raw.image.clone(),
                also: raw.also.clone(),
                offline: Offline {
                    grade: raw.grade,
                    inside: raw.inside.clone(),
                    differs: raw.differs.clone(),
                },
                lacks: raw.lacks.clone(),
                needs: raw.needs.clone(),
                hash: hash[..12].to_owned(),
                prepare: raw.prepare.clone(),
                host_packages: raw.host_packages.clone(),
                dir: path.clone(),
            },
        );
    }
    Ok(done)
}

fn full_hash(
    folder: &str,
    raws: &BTreeMap<String, (Raw, PathBuf, String)>,
    open: &mut HashSet<String>,
) -> Result<String, String> {
    let Some((raw, _, own)) = raws.get(folder) else {
        return Err(format!("recette d'image inconnue : « {folder} »"));
    };
    if !open.insert(folder.to_owned()) {
        return Err(format!("recettes d'image en cercle autour de « {folder} »"));
    }
    let mut hash = Sha256::new();
    hash.update(own);
    for need in &raw.needs {
        hash.update(full_hash(need, raws, open)?);
    }
    open.remove(folder);
    Ok(hex::encode(hash.finalize()))
}

fn hash_folder(dir: &Path) -> std::io::Result<String> {
    let mut files = BTreeSet::new();
    let mut stack = vec![dir.to_path_buf()];
    while let Some(next) = stack.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                stack.push(path);
            } else {
                files.insert(path);
            }
        }
    }
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(dir).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(std::fs::read(&file)?);
        hash.update([0]);
    }
    Ok(hex::encode(hash.finalize()))
}

/// The honest label of an image, when it is one of ours, with the hash of its recipe.
pub(super) fn label_of(
    labels: Option<&std::collections::HashMap<String, String>>,
) -> Option<(Offline, String)> {
    let labels = labels?;
    let grade = match labels.get(OFFLINE)?.as_str() {
        "real" => Grade::Real,
        "equivalent" => Grade::Equivalent,
        _ => Grade::Double,
    };
    let get = |key: &str| labels.get(key).cloned().unwrap_or_default();
    Some((Offline { grade, inside: get(INSIDE), differs: get(DIFFERS) }, get(RECIPE)))
}

/// Builds the recipes of these folders and all that they need, level by level, two at a time;
/// tells each start and end through `say(folder, done)`.
pub async fn build_recipes(
    engine: &Engine,
    session: &Session,
    all: &BTreeMap<String, Recipe>,
    wanted: &[String],
    say: &(dyn Fn(&str, bool) + Sync),
) -> Result<(), Fault> {
    let mut order: Vec<Vec<&Recipe>> = Vec::new();
    let mut placed: HashSet<&str> = HashSet::new();
    let mut todo: BTreeSet<&str> = BTreeSet::new();
    let mut stack: Vec<&str> = wanted.iter().map(String::as_str).collect();
    while let Some(folder) = stack.pop() {
        if let Some(recipe) = all.get(folder)
            && todo.insert(folder)
        {
            stack.extend(recipe.needs.iter().map(String::as_str));
        }
    }
    while placed.len() < todo.len() {
        let level: Vec<&Recipe> = todo
            .iter()
            .filter(|f| !placed.contains(*f))
            .map(|f| &all[*f])
            .filter(|r| r.needs.iter().all(|n| placed.contains(n.as_str())))
            .collect();
        placed.extend(level.iter().map(|r| r.folder.as_str()));
        order.push(level);
    }
    for level in order {
        for pair in level.chunks(2) {
            let builds = pair.iter().map(|recipe| async move {
                if engine.docker.inspect_image(&recipe.tag()).await.is_err() {
                    say(&recipe.folder, false);
                    build_one(engine, session, all, recipe).await?;
                    say(&recipe.folder, true);
                }
                if let Some(image) = &recipe.image {
                    give_name(engine, recipe, image).await?;
                }
                Ok::<(), Fault>(())
            });
            futures_util::future::try_join_all(builds).await?;
        }
    }
    Ok(())
}

/// Tags the recipe's image with an official name, unless a real image has it.
pub(super) async fn give_name(engine: &Engine, recipe: &Recipe, image: &str) -> Result<(), Fault> {
    if let Ok(there) = engine.docker.inspect_image(image).await {
        let labels = there.config.and_then(|c| c.labels);
        if label_of(labels.as_ref()).is_none_or(|(_, hash)| hash.starts_with(&recipe.hash)) {
            return Ok(());
        }
    }
    let (repo, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let options = TagImageOptionsBuilder::new().repo(repo).tag(tag).build();
    engine
        .docker
        .tag_image(&recipe.tag(), Some(options))
        .await
        .map_err(|e| engine_fault(&format!("la pose du nom {image}"), &e))
}

async fn build_one(
    engine: &Engine,
    session: &Session,
    all: &BTreeMap<String, Recipe>,
    recipe: &Recipe,
) -> Result<(), Fault> {
    let failed = |detail: String| {
        let packages = if recipe.host_packages.is_empty() {
            String::new()
        } else {
            format!(" (paquets de la machine : {})", recipe.host_packages.join(", "))
        };
        Fault::new(
            FaultKind::Image,
            format!("l'image hors ligne « {} » ne se construit pas", recipe.folder),
            format!("vérifiez l'accès aux dépôts de paquets{packages}, puis relancez"),
        )
        .detail(detail)
    };
    let context = session.dir().join(format!("recipe-{}", recipe.folder));
    copy_dir(&recipe.dir, &context).map_err(|e| failed(e.to_string()))?;
    if let Some(script) = &recipe.prepare {
        prepare(&context, script).await.map_err(failed)?;
    }
    let mut args: Vec<String> = vec!["build".into(), "--progress".into(), "plain".into(), "--load".into()];
    args.extend(["--provenance=false".into(), "--tag".into(), recipe.tag()]);
    let grade = match recipe.offline.grade {
        Grade::Real => "real",
        Grade::Equivalent => "equivalent",
        Grade::Double => "double",
    };
    for (key, value) in [
        (OFFLINE, grade),
        (INSIDE, &recipe.offline.inside),
        (DIFFERS, &recipe.offline.differs),
        (LACKS, &recipe.lacks.join("\n")),
        (RECIPE, &recipe.hash),
        ("org.opencontainers.image.title", recipe.image.as_deref().unwrap_or(&recipe.folder)),
        ("org.opencontainers.image.version", &recipe.offline.inside),
    ] {
        args.extend(["--label".into(), format!("{key}={value}")]);
    }
    for need in &recipe.needs {
        if let Some(base) = all.get(need) {
            let name = need.to_uppercase().replace(['-', '.'], "_");
            args.extend(["--build-arg".into(), format!("BASE_{name}={}", base.tag())]);
        }
    }
    args.push(context.display().to_string());
    let said = engine
        .tools
        .run(session, &engine.tools.buildx, &args, &BTreeMap::new(), Duration::from_secs(1800))
        .await?;
    let _ = std::fs::remove_dir_all(&context);
    if said.ok { Ok(()) } else { Err(failed(last_lines(&said.text, 15))) }
}

async fn prepare(context: &Path, script: &str) -> Result<(), String> {
    let bundle = [
        std::env::var("SSL_CERT_FILE").unwrap_or_default(),
        "/etc/ssl/certs/ca-certificates.crt".into(),
        "/etc/ssl/cert.pem".into(),
    ]
    .into_iter()
    .find(|p| Path::new(p).is_file())
    .unwrap_or_default();
    let output = tokio::process::Command::new("bash")
        .arg(script)
        .current_dir(context)
        .env("TP_CA_BUNDLE", bundle)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(last_lines(&text, 15))
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs() {
        assert!(glob("postgres:16*", "postgres:16-alpine"));
        assert!(glob("nginx:*alpine*", "nginx:1.27-alpine3.19"));
        assert!(glob("alpine:*", "alpine:3.20"));
        assert!(!glob("postgres:16*", "postgres:17"));
        assert!(!glob("redis", "redis:7"));
        assert!(glob("redis", "redis"));
    }
}
