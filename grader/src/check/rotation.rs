//! `rotation`: how long a log may grow, as the student declares it (a look at the model: the copies that
//! run have a rotation of their own).

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::world::DeclaredLogging;
use super::{Check, Cx, Experiments, Stage, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// The log of these services is cut in files of this size, of which so many are kept.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rotation {
    /// Services.
    pub services: Vec<String>,
    /// Size of a file, as Docker reads it.
    pub max_size: String,
    /// Files kept.
    pub max_file: u64,
    /// Without the file that the lab lays over (`experiment.over`).
    #[serde(default)]
    pub alone: bool,
}

/// Bytes of a size as the engine reads it: decimal, whatever the letters that follow.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let power = match text[end..].trim_start().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        _ => return None,
    };
    number.checked_mul(1000_u64.checked_pow(power)?)
}

impl Rotation {
    /// What is wrong, if anything is.
    fn wrong(&self, logging: Option<&DeclaredLogging>) -> Option<String> {
        let Some(logging) = logging else {
            return Some("aucune clé logging: : le journal grandit sans fin".into());
        };
        let driver = logging.driver.as_deref().unwrap_or("json-file");
        if !matches!(driver, "json-file" | "local") {
            return Some(format!("le pilote « {} » ne coupe pas de fichiers", tell::cut(driver, 40)));
        }
        let option = |key: &str| logging.options.get(key).map(String::as_str);
        let (size, files) = (option("max-size"), option("max-file"));
        let right_size = size.and_then(bytes).is_some_and(|seen| Some(seen) == bytes(&self.max_size));
        let right_files = files.is_some_and(|n| n.trim().parse() == Ok(self.max_file));
        (!right_size || !right_files).then(|| {
            let shown = |value: Option<&str>| value.map_or("absent".to_owned(), |v| tell::cut(v, 20));
            format!("max-size : {}, max-file : {}", shown(size), shown(files))
        })
    }
}

#[async_trait]
impl Check for Rotation {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Static
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn is_static(&self) -> bool {
        true
    }

    fn validate(&self, experiments: &Experiments) -> Result<(), String> {
        if bytes(&self.max_size).is_none() {
            return Err(format!("rotation.max-size « {} » n'est pas une taille", self.max_size));
        }
        if experiments.over.is_empty() && self.alone {
            return Err("rotation.alone veut experiment.over".into());
        }
        if self.services.is_empty() { Err("rotation.services est vide".into()) } else { Ok(()) }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let declared = match tell::part(cx, self.alone) {
            Ok(declared) => declared,
            Err(miss) => return tell::fail(*miss),
        };
        for service in &self.services {
            if let Some(miss) = tell::absent(declared, service) {
                return tell::fail(miss);
            }
            let logging = declared.services.get(service).and_then(|s| s.logging.as_ref());
            if let Some(observed) = self.wrong(logging) {
                return tell::fail(Miss {
                    headline: format!("le journal de « {service} » n'est pas coupé comme demandé"),
                    expected: format!(
                        "{} : des fichiers de {}, au nombre de {}",
                        tell::names(&self.services),
                        self.max_size,
                        self.max_file
                    ),
                    observed,
                    place: tell::at_part(
                        cx.world,
                        self.alone,
                        service,
                        "logging",
                        if logging.is_some() { "journal de ce service" } else { "pas de clé logging: ici" },
                    ),
                    hint: "les options d'un journal se donnent service par service ; une ancre YAML évite de les recopier"
                        .to_owned(),
                    try_it: if self.alone {
                        "docker compose config".to_owned()
                    } else {
                        format!("docker compose{} config", tell::dash_f(cx))
                    },
                    ..Miss::default()
                });
            }
        }
        tell::pass(vec![Fact::new(
            "rotation",
            self.max_size.as_str(),
            format!("{} : {} × {}", tell::names(&self.services), self.max_size, self.max_file),
        )])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_engine() {
        for text in ["10m", "10M", "10mb", "10 MB", "10MiB", "10000k", "10000000"] {
            assert_eq!(bytes(text), Some(10_000_000), "{text}");
        }
        for text in ["", "m", "10x", "dix"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
