//! `mount`: what is mounted in a service: a folder of the student that refuses writes, volumes that
//! hold data and no code.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::deep::{Exec, Executed};
use super::world::World;
use super::{Check, Cx, Experiments, Stage, kit, tell};
use crate::error::Fault;
use crate::event::{Fact, Miss, Verdict};

/// Which of the proofs is judged. Exactly one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    /// Service.
    pub service: String,
    /// A file of the submission that is seen at this place of the container, in a folder that refuses writes.
    #[serde(default)]
    pub read_only: Option<ReadOnly>,
    /// Endings of the names of what no volume holds, for instance `.py`.
    #[serde(default)]
    pub without: Vec<String>,
}

/// A folder of the submission, mounted so that nothing can be written to it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReadOnly {
    /// File of the submission.
    pub file: String,
    /// The same file in the container, absolute.
    pub at: String,
}

/// How an attempt to write ended.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    /// It was written.
    Written,
    /// The file system is read-only.
    ReadOnly,
    /// The rights of the user stop it, not the mount.
    Rights,
    /// No telling.
    Odd,
}

fn attempt(done: &Executed) -> Attempt {
    let said = done.err.to_lowercase();
    match done.code {
        Some(0) => Attempt::Written,
        Some(126 | 127) | None => Attempt::Odd,
        Some(_) if said.contains("read-only file system") => Attempt::ReadOnly,
        Some(_) if said.contains("permission denied") || said.contains("not permitted") => Attempt::Rights,
        Some(_) => Attempt::Odd,
    }
}

