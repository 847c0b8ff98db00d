use super::*;
use std::time::{Duration, Instant};

/// What happened to a hostile submission.
#[derive(Debug, PartialEq)]
enum Outcome {
    Refused(Vec<String>),
    Invalid(Vec<String>),
    Accepted,
}

async fn judge(folder: &Folder) -> Option<Outcome> {
    let tool = tool()?;
    let rules = |refusals: Vec<crate::event::Refusal>| {
        assert!(refusals.iter().all(|r| !r.what.contains('{') || r.what.contains("${")), "{refusals:?}");
        Outcome::Refused(refusals.into_iter().map(|r| r.rule).collect())
    };
    let codes = |p: Vec<crate::event::Problem>| Outcome::Invalid(p.into_iter().map(|p| p.code).collect());
    let staged = match stage(&folder.origin(), &folder.target(), &Limits::default()) {
        Ok(staged) => staged,
        Err(problems) => return Some(codes(problems)),
    };
    Some(match canonical(&staged, &tool).await {
        Err(ConfigError::Student(problems)) => codes(problems),
        Err(ConfigError::Refused(refusals)) => rules(refusals),
        Err(ConfigError::Machine(fault)) => panic!("{fault:?}"),
        Ok(model) => match approve(model) {
            Ok(_) => Outcome::Accepted,
            Err(refusals) => rules(refusals),
        },
    })
}

