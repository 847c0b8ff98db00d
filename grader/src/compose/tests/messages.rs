use super::*;

/// Every frequent mistake, with the whole answer in one snapshot.
#[tokio::test]
async fn frequent_mistakes_are_said_in_french() {
    let cases: &[(&str, &str)] = &[
        ("indentation", "services:\n  api:\n    image: x\n   foo: 1\n"),
        ("tabulation", "services:\n  api:\n    image: x\n    environment:\n\t- A=1\n"),
        ("deux-points", "services:\n  api:\n    image: x\n    command: a: b\n"),
        ("guillemet", "services:\n  api: {image: \"x}\n"),
        ("cle-inconnue", "services:\n  api:\n    image: x\n    enviroment: {A: b}\n"),
        ("racine", "service:\n  api:\n    image: x\n"),
        ("nom-service", "services:\n  Api é:\n    image: x\n"),
        ("reseau", "services:\n  api:\n    image: x\n    networks: [dorsal]\n"),
        ("volume", "services:\n  api:\n    image: x\n    volumes: [\"donnees:/x\"]\n"),
        ("service", "services:\n  api:\n    image: x\n    depends_on: [bdd]\n"),
        ("liste", "services:\n  api:\n    image: x\n    ports: \"80\"\n"),
        ("double", "services:\n  api:\n    image: x\n    image: y\n"),
        ("port", "services:\n  api:\n    image: x\n    ports: [\"8x:80\"]\n"),
        ("port-grand", "services:\n  api:\n    image: x\n    ports: [\"99999:80\"]\n"),
        ("env-file", "services:\n  api:\n    image: x\n    env_file: nop.env\n"),
        ("include", "include: [nop.yaml]\nservices:\n  api:\n    image: x\n"),
        (
            "cycle",
            "services:\n  api:\n    image: x\n    depends_on: [b]\n  b:\n    image: x\n    depends_on: [api]\n",
        ),
        ("aucun", "services: {}\n"),
        ("vide", ""),
        ("obligatoire", "services:\n  api:\n    image: ${Y:?oups}\n"),
        ("interpolation", "services:\n  api:\n    image: x${\n"),
        ("sans-image", "services:\n  api:\n    command: x\n"),
        ("deux-modes", "services:\n  api:\n    image: x\n    network_mode: host\n    networks: [default]\n"),
        ("duree", "services:\n  api:\n    image: x\n    healthcheck: {interval: abc}\n"),
        (
            "condition",
            "services:\n  api:\n    image: x\n    depends_on: {b: {condition: healthy}}\n  b: {image: b}\n",
        ),
        ("env-liste", "services:\n  api:\n    image: x\n    environment: [A: b]\n"),
        ("ancre", "services:\n  api:\n    image: *foo\n"),
        ("test", "services:\n  api: {image: x, healthcheck: {test: [curl, x]}}\n"),
        (
            "adresse",
            "services:\n  api: {image: x, networks: {a: {ipv4_address: 10.0.0.300}}}\nnetworks: {a: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}\n",
        ),
        (
            "sous-reseau",
            "services:\n  api: {image: x, networks: [a]}\nnetworks: {a: {ipam: {config: [{subnet: 10.0.0.5/24}]}}}\n",
        ),
        (
            "ports-egaux",
            "services:\n  a: {image: x, ports: [\"8080:80\"]}\n  b:\n    image: x\n    ports:\n      - \"8080:8080\"\n",
        ),
    ];
    let mut shown = String::new();
    for (name, text) in cases {
        let folder = Folder::new(&[("compose.yaml", text)]);
        let Some(model) = model(&folder).await else { return };
        let Err(ConfigError::Student(problems)) = model else {
            panic!("{name}: accepted, or refused otherwise: {:?}", model.err());
        };
        for problem in problems {
            shown.push_str(&format!("# {name}: {}\n{}\n→ {}\n", problem.code, problem.what, problem.todo));
            if let Some(place) = &problem.place {
                let mark = &place.mark;
                shown.push_str(&format!(
                    "  {}:{}:{}\n  | {}\n  | ",
                    place.file, mark.line, mark.column, mark.text
                ));
                shown.push_str(&" ".repeat(mark.column - 1));
                shown.push_str(&format!("{} {}\n", "^".repeat(mark.width), mark.label));
            }
            shown.push_str(&format!("  ({})\n\n", problem.detail));
        }
    }
    insta::assert_snapshot!("messages", shown);
}

#[test]
fn a_missing_compose_file_says_what_was_found() {
    let cases: [Files<'_>; 5] = [
        &[],
        &[("Compose.yaml", "")],
        &[("compose.yaml.txt", ""), ("README.md", "")],
        &[("rendu/compose.yaml", "")],
        &[("app.js", ""), ("Dockerfile", "")],
    ];
    let mut shown = String::new();
    for files in cases {
        let folder = Folder::new(files);
        let problems = stage(&folder.origin(), &folder.target(), &Limits::default()).expect_err("missing");
        assert_eq!(problems[0].code, "compose-missing");
        shown.push_str(&format!("{}\n→ {}\n\n", problems[0].what, problems[0].todo));
    }
    insta::assert_snapshot!("missing", shown);
}

#[tokio::test]
async fn unset_variables_are_a_warning() {
    let folder = Folder::new(&[("compose.yaml", "services:\n  api:\n    image: x:${TAG}\n")]);
    let Some(model) = model(&folder).await else { return };
    let model = model.expect("canonical");
    assert_eq!(model.notices().len(), 1, "{:?}", model.notices());
    assert_eq!(model.notices()[0].place.as_ref().map(|p| p.mark.line), Some(3));
}
