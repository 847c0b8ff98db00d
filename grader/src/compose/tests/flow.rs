use super::*;
use crate::compose::Relay;
use std::time::Duration;

/// Compose accepts what we rewrote, and reads the same meaning in it.
async fn accepted(folder: &Folder, model: &SandboxedModel) -> serde_json::Value {
    let path = folder.target().canonicalize().expect("folder").join("reecrit.json");
    std::fs::write(&path, model.file().to_string()).expect("file");
    let tool = tool().expect("plugin");
    let args = ["-f".into(), path.into_os_string(), "config".into(), "--format".into(), "json".into()];
    let home = folder.target();
    match tool.run(&args, &home).await {
        Ok(said) => {
            assert!(said.status.success(), "Compose refuses the rewritten file: {}", said.stderr);
            serde_json::from_slice(&said.stdout).expect("JSON")
        }
        _ => panic!("Compose did not finish"),
    }
}

fn show(folder: &Folder, value: &impl std::fmt::Debug) -> String {
    folder.stable(&format!("{value:#?}"))
}

#[tokio::test]
async fn the_course_stack_goes_through() {
    let folder = stack();
    let Some(model) = model(&folder).await else { return };
    let model = model.expect("canonical");
    insta::assert_snapshot!("stack_declared", show(&folder, &model.declared()));
    insta::assert_snapshot!(
        "stack_images",
        show(&folder, &(model.images(), model.builds(), model.from_images(), model.notices()))
    );
    let approved = approve(model).expect("approved");
    let sandboxed = sandbox(&approved, &plan());
    insta::assert_snapshot!("stack_rewritten", folder.stable(&format!("{:#}", sandboxed.file())));
    insta::assert_snapshot!("stack_changes", show(&folder, &(sandboxed.changes(), sandboxed.networks())));
    let read = accepted(&folder, &sandboxed).await;
    assert_eq!(read["services"]["api"]["environment"]["MOTIF"], "a$$b");
    let dockerfile = std::fs::read_to_string(approved.model().root().join("app/Dockerfile")).expect("file");
    assert!(dockerfile.starts_with("#\nARG NODE=20\n"), "front end left in place: {dockerfile}");
}

#[tokio::test]
async fn the_second_copy_has_late_stores_and_a_relay() {
    let folder = stack();
    let Some(model) = model(&folder).await else { return };
    let approved = approve(model.expect("canonical")).expect("approved");
    let plan = Plan {
        late: Some((vec!["postgres".into(), "redis".into()], Duration::from_millis(1500))),
        relay: Some(Relay { service: "postgres".into(), image: "sha256:0".into(), shift_years: -20 }),
        ..plan()
    };
    let sandboxed = sandbox(&approved, &plan);
    assert_eq!(sandboxed.relay().map(|r| r.service.as_str()), Some("tp-relay-postgres"));
    insta::assert_snapshot!("second_rewritten", folder.stable(&format!("{:#}", sandboxed.file())));
    accepted(&folder, &sandboxed).await;
}

/// Traefik and cAdvisor as their documentation has them: nothing of the machine is left but the
/// counters, and the filtered engine knows how everything is called on the student's machine.
#[tokio::test]
async fn the_socket_and_the_machine_have_stand_ins() {
    let folder = Folder::new(&[("compose.yaml", MONITORS)]);
    let Some(model) = model(&folder).await else { return };
    let approved = approve(model.expect("canonical")).expect("approved");
    assert!(approved.needs_stand_ins());
    let sandboxed = sandbox(&approved, &plan());
    insta::assert_snapshot!("monitors_rewritten", folder.stable(&format!("{:#}", sandboxed.file())));
    insta::assert_snapshot!("monitors_changes", show(&folder, &(sandboxed.changes(), sandboxed.engine())));
    accepted(&folder, &sandboxed).await;

    let old = sandbox(&approved, &Plan { subpath: false, cgroups: false, ..plan() });
    let mounts = &old.file()["services"]["traefik"]["volumes"];
    assert_eq!(mounts[0]["target"], "/tmp", "{mounts}");
    assert_eq!(mounts[0]["volume"], serde_json::json!({"nocopy": true}));
    assert!(old.engine().expect("engine").view.also.contains("moteur.sock"));
    assert!(!old.file().to_string().contains("/sys/fs/cgroup"));
    accepted(&folder, &old).await;
}

