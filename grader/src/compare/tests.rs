//! Resemblance, on submissions made up from one another.

use proptest::prelude::*;

use super::*;
use crate::reporter::clean;

const COMPOSE: &str = r#"
# The stack
services:
  web:
    build: ./web
    ports: ["8080:80"]
    networks: [front]
    depends_on:
      api: { condition: service_healthy }
  api:
    build: ./api
    environment:
      REDIS_HOST: cache
      CACHE_TTL: "60"
      DATABASE_URL: postgres://app:secret@db:5432/shop
    healthcheck:
      test: ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://localhost:5000/health')"]
      interval: 7s
      retries: 4
    networks: [front, back]
  cache:
    image: redis:7-alpine
    command: ["redis-server", "--maxmemory", "64mb"]
    networks: [back]
  db:
    image: postgres:16-alpine
    volumes: ["data:/var/lib/postgresql/data"]
    networks: [back]
networks:
  front: {}
  back: { internal: true }
volumes:
  data: {}
"#;

/// The same with other names, keys in another order, in another layout.
const RENAMED: &str = r#"
volumes: { pgdata: }
networks:
    prive:
        internal: true
    public: {}
services:
    base:
        networks:
            - prive
        volumes:
            - pgdata:/var/lib/postgresql/data
        image: "postgres:16-alpine"
    memoire:
        networks:
            - prive
        command:
            - redis-server
            - --maxmemory
            - 64mb
        image: redis:7-alpine
    service:
        networks: [public, prive]
        healthcheck:
            retries: 4
            interval: 7s
            test:
                - CMD
                - python
                - -c
                - "import urllib.request as u; u.urlopen('http://localhost:5000/health')"
        environment:
            - REDIS_HOST=memoire
            - CACHE_TTL=60
            - DATABASE_URL=postgres://app:secret@base:5432/shop
        build: ./api
    site:
        depends_on:
            service:
                condition: service_healthy
        networks: [public]   # nothing to see
        ports:
            - "8080:80"
        build: ./web
"#;

const APP: &str = "import time\nimport redis\n\ndef lookup(key, store):\n    # first the cache\n    found = store.get(key)\n    if found is None:\n        found = slow(key)\n        store.setex(key, 60, found)\n    return found\n\ndef slow(key):\n    time.sleep(2)\n    return key * 3\n";
const APP_RENAMED: &str = "import time\nimport redis\ndef cherche(cle, cache):\n    valeur = cache.get(cle)\n    if valeur is None:\n        valeur = lent(cle)\n        cache.setex(cle, 60, valeur)\n\n    return valeur\n# the long way\ndef lent(cle):\n    time.sleep(2)\n    return cle * 3\n";
const OTHER: &str = "from flask import Flask, jsonify\napp = Flask(__name__)\n\n@app.route('/api/data')\ndef data():\n    rows = [r for r in range(10) if r % 2]\n    return jsonify(rows=rows, source='database')\n";
const OTHER_COMPOSE: &str = "services:\n  front:\n    image: nginx:1.27\n    volumes: [\"./nginx.conf:/etc/nginx/nginx.conf:ro\"]\n    expose: [\"80\"]\n    restart: unless-stopped\n  back:\n    image: node:22\n    working_dir: /srv\n    user: \"1000\"\n    entrypoint: [\"node\", \"server.js\"]\n    environment: { PORT: \"3000\", NODE_ENV: production, LOG_LEVEL: debug }\n";

fn work(name: &str, files: &[(&str, &str)]) -> Work {
    let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
    Work { name: name.to_owned(), files: files.iter().map(file).collect(), draw: None }
}

fn class() -> Vec<Work> {
    vec![
        work("alice", &[("compose.yaml", COMPOSE), ("api/app.py", APP)]),
        work("bob", &[("compose.yaml", OTHER_COMPOSE), ("api/app.py", OTHER)]),
        work("carol", &[("docker-compose.yml", RENAMED), ("src/main.py", APP_RENAMED)]),
    ]
}

#[test]
fn a_copy_with_other_names_and_another_layout_is_on_top() {
    let class = class();
    let found = compare(&class, &[]);
    let top = found.pairs[0];
    assert_eq!((class[top.a].name.as_str(), class[top.b].name.as_str()), ("alice", "carol"));
    assert!(top.of_a > 0.9 && top.of_b > 0.9, "{top:?}");
    assert_eq!(found.pairs.len(), 1, "{:?}", found.pairs);
    let passages = found.passages(0, 2);
    assert_eq!(passages.len(), 2);
    assert!(passages[0].lines.len() > 5, "{passages:?}");
}

