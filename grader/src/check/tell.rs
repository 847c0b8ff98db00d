//! What the kinds share to speak to a student: French words for what was seen.

use std::net::IpAddr;

use super::Cx;
use super::world::{Declared, Instance, State, World, wire};
use crate::error::Fault;
use crate::event::{Fact, Miss, Place, Verdict};

/// A pass with its facts.
#[expect(clippy::unnecessary_wraps, reason = "ends a `judge`, which returns a Result")]
pub fn pass(facts: Vec<Fact>) -> Result<Verdict, Fault> {
    Ok(Verdict::Pass { facts })
}

/// A miss.
#[expect(clippy::unnecessary_wraps, reason = "ends a `judge`, which returns a Result")]
pub fn fail(miss: Miss) -> Result<Verdict, Fault> {
    Ok(Verdict::Fail(Box::new(miss)))
}

/// « a », « b » et « c ».
pub fn names<T: AsRef<str>>(items: &[T]) -> String {
    let quoted: Vec<String> = items.iter().map(|i| format!("« {} »", i.as_ref())).collect();
    match quoted.split_last() {
        None => "aucun".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, head)) => format!("{} et {last}", head.join(", ")),
    }
}

/// Addresses, joined.
pub fn ips(items: &[IpAddr]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Why an exchange failed.
pub fn why(failure: &wire::Failure) -> String {
    use wire::FailureKind as K;
    match failure.kind {
        K::Refused => "connexion refusée : personne n'écoute sur ce port".to_owned(),
        K::Timeout => "aucune réponse dans le temps imparti".to_owned(),
        K::NetUnreachable => "aucune route vers cette adresse".to_owned(),
        K::HostUnreachable => "cette adresse ne répond pas".to_owned(),
        K::Reset => "connexion coupée par l'autre côté".to_owned(),
        K::Closed => "connexion fermée avant la fin de la réponse".to_owned(),
        K::DnsNxdomain => "le nom n'existe pas (NXDOMAIN)".to_owned(),
        K::DnsServfail => "le nom n'est pas résolu (SERVFAIL)".to_owned(),
        K::DnsRefused => "le résolveur refuse de répondre".to_owned(),
        K::DnsTimeout => "le résolveur ne répond pas".to_owned(),
        K::NoAddress => "le nom existe mais n'a pas d'adresse".to_owned(),
        K::Tls => match failure.alert {
            Some(code) => format!("négociation TLS refusée (alerte {code}{})", alert(code)),
            None => "échec de la négociation TLS".to_owned(),
        },
        K::Protocol if failure.is_not_tls() => "l'autre côté ne parle pas TLS".to_owned(),
        K::Protocol => "l'autre côté ne parle pas ce protocole".to_owned(),
        K::Auth => "utilisateur ou mot de passe refusé".to_owned(),
        K::Server => format!("erreur du serveur : {}", cut(&failure.message, 120)),
        K::Permission | K::Invalid | K::Internal => "la sonde n'a pas pu faire cette observation".to_owned(),
    }
}

/// The name of a TLS alert, as programs write it (RFC 8446).
fn alert(code: u8) -> &'static str {
    match code {
        10 => ", unexpected_message",
        40 => ", handshake_failure",
        42 => ", bad_certificate",
        49 => ", access_denied",
        70 => ", protocol_version",
        71 => ", insufficient_security",
        80 => ", internal_error",
        112 => ", unrecognized_name",
        116 => ", certificate_required",
        120 => ", no_application_protocol",
        _ => "",
    }
}

/// Cuts a text to `max` characters, on one line.
pub fn cut(text: &str, max: usize) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= max {
        return flat;
    }
    let mut short: String = flat.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// The last lines of a log that say something, each told once: a service that starts over and over
/// says the same again and again.
pub fn tail(log: &str, lines: usize) -> Vec<String> {
    let mut kept: Vec<&str> = Vec::new();
    for line in log.lines().map(|l| unstamped(l.trim_end())).filter(|l| !l.trim().is_empty()).rev() {
        if kept.len() < lines && !kept.contains(&line) {
            kept.push(line);
        }
    }
    kept.iter().rev().map(|l| cut(l, 220)).collect()
}

/// A line in logfmt without the moment and the place in the source that it begins with.
fn unstamped(line: &str) -> &str {
    let mut rest = line;
    while let Some((word, after)) = rest.split_once(' ')
        && ["ts=", "time=", "t=", "caller=", "source="].iter().any(|key| word.starts_with(key))
        && !word.contains('"')
    {
        rest = after;
    }
    rest
}

/// State of a container, in words.
pub fn state(instance: &Instance) -> String {
    match instance.state {
        State::Created => "créé mais jamais démarré".to_owned(),
        State::Running => "en marche".to_owned(),
        State::Restarting => match instance.exit_code {
            Some(code) => format!("redémarre en boucle (code de sortie {code})"),
            None => "redémarre en boucle".to_owned(),
        },
        State::Paused => "en pause".to_owned(),
        State::Exited => match instance.exit_code {
            Some(137) => "arrêté (code 137 : tué, souvent par manque de mémoire)".to_owned(),
            Some(code) => format!("arrêté avec le code {code}"),
            None => "arrêté".to_owned(),
        },
    }
}

/// Position of a key of a service.
pub fn at(world: &dyn World, service: &str, key: &str, label: &str) -> Option<Place> {
    world.place(&["services", service, key], label)
}

/// [`at`], in the files that [`part`] judges.
pub fn at_part(world: &dyn World, alone: bool, service: &str, key: &str, label: &str) -> Option<Place> {
    let path = ["services", service, key];
    if alone { world.place_alone(&path, label) } else { world.place(&path, label) }
}

