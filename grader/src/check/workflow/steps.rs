//! What the steps of a job do: test, build images, push them.

use super::Node;
use super::shell::Shell;

/// What a step does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// Runs tests whose failure ends the job.
    pub tests: bool,
    /// Runs tests whose failure is swallowed.
    pub tests_in_vain: bool,
    /// Builds images.
    pub builds: bool,
    /// Pushes images.
    pub pushes: Push,
}

/// Whether a step pushes images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Push {
    /// It does not.
    #[default]
    No,
    /// Whenever it runs.
    Always,
    /// When this condition of its own holds.
    When(String),
}

/// Programs that run tests, by how their command goes on.
const TESTS: &[&str] = &[
    "pytest",
    "unittest",
    "manage.py test",
    "django-admin test",
    "tox",
    "nox",
    "--exit-code-from",
    "make test",
    "make check",
    "npm test",
    "npm run test",
];

/// Commands that only install or tell.
const IDLE: &[&str] = &[
    "pip ",
    "pip3 ",
    "python -m pip",
    "python3 -m pip",
    "uv ",
    "echo ",
    "printf ",
    "#",
    "apt",
    "sudo apt",
    "cat ",
    "npm ci",
    "npm install",
];

/// Words of the shell before a command.
const KEYWORDS: &[&str] = &["do", "then", "else", "{", "(", "!", "time", "exec", "sudo"];

/// Commands of a script, one by one, with what follows each on its line.
pub fn commands(script: &str) -> Vec<(String, String)> {
    let joined = script.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines() {
        let mut rest = line.trim();
        while !rest.is_empty() {
            let end = ["&&", "||", ";", "|"].iter().filter_map(|s| rest.find(s)).min().unwrap_or(rest.len());
            let words = rest[..end].split_whitespace().skip_while(|word| KEYWORDS.contains(word));
            let command = words.collect::<Vec<_>>().join(" ").trim_start_matches('(').trim_start().to_owned();
            rest = &rest[end..];
            if !command.is_empty() {
                found.push((command, rest.trim().to_owned()));
            }
            rest = rest.trim_start_matches(['&', '|', ';', ' ']);
        }
    }
    found
}

/// Whether a command makes the script fail, whatever came before it.
fn fails(command: &str) -> bool {
    match command.strip_prefix("exit") {
        Some(code) => !matches!(code.trim().trim_matches(['"', '\'']), "" | "0"),
        None => command == "false",
    }
}

/// Whether the failure of a command counts for nothing. `next` are the commands after it, those of its own line
/// included; `after` is the rest of that line.
fn swallowed(command: &str, after: &str, next: &[(String, String)], shell: Shell) -> bool {
    let tested = ["if ", "elif ", "while ", "until "].iter().any(|word| command.starts_with(word));
    if tested {
        return !next.iter().take_while(|(c, _)| c != "fi" && c != "done").any(|(c, _)| fails(c));
    }
    let own = commands(after);
    if let Some(or_else) = after.strip_prefix("||") {
        let kept =
            or_else.contains("=$?") && next.iter().any(|(c, _)| c.starts_with("exit ") && c.contains('$'));
        return !kept && or_else.trim() != "exit" && !own.iter().any(|(c, _)| fails(c));
    }
    let more = next.len() > own.len();
    match after.strip_prefix("&&") {
        // « -e » forgives all that stands before « && »; a subshell fails as a whole.
        Some(then) => more && !then.contains(')'),
        None if after.starts_with('|') => !shell.pipefail,
        None => !shell.stops && (more || !after.is_empty()),
    }
}

fn is_docker(command: &str) -> bool {
    let words: Vec<&str> = command.split(' ').collect();
    let program = words.iter().find(|w| !w.contains('=') && **w != "sudo").copied().unwrap_or_default();
    matches!(program, "docker" | "docker-compose" | "podman" | "buildah")
}

fn has_word(command: &str, word: &str) -> bool {
    command.split(' ').any(|w| w == word)
}

/// Whether it is written `true`, or as an expression that is no more than that.
pub fn is_true(node: Option<&Node>) -> bool {
    node.and_then(Node::text).is_some_and(|text| super::expr::bare(text) == "true")
}

