//! What Traefik says of itself: errors of its log, and where its configuration is written.

use super::tell;
use super::world::World;
use crate::error::Fault;
use crate::event::Place;

/// Words by which entry points are written.
pub const ENTRY_POINTS: &[&str] = &["entrypoints", "entryPoints"];

/// Position of the first of these texts in what may configure Traefik: the Compose file, then the
/// other YAML and TOML files.
fn written(world: &dyn World, needles: &[&str], label: &str) -> Option<Place> {
    let main = world.declared().file.clone();
    let ends = [".yml", ".yaml", ".toml", ".conf", ".template"];
    let others = world.files().into_iter().filter(|f| *f != main && ends.iter().any(|e| f.ends_with(e)));
    let files: Vec<String> = std::iter::once(main.clone()).chain(others).collect();
    needles.iter().find_map(|needle| files.iter().find_map(|file| world.place_in(file, needle, label)))
}

/// Position of the first of these texts; else of the service of the proxy.
pub fn place(world: &dyn World, via: &str, needles: &[&str], label: &str) -> Option<Place> {
    written(world, needles, label)
        .or_else(|| world.place(&["services", via], &format!("configuration de « {via} »")))
}

/// The same for what a service says of itself: else its labels, or their absence where Traefik reads
/// labels.
pub fn place_of(
    world: &dyn World,
    (via, service): (&str, &str),
    needles: &[&str],
    label: &str,
) -> Option<Place> {
    if let Some(found) = written(world, needles, label) {
        return Some(found);
    }
    let found = tell::at(world, service, "labels", &format!("étiquettes de « {service} »"))?;
    if found.mark.text.contains("labels") {
        return Some(found);
    }
    if written(world, &["providers.docker", "docker:", "providers.docker]"], "").is_some() {
        return tell::at(world, service, "labels", &format!("« {service} » n'a pas d'étiquettes (labels)"));
    }
    place(world, via, &[], label)
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
    // Traefik quotes a certificate given as text: a few words are enough.
    let is_blob = |word: &str| word.chars().count() > 44 && !word.contains([':', '.']);
    let plain = |word: &str| if is_blob(word) { "…".to_owned() } else { word.to_owned() };
    for error in &mut found {
        *error = error.split(' ').map(plain).collect::<Vec<_>>().join(" ");
    }
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
