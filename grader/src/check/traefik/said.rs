//! What Traefik says of itself: errors of its log, and where its configuration is written.

use super::tell;
use super::world::World;
use crate::error::Fault;
use crate::event::Place;

/// Files in which a Traefik configuration is usually written, besides the Compose file.
const FILES: &[&str] = &[
    "traefik/traefik.yml",
    "traefik/traefik.yaml",
    "traefik/traefik.toml",
    "traefik/dynamic.yml",
    "traefik/dynamic.yaml",
    "traefik/dynamic.toml",
    "traefik/dynamic/dynamic.yml",
    "traefik/dynamic/tls.yml",
    "traefik/dynamic/tls.yaml",
    "traefik/dynamic/certs.yml",
    "traefik/config/dynamic.yml",
    "traefik/tls.yml",
    "traefik/tls.yaml",
    "traefik/certs.yml",
    "traefik.yml",
    "dynamic.yml",
];

/// Words by which entry points are written.
pub const ENTRY_POINTS: &[&str] = &["entrypoints", "entryPoints"];

/// Position of the first of these texts in what configures Traefik; else of the labels of `service`,
/// or of what should have them.
pub fn place(world: &dyn World, service: &str, needles: &[&str], label: &str) -> Option<Place> {
    let main = world.declared().file.clone();
    let files = || std::iter::once(main.as_str()).chain(FILES.iter().copied());
    let written = needles.iter().find_map(|n| files().find_map(|file| world.place_in(file, n, label)));
    written.or_else(|| {
        let found = tell::at(world, service, "labels", "")?;
        let told = if found.mark.text.contains("labels") {
            format!("étiquettes de « {service} »")
        } else {
            format!("« {service} » n'a pas d'étiquettes (labels)")
        };
        tell::at(world, service, "labels", &told)
    })
}

/// Errors of Traefik's log, the latest ones, without repetition.
pub async fn errors(world: &dyn World, service: &str) -> Result<Vec<String>, Fault> {
    let log = world.logs(service, 80).await?;
    let mut found: Vec<String> = Vec::new();
    for line in log.lines().rev() {
        if let Some(error) = error(line)
            && !found.contains(&error)
            && found.len() < 3
        {
            found.push(error);
        }
    }
    found.reverse();
    Ok(found.into_iter().map(|e| format!("journal de « {service} » : {e}")).collect())
}

/// The message of a line that is an error: of version 2 (`level=error msg="…"`), of version 3
/// (`ERR … > …`), in JSON, or of the start-up (`command traefik error: …`).
fn error(line: &str) -> Option<String> {
    let flat = tell::cut(line, 400);
    if flat.contains("level=error") || flat.contains("\"level\":\"error\"") || flat.contains("level=fatal") {
        let begin =
            ["msg=\"", "\"msg\":\"", "\"message\":\""].iter().find_map(|m| Some(flat.find(m)? + m.len()));
        let Some(begin) = begin else { return Some(tell::cut(&flat, 160)) };
        let mut text = String::new();
        let mut escaped = false;
        for c in flat[begin..].chars() {
            match c {
                '\\' if !escaped => escaped = true,
                '"' if !escaped => break,
                other => {
                    text.push(other);
                    escaped = false;
                }
            }
        }
        return Some(tell::cut(&text, 160));
    }
    let text = flat.split_once(" ERR ").map(|(_, rest)| rest);
    let text = text.or_else(|| flat.find("command traefik error").map(|at| &flat[at..]))?;
    let text = text.split_once(" > ").map_or(text, |(_, rest)| rest);
    Some(tell::cut(text, 160))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_both_versions() {
        let v2 =
            r#"time="2026-11-21T05:00:00Z" level=error msg="the service \"x\" does not exist" routerName=a"#;
        assert_eq!(error(v2).as_deref(), Some("the service \"x\" does not exist"));
        let v3 = "2026-11-21T05:00:00Z ERR github.com/traefik/x.go:12 > Unable to find network error=\"y\"";
        assert_eq!(error(v3).as_deref(), Some("Unable to find network error=\"y\""));
        let json = r#"{"level":"error","msg":"no certificate","time":"x"}"#;
        assert_eq!(error(json).as_deref(), Some("no certificate"));
        assert!(error("2026/11/21 05:00:00 command traefik error: field not found, node: foo").is_some());
        assert_eq!(error(r#"time="x" level=info msg="Configuration loaded""#), None);
        assert_eq!(error("time=\"x\" level=error").as_deref(), Some("time=\"x\" level=error"));
    }
}
