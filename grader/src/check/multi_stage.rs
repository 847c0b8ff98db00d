//! `multi-stage`: an image in several stages: no compiler in what runs, and less weight than where it was built.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::{Fault, FaultKind};
use crate::event::{Fact, Miss, Verdict};

/// What the image of a built service holds. Exactly one of `compiler` and `at-most`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MultiStage {
    /// Service.
    pub service: String,
    /// `false`: no compiler nor linker is in the container.
    #[serde(default)]
    pub compiler: Option<bool>,
    /// Largest share of the weight of the heaviest stage that the final one copies from.
    #[serde(default)]
    pub at_most: Option<f64>,
}

/// Where Debian and Alpine put what compiles and links.
const COMPILERS: &[&str] = &[
    "/usr/bin/gcc",
    "/usr/bin/cc",
    "/usr/bin/g++",
    "/usr/bin/c++",
    "/usr/bin/clang",
    "/usr/bin/tcc",
    "/usr/bin/x86_64-linux-gnu-gcc-12",
    "/usr/bin/x86_64-linux-gnu-gcc-14",
    "/usr/bin/aarch64-linux-gnu-gcc-12",
    "/usr/bin/aarch64-linux-gnu-gcc-14",
    "/usr/bin/as",
    "/usr/bin/ld",
    "/usr/bin/make",
    "/usr/lib/gcc",
    "/usr/libexec/gcc",
    "/usr/local/bin/gcc",
    "/usr/local/bin/cargo",
];
/// A file of every Linux container: the same search must find it.
const CONTROL: &str = "/etc/passwd";

fn mebibytes(bytes: u64) -> String {
    format!("{} Mio", (bytes + (1 << 19)) >> 20)
}

#[expect(clippy::cast_precision_loss, reason = "sizes of images, far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

impl MultiStage {
    fn at_from(&self, cx: &Cx<'_>, label: &str) -> Option<crate::event::Place> {
        let file = cx.world.declared().services.get(&self.service)?.dockerfile.clone()?;
        cx.world.place_in(&file, "FROM", label)
    }

    fn not_built(&self, cx: &Cx<'_>) -> Option<Miss> {
        let found = cx.world.declared().services.get(&self.service)?;
        if found.build_context.is_some() {
            return None;
        }
        Some(Miss {
            headline: format!("l'image de « {} » n'est pas construite ici", self.service),
            expected: "une image construite à partir d'un Dockerfile rendu avec le TP".to_owned(),
            observed: "pas de clé build:".to_owned(),
            place: tell::at(cx.world, &self.service, "image", "image toute faite"),
            hint: "la clé build: dit à Compose de construire l'image".to_owned(),
            try_it: "docker compose build".to_owned(),
            ..Miss::default()
        })
    }

    async fn judge_compiler(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let (world, service) = (cx.world, &self.service);
        if kit::running(world, service).await?.is_empty() {
            return tell::fail(tell::stopped(world, service).await?);
        }
        let mut found = Vec::new();
        for path in COMPILERS {
            if world.exists(service, path).await? {
                found.push(*path);
            }
        }
        let control = world.exists(service, CONTROL).await?;
        let facts = vec![
            Fact::new(
                "found",
                json!(found),
                format!("{} chemins cherchés, {} trouvés", COMPILERS.len(), found.len()),
            ),
            Fact::new(
                "control",
                control,
                format!("témoin : {CONTROL} est {}", if control { "là" } else { "introuvable" }),
            ),
        ];
        if let Some(first) = found.first() {
            return tell::fail(Miss {
                headline: format!("« {service} » tourne avec un compilateur"),
                expected: "aucun compilateur dans l'image qui tourne".to_owned(),
                observed: format!(
                    "{first}{}",
                    if found.len() > 1 { format!(" et {} autres", found.len() - 1) } else { String::new() }
                ),
                place: self.at_from(cx, "étapes de cette image"),
                hint:
                    "ce qui compile peut rester dans une étape dont l'image finale ne reprend que le résultat"
                        .to_owned(),
                try_it: format!("docker compose exec {service} sh -c 'command -v gcc cc ld'"),
                facts,
                ..Miss::default()
            });
        }
        if control {
            tell::pass(facts)
        } else {
            let fault = kit::noise(format!("{CONTROL} est introuvable dans « {service} »"));
            Ok(Verdict::Inconclusive { fault, facts })
        }
    }

    async fn judge_weight(&self, cx: &Cx<'_>, at_most: f64) -> Result<Verdict, Fault> {
        let (world, service) = (cx.world, &self.service);
        let Some(sizes) = world.image_sizes(service).await? else {
            return Err(Fault::new(
                FaultKind::Engine,
                format!("le moteur ne dit pas ce que pèse l'image de « {service} »"),
                "relancez la correction",
            ));
        };
        let base = Miss {
            expected: format!(
                "plusieurs étapes ; l'image finale pèse au plus {} de la plus lourde étape dont elle reprend des fichiers, directement ou non",
                percent(at_most)
            ),
            try_it: "docker image ls ; docker build --target ÉTAPE .".to_owned(),
            ..Miss::default()
        };
        let Some((stage, whole)) = sizes.feeders.iter().max_by_key(|(_, bytes)| *bytes) else {
            return tell::fail(Miss {
                headline: format!("l'image de « {service} » ne reprend rien d'une autre étape"),
                observed: format!("aucun COPY --from d'une étape de ce Dockerfile ; {} en tout", mebibytes(sizes.image)),
                place: self.at_from(cx, "première étape"),
                hint: "une étape pour construire, une autre pour tourner : la seconde ne prend à la première que des fichiers"
                    .to_owned(),
                ..base
            });
        };
        let seen = share(sizes.image, *whole);
        let facts = vec![
            Fact::new("image", sizes.image, format!("image finale : {}", mebibytes(sizes.image))),
            Fact::new("stage", *whole, format!("étape « {stage} » : {}", mebibytes(*whole))),
        ];
        if seen <= at_most {
            return tell::pass(facts);
        }
        tell::fail(Miss {
            headline: format!("l'image de « {service} » pèse presque autant que son étape de construction"),
            observed: format!(
                "{} contre {} pour l'étape « {stage} » : {}",
                mebibytes(sizes.image),
                mebibytes(*whole),
                percent(seen)
            ),
            place: self.at_from(cx, "étapes de cette image"),
            hint: "que reprend l'étape finale, et dont elle ne se sert pas ?".to_owned(),
            facts,
            ..base
        })
    }
}

#[async_trait]
impl Check for MultiStage {
    fn stage(&self, _: &Experiments) -> Stage {
        if self.at_most.is_some() { Stage::Image } else { Stage::Observe }
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        match (self.compiler, self.at_most) {
            (Some(false), None) => Ok(()),
            (None, Some(share)) if share > 0.0 && share < 1.0 => Ok(()),
            _ => Err("slim veut compiler = false, ou at-most entre 0 et 1".into()),
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = tell::absent(cx.world.declared(), &self.service).or_else(|| self.not_built(cx)) {
            return tell::fail(miss);
        }
        if cx.world.bring_up().build_failed.is_some() {
            return Ok(Verdict::Blocked { by: Vec::new() });
        }
        match self.at_most {
            Some(at_most) => self.judge_weight(cx, at_most).await,
            None => self.judge_compiler(cx).await,
        }
    }
}