/// Files that are mounted follow the subnets that moved; what other checks read stays as it was.
/// Compose refuses two limits that differ (« can't set distinct values on 'pids_limit' and
/// 'deploy.resources.limits.pids' »), one that is absent from a `limits` included.
#[tokio::test]
async fn limits_written_in_either_place_are_capped_in_both() {
    let folder = Folder::new(&[(
        "compose.yaml",
        "services:
  short: {image: alpine, mem_limit: 64m, pids_limit: 900, cpus: 0.5}
  long: {image: alpine, deploy: {resources: {limits: {memory: 256M}}}}
  cpu: {image: alpine, deploy: {resources: {limits: {cpus: '0.5'}}}}
  reserved: {image: alpine, deploy: {resources: {reservations: {memory: 32M}}}}
  both: {image: alpine, pids_limit: 900, deploy: {resources: {limits: {memory: 64m, pids: 900}}}}
  none: {image: alpine}
",
    )]);
    let Some(model) = model(&folder).await else { return };
    let approved = approve(model.expect("canonical")).expect("approved");
    let plan = Plan { memory: Some(1 << 30), pids: 200, ..plan() };
    let sandboxed = sandbox(&approved, &plan);
    accepted(&folder, &sandboxed).await;
    let services = &sandboxed.file()["services"];
    for (name, memory) in [("short", 64 << 20), ("reserved", 1 << 30), ("none", 1 << 30)] {
        assert_eq!(services[name]["pids_limit"], 200, "{name}");
        assert_eq!(services[name]["mem_limit"], memory.to_string(), "{name}");
    }
    for (name, memory) in [("long", 256 << 20), ("cpu", 1 << 30), ("both", 64 << 20)] {
        let limits = &services[name]["deploy"]["resources"]["limits"];
        assert_eq!((&limits["pids"], &limits["memory"]), (&200.into(), &memory.to_string().into()), "{name}");
    }
    assert_eq!(services["both"]["pids_limit"], 200);
}

