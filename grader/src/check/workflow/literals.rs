//! Passwords and tokens written as they are in a workflow.

use super::Node;
use super::steps::commands;

/// A secret written as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Where: a key or a command, without the value.
    pub what: String,
    /// Line, from 1.
    pub line: usize,
}

const KEYS: &[&str] = &["password", "passwd", "mot_de_passe", "token", "jeton"];
/// How the tokens of well-known services begin.
const TOKENS: &[&str] = &["dckr_pat_", "ghp_", "github_pat_", "glpat-", "AKIA"];

fn is_literal(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    !value.is_empty() && !value.contains("${{") && !value.starts_with('$')
}

/// Passwords and tokens of a workflow that are not taken from elsewhere.
pub fn literals(workflow: &Node) -> Vec<Literal> {
    let mut found = Vec::new();
    walk(workflow, "", &mut found);
    found.dedup();
    found
}

fn walk(node: &Node, under: &str, found: &mut Vec<Literal>) {
    match node {
        Node::Scalar { .. } => {
            let Some(text) = node.text() else { return };
            if let Some(start) = TOKENS.iter().find(|t| text.contains(**t)) {
                found.push(Literal {
                    what: format!("une valeur qui commence par {start}"),
                    line: node.line(),
                });
            } else if under == "run" && logs_in_plainly(text) {
                found.push(Literal { what: "docker login".into(), line: node.line() });
            }
        }
        Node::Seq(items) => items.iter().for_each(|item| walk(item, "", found)),
        Node::Map(pairs) => {
            for (key, value) in pairs {
                let name = key.text().unwrap_or_default();
                let low = name.to_lowercase().replace('-', "_");
                let secret = KEYS.iter().any(|k| low.ends_with(k));
                if matches!(under, "env" | "with") && secret && value.text().is_some_and(is_literal) {
                    found.push(Literal { what: format!("« {name} »"), line: value.line() });
                } else {
                    walk(value, name, found);
                }
            }
        }
    }
}

/// Whether a script gives `docker login` a password that it holds itself.
fn logs_in_plainly(script: &str) -> bool {
    let all = commands(script);
    all.iter().enumerate().any(|(at, (command, _))| {
        let words: Vec<&str> = command.split(' ').collect();
        if !(words.contains(&"login") && words.iter().any(|w| *w == "docker" || *w == "podman")) {
            return false;
        }
        let given = words.iter().enumerate().find_map(|(i, word)| match *word {
            "-p" | "--password" => words.get(i + 1).copied(),
            _ => {
                word.strip_prefix("--password=").or_else(|| word.strip_prefix("-p").filter(|v| !v.is_empty()))
            }
        });
        if let Some(value) = given {
            return is_literal(value);
        }
        // What the command before writes is the password.
        let before = at.checked_sub(1).and_then(|i| all.get(i)).filter(|(_, after)| after.starts_with('|'));
        words.contains(&"--password-stdin")
            && before.is_some_and(|(command, _)| {
                let said = command.strip_prefix("echo ").or_else(|| command.strip_prefix("printf "));
                said.is_some_and(|said| !said.contains('$'))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::yaml;

    fn count(text: &str) -> usize {
        literals(&yaml::parse(text).expect("yaml")).len()
    }

    #[test]
    fn secrets_in_clear_are_seen() {
        for bad in [
            "env: {DOCKER_PASSWORD: azerty}",
            "jobs: {a: {steps: [{with: {password: azerty}}]}}",
            "jobs: {a: {steps: [{run: docker login -u moi -p azerty}]}}",
            "jobs: {a: {steps: [{run: docker login --password=azerty}]}}",
            "jobs: {a: {steps: [{run: 'echo azerty | docker login -u moi --password-stdin'}]}}",
            "jobs: {a: {steps: [{run: 'curl -H dckr_pat_x'}]}}",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
        for good in [
            "env: {DOCKER_PASSWORD: \"${{ secrets.X }}\", VERSION: 1}",
            "permissions: {id-token: write}",
            "jobs: {a: {steps: [{run: 'echo \"$JETON\" | docker login -u moi --password-stdin'}]}}",
            "jobs: {a: {steps: [{run: 'echo \"${{ secrets.X }}\" | docker login --password-stdin'}]}}",
            "jobs: {a: {steps: [{run: 'docker login -p $JETON'}]}}",
        ] {
            assert_eq!(count(good), 0, "{good}");
        }
    }
}
