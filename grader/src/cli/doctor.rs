//! `doctor`: what on this machine would get in the way, and what to do about it.

use std::path::{Path, PathBuf};

use super::{places, shell};
use crate::engine::{self, Engine, Survey, version};
use crate::error::{ExitCode, Fault};
use crate::event::Inventory;
use crate::french;
use crate::reporter::clean::inline;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Well,
    Beware,
    Wrong,
}

/// One line of the examination.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    level: Level,
    what: &'static str,
    seen: String,
    todo: String,
}

impl Finding {
    fn well(what: &'static str, seen: impl Into<String>) -> Self {
        Self { level: Level::Well, what, seen: seen.into(), todo: String::new() }
    }

    fn beware(what: &'static str, seen: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level: Level::Beware, what, seen: seen.into(), todo: todo.into() }
    }

    fn wrong(what: &'static str, seen: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level: Level::Wrong, what, seen: seen.into(), todo: todo.into() }
    }

    fn lines(&self) -> String {
        let sign = match self.level {
            Level::Well => '✓',
            Level::Beware => '!',
            Level::Wrong => '✗',
        };
        let mut text = format!("{sign} {:<10} {}", self.what, inline(&self.seen));
        if !self.todo.is_empty() {
            text.push_str(&format!("\n  à faire    {}", inline(&self.todo)));
        }
        text
    }
}

/// What is known of the machine from this side.
#[derive(Clone, Debug, Default)]
struct Machine {
    here: PathBuf,
    wsl: bool,
    /// Free bytes where the engine keeps its data, when that is a folder of this machine.
    engine_space: Option<u64>,
    /// Free bytes of the temporary folder.
    temp_space: Option<u64>,
    proxy: Option<String>,
    no_proxy: String,
}