#[test]
fn code_alone_and_compose_alone() {
    for (path, one, two) in [("a.py", APP, APP_RENAMED), ("compose.yaml", COMPOSE, RENAMED)] {
        let found = compare(&[work("a", &[(path, one)]), work("b", &[(path, two)])], &[]);
        assert!(found.pairs[0].of_a > 0.9, "{path}: {:?}", found.pairs);
    }
}

#[test]
fn the_starter_alone_gives_nothing() {
    let starter = work("", &[("compose.yaml", COMPOSE), ("api/app.py", APP)]).files;
    let class = [
        work("alice", &[("compose.yaml", COMPOSE), ("api/app.py", APP)]),
        work("bob", &[("compose.yaml", RENAMED), ("api/app.py", APP)]),
    ];
    let found = compare(&class, &starter);
    assert_eq!((found.pairs.len(), found.little.len()), (0, 2), "{:?}", found.pairs);
}

#[test]
fn the_same_draw_is_told() {
    let mut class = class();
    class[0].draw = Some("0123".into());
    class[1].draw = Some("0123".into());
    let found = compare(&class, &[]);
    assert!(found.pairs[0].same_draw && found.pairs[0].a == 0 && found.pairs[0].b == 1);
}

#[test]
fn hostile_texts_are_only_text() {
    let bomb = (0..9).fold("a0: &a0 [x]\n".to_owned(), |text, i| {
        format!(
            "{text}a{}: &a{} [*a{i}, *a{i}, *a{i}, *a{i}, *a{i}, *a{i}, *a{i}, *a{i}, *a{i}]\n",
            i + 1,
            i + 1
        )
    });
    let deep = "[".repeat(100_000);
    let script = format!(
        "{APP}\n# </pre><script>alert(1)</script>\u{202e}\nx = '</pre><script>alert(1)</script>\u{202e}'\n"
    );
    let one = work("zo<script>é", &[("b.yaml", &bomb), ("c.yaml", &deep), ("<img>.py", &script)]);
    let two = Work { name: "b\u{1b}[2J".into(), ..one.clone() };
    let class = [one, two];
    let found = compare(&class, &[]);
    assert!(!found.pairs.is_empty());
    let page = page("TP 02", &class, &found).expect("rendered");
    assert!(
        !page.contains("<script")
            && !page.contains("<img")
            && !page.contains('\u{202e}')
            && !page.contains('\u{1b}')
    );
    assert!(page.contains("jamais un verdict") && page.contains(&clean::visible("\u{202e}")));
    assert!(!page.contains("undefined"));
}

#[test]
fn what_is_read_of_a_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &[u8]| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("compose.yaml", b"services: {}\n");
    write("README.md", b"text\n");
    write("reponses.yaml", b"a: b\n");
    write("node_modules/x.js", b"x\n");
    write(".git/config", b"x\n");
    write("binary.py", b"a\0b");
    write("huge.py", &vec![b'x'; 300 << 10]);
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("passwd.conf")).expect("linked");
    let work = read(dir.path(), "zoé", &["reponses.yaml"]);
    assert_eq!(work.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["compose.yaml"]);
}

#[test]
fn a_large_class_takes_no_time() {
    let variant = |n: usize| {
        let app: String = (0..60)
            .map(|i| format!("def f{i}(x):\n    return g.h{}(x, {})\n", (i * n) % 97, n * i))
            .collect();
        work(&format!("e{n:03}"), &[("compose.yaml", COMPOSE), ("app.py", &app)])
    };
    let class: Vec<Work> = (1..=300).map(variant).collect();
    let began = std::time::Instant::now();
    compare(&class, &[]);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_order_of_submissions_does_not_matter(turn in 0_usize..3, flip in any::<bool>()) {
        let told = |class: &[Work]| {
            let pairs = compare(class, &[]).pairs;
            pairs.iter().map(|p| (class[p.a].name.clone(), class[p.b].name.clone(), p.shared, p.of_a.to_bits(), p.of_b.to_bits())).collect::<Vec<_>>()
        };
        let mut other = class();
        other.rotate_left(turn);
        if flip {
            other.reverse();
        }
        prop_assert_eq!(told(&class()), told(&other));
    }

    #[test]
    fn any_text_has_tokens(text in "\\PC{0,200}|[a-z:{}\\[\\]\"'`#/*\n\\\\ -]{0,200}", end in prop_oneof![Just("a.py"), Just("a.js"), Just("a.yaml"), Just("Dockerfile"), Just("a.sql")]) {
        let file = File { path: end.to_owned(), text };
        let lines = file.text.lines().count().max(1);
        for token in lex::tokens(&file) {
            prop_assert!(token.line >= 1 && token.line <= lines + 1, "{} of {}", token.line, lines);
        }
    }
}
