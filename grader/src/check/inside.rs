//! Commands that a student can really type: a slim image has no `wget`, `nc` or `nslookup`.

use super::world::World;

/// Images that hold hardly more than what they run.
const BARE: [&str; 4] = ["debian", "ubuntu", "scratch", "distroless"];

/// A command that runs `said` where `service` runs: in it, or, where its image lacks such tools, in a neighbour
/// that shares its network.
pub fn inside(world: &dyn World, service: &str, said: &str) -> String {
    match image(world, service) {
        Some(image) if is_bare(&image) => format!(
            "docker run --rm --network container:$(docker compose ps -q {service} | head -n 1) busybox {said}"
        ),
        _ => format!("docker compose exec {service} {said}"),
    }
}

fn is_bare(image: &str) -> bool {
    let (path, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    let name = path.rsplit('/').next().unwrap_or(path);
    tag.split(['-', '.']).any(|word| word == "slim") || path.contains("distroless") || BARE.contains(&name)
}

/// The image that a service runs, or the one that what is built starts from.
fn image(world: &dyn World, service: &str) -> Option<String> {
    let service = world.declared().services.get(service)?;
    let Some(dockerfile) = &service.dockerfile else { return service.image.clone() };
    let text = world.read(dockerfile)?;
    let mut stages: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().filter(|word| !word.starts_with("--"));
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("from")) {
            continue;
        }
        let Some(from) = words.next() else { continue };
        // A stage that starts from another starts from what that one does.
        let earlier = stages.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(from));
        let image = earlier.map_or_else(|| from.to_owned(), |(_, image)| image.clone());
        stages.push((words.nth(1).unwrap_or_default().to_owned(), image));
    }
    stages.pop().map(|(_, image)| image)
}

#[cfg(test)]
mod tests {
    use super::super::testing::FakeWorld;
    use super::super::world::DeclaredService;
    use super::*;

    #[test]
    fn images_without_tools() {
        for bare in
            ["python:3.11-slim", "node:20-bookworm-slim", "debian:12", "docker.io/library/ubuntu", "scratch"]
        {
            assert!(is_bare(bare), "{bare}");
        }
        assert!(is_bare("gcr.io/distroless/static-debian12"));
        for whole in
            ["node:20-alpine", "nginx:alpine", "prom/prometheus:v2.53.0", "slimtoolkit/x:1", "python:3.11"]
        {
            assert!(!is_bare(whole), "{whole}");
        }
    }

    #[test]
    fn the_last_stage_counts() {
        let mut world = FakeWorld::lab02();
        let service =
            DeclaredService { dockerfile: Some("api/Dockerfile".into()), ..DeclaredService::default() };
        world.declared.services.insert("api".into(), service);
        let mut said = |text: &str| {
            world.files.insert("api/Dockerfile".into(), text.to_owned());
            inside(&world, "api", "wget -qO- http://127.0.0.1:8080/")
        };
        let slim = "FROM --platform=linux/amd64 python:3.11-slim AS base\nRUN x\nfrom base\n";
        assert!(said(slim).contains("--network container:$(docker compose ps -q api"));
        let alpine = "FROM python:3.11-slim AS build\nFROM node:20-alpine\n";
        assert_eq!(said(alpine), "docker compose exec api wget -qO- http://127.0.0.1:8080/");
        assert!(inside(&world, "nobody", "id").starts_with("docker compose exec"));
    }
}
