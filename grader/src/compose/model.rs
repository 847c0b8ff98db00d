//! The canonical model and what can be read from it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::dockerfile::{self, FromImage};
use super::rewrite;
use super::source::SourceMap;
use crate::check::deep::Dotenv;
use crate::check::world::{
    Declared, DeclaredLimits, DeclaredLogging, DeclaredNetwork, DeclaredPort, DeclaredProfile,
    DeclaredService,
};
use crate::event::{Notice, Place};

/// Compose's canonical model of a submission, not yet judged.
#[derive(Clone, Debug)]
pub struct ComposeModel {
    pub(super) root: PathBuf,
    pub(super) left_out: Vec<PathBuf>,
    pub(super) source: SourceMap,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) project: String,
    pub(super) active: Value,
    pub(super) all: Value,
    /// Canonical JSON of the files without the one that is laid over, when there is one. Never run.
    pub(super) alone: Option<Value>,
    /// Canonical JSON of profiles that are not run, or why Compose refuses them.
    pub(super) profiles: BTreeMap<String, Result<Value, String>>,
    /// The `.env` that was written in the place of the student's.
    pub(super) dotenv: Option<Dotenv>,
    pub(super) notices: Vec<Notice>,
}

/// How a service is built. Paths are relative to the staged root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildPlan {
    /// Build context.
    pub context: PathBuf,
    /// Dockerfile, unless it is written in the Compose file.
    pub dockerfile: Option<PathBuf>,
    /// Dockerfile written in the Compose file.
    pub inline: Option<String>,
    /// Build arguments; `None` takes nothing from the machine and stays unset.
    pub args: BTreeMap<String, Option<String>>,
    /// Stage to build.
    pub target: Option<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Further contexts by name, each a folder of the copy.
    pub contexts: BTreeMap<String, PathBuf>,
    /// Secrets by id, each a file of the copy.
    pub secrets: BTreeMap<String, PathBuf>,
    /// `network: none`.
    pub no_network: bool,
}

/// An image that a service runs without building it.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageNeed {
    /// As written.
    pub image: String,
    /// Services that run it.
    pub services: Vec<String>,
    /// Where it is written first.
    pub place: Option<Place>,
}

impl ComposeModel {
    /// Remarks: unset variables, obsolete keys, two candidate files…
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Positions in the student's files.
    pub fn source(&self) -> &SourceMap {
        &self.source
    }

    /// Project name that the student would have.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The staged copy.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Canonical JSON of the active profiles, `$` doubled as Compose writes it.
    pub fn json(&self) -> &Value {
        &self.active
    }

    /// File of a top-level secret that is used and given by a file of the copy.
    pub fn secret_file(&self, name: &str) -> Option<PathBuf> {
        let file = self.active.get("secrets")?.get(name)?.get("file")?.as_str()?;
        let path = self.root.join(plain(file));
        path.starts_with(&self.root).then_some(path)
    }

    /// What the student declared, before any rewrite.
    pub fn declared(&self) -> Declared {
        let of = |model: &Value| Declared {
            services: entries(model, "services").map(|(k, v)| (k.clone(), service(self, v))).collect(),
            networks: entries(model, "networks").map(|(k, v)| (k.clone(), network(v))).collect(),
            file: self.source.main().to_owned(),
            alone: None,
            over: self.source.over().map(str::to_owned),
            profiles: BTreeMap::new(),
        };
        Declared {
            alone: self.alone.as_ref().map(|alone| Box::new(of(alone))),
            profiles: self.profiles.iter().map(|(name, read)| (name.clone(), profile(read))).collect(),
            ..of(&self.active)
        }
    }

    /// The `.env` that was written in the place of the student's.
    pub fn dotenv(&self) -> Option<&Dotenv> {
        self.dotenv.as_ref()
    }

    /// Images run as they are, each once.
    pub fn images(&self) -> Vec<ImageNeed> {
        let mut needs: BTreeMap<String, ImageNeed> = BTreeMap::new();
        for (name, service) in entries(&self.active, "services") {
            if service.get("build").is_some() {
                continue;
            }
            let Some(image) = service.get("image").and_then(Value::as_str).map(plain) else { continue };
            if self.builder_of(&image).is_some() {
                continue;
            }
            let place = self.source.place(&["services", name, "image"], "");
            needs
                .entry(image.clone())
                .or_insert_with(|| ImageNeed { image, services: Vec::new(), place })
                .services
                .push(name.clone());
        }
        needs.into_values().collect()
    }