impl Mount {
    async fn judge_read_only(&self, cx: &Cx<'_>, asked: &ReadOnly) -> Result<Verdict, Fault> {
        let (world, service) = (cx.world, &self.service);
        let folder = asked.at.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let base = Miss {
            expected: format!(
                "{} est vu dans « {service} » sous {}, et {folder} refuse toute écriture",
                asked.file, asked.at
            ),
            place: tell::at(world, service, "volumes", "montages de ce service"),
            try_it: format!("docker compose exec {service} touch {folder}/essai"),
            ..Miss::default()
        };
        let own = world.read(&asked.file);
        let seen = world.read_inside(service, &asked.at).await?;
        let Some(seen) = seen else {
            return tell::fail(Miss {
                headline: format!("{} n'est pas dans « {service} »", asked.at),
                observed: "aucun fichier à cet endroit".to_owned(),
                hint: "un montage se lit SOURCE:CIBLE ; la cible est un chemin du conteneur".to_owned(),
                ..base
            });
        };
        if own.as_deref().map(str::trim) != Some(seen.trim()) {
            return tell::fail(Miss {
                headline: format!("{} n'est pas le fichier rendu", asked.at),
                observed: format!("le conteneur y lit {}", tell::cut(&seen, 80)),
                hint: format!("attendu : le contenu de {}", asked.file),
                ..base
            });
        }
        let mounted = world.inspections(service).await?.iter().any(|seen| {
            mounts(seen).any(|m| {
                let at = m.get("Destination").and_then(Value::as_str).unwrap_or_default();
                let at = at.trim_end_matches('/');
                let around = |path: &str| {
                    path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                around(&asked.at)
            })
        });
        let path = format!("{folder}/tp-essai-{:08x}", kit::draw(world, "mount") & 0xffff_ffff);
        let mut run = Exec::new(&["touch", path.as_str()]);
        run.env = vec![("LC_ALL".into(), "C".into())];
        let done = world.exec(&kit::inside(service), run).await?;
        let facts = vec![
            Fact::new(
                "mounted",
                mounted,
                format!("montage sur {folder} : {}", if mounted { "oui" } else { "non" }),
            ),
            Fact::new(
                "attempt",
                tell::cut(&done.err, 160),
                format!("touch {path} : code {}", done.code.map_or("aucun".to_owned(), |c| c.to_string())),
            ),
        ];
        match attempt(&done) {
            Attempt::ReadOnly if !mounted => tell::fail(Miss {
                headline: format!("rien n'est monté sur {folder} dans « {service} »"),
                observed: "l'écriture est refusée parce que tout le conteneur est en lecture seule ; le fichier vient de l'image".to_owned(),
                hint: "changer ce fichier ne doit pas demander de reconstruire l'image".to_owned(),
                facts,
                ..base
            }),
            Attempt::ReadOnly => tell::pass(facts),
            Attempt::Written => {
                world.exec(&kit::inside(service), Exec::new(&["rm", "-f", path.as_str()])).await?;
                tell::fail(Miss {
                    headline: format!("« {service} » peut écrire dans {folder}"),
                    observed: "un fichier y a été créé, puis retiré".to_owned(),
                    hint: "un montage accepte les écritures tant qu'on ne lui dit pas le contraire"
                        .to_owned(),
                    facts,
                    ..base
                })
            }
            Attempt::Rights => tell::fail(Miss {
                headline: format!("{folder} n'est protégé que par les droits de l'utilisateur"),
                observed: tell::cut(&done.err, 120),
                control: format!(
                    "un montage en lecture seule répondrait « Read-only file system », à root aussi{}",
                    if mounted { "" } else { " ; rien n'est monté là : le fichier vient de l'image" }
                ),
                hint: "c'est au montage de refuser, quel que soit l'utilisateur".to_owned(),
                facts,
                ..base
            }),
            Attempt::Odd => Ok(Verdict::Inconclusive {
                fault: kit::noise(format!("l'essai d'écriture dans « {service} » n'a rien dit de clair")),
                facts,
            }),
        }
    }

    /// A file of code beneath a mount, at any depth when the container has what searches.
    async fn code_beneath(&self, world: &dyn World, at: &str) -> Result<Option<String>, Fault> {
        let service = &self.service;
        let is_code = |name: &String| self.without.iter().any(|end| name.ends_with(end.as_str()));
        if is_code(&at.to_owned()) {
            return Ok(Some(at.to_owned()));
        }
        let top = world.list_inside(service, at).await?.unwrap_or_default();
        if let Some(code) = top.into_iter().find(is_code) {
            return Ok(Some(code));
        }
        let done = world.exec(&kit::inside(service), Exec::new(&["find", at, "-xdev", "-type", "f"])).await?;
        let said = String::from_utf8_lossy(&done.out).into_owned();
        Ok(said.lines().map(|line| tell::cut(line, 120)).find(is_code))
    }

    async fn judge_without(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        let (world, service) = (cx.world, &self.service);
        let mut seen = Vec::new();
        for shown in world.inspections(service).await? {
            for mount in mounts(&shown) {
                let is_volume = mount.get("Type").and_then(Value::as_str) == Some("volume");
                let Some(at) = mount.get("Destination").and_then(Value::as_str) else { continue };
                if let Some(code) = self.code_beneath(world, at).await? {
                    return tell::fail(Miss {
                        headline: format!("un volume de « {service} » cache le code de l'image"),
                        expected: "un volume ne garde que des données ; le code vient de l'image".to_owned(),
                        observed: format!("le volume monté sur {at} contient {code}"),
                        noted: vec![
                            "un volume neuf est rempli avec ce que l'image a à cet endroit ; ensuite, il ne change plus".to_owned(),
                        ],
                        place: tell::at(world, service, "volumes", "montages de ce service"),
                        hint: "à la prochaine construction, quel code tournera : celui de l'image, ou celui du volume ?".to_owned(),
                        try_it: format!("docker compose exec {service} ls {at}"),
                        ..Miss::default()
                    });
                }
                if is_volume {
                    seen.push(at.to_owned());
                }
            }
        }
        if seen.is_empty() {
            return tell::fail(Miss {
                headline: format!("« {service} » n'a aucun volume"),
                expected: "un volume nommé pour les données, et pour elles seules".to_owned(),
                observed: "aucun volume monté dans ce service".to_owned(),
                place: tell::at(world, service, "volumes", "montages de ce service"),
                hint: "sans volume, rien de ce qu'un conteneur écrit ne lui survit".to_owned(),
                try_it: "docker compose config".to_owned(),
                ..Miss::default()
            });
        }
        tell::pass(vec![Fact::new(
            "volumes",
            seen.join(" "),
            format!("volumes montés sur {}, sans code", seen.join(", ")),
        )])
    }
}

/// The mounts of a container, as it is inspected.
pub(super) fn mounts(inspection: &Value) -> impl Iterator<Item = &Value> {
    inspection.get("Mounts").and_then(Value::as_array).into_iter().flatten()
}

#[async_trait]
impl Check for Mount {
    fn stage(&self, _: &Experiments) -> Stage {
        Stage::Observe
    }

    fn can_be_late(&self) -> bool {
        false
    }

    fn validate(&self, _: &Experiments) -> Result<(), String> {
        if self.read_only.is_some() == self.without.is_empty() {
            Ok(())
        } else {
            Err("mount veut read-only ou without, et un seul des deux".into())
        }
    }

    async fn judge(&self, cx: &Cx<'_>) -> Result<Verdict, Fault> {
        if let Some(miss) = tell::absent(cx.world.declared(), &self.service) {
            return tell::fail(miss);
        }
        if kit::running(cx.world, &self.service).await?.is_empty() {
            return tell::fail(tell::stopped(cx.world, &self.service).await?);
        }
        match &self.read_only {
            Some(asked) => self.judge_read_only(cx, asked).await,
            None => self.judge_without(cx).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attempt_says() {
        let of = |code, err: &str| attempt(&Executed { code, err: err.into(), ..Executed::default() });
        assert_eq!(of(Some(0), ""), Attempt::Written);
        assert_eq!(of(Some(1), "touch: cannot touch '/x': Read-only file system"), Attempt::ReadOnly);
        assert_eq!(of(Some(1), "touch: cannot touch '/x': Permission denied"), Attempt::Rights);
        assert_eq!(of(Some(127), "not found"), Attempt::Odd);
        assert_eq!(of(None, ""), Attempt::Odd);
    }
}