/// Judges one service given its extra lines.
async fn service(lines: &str) -> Option<Outcome> {
    let body: String = lines.lines().map(|l| format!("    {l}\n")).collect();
    let text = format!("services:\n  api:\n    image: x\n{body}  db:\n    image: y\n");
    judge(&Folder::new(&[("compose.yaml", &text), ("app/Dockerfile", "FROM x\n"), ("data/f", "")])).await
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn risky_settings_are_refused_and_sloppy_ones_are_not() {
    let refused: &[(&str, &str)] = &[
        ("privileged: true", "privileged"),
        ("cap_add: [NET_ADMIN]", "cap-add"),
        ("cap_add: [ALL]", "cap-add"),
        ("cap_add: [CAP_SYS_ADMIN]", "cap-add"),
        ("pid: host", "namespace-host"),
        ("pid: \"service:db\"", "namespace-host"),
        ("ipc: host", "namespace-host"),
        ("uts: host", "namespace-host"),
        ("userns_mode: host", "namespace-host"),
        ("cgroup: host", "namespace-host"),
        ("network_mode: host", "network-mode-host"),
        ("network_mode: \"container:autre\"", "network-mode-container"),
        ("network_mode: un_reseau", "network-mode-container"),
        ("devices: [\"/dev/kmsg:/dev/kmsg\"]", "devices"),
        ("device_cgroup_rules: [\"c 1:3 mr\"]", "devices"),
        ("security_opt: [\"seccomp:unconfined\"]", "security-opt"),
        ("cgroup_parent: /x", "cgroup"),
        ("runtime: kata", "runtime"),
        ("oom_kill_disable: true", "oom"),
        ("sysctls: {kernel.panic: 1}", "sysctl"),
        ("external_links: [autre]", "external-links"),
        ("volumes_from: [\"container:autre\"]", "volumes-from"),
        ("extra_hosts: [\"h:host-gateway\"]", "host-gateway"),
        ("volumes: [\"/etc:/e:ro\"]", "bind-outside"),
        ("volumes: [\"../x:/e\"]", "bind-outside"),
        ("volumes: [\"./data/../../x:/e\"]", "bind-outside"),
        ("volumes: [\"./docker.sock:/var/run/docker.sock\"]", "docker-sock"),
        ("volumes: [\"/run/containerd/containerd.sock:/c.sock\"]", "docker-sock"),
        ("volumes: [\"/run/podman/podman.sock:/var/run/docker.sock\"]", "docker-sock"),
        ("volumes: [\"/run/docker:/d\"]", "docker-sock"),
        ("volumes: [\"/var/run/../lib/docker:/d\"]", "bind-outside"),
        ("volumes: [\"/var:/v\"]", "bind-outside"),
        ("volumes: [\"/:/rootfs:ro\"]", "bind-outside"),
        ("volumes: [\"/sys:/sys:ro\"]", "bind-outside"),
        ("volumes: [\"/proc:/host/proc:ro\"]", "bind-outside"),
        ("volumes: [\"/var/lib/docker:/var/lib/docker:ro\"]", "bind-outside"),
        ("environment: {DOCKER_HOST: \"tcp://192.0.2.1:2375\"}", "docker-host"),
        ("environment: {DOCKER_HOST: \"tcp://host.docker.internal:2375\"}", "docker-host"),
        ("environment: [\"DOCKER_HOST=ssh://root@db\"]", "docker-host"),
        (
            "volumes: [{type: bind, source: ./data, target: /d, bind: {propagation: rshared}}]",
            "mount-propagation",
        ),
        ("volumes: [{type: npipe, source: x, target: /d}]", "mount-type"),
        ("build: {context: .., dockerfile: Dockerfile}", "build-outside"),
        ("build: {context: ./app, dockerfile: ../../Dockerfile}", "build-outside"),
        ("build: \"https://example.invalid/x.git\"", "build-remote"),
        ("build: {context: ./app, network: host}", "build-network"),
        ("build: {context: ./app, ssh: [default]}", "build-ssh"),
        ("build: {context: ./app, privileged: true}", "build-privileged"),
        ("build: {context: ./app, entitlements: [network.host]}", "build-privileged"),
        ("build: {context: ./app, args: {BUILDKIT_SYNTAX: evil}}", "build-arg"),
        ("build: {context: ./app, additional_contexts: {a: /etc}}", "build-outside"),
        ("build: {context: ./app, additional_contexts: {a: \"docker-image://x\"}}", "build-remote"),
        (
            "build: {context: ., dockerfile_inline: \"FROM x\\nADD http://127.0.0.1/a /a\"}",
            "dockerfile-add-remote",
        ),
        (
            "build: {context: ., dockerfile_inline: \"FROM x\\nARG U\\nADD $$U /a\"}",
            "dockerfile-add-variable",
        ),
        ("build: {context: ., dockerfile_inline: \"FROM x\\nRUN --mount=type=ssh ls\"}", "dockerfile-run"),
        ("build: {context: ., dockerfile_inline: \"FROM x\\nRUN --network=host ls\"}", "dockerfile-run"),
        ("build: {context: ., dockerfile_inline: \"FROM x\\nRUN --security=insecure ls\"}", "dockerfile-run"),
        ("env_file: /etc/passwd", "path-outside"),
        ("env_file: ../x.env", "path-outside"),
        ("env_file: [{path: ~/.bashrc}]", "path-outside"),
        ("env_file: \"${X:-${Y}}\"", "path-variable"),
        ("extends: {file: /etc/passwd, service: x}", "path-outside"),
        ("ports: [\"1025-65000\"]", "port-range"),
        ("ports: [\"1025-65000:1025-65000\"]", "port-range"),
        ("gpus: all", "*"),
        ("provider: {type: sh}", "*"),
        ("use_api_socket: true", "*"),
        ("models: [m]", "*"),
        ("post_start: [{command: ls, privileged: true}]", "*"),
        ("nouvelle_cle: 1", "*"),
    ];
    for (lines, rule) in refused {
        let Some(outcome) = service(lines).await else { return };
        match outcome {
            Outcome::Refused(rules) => {
                assert!(*rule == "*" || rules.iter().any(|r| r == rule), "{lines}: {rules:?}");
            }
            // Compose 2.26 does not know the newest keys: they stop there.
            Outcome::Invalid(codes) => assert!(*rule == "*", "{lines}: {codes:?}"),
            Outcome::Accepted => panic!("accepted: {lines}"),
        }
    }
    let accepted = [
        "cap_add: [NET_BIND_SERVICE, CAP_CHOWN]\ncap_drop: [ALL]",
        "network_mode: \"service:db\"",
        "network_mode: none",
        "user: root\nread_only: true\ntmpfs: /run",
        "sysctls: {net.core.somaxconn: 1024, kernel.shmmax: 1, fs.mqueue.msg_max: 1}",
        "volumes: [\"./data:/d\", \"/anonyme\", {type: tmpfs, target: /t, tmpfs: {size: 1000}}]",
        "volumes: [\".:/a:ro\", \"./data:/d\"]",
        "volumes: [\".:/a\", \"./data:/d\"]",
        "volumes: [\"/var/run/docker.sock:/var/run/docker.sock\"]",
        "volumes: [\"/var/run/docker.sock:/tmp/engine.sock:ro\"]\nenvironment: {DOCKER_HOST: \"unix:///tmp/engine.sock\"}",
        "volumes: [\"//var/run/../run/docker.sock:/var/run/docker.sock:ro\"]",
        "volumes: [{type: bind, source: /run/docker.sock, target: /s, read_only: true, bind: {propagation: rslave}}]",
        "volumes: [\"~/.docker/run/docker.sock:/var/run/docker.sock\", \"./data:/d\"]",
        "volumes: [\"/var/run:/var/run:rw\", \"/run:/run\", \"./data:/d\"]",
        "environment: {DOCKER_HOST: \"tcp://db:2375\"}",
        "volumes_from: [db]\nlinks: [\"db:base\"]\nextra_hosts: [\"h:192.0.2.1\"]\ndns: [192.0.2.53]",
        "build: {context: ./app, tags: [\"nginx:latest\"], cache_from: [x], platforms: [linux/amd64], pull: true}",
        "security_opt: [\"no-new-privileges:true\"]\nshm_size: 64m\nulimits: {nofile: 1024}",
        "deploy: {replicas: 3, resources: {limits: {cpus: '0.5', memory: 64M}}, placement: {constraints: [a]}}",
        "logging: {driver: syslog}\nannotations: {a: b}\nplatform: linux/arm64\npull_policy: always",
        "x-perso: 1\nstop_grace_period: 5s\ninit: true\nhostname: h\nexpose: [\"80\"]",
        "ports: [\"8000-8005:8000-8005\"]\nrestart: always\nhealthcheck: {disable: true}",
    ];
    for lines in accepted {
        assert_eq!(service(lines).await, Some(Outcome::Accepted), "{lines}");
    }
}

/// The documentation of cAdvisor and of the node exporter, as it is; and what stays refused.
#[tokio::test]
async fn known_monitors_get_stand_ins_and_nothing_more() {
    const CADVISOR: &str = "privileged: true\ndevices: [\"/dev/kmsg\"]\nvolumes: [\"/:/rootfs:ro\", \"/var/run:/var/run:ro\", \"/sys:/sys:ro\", \"/var/lib/docker/:/var/lib/docker:ro\", \"/dev/disk/:/dev/disk:ro\"]";
    const NODE: &str = "pid: host\nvolumes: [\"/proc:/host/proc:ro\", \"/sys:/host/sys:ro\", \"/:/rootfs:ro\", \"/:/host:ro,rslave\"]\ncommand: [\"--path.rootfs=/host\"]";
    let with = async |image: &str, lines: &str| {
        let body: String = lines.lines().map(|l| format!("    {l}\n")).collect();
        let text = format!("services:\n  m:\n    image: {image}\n{body}");
        judge(&Folder::new(&[("compose.yaml", &text), ("data/f", "")])).await
    };
    let cadvisor = "gcr.io/cadvisor/cadvisor:v0.49.1";
    let node = "prom/node-exporter:v1.8.1";
    for (image, lines) in [
        (cadvisor, CADVISOR),
        ("google/cadvisor", CADVISOR),
        (cadvisor, "cgroup: host\nvolumes: [\"/sys/fs/cgroup:/sys/fs/cgroup:ro\", \"./data:/d\"]"),
        (node, NODE),
        ("quay.io/prometheus/node-exporter:latest", NODE),
    ] {
        let Some(outcome) = with(image, lines).await else { return };
        assert_eq!(outcome, Outcome::Accepted, "{image}: {lines}");
    }
    for (image, lines, rule) in [
        ("evil/cadvisor", CADVISOR, "privileged"),
        ("evil/cadvisor", CADVISOR, "bind-outside"),
        (node, CADVISOR, "privileged"),
        (cadvisor, NODE, "bind-outside"),
        (cadvisor, "entrypoint: [sh]\nprivileged: true", "privileged"),
        (cadvisor, "build: ./data\nvolumes: [\"/:/rootfs:ro\"]", "bind-outside"),
        (cadvisor, "volumes: [\"/etc:/etc:ro\"]", "bind-outside"),
        (cadvisor, "volumes: [\"/home:/home:ro\"]", "bind-outside"),
        (cadvisor, "devices: [\"/dev/kmsg\", \"/dev/sda\"]", "devices"),
        (cadvisor, "network_mode: host", "network-mode-host"),
        (cadvisor, "cap_add: [SYS_ADMIN]", "cap-add"),
        (node, "pid: \"service:m\"", "*"),
        (node, "network_mode: host", "network-mode-host"),
        (node, "volumes: [\"/run/dbus:/run/dbus\"]", "bind-outside"),
    ] {
        let Some(outcome) = with(image, lines).await else { return };
        match outcome {
            Outcome::Refused(rules) => {
                assert!(rule == "*" || rules.iter().any(|r| r == rule), "{image}: {lines}: {rules:?}");
            }
            Outcome::Invalid(_) => assert!(rule == "*", "{image}: {lines}"),
            Outcome::Accepted => panic!("accepted: {image}: {lines}"),
        }
    }
}

#[tokio::test]
async fn top_level_settings_are_judged_too() {
    let cases = [
        ("networks: {default: {driver: macvlan}}", "network-driver"),
        ("networks: {default: {driver_opts: {x: y}}}", "unknown-key"),
        (
            "networks: {default: {driver_opts: {com.docker.network.bridge.default_bridge: 'true'}}}",
            "network-option",
        ),
        ("volumes: {v: {driver: nfs}}", "volume-driver"),
        ("volumes: {v: {driver_opts: {type: none, o: bind, device: /}}}", "volume-driver"),
        ("secrets: {s: {file: /etc/shadow}}", "file-outside"),
        ("configs: {s: {file: ../x}}", "file-outside"),
        ("secrets: {s: {external: true}}", "secret-external"),
        ("include: [\"https://example.invalid/x.git\"]", "include-remote"),
        ("include: [\"oci://example.invalid/x\"]", "include-remote"),
        ("include: [{path: ../x.yaml}]", "path-outside"),
        ("---\nservices: {a: {image: x, privileged: true}}", "privileged"),
    ];
    for (lines, rule) in cases {
        let text = format!(
            "services:\n  a:\n    image: x\n    volumes: [\"v:/v\", \"vv:/w\"]\n    secrets: [s]\n    configs: [s]\n{lines}\n"
        );
        let text = text.replace("\"v:/v\", \"vv:/w\"", "{type: volume, source: v, target: /v}");
        let mut text = text;
        for (family, default) in
            [("volumes", "v: {}"), ("secrets", "s: {file: ./f}"), ("configs", "s: {file: ./f}")]
        {
            if !lines.starts_with(family) {
                text = text.replacen("services:", &format!("{family}: {{{default}}}\nservices:"), 1);
            }
        }
        let folder = Folder::new(&[("compose.yaml", &text), ("f", "x")]);
        let Some(outcome) = judge(&folder).await else { return };
        let Outcome::Refused(rules) = outcome else { panic!("{lines}: {outcome:?}") };
        assert!(rules.iter().any(|r| r == rule), "{lines}: {rules:?}");
    }
}

#[tokio::test]
async fn hidden_profiles_are_judged() {
    let folder = Folder::new(&[(
        "compose.yaml",
        "services:\n  a: {image: x}\n  b: {image: x, privileged: true, profiles: [jamais]}\n",
    )]);
    let Some(outcome) = judge(&folder).await else { return };
    assert_eq!(outcome, Outcome::Refused(vec!["privileged".into()]));
}

#[tokio::test]
async fn attacks_on_the_reader_end_quickly() {
    let mut bomb = String::from("x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let previous = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("x-a{level}: &a{level} [{previous}]\n"));
    }
    bomb.push_str("services: {a: {image: x}}\n");
    let nested = format!("services: {{a: {{image: \"{}{}\"}}}}\n", "${A:-".repeat(5000), "}".repeat(5000));
    let deep = format!("services: {}1{}\n", "[".repeat(5000), "]".repeat(5000));
    for (name, text) in [("bomb", bomb), ("nested", nested), ("deep", deep)] {
        let folder = Folder::new(&[("compose.yaml", &text)]);
        let start = Instant::now();
        let Some(outcome) = judge(&folder).await else { return };
        assert_ne!(outcome, Outcome::Accepted, "{name}");
        assert!(start.elapsed() < Duration::from_secs(3), "{name}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn special_files_and_links_out_do_not_pass() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let compose = "services:\n  a:\n    image: x\n    env_file: tube.env\n";
    let folder = Folder::new(&[("compose.yaml", compose)]);
    mknodat(CWD, folder.origin().join("tube.env"), FileType::Fifo, Mode::RWXU, 0).expect("fifo");
    let Some(outcome) = judge(&folder).await else { return };
    assert_eq!(outcome, Outcome::Invalid(vec!["special-file".into()]));

    for target in ["/dev/zero", "/etc/passwd", "../../secret"] {
        let folder =
            Folder::new(&[("compose.yaml", "services:\n  a:\n    image: x\n    env_file: lien.env\n")]);
        std::os::unix::fs::symlink(target, folder.origin().join("lien.env")).expect("link");
        assert_eq!(judge(&folder).await, Some(Outcome::Refused(vec!["path-outside".into()])), "{target}");
    }
    let folder =
        Folder::new(&[("compose.yaml", "services:\n  a:\n    image: x\n    volumes: [\"./data:/d\"]\n")]);
    std::os::unix::fs::symlink("/", folder.origin().join("data")).expect("link");
    assert_eq!(judge(&folder).await, Some(Outcome::Refused(vec!["bind-symlink".into()])));
    let folder = Folder::new(&[("compose.yaml", "services:\n  a:\n    build: ./app\n")]);
    std::os::unix::fs::symlink("/etc", folder.origin().join("app")).expect("link");
    assert_eq!(judge(&folder).await, Some(Outcome::Refused(vec!["build-outside".into()])));
    assert!(!exists(&folder.target().join("copie/app")));
}

/// What the rewritten model does not show: the copy itself.
#[test]
fn the_copy_has_no_special_bit_and_nothing_of_somebody_else() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new(&[
        ("compose.yaml", "services: {a: {image: x}}\n"),
        ("racine", "x"),
        ("un/a.txt", "the same twice"),
        ("../voisin", "secret"),
    ]);
    let at = |name: &str| folder.origin().join(name);
    std::fs::set_permissions(at("racine"), std::fs::Permissions::from_mode(0o6755)).expect("mode");
    std::fs::hard_link(at("un/a.txt"), at("un/b.txt")).expect("link");
    std::fs::hard_link(at("../voisin"), at("pris")).expect("link");
    let staged = staged(&folder);
    let mode = std::fs::metadata(staged.root.join("racine")).expect("copied").permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert!(exists(&staged.root.join("un/a.txt")) && exists(&staged.root.join("un/b.txt")));
    assert!(!exists(&staged.root.join("pris")));
    assert_eq!(staged.left_out, [PathBuf::from("pris")]);
}

#[tokio::test]
async fn dotenv_cannot_steer_compose() {
    let folder = Folder::new(&[
        ("compose.yaml", "services: {a: {image: x}}\n"),
        (".env", "COMPOSE_FILE=/etc/passwd\n"),
    ]);
    let Some(outcome) = judge(&folder).await else { return };
    assert_eq!(outcome, Outcome::Invalid(vec!["compose-file-outside".into()]));
}

#[tokio::test]
async fn caps_on_a_submission_hold() {
    let folder = Folder::new(&[("compose.yaml", "services: {a: {image: x}}\n"), ("gros", "0123456789")]);
    let code = |limits: Limits| {
        let into = tempfile::tempdir().expect("folder");
        stage(&folder.origin(), into.path(), &limits).err().map(|p| p[0].code.clone())
    };
    assert_eq!(code(Limits::default()), None);
    assert_eq!(code(Limits { bytes: 12, ..Limits::default() }).as_deref(), Some("too-big"));
    assert_eq!(code(Limits { files: 1, ..Limits::default() }).as_deref(), Some("too-many-files"));
    assert_eq!(code(Limits { yaml: 4, ..Limits::default() }).as_deref(), Some("yaml-too-big"));
    std::fs::create_dir_all(folder.origin().join("a/b/c")).expect("folders");
    assert_eq!(code(Limits { depth: 2, ..Limits::default() }).as_deref(), Some("too-deep"));
}

/// What a student reads, whole, for one refusal of each family.
#[tokio::test]
async fn refusals_are_told_in_full() {
    let text = "services:
  api:
    image: x
    build:
      context: ..
      network: host
    privileged: true
    network_mode: host
    cap_add:
      - NET_BIND_SERVICE
      - SYS_ADMIN
    volumes:
      - ./data:/d
      - /etc/ssl:/ssl:ro
      - type: bind
        source: /run/podman/podman.sock
        target: /var/run/docker.sock
    sysctls:
      kernel.panic: 1
    security_opt: [apparmor:unconfined]
  web:
    build: ./app
volumes:
  v:
    driver_opts: {type: nfs, device: \":/x\"}
networks:
  default: {driver: macvlan}
";
    let dockerfile = "FROM x\n# note\nADD https://example.invalid/a.tgz /a\nRUN --network=host \\\n  ls\n";
    let folder = Folder::new(&[("compose.yaml", text), ("app/Dockerfile", dockerfile)]);
    let Some(model) = model(&folder).await else { return };
    let refusals = approve(model.expect("canonical")).expect_err("refused");
    let mut shown = String::new();
    for refusal in refusals {
        shown.push_str(&format!("refusé · {} [{}]\n", refusal.what, refusal.rule));
        if let Some(place) = &refusal.place {
            let mark = &place.mark;
            let under = format!("{}{}", " ".repeat(mark.column - 1), "^".repeat(mark.width));
            shown.push_str(&format!("  {}:{}:{}\n", place.file, mark.line, mark.column));
            shown.push_str(&format!("  | {}\n  | {under} {}\n", mark.text, mark.label));
        }
        shown.push_str(&format!("  pourquoi  {}\n  à la place  {}\n\n", refusal.why, refusal.instead));
    }
    insta::assert_snapshot!("refusals", folder.stable(&shown));
}