    /// The service that builds an image under this name: others may run it too.
    pub(super) fn builder_of(&self, image: &str) -> Option<&str> {
        let bare = |image: &str| image.strip_suffix(":latest").unwrap_or(image).to_owned();
        entries(&self.active, "services")
            .filter(|(_, service)| service.get("build").is_some_and(|build| !build.is_null()))
            .find(|(_, service)| {
                let named = service.get("image").and_then(Value::as_str).map(plain);
                named.is_some_and(|named| bare(&named) == bare(image))
            })
            .map(|(name, _)| name.as_str())
    }

    /// How each built service is built.
    pub fn builds(&self) -> BTreeMap<String, BuildPlan> {
        entries(&self.active, "services")
            .filter_map(|(name, service)| Some((name.clone(), self.build(service.get("build")?))))
            .collect()
    }

    /// Images that the Dockerfiles start from or copy from, each once per service.
    pub fn from_images(&self) -> Vec<FromImage> {
        self.builds()
            .iter()
            .flat_map(|(name, plan)| dockerfile::from_images(&self.root, name, plan))
            .collect()
    }

    pub(super) fn build(&self, build: &Value) -> BuildPlan {
        let text = |key: &str| build.get(key).and_then(Value::as_str).map(plain);
        let context = self.relative(&text("context").unwrap_or_default());
        // Whatever front end it names, the built-in one reads it.
        let inline = text("dockerfile_inline").map(|t| {
            let syntax = dockerfile::parse(&t).syntax;
            syntax.iter().fold(t, |t, (_, line)| dockerfile::without_line(&t, *line))
        });
        let name = text("dockerfile").unwrap_or_else(|| "Dockerfile".to_owned());
        let dockerfile =
            if Path::new(&name).is_absolute() { self.relative(&name) } else { context.join(&name) };
        let dockerfile = self.lower_case(dockerfile);
        BuildPlan {
            dockerfile: inline.is_none().then(|| super::gate::clean(&dockerfile)),
            inline,
            args: entries(build, "args").map(|(k, v)| (k.clone(), scalar(v))).collect(),
            target: text("target"),
            labels: entries(build, "labels")
                .filter(|(k, _)| !k.starts_with("tp-docker.") && !k.starts_with("com.docker.compose."))
                .filter_map(|(k, v)| Some((k.clone(), scalar(v)?)))
                .collect(),
            contexts: entries(build, "additional_contexts")
                .filter_map(|(k, v)| Some((k.clone(), self.relative(&scalar(v)?))))
                .collect(),
            secrets: self.build_secrets(build),
            no_network: text("network").as_deref() == Some("none"),
            context,
        }
    }

    /// Without « Dockerfile », the builder takes « dockerfile ».
    fn lower_case(&self, dockerfile: PathBuf) -> PathBuf {
        let lower = dockerfile.with_file_name("dockerfile");
        let there = |path: &Path| self.root.join(path).symlink_metadata().is_ok();
        let default = dockerfile.file_name().is_some_and(|name| name == "Dockerfile");
        if default && !there(&dockerfile) && there(&lower) { lower } else { dockerfile }
    }

    fn build_secrets(&self, build: &Value) -> BTreeMap<String, PathBuf> {
        let uses = build.get("secrets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        uses.iter()
            .filter_map(|used| {
                let source = used.get("source")?.as_str()?;
                let file = self.all.get("secrets")?.get(source)?.get("file")?.as_str()?;
                let id = used.get("target").and_then(Value::as_str).unwrap_or(source);
                Some((plain(id), self.relative(&plain(file))))
            })
            .collect()
    }

    /// Path relative to the staged root; unchanged when it is elsewhere.
    pub(super) fn relative(&self, path: &str) -> PathBuf {
        let path = super::gate::clean(Path::new(path));
        path.strip_prefix(&self.root).unwrap_or(&path).to_owned()
    }
}

/// Members of an object.
pub(super) fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// Undoes Compose's doubling of `$`.
pub(super) fn plain(text: &str) -> String {
    text.replace("$$", "$")
}

/// A scalar as text, `$` as the student means it.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(plain(text)),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A list of texts, `$` as the student means it.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(scalar).collect(),
        Some(Value::String(text)) => vec![plain(text)],
        _ => Vec::new(),
    }
}

