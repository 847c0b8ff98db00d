//! Why an alert is not in Prometheus: each way to lose a rule file has its own words.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::world::ToolRun;
use super::super::{Cx, tell};
use super::RulesLoaded;
use super::expr;
use super::files::{self, Files};
use crate::error::Fault;
use crate::event::{Miss, Place};

/// Names under which rule files are usually handed in.
const USUAL: &[&str] = &[
    "prometheus/alert.rules.yml",
    "prometheus/alert.rules.yaml",
    "prometheus/alerts.yml",
    "prometheus/rules.yml",
    "prometheus/alert_rules.yml",
    "alert.rules.yml",
    "prometheus/rules/alert.rules.yml",
];

/// Image of promtool.
const IMAGE: &str = "prom/prometheus:v2.53.0";

fn base(check: &RulesLoaded) -> Miss {
    Miss {
        expected: format!("{} dans les règles de Prometheus", tell::names(&check.alerts)),
        try_it: format!(
            "docker compose exec {} wget -qO- http://localhost:{}/api/v1/rules",
            check.service, check.port
        ),
        ..Miss::default()
    }
}

/// The lines of Prometheus's log that speak of its configuration.
fn complaints(log: &str) -> Vec<String> {
    let speaks = |line: &&str| {
        let lower = line.to_lowercase();
        let level = lower.contains("level=error") || lower.contains("level=warn") || lower.contains("fatal");
        level && ["rule", "config", ".yml", ".yaml", "parse", "yaml"].iter().any(|word| lower.contains(word))
    };
    let mut lines: Vec<String> = log
        .lines()
        .filter(speaks)
        .map(|line| {
            // The error itself is what matters in a long structured line.
            let said = line.split_once("err=").map_or(line, |(_, error)| error);
            tell::cut(said.trim_matches('"'), 200)
        })
        .collect();
    lines.dedup();
    let keep = lines.len().saturating_sub(3);
    lines.split_off(keep)
}

/// `…/alert.rules.yml: 6:13: …` or `…: yaml: line 6: …`: the file and the line.
fn named_line(text: &str) -> Option<(String, Option<usize>)> {
    let at = text.find(".yml").map(|i| i + 4).or_else(|| text.find(".yaml").map(|i| i + 5))?;
    let start = text[..at]
        .rfind(|c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '\'' | '('))
        .map_or(0, |i| i + 1);
    let path = text[start..at].to_owned();
    let after = &text[at..];
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    };
    let line = after
        .find("line ")
        .and_then(|i| number(&after[i + 5..]))
        .or_else(|| after.strip_prefix(": ").and_then(number));
    Some((path, line))
}

/// Position of the line that a message names.
fn named_place(cx: &Cx<'_>, said: &[String], label: &str) -> Option<Place> {
    said.iter().find_map(|text| {
        let (path, line) = named_line(text)?;
        let file = files::submitted(cx.world, &path, None)?;
        let content = cx.world.read(&file)?;
        let shown = content.lines().nth(line?.checked_sub(1)?)?;
        Some(files::line_place(file, line?, shown, label))
    })
}

/// Prometheus does not run: most often because of a file that it cannot read.
pub async fn not_running(check: &RulesLoaded, cx: &Cx<'_>) -> Result<Miss, Fault> {
    let log = cx.world.logs(&check.service, 60).await?;
    let said = complaints(&log);
    if said.is_empty() {
        return tell::stopped(cx.world, &check.service).await;
    }
    // The one that names a line says most.
    let exact = said.iter().find(|line| named_line(line).is_some_and(|(_, number)| number.is_some()));
    let telling = exact.or(said.last());
    Ok(Miss {
        headline: "Prometheus refuse un de ses fichiers et s'arrête".to_owned(),
        observed: telling.cloned().unwrap_or_default(),
        noted: said.iter().filter(|line| Some(*line) != telling).cloned().collect(),
        place: named_place(cx, &said, "refusé par Prometheus")
            .or_else(|| cx.world.place(&["services", &check.service], "ne reste pas en marche")),
        hint: "le message donne le fichier, souvent la ligne ; promtool dit la même chose sans rien démarrer"
            .to_owned(),
        try_it: format!("docker compose logs {}", check.service),
        ..base(check)
    })
}

/// It runs and does not answer.
pub async fn silent(check: &RulesLoaded, cx: &Cx<'_>, why: &str) -> Result<Miss, Fault> {
    let log = cx.world.logs(&check.service, 20).await?;
    Ok(Miss {
        headline: "Prometheus ne répond pas".to_owned(),
        observed: why.to_owned(),
        noted: tell::tail(&log, 4),
        place: cx.world.place(&["services", &check.service], "Prometheus"),
        hint: "Prometheus écoute-t-il sur ce port ?".to_owned(),
        try_it: format!("docker compose logs {}", check.service),
        ..base(check)
    })
}