#[tokio::test]
async fn mounted_files_follow_the_addresses() {
    let text = "services:
  traefik:
    image: x
    labels: [\"traefik.http.middlewares.m.ipallowlist.sourcerange=127.0.0.1/32,172.29.0.0/24\"]
    volumes: [\"./traefik:/etc/traefik:ro\", \"./traefik/certs:/certs:ro\", \"./seul.yml:/seul.yml:ro\", \"./autre:/autre\"]
    networks: {supervision: {ipv4_address: 172.29.0.10}}
    configs: [c, d]
networks:
  supervision: {ipam: {config: [{subnet: 172.29.0.0/24}]}}
configs:
  c: {file: ./c.conf}
  d: {content: \"172.29.0.10\"}
";
    let folder = Folder::new(&[
        ("compose.yaml", text),
        ("traefik/dynamic.yml", "sourceRange:\n  - 172.16.0.0/12\n"),
        ("traefik/certs/key.pem", "secret"),
        ("traefik/image.png", "\u{0}172.29.0.0/24"),
        ("seul.yml", "api: http://172.29.0.10:80\n"),
        ("autre/rien.txt", "10.0.0.1\n"),
        ("c.conf", "allow 172.29.0.64/28;\n"),
    ]);
    let Some(model) = model(&folder).await else { return };
    let approved = approve(model.expect("canonical")).expect("approved");
    let into = folder.target().canonicalize().expect("folder").join("copies");
    let sandboxed = sandbox(
        &approved,
        &Plan { copies: Some(into.clone()), subnets: vec!["198.18.7.0/24".parse().expect("net")], ..plan() },
    );
    sandboxed.copies().iter().for_each(|copy| copy.make().expect("copied"));
    let service = &sandboxed.file()["services"]["traefik"];
    let label = &service["labels"]["traefik.http.middlewares.m.ipallowlist.sourcerange"];
    assert_eq!(label, "127.0.0.1/32,198.18.7.0/24");
    let read = |mount: usize, below: &str| {
        let source = service["volumes"][mount]["source"].as_str().expect("source");
        std::fs::read_to_string(Path::new(source).join(below)).expect("file")
    };
    assert_eq!(read(0, "dynamic.yml"), "sourceRange:\n  - 172.16.0.0/12\n  - 198.18.7.0/24\n");
    assert_eq!(read(1, "key.pem"), "secret");
    assert_eq!(service["volumes"][1]["source"], into.join("2/traefik/certs").to_str().expect("text"));
    assert_eq!(read(0, "image.png"), "\u{0}172.29.0.0/24");
    let source = service["volumes"][2]["source"].as_str().expect("source");
    assert_eq!(std::fs::read_to_string(source).expect("file"), "api: http://198.18.7.10:80\n");
    let root = approved.model().root();
    assert_eq!(service["volumes"][3]["source"], root.join("autre").to_str().expect("text"));
    let config = sandboxed.file()["configs"]["c"]["file"].as_str().expect("file");
    assert_eq!(std::fs::read_to_string(config).expect("file"), "allow 198.18.7.64/28;\n");
    assert_eq!(sandboxed.file()["configs"]["d"]["content"], "198.18.7.10");
    let original = std::fs::read_to_string(root.join("traefik/dynamic.yml")).expect("file");
    assert_eq!(original, "sourceRange:\n  - 172.16.0.0/12\n");
    assert!(
        sandboxed.changes().iter().any(|c| c.text.contains("traefik/dynamic.yml")),
        "{:?}",
        sandboxed.changes()
    );
    accepted(&folder, &sandboxed).await;
}

#[tokio::test]
async fn two_copies_of_a_stack_do_not_write_to_the_same_folder() {
    let text = "services:
  base:
    image: x
    volumes: [\"./donnees:/data\", \"./reglages:/etc/x:ro\", \"./journaux/base:/var/log\"]
  lecteur:
    image: x
    volumes: [\"./journaux:/journaux:ro\", \"./page.html:/page.html\"]
";
    let folder = Folder::new(&[
        ("compose.yaml", text),
        ("reglages/x.conf", "x"),
        ("journaux/base/ancien.log", "hier"),
        ("page.html", "page"),
    ]);
    let Some(model) = model(&folder).await else { return };
    let approved = approve(model.expect("canonical")).expect("approved");
    let into = folder.target().canonicalize().expect("folder").join("copies");
    let root = approved.model().root().to_owned();
    let source = |sandboxed: &SandboxedModel, service: &str, mount: usize| {
        let text = sandboxed.file()["services"][service]["volumes"][mount]["source"].clone();
        std::path::PathBuf::from(text.as_str().expect("source"))
    };

    let first = sandbox(&approved, &Plan { copies: Some(into.clone()), ..plan() });
    assert!(first.copies().is_empty());
    assert_eq!(source(&first, "base", 0), root.join("donnees"));

    let second = sandbox(&approved, &Plan { copies: Some(into.clone()), apart: true, ..plan() });
    second.copies().iter().for_each(|copy| copy.make().expect("copied"));
    let (data, logs) = (source(&second, "base", 0), source(&second, "base", 2));
    assert!(data.starts_with(&into) && !data.exists(), "made by the engine as it is mounted: {data:?}");
    assert_eq!(source(&second, "base", 1), root.join("reglages"), "nobody writes there");
    assert_eq!(source(&second, "lecteur", 0), logs.parent().expect("outer"), "what is written is read");
    assert_eq!(std::fs::read_to_string(logs.join("ancien.log")).expect("copied"), "hier");
    assert_eq!(std::fs::read_to_string(source(&second, "lecteur", 1)).expect("copied"), "page");
}

#[tokio::test]
async fn the_networks_stack_goes_through() {
    let folder = Folder::new(&[("compose.yaml", NETWORKS)]);
    let Some(model) = model(&folder).await else { return };
    let model = model.expect("canonical");
    insta::assert_snapshot!("networks_declared", show(&folder, &model.declared()));
    let approved = approve(model).expect("approved");
    let sandboxed = sandbox(&approved, &plan());
    insta::assert_snapshot!("networks_rewritten", folder.stable(&format!("{:#}", sandboxed.file())));
    insta::assert_snapshot!("networks_changes", show(&folder, &(sandboxed.changes(), sandboxed.networks())));
    accepted(&folder, &sandboxed).await;
}

#[tokio::test]
async fn profiles_project_name_and_dotenv_mean_the_same() {
    let folder = Folder::new(&[
        (
            "compose.yml",
            "services:\n  a:\n    image: \"img:${TAG}\"\n    environment: {P: \"${COMPOSE_PROJECT_NAME}\", U: \"$DOCKER_USER\"}\n  b:\n    image: b\n    profiles: [dev]\n  c:\n    image: c\n    profiles: [autre]\n    secrets: [jeton]\nsecrets: {jeton: {environment: JETON}}\n",
        ),
        (
            ".env",
            "TAG=\"1.0\"\r\nCOMPOSE_PROFILES=dev\r\nDOCKER_USER=moi\nCOMPOSE_PROJECT_NAME=Choisi\nDOCKER_HOST=tcp://192.0.2.1:1\n",
        ),
    ]);
    let Some(model) = model(&folder).await else { return };
    let model = model.expect("canonical");
    let declared = model.declared();
    assert_eq!(declared.services.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(declared.services["a"].image.as_deref(), Some("img:1.0"));
    assert_eq!(model.json()["services"]["a"]["environment"]["P"], "choisi");
    assert_eq!(model.json()["services"]["a"]["environment"]["U"], "moi");
    assert_eq!(model.all["services"].as_object().map(serde_json::Map::len), Some(3));
    assert!(model.notices().iter().any(|n| n.text.contains("DOCKER_HOST")));
}

#[tokio::test]
async fn without_a_name_the_project_is_the_folder() {
    let folder = Folder::new(&[("compose.yaml", "services: {a: {image: x}}\n")]);
    let Some(model) = model(&folder).await else { return };
    assert_eq!(model.expect("canonical").project(), "tp");
}

#[tokio::test]
async fn marks_line_ends_and_encodings_are_read_as_compose_does() {
    let text = "services:\r\n  web:\r\n    image: nginx\r\n    privileged: true\r\n";
    let wide: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let bom = format!("\u{feff}{text}").into_bytes();
    for bytes in [text.as_bytes().to_vec(), bom, wide] {
        let folder = Folder::new(&[]);
        std::fs::write(folder.origin().join("compose.yaml"), bytes).expect("file");
        let Some(model) = model(&folder).await else { return };
        let refused = approve(model.expect("canonical")).expect_err("refused");
        let mark = &refused[0].place.as_ref().expect("place").mark;
        assert_eq!((mark.line, mark.column, mark.width), (4, 5, 16));
        assert_eq!(mark.text, "    privileged: true");
    }
}

#[test]
fn the_file_that_compose_takes_is_the_one_read() {
    let folder = Folder::new(&[
        ("docker-compose.yaml", "services: {a: {image: x}}"),
        ("docker-compose.yml", "services: {b: {image: x}}"),
        ("compose.override.yml", "services: {b: {image: y}}"),
    ]);
    let staged = staged(&folder);
    assert_eq!(staged.choice.files, ["docker-compose.yml", "compose.override.yml"]);
    assert_eq!(staged.notices.len(), 1, "{:?}", staged.notices);
}

#[tokio::test]
async fn places_follow_overrides_extends_and_merge_keys() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "x-base: &base\n  restart: always\n  cap_add: [SYS_ADMIN]\nservices:\n  a:\n    <<: *base\n    image: x\n  b:\n    extends: {file: commun/base.yml, service: socle}\n",
        ),
        ("compose.override.yaml", "services:\n  a:\n    pid: host\n"),
        ("commun/base.yml", "services:\n  socle:\n    image: y\n    ipc: host\n"),
    ]);
    let Some(model) = model(&folder).await else { return };
    let refused = approve(model.expect("canonical")).expect_err("refused");
    let places: Vec<(String, String, usize)> = refused
        .iter()
        .map(|r| {
            let place = r.place.as_ref().expect("place");
            (r.rule.clone(), place.file.clone(), place.mark.line)
        })
        .collect();
    let expected = [
        ("cap-add", "compose.yaml", 3),
        ("namespace-host", "compose.override.yaml", 3),
        ("namespace-host", "commun/base.yml", 4),
    ];
    for (rule, file, line) in expected {
        assert!(places.contains(&(rule.to_owned(), file.to_owned(), line)), "{rule} {file}: {places:?}");
    }
}
