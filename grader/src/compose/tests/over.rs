use super::*;

const MAIN: &str = "services:\n  api:\n    image: nginx:alpine\n    ports: [\"5000:80\"]\n    logging: {driver: json-file, options: {max-size: 10m, max-file: \"3\"}}\n";
const OVER: &str = "services:\n  api:\n    ports: !reset []\n    logging: {driver: json-file, options: {max-size: 50m}}\n  nginx: {image: \"nginx:alpine\"}\n";

fn over() -> Wishes {
    Wishes { over: vec!["docker-compose.prod.yml".into(), "compose.prod.yaml".into()], ..Wishes::default() }
}

fn laid(files: Files<'_>) -> (Folder, Staged) {
    let folder = Folder::new(files);
    let staged = stage_for(&folder.origin(), &folder.target(), &Limits::default(), &over()).expect("staged");
    (folder, staged)
}

#[test]
fn the_files_of_each_stack() {
    let files = |pairs: Files<'_>| {
        let (_folder, staged) = laid(pairs);
        (staged.choice.files.join(" "), staged.choice.alone.map(|alone| alone.join(" ")))
    };
    let (main, prod) = (("compose.yml", MAIN), ("compose.prod.yaml", OVER));
    assert_eq!(files(&[main]), ("compose.yml".into(), None));
    let both = "compose.yml compose.prod.yaml".to_owned();
    assert_eq!(files(&[main, prod]), (both.clone(), Some("compose.yml".into())));
    let more = ("compose.override.yaml", "services: {}\n");
    assert_eq!(files(&[main, prod, more]), (both.clone(), Some("compose.yml compose.override.yaml".into())));
    let env = (".env", "COMPOSE_FILE=compose.prod.yaml:compose.yml\n");
    assert_eq!(files(&[main, prod, env]), (both, Some("compose.yml".into())));
}

#[tokio::test]
async fn what_runs_and_what_is_read() {
    let Some(tool) = tool() else { return };
    let (_folder, staged) = laid(&[("compose.yaml", MAIN), ("docker-compose.prod.yml", OVER)]);
    let declared = canonical(&staged, &tool).await.expect("canonical").declared();
    let api = |declared: &crate::check::world::Declared| {
        let api = declared.services["api"].clone();
        let options = api.logging.expect("a log").options;
        (api.ports.len(), options["max-size"].clone(), options["max-file"].clone())
    };
    assert_eq!(api(&declared), (0, "50m".into(), "3".into()));
    assert!(declared.services.contains_key("nginx"));
    let alone = declared.alone.expect("the main file alone");
    assert_eq!(api(&alone), (1, "10m".into(), "3".into()));
    assert!(!alone.services.contains_key("nginx"));
}