/// A loaded rule that Prometheus cannot evaluate.
pub async fn sick(check: &RulesLoaded, cx: &Cx<'_>, alert: &str, error: &str) -> Result<Miss, Fault> {
    let known = files::known(cx, &check.service, check.port).await?;
    let place = known.as_ref().as_ref().ok().and_then(|(files, _)| {
        files::place(cx.world, files, alert, "expr", "expression que Prometheus ne peut pas évaluer")
    });
    Ok(Miss {
        headline: format!("Prometheus n'arrive pas à évaluer « {alert} »"),
        observed: error.to_owned(),
        place,
        hint: "essayez l'expression seule, dans la page de requêtes de Prometheus".to_owned(),
        ..base(check)
    })
}

/// Alerts that are not loaded.
pub async fn missing(
    check: &RulesLoaded,
    cx: &Cx<'_>,
    missing: &[&String],
    loaded: &[String],
) -> Result<Miss, Fault> {
    let known = files::known(cx, &check.service, check.port).await?;
    let mut miss = base(check);
    let count = missing.len();
    miss.headline = format!(
        "{} {} pas {} dans Prometheus",
        tell::names(missing),
        if count > 1 { "ne sont" } else { "n'est" },
        if count > 1 { "chargées" } else { "chargée" }
    );
    miss.observed = if loaded.is_empty() {
        "aucune alerte chargée".to_owned()
    } else {
        format!("alertes chargées : {}", tell::cut(&tell::names(loaded), 200))
    };
    if let Ok((files, _)) = known.as_ref() {
        why(check, cx, files, missing, loaded, &mut miss).await?;
    } else {
        miss.hint.push_str("un fichier de règles doit être monté, puis nommé dans la configuration");
    }
    Ok(miss)
}

/// Finds which way the rules got lost.
async fn why(
    check: &RulesLoaded,
    cx: &Cx<'_>,
    files: &Files,
    missing: &[&String],
    loaded: &[String],
    miss: &mut Miss,
) -> Result<(), Fault> {
    let config = files::submitted(cx.world, &files.path, files.text.as_deref());
    let in_config =
        |needle: &str, label: &str| config.as_deref().and_then(|file| cx.world.place_in(file, needle, label));
    // Named, and not there: Prometheus says nothing of it.
    if let Some(absent) = files.rules.iter().find(|n| n.paths.is_empty()) {
        let pattern = tell::cut(&absent.pattern, 80);
        miss.noted.push(format!(
            "rule_files nomme « {pattern} », absent du conteneur : Prometheus démarre sans rien dire"
        ));
        miss.noted.extend(promtool(cx, files).await?);
        if let Some(path) = beside(cx, check, files).await? {
            miss.control = format!("« {} » est bien dans le conteneur", tell::cut(&path, 80));
        }
        miss.place = in_config(&absent.pattern, "ce fichier n'existe pas dans le conteneur")
            .or_else(|| tell::at(cx.world, &check.service, "volumes", "volumes de Prometheus"));
        miss.hint.push_str(
            "un fichier de votre dossier n'est dans le conteneur que s'il y est monté, au chemin nommé",
        );
        miss.try_it = format!("docker compose exec {} promtool check config {}", check.service, files.path);
        return Ok(());
    }
    // Nothing is named.
    if files.rules.is_empty() {
        let beside = beside(cx, check, files).await?;
        miss.noted.push("rule_files n'est pas dans la configuration en service".to_owned());
        if let Some(path) = beside {
            miss.control = format!("« {} » est bien dans le conteneur", tell::cut(&path, 80));
        }
        miss.place = in_config("global:", "aucune clé rule_files dans ce fichier")
            .or_else(|| in_config("scrape_configs:", "aucune clé rule_files dans ce fichier"));
        miss.hint.push_str("monter un fichier ne suffit pas : qui dit à Prometheus de le lire ?");
        return Ok(());
    }
    // Written as a recorded series.
    let recorded = expr::recorded(files);
    if let Some(name) = missing.iter().find(|name| recorded.contains(name)) {
        miss.noted.push(format!("une règle record: porte le nom « {} »", tell::cut(name, 60)));
        miss.hint
            .push_str("une règle record: calcule une série ; seule une règle alert: déclenche une alerte");
        return Ok(());
    }
    // Named and there: another name, or not the file that was handed in.
    let near = missing.iter().find_map(|wanted| {
        let best = loaded.iter().map(|name| (tell::distance(name, wanted), name)).min()?;
        (best.0 <= 4).then(|| best.1.clone())
    });
    if let Some(name) = near {
        miss.place = files::place(cx.world, files, &name, "alert", "nom de l'alerte");
        miss.hint = format!(
            "« {} » ressemble au nom demandé : les noms sont fixés par l'énoncé",
            tell::cut(&name, 60)
        );
        return Ok(());
    }
    let written = USUAL.iter().find(|file| {
        let text = cx.world.read(file).unwrap_or_default();
        files::alerts_of(&text).iter().any(|a| missing.contains(&a))
    });
    miss.hint = match written {
        Some(file) => {
            miss.place = cx.world.place_in(file, missing[0], "déclarée ici");
            format!("« {file} » déclare cette alerte : est-ce bien ce fichier que Prometheus lit ?")
        }
        None => "un groupe de règles contient une liste rules:, chaque alerte y a sa clé alert:".to_owned(),
    };
    miss.noted.extend(
        files
            .rules
            .iter()
            .map(|n| format!("rule_files : « {} », {}", tell::cut(&n.pattern, 80), tell::names(&n.paths))),
    );
    Ok(())
}