/// `grader doctor`
pub async fn doctor(dir: Option<&Path>) -> ExitCode {
    let mut findings = Vec::new();
    match places::labs() {
        Ok(labs) => findings.push(Finding::well("TP", labs.display().to_string())),
        Err(e) => findings.push(Finding::wrong("TP", e.what, e.todo)),
    }
    let here = dir.map_or_else(|| std::env::current_dir().unwrap_or_default(), Path::to_path_buf);
    match ask().await {
        Ok((survey, left)) => {
            let machine = machine(here, Some(&survey));
            findings.extend(of_engine(&survey));
            findings.extend(of_machine(&machine, Some(&survey)));
            findings.push(of_leftovers(&left));
        }
        Err(fault) => {
            findings.push(Finding::wrong("moteur", fault.what, fault.todo));
            findings.extend(of_machine(&machine(here, None), None));
        }
    }
    for finding in &findings {
        shell::say(&finding.lines());
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    let (wrong, beware) = (count(Level::Wrong), count(Level::Beware));
    if wrong > 0 {
        shell::say(&format!("\n{wrong} à corriger avant de commencer."));
        ExitCode::Environment
    } else if beware > 0 {
        shell::say(&format!("\nTout marche ; {beware} à surveiller.\n  ensuite    grader init 01"));
        ExitCode::Passed
    } else {
        shell::say("\nTout est prêt.\n  ensuite    grader init 01");
        ExitCode::Passed
    }
}

async fn ask() -> Result<(Survey, Inventory), Fault> {
    let engine = Engine::connect().await?;
    let survey = engine.survey().await?;
    let (dead, _) = engine::clean(&engine, true).await?;
    Ok((survey, dead))
}

fn machine(here: PathBuf, survey: Option<&Survey>) -> Machine {
    let env = |names: &[&str]| names.iter().find_map(|n| std::env::var(n).ok()).filter(|v| !v.is_empty());
    let wsl =
        std::fs::read_to_string("/proc/version").is_ok_and(|text| text.to_lowercase().contains("microsoft"));
    Machine {
        here: here.canonicalize().unwrap_or(here),
        wsl,
        engine_space: survey.and_then(|s| fs2::available_space(&s.root).ok()),
        temp_space: fs2::available_space(std::env::temp_dir()).ok(),
        proxy: env(&["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]),
        no_proxy: env(&["NO_PROXY", "no_proxy"]).unwrap_or_default(),
    }
}

const GIB: u64 = 1 << 30;

/// True for a version that says its numbers, and they are too low.
fn is_before(text: &str, least: (u32, u32)) -> bool {
    ((1, 0)..least).contains(&version(text))
}

fn of_engine(survey: &Survey) -> Vec<Finding> {
    let mut found = Vec::new();
    let told =
        format!("Docker {} (API {}.{}), {}", survey.version, survey.api.0, survey.api.1, survey.system);
    found.push(if survey.os != "linux" {
        Finding::wrong(
            "moteur",
            format!("{told} : conteneurs « {} »", survey.os),
            "passez Docker Desktop en conteneurs Linux (icône, « Switch to Linux containers… »)",
        )
    } else if is_before(&survey.version, (24, 0)) {
        Finding::wrong("moteur", told, "installez Docker 24 ou plus récent")
    } else if survey.api < (1, 44) {
        Finding::beware(
            "moteur",
            told,
            "Docker 25 ou plus récent attend moins longtemps les contrôles de santé",
        )
    } else {
        Finding::well("moteur", told)
    });
    found.push(match &survey.compose {
        None => Finding::wrong("Compose", "ne répond pas", "réinstallez Docker Compose v2"),
        Some(text) if is_before(text, (2, 20)) => Finding::wrong(
            "Compose",
            text.clone(),
            "installez Compose 2.20 ou plus récent (include, depends_on)",
        ),
        Some(text) => Finding::well("Compose", text.clone()),
    });
    let power = format!(
        "{} processeur{}, {} de mémoire",
        survey.processors,
        french::agree(survey.processors, "", "s"),
        gib(survey.memory)
    );
    found.push(if survey.memory < 3 * GIB {
        Finding::beware(
            "puissance",
            power,
            "donnez 4 Gio au moteur (Docker Desktop : Settings › Resources), sinon les TP 04 et 05 seront lents",
        )
    } else {
        Finding::well("puissance", power)
    });
    // The default pools of an engine hold about thirty networks.
    let networks = format!("{} réseaux sur ce moteur", survey.networks);
    found.push(if survey.networks > 25 {
        Finding::beware(
            "réseaux",
            networks,
            "votre « docker compose up » peut manquer d'adresses : docker network prune",
        )
    } else {
        Finding::well("réseaux", networks)
    });
    found
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn gib(bytes: u64) -> String {
    format!("{} Gio", french::decimal(bytes as f64 / GIB as f64, 1))
}

fn of_machine(machine: &Machine, survey: Option<&Survey>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut space = |what: &'static str, free: Option<u64>, least: u64, todo: &str| {
        let Some(free) = free else { return };
        let told = format!("{} libres", gib(free));
        found.push(if free < least / 4 {
            Finding::wrong(what, told, todo)
        } else if free < least {
            Finding::beware(what, told, todo)
        } else {
            Finding::well(what, told)
        });
    };
    space(
        "disque",
        machine.engine_space,
        8 * GIB,
        "docker system df montre qui prend la place ; docker system prune en rend",
    );
    space("temporaire", machine.temp_space, GIB, "libérez de la place dans le dossier temporaire (TMPDIR)");
    if machine.wsl && machine.here.starts_with("/mnt") {
        found.push(Finding::beware(
            "dossier",
            format!("{} est sur le disque de Windows", machine.here.display()),
            "travaillez dans le système de fichiers de Linux (~) : sous /mnt, tout est lent et les droits se perdent",
        ));
    }
    let engine_proxy = survey.and_then(|s| s.proxy.as_deref());
    match (&machine.proxy, engine_proxy) {
        (Some(_), None) if survey.is_some() => found.push(Finding::beware(
            "mandataire",
            "cette machine passe par un mandataire, le moteur non",
            "donnez-le aussi au moteur (Docker Desktop : Settings › Resources › Proxies), sinon il ne télécharge rien",
        )),
        (Some(_), _) if !machine.no_proxy.split(',').any(|n| n.trim() == "localhost") => found.push(Finding::beware(
            "mandataire",
            "NO_PROXY ne contient pas localhost",
            "export NO_PROXY=localhost,127.0.0.1 : sinon curl http://localhost:5001 passe par le mandataire",
        )),
        (Some(_), _) => found.push(Finding::well("mandataire", "connu de la machine et du moteur")),
        (None, _) => {}
    }
    found
}

fn of_leftovers(left: &Inventory) -> Finding {
    if left.is_empty() {
        Finding::well("restes", "aucun")
    } else {
        Finding::beware("restes", shell::inventory(left), "grader clean")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey() -> Survey {
        Survey {
            version: "26.1.5+dfsg1".into(),
            api: (1, 45),
            compose: Some("2.26.1".into()),
            system: "Debian".into(),
            os: "linux".into(),
            processors: 2,
            memory: 8 * GIB,
            root: "/var/lib/docker".into(),
            networks: 4,
            proxy: None,
        }
    }

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|f| f.level).collect()
    }

    #[test]
    fn a_good_engine_has_nothing_to_do() {
        let found = of_engine(&survey());
        assert!(found.iter().all(|f| f.level == Level::Well && f.todo.is_empty()), "{found:?}");
    }

    #[test]
    fn each_fault_has_its_fix() {
        for (change, what) in [
            (Survey { os: "windows".into(), ..survey() }, "moteur"),
            (Survey { version: "20.10.24".into(), api: (1, 41), ..survey() }, "moteur"),
            (Survey { compose: None, ..survey() }, "Compose"),
            (Survey { compose: Some("2.3.3".into()), ..survey() }, "Compose"),
            (Survey { memory: GIB, ..survey() }, "puissance"),
            (Survey { networks: 29, ..survey() }, "réseaux"),
        ] {
            let found = of_engine(&change);
            let bad: Vec<&Finding> = found.iter().filter(|f| f.level != Level::Well).collect();
            assert_eq!(bad.iter().map(|f| f.what).collect::<Vec<_>>(), [what], "{change:?}");
            assert!(bad.iter().all(|f| !f.todo.is_empty()));
        }
    }

    #[test]
    fn the_machine_s_side() {
        let quiet =
            Machine { engine_space: Some(50 * GIB), temp_space: Some(20 * GIB), ..Machine::default() };
        assert_eq!(levels(&of_machine(&quiet, Some(&survey()))), [Level::Well; 2]);
        let full = Machine { engine_space: Some(GIB), temp_space: None, ..Machine::default() };
        assert_eq!(levels(&of_machine(&full, Some(&survey()))), [Level::Wrong]);
        let windows = Machine { wsl: true, here: "/mnt/c/tp".into(), ..Machine::default() };
        assert_eq!(levels(&of_machine(&windows, None)), [Level::Beware]);
        let behind =
            Machine { proxy: Some("p:3128".into()), no_proxy: "localhost".into(), ..Machine::default() };
        assert_eq!(levels(&of_machine(&behind, Some(&survey()))), [Level::Beware]);
        let both = Survey { proxy: Some("p:3128".into()), ..survey() };
        assert_eq!(levels(&of_machine(&behind, Some(&both))), [Level::Well]);
    }
}