/// What a step does, in the shell of its job unless it has its own.
pub fn deeds(step: &Node, defaults: Shell) -> Deeds {
    let mut deeds = Deeds::default();
    let vain = is_true(step.get("continue-on-error"));
    if let Some(uses) = step.get("uses").and_then(Node::text) {
        let action = uses.split('@').next().unwrap_or_default().to_lowercase();
        let with = |key: &str| step.get("with").and_then(|w| w.get(key)).and_then(Node::text);
        if action.ends_with("/build-push-action") || action.ends_with("/bake-action") {
            deeds.builds = true;
            let registry =
                with("outputs").is_some_and(|o| o.contains("type=registry") || o.contains("push=true"));
            let asked = with("push").filter(|p| super::expr::bare(p) != "false");
            if registry {
                deeds.pushes = Push::Always;
            } else if let Some(push) = asked {
                let literal = super::expr::bare(push) == "true";
                deeds.pushes = if literal { Push::Always } else { Push::When(push.to_owned()) };
            }
        } else if action.contains("push-to-registry") {
            deeds.pushes = Push::Always;
        }
    }
    let script = step.get("run").and_then(Node::text).unwrap_or_default();
    let mut shell = step.get("shell").and_then(Node::text).map_or(defaults, Shell::named);
    let all = commands(script);
    for (index, (command, after)) in all.iter().enumerate() {
        shell.told(command);
        let low = command.to_lowercase();
        if is_docker(&low) {
            deeds.builds |= has_word(&low, "build") || has_word(&low, "bake") || has_word(&low, "--build");
            let push = has_word(&low, "push")
                || has_word(&low, "--push")
                || low.contains("push=true")
                || low.contains("type=registry");
            if push {
                deeds.pushes = Push::Always;
            }
        }
        let idle = IDLE.iter().any(|start| low.starts_with(start));
        let script_of_tests =
            low.split(' ').take(2).any(|w| w.strip_suffix(".sh").is_some_and(|name| name.contains("test")));
        if !idle && (TESTS.iter().any(|t| low.contains(t)) || script_of_tests) {
            if vain || swallowed(command, after, &all[index + 1..], shell) {
                deeds.tests_in_vain = true;
            } else {
                deeds.tests = true;
            }
        }
    }
    deeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::yaml;

    fn of(step: &str) -> Deeds {
        deeds(&yaml::parse(step).expect("yaml"), Shell::default())
    }

    #[test]
    fn steps_are_known_by_what_they_do() {
        assert!(of("run: |\n  pip install -r r.txt\n  pytest -q").tests);
        assert!(of("run: docker compose run --rm app1 python -m unittest").tests);
        assert!(of("run: cd app1 && python manage.py test").tests);
        assert!(of("run: ./scripts/tests.sh").tests);
        for idle in
            ["run: pip install pytest", "run: echo pytest", "run: '# pytest'", "uses: actions/checkout@v4"]
        {
            assert!(!of(idle).tests, "{idle}");
        }
        for vain in [
            "run: pytest || true",
            "{run: pytest, continue-on-error: true}",
            "run: pytest | tee log",
            "run: |\n  set +e\n  pytest\n  echo fini",
            "{run: pytest | tee log, shell: sh}",
            "run: if ! pytest; then echo non; fi",
            "run: pytest || exit 0",
            "run: |\n  if pytest; then echo oui; fi\n  exit 1",
            "{run: pytest; echo fini, shell: 'bash {0}'}",
            "run: |\n  pytest && echo bien\n  echo fini",
        ] {
            assert!(of(vain).tests_in_vain && !of(vain).tests, "{vain}");
        }
        for seen in [
            "run: pytest || exit 1",
            "{run: pytest | tee log, shell: bash}",
            "run: |\n  set -eo pipefail\n  pytest | tee log",
            "run: |\n  cd app1 && pytest\n  echo fini",
            "run: pytest && echo bien",
            "run: for a in 1 2; do (cd \"app$a\" && pytest && echo bien); done",
            "run: |\n  if true; then\n    pytest\n  fi",
            "run: pytest; echo fini",
            "run: |\n  pytest || code=$?\n  exit $code",
            "run: if ! pytest; then echo non; exit 1; fi",
            "run: pytest || { echo non; exit 3; }",
        ] {
            assert!(of(seen).tests && !of(seen).tests_in_vain, "{seen}");
        }
        for builds in [
            "run: docker compose build",
            "run: for a in 1 2; do docker build -t \"app$a\" \"app$a\"; done",
            "run: docker build -t x .",
            "run: docker compose up -d --build",
            "uses: docker/build-push-action@v6",
        ] {
            assert!(of(builds).builds && of(builds).pushes == Push::No, "{builds}");
        }
        for pushes in [
            "run: docker compose push",
            "run: docker push x",
            "run: docker buildx build --push .",
            "run: sudo docker push x",
        ] {
            assert_eq!(of(pushes).pushes, Push::Always, "{pushes}");
        }
        assert_eq!(of("{uses: docker/build-push-action@v6, with: {push: true}}").pushes, Push::Always);
        assert_eq!(of("{uses: docker/build-push-action@v6, with: {push: false}}").pushes, Push::No);
        let asked = "${{ github.event_name == 'push' }}";
        let step = format!("uses: docker/build-push-action@v6\nwith:\n  push: {asked}");
        assert_eq!(of(&step).pushes, Push::When(asked.to_owned()));
        assert_eq!(of("run: git push origin main").pushes, Push::No);
    }
}