/// A rule file that lies in the container beside the configuration.
async fn beside(cx: &Cx<'_>, check: &RulesLoaded, files: &Files) -> Result<Option<String>, Fault> {
    let dir = files.path.rsplit_once('/').map_or("/", |(dir, _)| dir);
    let names = cx.world.list_inside(&check.service, dir).await?.unwrap_or_default();
    for name in names.iter().filter(|n| [".yml", ".yaml"].iter().any(|end| n.ends_with(end))).take(20) {
        let path = files::absolute(dir, name);
        let text = cx.world.read_inside(&check.service, &path).await?.unwrap_or_default();
        if path != files.path && !files::alerts_of(&text).is_empty() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// What `promtool check config` says of the configuration: absolute paths are taken from a copy of
/// the container's own tree.
async fn promtool(cx: &Cx<'_>, files: &Files) -> Result<Vec<String>, Fault> {
    let Some(text) = &files.text else { return Ok(Vec::new()) };
    let root = |path: &str| format!("racine{path}");
    let up = "../".repeat(files.path.matches('/').count().saturating_sub(1));
    let mut text = text.clone();
    for named in files.rules.iter().filter(|n| n.pattern.starts_with('/')) {
        text = text.replace(&named.pattern, &format!("{up}{}", named.pattern.trim_start_matches('/')));
    }
    let mut inputs = BTreeMap::from([(root(&files.path), text)]);
    inputs.extend(files.rule_paths().filter_map(|p| Some((root(p), files.texts.get(p)?.clone()))));
    let command = ["promtool", "check", "config", &root(&files.path)].map(str::to_owned).to_vec();
    let ask = ToolRun { image: IMAGE.to_owned(), command, files: inputs, deadline: Duration::from_secs(20) };
    // A control: without it, the observation stands.
    let Ok(said) = cx.world.tool(ask).await else { return Ok(Vec::new()) };
    let failed = said.output.lines().find(|l| l.contains("FAILED") || l.contains("does not point"));
    Ok(failed
        .map(|line| {
            let line = line.replace("racine/", "/").replace("FAILED: ", "");
            vec![format!("promtool check config : {}", tell::cut(&line, 160))]
        })
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_their_line() {
        let said = "\"/etc/prometheus/alert.rules.yml: yaml: line 6: did not find expected key\"";
        assert_eq!(named_line(said), Some(("/etc/prometheus/alert.rules.yml".into(), Some(6))));
        let said =
            "/etc/prometheus/alert.rules.yml: 5:15: group \"g\", rule 1, \"A\": could not parse expression";
        assert_eq!(named_line(said), Some(("/etc/prometheus/alert.rules.yml".into(), Some(5))));
        assert_eq!(named_line("nothing"), None);
    }

    #[test]
    fn logs_are_sifted() {
        let log = "ts=1 level=info msg=\"Loading configuration file\" filename=/etc/prometheus/prometheus.yml\n\
            ts=2 level=error component=\"rule manager\" msg=\"loading groups failed\" err=\"/etc/prometheus/a.yml: yaml: line 3: x\"\n\
            ts=3 level=error msg=\"Error loading config (--config.file=/etc/prometheus/prometheus.yml)\" err=\"error loading rules\"\n";
        let said = complaints(log);
        assert_eq!(said.len(), 2);
        assert!(said[0].starts_with("/etc/prometheus/a.yml"), "{said:?}");
    }
}