fn service(model: &ComposeModel, service: &Value) -> DeclaredService {
    let text = |key: &str| service.get(key).and_then(Value::as_str).map(plain);
    let build = service.get("build").map(|b| model.build(b));
    let shown = |path: &Path| {
        let text = path.to_string_lossy().into_owned();
        if text.is_empty() { ".".to_owned() } else { text }
    };
    DeclaredService {
        image: text("image"),
        build_context: build.as_ref().map(|b| shown(&b.context)),
        dockerfile: build.as_ref().and_then(|b| b.dockerfile.as_deref()).map(shown),
        ports: service
            .get("ports")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(port)
            .collect(),
        networks: entries(service, "networks").map(|(k, _)| k.clone()).collect(),
        network_mode: text("network_mode"),
        healthcheck: healthcheck(service.get("healthcheck")),
        depends_on: entries(service, "depends_on")
            .map(|(k, v)| {
                let condition = v.get("condition").and_then(Value::as_str).unwrap_or("service_started");
                (k.clone(), condition.to_owned())
            })
            .collect(),
        restart: text("restart"),
        logging: service.get("logging").filter(|l| !l.is_null()).map(|logging| DeclaredLogging {
            driver: logging.get("driver").and_then(scalar).filter(|driver| !driver.is_empty()),
            options: entries(logging, "options").filter_map(|(k, v)| Some((k.clone(), scalar(v)?))).collect(),
        }),
        limits: limits(service),
    }
}

/// Those of `deploy`, else those of the service itself; zero is none.
fn limits(service: &Value) -> DeclaredLimits {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    let deploy = &service["deploy"]["resources"]["limits"];
    let quota = || {
        let quota = number(&service["cpu_quota"])?;
        Some(quota / number(&service["cpu_period"]).filter(|n| *n > 0.0).unwrap_or(100_000.0))
    };
    let memory = |value: &Value| super::rewrite::bytes(value).filter(|n| *n > 0);
    DeclaredLimits {
        memory: memory(&deploy["memory"]).or_else(|| memory(&service["mem_limit"])),
        cpus: [number(&deploy["cpus"]), number(&service["cpus"]), quota()]
            .into_iter()
            .flatten()
            .find(|cpus| *cpus > 0.0),
    }
}

fn profile(read: &Result<Value, String>) -> DeclaredProfile {
    match read {
        Err(why) => DeclaredProfile { refused: Some(why.clone()), ..DeclaredProfile::default() },
        Ok(model) => DeclaredProfile {
            services: entries(model, "services").map(|(name, value)| (name.clone(), memory(value))).collect(),
            refused: None,
        },
    }
}

/// Memory limit of a service, bytes, all its copies together.
fn memory(service: &Value) -> Option<u64> {
    limits(service).memory.map(|each| each * rewrite::replicas(service))
}

pub(super) fn port(port: &Value) -> Option<DeclaredPort> {
    Some(DeclaredPort {
        target: u16::try_from(port.get("target")?.as_u64()?).ok()?,
        published: port.get("published").and_then(scalar).filter(|p| !p.is_empty() && p != "0"),
        host_ip: port.get("host_ip").and_then(scalar).filter(|ip| !ip.is_empty()),
        protocol: port.get("protocol").and_then(scalar).unwrap_or_else(|| "tcp".to_owned()),
    })
}

fn healthcheck(check: Option<&Value>) -> Option<Vec<String>> {
    let check = check?;
    if check.get("disable").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let test = texts(check.get("test"));
    (!test.is_empty() && test[0] != "NONE").then_some(test)
}

fn network(network: &Value) -> DeclaredNetwork {
    let flag = |key: &str| network.get(key).and_then(Value::as_bool) == Some(true);
    let pools = pools(network);
    DeclaredNetwork {
        driver: network.get("driver").and_then(scalar),
        subnets: pools.iter().map(|(subnet, _)| *subnet).collect(),
        gateways: pools
            .iter()
            .filter_map(|(subnet, gateway)| gateway.or_else(|| subnet.hosts().next()))
            .collect(),
        internal: flag("internal"),
        external: flag("external"),
    }
}

/// Declared subnets with their gateways.
pub(super) fn pools(network: &Value) -> Vec<(IpNet, Option<IpAddr>)> {
    let config = network.get("ipam").and_then(|i| i.get("config")).and_then(Value::as_array);
    config
        .into_iter()
        .flatten()
        .filter_map(|pool| {
            let subnet = pool.get("subnet").and_then(scalar)?.parse().ok()?;
            let gateway = pool.get("gateway").and_then(scalar).and_then(|g| g.parse().ok());
            Some((subnet, gateway))
        })
        .collect()
}