/// Position of the networks of a service, with a label that is true when the key is missing.
pub fn at_networks(world: &dyn World, service: &str, network: &str) -> Option<Place> {
    let declared = world.declared().services.get(service)?;
    if let Some(mode) = &declared.network_mode {
        return at(world, service, "network_mode", &format!("« {service} » utilise network_mode: {mode}"));
    }
    let place = at(world, service, "networks", "")?;
    let label = if place.mark.text.contains("networks") || place.mark.text.contains(network) {
        format!("« {service} » est sur « {network} »")
    } else if network == "default" {
        format!("« {service} » n'a pas de clé networks: ; Compose l'a mis sur « default »")
    } else {
        format!("« {service} » est sur « {network} »")
    };
    at(world, service, "networks", &label)
}

/// The miss of a service that the file does not declare, or `None` when it is declared.
pub fn absent(declared: &Declared, service: &str) -> Option<Miss> {
    if declared.services.contains_key(service) {
        return None;
    }
    let found: Vec<&String> = declared.services.keys().collect();
    let near = found.iter().map(|n| (distance(n, service), n)).min().filter(|(d, _)| *d <= 3);
    Some(Miss {
        headline: format!("le service « {service} » n'est pas dans le fichier"),
        expected: format!("un service nommé exactement « {service} »"),
        observed: if found.is_empty() {
            "aucun service".to_owned()
        } else {
            format!(
                "{} : {}",
                if found.len() > 1 { "services trouvés" } else { "seul service trouvé" },
                names(&found)
            )
        },
        hint: match near {
            Some((_, name)) => {
                format!("« {name} » ressemble à « {service} » : est-ce le même service sous un autre nom ?")
            }
            None => "les noms des services sont imposés par l'énoncé : c'est par eux qu'ils se trouvent"
                .to_owned(),
        },
        try_it: "docker compose config --services".to_owned(),
        ..Miss::default()
    })
}

/// What is judged of the files: all of them, or (`alone`) without the one that the lab lays over. The
/// miss says that this one is not there.
pub fn part<'a>(cx: &Cx<'a>, alone: bool) -> Result<&'a Declared, Box<Miss>> {
    let declared = cx.world.declared();
    match (&declared.alone, alone) {
        (Some(apart), true) => Ok(apart),
        (None, false) if !cx.experiments.over.is_empty() => {
            let name = cx.experiments.over.first().map_or("", String::as_str);
            Err(Box::new(Miss {
                headline: format!("{name} n'est pas dans le dossier rendu"),
                expected: format!("un fichier {name}, posé par-dessus le fichier principal"),
                observed: format!("{} seul", declared.file),
                hint: "deux options -f font lire deux fichiers à Compose, le second complétant le premier"
                    .to_owned(),
                try_it: format!("docker compose{} config", dash_f(cx)),
                ..Miss::default()
            }))
        }
        _ => Ok(declared),
    }
}

/// The options that name both files.
pub fn dash_f(cx: &Cx<'_>) -> String {
    let declared = cx.world.declared();
    let asked = cx.experiments.over.first().map_or("", String::as_str);
    format!(" -f {} -f {}", declared.file, declared.over.as_deref().unwrap_or(asked))
}

/// The miss of a service that is declared but does not run, or of one that is not declared.
pub async fn stopped(world: &dyn World, service: &str) -> Result<Miss, Fault> {
    if let Some(miss) = absent(world.declared(), service) {
        return Ok(miss);
    }
    let seen = world.instances(service).await?;
    let observed = match seen.first() {
        None => format!("aucun conteneur pour « {service} »"),
        Some(instance) => format!("« {service} » : {}", state(instance)),
    };
    let log = if seen.is_empty() { String::new() } else { world.logs(service, 20).await? };
    super::lacks::of(world, service, &log).await?;
    Ok(Miss {
        headline: format!("« {service} » n'est pas en marche"),
        expected: format!("« {service} » en marche pendant ce contrôle"),
        observed,
        noted: tail(&log, 6),
        place: world.place(&["services", service], &format!("« {service} » ne reste pas en marche")),
        hint: "le journal du service dit presque toujours pourquoi il s'est arrêté".to_owned(),
        try_it: format!("docker compose logs {service}"),
        ..Miss::default()
    })
}

/// Edit distance, case ignored.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Files in which the application of a service is usually written.
const SOURCES: &[&str] = &[
    "app.js",
    "index.js",
    "server.js",
    "main.js",
    "src/app.js",
    "src/index.js",
    "src/server.js",
    "src/main.js",
    "app.mjs",
    "index.mjs",
    "server.mjs",
    "app.ts",
    "src/app.ts",
    "src/index.ts",
    "app.py",
    "main.py",
];

/// Position of the first of these texts in the application of a service.
pub fn in_app(world: &dyn World, service: &str, needles: &[&str], label: &str) -> Option<Place> {
    let dir = world.declared().services.get(service)?.build_context.clone()?;
    needles.iter().find_map(|needle| {
        SOURCES.iter().find_map(|file| world.place_in(&super::http::join(&dir, file), needle, label))
    })
}

#[cfg(test)]
mod tests {
    use super::{tail, unstamped};

    #[test]
    fn a_log_is_told_once() {
        let log = "ts=2026-01-01T00:00:00Z caller=main.go:527 level=error err=\"open x\"\n\n\
                   ts=2026-01-01T00:00:02Z caller=main.go:527 level=error err=\"open x\"\nfin\n";
        assert_eq!(tail(log, 6), ["level=error err=\"open x\"", "fin"]);
        assert_eq!(tail(log, 1), ["fin"]);
        assert_eq!(unstamped("t=1"), "t=1");
    }
}
